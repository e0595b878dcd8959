package imaging

import (
	"image"
	"image/color"
	stddraw "image/draw"
)

// fit draws src on white, reduced by area average so that no side exceeds limit. It works through the source in strips,
// so that memory is the result and one strip.
func fit(src image.Image, limit int) *image.RGBA {
	b := src.Bounds()
	w, h := b.Dx(), b.Dy()
	if long := max(w, h); long > limit {
		w, h = max(1, w*limit/long), max(1, h*limit/long)
	}
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	if w == b.Dx() && h == b.Dy() {
		onWhite(out, src, b.Min)
		return out
	}
	r := newReducer(out, b.Dx(), b.Dy())
	const stripHeight = 64
	strip := image.NewRGBA(image.Rect(0, 0, b.Dx(), stripHeight))
	for y := 0; y < b.Dy(); y += stripHeight {
		onWhite(strip, src, image.Pt(b.Min.X, b.Min.Y+y))
		for i := range min(stripHeight, b.Dy()-y) {
			r.row(strip.Pix[i*strip.Stride:])
		}
	}
	return out
}

func onWhite(dst *image.RGBA, src image.Image, at image.Point) {
	stddraw.Draw(dst, dst.Bounds(), image.NewUniform(color.White), image.Point{}, stddraw.Src)
	stddraw.Draw(dst, dst.Bounds(), src, at, stddraw.Over)
}

// reducer averages source rows into target rows; a source pixel on a border counts to both sides by its share.
type reducer struct {
	out       *image.RGBA
	sw, sh    int
	y, srcY   int       // next target row, next source row
	sum, line []float32 // three channels a target pixel
}

func newReducer(out *image.RGBA, sw, sh int) *reducer {
	n := 3 * out.Bounds().Dx()
	return &reducer{out: out, sw: sw, sh: sh, sum: make([]float32, n), line: make([]float32, n)}
}

// row takes the next source row, 4 bytes a pixel.
func (r *reducer) row(pix []byte) {
	dw, dh := r.out.Bounds().Dx(), r.out.Bounds().Dy()
	r.across(pix, dw)
	top, bottom := float64(r.srcY)*float64(dh)/float64(r.sh), float64(r.srcY+1)*float64(dh)/float64(r.sh)
	r.srcY++
	edge := float64(r.y + 1)
	if bottom < edge-1e-9 {
		r.add(float32(bottom - top))
		return
	}
	r.add(float32(edge - top))
	r.flush()
	if rest := bottom - edge; rest > 1e-9 && r.y < dh {
		r.add(float32(rest))
	}
}

// across averages one source row into line.
func (r *reducer) across(pix []byte, dw int) {
	scale := float32(dw) / float32(r.sw)
	clear(r.line)
	x, edge := 0, float32(1)
	for sx := range r.sw {
		left, right := float32(sx)*scale, float32(sx+1)*scale
		p := pix[4*sx : 4*sx+3 : 4*sx+3]
		if right <= edge || x == dw-1 {
			r.mix(x, p, right-left)
			continue
		}
		r.mix(x, p, edge-left)
		x++
		r.mix(x, p, right-edge)
		edge++
	}
}

func (r *reducer) mix(x int, p []byte, share float32) {
	l := r.line[3*x : 3*x+3 : 3*x+3]
	l[0] += float32(p[0]) * share
	l[1] += float32(p[1]) * share
	l[2] += float32(p[2]) * share
}

func (r *reducer) add(share float32) {
	for i, v := range r.line {
		r.sum[i] += v * share
	}
}

func (r *reducer) flush() {
	row := r.out.Pix[r.y*r.out.Stride:]
	for x := range len(r.sum) / 3 {
		for c := range 3 {
			row[4*x+c] = uint8(min(max(r.sum[3*x+c]+.5, 0), 255))
		}
		row[4*x+3] = 255
	}
	clear(r.sum)
	r.y++
}

// upright turns pixels as their EXIF orientation asks (Exif 2.32 §4.6.4 A).
func upright(src *image.RGBA, orientation int) *image.RGBA {
	if orientation <= 1 || orientation > 8 {
		return src
	}
	w, h := src.Bounds().Dx(), src.Bounds().Dy()
	dw, dh := w, h
	if orientation >= 5 {
		dw, dh = h, w
	}
	out := image.NewRGBA(image.Rect(0, 0, dw, dh))
	for y := range dh {
		for x := range dw {
			sx, sy := x, y
			switch orientation {
			case 2:
				sx = w - 1 - x
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sy = h - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, h-1-x
			case 7:
				sx, sy = w-1-y, h-1-x
			case 8:
				sx, sy = w-1-y, x
			}
			*(*[4]byte)(out.Pix[y*out.Stride+4*x:]) = *(*[4]byte)(src.Pix[sy*src.Stride+4*sx:])
		}
	}
	return out
}
