package materialtest

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"math"
	"testing"

	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"

	letters "certsaas/core/font"
	"certsaas/core/letter/qr"
)

// Page is a drawn sheet of paper, 1240×1754 pixels (A4 at 150 dots an inch).
type Page struct {
	Text string // printed over and over
	Seal bool   // a red seal at the foot
	QR   string // text of a code in the upper right; "" = none
	Grey bool   // photocopied
}

// JPEG draws a page.
func (p Page) JPEG(t testing.TB) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 1240, 1754))
	draw.Draw(img, img.Bounds(), image.White, image.Point{}, draw.Src)
	p.print(t, img)
	if p.QR != "" {
		code, err := qr.Encode(p.QR)
		if err != nil {
			t.Fatal(err)
		}
		const module, left, top = 5, 850, 80
		code.Runs(func(x, y, n int) {
			draw.Draw(img, image.Rect(left+x*module, top+y*module, left+(x+n)*module, top+(y+1)*module), image.Black, image.Point{}, draw.Src)
		})
	}
	if p.Seal {
		ring(img, 850, 1450, 125, color.RGBA{R: 205, G: 25, B: 30, A: 255})
	}
	var out image.Image = img
	if p.Grey {
		grey := image.NewGray(img.Bounds())
		draw.Draw(grey, grey.Bounds(), img, image.Point{}, draw.Src)
		out = grey
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, out, &jpeg.Options{Quality: 85}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func (p Page) print(t testing.TB, img *image.RGBA) {
	ttf, err := letters.TrueType()
	if err != nil {
		t.Fatal(err)
	}
	f, err := opentype.Parse(ttf)
	if err != nil {
		t.Fatal(err)
	}
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: 28, DPI: 72})
	if err != nil {
		t.Fatal(err)
	}
	text := p.Text
	if text == "" {
		text = "演示单位营业执照统一社会信用代码注册地址经营范围"
	}
	for y := 460; y < 1300; y += 56 {
		d := font.Drawer{Dst: img, Src: image.Black, Face: face, Dot: fixed.P(90, y)}
		d.DrawString(text)
	}
}

func ring(img *image.RGBA, cx, cy, r int, c color.RGBA) {
	for y := cy - r; y <= cy+r; y++ {
		for x := cx - r; x <= cx+r; x++ {
			if d := math.Hypot(float64(x-cx), float64(y-cy)); d < float64(r) && (d > float64(r)-12 || d < 30) {
				img.SetRGBA(x, y, c)
			}
		}
	}
}
