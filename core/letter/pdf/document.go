// Package pdf sets letters and guides in Chinese and writes them as PDF.
//
// In: a Document, i.e. text already filled in, and what to print on every page (number, digest, QR text). Out: the bytes
// of a PDF 1.7 file. The same document gives the same bytes: no dates, no random identifiers. A character the font lacks
// is an error that names it, never a box on paper. No database, no clock, no files at run time; the font is embedded.
package pdf

import (
	"fmt"
	"slices"
	"strings"
)

// Document is one letter or guide, set on A4 portrait.
type Document struct {
	Title  string // the file's title; printed when Blocks hold a Title
	Number string // printed in the foot of every page; may be empty
	// Digest identifies the filled values; its first 8 hex digits are printed in the foot of every page (req B45). The
	// zero digest is not printed.
	Digest [32]byte
	QR     string // text of the code in the upper right of the first page, 40 mm wide with its border; empty: no code
	Footer string // centre of the foot of every page, e.g. the portal's name
	Words  Words
	Lang   string // RFC 5646 tag for readers' software; empty: zh-CN
	Blocks []Block
}

// Words are the few words the package itself prints. The zero value is Chinese.
type Words struct {
	Number   string // 编号
	Check    string // 校验码
	Page     string // a format with page and pages: 第 %d 页，共 %d 页
	Seal     string // inside the seal's circle: 加盖实体公章
	ListStop string // after a number in NumberChinese: 、
}

func (w Words) orDefault() Words {
	def := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	def(&w.Number, "编号")
	def(&w.Check, "校验码")
	def(&w.Page, "第 %d 页，共 %d 页")
	def(&w.Seal, "加盖实体公章")
	def(&w.ListStop, "、")
	return w
}

// Text is a run of spans; a line feed in a span begins a new line.
type Text []Span

// Span is text in one style.
type Span struct {
	Text      string
	Bold      bool
	Underline bool // a filled blank
}

// Plain is text in the ordinary style.
func Plain(s string) Text { return Text{{Text: s}} }

// Fill puts values into a template: {name} becomes the value, underlined; every other character stays as it is, also in
// the values, which are never looked at again. A name without a value, or a '{' without '}', is an error.
func Fill(template string, values map[string]string) (Text, error) {
	var out Text
	for template != "" {
		before, rest, found := strings.Cut(template, "{")
		if before != "" {
			out = append(out, Span{Text: before})
		}
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		value, known := values[name]
		if !closed || !known {
			return nil, fmt.Errorf("pdf: no value for blank {%s", name)
		}
		out = append(out, Span{Text: value, Underline: true})
		template = after
	}
	return out, nil
}

// Block is one part of a document, from the top of the page down.
type Block interface {
	texts() []Text // all text it prints, to be checked against the font
	place(*layout)
}

// Title is the document's headline, centred, large.
type Title struct{ Text, Sub string }

// Heading begins a section; Level is 1 or 2.
type Heading struct {
	Level int
	Text  string
}

// Align is where a paragraph's lines stand. AlignJustified stretches all lines but the last.
type Align int

// The alignments of a Paragraph.
const (
	AlignJustified Align = iota
	AlignLeft
	AlignCentre
	AlignRight
)

// Paragraph is running text. Indent sets its first line in by two characters, as Chinese prose is.
type Paragraph struct {
	Text   Text
	Indent bool
	Align  Align
}

// Field is one label and its value.
type Field struct{ Label, Value string }

// Fields is a ruled table of labels and values, Columns pairs (1 or 2) in a row.
type Fields struct {
	Columns int
	Fields  []Field
}

// ListStyle is what stands before each item of a List.
type ListStyle int

// The marks of a List.
const (
	Bullet        ListStyle = iota // •
	NumberChinese                  // 一、
	NumberParen                    // （1）
	NumberDot                      // 1.
)

// List is bullets or numbered clauses, set with hanging indent. Numbers begin with Start (0 means 1).
type List struct {
	Style ListStyle
	Start int
	Items []Text
}

// Table is a ruled table whose head is repeated on every page. Widths are the columns' shares of the line; nil is equal.
type Table struct {
	Head   []string
	Rows   [][]string
	Widths []float64
}

// Party is one that signs. Seal draws the dashed circle where the company's seal goes (42 mm, 国发〔1999〕25号 and local
// rules give companies 38–45 mm).
type Party struct {
	Label string // 单位（盖公章）
	Seal  bool
}

// Signature is where the parties sign side by side, kept on one page; Date is printed under them, e.g. 日期：____年__月__日.
type Signature struct {
	Parties []Party
	Date    string
}

// Rule is a thin line across the page.
type Rule struct{}

// MissingGlyphError says which characters of a document the font cannot print. The applicant is told them by name.
type MissingGlyphError struct{ Runes []rune }

func (e *MissingGlyphError) Error() string {
	names := make([]string, len(e.Runes))
	for i, r := range e.Runes {
		names[i] = fmt.Sprintf("%q (U+%04X)", r, r)
	}
	return "pdf: the font lacks " + strings.Join(names, ", ")
}

// MissingGlyphs are the characters of text the font lacks, each once, in their order. Line feeds and tabs are not
// characters to print. Text that is not UTF-8 lacks U+FFFD. It can be asked while a form is being filled in.
func MissingGlyphs(text string) []rune {
	f, err := face()
	if err != nil { // a broken build: nothing can be printed
		return []rune(text)
	}
	var missing []rune
	for _, r := range text {
		if r == '\n' || r == '\r' || r == '\t' {
			continue
		}
		if _, ok := f.glyphs[r]; !ok && !slices.Contains(missing, r) {
			missing = append(missing, r)
		}
	}
	return missing
}

// allText is every character the document prints, marks and page numbers aside.
func (d Document) allText() string {
	var b strings.Builder
	for _, s := range []string{d.Number, d.Footer, d.Words.Number, d.Words.Check, d.Words.Page, d.Words.Seal, d.Words.ListStop} {
		b.WriteString(s)
	}
	for _, block := range d.Blocks {
		for _, text := range block.texts() {
			for _, span := range text {
				b.WriteString(span.Text)
			}
		}
	}
	return b.String()
}
