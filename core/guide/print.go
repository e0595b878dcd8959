package guide

import (
	"fmt"

	"certsaas/core/i18n"
	"certsaas/core/letter/pdf"
)

// PDF prints a guide. The same guide gives the same bytes.
func PDF(g Guide) ([]byte, error) {
	say := bundle().For(g.Locale)
	d := pdf.Document{Title: g.Title, Lang: g.Locale, Footer: g.Tenant, Words: words(say),
		Blocks: []pdf.Block{pdf.Title{Text: g.Title, Sub: g.Operator}}}
	for _, s := range []string{g.Summary, g.Audience} {
		d.Blocks = paragraph(d.Blocks, s, g.Locale)
	}
	if len(g.Tips) > 0 {
		d.Blocks = append(d.Blocks, pdf.Heading{Level: 2, Text: say.T("guide.tips")}, list(pdf.Bullet, g.Tips))
	}
	for i, s := range g.Sections {
		d.Blocks = append(d.Blocks, pdf.Heading{Level: 1, Text: fmt.Sprintf("%d. %s", i+1, s.Title)})
		d.Blocks = append(d.Blocks, s.blocks(say, g.Locale)...)
	}
	if g.Demo {
		d.Blocks = append(d.Blocks, pdf.Rule{}, pdf.Paragraph{Text: pdf.Plain(say.T("guide.demo")), Align: pdf.AlignLeft})
	}
	out, err := pdf.Render(d)
	if err != nil {
		return nil, fmt.Errorf("guide: print: %w", err)
	}
	return out, nil
}

func words(say i18n.Printer) pdf.Words {
	return pdf.Words{Page: say.T("guide.word.page"), ListStop: say.T("guide.word.stop")}
}

func paragraph(blocks []pdf.Block, s, locale string) []pdf.Block {
	if s == "" {
		return blocks
	}
	return append(blocks, pdf.Paragraph{Text: pdf.Plain(s), Indent: locale == i18n.ZH})
}

func list(style pdf.ListStyle, items []string) pdf.List {
	l := pdf.List{Style: style}
	for _, s := range items {
		l.Items = append(l.Items, pdf.Plain(s))
	}
	return l
}

func (s Section) blocks(say i18n.Printer, locale string) []pdf.Block {
	var out []pdf.Block
	for _, p := range s.Paragraphs {
		out = paragraph(out, p, locale)
	}
	if len(s.Flow) > 0 {
		t := pdf.Table{Head: []string{say.T("guide.col.step"), say.T("guide.col.who"), say.T("guide.col.what")}, Widths: []float64{2.4, 1, 4}}
		for i, f := range s.Flow {
			who := say.T("guide.who.applicant")
			if f.Ours {
				who = say.T("guide.who.us")
			}
			t.Rows = append(t.Rows, []string{fmt.Sprintf("%d. %s", i+1, f.Title), who, f.Text})
		}
		out = append(out, t)
	}
	for _, g := range s.Groups {
		out = append(out, pdf.Heading{Level: 2, Text: join(g.Title, g.When)})
		out = paragraph(out, g.Help, locale)
		t := pdf.Table{Head: []string{say.T("guide.col.field"), say.T("guide.col.note")}, Widths: []float64{1.2, 2}}
		for _, f := range g.Fields {
			t.Rows = append(t.Rows, []string{f.Name(), f.Note(say)})
		}
		out = append(out, t)
	}
	if len(s.Prices) > 0 {
		t := pdf.Table{Head: []string{say.T("guide.col.price"), say.T("guide.col.amount"), say.T("guide.col.note")}, Widths: []float64{2, 1.4, 2}}
		for _, p := range s.Prices {
			t.Rows = append(t.Rows, []string{p.Label, p.Amount, p.Why})
		}
		out = append(out, t)
	}
	if len(s.Rows) > 0 {
		t := pdf.Table{Head: []string{say.T("guide.col.item"), say.T("guide.col.note")}, Widths: []float64{1, 2.6}}
		for _, r := range s.Rows {
			t.Rows = append(t.Rows, []string{r.Label, join(r.Text, r.Note)})
		}
		out = append(out, t)
	}
	if len(s.Items) > 0 {
		out = append(out, list(pdf.NumberDot, s.Items))
	}
	return out
}

// Name is a field's label with the mark of a required one.
func (f Field) Name() string {
	if f.Required {
		return "* " + f.Label
	}
	return f.Label
}

// Note is all there is to say about a field, in one text.
func (f Field) Note(say i18n.Printer) string {
	note := ""
	if f.Depends {
		note = say.T("guide.depends")
	}
	choices := ""
	for i, c := range f.Choices {
		if i > 0 {
			choices += " / "
		}
		choices += c
	}
	for _, s := range []string{choices, f.Help, f.Accepts} {
		note = join(note, s)
	}
	return note
}

func join(a, b string) string {
	switch {
	case a == "":
		return b
	case b == "":
		return a
	}
	return a + "\n" + b
}
