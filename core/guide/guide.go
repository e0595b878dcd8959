// Package guide writes the 办理须知 of a product from its live definition.
//
// In: a compiled tenant, one of its products, a language. Out: typed sections for a page, and the same as PDF. Nothing in
// it is written twice: steps, fields, prices, payment, delivery, invoices, letter, notices and contact are what the
// portal itself goes by, in the order the pack's guide names them. No database, no clock.
package guide

import (
	"embed"
	"net/url"
	"sync"

	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/tenant"
)

// Messages are the package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

var bundle = sync.OnceValue(func() *i18n.Bundle { return i18n.Must(Messages) })

// Guide is a product's guide in one language. Empty texts are not shown.
type Guide struct {
	Locale   string
	Title    string // 企业电子钥匙初购办理须知
	Tenant   string // the enterprise's short name
	Operator string
	Product  string
	Summary  string
	Audience string
	Entry    string   // path on the tenant's host where the order begins (req B12 K4)
	Tips     []string // req B11
	Demo     bool     // prices and accounts are for demonstration
	Sections []Section
}

// Section is one part; of the lists only those of its kind are filled.
type Section struct {
	ID, Kind, Title string
	Paragraphs      []string
	Flow            []FlowStep // kind flow
	Groups          []Group    // kinds fields, steps
	Prices          []Price    // kind prices
	Rows            []Row      // kinds payment, delivery, invoice, letter, contact
	Items           []string   // kind notices: numbered from 1
}

// FlowStep is one box of the flow chart (req B10), drawn from left to right.
type FlowStep struct {
	ID    string // "account", "fill", "letter", "confirm", "pay", "review", "send_in", "install", "make", "ship", "invoice", "done"
	Title string
	Text  string
	Ours  bool // we do it; otherwise the applicant
}

// Group is a section of the form.
type Group struct {
	Title, Help string
	When        string // "" = with the order; else when it is asked
	Fields      []Field
}

// Field is one question as a reader prepares for it.
type Field struct {
	Label    string
	Required bool // marked "*" (req B17 K6)
	Depends  bool // asked, or required, only for some answers
	Help     string
	Choices  []string // options to choose from
	Accepts  string   // what a picture must be
}

// Price is one line of the price list.
type Price struct {
	Label  string
	Amount string // 200.00 元 / 个·年
	Why    string
}

// Row is a label and what is to be said there.
type Row struct {
	Label string
	Text  string
	Note  string
}

// Build writes a product's guide in a language.
func Build(t *tenant.Tenant, p tenant.Product, locale string) Guide {
	b := builder{t: t, p: p, locale: i18n.Match(locale), say: bundle().For(locale)}
	g := Guide{
		Locale: b.locale, Tenant: b.in(t.Names().Short), Operator: b.in(t.Operator()), Product: b.in(p.Name),
		Title:   b.say.T("guide.title", "Product", b.in(p.Name)),
		Summary: b.in(p.Summary), Audience: b.in(p.Audience), Entry: entry(p), Demo: t.Demo() || p.Price.Demo,
	}
	for _, tip := range p.Tips {
		g.Tips = append(g.Tips, b.in(tip))
	}
	for _, s := range p.Guide {
		g.Sections = append(g.Sections, b.section(s))
	}
	return g
}

// entry is where the order begins: the short link when there is one.
func entry(p tenant.Product) string {
	if p.Slug != "" {
		return "/s/" + p.Slug
	}
	return "/createOrder?productCode=" + url.QueryEscape(p.Code)
}

// builder is one guide being written.
type builder struct {
	t      *tenant.Tenant
	p      tenant.Product
	locale string
	say    i18n.Printer
}

func (b builder) in(t i18n.Text) string { return t.In(b.locale) }

func (b builder) section(s tenant.Section) Section {
	out := Section{ID: s.ID, Kind: s.Kind, Title: b.in(s.Title)}
	for _, p := range s.Body {
		out.Paragraphs = append(out.Paragraphs, b.in(p))
	}
	switch s.Kind {
	case "flow":
		out.Flow = b.flow()
	case "fields", "steps":
		out.Groups = b.groups()
		out.Paragraphs = append(out.Paragraphs, b.say.T("guide.star"))
	case "prices":
		out.Prices = b.prices()
		if b.t.Demo() || b.p.Price.Demo {
			out.Paragraphs = append(out.Paragraphs, b.say.T("guide.demo_prices"))
		}
	case "payment":
		out.Rows = b.payment()
	case "delivery":
		out.Rows = b.delivery()
	case "invoice":
		out.Rows = b.invoice()
	case "letter":
		out.Rows = b.letters()
	case "notices":
		for _, n := range b.p.Notices {
			out.Items = append(out.Items, b.in(n.Text))
		}
	case "contact":
		out.Rows = b.contact()
	}
	return out
}

// groups lists what is asked, in the order it is asked.
func (b builder) groups() []Group {
	when := map[string]string{}
	for _, st := range b.p.Steps {
		when[st.ID] = st.When
	}
	var out []Group
	for _, g := range b.p.Form.Groups {
		group := Group{Title: b.in(g.Title), Help: b.in(g.Help)}
		if w := when[g.Step]; w != "order" {
			group.When = b.say.T("guide.when." + w)
		}
		for _, fd := range g.Fields {
			group.Fields = append(group.Fields, b.field(g, fd))
		}
		out = append(out, group)
	}
	return out
}

// maxChoices is the longest list of options that is printed.
const maxChoices = 8

func (b builder) field(g form.Group, fd form.Field) Field {
	out := Field{
		Label: b.in(fd.Label), Help: b.in(fd.Help), Required: fd.Required || !fd.RequiredWhen.Empty(),
		Depends: !g.VisibleWhen.Empty() || !fd.VisibleWhen.Empty() || !fd.RequiredWhen.Empty(),
	}
	if len(fd.Options) <= maxChoices {
		for _, o := range fd.Options {
			out.Choices = append(out.Choices, b.in(o.Label))
		}
	}
	if fd.IsFile() {
		out.Accepts = b.accepts(fd.Upload)
		if h := b.in(fd.Upload.Hint); h != "" {
			out.Accepts += b.say.T("guide.stop") + h
		}
	}
	return out
}

// accepts says what a picture must be (req B35 B41 K21 K23).
func (b builder) accepts(u form.Upload) string {
	s := b.say.T("guide.picture", "MB", float64(u.Limit()*10>>20)/10)
	for _, more := range []struct {
		holds bool
		id    string
	}{{u.Colour, "guide.colour"}, {u.Seal && !u.Signature, "guide.seal"}, {u.Signature, "guide.signature"}} {
		if more.holds {
			s += b.say.T("guide.comma") + b.say.T(more.id)
		}
	}
	return s
}
