package letter

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/letter/pdf"
	"certsaas/core/tenant"
)

// struck stands in a blank that the order leaves empty, so that nobody writes into it.
const struck = "／"

// words are the package's own sentences, for what is printed rather than shown.
var words = sync.OnceValue(func() *i18n.Bundle { return i18n.Must(Messages) })

// PDF prints a letter. The same letter gives the same bytes. A character the font lacks is fault.Invalid naming it.
func (s *Service) PDF(_ context.Context, l Letter) ([]byte, error) { return l.PDF() }

// PDF prints the letter; see Service.PDF.
func (l Letter) PDF() ([]byte, error) {
	doc, err := l.document()
	if err != nil {
		return nil, err
	}
	out, err := pdf.Render(doc)
	var missing *pdf.MissingGlyphError
	if errors.As(err, &missing) {
		return nil, fault.Wrap(fault.Invalid, "letter.glyph", err, "Characters", spell(missing.Runes))
	}
	if err != nil {
		return nil, fmt.Errorf("letter: print %s: %w", l.Number, err)
	}
	return out, nil
}

func (l Letter) document() (pdf.Document, error) {
	p := words().For(l.Locale)
	title := l.Form.Title.In(l.Locale)
	d := pdf.Document{
		Title: title, Number: l.Number, Digest: l.Digest, QR: l.Payload, Footer: l.footer, Lang: l.Locale,
		Words: pdfWords(p),
		Blocks: []pdf.Block{
			pdf.Title{Text: title, Sub: p.T("letter.number", "Number", l.Number)},
		},
	}
	to, err := l.fillIn(l.Form.To.In(l.Locale))
	if err != nil {
		return d, err
	}
	d.Blocks = append(d.Blocks, pdf.Paragraph{Text: to, Align: pdf.AlignLeft})
	for _, b := range l.Form.Blocks {
		block, err := l.block(b)
		if err != nil {
			return d, err
		}
		d.Blocks = append(d.Blocks, block)
	}
	d.Blocks = append(d.Blocks, l.signature(p))
	return d, nil
}

// pdfWords are what core/letter/pdf prints by itself, in one language.
func pdfWords(p i18n.Printer) pdf.Words {
	return pdf.Words{
		Number: p.T("letter.word.number"), Check: p.T("letter.word.check"), Page: p.T("letter.word.page"),
		Seal: p.T("letter.word.seal"), ListStop: p.T("letter.word.stop"),
	}
}

// block sets one piece of the form. Clauses carry their own numbers, as lawyers write them.
func (l Letter) block(b tenant.Block) (pdf.Block, error) {
	text, err := l.fillIn(b.Text.In(l.Locale))
	if err != nil {
		return nil, err
	}
	switch b.Kind {
	case "heading":
		return pdf.Heading{Level: 2, Text: plain(text)}, nil
	case "note":
		return pdf.Paragraph{Text: text, Align: pdf.AlignLeft}, nil
	case "field":
		fields := pdf.Fields{Columns: 2}
		for _, r := range b.Rows {
			value, err := l.fillIn(r.Value)
			if err != nil {
				return nil, err
			}
			fields.Fields = append(fields.Fields, pdf.Field{Label: r.Label.In(l.Locale), Value: plain(value)})
		}
		return fields, nil
	}
	return pdf.Paragraph{Text: text, Indent: l.Locale == i18n.ZH}, nil
}

// fillIn puts the letter's values into a template; empty ones are struck out.
func (l Letter) fillIn(template string) (pdf.Text, error) {
	text, err := pdf.Fill(template, l.Values)
	if err != nil {
		return nil, fmt.Errorf("letter: %s: %w", l.Form.ID, err)
	}
	for i := range text {
		if text[i].Underline && text[i].Text == "" {
			text[i].Text = struck
		}
	}
	return text, nil
}

func plain(t pdf.Text) string {
	out := ""
	for _, span := range t {
		out += span.Text
	}
	return out
}

// signature is where a company seals, or a person who applies for himself signs (decision 4); the agent signs either way.
func (l Letter) signature(p i18n.Printer) pdf.Block {
	sign := pdf.Signature{Date: p.T("letter.date")}
	if l.Form.Seal == "signature" {
		sign.Parties = []pdf.Party{{Label: p.T("letter.applicant")}}
		return sign
	}
	sign.Parties = []pdf.Party{{Label: p.T("letter.unit"), Seal: true}, {Label: p.T("letter.agent")}}
	return sign
}
