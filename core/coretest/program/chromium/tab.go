package chromium

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long a tab waits for what it is told to use or to see.
const patience = 20 * time.Second

// frame is how long a page shows one picture.
const frame = 17 * time.Millisecond

// finders is the script that every question begins with: what is visible, and which of the things that can be pressed
// bears some words. An exact label goes before one that only contains the words, a shorter one before a longer one.
const finders = `
const fold = (s) => (s || "").replace(/\s+/g, " ").trim();
const seen = (e) => { const r = e.getBoundingClientRect(); return r.width > 0 && r.height > 0 && getComputedStyle(e).visibility !== "hidden"; };
const words = (e) => fold(e.innerText || e.value || e.getAttribute("aria-label"));
const pressable = (label, from = document) => Array.from(from.querySelectorAll("a[href],button,summary,[role=button],[role=tab],label"))
  .filter((e) => seen(e) && !e.disabled && words(e).includes(label))
  .sort((a, b) => (words(a) === label ? 0 : 1) - (words(b) === label ? 0 : 1) || words(a).length - words(b).length);
const field = (name) => document.querySelector('[name="' + CSS.escape(name) + '"]:not([type=hidden]):not([type=submit])');
`

// js gives a Go string as a script's literal.
func js(s string) string {
	b, _ := json.Marshal(s) // a string: never fails
	return string(b)
}

// try evaluates an expression once; a page in the middle of loading gives an error.
func try[T any](tab *Tab, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](`(() => { `+finders+` return (`+expression+`); })()`))
}

// Eval is the text an expression gives.
func (tab *Tab) Eval(expression string) string {
	tab.t.Helper()
	return eventually(tab, expression, func(string) bool { return true })
}

// Is reports whether an expression is true now.
func (tab *Tab) Is(expression string) bool {
	ok, err := try[bool](tab, `!!(`+expression+`)`)
	return err == nil && ok
}

// Await waits until an expression is true; what names it in the failure.
func (tab *Tab) Await(what, expression string) *Tab {
	tab.t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(40 * time.Millisecond) {
		if tab.Is(expression) {
			return tab
		}
	}
	tab.fail("never: " + what)
	return tab
}

// eventually evaluates until the answer is good.
func eventually[T any](tab *Tab, expression string, good func(T) bool) T {
	tab.t.Helper()
	var last T
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(40 * time.Millisecond) {
		if last, err = try[T](tab, expression); err == nil && good(last) {
			return last
		}
	}
	tab.fail(fmt.Sprintf("%s gives %v, %v", expression, last, err))
	return last
}

// fail ends the test with what the page shows.
func (tab *Tab) fail(what string) {
	tab.t.Helper()
	at, _ := try[string](tab, `location.href + "\n" + document.body.innerText`)
	if dir := os.Getenv("CERTSAAS_TEST_SHOTS"); dir != "" {
		tab.picture(filepath.Join(dir, "failed-"+strings.ReplaceAll(tab.t.Name(), "/", "-")+".png"))
		source, _ := try[string](tab, `document.documentElement.outerHTML`)
		_ = os.WriteFile(filepath.Join(dir, "failed-"+strings.ReplaceAll(tab.t.Name(), "/", "-")+".html"), []byte(source), 0o600)
	}
	tab.t.Fatalf("%s, at %s", what, at)
}

// At waits until the path of the page's address matches a pattern, and the page is loaded. A button that led nowhere for ten
// seconds is pressed once more, as a person would, and the test says so: a browser on a loaded machine loses a press now and
// then, more often where the window has just changed its size.
func (tab *Tab) At(pattern string) *Tab {
	tab.t.Helper()
	re := regexp.MustCompile(pattern)
	arrived := func() bool {
		at, err := try[string](tab, `document.readyState === "complete" ? location.pathname + location.search : ""`)
		return err == nil && re.MatchString(at)
	}
	for begin := time.Now(); time.Since(begin) < 2*patience; time.Sleep(40 * time.Millisecond) {
		if arrived() {
			return tab
		}
		if p := tab.pressed; p.element != "" && time.Since(begin) > patience/2 {
			tab.pressed = press{}
			if tab.Is(`window.sends && (` + p.element + `)`) {
				tab.t.Logf("%s led nowhere and is pressed once more", p.what)
				tab.press(p.what, p.element)
				tab.pressed = press{}
			}
		}
	}
	tab.fail("never at " + pattern)
	return tab
}

// Path is the path of the page's address.
func (tab *Tab) Path() string {
	tab.t.Helper()
	return tab.Eval(`location.pathname`)
}

// See waits until the page shows all of words.
func (tab *Tab) See(words ...string) *Tab {
	tab.t.Helper()
	for _, w := range words {
		tab.Await("the page shows "+w, `fold(document.body.innerText).includes(`+js(w)+`)`)
	}
	return tab
}

// Shows reports whether the page shows words now.
func (tab *Tab) Shows(words string) bool {
	return tab.Is(`fold(document.body.innerText).includes(` + js(words) + `)`)
}

