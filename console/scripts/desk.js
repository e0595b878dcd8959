// Reveal without leaving the page: what was ticked and typed on it stays.
// Without this script the button posts and the page comes back with the value.
"use strict";
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
