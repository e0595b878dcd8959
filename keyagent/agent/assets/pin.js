// Small comforts of the PIN window; it works without them.
(function () {
  "use strict";
  var form = document.querySelector("form");
  if (form) {
    form.addEventListener("submit", function () {
      // After the browser has read the pressed button's value.
      setTimeout(function () {
        form.querySelectorAll("button").forEach(function (b) { b.disabled = true; });
      }, 0);
    });
  }
  var close = document.getElementById("close");
  if (close) {
    close.hidden = false;
    close.addEventListener("click", function () {
      window.close();
      // Browsers close only windows that a script opened: say so instead of doing nothing.
      setTimeout(function () { close.textContent = "请直接关闭此标签页 / Please close this tab"; close.disabled = true; }, 200);
    });
  }
})();
