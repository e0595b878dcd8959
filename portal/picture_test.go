package portal_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
	"testing"

	"rsc.io/qr"
)

// photo is a sharp colour picture of a given size, its lines as on a printed page; a red ring stands for a seal.
func photo(t *testing.T, width, height int, payload string, seal bool) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	rnd := rand.New(rand.NewPCG(uint64(width), uint64(height)))
	for i := range img.Pix {
		img.Pix[i] = 250
	}
	for y := 40; y < height-20; y += 24 {
		for x := 40; x < width-40; x += 6 + rnd.IntN(14) {
			for dy := range 12 {
				for dx := range 2 + rnd.IntN(3) {
					img.Set(x+dx, y+dy, color.RGBA{30, 40, uint8(70 + rnd.IntN(60)), 255})
				}
			}
		}
	}
	if seal {
		cx, cy, r := width/3, height*3/4, min(width, height)/7
		for y := -r; y <= r; y++ {
			for x := -r; x <= r; x++ {
				if d := x*x + y*y; d <= r*r && d >= (r-10)*(r-10) || d < r*r/9 {
					img.Set(cx+x, cy+y, color.RGBA{210, 30, 40, 255})
				}
			}
		}
	}
	if payload != "" {
		paste(t, img, payload)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// paste draws a code at the top right, with its quiet zone.
func paste(t *testing.T, img *image.RGBA, payload string) {
	t.Helper()
	code, err := qr.Encode(payload, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	scale := 6
	side := (code.Size + 8) * scale
	x0, y0 := img.Rect.Dx()-side-20, 20
	for y := range side {
		for x := range side {
			c := color.RGBA{255, 255, 255, 255}
			if code.Black(x/scale-4, y/scale-4) {
				c = color.RGBA{0, 0, 0, 255}
			}
			img.Set(x0+x, y0+y, c)
		}
	}
}
