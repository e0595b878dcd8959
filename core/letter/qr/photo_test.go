package qr_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/image/draw"
	"golang.org/x/image/math/f64"

	"certsaas/core/letter/pdf"
)

// print renders a letter with this code to a picture of 150 dots an inch, as a printer and a good scanner would.
func printLetter(t testing.TB, payload string) *image.RGBA {
	t.Helper()
	data, err := pdf.Render(pdf.Document{
		Title: "授权书", Number: "BYD-1", QR: payload,
		Blocks: []pdf.Block{
			pdf.Title{Text: "数字证书更新办理授权书", Sub: "演示"},
			pdf.Paragraph{Indent: true, Text: pdf.Plain("本单位现授权下列代理人，就本单位在比亚迪代理商平台所用 USBKEY 数字证书的更新事宜，代为提交资料、支付费用、接收短信通知并完成证书下载。")},
			pdf.Signature{Parties: []pdf.Party{{Label: "单位（盖公章）：", Seal: true}, {Label: "代理人（签字）："}}, Date: "日期：____年__月__日"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "l.pdf"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	tool, err := exec.LookPath("pdftoppm")
	if err != nil {
		t.Fatal("pdftoppm is needed: apt-get install poppler-utils")
	}
	if out, err := exec.Command(tool, "-r", "150", "-png", "-singlefile", filepath.Join(dir, "l.pdf"), filepath.Join(dir, "l")).CombinedOutput(); err != nil {
		t.Fatalf("pdftoppm: %v %s", err, out)
	}
	f, err := os.Open(filepath.Join(dir, "l.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewRGBA(img.Bounds())
	draw.Draw(out, out.Bounds(), img, image.Point{}, draw.Src)
	return out
}

// seal stamps a red ring with a star like a company's seal, 42 mm wide, its centre at a share of the page.
func seal(img *image.RGBA, fx, fy float64) {
	b := img.Bounds()
	cx, cy, r := fx*float64(b.Dx()), fy*float64(b.Dy()), 42/210.0*float64(b.Dx())/2
	for y := max(0, int(cy-r)); y <= min(b.Dy()-1, int(cy+r)); y++ {
		for x := max(0, int(cx-r)); x <= min(b.Dx()-1, int(cx+r)); x++ {
			dx, dy := float64(x)-cx, float64(y)-cy
			d, a := math.Hypot(dx, dy)/r, math.Atan2(dx, -dy)
			star := d < .3*(.62+.38*math.Cos(5*a))
			text := d > .68 && d < .85 && math.Mod(a+math.Pi, .35) < .22
			if (d > .93 && d <= 1) || star || text {
				p := img.RGBAAt(x, y)
				ink := func(v, c uint8) uint8 { return uint8((int(v)*25 + int(v)*int(c)/255*75) / 100) } // ink over paper multiplies
				img.SetRGBA(x, y, color.RGBA{ink(p.R, 225), ink(p.G, 35), ink(p.B, 40), 255})
			}
		}
	}
}

// shot is how a letter was photographed.
type shot struct {
	name             string
	degrees, scale   float64
	quality          int
	blur             int     // box radius in pixels of the result
	noise            float64 // standard deviation in levels
	dark             float64 // share of light lost everywhere
	gradient         float64 // share of light lost at the right edge
	keystone         float64 // share the upper edge is narrower
	sealed, overCode bool
	mayMiss          bool
}

// take photographs the page on a grey table and stores it as a JPEG.
func (s shot) take(t testing.TB, page *image.RGBA) image.Image {
	t.Helper()
	src := image.NewRGBA(page.Bounds())
	copy(src.Pix, page.Pix)
	if s.overCode {
		seal(src, .82, .1)
	} else if s.sealed {
		seal(src, .35, .6)
	}
	sin, cos := math.Sincos(s.degrees * math.Pi / 180)
	w, h := float64(src.Bounds().Dx())*s.scale, float64(src.Bounds().Dy())*s.scale
	ow, oh := math.Abs(w*cos)+math.Abs(h*sin)+40, math.Abs(w*sin)+math.Abs(h*cos)+40
	out := image.NewRGBA(image.Rect(0, 0, int(ow), int(oh)))
	draw.Draw(out, out.Bounds(), image.NewUniform(color.RGBA{150, 140, 130, 255}), image.Point{}, draw.Src)
	m := f64.Aff3{s.scale * cos, -s.scale * sin, ow/2 - (cos*w-sin*h)/2, s.scale * sin, s.scale * cos, oh/2 - (sin*w+cos*h)/2}
	draw.BiLinear.Transform(out, m, src, src.Bounds(), draw.Over, nil)
	if s.keystone > 0 {
		out = keystone(out, s.keystone)
	}
	for range 2 {
		out = boxBlur(out, s.blur)
	}
	light(out, s)
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, out, &jpeg.Options{Quality: s.quality}); err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(&buf)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func keystone(src *image.RGBA, share float64) *image.RGBA {
	out := image.NewRGBA(src.Bounds())
	w, h := src.Bounds().Dx(), src.Bounds().Dy()
	for y := range h {
		squeeze := 1 - share*(1-float64(y)/float64(h))
		for x := range w {
			sx := int((float64(x)-float64(w)/2)/squeeze + float64(w)/2)
			if sx >= 0 && sx < w {
				out.SetRGBA(x, y, src.RGBAAt(sx, y))
			} else {
				out.SetRGBA(x, y, color.RGBA{150, 140, 130, 255})
			}
		}
	}
	return out
}

func boxBlur(src *image.RGBA, r int) *image.RGBA {
	if r == 0 {
		return src
	}
	pass := func(src *image.RGBA, dx, dy int) *image.RGBA {
		out := image.NewRGBA(src.Bounds())
		w, h := src.Bounds().Dx(), src.Bounds().Dy()
		for y := range h {
			for x := range w {
				var sum [3]int
				for k := -r; k <= r; k++ {
					i := src.PixOffset(min(max(x+k*dx, 0), w-1), min(max(y+k*dy, 0), h-1))
					for c := range sum {
						sum[c] += int(src.Pix[i+c])
					}
				}
				n := 2*r + 1
				out.SetRGBA(x, y, color.RGBA{uint8(sum[0] / n), uint8(sum[1] / n), uint8(sum[2] / n), 255})
			}
		}
		return out
	}
	return pass(pass(src, 1, 0), 0, 1)
}

func light(img *image.RGBA, s shot) {
	rnd := rand.New(rand.NewPCG(7, 7))
	w := img.Bounds().Dx()
	for i := 0; i < len(img.Pix); i += 4 {
		f := (1 - s.dark) * (1 - s.gradient*float64(i/4%w)/float64(w))
		n := 0.0
		if s.noise > 0 {
			n = rnd.NormFloat64() * s.noise
		}
		for c := range 3 {
			img.Pix[i+c] = uint8(min(max(float64(img.Pix[i+c])*f+n, 0), 255))
		}
	}
}
