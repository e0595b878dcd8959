package tenant

import (
	"strconv"

	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/pki"
	"certsaas/core/rules"
)

// Services a product can be.
const (
	FirstIssue  = "first_issue"
	Renewal     = "renewal"
	Replacement = "replacement"
	Change      = "change"
	Unlock      = "unlock"
	Revocation  = "revocation"
)

// Product is one thing a tenant sells: everything that differs from product to product.
type Product struct {
	Code        string              `yaml:"code" need:"yes"`
	Slug        string              `yaml:"slug"` // short link /s/<slug>
	Service     string              `yaml:"service" need:"yes" oneof:"first_issue renewal replacement change unlock revocation"`
	Name        i18n.Text           `yaml:"name" need:"yes"`
	Summary     i18n.Text           `yaml:"summary" need:"yes"`
	Audience    i18n.Text           `yaml:"audience"`
	Tips        []i18n.Text         `yaml:"tips"` // important tips before ordering (req B11)
	Term        Term                `yaml:"term"`
	Quantity    Quantity            `yaml:"quantity"`
	Account     string              `yaml:"account" need:"yes" oneof:"register_first order_first"`
	Login       string              `yaml:"login" need:"yes" oneof:"password code"` // mobile + password, or mobile + SMS code
	Steps       []Step              `yaml:"steps" need:"yes"`
	Form        form.Form           `yaml:"form" need:"yes"`
	Letters     []LetterUse         `yaml:"letters"` // the first whose When holds; none holds: no letter
	Confirm     Confirm             `yaml:"confirm"`
	Payment     Payment             `yaml:"payment"`
	Price       rules.Price         `yaml:"price"`
	Eligibility rules.Eligibility   `yaml:"eligibility"`
	Review      rules.Review        `yaml:"review"`
	DeskDays    DeskDays            `yaml:"desk_days"`
	Fulfilment  string              `yaml:"fulfilment" need:"yes" oneof:"install produce unlock none"`
	Delivery    rules.Delivery      `yaml:"delivery"`
	Inbound     Inbound             `yaml:"inbound"`
	Invoice     rules.Invoice       `yaml:"invoice"`
	Certificate Certificate         `yaml:"certificate"`
	Window      Window              `yaml:"renewal"`
	RenewedBy   string              `yaml:"renewed_by"` // code of the product that renews this one's certificates
	Reminder    Reminder            `yaml:"reminder"`
	Notify      map[string][]string `yaml:"notify"` // event → channels (sms, email)
	Notices     []Notice            `yaml:"notices"`
	Guide       []Section           `yaml:"guide"`

	asks map[string]bool // facts that something of the product depends on
}

// Term is the choice of years (req B18 K7). Empty for a service without a new term.
type Term struct {
	Years   []int `yaml:"years"`
	Default int   `yaml:"default"`
}

// Quantity is how many keys one order may hold (req B19 K8).
type Quantity struct {
	Min     int `yaml:"min"`
	Max     int `yaml:"max"`
	Default int `yaml:"default"`
}

// Step is a page of the portal that shows the groups naming it.
type Step struct {
	ID    string    `yaml:"id" need:"yes"`
	Title i18n.Text `yaml:"title" need:"yes"`
	Next  i18n.Text `yaml:"next"`                                                 // text of the button
	When  string    `yaml:"when" need:"yes" oneof:"order after_approval send_in"` // with the order; after approval; when the applicant sends the key in
}

// LetterUse chooses a letter.
type LetterUse struct {
	Letter string    `yaml:"letter" need:"yes"`
	When   form.Cond `yaml:"when"`
}

// Payment is who pays, when, how and to whom. Payer enterprise means: no payment step.
type Payment struct {
	Payer     string      `yaml:"payer" oneof:"applicant enterprise"`
	When      string      `yaml:"when" oneof:"before_review after_review"`
	Methods   []string    `yaml:"methods" oneof:"alipay wechat bank_transfer"`
	PayLater  bool        `yaml:"pay_later"`  // req B53
	LapseDays int         `yaml:"lapse_days"` // an unpaid order lapses after so many days (decision 9)
	Payee     string      `yaml:"payee" oneof:"operator enterprise"`
	Bank      string      `yaml:"bank"` // id of the bank account for transfers
	Voucher   form.Upload `yaml:"voucher"`
}

