package tenant

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"certsaas/core/form"
	"certsaas/core/pki"
)

// productValidator checks one product.
type productValidator struct {
	*validator
	p  Product
	at string
}

func (v *productValidator) all() {
	if !codeForm.MatchString(v.p.Code) {
		v.bad(v.at+".code", fmt.Sprintf("%q is not a product code", v.p.Code), "use 3 to 30 of A-Z, 0-9 and -, a letter first")
	}
	if v.p.Slug != "" && !slugForm.MatchString(v.p.Slug) {
		v.bad(v.at+".slug", fmt.Sprintf("%q cannot be a short link", v.p.Slug), "use 2 to 31 of a-z, 0-9 and -, a letter first")
	}
	v.amounts()
	v.steps()
	v.form()
	v.letter()
	v.confirm()
	v.payment()
	v.review()
	v.fulfil()
	v.invoice()
	v.notify()
	v.renewal()
}

func (v *productValidator) amounts() {
	q := v.p.Quantity
	if q.Min > q.Default || q.Default > q.Max || q.Max > 1000 {
		v.bad(v.at+".quantity", fmt.Sprintf("min %d, default %d and max %d do not fit together", q.Min, q.Default, q.Max), "keep 1 ≤ min ≤ default ≤ max ≤ 1000")
	}
	t := v.p.Term
	for i, y := range t.Years {
		if y < 1 || y > 10 {
			v.bad(fmt.Sprintf("%s.term.years[%d]", v.at, i), fmt.Sprintf("a term of %d years is not possible", y), "choose 1 to 10")
		}
	}
	if len(t.Years) > 0 && !slices.Contains(t.Years, t.Default) {
		v.bad(v.at+".term", fmt.Sprintf("the default of %d years is not offered", t.Default), "make default: one of years:")
	}
	if v.p.Issues() && len(t.Years) == 0 && v.p.Certificate.Validity != "keep_old_end" {
		v.bad(v.at, "a certificate is issued but no term is offered", "add term: {years: [1], default: 1}, or certificate: {validity: keep_old_end}")
	}
}

func (v *productValidator) steps() {
	seen := map[string]bool{}
	used := map[string]bool{}
	for _, g := range v.p.Form.Groups {
		used[g.Step] = true
	}
	for i, s := range v.p.Steps {
		path := fmt.Sprintf("%s.steps[%d]", v.at, i)
		if seen[s.ID] {
			v.bad(path+".id", fmt.Sprintf("step %q is written twice", s.ID), "give each step its own id")
		}
		seen[s.ID] = true
		if !used[s.ID] {
			v.bad(path+".id", fmt.Sprintf("no group is shown on step %q", s.ID), "say step: "+s.ID+" in a group of the form, or take the step away")
		}
	}
	if len(v.p.StepsAt("order")) == 0 {
		v.bad(v.at+".steps", "the order has no step", "add a step with when: order")
	}
}

// letter checks that the letters exist, fit the form and fill only blanks that are asked.
func (v *productValidator) letter() {
	_, asked := v.p.Form.Field("letter")
	if asked != (len(v.p.Letters) > 0) {
		v.bad(v.at, "letters: and a field of type letter go together, and one of them is missing", "add the other one, or take both away")
	}
	blanks := slices.Clone(LetterFacts)
	for fd := range v.p.Form.Fields() {
		blanks = append(blanks, fd.Key)
	}
	for i, use := range v.p.Letters {
		path := fmt.Sprintf("%s.letters[%d]", v.at, i)
		v.condition(use.When, path+".when", v.keys())
		if !v.known(path+".letter", use.Letter, slices.Collect(maps.Keys(v.doc.Letters)), "letter") {
			continue
		}
		for j, b := range v.doc.Letters[use.Letter].Blocks {
			at := fmt.Sprintf("letters.%s.blocks[%d]", use.Letter, j)
			for _, s := range b.Text {
				v.blanks(at+".text", s, blanks)
			}
			for k, r := range b.Rows {
				v.blanks(fmt.Sprintf("%s.rows[%d].value", at, k), r.Value, blanks)
			}
		}
	}
}

func (v *productValidator) blanks(path, text string, known []string) {
	for _, name := range Placeholders(text) {
		v.known(path, name, known, "placeholder")
	}
}

func (v *productValidator) keys() []string {
	var keys []string
	for fd := range v.p.Form.Fields() {
		keys = append(keys, fd.Key)
	}
	return keys
}

func (v *productValidator) confirm() {
	c := v.p.Confirm
	if c.Agreement != "" {
		v.known(v.at+".confirm.agreement", c.Agreement, slices.Collect(maps.Keys(v.doc.Agreements)), "agreement")
	}
	if c.Code && (c.CodeTTL < 30e9 || c.ResendWait < 30e9) {
		v.bad(v.at+".confirm", "an SMS code needs a lifetime and a wait before a resend", `add code_ttl: 300s and resend_wait: 60s, 30s or more`)
	}
	if _, ok := v.p.Form.Field("mobile"); !ok {
		v.bad(v.at+".form", "no field has the key mobile", "add a field with key: mobile, type: mobile; codes and messages go there")
	}
	if v.p.Account == "order_first" && !c.Code {
		v.bad(v.at+".confirm", "an order without registration must be confirmed by an SMS code", "say code: true, or account: register_first")
	}
}

