// The console: keys, density, the document viewer. Every action also has a
// button or a link.
"use strict";
(() => {
  const { all } = window.kit;
  const typing = (el) => el && (/^(INPUT|TEXTAREA|SELECT)$/.test(el.tagName) && el.type !== "checkbox" && el.type !== "radio" || el.isContentEditable);

  // ── density, kept in this browser ────────────────────────────────────────
  const keep = (k, v) => { try { if (v === undefined) return localStorage.getItem(k); localStorage.setItem(k, v); } catch { return null; } };
  all("[data-density]").forEach((box) => {
    const set = (dense) => box.classList.toggle("dense", dense);
    const was = keep("density");
    if (was) set(was === "dense");
    const b = box.querySelector("[data-density-switch]");
    if (!b) return;
    b.hidden = false;
    b.addEventListener("click", () => { set(!box.classList.contains("dense")); keep("density", box.classList.contains("dense") ? "dense" : "roomy"); });
  });

  // ── documents: wheel zooms, drag moves, T turns ──────────────────────────
  const viewer = document.querySelector("[data-viewer]");
  let view = null;
  if (viewer) {
    const stage = viewer.querySelector("[data-stage]"), pic = viewer.querySelector("[data-picture]");
    const name = viewer.querySelector("[data-viewer-name]"), docs = all("[data-doc]", viewer);
    let k = 1, turn = 0, x = 0, y = 0, drag = null;
    const draw = () => { if (pic) pic.style.transform = `translate(${x}px,${y}px) rotate(${turn}deg) scale(${k})`; };
    const fit = () => { k = 1; x = y = 0; draw(); };
    const zoom = (f) => { k = Math.min(8, Math.max(0.5, k * f)); if (k <= 1) { x = y = 0; } draw(); };
    const show = (i) => {
      const d = docs[i];
      if (!d || !pic) return;
      docs.forEach((o) => o.removeAttribute("aria-current"));
      d.setAttribute("aria-current", "true");
      pic.src = d.href;
      pic.alt = name.textContent = d.dataset.label;
      turn = 0;
      fit();
      all("[data-fact]").forEach((f) => f.classList.toggle("lit", !!d.dataset.doc && f.dataset.fact === d.dataset.doc));
    };
    docs.forEach((d, i) => d.addEventListener("click", (e) => { if (!e.ctrlKey && !e.metaKey) { e.preventDefault(); show(i); } }));
    stage.addEventListener("wheel", (e) => { e.preventDefault(); zoom(e.deltaY < 0 ? 1.15 : 1 / 1.15); }, { passive: false });
    stage.addEventListener("pointerdown", (e) => { drag = { x: e.clientX - x, y: e.clientY - y }; stage.setPointerCapture(e.pointerId); });
    stage.addEventListener("pointermove", (e) => { if (drag) { x = e.clientX - drag.x; y = e.clientY - drag.y; draw(); } });
    stage.addEventListener("pointerup", () => { drag = null; });
    stage.addEventListener("dblclick", () => (k > 1 ? fit() : zoom(2.5)));
    viewer.querySelector("[data-zoom]").addEventListener("click", () => zoom(1.25));
    viewer.querySelector("[data-rotate]").addEventListener("click", () => { turn += 90; draw(); });
    viewer.querySelector("[data-fit]").addEventListener("click", fit);
    view = { show, fit, zoom, rotate: () => { turn += 90; draw(); } };
  }

  // ── keys ─────────────────────────────────────────────────────────────────
  const rows = () => all(".table .row-link");
  const move = (by) => {
    const list = rows();
    if (!list.length) return false;
    const i = list.indexOf(document.activeElement);
    list[Math.min(list.length - 1, Math.max(0, i < 0 ? (by > 0 ? 0 : list.length - 1) : i + by))].focus();
    return true;
  };
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || document.querySelector("dialog[open]")) return;
    if (typing(document.activeElement)) { if (e.key === "Escape") document.activeElement.blur(); return; }
    const key = e.key.toUpperCase();
    const bound = all("[data-key]").find((b) => b.dataset.key.toUpperCase() === key && !b.disabled && b.offsetParent);
    if (bound) { e.preventDefault(); if (typing(bound)) bound.focus(); else bound.click(); return; }
    if (view) {
      if (/^[1-9]$/.test(key)) { view.show(+key - 1); e.preventDefault(); return; }
      if (key === "Z") { view.zoom(1.25); return; }
      if (key === "T") { view.rotate(); return; }
      if (key === "0") { view.fit(); return; }
    }
    if ((key === "J" && move(1)) || (key === "K" && move(-1))) e.preventDefault();
  });

  // ── a refused datum asks for its reason ──────────────────────────────────
  all("[data-reject]").forEach((box) => box.addEventListener("change", () => {
    if (box.checked) box.closest(".fact-reject").querySelector("[data-reason]").focus();
  }));
})();
