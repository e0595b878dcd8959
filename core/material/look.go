package material

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/imaging"
)

// Platform's least size of a picture in pixels, where a field sets none.
const (
	minLonger  = 600
	minShorter = 400
)

// look hardens an upload and says what the automatic look found. name is the browser's, for the sentence only.
func (s *Service) look(ctx context.Context, fd form.Field, name string, raw []byte) (imaging.Image, []Finding, error) {
	img, err := imaging.Harden(raw, imaging.Limits{MaxBytes: fd.Upload.Limit()})
	if err != nil {
		return imaging.Image{}, nil, refusal(fd, name, len(raw), err)
	}
	found, err := imaging.Precheck(ctx, img, want(fd, img))
	if err != nil {
		return imaging.Image{}, nil, fmt.Errorf("material: pre-check: %w", err)
	}
	var out []Finding
	for _, f := range found {
		out = append(out, finding(fd, f, img))
	}
	return img, out, nil
}

// want turns a field's declaration into what imaging measures; the declared sizes are of the longer and the shorter side.
func want(fd form.Field, img imaging.Image) imaging.Want {
	u := fd.Upload
	longer, shorter := sizes(fd)
	w := imaging.Want{MinWidth: longer, MinHeight: shorter, Sharp: true, Colour: u.Colour, Seal: u.Seal && !u.Signature}
	if img.Height > img.Width {
		w.MinWidth, w.MinHeight = shorter, longer
	}
	return w
}

// sizes are the least pixels of the longer and the shorter side, whichever the declaration calls width.
func sizes(fd form.Field) (longer, shorter int) {
	w, h := fd.Upload.MinWidth, fd.Upload.MinHeight
	if w == 0 {
		w = minLonger
	}
	if h == 0 {
		h = minShorter
	}
	return max(w, h), min(w, h)
}

var findingIDs = map[string]string{
	imaging.FindTooSmall:  "material.too_small",
	imaging.FindBlurred:   "material.blurred",
	imaging.FindNotColour: "material.not_colour",
	imaging.FindNoRedSeal: "material.no_red_seal",
}

func finding(fd form.Field, f imaging.Finding, img imaging.Image) Finding {
	out := Finding{ID: findingIDs[f.Code], Refuses: f.Severity == imaging.Block}
	if f.Code == imaging.FindTooSmall {
		longer, shorter := sizes(fd)
		out.Args = map[string]any{"Width": img.Width, "Height": img.Height, "Longer": longer, "Shorter": shorter}
	}
	return out
}

var refusalIDs = map[imaging.Code]string{
	imaging.Empty:         "material.empty",
	imaging.NotJPEGOrPNG:  "material.not_picture",
	imaging.Truncated:     "material.truncated",
	imaging.Damaged:       "material.damaged",
	imaging.Unsupported:   "material.unsupported",
	imaging.Animated:      "material.animated",
	imaging.TooManyPixels: "material.too_many_pixels",
	imaging.TooSmall:      "material.too_small_to_read",
}

// refusal says in the field's place why a picture was not taken.
func refusal(fd form.Field, name string, size int, err error) error {
	var refused *imaging.Error
	if !errors.As(err, &refused) {
		return fmt.Errorf("material: harden: %w", err)
	}
	if refused.Code == imaging.TooLarge {
		e := fault.Wrap(fault.TooLarge, "material.too_large", err, "MB", megabytes(fd.Upload.Limit()), "Has", megabytes(size))
		e.Fields = []fault.Field{{Name: fd.Key, ID: e.ID, Args: e.Args}}
		return e
	}
	e := fault.InvalidFields(fault.At(fd.Key, refusalIDs[refused.Code], "Name", spoken(name)))
	e.Err = err
	return e
}

// megabytes writes a size as people say it: 2, 2.1.
func megabytes(n int) string {
	tenths := (n*10 + 1<<20 - 1) >> 20
	return strings.TrimSuffix(fmt.Sprintf("%d.%d", tenths/10, tenths%10), ".0")
}

// spoken is a browser's file name fit to be said back: last part, no control or direction characters, 40 at most.
func spoken(name string) string {
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, name)
	if r := []rune(name); len(r) > 40 {
		return string(r[:18]) + "…" + string(r[len(r)-18:])
	}
	return name
}
