// What a page must not have. look(kind) gives one line for each finding.
const named = (e) => {
  const id = e.id ? "#" + e.id : "", cls = typeof e.className === "string" && e.className ? "." + e.className.trim().split(/\s+/).join(".") : "";
  return e.tagName.toLowerCase() + (id || cls) + " “" + fold(e.innerText || e.value || e.getAttribute("aria-label")).slice(0, 24) + "”";
};
const shown = (e) => e.checkVisibility({ visibilityProperty: true, contentVisibilityAuto: true }) && !e.closest(".vh,[aria-hidden=true],.skip");
const targets = () => Array.from(document.querySelectorAll("a[href],button,summary,select,textarea,input:not([type=hidden])")).filter((e) => shown(e) && !e.disabled);
// box is where a person may press: a tick's or a file's label is as good as itself, a row's link is as large as its row.
const box = (e) => {
  const whole = e.closest("label.choice, .fact-reject label") || (e.classList.contains("row-link") && e.closest("tr")) || (e.type === "file" && e.closest(".tile-choose, .phone-pick, .input-row")) || e;
  return whole.getBoundingClientRect();
};
// scrolls finds the part that holds an element and scrolls sideways by itself.
const scrolls = (e) => { for (; e && e !== document.body; e = e.parentElement) if (/auto|scroll/.test(getComputedStyle(e).overflowX)) return e; return null; };

// colours as [r, g, b, a], 0–1
const colour = (text) => {
  const n = (text.match(/-?[\d.]+(e-?\d+)?%?/g) || []).map((x) => (x.endsWith("%") ? parseFloat(x) / 100 : parseFloat(x)));
  if (text.startsWith("color(srgb")) return [n[0], n[1], n[2], n[3] === undefined ? 1 : n[3]];
  return [n[0] / 255, n[1] / 255, n[2] / 255, n[3] === undefined ? 1 : n[3]];
};
const over = (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])).concat(1);
const light = (c) => { const f = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * f(c[0]) + 0.7152 * f(c[1]) + 0.0722 * f(c[2]); };
// ground is the colour behind an element; null where a picture or a gradient lies there.
const ground = (e) => {
  const layers = [];
  for (; e; e = e.parentElement) {
    const s = getComputedStyle(e);
    if (s.backgroundImage !== "none") return null;
    const c = colour(s.backgroundColor);
    if (c[3] > 0) layers.push(c);
    if (c[3] === 1) break;
  }
  return layers.reverse().reduce((under, c) => over(c, under), [1, 1, 1, 1]);
};
// faint is how much of an element's words shows through its own and its parents' opacity, down to the ground they stand on.
const faint = (e) => {
  let left = 1;
  for (; e; e = e.parentElement) {
    const s = getComputedStyle(e);
    if (colour(s.backgroundColor)[3] === 1) break;
    left *= +s.opacity;
  }
  return left;
};
const texts = function* () {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let n = walk.nextNode(); n; n = walk.nextNode()) {
    const e = n.parentElement;
    if (fold(n.data) && e && shown(e) && !["SCRIPT", "STYLE", "NOSCRIPT", "OPTION", "TITLE"].includes(e.tagName)) yield [n, e];
  }
};

