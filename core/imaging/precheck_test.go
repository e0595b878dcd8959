package imaging

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	stddraw "image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// page is a rendered letter without a seal.
func page(t testing.TB) *image.RGBA {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(testdata(t, "letter.png")))
	if err != nil {
		t.Fatal(err)
	}
	out := image.NewRGBA(img.Bounds())
	stddraw.Draw(out, out.Bounds(), img, image.Point{}, stddraw.Src)
	return out
}

// sealed stamps a ring and a disc of ink, about as much red as a company's seal has.
func sealed(img *image.RGBA) *image.RGBA {
	b := img.Bounds()
	r := 42 / 210.0 * float64(b.Dx()) / 2
	cx, cy := .4*float64(b.Dx()), .57*float64(b.Dy())
	for y := int(cy - r); y <= int(cy+r); y++ {
		for x := int(cx - r); x <= int(cx+r); x++ {
			d := math.Hypot(float64(x)-cx, float64(y)-cy) / r
			if (d > .94 && d < 1) || d < .2 {
				v := int(img.Pix[img.PixOffset(x, y)])
				img.SetRGBA(x, y, color.RGBA{uint8(v * 225 / 255), uint8(v * 60 / 255), uint8(v * 60 / 255), 255})
			}
		}
	}
	return img
}

// blurred is a box blur of radius r, applied twice each way, about a lens out of focus.
func blurred(src *image.RGBA, r int) *image.RGBA {
	w, h := src.Bounds().Dx(), src.Bounds().Dy()
	for range 2 {
		out := image.NewRGBA(src.Bounds())
		for y := range h {
			slide(out.Pix[y*out.Stride:], src.Pix[y*src.Stride:], w, 4, r)
		}
		src = image.NewRGBA(src.Bounds())
		for x := range w {
			slide(src.Pix[4*x:], out.Pix[4*x:], h, out.Stride, r)
		}
	}
	return src
}

// slide averages n pixels, step bytes apart, with a window of 2r+1.
func slide(dst, src []byte, n, step, r int) {
	at := func(i, c int) int { return int(src[min(max(i, 0), n-1)*step+c]) }
	for c := range 4 {
		sum := 0
		for k := -r; k <= r; k++ {
			sum += at(k, c)
		}
		for i := range n {
			dst[i*step+c] = byte(sum / (2*r + 1))
			sum += at(i+r+1, c) - at(i-r, c)
		}
	}
}

// paper adds a sensor's noise and a lamp's uneven warm light.
func paper(img *image.RGBA) *image.RGBA {
	rnd := rand.New(rand.NewPCG(3, 3))
	w := img.Bounds().Dx()
	for i := 0; i < len(img.Pix); i += 4 {
		light := 1 - .4*float64(i/4%w)/float64(w)
		n := rnd.NormFloat64() * 5
		for c, tint := range []float64{1, .98, .92} {
			img.Pix[i+c] = uint8(min(max(float64(img.Pix[i+c])*light*tint+n, 0), 255))
		}
	}
	return img
}

