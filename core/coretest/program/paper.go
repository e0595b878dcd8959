package program

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"certsaas/core/material/materialtest"
)

// Picture draws a document with text on it, as a photograph: A4, sharp, in colour where it has a seal.
func Picture(t testing.TB, text string) []byte {
	t.Helper()
	return materialtest.Page{Text: text, Seal: true}.JPEG(t)
}

// Receipt draws a bank's slip: boxes where its text sends them, so that two slips never look alike, not even from afar.
func Receipt(t testing.TB, text string) []byte {
	t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(Picture(t, text)))
	if err != nil {
		t.Fatal(err)
	}
	page := image.NewRGBA(img.Bounds())
	draw.Draw(page, page.Bounds(), img, img.Bounds().Min, draw.Src)
	sum := sha256.Sum256([]byte(text))
	w, h := page.Bounds().Dx()/8, page.Bounds().Dy()/8
	for i := range 64 {
		if sum[i/8]>>(i%8)&1 == 1 {
			draw.Draw(page, image.Rect(i%8*w, i/8*h, i%8*w+w, i/8*h+h), image.NewUniform(color.RGBA{R: 40, G: 70, B: 120, A: 255}), image.Point{}, draw.Src)
		}
	}
	return photograph(t, page)
}

// Stamp prints the first page of a letter's PDF, puts a red company seal over its foot and photographs it. Needs pdftoppm.
func Stamp(t testing.TB, letter []byte) []byte {
	t.Helper()
	page := printed(t, letter)
	b := page.Bounds()
	seal(page, b.Min.X+b.Dx()*2/3, b.Min.Y+b.Dy()*3/4, b.Dx()/10)
	return photograph(t, page)
}

// Printed is a letter that nobody stamped, photographed in grey.
func Printed(t testing.TB, letter []byte) []byte {
	t.Helper()
	page := printed(t, letter)
	grey := image.NewGray(page.Bounds())
	draw.Draw(grey, grey.Bounds(), page, page.Bounds().Min, draw.Src)
	return photograph(t, grey)
}

func printed(t testing.TB, letter []byte) *image.RGBA {
	t.Helper()
	dir := t.TempDir()
	in := filepath.Join(dir, "letter.pdf")
	if err := os.WriteFile(in, letter, 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "page")
	if said, err := exec.Command("pdftoppm", "-r", "130", "-png", "-singlefile", in, out).CombinedOutput(); err != nil {
		t.Fatalf("pdftoppm (Debian: poppler-utils): %v %s", err, said)
	}
	raw, err := os.ReadFile(out + ".png")
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	page := image.NewRGBA(img.Bounds())
	draw.Draw(page, page.Bounds(), img, img.Bounds().Min, draw.Src)
	return page
}

func photograph(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// seal draws a ring with a star's worth of red in it, half transparent, as ink is.
func seal(img *image.RGBA, cx, cy, r int) {
	ink := color.RGBA{R: 205, G: 25, B: 30, A: 255}
	for y := cy - r; y <= cy+r; y++ {
		for x := cx - r; x <= cx+r; x++ {
			d := math.Hypot(float64(x-cx), float64(y-cy))
			if d >= float64(r) || (d < float64(r)*0.9 && d > float64(r)*0.28) {
				continue
			}
			under := img.RGBAAt(x, y)
			img.SetRGBA(x, y, color.RGBA{R: ink.R/2 + under.R/2, G: ink.G/2 + under.G/4, B: ink.B/2 + under.B/4, A: 255})
		}
	}
}

// InvoicePDF is an e-invoice as a tax authority's system would give it: a PDF of one page with a line of ASCII.
func InvoicePDF(line string) []byte {
	content := fmt.Sprintf("BT /F1 18 Tf 60 780 Td (%s) Tj ET", line)
	objects := []string{
		"<< /Type /Catalog /Pages 2 0 R >>",
		"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
		"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
		fmt.Sprintf("<< /Length %d >>\nstream\n%s\nendstream", len(content), content),
		"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
	}
	var b bytes.Buffer
	b.WriteString("%PDF-1.4\n")
	at := make([]int, len(objects))
	for i, o := range objects {
		at[i] = b.Len()
		fmt.Fprintf(&b, "%d 0 obj\n%s\nendobj\n", i+1, o)
	}
	xref := b.Len()
	fmt.Fprintf(&b, "xref\n0 %d\n0000000000 65535 f \n", len(objects)+1)
	for _, a := range at {
		fmt.Fprintf(&b, "%010d 00000 n \n", a)
	}
	fmt.Fprintf(&b, "trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n", len(objects)+1, xref)
	return b.Bytes()
}
