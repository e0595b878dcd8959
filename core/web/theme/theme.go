// Package theme turns one brand colour into the colours of a whole portal.
//
// In: a brand colour "#rrggbb", a corner character, a header shape. Out: a
// Theme: CSS custom properties for the light page (and the dark console), with
// a content hash for its address. Tonal steps are taken in OKLCH, so that a
// step of one brand is as light as the same step of another; every pair that
// carries text is moved until it has the contrast WCAG 2.2 asks for (1.4.3:
// 4.5:1; controls 1.4.11: 3:1). A tenant can therefore choose no illegible
// colour.
package theme

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
)

// Corner is the character of a tenant's corners.
type Corner string

// The corner characters.
const (
	Square Corner = "square" // no radius at all
	Soft   Corner = "soft"   // generous radius, pill buttons
)

// Shape is the way a tenant's pages begin; see core/web/ui for what each does.
type Shape string

// The header shapes.
const (
	Bar   Shape = "bar"   // a full-width band in the deep brand colour
	Split Shape = "split" // a tinted column beside the page
	Hero  Shape = "hero"  // a centred wordmark over a soft field of colour
)

// Pair is a foreground and a background that carry text or a control, with the
// contrast they must have.
type Pair struct {
	Fore, Back string // token names
	Min        float64
}

// Theme is the compiled look of one tenant. It is immutable.
type Theme struct {
	corner Corner
	shape  Shape
	light  []token
	dark   []token
	css    []byte
	hash   string
}

type token struct{ name, value string }

// New compiles a theme. An unknown corner or shape and a malformed colour are
// errors that say what would be right.
func New(brand string, corner Corner, shape Shape) (*Theme, error) {
	c, err := parseHex(brand)
	if err != nil {
		return nil, err
	}
	if corner != Square && corner != Soft {
		return nil, fmt.Errorf("theme: corner %q is neither %q nor %q", corner, Square, Soft)
	}
	if shape != Bar && shape != Split && shape != Hero {
		return nil, fmt.Errorf("theme: header shape %q is none of %q, %q, %q", shape, Bar, Split, Hero)
	}
	t := &Theme{corner: corner, shape: shape, light: lightTokens(c.lch()), dark: darkTokens(c.lch())}
	t.css = []byte(t.write())
	sum := sha256.Sum256(t.css)
	t.hash = hex.EncodeToString(sum[:])[:12]
	return t, nil
}

// Must is New for themes written in Go.
func Must(brand string, corner Corner, shape Shape) *Theme {
	t, err := New(brand, corner, shape)
	if err != nil {
		panic(err)
	}
	return t
}

// CSS is the style sheet; URL is its address.
func (t *Theme) CSS() []byte { return t.css }

// Hash names the style sheet's content.
func (t *Theme) Hash() string { return t.hash }

// URL is the address web serves the style sheet at.
func (t *Theme) URL() string { return "/theme/" + t.hash + ".css" }

// Corner is the corner character.
func (t *Theme) Corner() Corner { return t.corner }

// Shape is the header shape.
func (t *Theme) Shape() Shape { return t.shape }

// Color is a light token's value, "" when there is none, e.g. Color("brand").
func (t *Theme) Color(name string) string { return find(t.light, name) }

// Dark is a dark token's value.
func (t *Theme) Dark(name string) string { return find(t.dark, name) }

func find(tokens []token, name string) string {
	for _, k := range tokens {
		if k.name == name {
			return k.value
		}
	}
	return ""
}

