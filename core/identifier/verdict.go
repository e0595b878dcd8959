// Package identifier checks and normalises the numbers and names that dealers
// type: company codes, identity documents, telephones, names, waybills.
//
// In: the text as typed, and where a rule needs it the day of today or a
// pattern. Out: a Verdict, that is a code saying what is wrong (never a bare
// bool, so that a form can say which), and the normalised value to store. The
// package is pure: no database, no network, no clock. It knows formats and
// check digits; it cannot know whether a number was ever issued.
package identifier

import "slices"

// Code says what is right or wrong with a value. Message catalogues key on it.
type Code string

// The codes. Which of them are soft depends on the family: see Verdict.Soft.
const (
	CodeOK        Code = "OK"
	CodeEmpty     Code = "EMPTY"     // nothing but blanks; whether that is allowed is the form's affair
	CodeLength    Code = "LENGTH"    // too long or too short
	CodeCharset   Code = "CHARSET"   // a character that can never be part of it
	CodeFormat    Code = "FORMAT"    // right characters, wrong order
	CodeCheck     Code = "CHECK"     // check digit wrong
	CodeInner     Code = "INNER"     // soft: the organisation code inside a USCC has a wrong check digit
	CodeDate      Code = "DATE"      // no such day
	CodeFuture    Code = "FUTURE"    // born after today
	CodeAge       Code = "AGE"       // soft: older than 120
	CodeMinor     Code = "MINOR"     // younger than 18
	CodeRegion    Code = "REGION"    // no such province or postal region
	CodeOld15     Code = "OLD15"     // 15-digit resident number, no longer in force
	CodeOld13     Code = "OLD13"     // soft: 13-digit registration number of papers before 2007
	CodeReserved  Code = "RESERVED"  // self-defined zone, never issued
	CodeTrivial   Code = "TRIVIAL"   // a placeholder: 000000000, *
	CodeShort     Code = "SHORT"     // dealer code, company name: fewer characters than needed
	CodeTruncated Code = "TRUNCATED" // soft: a longer dealer code, its first ten characters kept
	CodeOneChar   Code = "ONE_CHAR"  // soft: a name of one character
	CodeOverride  Code = "OVERRIDE"  // soft: private-use characters, a rare name typed with an old font
	CodeCarrier   Code = "CARRIER"   // soft: not the usual shape of the chosen carrier's numbers
	CodePattern   Code = "PATTERN"   // the configured pattern does not compile
)

// Kind says which variant of its family a value is; empty where a family has one only.
type Kind string

// The kinds.
const (
	KindUSCC          Kind = "uscc"          // unified social credit code, 18
	KindOrgCode       Kind = "org_code"      // organisation code, 9
	KindRegNo         Kind = "reg_no"        // registration number, 15 (13 before 2007)
	KindTaxRegion     Kind = "tax_region"    // tax number, 15: region and organisation code
	KindTaxLegacy     Kind = "tax_legacy"    // tax number of an individual business, 17 or 20
	KindCitizen       Kind = "citizen"       // resident identity card
	KindResidence     Kind = "residence"     // residence permit of people from Hong Kong, Macau, Taiwan
	KindForeignPR     Kind = "foreign_pr"    // permanent residence card of a foreigner, 18
	KindForeignPROld  Kind = "foreign_pr_15" // the same, old card, 15
	KindFixedLine     Kind = "fixed_line"
	KindServiceNumber Kind = "service_number" // 400 or 800
	KindHan           Kind = "han"            // name in Chinese characters
	KindLatin         Kind = "latin"          // name in Latin letters
)

// Verdict is the answer of every validator.
type Verdict struct {
	Code    Code   `json:"code"`
	Value   string `json:"value"`          // normalised; store this one. Best effort when rejected
	Changed bool   `json:"changed"`        // Value differs from what was typed: show it
	Soft    bool   `json:"soft,omitempty"` // Code is a warning for a reviewer to confirm, not an error
	Kind    Kind   `json:"kind,omitempty"`
}

// Accepted tells whether the value may be submitted: OK, or a warning only.
func (v Verdict) Accepted() bool { return v.Code == CodeOK || v.Soft }

// Warning tells whether the value is accepted but a person should look at it.
func (v Verdict) Warning() bool { return v.Soft && v.Code != CodeOK }

func verdict(typed, value string, code Code) Verdict {
	return Verdict{Code: code, Value: value, Changed: value != typed}
}

// soft turns a failure into a warning; OK stays OK.
func (v Verdict) soft() Verdict {
	v.Soft = v.Code != CodeOK
	return v
}

// softIf makes a warning of the given codes.
func (v Verdict) softIf(codes ...Code) Verdict {
	v.Soft = slices.Contains(codes, v.Code)
	return v
}

func (v Verdict) as(k Kind) Verdict {
	v.Kind = k
	return v
}