// Text is all the page shows.
func (tab *Tab) Text() string {
	tab.t.Helper()
	return tab.Eval(`fold(document.body.innerText)`)
}

// point is the middle of a thing on the page, or why it cannot be pressed.
type point struct {
	X, Y float64
	Not  string
}

// press is what was pressed, and the expression that finds it.
type press struct{ what, element string }

// press scrolls a thing into view and clicks on its middle, if nothing else lies there and the page has come to rest: what
// moves between the look and the click is missed.
func (tab *Tab) press(what, element string) *Tab {
	tab.t.Helper()
	for range 3 {
		was, at := point{}, tab.locate(element)
		for end := time.Now().Add(patience); at != was && time.Now().Before(end); {
			time.Sleep(frame)
			was, at = at, tab.locate(element)
		}
		tab.Await("the press is watched", fmt.Sprintf(watch, element, at.X, at.Y))
		if err := chromedp.Do(tab.ctx, chromedp.MouseClickXY(at.X, at.Y)); err != nil {
			tab.t.Fatalf("press %s: %v", what, err)
		}
		if !tab.Is(`window.missed === true`) {
			tab.pressed = press{what, element}
			return tab
		}
	}
	tab.fail("missed thrice: " + what)
	return tab
}

// watch notes whether the next click misses a thing, and whether that is a button that sends: a page that moves at that moment,
// as pages do on a loaded machine, is pressed once more, as a person would. A click that led to another page took what was
// noted with it.
const watch = `(() => {
	const e = %s, at = document.elementFromPoint(%g, %g);
	window.missed = true;
	window.sends = e.matches("button:not([type=button]),input[type=submit]");
	document.addEventListener("click", (c) => {
		const label = c.target.closest && c.target.closest("label");
		window.missed = !(e.contains(c.target) || c.target === at || label && label.control === e);
	}, { capture: true, once: true });
	return true;
})()`

// locate scrolls a thing into view and gives its middle, once it can be pressed.
func (tab *Tab) locate(element string) point {
	tab.t.Helper()
	return eventually(tab, `(() => {
		const e = `+element+`;
		if (!e) return {Not: "is not there"};
		if (e.disabled) return {Not: "is disabled"};
		e.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
		const r = Array.from(e.getClientRects()).find((r) => r.width > 0 && r.height > 0) || e.getBoundingClientRect();
		const x = r.left + r.width / 2, y = r.top + r.height / 2, top = document.elementFromPoint(x, y);
		if (!top || !(e.contains(top) || top.contains(e) || (top.closest("label") && top.closest("label").control === e))) return {Not: "is covered by " + (top && top.outerHTML.slice(0, 200))};
		return {X: x, Y: y, Not: ""};
	})()`, func(p point) bool { return p.Not == "" })
}

// Press clicks the link or button with these words.
func (tab *Tab) Press(label string) *Tab {
	tab.t.Helper()
	return tab.press(label, `pressable(`+js(label)+`)[0]`)
}

// PressIn is Press within the first part of the page that matches a selector.
func (tab *Tab) PressIn(selector, label string) *Tab {
	tab.t.Helper()
	return tab.press(label, `(() => { const part = document.querySelector(`+js(selector)+`); return part && pressable(`+js(label)+`, part)[0]; })()`)
}

// PressAt clicks what a selector matches first among what is visible.
func (tab *Tab) PressAt(selector string) *Tab {
	tab.t.Helper()
	return tab.press(selector, `Array.from(document.querySelectorAll(`+js(selector)+`)).find(seen)`)
}

// Offers reports whether there is a link or button with these words.
func (tab *Tab) Offers(label string) bool { return tab.Is(`pressable(` + js(label) + `).length`) }

// Type replaces what stands in a field by text, as from a keyboard.
func (tab *Tab) Type(name, text string) *Tab {
	tab.t.Helper()
	tab.Await("the page asks "+name, `field(`+js(name)+`) && seen(field(`+js(name)+`)) && !field(`+js(name)+`).disabled && !field(`+js(name)+`).readOnly`)
	if kind := tab.Eval(`field(` + js(name) + `).type`); kind == "date" || kind == "time" { // Chromium's own pickers take no text
		tab.Await("a date", `(() => { const e = field(`+js(name)+`); e.value = `+js(text)+`; e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true})); return true; })()`)
		return tab
	}
	tab.Await("the field takes the focus", `(() => { const e = field(`+js(name)+`); e.scrollIntoView({block: "center"}); e.focus(); e.select && e.select(); return document.activeElement === e; })()`)
	err := chromedp.Do(tab.ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: text})
		return err
	}))
	if err != nil {
		tab.t.Fatalf("type %s: %v", name, err)
	}
	tab.Await(name+" holds what was typed", `field(`+js(name)+`).value === `+js(text)+` || field(`+js(name)+`).maxLength > 0 && `+js(text)+`.startsWith(field(`+js(name)+`).value)`)
	tab.Await("the field was left", `(() => { const e = field(`+js(name)+`); e.blur(); e.dispatchEvent(new Event("change", {bubbles: true})); return true; })()`)
	return tab
}

