// Enhancements every page may use; each works on data attributes that the kit
// writes, and none is needed to finish a page (see core/web/ui).
"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const all = (sel, from = document) => Array.from(from.querySelectorAll(sel));
  const token = () => document.querySelector('meta[name="csrf"]')?.content || "";

  // ask fetches a part of a page; our server knows a script by X-Requested-With.
  const ask = (url, options = {}) => fetch(url, {
    credentials: "same-origin", redirect: "error", ...options,
    headers: { "X-Requested-With": "fetch", "X-CSRF-Token": token(), ...(options.headers || {}) },
  });
  const fragment = (html) => {
    const t = document.createElement("template");
    t.innerHTML = html;
    return t.content;
  };
  const goes = (res) => {
    const to = res.headers.get("X-Location");
    if (to && to.startsWith("/") && !to.startsWith("//")) { location.assign(to); return true; }
    return false;
  };
  const problem = async (res) => {
    try { return await res.json(); } catch { return { title: "" }; }
  };
  const starts = [];
  // onFragment runs a set-up for the page and for every part that comes later.
  const onFragment = (fn) => { starts.push(fn); };
  const start = (node) => starts.forEach((fn) => fn(node));
  window.kit = { ask, fragment, goes, problem, onFragment, start, all };

  // ── conditions: the same as core/form's Cond ─────────────────────────────
  const answers = (form) => {
    const out = {};
    for (const el of form.elements) {
      if (!el.name || el.type === "submit" || el.type === "file") continue;
      if ((el.type === "radio" || el.type === "checkbox") && !el.checked) continue;
      out[el.name] = el.value;
    }
    return out;
  };
  const holds = (c, a, facts) => {
    if (c.not) return !holds(c.not, a, facts);
    if (c.all && c.all.length) return c.all.every((x) => holds(x, a, facts));
    if (c.any && c.any.length) return c.any.some((x) => holds(x, a, facts));
    const v = (c.fact ? facts[c.fact] : a[c.field]) || "";
    if (c.filled) return v !== "";
    if (c.in && c.in.length) return c.in.includes(v);
    return v === (c.is || "");
  };
  const parse = (text) => { try { return JSON.parse(text); } catch { return null; } };
  // A hidden part's inputs are disabled: what is not asked is not sent. What a
  // condition reads may itself become hidden, so passes repeat until nothing moves.
  const toggle = (form) => {
    const facts = parse(form.dataset.facts || "{}") || {};
    const parts = all("[data-when]", form);
    for (let pass = 0; pass <= parts.length; pass++) {
      let moved = false;
      const a = {};
      for (const el of form.elements) {
        if (!el.name || el.type === "submit" || el.type === "file" || el.closest("[data-when][hidden]")) continue;
        if ((el.type === "radio" || el.type === "checkbox") && !el.checked) continue;
        a[el.name] = el.value;
      }
      for (const part of parts) {
        const c = parse(part.dataset.when);
        const show = !c || holds(c, a, facts);
        if (part.hidden === show) { part.hidden = !show; moved = true; }
      }
      if (!moved) break;
    }
    for (const part of parts) {
      for (const el of all("input,select,textarea,button", part)) {
        const off = !!el.closest("[data-when][hidden]");
        if (off && !el.disabled) { el.disabled = true; el.dataset.off = "1"; }
        if (!off && el.dataset.off) { el.disabled = false; delete el.dataset.off; }
      }
    }
  };

  // ── price and draft: posted after a pause, the latest answer wins ────────
  const later = (ms, fn) => { let t; return (...x) => { clearTimeout(t); t = setTimeout(() => fn(...x), ms); }; };
  const body = (form) => new URLSearchParams(Object.entries(answers(form)));
  const watch = (form) => {
    let turn = 0;
    const price = async () => {
      const target = document.querySelector("[data-price-target]");
      if (!form.dataset.price || !target) return;
      const mine = ++turn;
      target.classList.add("loading");
      try {
        const res = await ask(form.dataset.price, { method: "POST", body: body(form) });
        if (res.ok && mine === turn) target.replaceChildren(fragment(await res.text()));
      } catch { /* the server prices again at submit */ }
      if (mine === turn) target.classList.remove("loading");
    };
    const save = async () => {
      if (!form.dataset.save) return;
      try {
        const res = await ask(form.dataset.save, { method: "POST", body: body(form) });
        const words = res.headers.get("X-Saved");
        const at = document.querySelector("[data-saved]");
        if (res.ok && words && at) at.textContent = decodeURIComponent(words);
      } catch { /* the next pause tries again */ }
    };
    const soonPrice = later(250, price), soonSave = later(1200, save);
    toggle(form);
    form.addEventListener("input", () => { toggle(form); soonSave(); });
    form.addEventListener("change", () => { toggle(form); soonPrice(); });
  };

  // ── + and − ──────────────────────────────────────────────────────────────
  const quantity = (box) => {
    const input = box.querySelector("input"), min = +box.dataset.min || 0, max = +box.dataset.max || Infinity;
    const buttons = all("button[data-by]", box);
    const off = (b) => { const to = (+input.value || 0) + +b.dataset.by; return to < min || to > max; };
    const limit = () => {
      const held = buttons.some((b) => b === document.activeElement && off(b));
      buttons.forEach((b) => { if (!off(b)) b.disabled = false; });
      if (held) (buttons.find((b) => !off(b)) || input).focus(); // a button that is disabled drops the focus
      buttons.forEach((b) => { b.disabled = off(b); });
    };
    buttons.forEach((b) => b.addEventListener("click", (e) => {
      e.preventDefault();
      input.value = String(Math.min(max, Math.max(min, (parseInt(input.value, 10) || 0) + +b.dataset.by)));
      input.dispatchEvent(new Event("input", { bubbles: true }));
      input.dispatchEvent(new Event("change", { bubbles: true }));
      limit();
    }));
    input.addEventListener("input", limit);
    limit();
  };

  // ── the button that sends a code ─────────────────────────────────────────
  const countdown = (b) => {
    const run = (seconds) => {
      const end = Date.now() + seconds * 1000;
      const tick = () => {
        const left = Math.ceil((end - Date.now()) / 1000);
        b.disabled = left > 0;
        b.textContent = left > 0 ? left + " " + b.dataset.wait : b.dataset.label;
        if (left > 0) setTimeout(tick, 250);
      };
      tick();
    };
    const say = (text, bad) => {
      const field = b.closest(".field") || b.parentElement;
      let p = field.querySelector("[data-said]");
      if (!p) { p = document.createElement("p"); p.dataset.said = ""; p.setAttribute("role", "status"); field.append(p); }
      p.className = bad ? "field-error" : "field-note";
      p.textContent = text;
    };
    const toCode = () => b.form.querySelector('[autocomplete="one-time-code"]')?.focus();
    if (+b.dataset.countdown > 0) run(+b.dataset.countdown);
    if (!b.dataset.url) return;
    b.addEventListener("click", async (e) => {
      e.preventDefault();
      b.disabled = true;
      try {
        const res = await ask(b.dataset.url, { method: "POST", body: body(b.form) });
        const said = await problem(res);
        if (res.ok) { run(said.seconds || 60); say(said.message || "", false); toCode(); return; }
        const first = said.fields && Object.keys(said.fields)[0];
        say(first ? said.fields[first] : said.title, true);
        if (said.seconds) { run(said.seconds); toCode(); return; }
      } catch { say(b.dataset.fail || "", true); }
      b.disabled = false;
      b.focus(); // it dropped it
    });
  };

  // ── a password can be looked at while it is typed ────────────────────────
  const peek = (b) => {
    const input = b.parentElement.querySelector("input"), words = [b.textContent, b.dataset.peek];
    b.hidden = false;
    b.addEventListener("click", () => {
      const open = input.type === "password";
      input.type = open ? "text" : "password";
      b.textContent = words[+open];
    });
    input.form?.addEventListener("submit", () => { input.type = "password"; });
  };

  // ── copy, dialogs, polls ─────────────────────────────────────────────────
  const copy = (b) => {
    if (!navigator.clipboard) return;
    b.hidden = false;
    const words = b.querySelector("span"), was = words.textContent;
    b.addEventListener("click", async () => {
      await navigator.clipboard.writeText(b.dataset.copy);
      words.textContent = b.dataset.done;
      setTimeout(() => { words.textContent = was; }, 1500);
    });
  };
  document.addEventListener("click", (e) => {
    const open = e.target.closest("[data-dialog]");
    if (open) { document.getElementById(open.dataset.dialog)?.showModal?.(); return; }
    const close = e.target.closest("[data-close]");
    if (close) close.closest("dialog")?.close();
  });
  // poll slows down from every N seconds to four times that, and rests while
  // nobody looks.
  const poll = (el) => {
    let every = (+el.dataset.every || 2) * 1000, tries = 0;
    const next = () => setTimeout(turn, Math.min(every * 4, every * (1 + tries++ / 40)));
    const turn = async () => {
      if (!el.isConnected) return;
      if (document.hidden) { next(); return; }
      try {
        const res = await ask(el.dataset.poll);
        if (goes(res) || res.status === 410) return;
        if (res.status === 200) {
          const part = fragment(await res.text());
          el.replaceChildren(part);
          start(el);
        }
      } catch { /* the network comes back or it does not */ }
      next();
    };
    next();
  };

  // A second press of the same button does nothing while the first is on its
  // way. Another button of the form may go: the first may have saved a file only.
  const sent = new WeakMap();
  document.addEventListener("submit", (e) => {
    const form = e.target;
    if (form.method === "post" && sent.has(form) && sent.get(form) === e.submitter) { e.preventDefault(); return; }
    sent.set(form, e.submitter);
    setTimeout(() => { if (sent.get(form) === e.submitter) sent.delete(form); }, 8000);
  });
  window.addEventListener("pageshow", () => all("form").forEach((f) => sent.delete(f)));

  // What a person has changed since the page came back is no longer marked as
  // wrong: the server judges it again when it is sent.
  const mended = (e) => {
    const field = e.target.closest?.(".field.has-error");
    if (!field || e.target.type === "file") return;
    field.classList.remove("has-error");
    all("[aria-invalid]", field).forEach((el) => el.removeAttribute("aria-invalid"));
    const said = field.querySelector(".field-error");
    if (said) said.hidden = true;
    all("[data-error-summary] a").forEach((a) => {
      const to = document.getElementById(decodeURIComponent(a.hash.slice(1)));
      if (to && field.contains(to)) a.classList.add("mended");
    });
    const summary = document.querySelector("[data-error-summary]");
    if (!summary || summary.querySelector("a:not(.mended), li:not(:has(a))")) return;
    summary.classList.add("mended");
    const words = summary.querySelector("[data-mended]");
    words.textContent = words.dataset.mended;
  };
  document.addEventListener("input", mended);
  document.addEventListener("change", mended);

  onFragment((node) => {
    all("[data-quantity]", node).forEach(quantity);
    all("[data-countdown]", node).forEach(countdown);
    all("[data-peek]", node).forEach(peek);
    all("[data-copy]", node).forEach(copy);
    all("[data-poll]", node).forEach(poll);
  });
  all("form").forEach((f) => { if (f.dataset.price || f.dataset.save || f.querySelector("[data-when]")) watch(f); });
  // Scripts after this one register their own parts first.
  document.addEventListener("DOMContentLoaded", () => start(document));
  document.querySelector("[data-error-summary]")?.focus();
  all("[data-error-summary] a").forEach((a) => a.addEventListener("click", (e) => {
    const to = document.getElementById(decodeURIComponent(a.hash.slice(1)));
    if (!to) return;
    e.preventDefault();
    to.focus({ preventScroll: true });
    (to.closest(".field") || to).scrollIntoView({ block: "start", behavior: "smooth" });
  }));
})();