func (v *productValidator) payment() {
	p, path := v.p.Payment, v.at+".payment"
	if v.p.Free() {
		if len(p.Methods) > 0 {
			v.bad(path+".methods", "the enterprise pays, so the applicant needs no method", "take methods away, or say payer: applicant")
		}
		return
	}
	if p.Payer == "" || p.When == "" || p.Payee == "" || len(p.Methods) == 0 {
		v.bad(path, "who pays, when, how and to whom is not said", "add payer, when, methods and payee")
		return
	}
	if len(v.p.Price.Lines) == 0 {
		v.bad(v.at+".price", "the applicant pays but there is no price", "add price: {lines: [{code: …, label: …, unit: 200.00, per: key_year}]}, or say payment: {payer: enterprise}")
	}
	for i, l := range v.p.Price.Lines {
		v.condition(l.When, fmt.Sprintf("%s.price.lines[%d].when", v.at, i), v.keys())
	}
	if p.Payee == "enterprise" && !slices.Equal(p.Methods, []string{"bank_transfer"}) {
		v.bad(path+".methods", "only a transfer reaches the enterprise's own account", "say methods: [bank_transfer], or payee: operator")
	}
	if slices.Contains(p.Methods, "bank_transfer") {
		v.bank(path)
	}
}

func (v *productValidator) bank(path string) {
	var ids []string
	for _, b := range v.doc.Tenant.Banks {
		ids = append(ids, b.ID)
		if b.ID == v.p.Payment.Bank && b.Owner != v.p.Payment.Payee {
			v.bad(path+".bank", fmt.Sprintf("account %q belongs to the %s but the payee is the %s", b.ID, b.Owner, v.p.Payment.Payee), "choose an account of the payee")
		}
	}
	v.known(path+".bank", v.p.Payment.Bank, ids, "bank account")
}

func (v *productValidator) review() {
	r, path := v.p.Review, v.at+".review"
	if r.Mode == "auto_when_checks_pass" && r.Auto.Empty() {
		v.bad(path, "no check decides that an order passes without a reviewer", "add auto: {fact: checks, is: passed}, or say mode: manual")
	}
	for desk, days := range map[string]int{"payment": v.p.DeskDays.Payment, "review": v.p.DeskDays.Review, "production": v.p.DeskDays.Production,
		"shipping": v.p.DeskDays.Shipping, "invoice": v.p.DeskDays.Invoice, "refund": v.p.DeskDays.Refund} {
		if days < 0 || days > 90 {
			v.bad(v.at+".desk_days."+desk, fmt.Sprintf("%d working days are not possible", days), "choose 1 to 90, or 0 for a desk that is not watched")
		}
	}
	if r.Mode == "" {
		v.bad(path, "it is not said who reviews", "add mode: manual or mode: auto_when_checks_pass")
	}
	v.condition(r.Auto, path+".auto", v.keys())
	ids := map[string]bool{}
	for i, c := range r.Checklist {
		at := fmt.Sprintf("%s.checklist[%d]", path, i)
		v.condition(c.When, at+".when", v.keys())
		if ids[c.ID] {
			v.bad(at+".id", fmt.Sprintf("check %q is written twice", c.ID), "give each check its own id")
		}
		ids[c.ID] = true
	}
	e := v.p.Eligibility
	for i, k := range e.Confirm {
		at := fmt.Sprintf("%s.eligibility.confirm[%d]", v.at, i)
		fd, ok := v.p.Form.Field(k)
		if !ok {
			v.known(at, k, v.keys(), "field")
		} else if fd.Type != form.Checkbox || !fd.Required {
			v.bad(at, fmt.Sprintf("field %q cannot confirm anything", k), "make it type: checkbox with required: true")
		}
	}
	if e.Roster {
		v.known(v.at+".eligibility.roster_by", e.RosterBy, v.keys(), "field")
		if !v.doc.Tenant.Roster.Enabled {
			v.bad(v.at+".eligibility.roster", "the tenant keeps no roster", "add roster: {enabled: true, by: …} to tenant.yaml and the file roster.txt")
		}
	}
}

