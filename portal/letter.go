package portal

import (
	"errors"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/letter"
	"certsaas/core/letter/pdf"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// form is the letter these answers need, for a field that takes its scan.
func (s *sheet) form(fd form.Field) (tenant.Letter, bool) {
	if fd.Type != form.Letter || s.w.Site == nil {
		return tenant.Letter{}, false
	}
	id, ok := s.w.Item.LetterFor(s.w.Answers, s.w.Facts)
	if !ok {
		return tenant.Letter{}, false
	}
	return s.w.Site.Letter(id)
}

// withLetter makes the sheet draw the letter beside the tile that takes its scan.
func (p *Portal) withLetter(c *fiber.Ctx, f filling, s *sheet) {
	if !s.part.Has(func(fd form.Field) bool { return fd.Type == form.Letter }) {
		return
	}
	pre, err := p.Letters.Preview(c.UserContext(), f.w.Tenant, f.w.ID)
	if err != nil { // no letter needed, or none can be drawn: the tile alone
		return
	}
	s.letter = func(fd form.Field, tile ui.UploadProps) templ.Component {
		v := letterViewOf(pre, s)
		v.Tile, v.InForm, v.Specimen = tile, true, p.Demo
		return letterBlock(v)
	}
}

// letterViewOf is what the page says about a letter.
func letterViewOf(pre letter.Preview, s *sheet) letterView {
	l := pre.Letter
	v := letterView{Paper: paperOf(l), Voided: pre.Voided, Until: l.ValidUntil().String(), Note: l.Form.Note.In(s.say.Locale()),
		Base: "/orders/" + s.w.ID.String() + "/letter"}
	v.Download = len(l.Form.Outputs) == 0 || slices.Contains(l.Form.Outputs, "download")
	v.Print = slices.Contains(l.Form.Outputs, "print")
	seal := "portal.letter_seal"
	if l.Form.Seal == "signature" {
		seal = "portal.letter_sign"
	}
	photo := "portal.letter_photo"
	if l.Form.Colour {
		photo = "portal.letter_photo_colour"
	}
	out := "portal.letter_download"
	if v.Print {
		out = "portal.letter_print"
	}
	v.Ways = []string{s.say.T(out), s.say.T(seal), s.say.T(photo)}
	return v
}

// paperOf is a letter as a picture of its page.
func paperOf(l letter.Letter) paper {
	out := paper{Number: l.Number, Title: l.Form.Title.In(l.Locale), Lang: l.Locale}
	out.To = filled(l.Form.To.In(l.Locale), l.Values)
	for _, b := range l.Form.Blocks {
		line := paperBlock{Kind: b.Kind, Text: filled(b.Text.In(l.Locale), l.Values)}
		for _, r := range b.Rows {
			line.Rows = append(line.Rows, paperRow{Label: r.Label.In(l.Locale), Value: filled(r.Value, l.Values)})
		}
		out.Blocks = append(out.Blocks, line)
	}
	return out
}

// filled puts the values into the blanks of a letter's text; an empty blank stays a line to look at.
func filled(template string, values map[string]string) []pdf.Span {
	text, err := pdf.Fill(template, values)
	if err != nil {
		return pdf.Plain(template)
	}
	for i := range text {
		if text[i].Underline && strings.TrimSpace(text[i].Text) == "" {
			text[i].Text = "　　"
		}
	}
	return text
}

// letterWays are the addresses of a letter by the button that was pressed.
var letterWays = map[string]string{"letter-pdf": "/letter.pdf", "letter-print": "/letter/print", "letter-specimen": "/letter/specimen.jpg"}

// toLetter leads from the form to the letter once everything it prints is filled in; the step was stored just now.
func (p *Portal) toLetter(c *fiber.Ctx, f filling, s *sheet, problems ui.Errors, how string) error {
	pre, err := p.Letters.Preview(c.UserContext(), f.w.Tenant, f.w.ID)
	if err != nil {
		return err
	}
	problems = slices.DeleteFunc(problems, func(e ui.FieldError) bool { return !s.beforeLetter(e.Name, pre.Fields) })
	if len(problems) == 0 {
		_, err := p.Letters.Current(c.UserContext(), f.w.Tenant, f.w.ID)
		if err == nil {
			to, ok := letterWays[how]
			if !ok {
				return fault.New(fault.NotFound, "web.not_found")
			}
			return web.Redirect(c, "/orders/"+f.w.ID.String()+to)
		}
		if !errors.Is(err, fault.Invalid) {
			return err
		}
		problems = web.FormErrors(err, f.say)
	}
	web.PageOf(c).Errors = s.inOrder(problems)
	return web.Render(c, fiber.StatusUnprocessableEntity, formPage(p.formView(c, f, s, "")))
}

// beforeLetter tells whether a field must be right before the letter is printed: it is printed, or stands above it.
func (s *sheet) beforeLetter(key string, printed []string) bool {
	if fd, ok := s.part.Field(key); !ok || fd.IsFile() {
		return false
	}
	if slices.Contains(printed, key) {
		return true
	}
	for _, g := range s.part.Groups {
		for _, fd := range g.Fields {
			if fd.Key == key {
				return true
			}
		}
		if slices.ContainsFunc(g.Fields, func(fd form.Field) bool { return fd.Type == form.Letter }) {
			return false
		}
	}
	return false
}

// showLetter is the letter's own page: to look at it, save it or print it again.
func (p *Portal) showLetter(c *fiber.Ctx) error {
	w, err := p.open(c.UserContext(), web.SiteOf(c).Tenant, orderID(c))
	if err != nil {
		return err
	}
	pre, err := p.Letters.Preview(c.UserContext(), w.Tenant, w.ID)
	if err != nil {
		return err
	}
	back := ui.Link{Label: web.Printer(c).T("portal.to_order"), Href: "/orders/" + w.ID.String()}
	if w.Editable() {
		back = ui.Link{Label: web.Printer(c).T("portal.to_form"), Href: fillURL(w.Order, firstStep(w))}
	}
	s := p.sheet(w, "", web.Printer(c))
	return web.Render(c, fiber.StatusOK, letterPage(letterViewOf(pre, s), back))
}

// letterPDF gives the letter as a file (req B43 K20).
func (p *Portal) letterPDF(c *fiber.Ctx) error { return p.sendLetter(c, "attachment") }

// letterSpecimen gives the letter as it comes back, sealed and photographed: in a demonstration alone.
func (p *Portal) letterSpecimen(c *fiber.Ctx) error {
	l, err := p.Letters.Current(c.UserContext(), web.SiteOf(c).Tenant, orderID(c))
	if err != nil {
		return err
	}
	raw, err := l.Specimen()
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "image/jpeg")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+l.Number+`.jpg"`)
	return c.Send(raw)
}

// letterPrint opens the same file in the browser's own viewer, whose print button prints it (req B43).
func (p *Portal) letterPrint(c *fiber.Ctx) error { return p.sendLetter(c, "inline") }

func (p *Portal) sendLetter(c *fiber.Ctx, how string) error {
	l, err := p.Letters.Current(c.UserContext(), web.SiteOf(c).Tenant, orderID(c))
	if err != nil {
		return err
	}
	raw, err := p.Letters.PDF(c.UserContext(), l)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "application/pdf")
	c.Set(fiber.HeaderContentDisposition, how+`; filename="`+l.Number+`.pdf"`)
	// the viewer of a browser is a page of its own and styles itself
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	return c.Send(raw)
}
