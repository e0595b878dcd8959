package imaging

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

// codeOf is the code of an error of this package, "" of nil.
func codeOf(t testing.TB, err error) Code {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is not an *Error", err)
	}
	return e.Code
}

// Valid still pictures are accepted and everything but their pixels is gone; all else is refused by its own code.
//
// req: B35 B36 B41
func TestHardenCorpus(t *testing.T) {
	t.Parallel()
	picture := quadrants(64, 48)
	jpg, pngs := asJPEG(t, picture), asPNG(t, picture)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	half := func(raw []byte) []byte { return raw[:len(raw)*2/3] }
	cases := []struct {
		name string
		raw  []byte
		want Code
	}{
		{"jpeg", jpg, ""},
		{"png", pngs, ""},
		{"grey jpeg", asJPEG(t, image.NewGray(image.Rect(0, 0, 20, 30))), ""},
		{"16 bit png", asPNG(t, image.NewNRGBA64(image.Rect(0, 0, 20, 30))), ""},
		{"paletted png", asPNG(t, image.NewPaletted(image.Rect(0, 0, 20, 30), color.Palette{color.White, color.Transparent})), ""},
		{"progressive jpeg", testdata(t, "progressive.jpg"), ""},
		{"cmyk jpeg", testdata(t, "cmyk.jpg"), ""},
		{"jpeg + zip", join(jpg, []byte("PK\x03\x04payload")), ""},
		{"jpeg + html", join(jpg, []byte("<html><script>alert(1)</script>")), ""},
		{"jpeg with php comment", segment(jpg, 0xFE, []byte("<?php system($_GET[0]); ?>")), ""},
		{"jpeg with script in exif and position", segment(jpg, 0xE1, exif(binary.BigEndian, 1)), ""},
		{"jpeg with thumbnail segment", segment(jpg, 0xE0, []byte("JFXX-MARKER")), ""},
		{"png + zip", join(pngs, []byte("PK\x03\x04payload")), ""},
		{"png with php text", withChunk(pngs, "tEXt", []byte("Comment\x00<?php GPS-MARKER")), ""},
		{"png with exif", withChunk(pngs, "eXIf", exif(binary.LittleEndian, 1)[6:]), ""},
		{"2 MB", padded(t, 2<<20), ""},
		{"2 MB and a byte", padded(t, 2<<20+1), TooLarge},
		{"no bytes", nil, Empty},
		{"one byte", []byte{0xFF}, NotJPEGOrPNG},
		{"gif named png", asGIF(t, 1), NotJPEGOrPNG},
		{"gif of 1000 frames", asGIF(t, 1000), NotJPEGOrPNG},
		{"gifar", join(asGIF(t, 1), []byte("PK\x03\x04")), NotJPEGOrPNG},
		{"svg", []byte(`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), NotJPEGOrPNG},
		{"heic", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), NotJPEGOrPNG},
		{"webp", []byte("RIFF\x10\x00\x00\x00WEBPVP8 "), NotJPEGOrPNG},
		{"pdf with script", []byte("%PDF-1.7\n1 0 obj<</S/JavaScript/JS(app.alert(1))>>"), NotJPEGOrPNG},
		{"html", []byte("<!doctype html><script>alert(1)</script>"), NotJPEGOrPNG},
		{"php before a jpeg", join([]byte("<?php ?>"), jpg), NotJPEGOrPNG},
		{"animated png", withChunk(pngs, "acTL", make([]byte, 8)), Animated},
		{"half a jpeg", half(jpg), Truncated},
		{"jpeg without its end", jpg[:len(jpg)-2], Truncated},
		{"jpeg header only", jpg[:30], Truncated},
		{"half a png", half(pngs), Truncated},
		{"png header only", pngs[:20], Truncated},
		{"damaged png", func() []byte { b := bytes.Clone(pngs); b[len(b)-20] ^= 0xFF; return b }(), Damaged},
		{"bomb 50000×50000", bomb(t, 50000, 50000), TooManyPixels},
		{"bomb 30000×1300", bomb(t, 30000, 1300), TooManyPixels},
		{"bomb 2³¹-1", bomb(t, 1<<31-1, 1<<31-1), TooManyPixels},
		{"too much memory", bomb(t, 6000, 6000), TooManyPixels},
		{"jpeg bomb", func() []byte { // 65000×65000 in the frame header
			b := bytes.Clone(jpg)
			at := bytes.Index(b, []byte{0xFF, 0xC0}) + 5
			copy(b[at:], "\xFD\xE8\xFD\xE8")
			return b
		}(), TooManyPixels},
		{"lossless jpeg", func() []byte { b := bytes.Clone(jpg); b[bytes.Index(b, []byte{0xFF, 0xC0})+1] = 0xC3; return b }(), Unsupported},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			img, err := Harden(c.raw, Limits{})
			if got := codeOf(t, err); got != c.want {
				t.Fatalf("code %q (%v), want %q", got, err, c.want)
			}
			if err != nil {
				return
			}
			checkStored(t, img)
		})
	}
}

// checkStored holds for every accepted picture.
func checkStored(t testing.TB, img Image) {
	t.Helper()
	decoded, err := jpeg.Decode(bytes.NewReader(img.JPEG))
	if err != nil {
		t.Fatalf("stored picture: %v", err)
	}
	if b := decoded.Bounds(); b.Dx() != img.Width || b.Dy() != img.Height || max(b.Dx(), b.Dy()) > maxStored {
		t.Errorf("stored %v, said %d×%d", b, img.Width, img.Height)
	}
	if !bytes.HasSuffix(img.JPEG, []byte{0xFF, 0xD9}) {
		t.Error("bytes after the end")
	}
	if img.SHA256 != sha256.Sum256(img.JPEG) {
		t.Error("digest is of something else")
	}
	for _, m := range markers {
		if bytes.Contains(img.JPEG, []byte(m)) {
			t.Errorf("stored bytes contain %q", m)
		}
	}
}

// near tells whether a pixel's colour is about want.
func near(img image.Image, x, y int, want color.RGBA) bool {
	r, g, b, _ := img.At(x, y).RGBA()
	off := func(v uint32, w uint8) bool { d := int(v>>8) - int(w); return d > 40 || d < -40 }
	return !off(r, want.R) && !off(g, want.G) && !off(b, want.B)
}

func TestOrientationIsApplied(t *testing.T) {
	t.Parallel()
	red, green, blue, white := color.RGBA{220, 20, 20, 255}, color.RGBA{20, 200, 20, 255}, color.RGBA{20, 20, 220, 255}, color.RGBA{255, 255, 255, 255}
	upright := [4]color.RGBA{red, green, blue, white} // upper left, upper right, lower left, lower right
	// how a camera stores the upright picture under each orientation, as (x, y) of the upright corner at each stored corner
	stored := map[uint16][4]color.RGBA{
		1: upright, 2: {green, red, white, blue}, 3: {white, blue, green, red}, 4: {blue, white, red, green},
		5: {red, blue, green, white}, 6: {green, white, red, blue}, 7: {white, green, blue, red}, 8: {blue, red, white, green},
	}
	for o, corners := range stored {
		w, h := 64, 48
		if o >= 5 {
			w, h = 48, 64
		}
		img := image.NewRGBA(image.Rect(0, 0, w, h))
		for y := range h {
			for x := range w {
				img.SetRGBA(x, y, corners[y*2/h*2+x*2/w])
			}
		}
		for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
			got, err := Harden(segment(asJPEG(t, img), 0xE1, exif(order, o)), Limits{MinWidth: 64, MinHeight: 48})
			if err != nil {
				t.Errorf("orientation %d: %v", o, err)
				continue
			}
			p := got.Pixels()
			if got.Width != 64 || got.Height != 48 || !near(p, 8, 8, red) || !near(p, 56, 8, green) || !near(p, 8, 40, blue) || !near(p, 56, 40, white) {
				t.Errorf("orientation %d: not upright", o)
			}
		}
	}
	for _, odd := range []uint16{0, 9, 65535} {
		if got, err := Harden(segment(asJPEG(t, quadrants(64, 48)), 0xE1, exif(binary.BigEndian, odd)), Limits{}); err != nil || !near(got.Pixels(), 8, 8, red) {
			t.Errorf("orientation %d: %v", odd, err)
		}
	}
}

func TestTransparencyBecomesWhite(t *testing.T) {
	t.Parallel()
	img := image.NewNRGBA(image.Rect(0, 0, 3000, 40)) // also through the reducer
	for i := 0; i < len(img.Pix); i += 4 {
		img.Pix[i+3] = 0
	}
	got, err := Harden(asPNG(t, img), Limits{})
	if err != nil || !near(got.Pixels(), 100, 10, color.RGBA{255, 255, 255, 255}) {
		t.Errorf("%v", err)
	}
}

func TestLargePicturesAreReduced(t *testing.T) {
	t.Parallel()
	for _, size := range []image.Point{{4000, 3000}, {2601, 10}, {12000, 1}, {2599, 2600}, {3, 5200}} {
		got, err := Harden(asPNG(t, quadrants(size.X, max(size.Y, 2))), Limits{})
		if err != nil {
			t.Errorf("%v: %v", size, err)
			continue
		}
		if max(got.Width, got.Height) > 2600 || max(got.Width, got.Height) < 2599 {
			t.Errorf("%v became %d×%d", size, got.Width, got.Height)
		}
		if size.X == 4000 {
			p := got.Pixels()
			if !near(p, 10, 10, color.RGBA{220, 20, 20, 255}) || !near(p, 2590, 1940, color.RGBA{255, 255, 255, 255}) || !near(p, 1295, 10, color.RGBA{220, 20, 20, 255}) || !near(p, 1305, 10, color.RGBA{20, 200, 20, 255}) {
				t.Error("content moved")
			}
		}
	}
}

func TestMinimumSize(t *testing.T) {
	t.Parallel()
	_, err := Harden(asJPEG(t, quadrants(64, 48)), Limits{MinWidth: 65})
	if codeOf(t, err) != TooSmall {
		t.Errorf("%v", err)
	}
}

// A bomb must be refused before it costs memory (reliability U1: at most 64 MB).
func TestBombsCostNoMemory(t *testing.T) {
	bombs := [][]byte{bomb(t, 50000, 50000), bomb(t, 12000, 3300)}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, raw := range bombs {
		if _, err := Harden(raw, Limits{}); codeOf(t, err) != TooManyPixels {
			t.Errorf("%v", err)
		}
	}
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 8<<20 {
		t.Errorf("refusing bombs took %d bytes", grown)
	}
}

func TestGateLetsFewIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := NewGate(1)
		if err := gate.enter(t.Context()); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := 0
		work := func() error { done++; return nil }
		if err := gate.Do(ctx, work); !errors.Is(err, context.DeadlineExceeded) || done != 0 {
			t.Errorf("a full gate: %v", err)
		}
		gate.leave()
		if err := gate.Do(t.Context(), work); err != nil || done != 1 {
			t.Errorf("a free gate: %v", err)
		}
		if err := gate.Do(ctx, work); !errors.Is(err, context.DeadlineExceeded) || done != 1 {
			t.Errorf("an ended context: %v", err)
		}
	})
}

// FuzzHarden: whatever the bytes, an *Error or a clean picture; never a panic, never more than the limits.
func FuzzHarden(f *testing.F) {
	picture := quadrants(32, 24)
	f.Add(asJPEG(f, picture))
	f.Add(asPNG(f, picture))
	f.Add(segment(asJPEG(f, picture), 0xE1, exif(binary.BigEndian, 6)))
	f.Add(withChunk(asPNG(f, picture), "eXIf", exif(binary.LittleEndian, 6)[6:]))
	f.Add(testdata(f, "progressive.jpg"))
	f.Add(testdata(f, "cmyk.jpg"))
	f.Add([]byte("<svg"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		img, err := Harden(raw, Limits{MaxPixels: 1 << 20})
		if codeOf(t, err) != "" {
			return
		}
		if b, err := jpeg.DecodeConfig(bytes.NewReader(img.JPEG)); err != nil || b.Width != img.Width || b.Height != img.Height {
			t.Errorf("stored picture: %v", err)
		}
	})
}

func BenchmarkHarden12MP(b *testing.B) {
	img, err := png.Decode(bytes.NewReader(testdata(b, "letter.png")))
	if err != nil {
		b.Fatal(err)
	}
	big := image.NewGray(image.Rect(0, 0, 3000, 4000))
	for y := range 4000 {
		for x := range 3000 {
			big.Set(x, y, img.At(x*1240/3000, y*1754/4000))
		}
	}
	var buf bytes.Buffer
	if err := jpeg.Encode(&buf, image.Image(&wide{big}), &jpeg.Options{Quality: 60}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Harden(buf.Bytes(), Limits{MaxBytes: 20 << 20}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(buf.Len()), "upload-bytes")
}

// wide makes a grey picture look like a colour one to the encoder.
type wide struct{ image.Image }

func (wide) ColorModel() color.Model { return color.RGBAModel }

func ExampleError() {
	_, err := Harden([]byte("GIF89a"), Limits{})
	fmt.Println(err)
	// Output: imaging: NOT_JPEG_PNG: looks like gif
}
