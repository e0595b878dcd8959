// The page of a letter's code: what proves it stands behind the "#", which the
// browser keeps to itself, so it is posted from here.
"use strict";
(() => {
  const { ask, fragment } = window.kit;
  const form = document.getElementById("verify"), place = document.querySelector("[data-verdict]");
  const code = decodeURIComponent(location.hash.slice(1));
  if (!form || !place || !code) return;
  form.elements.payload.value = code;
  ask(location.pathname, { method: "POST", body: new URLSearchParams({ payload: code }) }).then(async (res) => {
    if (!res.ok) return;
    place.replaceChildren(fragment(await res.text()));
    form.hidden = true;
  }).catch(() => { /* the button does the same */ });
})();
