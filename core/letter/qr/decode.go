package qr

import (
	"context"
	"errors"
	"fmt"
	"image"
	"iter"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"
)

// ErrNoCode means that no attempt found a readable code: ask for another photograph, let a clerk type the number.
var ErrNoCode = errors.New("qr: no readable code in the picture")

// maxPixels bounds one decode; larger pictures are refused, uploads are scaled well below it before they come here.
const maxPixels = 40_000_000

// Decode finds a code in a photograph of a printed, sealed letter and returns its text.
//
// It climbs a ladder, cheapest step first: the red channel of the whole picture (a red seal vanishes in it) at two
// sizes, its corners enlarged, the same with sharper brightness mixed in, then a local-mean threshold. A hit usually
// takes a tenth of a second, a miss some seconds of one core; ctx is looked at between tries, so give it a deadline and
// call Decode from a job. Errors: ErrNoCode, or ctx's.
func Decode(ctx context.Context, img image.Image) (string, error) {
	b := img.Bounds()
	if b.Empty() || b.Dx() > maxPixels/b.Dy() {
		return "", fmt.Errorf("qr: picture of %d×%d pixels: %w", b.Dx(), b.Dy(), ErrNoCode)
	}
	for g := range ladder(img) {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		if text, ok := attempt(g, gozxing.NewHybridBinarizer); ok {
			return text, nil
		}
	}
	return "", ErrNoCode
}

// ladder yields the pictures to try, each made when it is asked for. The order is measured on the shots of the tests.
func ladder(img image.Image) iter.Seq[gray] {
	return func(yield func(gray) bool) {
		red := redChannel(img)
		long := max(red.w, red.h)
		if long > 2600 {
			red, long = red.scaled(2600), 2600
		}
		if !yield(red) || !yield(red.scaled(min(1600, 2*long))) {
			return
		}
		corners := func(g gray, times float64, local bool) bool {
			for n := range 4 {
				c := g.corner(n).stretched()
				c = c.scaled(min(4800, int(times*float64(max(c.w, c.h)))))
				if local {
					c = c.localMean()
				}
				if !yield(c) {
					return false
				}
			}
			return true
		}
		if !corners(red, 2, false) || !corners(red, 3, false) {
			return
		}
		light := luminance(img)
		if light.w != red.w || light.h != red.h {
			light = light.scaled(long)
		}
		mixed := mean(red, light)
		if !corners(mixed, 3, false) || !corners(mixed, 2, false) || !corners(red, 2, true) {
			return
		}
		for _, size := range []int{1100, 800, 2400} {
			if size < long*2 && !yield(red.stretched().scaled(size)) {
				return
			}
		}
		if yield(red.localMean()) {
			corners(red, 4, false)
		}
	}
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
