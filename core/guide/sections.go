package guide

import (
	"fmt"
	"slices"

	"certsaas/core/rules"
	"certsaas/core/tenant"
)

// flow draws the way of an order as this product goes it (req B10).
func (b builder) flow() []FlowStep {
	p := b.p
	var steps []FlowStep
	add := func(holds bool, id string, ours bool, kv ...any) {
		if holds {
			steps = append(steps, FlowStep{ID: id, Title: b.say.T("guide.flow." + id), Text: b.say.T("guide.flow."+id+".text", kv...), Ours: ours})
		}
	}
	payFirst := p.Payment.When != "after_review"
	add(p.Account == "register_first", "account", false)
	for _, st := range p.StepsAt("order") {
		steps = append(steps, FlowStep{ID: "fill", Title: b.in(st.Title), Text: b.groupTitles(st.ID)})
	}
	add(len(p.Letters) > 0, "letter", false)
	add(p.Confirm.Page, "confirm", false)
	add(!p.Free() && payFirst, "pay", false, "Methods", b.methods())
	if p.Review.SLAWorkdays > 0 {
		add(true, "review", true, "Days", p.Review.SLAWorkdays)
	} else {
		add(true, "review_only", true)
	}
	add(!p.Free() && !payFirst, "pay", false, "Methods", b.methods())
	add(p.Fulfilment == "unlock", "send_in", false)
	add(p.Fulfilment == "unlock", "unlock", true)
	add(p.Fulfilment == "install", "install", false)
	add(p.Fulfilment == "produce", "make", true)
	add(p.Fulfilment != "none" && p.Fulfilment != "install" && slices.Contains(p.Delivery.Ships, "goods"), "ship", true)
	add(true, "done", false)
	return steps
}

func (b builder) groupTitles(step string) string {
	var titles []string
	for _, g := range b.p.Form.Groups {
		if g.Step == step {
			titles = append(titles, b.in(g.Title))
		}
	}
	return b.list(titles)
}

func (b builder) list(parts []string) string {
	out := ""
	for i, s := range parts {
		if i > 0 {
			out += b.say.T("guide.and")
		}
		out += s
	}
	return out
}

func (b builder) methods() string {
	var names []string
	for _, m := range b.p.Payment.Methods {
		names = append(names, b.say.T("guide.method."+m))
	}
	return b.list(names)
}

func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

// prices lists the price lines, and the freight that is charged with the order.
func (b builder) prices() []Price {
	var out []Price
	if b.p.Free() {
		return append(out, Price{Label: b.say.T("guide.free")})
	}
	for _, l := range b.p.Price.Lines {
		out = append(out, Price{Label: b.in(l.Label), Amount: b.say.T("guide.per."+l.Per, "Yuan", yuan(l.Unit)), Why: b.in(l.Why)})
	}
	for _, o := range b.p.Delivery.Options {
		if o.Payer == "applicant" && o.Fee > 0 && slices.Contains(b.p.Delivery.Ships, "goods") {
			out = append(out, Price{Label: b.in(o.Label), Amount: b.say.T("guide.per.order", "Yuan", yuan(o.Fee)), Why: b.in(o.Help)})
		}
	}
	return out
}

func (b builder) payment() []Row {
	pay := b.p.Payment
	if b.p.Free() {
		return []Row{{Label: b.say.T("guide.pay.payer"), Text: b.say.T("guide.free")}}
	}
	rows := []Row{{Label: b.say.T("guide.pay.methods"), Text: b.methods(), Note: b.say.T("guide.pay.when." + b.when())}}
	if slices.Contains(pay.Methods, "bank_transfer") {
		rows = append(rows, b.bank()...)
		rows = append(rows, Row{Label: b.say.T("guide.pay.voucher"), Text: b.accepts(pay.Voucher), Note: b.say.T("guide.pay.voucher_same")})
	}
	if pay.PayLater {
		rows = append(rows, Row{Label: b.say.T("guide.pay.later"), Text: b.say.T("guide.pay.later_text")})
	}
	if pay.LapseDays > 0 {
		rows = append(rows, Row{Label: b.say.T("guide.pay.lapse"), Text: b.say.T("guide.pay.lapse_text", "Count", pay.LapseDays)})
	}
	return rows
}

func (b builder) when() string {
	if b.p.Payment.When == "after_review" {
		return "after_review"
	}
	return "before_review"
}

// bank is the account that transfers go to (req B49).
func (b builder) bank() []Row {
	bank, ok := b.t.Bank(b.p.Payment.Bank)
	if !ok {
		return nil
	}
	return []Row{
		{Label: b.say.T("guide.bank.name"), Text: b.in(bank.Name)},
		{Label: b.say.T("guide.bank.bank"), Text: b.in(bank.Bank)},
		{Label: b.say.T("guide.bank.number"), Text: bank.Number, Note: b.in(bank.Note)},
	}
}