// Inbound asks the applicant to send his key in and to type the waybill; its fields are the groups of the "send_in" steps.
type Inbound struct {
	Required bool      `yaml:"required"`
	When     string    `yaml:"when" oneof:"after_payment after_approval"`
	Address  i18n.Text `yaml:"address"`
	Help     i18n.Text `yaml:"help"`
}

// Certificate is what is issued.
type Certificate struct {
	// Profile is core/pki's own configuration; its subject's {names} are answers or SubjectFacts.
	// validity_years may be left out: the ordered term counts.
	Profile   pki.ProfileConfig `yaml:"profile"`
	Validity  string            `yaml:"validity" oneof:"new_term carry_over keep_old_end"`
	RevokeOld string            `yaml:"revoke_old" oneof:"none superseded key_compromise affiliation_changed cessation_of_operation"`
}

// Window is when a certificate may be renewed (decision 12).
type Window struct {
	OpenDays  int  `yaml:"open_days"`
	LateDays  int  `yaml:"late_days"`
	CarryOver bool `yaml:"carry_over"`
	// DocumentsMonths is how old a picture of the last order may be to stand for a renewal that opens by itself; 0: none stands.
	// Letters never do.
	DocumentsMonths int `yaml:"documents_months"`
}

// Reminder is when the holder is told: days before the end, negative after it (domain §10).
type Reminder struct {
	Offsets  []int    `yaml:"offsets"`
	Channels []string `yaml:"channels" oneof:"sms email"`
	// Others are the days on which the enterprise's contact of the dealer, or its administrator, is told of a holder who cannot be
	// reached: some of the offsets; others are never reached.
	Others []int `yaml:"others"`
}

// DeskDays are the working days that each desk has from when an order comes to it until the close of office; 0: not watched.
// What the applicant is promised in all is review.sla_workdays.
type DeskDays struct {
	Payment    int `yaml:"payment"` // checking a transfer
	Review     int `yaml:"review"`
	Production int `yaml:"production"`
	Shipping   int `yaml:"shipping"`
	Invoice    int `yaml:"invoice"` // from the request, where the invoice has no day of its own
	Refund     int `yaml:"refund"`
}

// Issues tells whether the product ends with a certificate.
func (p Product) Issues() bool { return p.Fulfilment == "install" || p.Fulfilment == "produce" }

// Free tells that the applicant pays nothing: there is no payment step.
func (p Product) Free() bool { return p.Payment.Payer == "enterprise" }

// LetterFor is the id of the letter these answers need; false when none is needed.
func (p Product) LetterFor(a form.Answers, facts map[string]string) (string, bool) {
	for _, l := range p.Letters {
		if l.When.Holds(a, facts, true) {
			return l.Letter, true
		}
	}
	return "", false
}

// StepsAt lists the steps of one moment: "order", "after_approval" or "send_in".
func (p Product) StepsAt(when string) []Step {
	var out []Step
	for _, s := range p.Steps {
		if s.When == when {
			out = append(out, s)
		}
	}
	return out
}

// FormAt is the part of the form that is asked at one moment.
func (p Product) FormAt(when string) form.Form {
	var ids []string
	for _, s := range p.StepsAt(when) {
		ids = append(ids, s.ID)
	}
	return p.Form.Steps(ids...)
}

// Notifies tells whether an event is told over a channel ("sms", "email").
func (p Product) Notifies(event, channel string) bool {
	for _, c := range p.Notify[event] {
		if c == channel {
			return true
		}
	}
	return false
}

func (p Product) term(a form.Answers) int {
	if n, err := strconv.Atoi(a["term"]); err == nil {
		return n
	}
	return p.Term.Default
}

func (p Product) quantity(a form.Answers) int {
	if n, err := strconv.Atoi(a["quantity"]); err == nil {
		return n
	}
	return max(p.Quantity.Default, 1)
}
