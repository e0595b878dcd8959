package tenant

import "github.com/google/uuid"

// namespace is ours; tenants' ids are version 5 UUIDs of their slugs in it.
var namespace = uuid.MustParse("6f1d9c1e-5f0a-5c62-9a57-5d3b0f7c2e11")

// IDOf is the stable id of a tenant's slug.
func IDOf(slug string) uuid.UUID { return uuid.NewSHA1(namespace, []byte(slug)) }

// Keys are the answers that other packages read by name. A pack that asks for
// such a thing must use the key, and the field must be of one of the types.
// Everything else a pack may name as it likes.
var Keys = map[string][]string{
	"org_name":        {"text"},            // company name as on its licence
	"uscc":            {"text"},            // unified social credit code
	"org_code_any":    {"text"},            // one field for USCC, organisation code or registration number (req K17)
	"org_code":        {"text"},            // organisation code
	"reg_no":          {"text"},            // registration number
	"person_name":     {"text"},            // the person, where a person applies for himself
	"agent_name":      {"text"},            // who handles the order
	"mobile":          {"mobile"},          // where codes and messages go, and the login
	"email":           {"email"},           //
	"dealer_code":     {"text"},            //
	"id_type":         {"select", "radio"}, //
	"id_no":           {"text"},            //
	"term":            {"select", "radio"}, // years
	"quantity":        {"quantity"},        // keys
	"carrier":         {"select", "radio"}, // delivery option code
	"ship_name":       {"text"},            //
	"ship_mobile":     {"mobile"},          //
	"ship_province":   {"select", "text"},  //
	"ship_city":       {"text"},            //
	"ship_county":     {"text"},            //
	"ship_street":     {"text", "textarea"},
	"invoice_wanted":  {"radio", "select"}, // yes | no
	"invoice_kind":    {"radio", "select"}, // e | paper
	"invoice_title":   {"text"},            //
	"invoice_tax_no":  {"text"},            //
	"invoice_email":   {"email"},           //
	"letter":          {"letter"},          // scan of the authorisation letter
	"key_serial":      {"text"},            // serial number of the key the applicant holds
	"inbound_carrier": {"select", "radio"}, // carrier of the key that is sent in
	"inbound_waybill": {"text"},
}

// Facts are what conditions and rules may ask besides the answers, with their values.
var Facts = map[string][]string{
	"old_key":      {"none", "valid", "expired", "revoked"}, // state of the certificate that is renewed or replaced
	"old_key_late": {"yes", "no"},                           // expired longer ago than the product's renewal window
	"roster":       {"listed", "unlisted"},                  // the tenant's list of dealers; no roster: no fact
	"checks":       {"passed", "failed"},                    // all automatic checks of pictures, letter and identifiers
	"letter_qr":    {"match", "mismatch", "missing"},        // what the uploaded letter's QR said
}

// LetterFacts are the placeholders of a letter that are not answers.
var LetterFacts = []string{"no", "date", "ca_name", "operator", "tenant", "platform", "product", "term", "quantity", "code", "organisation"}

// SubjectFacts are the placeholders of a certificate's subject that are not
// answers: code is the company's code whichever it has, project the product's
// platform name, seq is "" for an order's first key and "2", "3", … after it.
var SubjectFacts = []string{"code", "organisation", "project", "seq"}

// Events are the moments a message may be sent at, with the placeholders its
// texts may use. Order events have the names of core/order.
var Events = map[string][]string{
	"code":           {"code", "seconds", "minutes", "org"},
	"submit":         {"no", "product", "org", "site"},
	"paid":           {"no", "product", "amount", "org", "site"},
	"reject_voucher": {"no", "product", "reason", "org", "site"},
	"approve":        {"no", "product", "org", "site"},
	"reject":         {"no", "product", "reason", "org", "site"},
	"receive_key":    {"no", "product", "org", "site"},
	"shipped":        {"no", "product", "carrier", "waybill", "org", "site"},
	"installed":      {"no", "product", "date", "org", "site"},
	"lapse":          {"no", "product", "org", "site"},
	"refunded":       {"no", "product", "amount", "org", "site"},
	"invoice_issued": {"no", "product", "org", "site"},
	"remind_before":  {"date", "days", "product", "company", "org", "link", "site"},
	"remind_today":   {"date", "product", "company", "org", "link", "site"},
	"remind_after":   {"date", "days", "product", "company", "org", "link", "site"},
	"remind_roster":  {"date", "product", "company", "key", "org"}, // to those who are not the holder: nothing that logs in
	"remind_admin":   {"date", "product", "company", "key", "org"},
	"remind_new":     {"company", "product", "org", "link"},   // to a mobile that a certificate is to be given over to
	"remind_old":     {"company", "product", "org", "mobile"}, // to the one that had it; mobile is the new one, masked
}

// Channels are the ways a message can go.
var Channels = []string{"sms", "email"}
