// The upload tile: choose or drop sends at once; a phone's picture appears by
// itself. Without this script the tile is a file input of the page's form.
"use strict";
(() => {
  const { ask, fragment, goes, problem, onFragment, start, all } = window.kit;

  // swap puts the server's tile in the place of the old one; a focus in the
  // old one goes to the same thing in the new one.
  const swap = (tile, html) => {
    const part = fragment(html), fresh = part.querySelector(".upload");
    if (!fresh) return;
    fresh.classList.toggle("has-error", tile.classList.contains("has-error")); // the change below mends it
    const at = document.activeElement, held = tile.contains(at);
    tile.replaceWith(part);
    start(fresh.parentElement);
    if (held) ((at.matches("[data-phone]") && fresh.querySelector("[data-phone]")) || fresh.querySelector('input[type="file"]'))?.focus({ preventScroll: true });
    const hidden = fresh.querySelector('input[type="hidden"]');
    hidden?.dispatchEvent(new Event("change", { bubbles: true }));
  };

  const fail = (tile, text) => {
    const p = tile.querySelector(".field-error");
    tile.classList.add("has-error");
    p.hidden = false;
    p.querySelector("span").textContent = text;
    p.setAttribute("role", "alert");
  };

  // smaller redraws a photograph that is over the limit: at most 2400 px on its
  // longer side, JPEG. A picture the browser cannot draw goes as it is.
  const smaller = async (file, max) => {
    if (file.size <= max || !/^image\/(jpeg|png)$/.test(file.type) || !window.createImageBitmap) return file;
    try {
      const bmp = await createImageBitmap(file, { imageOrientation: "from-image" });
      const k = Math.min(1, 2400 / Math.max(bmp.width, bmp.height));
      const canvas = document.createElement("canvas");
      canvas.width = Math.round(bmp.width * k);
      canvas.height = Math.round(bmp.height * k);
      canvas.getContext("2d").drawImage(bmp, 0, 0, canvas.width, canvas.height);
      for (const q of [0.9, 0.8, 0.7]) {
        const blob = await new Promise((ok) => canvas.toBlob(ok, "image/jpeg", q));
        if (blob && blob.size <= max) return new File([blob], file.name.replace(/\.\w+$/, "") + ".jpg", { type: "image/jpeg" });
      }
    } catch { /* the server says what is wrong with it */ }
    return file;
  };

  const send = (tile, file) => new Promise((done) => {
    const busy = tile.querySelector(".tile-busy"), bar = busy.querySelector("progress");
    const data = new FormData();
    data.append("file", file);
    const x = new XMLHttpRequest();
    x.open("POST", tile.dataset.upload);
    x.setRequestHeader("X-Requested-With", "fetch");
    x.setRequestHeader("X-CSRF-Token", document.querySelector('meta[name="csrf"]').content);
    busy.hidden = false;
    busy.querySelector("span").textContent = tile.dataset.msgBusy;
    x.upload.onprogress = (e) => { if (e.lengthComputable) bar.value = (e.loaded / e.total) * 100; };
    x.onload = () => {
      busy.hidden = true;
      if (x.status >= 200 && x.status < 300) { swap(tile, x.responseText); done(); return; }
      let said = {};
      try { said = JSON.parse(x.responseText); } catch { /* a proxy's page */ }
      const first = said.fields && Object.values(said.fields)[0];
      fail(tile, first || said.title || tile.dataset.msgFail);
      done();
    };
    x.onerror = () => { busy.hidden = true; fail(tile, tile.dataset.msgFail); done(); };
    x.send(data);
  });

  const take = async (tile, file) => {
    if (!file) return;
    if (file.size === 0) { fail(tile, tile.dataset.msgEmpty); return; }
    if (!/\.(jpe?g|png)$/i.test(file.name) && !/^image\/(jpeg|png)$/.test(file.type)) { fail(tile, tile.dataset.msgType); return; }
    const max = +tile.dataset.max;
    file = await smaller(file, max);
    if (file.size > max) { fail(tile, tile.dataset.msgSize); return; }
    await send(tile, file);
  };

  const tileUp = (tile) => {
    const input = tile.querySelector('input[type="file"]');
    if (!tile.dataset.upload || !input || tile.dataset.up) return;
    tile.dataset.up = "1";
    const name = input.name;
    input.removeAttribute("name"); // sent at once, not again with the form
    input.addEventListener("change", async () => { await take(tile, input.files[0]); input.value = ""; });
    const box = tile.querySelector(".tile");
    ["dragenter", "dragover"].forEach((t) => box.addEventListener(t, (e) => { e.preventDefault(); box.classList.add("drop"); }));
    ["dragleave", "drop"].forEach((t) => box.addEventListener(t, (e) => { e.preventDefault(); box.classList.remove("drop"); }));
    box.addEventListener("drop", (e) => take(tile, e.dataTransfer.files[0]));
    tile.dataset.fileName = name;

    const phone = tile.querySelector("[data-phone]");
    phone?.addEventListener("click", async (e) => {
      e.preventDefault();
      if (phone.ariaBusy === "true") return; // not disabled: that would drop the focus
      phone.ariaBusy = "true";
      try {
        const res = await ask(phone.formAction, { method: "POST" });
        if (goes(res)) return;
        if (res.ok) { swap(tile, await res.text()); return; }
        fail(tile, (await problem(res)).title || tile.dataset.msgFail);
      } catch { fail(tile, tile.dataset.msgFail); }
      phone.ariaBusy = "false";
    });

    const panel = tile.querySelector("[data-tile-poll]");
    if (panel) follow(tile, panel);
  };

  // follow asks every two seconds whether the phone has sent its picture.
  const follow = (tile, panel) => {
    const turn = async () => {
      if (!tile.isConnected) return;
      try {
        const res = await ask(panel.dataset.tilePoll);
        if (res.status === 200) { swap(tile, await res.text()); return; }
        if (res.status === 410) { panel.classList.add("lapsed"); panel.querySelector(".phone-lapsed").hidden = false; return; }
      } catch { /* try again */ }
      setTimeout(turn, 2000);
    };
    setTimeout(turn, 2000);
  };

  onFragment((node) => {
    if (node.matches?.(".upload")) tileUp(node);
    all(".upload", node).forEach(tileUp);
  });
})();