// Choose picks an option of a select or a radio by its value, or ticks a box (value "yes").
func (tab *Tab) Choose(name, value string) *Tab {
	tab.t.Helper()
	tab.Await("the page asks "+name, `field(`+js(name)+`) && !field(`+js(name)+`).disabled`)
	if tab.Is(`field(` + js(name) + `).tagName === "SELECT"`) {
		return tab.Await(name+" offers "+value, `(() => { const e = field(`+js(name)+`); if (!Array.from(e.options).some((o) => o.value === `+js(value)+`)) return false;
			e.value = `+js(value)+`; e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true})); return true; })()`)
	}
	sel := fmt.Sprintf(`[name=%q][value=%q]`, name, value)
	if !tab.Is(`document.querySelector(` + js(sel) + `).checked`) {
		tab.press(name+"="+value, `(() => { const e = document.querySelector(`+js(sel)+`); return e && (e.closest("label") || e); })()`)
	}
	return tab.Await(name+" is "+value, `document.querySelector(`+js(sel)+`).checked`)
}

// Fill types or chooses several fields, in the order given: name, value, name, value, …
func (tab *Tab) Fill(pairs ...string) *Tab {
	tab.t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		name := pairs[i]
		tab.Await("the page asks "+name, `field(`+js(name)+`)`)
		if tab.Is(`field(` + js(name) + `).tagName === "SELECT" || ["radio", "checkbox"].includes(field(` + js(name) + `).type)`) {
			tab.Choose(name, pairs[i+1])
		} else {
			tab.Type(name, pairs[i+1])
		}
	}
	return tab
}

// Value is what stands in a field; of a radio, what is chosen.
func (tab *Tab) Value(name string) string {
	tab.t.Helper()
	return tab.Eval(`(() => { const e = document.querySelector('[name="' + CSS.escape(` + js(name) + `) + '"]:checked') || field(` + js(name) + `); return e ? e.value : ""; })()`)
}

// Asks reports whether a person sees a question of this name that he may answer.
func (tab *Tab) Asks(name string) bool {
	return tab.Is(`field(` + js(name) + `) && seen(field(` + js(name) + `).closest(".field") || field(` + js(name) + `)) && !field(` + js(name) + `).readOnly && !field(` + js(name) + `).disabled`)
}

// Attach chooses a file for what a selector matches.
func (tab *Tab) Attach(selector, path string) *Tab {
	tab.t.Helper()
	tab.Await("a file input "+selector, `document.querySelector(`+js(selector)+`)`)
	o, err := chromedp.Run(tab.ctx, chromedp.Evaluate[*runtime.RemoteObject](`document.querySelector(`+js(selector)+`)`))
	if err == nil {
		err = chromedp.Do(tab.ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, dom.SetFileInputFiles, dom.SetFileInputFilesParams{Files: []string{path}, ObjectID: o.ObjectID})
			return err
		}))
	}
	if err != nil {
		tab.t.Fatalf("attach %s: %v", selector, err)
	}
	return tab
}

// Upload hands a picture in at the tile of a field and waits until the tile shows it.
func (tab *Tab) Upload(name, path string) *Tab {
	tab.t.Helper()
	tile := fmt.Sprintf(`[data-field=%q]`, name)
	was, _ := try[string](tab, `document.querySelector(`+js(tile+` input[type=hidden]`)+`).value`)
	tab.Attach(tile+" input[type=file]", path)
	return tab.Await("the tile of "+name+" shows the picture", `(() => { const v = document.querySelector(`+js(tile+`.is-filled input[type=hidden]`)+`); return v && v.value && v.value !== `+js(was)+`; })()`)
}

// Refused hands a picture in that the tile must refuse, and gives what it says, unless that stood there before.
func (tab *Tab) Refused(name, path string) string {
	tab.t.Helper()
	tile := fmt.Sprintf(`[data-field=%q]`, name)
	said := `fold(document.querySelector(` + js(tile+` .field-error`) + `).innerText)`
	before := tab.Eval(said)
	tab.Attach(tile+" input[type=file]", path)
	return eventually(tab, said, func(s string) bool { return s != "" && s != before })
}

// Answer is what the page got for a request of its own.
type Answer struct {
	Status            int
	Type, Disposition string
	Start             string // the first bytes
}

// Fetch asks an address of the page's site, as the person who is logged in.
func (tab *Tab) Fetch(path string) Answer {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, patience)
	defer cancel()
	a, err := chromedp.Run(ctx, chromedp.Evaluate[Answer](`fetch(`+js(path)+`).then(async (r) => ({Status: r.status, Type: r.headers.get("Content-Type") || "",
		Disposition: r.headers.get("Content-Disposition") || "", Start: (await r.text()).slice(0, 64)}))`, chromedp.EvalAwaitPromise))
	if err != nil {
		tab.fail("fetch " + path + ": " + err.Error())
	}
	return a
}
