package qr_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"testing"
	"time"

	"certsaas/core/imaging"
	"certsaas/core/letter/qr"
)

func payload() (ed25519.PublicKey, string, [32]byte) {
	seed := make([]byte, 32)
	for i := range seed {
		seed[i] = byte(i)
	}
	key := ed25519.NewKeyFromSeed(seed)
	digest := qr.Digest(map[string]string{"org": "演示有限公司", "code": "91350200MA2XN1AB0X"})
	const no = "BYD-20261128-000123"
	return key.Public().(ed25519.PublicKey), qr.Payload("https://byd.certsaas.example", no, digest, qr.Sign(key, no, digest)), digest
}

// The ladder reads photographs as dealers take them, and never reads anything that was not printed.
//
// req: B44 B45 K21 K22
func TestDecodeReadsPhotographsOfSealedLetters(t *testing.T) {
	t.Parallel()
	_, text, _ := payload()
	page := printLetter(t, text)
	shots := []shot{
		{name: "scan", scale: 1, quality: 85},
		{name: "scan sealed", scale: 1, quality: 85, sealed: true},
		{name: "half size", scale: .5, quality: 80, sealed: true},
		{name: "strong compression", scale: .75, quality: 20},
		{name: "seal over the code", scale: 1, quality: 80, overCode: true},
		{name: "seal over the code, tilted", degrees: 7, scale: .9, quality: 70, overCode: true},
		{name: "on its side", degrees: 90, scale: .8, quality: 75, sealed: true},
		{name: "upside down", degrees: 180, scale: .8, quality: 75, overCode: true},
		{name: "other side", degrees: 271, scale: .8, quality: 75, sealed: true},
		{name: "crooked", degrees: 33, scale: .8, quality: 75, overCode: true},
		{name: "dark", scale: .8, quality: 60, dark: .6, overCode: true},
		{name: "shadow", scale: .9, quality: 70, gradient: .75, overCode: true},
		{name: "noise", scale: .9, quality: 60, noise: 18, sealed: true},
		{name: "slightly out of focus", scale: 1, quality: 80, blur: 1, overCode: true},
		{name: "out of focus", scale: 1.4, quality: 80, blur: 2, sealed: true},
		{name: "from below", scale: 1, quality: 75, keystone: .15, sealed: true},
		{name: "telephone", degrees: -4, scale: 1.3, quality: 60, noise: 8, gradient: .5, dark: .2, keystone: .08, blur: 1, overCode: true},
		{name: "large", scale: 1.8, quality: 70, sealed: true},
		{name: "hopeless", scale: .3, quality: 30, blur: 3, mayMiss: true},
	}
	for _, s := range shots {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			img := s.take(t, page)
			limit := 2 * time.Minute // of a busy machine; alone a shot takes well under a second
			if s.mayMiss {
				limit = 5 * time.Second
			}
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			start := time.Now()
			got, err := qr.Decode(ctx, img)
			t.Logf("%v %v in %v", img.Bounds().Max, err, time.Since(start).Round(time.Millisecond))
			switch {
			case err != nil && !s.mayMiss:
				t.Errorf("not read: %v", err)
			case err == nil && got != text:
				t.Errorf("read %q, printed %q", got, text)
			}
		})
	}
}

func TestDecodeKeepsItsDeadline(t *testing.T) {
	t.Parallel()
	noise := image.NewGray(image.Rect(0, 0, 2000, 2600))
	for i := range noise.Pix {
		noise.Pix[i] = byte(i * i >> 3)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	start := time.Now()
	if _, err := qr.Decode(ctx, noise); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want the deadline", err)
	}
	if took := time.Since(start); took > 5*time.Second { // one step at most, on a busy machine
		t.Errorf("took %v", took)
	}
}

func TestDecodeFindsNothingWhereNothingIs(t *testing.T) {
	t.Parallel()
	for _, img := range []image.Image{image.NewRGBA(image.Rectangle{}), image.NewGray(image.Rect(0, 0, 1, 1)), image.NewUniform(color.White), image.NewNRGBA(image.Rect(5, 5, 300, 200))} {
		if text, err := qr.Decode(context.Background(), img); !errors.Is(err, qr.ErrNoCode) {
			t.Errorf("%T: %q %v", img, text, err)
		}
	}
}

// Decode must survive whatever pixels are uploaded: the library under it indexes freely.
func FuzzDecode(f *testing.F) {
	_, text, _ := payload()
	m, err := qr.Encode(text)
	if err != nil {
		f.Fatal(err)
	}
	side := m.Size() + 8
	pix := make([]byte, side*side)
	for y := range side {
		for x := range side {
			if !m.Dark(x-4, y-4) {
				pix[y*side+x] = 255
			}
		}
	}
	f.Add(uint8(side), pix)
	f.Add(uint8(1), []byte{0})
	f.Add(uint8(21), make([]byte, 21*21))
	f.Fuzz(func(t *testing.T, width uint8, pix []byte) {
		if width == 0 || len(pix) > 1<<14 {
			return
		}
		h := len(pix) / int(width)
		img := &image.Gray{Pix: pix, Stride: int(width), Rect: image.Rect(0, 0, int(width), h)}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		got, err := qr.Decode(ctx, img)
		if err != nil && (got != "" || (!errors.Is(err, qr.ErrNoCode) && !errors.Is(err, context.DeadlineExceeded))) {
			t.Fatalf("%q, %v", got, err)
		}
	})
}

// The whole way of an upload: photographed, made safe (reduced, compressed again), read, compared.
//
// req: B44 B45 K22
func TestCodeSurvivesHardening(t *testing.T) {
	t.Parallel()
	pub, text, digest := payload()
	photo := shot{degrees: 3, scale: 2.2, quality: 70, gradient: .4, overCode: true}.take(t, printLetter(t, text))
	var raw bytes.Buffer
	if err := jpeg.Encode(&raw, photo, &jpeg.Options{Quality: 70}); err != nil {
		t.Fatal(err)
	}
	img, err := imaging.Harden(raw.Bytes(), imaging.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var read string
	found, err := imaging.Precheck(t.Context(), img, imaging.Want{Sharp: true, Colour: true, Seal: true,
		ReadCode: func(ctx context.Context, i image.Image) (s string, err error) {
			read, err = qr.Decode(ctx, i)
			return read, err
		}})
	if err != nil || len(found) != 0 {
		t.Fatalf("%v %v", found, err)
	}
	claim, err := qr.Parse(read)
	if err != nil || qr.Verify(pub, claim) != nil || !claim.Matches(digest) {
		t.Errorf("read %q: %v", read, err)
	}
}
