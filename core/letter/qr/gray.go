package qr

import (
	"image"
	"image/color"
)

// gray is a picture of one byte a pixel.
type gray struct {
	w, h int
	pix  []byte
}

// redChannel keeps the red light only: a red seal over a code all but vanishes, black ink stays black.
func redChannel(img image.Image) gray {
	b := img.Bounds()
	g := gray{b.Dx(), b.Dy(), make([]byte, b.Dx()*b.Dy())}
	switch src := img.(type) {
	case *image.RGBA:
		for y := range g.h {
			row := src.Pix[src.PixOffset(b.Min.X, b.Min.Y+y):]
			for x := range g.w {
				g.pix[y*g.w+x] = row[4*x]
			}
		}
	case *image.Gray:
		for y := range g.h {
			copy(g.pix[y*g.w:(y+1)*g.w], src.Pix[src.PixOffset(b.Min.X, b.Min.Y+y):])
		}
	case *image.YCbCr:
		for y := range g.h {
			for x := range g.w {
				yi, ci := src.YOffset(b.Min.X+x, b.Min.Y+y), src.COffset(b.Min.X+x, b.Min.Y+y)
				g.pix[y*g.w+x], _, _ = color.YCbCrToRGB(src.Y[yi], src.Cb[ci], src.Cr[ci])
			}
		}
	default:
		for y := range g.h {
			for x := range g.w {
				r, _, _, _ := img.At(b.Min.X+x, b.Min.Y+y).RGBA()
				g.pix[y*g.w+x] = byte(r >> 8)
			}
		}
	}
	return g
}

// scaled resizes so that the longer side is long pixels: area average down, bilinear up.
func (g gray) scaled(long int) gray {
	f := float64(long) / float64(max(g.w, g.h))
	out := gray{w: max(1, int(float64(g.w)*f+.5)), h: max(1, int(float64(g.h)*f+.5))}
	out.pix = make([]byte, out.w*out.h)
	if f >= 1 {
		g.enlarge(out)
	} else {
		g.reduce(out)
	}
	return out
}

// reduce averages the whole source pixels under each target pixel.
func (g gray) reduce(out gray) {
	for y := range out.h {
		y0, y1 := y*g.h/out.h, max((y+1)*g.h/out.h, y*g.h/out.h+1)
		for x := range out.w {
			x0, x1 := x*g.w/out.w, max((x+1)*g.w/out.w, x*g.w/out.w+1)
			sum := 0
			for sy := y0; sy < y1; sy++ {
				for _, v := range g.pix[sy*g.w+x0 : sy*g.w+x1] {
					sum += int(v)
				}
			}
			out.pix[y*out.w+x] = byte(sum / ((y1 - y0) * (x1 - x0)))
		}
	}
}

// enlarge interpolates with 8-bit fractions.
func (g gray) enlarge(out gray) {
	for y := range out.h {
		fy := y * (g.h - 1) * 256 / max(1, out.h-1)
		y0, wy := fy>>8, fy&255
		y1 := min(y0+1, g.h-1)
		for x := range out.w {
			fx := x * (g.w - 1) * 256 / max(1, out.w-1)
			x0, wx := fx>>8, fx&255
			x1 := min(x0+1, g.w-1)
			top := int(g.pix[y0*g.w+x0])*(256-wx) + int(g.pix[y0*g.w+x1])*wx
			bottom := int(g.pix[y1*g.w+x0])*(256-wx) + int(g.pix[y1*g.w+x1])*wx
			out.pix[y*out.w+x] = byte((top*(256-wy) + bottom*wy) >> 16)
		}
	}
}

// localMean makes a pixel black when it is darker than its neighbourhood's mean by an eighth: holds under uneven light.
func (g gray) localMean() gray {
	radius := max(4, max(g.w, g.h)/40)
	stride := g.w + 1
	sum := make([]uint32, stride*(g.h+1)) // summed-area table
	for y := range g.h {
		var row uint32
		for x := range g.w {
			row += uint32(g.pix[y*g.w+x])
			sum[(y+1)*stride+x+1] = sum[y*stride+x+1] + row
		}
	}
	out := gray{g.w, g.h, make([]byte, len(g.pix))}
	for y := range g.h {
		y0, y1 := max(0, y-radius), min(g.h, y+radius+1)
		for x := range g.w {
			x0, x1 := max(0, x-radius), min(g.w, x+radius+1)
			total := sum[y1*stride+x1] - sum[y0*stride+x1] - sum[y1*stride+x0] + sum[y0*stride+x0]
			area := uint32((y1 - y0) * (x1 - x0))
			if uint64(g.pix[y*g.w+x])*uint64(area)*8 >= uint64(total)*7 {
				out.pix[y*g.w+x] = 255
			}
		}
	}
	return out
}

// corner cuts out one of the four corners, 45 % of each side: a letter's code stands in one, however the picture is
// turned, and there are fewer shapes in it to be mistaken for the code's marks.
func (g gray) corner(n int) gray {
	out := gray{w: max(1, g.w*9/20), h: max(1, g.h*9/20)}
	x0, y0 := (n&1)*(g.w-out.w), (n>>1)*(g.h-out.h)
	out.pix = make([]byte, 0, out.w*out.h)
	for y := range out.h {
		at := (y0+y)*g.w + x0
		out.pix = append(out.pix, g.pix[at:at+out.w]...)
	}
	return out
}

// stretched spreads the levels between the darkest and the lightest hundredth over the whole range.
func (g gray) stretched() gray {
	var count [256]int
	for _, v := range g.pix {
		count[v]++
	}
	low, high := 0, 255
	for n := count[0]; n < len(g.pix)/100 && low < 254; n += count[low] {
		low++
	}
	for n := count[255]; n < len(g.pix)/100 && high > low+1; n += count[high] {
		high--
	}
	out := gray{g.w, g.h, make([]byte, len(g.pix))}
	for i, v := range g.pix {
		out.pix[i] = byte(min(max((int(v)-low)*255/(high-low), 0), 255))
	}
	return out
}

// mean is the average of two pictures of one size.
func mean(a, b gray) gray {
	out := gray{a.w, a.h, make([]byte, len(a.pix))}
	for i := range out.pix {
		out.pix[i] = byte((int(a.pix[i]) + int(b.pix[i])) / 2)
	}
	return out
}

// luminance is the brightness of img: sharper than the red channel, whose colour a JPEG stores at half the resolution.
func luminance(img image.Image) gray {
	b := img.Bounds()
	g := gray{b.Dx(), b.Dy(), make([]byte, b.Dx()*b.Dy())}
	for y := range g.h {
		for x := range g.w {
			i := y*g.w + x
			switch src := img.(type) {
			case *image.YCbCr:
				g.pix[i] = src.Y[src.YOffset(b.Min.X+x, b.Min.Y+y)]
			case *image.RGBA:
				p := src.Pix[src.PixOffset(b.Min.X+x, b.Min.Y+y):]
				g.pix[i] = byte((299*int(p[0]) + 587*int(p[1]) + 114*int(p[2])) / 1000)
			default:
				g.pix[i] = color.GrayModel.Convert(img.At(b.Min.X+x, b.Min.Y+y)).(color.Gray).Y
			}
		}
	}
	return g
}