func (v *productValidator) fulfil() {
	p := v.p
	switch {
	case p.Fulfilment == "produce" && (len(p.Delivery.Options) == 0 || !slices.Contains(p.Delivery.Ships, "goods")):
		v.bad(v.at+".delivery", "a new key is made but there is no way to send it", "add ships: [goods] and options: to delivery")
	case p.Fulfilment == "unlock" && !p.Inbound.Required:
		v.bad(v.at+".inbound", "an unlock needs the applicant's key", "add inbound: {required: true, address: …} and a step with when: send_in")
	}
	if p.Inbound.Required {
		for _, key := range []string{"inbound_carrier", "inbound_waybill"} {
			if _, ok := p.FormAt("send_in").Field(key); !ok {
				v.bad(v.at+".form", fmt.Sprintf("no field %q is asked on a send_in step", key), "add a group with it, on a step with when: send_in")
			}
		}
	}
	_, asked := p.Form.Field("carrier")
	if asked != (len(p.Delivery.Options) > 0) {
		v.bad(v.at+".delivery", "delivery options and the field carrier go together, and one of them is missing", "add {key: carrier, options_from: delivery} to the form, or take the options away")
	}
	codes := map[string]bool{}
	for i, o := range p.Delivery.Options {
		path := fmt.Sprintf("%s.delivery.options[%d]", v.at, i)
		if codes[o.Code] {
			v.bad(path+".code", fmt.Sprintf("option %q is written twice", o.Code), "give each option its own code")
		}
		codes[o.Code] = true
		if o.Carrier == "pickup" && len(o.Address) == 0 {
			v.bad(path, "nobody knows where to pick the key up", "add address: {zh-CN: …, en: …}")
		}
		v.condition(o.When, path+".when", v.keys())
	}
	v.certificate()
}

func (v *productValidator) certificate() {
	c, path := v.p.Certificate, v.at+".certificate"
	if !v.p.Issues() {
		return
	}
	if c.Validity == "" {
		v.bad(path, "it is not said how long the certificate is valid", "add validity: new_term, carry_over or keep_old_end")
	}
	if c.Validity != "new_term" && v.p.Service == FirstIssue {
		v.bad(path+".validity", "a first certificate has no old one whose end could count", "say validity: new_term")
	}
	profile, err := pki.CompileProfile(c.Profile)
	if err != nil {
		v.bad(path+".profile", err.Error(), "correct the profile")
		return
	}
	known := append(v.keys(), SubjectFacts...)
	for _, name := range profile.Placeholders() {
		v.known(path+".profile.subject", name, known, "placeholder")
	}
}

func (v *productValidator) invoice() {
	in, path := v.p.Invoice, v.at+".invoice"
	if !in.Offered {
		return
	}
	if len(in.Kinds) == 0 || in.Default == "" || in.AskWhen == "" {
		v.bad(path, "the invoice on offer is not complete", "add default, ask_when and kinds")
		return
	}
	when := map[string]string{"with_order": "order", "after_approval": "after_approval"}[in.AskWhen]
	if _, ok := v.p.FormAt(when).Field("invoice_wanted"); !ok {
		v.bad(path+".ask_when", fmt.Sprintf("no field invoice_wanted is asked on a step with when: %s", when), "add the group of the invoice to such a step")
	}
	for _, k := range in.Kinds {
		if k.Code == "paper" && !slices.Contains(v.p.Delivery.Ships, "invoice") {
			v.bad(path+".kinds", "a paper invoice is offered but nothing sends it", "add invoice to delivery: {ships: […]}, or offer kind e only")
		}
	}
}

func (v *productValidator) notify() {
	for event, channels := range v.p.Notify {
		path := v.at + ".notify." + event
		if !v.known(path, event, slices.Collect(maps.Keys(Events)), "event") {
			continue
		}
		m, ok := v.doc.Messages[event]
		for _, c := range channels {
			if !v.known(path, c, Channels, "channel") {
				continue
			}
			if !ok || c == "sms" && len(m.SMS) == 0 || c == "email" && (len(m.Email.Body) == 0 || len(m.Email.Subject) == 0) {
				v.bad(path, fmt.Sprintf("messages.yaml has no %s text for %q", c, event), fmt.Sprintf("add %s: {%s: …} to messages.yaml", event, c))
			} else if slices.Contains(Events[event], "link") && !linked(m, c) {
				v.bad(path, fmt.Sprintf("the %s text for %q does not lead to the renewal", c, event), fmt.Sprintf("write {link} into every language of %s in messages.yaml", event))
			}
		}
	}
}

func (v *productValidator) renewal() {
	if v.p.RenewedBy != "" {
		var codes []string
		for _, p := range v.doc.Products {
			codes = append(codes, p.Code)
		}
		v.known(v.at+".renewed_by", v.p.RenewedBy, codes, "product")
	}
	w := v.p.Window
	if w.OpenDays < 0 || w.LateDays < 0 || w.OpenDays > 3650 || w.LateDays > 3650 {
		v.bad(v.at+".renewal", "the window is not possible", "keep open_days and late_days between 0 and 3650")
	}
	if w.DocumentsMonths < 0 || w.DocumentsMonths > 60 {
		v.bad(v.at+".renewal", "documents cannot be so old", "keep documents_months between 0 and 60")
	}
	seen := map[int]bool{}
	for i, o := range v.p.Reminder.Offsets {
		if seen[o] {
			v.bad(fmt.Sprintf("%s.reminder.offsets[%d]", v.at, i), fmt.Sprintf("day %d is written twice", o), "write each day once; days after the end are negative")
		}
		seen[o] = true
	}
}

// linked tells whether a reminder's text has the link to its renewal in every language.
func linked(m Message, channel string) bool {
	text := m.SMS
	if channel == "email" {
		text = m.Email.Body
	}
	for _, t := range text {
		if !strings.Contains(t, "{link}") {
			return false
		}
	}
	return true
}
