package qr

import (
	"fmt"

	rsc "rsc.io/qr"
)

// QuietZone is the white border a code needs on each side, in modules (ISO/IEC 18004 §6.3.8).
const QuietZone = 4

// Matrix is the square of modules of one code, without its quiet zone.
type Matrix struct{ code *rsc.Code }

// Encode makes the code of text at error correction level M, the smallest version that holds it: about 160 characters
// of a letter's payload stay within version 10 (57 modules, 0.56 mm each at 32 mm).
func Encode(text string) (Matrix, error) {
	code, err := rsc.Encode(text, rsc.M)
	if err != nil {
		return Matrix{}, fmt.Errorf("qr: encode %d bytes: %w", len(text), err)
	}
	return Matrix{code}, nil
}

// Size is the number of modules on a side.
func (m Matrix) Size() int {
	if m.code == nil {
		return 0
	}
	return m.code.Size
}

// Dark tells whether the module in column x, row y is dark; outside the square none is.
func (m Matrix) Dark(x, y int) bool { return m.code != nil && m.code.Black(x, y) }

// Runs calls f for each horizontal run of dark modules, row by row: fewer shapes than one per module.
func (m Matrix) Runs(f func(x, y, length int)) {
	for y := range m.Size() {
		for x := 0; x < m.Size(); {
			n := 0
			for m.Dark(x+n, y) {
				n++
			}
			if n > 0 {
				f(x, y, n)
			}
			x += n + 1
		}
	}
}
