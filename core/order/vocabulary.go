package order

import "embed"

// Messages are the package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// Answer keys that the order itself reads; tenants' forms use them for these meanings.
const (
	keyMobile   = "mobile"
	keyOrg      = "org_name"
	keyDealer   = "dealer_code"
	keyTerm     = "term"
	keyQuantity = "quantity"
)

// codeKeys are the answers that may hold the company's code, the best first.
var codeKeys = []string{"uscc", "org_code_any", "org_code", "reg_no"}

// Organisation is the company's name, or the person's when a person applies for himself.
func (o Order) Organisation() string {
	if v := o.Answers[keyOrg]; v != "" {
		return v
	}
	return o.Answers["person_name"]
}

// Code is the company's code, whichever it has.
func (o Order) Code() string {
	for _, k := range codeKeys {
		if v := o.Answers[k]; v != "" {
			return v
		}
	}
	return ""
}
