package material

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"sync"

	"golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/f64"
	"golang.org/x/image/math/fixed"

	letters "certsaas/core/font"
)

// stampWords say what the picture may be used for. They are part of the picture, hence always Chinese.
const stampWords = "仅供数字证书申请使用"

var stampFont = sync.OnceValues(func() (*opentype.Font, error) {
	ttf, err := letters.TrueType()
	if err != nil {
		return nil, err
	}
	return opentype.Parse(ttf)
})

// watermark writes the purpose and the order's number across a picture, in slanted rows. It gives a JPEG.
func watermark(data []byte, number string) ([]byte, error) {
	src, err := jpeg.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("material: watermark: %w", err)
	}
	out := image.NewRGBA(image.Rect(0, 0, src.Bounds().Dx(), src.Bounds().Dy()))
	draw.Draw(out, out.Bounds(), src, src.Bounds().Min, draw.Src)
	if err := stamp(out, stampWords+"  "+number); err != nil {
		return nil, fmt.Errorf("material: watermark: %w", err)
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, out, &jpeg.Options{Quality: 88}); err != nil {
		return nil, fmt.Errorf("material: watermark: %w", err)
	}
	return b.Bytes(), nil
}

// stamp draws text once and lays it over the picture in rows slanted by 24°, half transparent.
func stamp(dst *image.RGBA, text string) error {
	f, err := stampFont()
	if err != nil {
		return err
	}
	long := max(dst.Rect.Dx(), dst.Rect.Dy())
	size := max(float64(long)/42, 12)
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: size, DPI: 72, Hinting: font.HintingNone})
	if err != nil {
		return err
	}
	defer face.Close()
	width := font.MeasureString(face, text).Ceil()
	label := image.NewRGBA(image.Rect(0, 0, width, int(size*1.5)))
	ink := image.NewUniform(color.NRGBA{R: 30, G: 60, B: 150, A: 80}) // blue: seals are red
	d := font.Drawer{Dst: label, Src: ink, Face: face, Dot: fixed.P(0, int(size*1.15))}
	d.DrawString(text)

	sin, cos := math.Sincos(-24 * math.Pi / 180)
	stepX, stepY := width+int(3*size), int(6.5*size)
	for y := -long / 2; y < dst.Rect.Dy()+long/2; y += stepY {
		for x := -width; x < dst.Rect.Dx(); x += stepX {
			shift := (y / stepY % 2) * stepX / 2
			m := f64.Aff3{cos, -sin, float64(x + shift), sin, cos, float64(y)}
			draw.ApproxBiLinear.Transform(dst, m, label, label.Bounds(), draw.Over, nil)
		}
	}
	return nil
}
