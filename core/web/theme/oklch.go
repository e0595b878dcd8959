package theme

import (
	"fmt"
	"math"
	"strconv"
)

// lch is a colour in OKLCH (Björn Ottosson, 2020): lightness 0–1, chroma
// 0–≈0.37, hue in degrees.
type lch struct{ L, C, H float64 }

// rgb is a colour in linear-light sRGB, each channel 0–1.
type rgb struct{ R, G, B float64 }

// parseHex reads "#rrggbb".
func parseHex(s string) (rgb, error) {
	if len(s) != 7 || s[0] != '#' {
		return rgb{}, fmt.Errorf("theme: colour %q is not of the form #rrggbb", s)
	}
	n, err := strconv.ParseUint(s[1:], 16, 32)
	if err != nil {
		return rgb{}, fmt.Errorf("theme: colour %q is not of the form #rrggbb", s)
	}
	return rgb{linear(float64(n>>16&255) / 255), linear(float64(n>>8&255) / 255), linear(float64(n&255) / 255)}, nil
}

func linear(c float64) float64 {
	if c <= 0.04045 {
		return c / 12.92
	}
	return math.Pow((c+0.055)/1.055, 2.4)
}

func gamma(c float64) float64 {
	if c <= 0.0031308 {
		return c * 12.92
	}
	return 1.055*math.Pow(c, 1/2.4) - 0.055
}

func (c rgb) hex() string {
	q := func(v float64) int { return int(math.Round(gamma(math.Min(1, math.Max(0, v))) * 255)) }
	return fmt.Sprintf("#%02x%02x%02x", q(c.R), q(c.G), q(c.B))
}

// luminance is the relative luminance of WCAG 2.2.
func (c rgb) luminance() float64 { return 0.2126*c.R + 0.7152*c.G + 0.0722*c.B }

func (c rgb) inGamut() bool {
	const e = 1e-4
	ok := func(v float64) bool { return v >= -e && v <= 1+e }
	return ok(c.R) && ok(c.G) && ok(c.B)
}

func (c rgb) lch() lch {
	l := math.Cbrt(0.4122214708*c.R + 0.5363325363*c.G + 0.0514459929*c.B)
	m := math.Cbrt(0.2119034982*c.R + 0.6806995451*c.G + 0.1073969566*c.B)
	s := math.Cbrt(0.0883024619*c.R + 0.2817188376*c.G + 0.6299787005*c.B)
	a := 1.9779984951*l - 2.4285922050*m + 0.4505937099*s
	b := 0.0259040371*l + 0.7827717662*m - 0.8086757660*s
	h := math.Atan2(b, a) * 180 / math.Pi
	if h < 0 {
		h += 360
	}
	return lch{L: 0.2104542553*l + 0.7936177850*m - 0.0040720468*s, C: math.Hypot(a, b), H: h}
}

func (c lch) raw() rgb {
	a, b := c.C*math.Cos(c.H*math.Pi/180), c.C*math.Sin(c.H*math.Pi/180)
	l := math.Pow(c.L+0.3963377774*a+0.2158037573*b, 3)
	m := math.Pow(c.L-0.1055613458*a-0.0638541728*b, 3)
	s := math.Pow(c.L-0.0894841775*a-1.2914855480*b, 3)
	return rgb{
		R: +4.0767416621*l - 3.3077115913*m + 0.2309699292*s,
		G: -1.2684380046*l + 2.6097574011*m - 0.3413193965*s,
		B: -0.0041960863*l - 0.7034186147*m + 1.7076147010*s,
	}
}

// rgb is the colour in sRGB; a colour outside it gives up chroma, never hue or
// lightness.
func (c lch) rgb() rgb {
	if out := c.raw(); out.inGamut() {
		return out
	}
	lo, hi := 0.0, c.C
	for range 24 {
		mid := (lo + hi) / 2
		if (lch{c.L, mid, c.H}).raw().inGamut() {
			lo = mid
		} else {
			hi = mid
		}
	}
	return lch{c.L, lo, c.H}.raw()
}

// contrast is the contrast ratio of WCAG 2.2 (1–21) of two colours as they are
// written out, i.e. after rounding to eight bits.
func contrast(a, b string) float64 {
	x, errX := parseHex(a)
	y, errY := parseHex(b)
	if errX != nil || errY != nil {
		return 0
	}
	hi, lo := math.Max(x.luminance(), y.luminance()), math.Min(x.luminance(), y.luminance())
	return (hi + 0.05) / (lo + 0.05)
}

// atLeast darkens (towards black) or lightens c until it has ratio against
// every background, keeping as near to c as it can.
func (c lch) atLeast(ratio float64, darker bool, backgrounds ...string) string {
	fits := func(l float64) bool {
		h := lch{l, c.C, c.H}.rgb().hex()
		for _, bg := range backgrounds {
			if contrast(h, bg) < ratio {
				return false
			}
		}
		return true
	}
	if fits(c.L) {
		return c.rgb().hex()
	}
	near, far := c.L, 0.0
	if !darker {
		far = 1
	}
	for range 24 {
		if mid := (near + far) / 2; fits(mid) {
			far = mid
		} else {
			near = mid
		}
	}
	return lch{far, c.C, c.H}.rgb().hex()
}