func (b builder) delivery() []Row {
	var rows []Row
	d := b.p.Delivery
	if slices.Contains(d.Ships, "goods") && b.p.Review.SLAWorkdays > 0 {
		rows = append(rows, Row{Label: b.say.T("guide.ship.time"), Text: b.say.T("guide.ship.time_text", "Count", b.p.Review.SLAWorkdays)})
	}
	if len(d.Ships) > 0 {
		var what []string
		for _, w := range d.Ships {
			what = append(what, b.say.T("guide.ship."+w))
		}
		rows = append(rows, Row{Label: b.say.T("guide.ship.what"), Text: b.list(what)})
	}
	for _, o := range d.Options {
		rows = append(rows, b.option(o))
	}
	if b.p.Inbound.Required {
		rows = append(rows, Row{Label: b.say.T("guide.ship.inbound"), Text: b.in(b.p.Inbound.Address), Note: b.in(b.p.Inbound.Help)})
	}
	return rows
}

func (b builder) option(o rules.DeliveryOption) Row {
	row := Row{Label: b.in(o.Label), Text: b.say.T("guide.freight." + o.Payer), Note: b.in(o.Help)}
	if o.Carrier == "pickup" {
		row.Text, row.Note = b.in(o.Address), b.in(o.Hours)
	}
	return row
}

func (b builder) invoice() []Row {
	inv := b.p.Invoice
	if !inv.Offered {
		return []Row{{Label: b.say.T("guide.invoice"), Text: b.say.T("guide.invoice.none")}}
	}
	rows := []Row{{Label: b.say.T("guide.invoice.ask"), Text: b.say.T("guide.invoice.default." + yesNo(inv.Default)), Note: b.say.T("guide.invoice.when." + withOrder(inv.AskWhen))}}
	for _, k := range inv.Kinds {
		rows = append(rows, Row{Label: b.in(k.Label), Text: b.in(k.Help), Note: b.paper(k)})
	}
	return rows
}

// paper says when a paper invoice comes, and by whom (req B9).
func (b builder) paper(k rules.InvoiceKind) string {
	if k.Code != "paper" {
		return ""
	}
	carrier := ""
	for _, o := range b.p.Delivery.Options {
		if o.Code == b.p.Invoice.Carrier {
			carrier = b.in(o.Label)
		}
	}
	switch days := b.p.Invoice.PaperDays; {
	case carrier == "":
		return ""
	case days == 0:
		return b.say.T("guide.invoice.paper_month", "Carrier", carrier)
	default:
		return b.say.T("guide.invoice.paper_days", "Days", days, "Carrier", carrier)
	}
}

func yesNo(s string) string {
	if s == "yes" {
		return "yes"
	}
	return "no"
}

func withOrder(s string) string {
	if s == "after_approval" {
		return s
	}
	return "with_order"
}

// letters says what to print, seal and hand in (req B43 B44 B45 K20–K23).
func (b builder) letters() []Row {
	if len(b.p.Letters) == 0 {
		return []Row{{Label: b.say.T("guide.letter"), Text: b.say.T("guide.letter.none")}}
	}
	var rows []Row
	for _, use := range b.p.Letters {
		l, ok := b.t.Letter(use.Letter)
		if !ok {
			continue
		}
		text := b.say.T("guide.letter.get." + outputs(l))
		text += b.say.T("guide.letter." + l.Seal)
		if l.Colour {
			text += b.say.T("guide.letter.colour")
		}
		rows = append(rows, Row{Label: b.in(l.Title), Text: text, Note: b.in(l.Note)})
	}
	return rows
}

func outputs(l tenant.Letter) string {
	if slices.Contains(l.Outputs, "print") {
		return "both"
	}
	return "download"
}

// contact lists help in the tenant's order, the rest after it (req B60–B62 K55–K60).
func (b builder) contact() []Row {
	c := b.t.Contact()
	entries := map[string]string{"hotline": c.Hotline, "qq": c.QQ, "email": c.Email, "hours": b.in(c.Hours), "address": b.in(c.Address)}
	order := slices.Clone(c.Order)
	for _, k := range []string{"hotline", "qq", "email", "hours", "address"} {
		if !slices.Contains(order, k) {
			order = append(order, k)
		}
	}
	rows := []Row{{Label: b.say.T("guide.contact.operator"), Text: b.in(b.t.Operator())}}
	if unit := b.in(c.Unit); unit != "" {
		rows = append(rows, Row{Label: b.say.T("guide.contact.unit"), Text: unit})
	}
	for _, k := range order {
		if entries[k] != "" {
			rows = append(rows, Row{Label: b.say.T("guide.contact." + k), Text: entries[k]})
		}
	}
	return rows
}

// Text is used by tests and searches: everything a guide says, in order.
func (g Guide) Text() string {
	out := g.Title + "\n" + g.Summary + "\n" + g.Audience + "\n"
	line := func(parts ...string) {
		for _, s := range parts {
			if s != "" {
				out += s + "\n"
			}
		}
	}
	line(g.Tips...)
	for _, s := range g.Sections {
		line(s.Title)
		line(s.Paragraphs...)
		for _, f := range s.Flow {
			line(f.Title, f.Text)
		}
		for _, gr := range s.Groups {
			line(gr.Title, gr.Help, gr.When)
			for _, f := range gr.Fields {
				line(f.Label, f.Help, f.Accepts)
				line(f.Choices...)
			}
		}
		for _, p := range s.Prices {
			line(p.Label, p.Amount, p.Why)
		}
		for _, r := range s.Rows {
			line(r.Label, r.Text, r.Note)
		}
		line(s.Items...)
	}
	return out
}
