package ui

import (
	"fmt"
	"strings"

	"github.com/a-h/templ"
	"rsc.io/qr"
)

// Money is fen as people read it: "¥1,234.50", "−¥20.00".
func Money(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "−", -fen
	}
	yuan := fmt.Sprint(fen / 100)
	var b strings.Builder
	for i, d := range yuan {
		if i > 0 && (len(yuan)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return fmt.Sprintf("%s¥%s.%02d", sign, b.String(), fen%100)
}

// PriceLine is one line of a price, with the reason for it.
type PriceLine struct {
	Label string
	Why   string // small line under it
	Fen   int64
	Words string // instead of an amount: "到付", "企业承担"
}

// PriceProps is the summary beside a form.
type PriceProps struct {
	Title  string // product and service
	Facts  []Pair // quantity, term, …
	Lines  []PriceLine
	Total  int64
	Paid   bool   // the total is paid
	Closed bool   // nothing is to be paid any more
	Note   string // "付款后开票"
	Saved  string // "已保存 14:32"

	// Action is the page's main button, with Form: the form's id. It stays in
	// sight at the side, and on a phone at the foot.
	Action templ.Component
}

// Pair is a name with its value.
type Pair struct {
	Label string
	Value string
}

// Datum is one line of a definition list.
type Datum struct {
	Label  string
	Value  string
	Mono   bool            // numbers people compare: USCC, serial
	Copy   bool            // with a copy button
	Change string          // URL of the page that changes it: 修改
	Body   templ.Component // instead of Value
	Tone   Tone
	Note   string // small line under it
}

// TabItem is one tab; tabs are links, so that each has an address.
type TabItem struct {
	Label  string
	Href   string
	Count  int // drawn when > 0
	Active bool
}

// NoticeProps is a message within a page.
type NoticeProps struct {
	Tone  Tone
	Title string
	Text  string
}

// EmptyProps is what a list shows when there is nothing in it.
type EmptyProps struct {
	Title  string
	Text   string
	Action templ.Component
}

// DialogProps is a <dialog>; a button with Dialog: ID opens it. Without scripts
// it is an ordinary section of the page.
type DialogProps struct {
	ID    string
	Title string
}

// PagerProps leads through a long list.
type PagerProps struct {
	Page, Pages int // from 1
	Total       int
	Href        func(page int) string
}

// window is the pages a pager names: first, last, and those around the current.
func (p PagerProps) window() []int {
	var out []int
	for i := 1; i <= p.Pages; i++ {
		if i == 1 || i == p.Pages || (i >= p.Page-2 && i <= p.Page+2) {
			out = append(out, i)
		} else if out[len(out)-1] != 0 {
			out = append(out, 0) // a gap
		}
	}
	return out
}

// QRProps is a QR code drawn as SVG.
type QRProps struct {
	Text    string // what it says, e.g. a URL
	Label   string // what scanning does: "用微信扫一扫上传"
	Caption string // under it
}

// qrPath is the dark modules of a QR code as one SVG path, and its side in
// modules (with a quiet zone of 4, ISO/IEC 18004 §5.3.8). A text too long for a
// QR code gives an empty path.
func qrPath(text string) (path string, side int) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", 1
	}
	var b strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			if !code.Black(x, y) {
				continue
			}
			run := 1
			for x+run < code.Size && code.Black(x+run, y) {
				run++
			}
			fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", x+4, y+4, run, run)
			x += run
		}
	}
	return b.String(), code.Size + 8
}

// CheckItem is one line of what a picture's checks found.
type CheckItem struct {
	Tone Tone // Good tick, Warn hint, Danger refusal
	Text string
}

// UploadProps is a picture to hand in. Without scripts it is a file input of
// the page's form (multipart) and a submit "_step=upload". With scripts:
//
//	POST URL      multipart, part "file" → 200 and the tile again (Upload with Preview), or the error handler's JSON
//	POST Phone    → 200 and the tile again with PhoneText and Poll
//	GET  Poll     → 204 nothing yet, 200 the tile again, 410 the code has lapsed
type UploadProps struct {
	Name     string // field name: the hidden input that holds the file's id; the file input is Name + "_file"
	Label    string
	Help     string
	Required bool
	Limit    string   // "JPG、JPEG 或 PNG，不超过 2 MB"
	MaxBytes int      // told to the browser, checked again by the server; 0 = 2 MiB
	Sample   string   // URL of a drawing of what is wanted
	Wants    []string // short lines: "四角完整", "公章清晰"
	Value    string   // id of the uploaded file
	Preview  string   // URL of the picture
	FileName string   // "营业执照.jpg · 1.2 MB"
	Checks   []CheckItem
	URL      string // "" : no scripts' way
	Phone    string // "" : no upload from a phone
	PhoneURL string // when the phone panel is open: what its QR says
	Poll     string // when the phone panel is open: asked every 2 seconds
	ReadOnly bool
	When     string
	Hidden   bool
}

func (u UploadProps) max() string {
	if u.MaxBytes == 0 {
		return "2097152"
	}
	return fmt.Sprint(u.MaxBytes)
}

func orDefault(s, def string) string {
	if s == "" {
		return def
	}
	return s
}
