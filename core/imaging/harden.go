// Package imaging makes uploaded pictures safe to keep and says what a reviewer would object to.
//
// In: the bytes somebody uploaded. Out: a fresh JPEG drawn from their pixels alone, upright, on white, at most 2600
// pixels a side, with nothing else of the upload in it: no EXIF, no position, no appended archive or script; or an Error
// with a code. And the findings of pre-checks: too small, blurred, no colour, no red seal, no code. No database, no files.
//
// Rules: req B35, B36, B41, K21; OWASP File Upload; reliability: ASVS 5.x, 14.2.8.
package imaging

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"image/png"
	"io"
)

// Limits of one upload. A zero field means its default.
type Limits struct {
	MaxBytes  int   // 2_097_152, inclusive (不超过2M)
	MaxPixels int   // 40_000_000
	MaxSide   int   // 12_000
	MaxMemory int64 // 64 MiB that decoding may take, estimated from the header before it begins
	MinWidth  int   // 0: any
	MinHeight int
}

// DefaultLimits are those of a certificate image (req B41).
var DefaultLimits = Limits{MaxBytes: 2 << 20, MaxPixels: 40_000_000, MaxSide: 12_000, MaxMemory: 64 << 20}

func (l Limits) orDefault() Limits {
	if l.MaxBytes == 0 {
		l.MaxBytes = DefaultLimits.MaxBytes
	}
	if l.MaxPixels == 0 {
		l.MaxPixels = DefaultLimits.MaxPixels
	}
	if l.MaxSide == 0 {
		l.MaxSide = DefaultLimits.MaxSide
	}
	if l.MaxMemory == 0 {
		l.MaxMemory = DefaultLimits.MaxMemory
	}
	return l
}

// Code says why a picture was refused; each has a sentence for the user.
type Code string

// The codes of Error.
const (
	Empty         Code = "EMPTY"           // no bytes
	TooLarge      Code = "TOO_LARGE"       // more than MaxBytes
	NotJPEGOrPNG  Code = "NOT_JPEG_PNG"    // by its bytes, whatever its name; Detail is what it looks like
	Truncated     Code = "TRUNCATED"       // ends too early: the upload broke off
	Damaged       Code = "DAMAGED"         // not decodable
	Unsupported   Code = "UNSUPPORTED"     // a JPEG kind no browser shows: arithmetic, lossless, 12 bits
	Animated      Code = "ANIMATED"        // an animated PNG
	TooManyPixels Code = "TOO_MANY_PIXELS" // by its header; never decoded
	TooSmall      Code = "TOO_SMALL"       // below MinWidth or MinHeight
)

// Error is why a picture was refused.
type Error struct {
	Code   Code
	Detail string // for the log; never text from the upload
}

func (e *Error) Error() string {
	if e.Detail == "" {
		return "imaging: " + string(e.Code)
	}
	return "imaging: " + string(e.Code) + ": " + e.Detail
}

func refuse(code Code, format string, args ...any) error {
	return &Error{code, fmt.Sprintf(format, args...)}
}

// maxStored is the longer side of a stored picture: A4 at 220 dots an inch, enough to read a licence's small print.
const maxStored = 2600

const jpegQuality = 86

// Image is a hardened picture.
type Image struct {
	JPEG          []byte
	Width, Height int
	SHA256        [32]byte // of JPEG
	PHash         uint64   // alike for pictures that look alike, see Distance
	pixels        *image.RGBA
}

// Harden checks and redraws one upload. The error is an *Error. A picture of 12 million pixels takes about a third of a
// second and 40 MB; use a Gate where uploads come from strangers.
func Harden(raw []byte, limits Limits) (Image, error) {
	limits = limits.orDefault()
	if len(raw) == 0 {
		return Image{}, refuse(Empty, "")
	}
	if len(raw) > limits.MaxBytes {
		return Image{}, refuse(TooLarge, "%d bytes, at most %d", len(raw), limits.MaxBytes)
	}
	var decode func(io.Reader) (image.Image, error)
	var h header
	var err error
	switch kind := Sniff(raw); kind {
	case "jpeg":
		decode = jpeg.Decode
		h, err = jpegHeader(raw)
	case "png":
		decode = png.Decode
		h, err = pngHeader(raw)
	default:
		return Image{}, refuse(NotJPEGOrPNG, "looks like %s", kind)
	}
	if err != nil {
		return Image{}, err
	}
	if err := h.within(limits); err != nil {
		return Image{}, err
	}
	src, err := decode(bytes.NewReader(raw))
	if err != nil {
		return Image{}, decodeError(err)
	}
	return draw(src, h.orientation)
}

// within checks what the header promises against the limits, before a pixel is decoded.
func (h header) within(l Limits) error {
	w, ht := h.width, h.height
	if h.orientation >= 5 { // stored on its side
		w, ht = ht, w
	}
	switch {
	case h.width > l.MaxSide || h.height > l.MaxSide || int64(h.width)*int64(h.height) > int64(l.MaxPixels):
		return refuse(TooManyPixels, "%d×%d", w, ht)
	case int64(h.width)*int64(h.height)*int64(h.halfBytes)/2 > l.MaxMemory:
		return refuse(TooManyPixels, "%d×%d would take more than %d bytes to decode", w, ht, l.MaxMemory)
	case w < l.MinWidth || ht < l.MinHeight:
		return refuse(TooSmall, "%d×%d, at least %d×%d", w, ht, l.MinWidth, l.MinHeight)
	}
	return nil
}

func decodeError(err error) error {
	var kind jpeg.UnsupportedError
	var pngKind png.UnsupportedError
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return refuse(Truncated, "")
	case errors.As(err, &kind), errors.As(err, &pngKind):
		return refuse(Unsupported, "%v", err)
	default:
		return refuse(Damaged, "%v", err)
	}
}

// draw makes the stored picture from pixels.
func draw(src image.Image, orientation int) (Image, error) {
	return finish(upright(fit(src, maxStored), orientation))
}

func finish(pixels *image.RGBA) (Image, error) {
	var out bytes.Buffer
	if err := jpeg.Encode(&out, pixels, &jpeg.Options{Quality: jpegQuality}); err != nil {
		return Image{}, fmt.Errorf("imaging: encode: %w", err)
	}
	b := pixels.Bounds()
	return Image{
		JPEG: out.Bytes(), Width: b.Dx(), Height: b.Dy(),
		SHA256: sha256.Sum256(out.Bytes()), PHash: perceptualHash(pixels), pixels: pixels,
	}, nil
}

// Open reads a stored picture back for Precheck, with its bytes as they are. The error is an *Error.
func Open(stored []byte) (Image, error) {
	h, err := jpegHeader(stored)
	if err != nil {
		return Image{}, err
	}
	if err := h.within(DefaultLimits); err != nil {
		return Image{}, err
	}
	src, err := jpeg.Decode(bytes.NewReader(stored))
	if err != nil {
		return Image{}, decodeError(err)
	}
	pixels := fit(src, maxStored)
	b := pixels.Bounds()
	return Image{JPEG: stored, Width: b.Dx(), Height: b.Dy(), SHA256: sha256.Sum256(stored), PHash: perceptualHash(pixels), pixels: pixels}, nil
}

// Pixels is the picture decoded, to be looked at, not changed; nil for the zero Image.
func (i Image) Pixels() image.Image {
	if i.pixels == nil {
		return nil
	}
	return i.pixels
}
