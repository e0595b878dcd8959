package imaging

import (
	"image"
	"math"
	"math/bits"
	"slices"
)

// plane is the brightness of a picture, one value 0…255 a pixel.
type plane struct {
	w, h int
	pix  []float32
}

// brightness takes the luma of img (BT.601), stretched so that its 1st and 99th hundredths become 0 and 255.
func brightness(img *image.RGBA) plane {
	p := plane{img.Bounds().Dx(), img.Bounds().Dy(), nil}
	p.pix = make([]float32, 0, p.w*p.h)
	var count [256]int
	for y := range p.h {
		row := img.Pix[y*img.Stride : y*img.Stride+4*p.w]
		for x := 0; x < len(row); x += 4 {
			v := .299*float32(row[x]) + .587*float32(row[x+1]) + .114*float32(row[x+2])
			p.pix = append(p.pix, v)
			count[uint8(v)]++
		}
	}
	low, high, skip := 0, 255, len(p.pix)/100
	for n := count[0]; n <= skip && low < 254; n += count[low] {
		low++
	}
	for n := count[255]; n <= skip && high > low+1; n += count[high] {
		high--
	}
	scale := 255 / float32(max(high-low, 32)) // a blank page stays blank
	for i, v := range p.pix {
		p.pix[i] = min(max((v-float32(low))*scale, 0), 255)
	}
	return p
}

// laplacian is the variance of the 4-neighbour Laplacian in a square tile.
func (p plane) laplacian(x0, y0, side int) float64 {
	var sum, squares float64
	for y := y0; y < y0+side; y++ {
		for x := x0; x < x0+side; x++ {
			i := y*p.w + x
			v := float64(4*p.pix[i] - p.pix[i-1] - p.pix[i+1] - p.pix[i-p.w] - p.pix[i+p.w])
			sum += v
			squares += v * v
		}
	}
	n := float64(side * side)
	return squares/n - sum/n*sum/n
}

// topMean is the mean of the largest 1/part of scores, 0 of none.
func topMean(scores []float64, part int) float64 {
	if len(scores) == 0 {
		return 0
	}
	slices.Sort(scores)
	top := scores[len(scores)-max(1, len(scores)/part):]
	sum := 0.0
	for _, s := range top {
		sum += s
	}
	return sum / float64(len(top))
}

// perceptualHash is the 64-bit pHash: the signs, against their median, of the 8×8 lowest frequencies of a 32×32 picture.
// Two uploads of one photograph differ in few bits, also after scaling and compression.
func perceptualHash(img *image.RGBA) uint64 {
	small := brightness(squash(img, 32))
	var f [64]float64
	for v := range 8 {
		for u := range 8 {
			sum := 0.0
			for y := range 32 {
				for x := range 32 {
					sum += float64(small.pix[y*32+x]) * cosine(u+1, x) * cosine(v+1, y)
				}
			}
			f[v*8+u] = sum
		}
	}
	sorted := f
	slices.Sort(sorted[:])
	median := (sorted[31] + sorted[32]) / 2
	var hash uint64
	for i, v := range f {
		if v > median {
			hash |= 1 << i
		}
	}
	return hash
}

var cosines = func() (t [9][32]float64) {
	for u := range t {
		for x := range t[u] {
			t[u][x] = math.Cos(math.Pi * float64(u) * (2*float64(x) + 1) / 64)
		}
	}
	return t
}()

func cosine(u, x int) float64 { return cosines[u][x] }

// squash reduces img to side×side, whatever its shape.
func squash(img *image.RGBA, side int) *image.RGBA {
	out := image.NewRGBA(image.Rect(0, 0, side, side))
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	for y := range side {
		for x := range side {
			x0, x1 := x*w/side, max(x*w/side+1, (x+1)*w/side)
			y0, y1 := y*h/side, max(y*h/side+1, (y+1)*h/side)
			var sum [3]int
			for sy := y0; sy < min(y1, h); sy++ {
				for sx := x0; sx < min(x1, w); sx++ {
					for c := range sum {
						sum[c] += int(img.Pix[sy*img.Stride+4*sx+c])
					}
				}
			}
			n := max(1, (min(x1, w)-x0)*(min(y1, h)-y0))
			for c := range sum {
				out.Pix[y*out.Stride+4*x+c] = uint8(sum[c] / n)
			}
			out.Pix[y*out.Stride+4*x+3] = 255
		}
	}
	return out
}

// Distance is the number of bits in which two perceptual hashes differ: 0–6 is most likely the same photograph, unrelated
// pictures differ in about 32. Two letters of one form look alike to it: a hint for the reviewer, not a verdict.
func Distance(a, b uint64) int { return bits.OnesCount64(a ^ b) }
