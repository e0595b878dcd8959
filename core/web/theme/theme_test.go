package theme

import (
	"bytes"
	"fmt"
	"math"
	"math/rand"
	"testing"
)

// TestEveryBrandIsLegible: no brand colour whatever breaks a contrast rule, in
// either mode.
func TestEveryBrandIsLegible(t *testing.T) {
	t.Parallel()
	brands := []string{"#000000", "#ffffff", "#ffff00", "#00ffff", "#ff0000", "#0000ff", "#808080", "#d7000f", "#00796b", "#2f5d8a"}
	r := rand.New(rand.NewSource(1))
	for range 300 {
		brands = append(brands, fmt.Sprintf("#%06x", r.Intn(1<<24)))
	}
	for _, brand := range brands {
		th, err := New(brand, Square, Bar)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range Pairs() {
			for mode, of := range map[string]func(string) string{"light": th.Color, "dark": th.Dark} {
				if got := contrast(of(p.Fore), of(p.Back)); got < p.Min {
					t.Errorf("%s %s: %s %s on %s %s has %.2f, needs %.1f", brand, mode, p.Fore, of(p.Fore), p.Back, of(p.Back), got, p.Min)
				}
			}
		}
	}
}

// TestFocusIsNoError: the ring around a field in focus keeps the brand's hue, unless that is the red of what is refused.
func TestFocusIsNoError(t *testing.T) {
	t.Parallel()
	for brand, own := range map[string]bool{"#b3202c": false, "#d7000f": false, "#00695c": true, "#2f5d8a": true, "#e08a00": true, "#8a6f6f": true} {
		c, err := parseHex(Must(brand, Square, Bar).Color("focus"))
		if err != nil {
			t.Fatal(err)
		}
		b, _ := parseHex(brand)
		if c, b := c.lch(), b.lch(); own != (c.C > b.C/2) {
			t.Errorf("%s: the focus is %+v of a brand %+v", brand, c, b)
		}
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for _, h := range []string{"#000000", "#ffffff", "#d7000f", "#00796b", "#123456", "#fedcba"} {
		c, err := parseHex(h)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.lch().rgb().hex(); got != h {
			t.Errorf("%s comes back as %s", h, got)
		}
	}
	// Known value: sRGB red in OKLCH (CSS Color 4).
	red, _ := parseHex("#ff0000")
	if got := red.lch(); math.Abs(got.L-0.6280) > 1e-3 || math.Abs(got.C-0.2577) > 1e-3 || math.Abs(got.H-29.23) > 0.05 {
		t.Errorf("red = %+v", got)
	}
	if got := contrast("#000000", "#ffffff"); math.Abs(got-21) > 1e-9 {
		t.Errorf("black on white = %v", got)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		brand  string
		corner Corner
		shape  Shape
	}{
		{"red", Square, Bar}, {"#12345", Square, Bar}, {"#12345g", Square, Bar}, {"", Square, Bar},
		{"#123456", "round", Bar}, {"#123456", Soft, "banner"},
	}
	for _, tt := range tests {
		if _, err := New(tt.brand, tt.corner, tt.shape); err == nil {
			t.Errorf("New(%q, %q, %q) was accepted", tt.brand, tt.corner, tt.shape)
		}
	}
}

func TestHashFollowsContent(t *testing.T) {
	t.Parallel()
	a, b, c := Must("#d7000f", Square, Bar), Must("#d7000f", Square, Bar), Must("#d7000f", Soft, Bar)
	if a.Hash() != b.Hash() || a.Hash() == c.Hash() {
		t.Errorf("hashes %s %s %s", a.Hash(), b.Hash(), c.Hash())
	}
	if !bytes.Contains(Console().CSS(), []byte("--radius:6px")) {
		t.Error("the console's radius is not 6")
	}
}
