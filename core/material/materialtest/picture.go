package materialtest

import (
	"slices"
	"testing"

	"certsaas/core/letter/specimen"
)

// Page is a drawn sheet of paper, 1240×1754 pixels (A4 at 150 dots an inch).
type Page struct {
	Text string // printed over and over
	Seal bool   // a red seal at the foot
	QR   string // text of a code in the upper right; "" = none
	Grey bool   // photocopied
}

// JPEG draws a page.
func (p Page) JPEG(t testing.TB) []byte {
	t.Helper()
	text := p.Text
	if text == "" {
		text = "演示单位营业执照统一社会信用代码注册地址经营范围"
	}
	raw, err := specimen.Page{Lines: slices.Repeat([]string{text}, 20), Seal: p.Seal, QR: p.QR, Grey: p.Grey}.JPEG()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
