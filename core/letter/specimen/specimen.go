// Package specimen draws sheets of paper as if they had been printed, sealed and photographed: for a demonstration, where
// nobody has a printer and a seal at hand, and for tests.
//
// In: lines of text, the text of a code, whether there is a seal. Out: a JPEG of 1240×1754 pixels (A4 at 150 dots an inch).
package specimen

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"
	"sync"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	letters "certsaas/core/font"
	"certsaas/core/letter/qr"
)

// Where things stand on the sheet, in pixels.
const (
	width, height = 1240, 1754
	margin        = 90
	lineHeight    = 42
	size          = 26 // of the letters
	perLine       = 40 // Chinese characters
	module        = 5  // of the code
	codeX, codeY  = 850, 80
	sealX, sealY  = 850, 1450
	sealRadius    = 125
)

var red = color.RGBA{R: 205, G: 25, B: 30, A: 255}

// Page is a sheet. A line that is too long is broken; what has no place any more is left out.
type Page struct {
	Lines []string
	Seal  bool   // a red seal at the foot
	QR    string // text of a code in the upper right; "" = none
	Grey  bool   // photocopied
}

// JPEG draws a page.
func (p Page) JPEG() ([]byte, error) {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	if err := p.print(img); err != nil {
		return nil, err
	}
	if p.QR != "" {
		code, err := qr.Encode(p.QR)
		if err != nil {
			return nil, fmt.Errorf("specimen: %w", err)
		}
		code.Runs(func(x, y, n int) {
			draw.Draw(img, image.Rect(codeX+x*module, codeY+y*module, codeX+(x+n)*module, codeY+(y+1)*module), image.Black, image.Point{}, draw.Src)
		})
	}
	if p.Seal {
		stamp(img)
	}
	var out image.Image = img
	if p.Grey {
		grey := image.NewGray(img.Bounds())
		draw.Draw(grey, grey.Bounds(), img, image.Point{}, draw.Src)
		out = grey
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, out, &jpeg.Options{Quality: 85}); err != nil {
		return nil, fmt.Errorf("specimen: %w", err)
	}
	return b.Bytes(), nil
}

// printing is the program's own font at the size of print.
var printing = sync.OnceValues(func() (*opentype.Font, error) {
	ttf, err := letters.TrueType()
	if err != nil {
		return nil, err
	}
	return opentype.Parse(ttf)
})

func (p Page) print(img *image.RGBA) error {
	f, err := printing()
	if err != nil {
		return fmt.Errorf("specimen: %w", err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72})
	if err != nil {
		return fmt.Errorf("specimen: %w", err)
	}
	defer face.Close()
	y := 460 // below the code
	for _, line := range p.Lines {
		for text := []rune(line); len(text) > 0 && y < height-margin; y += lineHeight {
			n := min(len(text), perLine)
			d := font.Drawer{Dst: img, Src: image.Black, Face: face, Dot: fixed.P(margin, y)}
			d.DrawString(string(text[:n]))
			text = text[n:]
		}
	}
	return nil
}

// stamp presses a round seal over what is printed.
func stamp(img *image.RGBA) {
	for y := sealY - sealRadius; y <= sealY+sealRadius; y++ {
		for x := sealX - sealRadius; x <= sealX+sealRadius; x++ {
			if d := math.Hypot(float64(x-sealX), float64(y-sealY)); d < sealRadius && (d > sealRadius-12 || d < 30) {
				img.SetRGBA(x, y, red)
			}
		}
	}
}
