// The order form: a field that starts as a copy of another follows it until
// its reader types something else. Without this script the server copies.
"use strict";
(() => {
  document.querySelectorAll("[data-mirrors]").forEach((holder) => {
    const form = holder.closest("form");
    let pairs = [];
    try { pairs = JSON.parse(holder.dataset.mirrors); } catch { return; }
    const value = (name) => {
      const el = form.elements[name];
      return el && !el.disabled ? el.value : "";
    };
    const last = {};
    const copy = () => {
      for (const [to, from] of pairs) {
        const el = form.elements[to];
        if (!el || el.tagName !== "INPUT" || document.activeElement === el) continue;
        const v = from.map(value).find((x) => x) || "";
        const follow = v && v !== el.value && (el.value === "" || el.value === last[to]);
        last[to] = v;
        if (follow) { el.value = v; el.dispatchEvent(new Event("change", { bubbles: true })); }
      }
    };
    pairs.forEach(([to, from]) => { last[to] = from.map(value).find((x) => x) || ""; });
    form.addEventListener("input", copy);
    form.addEventListener("change", copy);
    copy();
  });
})();
