package imaging

import (
	"context"
	"image"
)

// Want is what a form field asks of its picture.
type Want struct {
	MinWidth, MinHeight int  // 0: any
	Sharp               bool // text must be legible
	Colour              bool // 彩色图片 (req K21)
	Seal                bool // a red company seal (req B44, K23)
	// ReadCode reads a letter's code from the picture, e.g. qr.Decode; nil: no code is wanted. The caller keeps the text
	// it returns, to compare it with the order.
	ReadCode func(context.Context, image.Image) (string, error)
}

// Severity says whether a finding stops the upload or is shown to applicant and reviewer, who decide.
type Severity string

// The severities of a Finding.
const (
	Advisory Severity = "advisory"
	Block    Severity = "block"
)

// Finding is one objection to a picture. Measure is what was measured, in the code's unit.
type Finding struct {
	Code     string
	Severity Severity
	Measure  float64
}

// The codes of findings.
const (
	FindTooSmall  = "TOO_SMALL"   // block; Measure: the shorter side, pixels
	FindBlurred   = "BLURRED"     // advisory; Measure: Sharpness
	FindNotColour = "NOT_COLOUR"  // block; Measure: share of coloured pixels
	FindNoRedSeal = "NO_RED_SEAL" // advisory; Measure: share of seal-red pixels
	FindQRMissing = "QR_MISSING"  // advisory; Measure: 0
)

// Thresholds, measured on rendered letters photographed in the ways of the tests (see TestThresholds).
const (
	minSharpness   = 600    // legible pages ≥ 1800, pages out of focus ≤ 190 (with a sensor's noise; 45 without)
	minColourShare = 0.0002 // grey scans 0, a scanned page with a seal ≥ 0.003, a photograph nearly 1
	minSealShare   = 0.001  // sealed 0.0028–0.0059, blank 0.0000
)

// Precheck lists what a reviewer would object to, nil when nothing. It judges appearance only: a red stain passes for a
// seal, so a person looks all the same. The error is ctx's, when reading the code ran out of time.
func Precheck(ctx context.Context, img Image, want Want) ([]Finding, error) {
	var found []Finding
	object := func(code string, s Severity, measure float64) {
		found = append(found, Finding{code, s, measure})
	}
	if img.Width < want.MinWidth || img.Height < want.MinHeight {
		object(FindTooSmall, Block, float64(min(img.Width, img.Height)))
	}
	if img.pixels == nil {
		opened, err := Open(img.JPEG)
		if err != nil {
			return found, err
		}
		img.pixels = opened.pixels
	}
	if want.Sharp {
		if s := Sharpness(img.pixels); s < minSharpness {
			object(FindBlurred, Advisory, s)
		}
	}
	if want.Colour || want.Seal {
		coloured, red := colours(img.pixels)
		if want.Colour && coloured < minColourShare {
			object(FindNotColour, Block, coloured)
		}
		if want.Seal && red < minSealShare {
			object(FindNoRedSeal, Advisory, red)
		}
	}
	if want.ReadCode != nil {
		if _, err := want.ReadCode(ctx, img.pixels); err != nil {
			if ctx.Err() != nil {
				return found, ctx.Err()
			}
			object(FindQRMissing, Advisory, 0)
		}
	}
	return found, nil
}

// colours measures two shares of all pixels: those with any tint, which a picture taken in colour has all over and one in
// grey nowhere, and those of a seal's red (hue −25°…20°, saturation above .35, value above .3).
func colours(img *image.RGBA) (coloured, red float64) {
	var nColoured, nRed int
	for i := 0; i+3 < len(img.Pix); i += 4 {
		r, g, b := int(img.Pix[i]), int(img.Pix[i+1]), int(img.Pix[i+2])
		high, low := max(r, g, b), min(r, g, b)
		delta := high - low
		if delta < 14 { // grey, give or take a JPEG's rounding
			continue
		}
		nColoured++
		if r != high || high < 77 || delta*100 <= high*35 {
			continue
		}
		if hue := float64(g-b) / float64(delta) * 60; hue >= -25 && hue <= 20 {
			nRed++
		}
	}
	n := float64(max(1, len(img.Pix)/4))
	return float64(nColoured) / n, float64(nRed) / n
}

// Sharpness is the variance of the Laplacian (Pech-Pacheco 2000) of the brightness, the picture reduced to 1600 pixels a
// side and stretched to full contrast; of the tenth of tiles with the most edges, as most of a page is blank.
func Sharpness(img image.Image) float64 {
	g := brightness(fit(img, 1600))
	const tile = 32
	var scores []float64
	for y := 1; y+tile < g.h; y += tile {
		for x := 1; x+tile < g.w; x += tile {
			scores = append(scores, g.laplacian(x, y, tile))
		}
	}
	return topMean(scores, 10)
}
