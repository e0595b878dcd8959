package qr

import (
	"context"
	"errors"
	"fmt"
	"image"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// ErrNoCode means that no attempt found a readable code: ask for another photograph, let a clerk type the number.
var ErrNoCode = errors.New("qr: no readable code in the picture")

// maxPixels bounds one decode; larger pictures are refused, uploads are scaled well below it before they come here.
const maxPixels = 40_000_000

// Decode finds a code in a photograph of a printed, sealed letter and returns its text.
//
// It climbs a ladder, cheapest step first: red channel → several scales × two binarisers → local-mean threshold. A hit
// usually takes well under a second, a miss some seconds of one core; ctx is looked at between steps, so give it a
// deadline and call Decode from a job. Errors: ErrNoCode, or ctx's.
func Decode(ctx context.Context, img image.Image) (string, error) {
	b := img.Bounds()
	if b.Empty() || b.Dx() > maxPixels/b.Dy() {
		return "", fmt.Errorf("qr: picture of %d×%d pixels: %w", b.Dx(), b.Dy(), ErrNoCode)
	}
	full := redChannel(img)
	long := max(full.w, full.h)
	type step struct {
		long  int
		local bool
	}
	steps := []step{{1600, false}, {long, false}, {1100, false}, {1600, true}, {2400, false}, {800, false}, {1100, true}, {2400, true}}
	seen := map[step]bool{}
	for _, s := range steps {
		if s.long > 2*long { // inventing pixels does not help beyond this
			s.long = 2 * long
		}
		s.long = min(s.long, 2600)
		if seen[s] {
			continue
		}
		seen[s] = true
		g := full
		if s.long != long {
			g = full.scaled(s.long)
		}
		if s.local {
			g = g.localMean()
		}
		for _, binarise := range []func(gozxing.LuminanceSource) gozxing.Binarizer{gozxing.NewHybridBinarizer, gozxing.NewGlobalHistgramBinarizer} {
			if err := ctx.Err(); err != nil {
				return "", err
			}
			if text, ok := attempt(g, binarise); ok {
				return text, nil
			}
		}
	}
	return "", ErrNoCode
}

// attempt is one try of the library, which may panic on odd pictures: that is a miss, too.
func attempt(g gray, binarise func(gozxing.LuminanceSource) gozxing.Binarizer) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	source, err := gozxing.NewPlanarYUVLuminanceSource(g.pix, g.w, g.h, 0, 0, g.w, g.h, false)
	if err != nil {
		return "", false
	}
	bitmap, err := gozxing.NewBinaryBitmap(binarise(source))
	if err != nil {
		return "", false
	}
	result, err := qrcode.NewQRCodeReader().Decode(bitmap, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	if err != nil {
		return "", false
	}
	return result.GetText(), true
}
