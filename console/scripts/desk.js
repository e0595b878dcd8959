// The checklist leads through the desk: the point that is next is lit, with the datum and the document it is about; C ticks it.
// Reveal without leaving the page: what was ticked and typed on it stays.
// Without this script the boxes are ticked by hand, and the button posts and the page comes back with the value.
"use strict";
(() => {
  const points = [...document.querySelectorAll("[data-check]")], box = (li) => li.querySelector("input");
  const next = () => points.find((li) => !box(li).checked);
  const light = () => {
    const now = next(), about = now && now.dataset.check;
    points.forEach((li) => li.classList.toggle("lit", li === now));
    if (!about) return;
    const doc = document.querySelector(`[data-doc="${about}"]`), fact = document.querySelector(`[data-fact="${about}"]`);
    if (doc) doc.click(); // shows it, and lights its datum
    document.querySelectorAll("[data-fact]").forEach((f) => f.classList.toggle("lit", f === fact));
    if (fact) fact.scrollIntoView({ block: "nearest" });
  };
  points.forEach((li) => box(li).addEventListener("change", light));
  if (points.length) {
    points.forEach((li) => li.classList.toggle("lit", li === next()));
    document.addEventListener("keydown", (e) => {
      const at = document.activeElement;
      if (e.key.toUpperCase() !== "C" || e.ctrlKey || e.metaKey || e.altKey || at && at.matches("input:not([type=checkbox]), textarea, select")) return;
      const li = next();
      if (li) { e.preventDefault(); box(li).click(); }
    });
  }
  // Enter ends a reason: it must not press the first button of the form, which approves; the keys work again.
  document.querySelectorAll("[data-reason]").forEach((input) => input.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && !e.isComposing) { e.preventDefault(); input.blur(); }
  }));
})();
(() => {
  const form = document.getElementById("reveal");
  if (!form) return;
  const csrf = document.querySelector("meta[name=csrf]").content;
  form.addEventListener("submit", async (e) => {
    const button = e.submitter;
    if (!button) return;
    e.preventDefault();
    const why = document.querySelector("[data-why]");
    const body = new URLSearchParams({ why: why ? why.value : "" });
    const cell = button.parentElement.querySelector(".fact-value") || button.parentElement.querySelector("[data-value]");
    button.disabled = true;
    try {
      const res = await fetch(button.formAction, { method: "POST", body, headers: { "X-CSRF-Token": csrf, "X-Requested-With": "fetch", Accept: "application/json" } });
      const data = await res.json();
      if (!res.ok) { button.disabled = false; cell.textContent = data.title || ""; return; }
      cell.textContent = data.value;
      button.remove();
    } catch {
      button.disabled = false;
    }
  });
})();