// Pairs lists what must be legible on what; both modes satisfy all of them.
func Pairs() []Pair {
	return []Pair{
		{"ink", "page", 7}, {"ink", "card", 7}, {"ink", "sunk", 7}, {"ink", "tint", 7}, {"ink", "tint-strong", 7},
		{"soft", "page", 4.5}, {"soft", "card", 4.5}, {"soft", "sunk", 4.5}, {"soft", "tint", 4.5}, {"soft", "tint-strong", 4.5},
		{"brand-text", "page", 4.5}, {"brand-text", "card", 4.5}, {"brand-text", "tint", 4.5}, {"brand-text", "tint-strong", 4.5},
		{"on-fill", "fill", 4.5}, {"on-fill", "fill-strong", 4.5}, {"on-deep", "deep", 7}, {"on-deep-soft", "deep", 4.5},
		{"edge", "card", 3}, {"focus", "page", 3}, {"focus", "card", 3},
		{"danger", "card", 4.5}, {"danger", "danger-tint", 4.5}, {"on-danger", "danger-fill", 4.5},
		{"warn", "card", 4.5}, {"warn", "warn-tint", 4.5},
		{"good", "card", 4.5}, {"good", "good-tint", 4.5},
		{"info", "card", 4.5}, {"info", "info-tint", 4.5},
	}
}

// lightTokens: the page is white or nearly so, everything else steps down from it.
func lightTokens(b lch) []token {
	grey := func(l, c float64) string { return lch{l, c, b.H}.rgb().hex() }
	step := func(l, share float64) string { return lch{l, b.C * share, b.H}.rgb().hex() }
	n := math.Min(b.C, 0.16) / 0.16 // a grey brand has grey neutrals
	card, page, sunk := "#ffffff", grey(0.985, 0.002*n), grey(0.962, 0.004*n)
	tint, strong := step(0.962, 0.14), step(0.918, 0.26)
	fill := b
	fill.L = math.Min(math.Max(b.L, 0.36), 0.62)
	fillHex := fill.atLeast(4.6, true, "#ffffff")
	fillL := mustLCH(fillHex)
	deep := lch{0.27, math.Min(b.C*0.62, 0.11), b.H}.rgb().hex()
	t := []token{
		{"page", page}, {"card", card}, {"sunk", sunk}, {"tint", tint}, {"tint-strong", strong},
		{"ink", lch{0.24, 0.012 * n, b.H}.atLeast(7.1, true, card, page, sunk, tint, strong)},
		{"soft", lch{0.47, 0.014 * n, b.H}.atLeast(4.6, true, card, page, sunk, tint, strong)},
		{"line", grey(0.912, 0.008*n)}, {"edge", lch{0.62, 0.014 * n, b.H}.atLeast(3.1, true, card)},
		{"brand", b.rgb().hex()}, {"brand-line", step(0.80, 0.5)},
		{"brand-text", lch{math.Min(b.L, 0.50), b.C, b.H}.atLeast(4.6, true, card, page, tint, strong)},
		{"fill", fillHex}, {"fill-strong", lch{fillL.L - 0.07, fillL.C, fillL.H}.rgb().hex()}, {"on-fill", "#ffffff"},
		{"deep", deep}, {"on-deep", "#ffffff"}, {"on-deep-soft", lch{0.86, 0.02 * n, b.H}.atLeast(4.6, false, deep)},
		{"focus", focusOf(b).atLeast(3.2, true, card, page)},
	}
	return append(t, statusTokens(false, card)...)
}

// focusOf is the ring around what has the focus: the brand's, or a dark one where the brand is a red that would read as an error.
func focusOf(b lch) lch {
	if away := math.Abs(math.Mod(b.H-dangerHue+540, 360) - 180); away < 30 && b.C > 0.08 {
		return lch{0.32, 0.04, b.H}
	}
	return lch{math.Min(b.L, 0.55), b.C, b.H}
}

// dangerHue is the hue of what is refused, in OKLCH degrees.
const dangerHue = 27

