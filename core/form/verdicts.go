package form

import (
	"embed"
	"strings"

	"certsaas/core/identifier"
)

// Messages are the sentences of this package.
//
//go:embed messages.*.toml
var Messages embed.FS

// particular lists the (validator, code) pairs that have a sentence of their own;
// all others share the sentence of their code.
var particular = map[string]bool{
	"uscc.LENGTH": true, "uscc.CHARSET": true, "uscc.FORMAT": true, "uscc.CHECK": true, "uscc.INNER": true,
	"org_code.LENGTH": true, "org_code.CHECK": true, "org_code.RESERVED": true,
	"reg_no.LENGTH": true, "reg_no.CHARSET": true, "reg_no.CHECK": true, "reg_no.OLD13": true,
	"org_code_any.LENGTH": true, "org_code_any.CHARSET": true,
	"resident_id.LENGTH": true, "resident_id.CHARSET": true, "resident_id.CHECK": true, "resident_id.DATE": true,
	"resident_id.FUTURE": true, "resident_id.AGE": true, "resident_id.MINOR": true, "resident_id.REGION": true, "resident_id.OLD15": true,
	"mobile.LENGTH": true, "mobile.FORMAT": true, "mobile.CHARSET": true,
	"landline.FORMAT": true, "landline.LENGTH": true, "landline.CHARSET": true,
	"email.FORMAT": true, "email.CHARSET": true,
	"dealer_code.SHORT": true, "dealer_code.TRUNCATED": true, "dealer_code.CHARSET": true, "dealer_code.FORMAT": true,
	"person_name.CHARSET": true, "person_name.ONE_CHAR": true, "person_name.OVERRIDE": true,
	"org_name.CHARSET": true, "org_name.LENGTH": true, "org_name.SHORT": true,
	"postal.LENGTH": true, "waybill.CARRIER": true,
}

// VerdictID is the message id for what a validator says: "form.uscc.length", or
// the sentence of the code alone, "form.code.length".
func VerdictID(validator string, code identifier.Code) string {
	if particular[validator+"."+string(code)] {
		return "form." + validator + "." + strings.ToLower(string(code))
	}
	return "form.code." + strings.ToLower(string(code))
}

// sentence is the message id for what a validator says of a value. One that takes numbers of several kinds says what the
// validator of the kind would: a wrong check digit stops an organisation code and is only remarked on in a USCC.
func sentence(validator string, got identifier.Verdict) string {
	if !particular[validator+"."+string(got.Code)] && particular[string(got.Kind)+"."+string(got.Code)] {
		validator = string(got.Kind)
	}
	return VerdictID(validator, got.Code)
}