func upload(t testing.TB, img image.Image, quality int) Image {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	out, err := Harden(b.Bytes(), Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func find(t testing.TB, img Image, want Want) map[string]Finding {
	t.Helper()
	found, err := Precheck(context.Background(), img, want)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]Finding{}
	for _, f := range found {
		out[f.Code] = f
	}
	return out
}

// The thresholds divide what they are meant to divide, with room on both sides.
//
// req: B44 K21 K23
func TestThresholds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name             string
		img              Image
		blur, grey, seal bool // objections expected
	}{
		{"scan sealed", upload(t, sealed(page(t)), 85), false, false, false},
		{"strongly compressed", upload(t, sealed(page(t)), 30), false, false, false},
		{"photograph", upload(t, paper(sealed(page(t))), 75), false, false, false},
		{"slightly soft", upload(t, blurred(sealed(page(t)), 1), 80), false, false, false},
		{"out of focus", upload(t, blurred(sealed(page(t)), 4), 80), true, false, false},
		{"out of focus photograph", upload(t, paper(blurred(sealed(page(t)), 4)), 80), true, false, false},
		{"not sealed", upload(t, page(t), 85), false, true, true},
		{"photograph not sealed", upload(t, paper(page(t)), 75), false, false, true},
		{"copied in grey", upload(t, grey(sealed(page(t))), 85), false, true, true},
		{"blank", upload(t, image.NewGray(image.Rect(0, 0, 800, 1000)), 85), true, true, true},
	} {
		sharp := Sharpness(c.img.pixels)
		coloured, red := colours(c.img.pixels)
		t.Logf("%-24s sharp %7.1f coloured %.5f red %.5f", c.name, sharp, coloured, red)
		found := find(t, c.img, Want{Sharp: true, Colour: true, Seal: true})
		for code, want := range map[string]bool{FindBlurred: c.blur, FindNotColour: c.grey, FindNoRedSeal: c.seal} {
			if _, got := found[code]; got != want {
				t.Errorf("%s: %s found: %v, want %v (%+v)", c.name, code, got, want, found)
			}
		}
	}
}

func grey(img *image.RGBA) image.Image {
	out := image.NewGray(img.Bounds())
	stddraw.Draw(out, out.Bounds(), img, image.Point{}, stddraw.Src)
	return out
}

func TestPrecheckAsksOnlyWhatIsWanted(t *testing.T) {
	t.Parallel()
	img := upload(t, page(t), 85)
	if found := find(t, img, Want{MinWidth: 1000, MinHeight: 1000}); len(found) != 0 {
		t.Errorf("%v", found)
	}
	if f := find(t, img, Want{MinWidth: 1300})[FindTooSmall]; f.Severity != Block || f.Measure != 1241 {
		t.Errorf("%+v", f)
	}
	opened, err := Open(img.JPEG)
	if err != nil || opened.PHash != img.PHash || opened.SHA256 != img.SHA256 || opened.Width != img.Width {
		t.Errorf("a stored picture opens as another: %v", err)
	}
	stored := Image{JPEG: img.JPEG, Width: img.Width, Height: img.Height} // as read back from a row
	if f := find(t, stored, Want{Seal: true})[FindNoRedSeal]; f.Severity != Advisory {
		t.Errorf("%+v", f)
	}
	if _, err := Precheck(context.Background(), Image{JPEG: []byte("x")}, Want{}); codeOf(t, err) != NotJPEGOrPNG {
		t.Errorf("%v", err)
	}
}

func TestPrecheckReadsTheCode(t *testing.T) {
	t.Parallel()
	img := upload(t, page(t), 85)
	var seen image.Image
	if found := find(t, img, Want{ReadCode: func(_ context.Context, i image.Image) (string, error) { seen = i; return "text", nil }}); len(found) != 0 || seen == nil {
		t.Errorf("%v", found)
	}
	if f := find(t, img, Want{ReadCode: func(context.Context, image.Image) (string, error) { return "", errors.New("none") }})[FindQRMissing]; f.Severity != Advisory {
		t.Errorf("%+v", f)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	slow := Want{ReadCode: func(ctx context.Context, _ image.Image) (string, error) { <-ctx.Done(); return "", ctx.Err() }}
	if _, err := Precheck(ctx, img, slow); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// One photograph uploaded again, smaller or recompressed, is found; another picture is not.
func TestPerceptualHash(t *testing.T) {
	t.Parallel()
	base := upload(t, paper(sealed(page(t))), 85)
	for name, again := range map[string]Image{
		"recompressed": upload(t, paper(sealed(page(t))), 40),
		"smaller":      upload(t, fit(paper(sealed(page(t))), 900), 80),
	} {
		if d := Distance(base.PHash, again.PHash); d > 6 {
			t.Errorf("%s: distance %d", name, d)
		}
	}
	if d := Distance(base.PHash, upload(t, quadrants(600, 400), 85).PHash); d < 12 {
		t.Errorf("another picture: distance %d", d)
	}
}