const looked = {
  document: () => {
    const out = [], wrong = !!document.querySelector("[data-error-summary]");
    if (!/^(zh-CN|en)$/.test(document.documentElement.lang)) out.push("lang is “" + document.documentElement.lang + "”");
    if (fold(document.title).length < 3) out.push("the title is “" + document.title + "”");
    if (wrong !== /^(错误：|Error: )/.test(document.title)) out.push((wrong ? "errors, and" : "no errors, and") + " the title is “" + document.title + "”");
    if (document.querySelectorAll("h1").length !== 1) out.push(document.querySelectorAll("h1").length + " h1");
    return out;
  },
  contrast: () => {
    const out = new Set();
    for (const [, e] of texts()) {
      const s = getComputedStyle(e), under = ground(e);
      if (!under || e.closest(":disabled,[aria-disabled=true],.paper")) continue;
      const size = parseFloat(s.fontSize), large = size >= 24 || (size >= 18.66 && +s.fontWeight >= 600);
      const ink = colour(s.color), a = light(over([ink[0], ink[1], ink[2], ink[3] * faint(e)], under)), b = light(under), ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (ratio < (large ? 3 : 4.5)) out.add("contrast " + ratio.toFixed(2) + " of " + named(e));
    }
    return [...out];
  },
  fields: () => targets().filter((e) => e.matches("input")).flatMap((e) => {
    const auto = e.autocomplete, mode = e.inputMode, want = (ok, what) => (ok ? [] : [named(e) + " name=" + e.name + " has " + what]);
    if (e.type === "tel") return want(/tel/.test(auto) && mode === "tel", "autocomplete “" + auto + "”, inputmode “" + mode + "”");
    if (e.type === "email") return want(/email/.test(auto) && mode === "email", "autocomplete “" + auto + "”, inputmode “" + mode + "”");
    if (e.type === "password") return want(/(current|new)-password/.test(auto) || (e.name === "pin" && auto === "off"), "autocomplete “" + auto + "”");
    if (e.name === "code") return want(auto === "one-time-code" && mode === "numeric", "autocomplete “" + auto + "”, inputmode “" + mode + "”");
    return [];
  }),
  reflow: () => {
    const out = [], wide = document.documentElement.scrollWidth;
    if (wide > innerWidth) out.push("the page is " + wide + " px wide in a window of " + innerWidth);
    for (const [n, e] of texts()) {
      if (scrolls(e) || e.closest(".paper,.viewer-stage")) continue;
      const r = document.createRange();
      r.selectNodeContents(n);
      for (const q of r.getClientRects()) if (q.right > innerWidth + 1 || q.left < -1) { out.push("out of sight: " + named(e) + " from " + Math.round(q.left) + " to " + Math.round(q.right)); break; }
      const s = getComputedStyle(e);
      if (/hidden|clip/.test(s.overflowX) && e.scrollWidth > e.clientWidth + 1 && s.textOverflow !== "ellipsis") out.push("cut off: " + named(e));
    }
    return [...new Set(out)].slice(0, 8);
  },
  // covered gives the focus to everything in turn and looks whether any of it can be seen.
  covered: () => {
    const out = [], had = document.activeElement, x0 = scrollX, y0 = scrollY;
    for (const e of targets()) {
      if (e.tabIndex < 0) continue;
      document.activeElement.blur(); // else it may be where it was, scrolled away
      e.focus();
      if (document.activeElement !== e) continue;
      const r = e.getBoundingClientRect(), at = [];
      for (const fx of [0.05, 0.5, 0.95]) for (const fy of [0.1, 0.5, 0.9]) at.push([r.left + r.width * fx, r.top + r.height * fy]);
      const free = at.some(([x, y]) => { const t = document.elementFromPoint(x, y); return t && (e.contains(t) || t.contains(e) || (t.closest("label") && t.closest("label").control === e) || (e.type === "file" && e.parentElement.contains(t))); });
      if (!free) out.push("covered when it has the focus: " + named(e));
    }
    document.activeElement.blur();
    if (had && had !== document.body) had.focus({ preventScroll: true });
    scrollTo(x0, y0);
    return out;
  },
  // targets: 24 × 24, unless in a sentence, or with so much room around that no other is pressed by mistake.
  targets: () => {
    const all = targets(), mid = (r) => [r.left + r.width / 2, r.top + r.height / 2];
    return all.flatMap((e) => {
      const r = box(e);
      if (r.width >= 24 && r.height >= 24) return [];
      if (getComputedStyle(e).display === "inline" && fold(e.parentElement.textContent).length > fold(e.textContent).length) return [];
      const [x, y] = mid(r), near = all.some((o) => { if (o === e || o.contains(e) || e.contains(o)) return false; const q = box(o), dx = Math.max(q.left - x, 0, x - q.right), dy = Math.max(q.top - y, 0, y - q.bottom); return Math.hypot(dx, dy) < 12; });
      return near ? ["target of " + Math.round(r.width) + " × " + Math.round(r.height) + ": " + named(e)] : [];
    });
  },
  thumbs: () => targets().filter((e) => e.matches(".btn-primary,.btn-secondary,.btn-danger,.input,.choice input:not(.fact input)")).flatMap((e) => {
    const r = box(e);
    return r.height < 43.5 && !e.closest(".viewer-tools,.checks") ? [Math.round(r.height) + " px high on a phone: " + named(e)] : [];
  }),
};
const look = (kind) => looked[kind]();
