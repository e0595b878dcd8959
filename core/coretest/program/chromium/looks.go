package chromium

import (
	"context"
	_ "embed"
	"os"
	"strings"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// looks is the script that finds what a page must not have; it defines look(kind), which gives one line a finding.
//
//go:embed looks.js
var looks string

// Windows in which a page is looked at besides its own.
var (
	reflow = Size{320, 640} // WCAG 1.4.10: 1280 px at 400 %
	zoomed = Size{640, 400} // 1280 × 800 at 200 %: the same CSS pixels, twice as fine
)

// Looks fails for what is wrong with the page as it stands: it scrolls sideways or loses text at 320 px or at 200 %, what
// has the focus lies under a bar (WCAG 2.4.11), words are too pale (1.4.3; a console's also in the dark), targets are
// smaller than 24 px (2.5.8) or a phone's main controls than 44, a field does not say what a keyboard or a browser's memory
// needs (1.3.5), the title, the language or the mark of an error is missing. It leaves the page as it found it.
func (tab *Tab) Looks(name string) {
	tab.t.Helper()
	was := tab.size
	tab.finds(name, "at its own size", "document", "contrast", "fields")
	if tab.Is(`document.body.classList.contains("console")`) {
		tab.dark(true)
		tab.finds(name, "in the dark", "contrast")
		tab.dark(false)
	}
	tab.view(reflow, 1)
	tab.finds(name, "at 320 px", "reflow")
	tab.view(zoomed, 2)
	tab.finds(name, "at 200 %", "reflow", "covered")
	tab.Resize(Phone)
	tab.finds(name, "on a phone", "targets", "thumbs")
	tab.Resize(was)
}

// finds runs some of the looks and reports what they find.
func (tab *Tab) finds(name, where string, kinds ...string) {
	tab.t.Helper()
	if said := tab.found(kinds...); said != "" {
		tab.t.Errorf("%s %s (%s):\n%s", name, where, tab.Path(), said)
		if dir := os.Getenv("CERTSAAS_TEST_SHOTS"); dir != "" {
			tab.picture(dir + "/looks-" + name + "-" + kinds[0] + ".png")
		}
	}
}

// found is what some of the looks find, one line each.
func (tab *Tab) found(kinds ...string) string {
	tab.t.Helper()
	return tab.Eval(`(() => { ` + looks + `; return ` + js(strings.Join(kinds, " ")) + `.split(" ").flatMap(look).join("\n"); })()`)
}

// view is a window of plain pixels, without a phone's shrinking to fit.
func (tab *Tab) view(size Size, scale float64) {
	tab.t.Helper()
	if err := chromedp.Do(tab.ctx, chromedp.EmulateViewport(size.Width, size.Height, chromedp.EmulateScale(scale))); err != nil {
		tab.t.Fatal(err)
	}
	tab.size = size
}

// dark has the page believe that its reader likes dark pages, and stillness: no colour is on its way to another.
func (tab *Tab) dark(on bool) {
	tab.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	err := chromedp.Do(tab.ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
		return err
	}))
	if err != nil {
		tab.t.Fatal(err)
	}
}
