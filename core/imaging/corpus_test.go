package imaging

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	stddraw "image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"testing"
)

// markers are what attacks hide in pictures; none may be in what is stored.
var markers = []string{"<?php", "<script", "PK\x03\x04", "%PDF-", "Exif", "GPS-MARKER", "Artist-MARKER", "GIF89a", "JFXX-MARKER"}

// quadrants is a picture whose corners tell its orientation: red, green / blue, white.
func quadrants(w, h int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for i, c := range []color.RGBA{{220, 20, 20, 255}, {20, 200, 20, 255}, {20, 20, 220, 255}, {255, 255, 255, 255}} {
		x, y := i%2*w/2, i/2*h/2
		stddraw.Draw(img, image.Rect(x, y, x+w/2, y+h/2), image.NewUniform(c), image.Point{}, stddraw.Src)
	}
	return img
}

func asJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asGIF(t testing.TB, frames int) []byte {
	t.Helper()
	g := &gif.GIF{}
	for range frames {
		g.Image = append(g.Image, image.NewPaletted(image.Rect(0, 0, 8, 8), color.Palette{color.Black, color.White}))
		g.Delay = append(g.Delay, 1)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, g); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// segment puts a segment right after a JPEG's start.
func segment(raw []byte, marker byte, body []byte) []byte {
	out := append([]byte{}, raw[:2]...)
	out = append(out, 0xFF, marker)
	out = binary.BigEndian.AppendUint16(out, uint16(len(body)+2))
	out = append(out, body...)
	return append(out, raw[2:]...)
}

// exif is an EXIF segment with orientation, an artist and a position (their text is what the test looks for).
func exif(order binary.AppendByteOrder, orientation uint16) []byte {
	b := []byte("Exif\x00\x00")
	if order.AppendUint16(nil, 1)[0] == 1 {
		b = append(b, "II*\x00"...)
	} else {
		b = append(b, "MM\x00*"...)
	}
	b = order.AppendUint32(b, 8)
	b = order.AppendUint16(b, 3)
	entry := func(tag, kind uint16, count, value uint32) {
		b = order.AppendUint16(b, tag)
		b = order.AppendUint16(b, kind)
		b = order.AppendUint32(b, count)
		if kind == 3 {
			b = order.AppendUint16(b, uint16(value))
			b = order.AppendUint16(b, 0)
		} else {
			b = order.AppendUint32(b, value)
		}
	}
	entry(0x0112, 3, 1, uint32(orientation))
	entry(0x013B, 2, 13, 50)
	entry(0x8825, 4, 1, 63)
	b = order.AppendUint32(b, 0)
	return append(b, "Artist-MARKER<?php GPS-MARKER 24.48N 118.08E"...)
}

func chunk(kind string, body []byte) []byte {
	out := binary.BigEndian.AppendUint32(nil, uint32(len(body)))
	out = append(append(out, kind...), body...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(out[4:]))
}

// withChunk puts a chunk after a PNG's header chunk.
func withChunk(raw []byte, kind string, body []byte) []byte {
	const after = 8 + 25
	return bytes.Join([][]byte{raw[:after], chunk(kind, body), raw[after:]}, nil)
}

// bomb is a small PNG that says it is side×side pixels.
func bomb(t testing.TB, w, h uint32) []byte {
	t.Helper()
	raw := asPNG(t, image.NewGray(image.Rect(0, 0, 4, 4)))
	body := append([]byte{}, raw[16:29]...)
	binary.BigEndian.PutUint32(body, w)
	binary.BigEndian.PutUint32(body[4:], h)
	return bytes.Join([][]byte{raw[:8], chunk("IHDR", body), raw[33:]}, nil)
}

// padded is a valid JPEG of exactly n bytes, filled up with comments.
func padded(t testing.TB, n int) []byte {
	t.Helper()
	raw := asJPEG(t, quadrants(64, 48))
	for len(raw) < n {
		body := min(n-len(raw)-4, 60000)
		if rest := n - len(raw) - 4 - body; rest > 0 && rest < 4 { // leave room for another whole segment
			body -= 4
		}
		raw = segment(raw, 0xFE, bytes.Repeat([]byte{'.'}, body))
	}
	if len(raw) != n {
		t.Fatalf("%d bytes, want %d", len(raw), n)
	}
	return raw
}

func testdata(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
