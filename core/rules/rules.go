// Package rules decides price, delivery, invoice, eligibility and review by Rego
// over what a product declares.
//
// In: a Case (the product's declarations, the answers, facts about the applicant).
// Out: a decision that names the rule that made it, so that staff and dealer can
// ask why. General rules are in *.rego; a tenant may add a small module that adds
// price lines or refuses, nothing else. No network, no clock of its own, 50 ms,
// and whatever is not allowed is refused.
package rules

import (
	"certsaas/core/form"
	"certsaas/core/i18n"
)

// Price is what a product costs: the lines whose When holds, in order.
type Price struct {
	Lines []PriceLine `yaml:"lines"`
	Demo  bool        `yaml:"demo"` // demonstration prices: every page that shows them says so
}

// PriceLine is one line of a price list.
type PriceLine struct {
	Code  string    `yaml:"code" need:"yes"`
	Label i18n.Text `yaml:"label" need:"yes"`
	Why   i18n.Text `yaml:"why"`                                            // shown when the dealer asks why
	Unit  int64     `yaml:"unit" as:"yuan" need:"yes"`                      // fen
	Per   string    `yaml:"per" oneof:"order key year key_year" need:"yes"` // what Unit is multiplied with
	When  form.Cond `yaml:"when"`
}

// Delivery is how things reach the applicant.
type Delivery struct {
	Ships   []string         `yaml:"ships" oneof:"goods invoice"` // what may be shipped at all; empty: nothing
	Options []DeliveryOption `yaml:"options"`
}

// DeliveryOption is one way of sending.
type DeliveryOption struct {
	Code    string    `yaml:"code" need:"yes"` // value of the "carrier" answer
	Carrier string    `yaml:"carrier" need:"yes" oneof:"sf sto pickup"`
	Payer   string    `yaml:"payer" need:"yes" oneof:"ca recipient applicant enterprise"` // recipient = freight collect
	Fee     int64     `yaml:"fee" as:"yuan"`                                              // fen; charged with the order when payer is applicant
	Label   i18n.Text `yaml:"label" need:"yes"`
	Help    i18n.Text `yaml:"help"`
	Address i18n.Text `yaml:"address"` // pickup: where
	Hours   i18n.Text `yaml:"hours"`   // pickup: when
	When    form.Cond `yaml:"when"`
}

// Invoice is what invoices a product offers.
type Invoice struct {
	Offered   bool          `yaml:"offered"`
	Default   string        `yaml:"default" oneof:"yes no"` // first answer to "do you want an invoice" (req B30 K26)
	AskWhen   string        `yaml:"ask_when" oneof:"with_order after_approval"`
	Kinds     []InvoiceKind `yaml:"kinds"`
	PaperDays int           `yaml:"paper_days"`  // paper is sent within this many days of payment; 0 = one month (req B9)
	Carrier   string        `yaml:"carrier"`     // delivery option code of a paper invoice
	GoodsName i18n.Text     `yaml:"goods_name"`  // line text of the invoice
	TaxRate   int           `yaml:"tax_percent"` // per cent
	Title     string        `yaml:"title" oneof:"editable fixed"`
}

// Split takes the tax out of an amount in fen that includes it, each to the fen.
func (i Invoice) Split(amount int64) (net, tax int64) {
	whole := int64(100 + i.TaxRate)
	net = (amount*200 + whole) / (2 * whole) // half up
	return net, amount - net
}

// InvoiceKind is one kind on offer; the first is the default.
type InvoiceKind struct {
	Code  string    `yaml:"code" need:"yes" oneof:"e paper"`
	Label i18n.Text `yaml:"label" need:"yes"`
	Help  i18n.Text `yaml:"help"`
}

// Eligibility is who may order.
type Eligibility struct {
	Confirm  []string `yaml:"confirm"` // checkbox fields that must be ticked (req B7 K1)
	Roster   bool     `yaml:"roster"`  // the code in RosterBy must be on the tenant's list
	RosterBy string   `yaml:"roster_by"`
	OldKey   []string `yaml:"old_key" oneof:"none valid expired revoked"` // states of the applicant's key that qualify; empty: any
}

// Review is how an order is judged.
type Review struct {
	Mode        string    `yaml:"mode" oneof:"manual auto_when_checks_pass"`
	Auto        form.Cond `yaml:"auto"`               // over answers and facts: approve without a reviewer when it holds
	SLAWorkdays int       `yaml:"sla_workdays"`       // working days from paid and complete (decision 8)
	Policy      string    `yaml:"policy" oneof:"A B"` // A ignores the time of day; B: after 17:30 counts as next working day
	Checklist   []Check   `yaml:"checklist"`
	Reasons     []Reason  `yaml:"reasons"`
}

// Check is a line of the reviewer's list.
type Check struct {
	ID    string    `yaml:"id" need:"yes"`
	Text  i18n.Text `yaml:"text" need:"yes"`
	Field string    `yaml:"field"` // field the check is about, "" = whole order
	When  form.Cond `yaml:"when"`
}

// Reason is a ready-made sentence for a rejection.
type Reason struct {
	ID    string    `yaml:"id" need:"yes"`
	Text  i18n.Text `yaml:"text" need:"yes"`
	Field string    `yaml:"field"`
}

// Case is one question to the rules.
type Case struct {
	Service     string
	TermYears   int
	Quantity    int
	Answers     form.Answers
	Facts       map[string]string // "old_key": none|valid|expired|revoked; "roster": listed|unlisted; "checks": passed|failed; …
	Payer       string            // applicant | enterprise
	Fulfilment  string            // install | produce | unlock | none
	Price       Price
	Delivery    Delivery
	Invoice     Invoice
	Eligibility Eligibility
	Review      Review
	Module      *Module // the tenant's own rules, nil when none
}

// Quote is a price with its reasons. Amounts are fen.
type Quote struct {
	Lines    []Line `json:"lines"`
	TotalFen int64  `json:"total_fen"`
}

// Line is one line of a quote.
type Line struct {
	Code      string    `json:"code"`
	Label     i18n.Text `json:"label"`
	Why       i18n.Text `json:"why,omitempty"`
	Quantity  int       `json:"quantity"`
	UnitFen   int64     `json:"unit_fen"`
	AmountFen int64     `json:"amount_fen"`
	Rule      string    `json:"rule"` // e.g. "price.line", "delivery.applicant_pays", "tenant.late_fee"
}

// Decision is a yes or no with every rule that spoke. Reasons are message ids
// ("rules.…") or, from a tenant's module, ready sentences.
type Decision struct {
	Allowed bool
	Rule    string // the rule that decided
	Reasons []Why
}

// Why is one reason: a rule and the sentence for the reader.
type Why struct {
	Rule  string
	ID    string    // message id; "" when Text is given
	Field string    // answer it is about, "" = the whole
	Text  i18n.Text // a tenant's own sentence
}

// DeliveryDecision is what may and must be chosen for sending.
type DeliveryDecision struct {
	Needed  bool     // something is shipped: goods, or a paper invoice
	What    []string // goods, invoice
	Options []DeliveryOption
	Rule    string
}

// InvoiceDecision is what the invoice will be.
type InvoiceDecision struct {
	Wanted bool
	Kind   string // e | paper
	Rule   string
}