// darkTokens: the same names for a dark room; only the console uses them.
func darkTokens(b lch) []token {
	n := math.Min(b.C, 0.16) / 0.16
	grey := func(l, c float64) string { return lch{l, c * n, b.H}.rgb().hex() }
	page, card, sunk := grey(0.185, 0.008), grey(0.222, 0.009), grey(0.158, 0.007)
	tint, strong := lch{0.275, math.Min(b.C*0.35, 0.05), b.H}.rgb().hex(), lch{0.33, math.Min(b.C*0.45, 0.07), b.H}.rgb().hex()
	fill := lch{0.50, math.Min(b.C, 0.16), b.H}.atLeast(4.6, true, "#ffffff")
	fl := mustLCH(fill)
	deep := grey(0.135, 0.009)
	t := []token{
		{"page", page}, {"card", card}, {"sunk", sunk}, {"tint", tint},
		{"tint-strong", strong},
		{"ink", lch{0.94, 0.006 * n, b.H}.atLeast(7.1, false, card, page, sunk, tint, strong)},
		{"soft", lch{0.74, 0.010 * n, b.H}.atLeast(4.6, false, card, page, sunk, tint, strong)},
		{"line", grey(0.31, 0.010)}, {"edge", lch{0.55, 0.012 * n, b.H}.atLeast(3.1, false, card)},
		{"brand", b.rgb().hex()}, {"brand-line", lch{0.46, b.C * 0.5, b.H}.rgb().hex()},
		{"brand-text", lch{math.Max(b.L, 0.74), math.Min(b.C, 0.14), b.H}.atLeast(4.6, false, card, page, tint, strong)},
		{"fill", fill}, {"fill-strong", lch{fl.L - 0.06, fl.C, fl.H}.rgb().hex()}, {"on-fill", "#ffffff"},
		{"deep", deep}, {"on-deep", "#ffffff"}, {"on-deep-soft", lch{0.80, 0.012 * n, b.H}.atLeast(4.6, false, deep)},
		{"focus", lch{math.Max(b.L, 0.72), b.C, b.H}.atLeast(3.2, false, card, page)},
	}
	return append(t, statusTokens(true, card)...)
}

// statusTokens are the same for every tenant: red means refused everywhere.
func statusTokens(dark bool, card string) []token {
	var out []token
	for _, s := range []struct {
		name string
		hue  float64
		c    float64
	}{{"danger", dangerHue, 0.18}, {"warn", 70, 0.13}, {"good", 153, 0.13}, {"info", 248, 0.13}} {
		tint, text := lch{0.965, 0.022, s.hue}, lch{0.50, s.c, s.hue}
		if dark {
			tint, text = lch{0.275, 0.045, s.hue}, lch{0.78, s.c * 0.8, s.hue}
		}
		th := tint.rgb().hex()
		out = append(out, token{s.name + "-tint", th}, token{s.name, text.atLeast(4.6, !dark, card, th)},
			token{s.name + "-line", lch{0.84 - b2f(dark)*0.42, s.c * 0.45, s.hue}.rgb().hex()})
	}
	return append(out, token{"danger-fill", lch{0.50, 0.19, dangerHue}.atLeast(4.6, true, "#ffffff")}, token{"on-danger", "#ffffff"})
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func mustLCH(h string) lch {
	c, err := parseHex(h)
	if err != nil {
		panic(err) // impossible: h was written by rgb.hex
	}
	return c.lch()
}

// write renders the custom properties. The dark set holds under .console only:
// a portal looks like its tenant at any hour.
func (t *Theme) write() string {
	var b strings.Builder
	b.WriteString(":root{")
	for _, k := range t.light {
		fmt.Fprintf(&b, "--%s:%s;", k.name, k.value)
	}
	radius, radiusS, button := "0", "0", "0"
	if t.corner == Soft {
		radius, radiusS, button = "14px", "8px", "999px"
	}
	fmt.Fprintf(&b, "--radius:%s;--radius-s:%s;--radius-button:%s}\n", radius, radiusS, button)
	b.WriteString("@media (prefers-color-scheme:dark){.console{color-scheme:dark;")
	for _, k := range t.dark {
		fmt.Fprintf(&b, "--%s:%s;", k.name, k.value)
	}
	b.WriteString("}}\n")
	return b.String()
}

// Console is the look of the platform's own pages and of the staff console:
// a quiet blue, small corners.
func Console() *Theme {
	t := Must("#2f5d8a", Square, Bar)
	c := *t
	c.css = []byte(strings.Replace(string(t.css), "--radius:0;--radius-s:0;--radius-button:0}", "--radius:6px;--radius-s:6px;--radius-button:6px}", 1))
	sum := sha256.Sum256(c.css)
	c.hash = hex.EncodeToString(sum[:])[:12]
	return &c
}
