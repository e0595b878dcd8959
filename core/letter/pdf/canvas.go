package pdf

import "certsaas/core/letter/qr"

// mm is one millimetre in points.
const mm = 72 / 25.4

// A4 portrait and its margins, in points.
const (
	pageWidth  = 210 * mm
	pageHeight = 297 * mm
	marginSide = 22 * mm
	marginTop  = 18 * mm
	marginFoot = 22 * mm
	lineWidth  = pageWidth - 2*marginSide
)

// canvas is the content of one page. Coordinates are points from the upper left corner.
type canvas struct {
	ops  []byte
	font *subset
}

func (c *canvas) num(vs ...float64) {
	for _, v := range vs {
		c.ops = append(appendNumber(c.ops, v), ' ')
	}
}

func (c *canvas) op(s string) { c.ops = append(append(c.ops, s...), '\n') }

// text prints chars with their baseline at y.
func (c *canvas) text(x, y, size float64, chars []char) {
	for len(chars) > 0 {
		n := 1
		for n < len(chars) && chars[n].bold == chars[0].bold && chars[n].underline == chars[0].underline {
			n++
		}
		run := chars[:n]
		c.run(x, y, size, run)
		w := total(run)
		if run[0].underline {
			c.line(x, y+size*.16, x+w-run[n-1].after, y+size*.16, .5, 0)
		}
		x += w
		chars = chars[n:]
	}
}

// run prints chars of one style.
func (c *canvas) run(x, y, size float64, chars []char) {
	c.op("BT")
	c.ops = append(c.ops, "/F1 "...)
	c.num(size)
	c.op("Tf")
	if chars[0].bold { // the one weight, filled and stroked
		c.num(size * .028)
		c.op("w 2 Tr")
	}
	c.num(x, pageHeight-y)
	c.ops = append(c.ops, "Td [<"...)
	const hex = "0123456789ABCDEF"
	for i, ch := range chars {
		g := c.font.code(ch.r)
		c.ops = append(c.ops, hex[g>>12], hex[g>>8&15], hex[g>>4&15], hex[g&15])
		if ch.after != 0 && i < len(chars)-1 { // in thousandths of the size, to the left
			c.ops = append(c.ops, "> "...)
			c.ops = append(appendNumber(c.ops, -ch.after*1000/size), " <"...)
		}
	}
	c.op(">] TJ")
	if chars[0].bold {
		c.op("0 Tr")
	}
	c.op("ET")
}

// grey sets the shade of what is printed next: 0 black, 1 white.
func (c *canvas) grey(v float64) {
	c.num(v)
	c.ops = append(c.ops, "g "...)
	c.num(v)
	c.op("G")
}

func (c *canvas) line(x0, y0, x1, y1, width, shade float64) {
	c.op("q")
	c.grey(shade)
	c.num(width)
	c.op("w")
	c.num(x0, pageHeight-y0)
	c.ops = append(c.ops, "m "...)
	c.num(x1, pageHeight-y1)
	c.op("l S Q")
}

func (c *canvas) box(x, y, w, h, shade float64) {
	c.op("q")
	c.grey(shade)
	c.num(x, pageHeight-y-h, w, h)
	c.op("re f Q")
}

// circle draws a dashed grey circle: a place for a seal that no eye and no program takes for one.
func (c *canvas) circle(x, y, r float64) {
	const k = .5523 // control points of a quarter circle
	c.op("q")
	c.grey(.6)
	c.op(".6 w [3 3] 0 d")
	y = pageHeight - y
	c.num(x+r, y)
	c.op("m")
	for _, q := range [][6]float64{{1, k, k, 1, 0, 1}, {-k, 1, -1, k, -1, 0}, {-1, -k, -k, -1, 0, -1}, {k, -1, 1, -k, 1, 0}} {
		for i, v := range q {
			if i%2 == 0 {
				c.num(x + v*r)
			} else {
				c.num(y + v*r)
			}
		}
		c.op("c")
	}
	c.op("S Q")
}

// code draws a QR code as vectors in a square of side points, quiet zone included.
func (c *canvas) code(m qr.Matrix, x, y, side float64) {
	module := side / float64(m.Size()+2*qr.QuietZone)
	const overlap = .02 // closes the hairlines some viewers leave between rows
	c.op("q 0 g")
	m.Runs(func(col, row, n int) {
		c.num(x+float64(col+qr.QuietZone)*module, pageHeight-y-float64(row+qr.QuietZone+1)*module-overlap, float64(n)*module, module+overlap)
		c.op("re")
	})
	c.op("f Q")
}
