package pdf

import (
	"encoding/hex"
	"fmt"
	"strings"

	"certsaas/core/letter/qr"
)

// qrSide is the code's side with its quiet zone: a letter's code of 53 modules then spans 35 mm.
const qrSide = 40 * mm

const (
	bodySize = 12.0 // 小四
	leading  = 1.6  // line height over size
	footSize = 8.5
)

// layout places blocks on pages from the top down.
type layout struct {
	face   *typeface
	font   *subset
	words  Words
	pages  []*canvas
	page   *canvas
	y      float64 // where the next block begins
	qrLeft float64 // left edge of the code on the first page; the page's right margin when there is none
	qrFoot float64 // lower edge of the code
}

// bottom is where the text of a page ends.
const bottom = pageHeight - marginFoot

func (l *layout) newPage() {
	l.page = &canvas{font: l.font}
	l.pages = append(l.pages, l.page)
	l.y = marginTop
}

// need begins a new page when less than h points are left and something stands on this one.
func (l *layout) need(h float64) {
	if l.y+h > bottom && l.y > marginTop {
		l.newPage()
	}
}

// besideCode tells whether a line at y stands left of the code.
func (l *layout) besideCode() bool { return len(l.pages) == 1 && l.y < l.qrFoot }

// Render sets the document. Errors: *MissingGlyphError; an unusable QR text. About 1 ms and 50 kB for a letter.
func Render(doc Document) ([]byte, error) {
	f, err := face()
	if err != nil {
		return nil, err
	}
	doc.Words = doc.Words.orDefault()
	if missing := MissingGlyphs(doc.allText()); missing != nil {
		return nil, &MissingGlyphError{missing}
	}
	l := &layout{face: f, font: newSubset(f), words: doc.Words}
	l.newPage()
	if doc.QR != "" {
		m, err := qr.Encode(doc.QR)
		if err != nil {
			return nil, fmt.Errorf("pdf: %w", err)
		}
		l.qrLeft, l.qrFoot = pageWidth-marginSide-qrSide+2*mm, 12*mm+qrSide
		l.page.code(m, l.qrLeft, 12*mm, qrSide)
	}
	for _, block := range doc.Blocks {
		block.place(l)
	}
	for i := range l.pages {
		l.foot(doc, i)
	}
	return l.write(doc), nil
}

// foot prints number and digest at the left, the footer in the centre, the page at the right of page i.
func (l *layout) foot(doc Document, i int) {
	l.page = l.pages[i]
	y := pageHeight - 12*mm
	l.page.line(marginSide, y-footSize-3, pageWidth-marginSide, y-footSize-3, .4, .5)
	var left []string
	if doc.Number != "" {
		left = append(left, l.words.Number+" "+doc.Number)
	}
	if doc.Digest != [32]byte{} {
		left = append(left, l.words.Check+" "+hex.EncodeToString(doc.Digest[:4]))
	}
	l.at(marginSide, y, footSize, AlignLeft, strings.Join(left, "  "))
	l.at(pageWidth-marginSide, y, footSize, AlignRight, fmt.Sprintf(l.words.Page, i+1, len(l.pages)))
	if doc.Footer != "" {
		l.at(pageWidth/2, y+footSize+2, footSize, AlignCentre, doc.Footer)
	}
}

// at prints one unbroken line whose left, centre or right is x.
func (l *layout) at(x, y, size float64, align Align, s string) {
	if s == "" {
		return
	}
	chars := measure(l.face, Plain(s), size)
	w := total(chars)
	switch align {
	case AlignCentre:
		x -= w / 2
	case AlignRight:
		x -= w
	}
	l.page.text(x, y, size, chars)
}

func total(chars []char) (w float64) {
	for _, c := range chars {
		w += c.width + c.after
	}
	return w
}

// write makes the file: catalogue, pages, font, information.
func (l *layout) write(doc Document) []byte {
	out := newFile()
	catalog, tree, font, info := out.reserve(), out.reserve(), out.reserve(), out.reserve()
	var kids strings.Builder
	for _, p := range l.pages {
		id, content := out.reserve(), out.reserve()
		out.stream(content, "", p.ops)
		out.object(id, "<< /Type /Page /Parent %d 0 R /MediaBox [0 0 595.28 841.89] /Resources << /Font << /F1 %d 0 R >> >> /Contents %d 0 R >>", tree, font, content)
		fmt.Fprintf(&kids, "%d 0 R ", id)
	}
	lang := doc.Lang
	if lang == "" {
		lang = "zh-CN"
	}
	out.object(catalog, "<< /Type /Catalog /Pages %d 0 R /Lang %s /ViewerPreferences << /DisplayDocTitle true >> >>", tree, textString(lang))
	out.object(tree, "<< /Type /Pages /Kids [%s] /Count %d >>", kids.String(), len(l.pages))
	out.font(font, l.font)
	out.object(info, "<< /Title %s /Subject %s /Producer (certsaas) >>", textString(doc.Title), textString(doc.Number))
	return out.finish(catalog, info)
}
