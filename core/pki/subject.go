package pki

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	oidCommonName         = asn1.ObjectIdentifier{2, 5, 4, 3}
	oidSerialNumber       = asn1.ObjectIdentifier{2, 5, 4, 5}
	oidCountry            = asn1.ObjectIdentifier{2, 5, 4, 6}
	oidLocality           = asn1.ObjectIdentifier{2, 5, 4, 7}
	oidProvince           = asn1.ObjectIdentifier{2, 5, 4, 8}
	oidOrganization       = asn1.ObjectIdentifier{2, 5, 4, 10}
	oidOrganizationalUnit = asn1.ObjectIdentifier{2, 5, 4, 11}
)

// Subject is a distinguished name, written in this order: C, ST, L, O, OU,
// serialNumber, CN. Empty fields are left out. Never put a personal ID number in
// it: certificates are public (PIPL).
type Subject struct {
	Country            string `yaml:"country" json:"country"`                         // two capital letters, "CN"
	Province           string `yaml:"province" json:"province"`                       // ≤ 128 characters
	Locality           string `yaml:"locality" json:"locality"`                       // ≤ 128 characters
	Organization       string `yaml:"organization" json:"organization"`               // ≤ 64 characters
	OrganizationalUnit string `yaml:"organizational_unit" json:"organizational_unit"` // ≤ 64 characters
	SerialNumber       string `yaml:"serial_number" json:"serial_number"`             // PrintableString ≤ 64, the USCC
	CommonName         string `yaml:"common_name" json:"common_name"`                 // required, ≤ 64 characters
}

type subjectField struct {
	name      string
	oid       asn1.ObjectIdentifier
	value     string
	limit     int
	printable bool
}

func (s Subject) fields() []subjectField {
	return []subjectField{
		{"country", oidCountry, s.Country, 2, true},
		{"province", oidProvince, s.Province, 128, false},
		{"locality", oidLocality, s.Locality, 128, false},
		{"organization", oidOrganization, s.Organization, 64, false},
		{"organizational_unit", oidOrganizationalUnit, s.OrganizationalUnit, 64, false},
		{"serial_number", oidSerialNumber, s.SerialNumber, 64, true},
		{"common_name", oidCommonName, s.CommonName, 64, false},
	}
}

// Validate checks lengths in characters (RFC 5280 appendix A.1 upper bounds),
// character sets and blanks. Errors carry CodeSubject and name the field.
func (s Subject) Validate() error {
	if s.CommonName == "" {
		return &Error{Code: CodeSubject, Detail: "common_name is empty"}
	}
	for _, f := range s.fields() {
		if f.value == "" {
			continue
		}
		if why := badText(f.value, f.limit); why != "" {
			return &Error{Code: CodeSubject, Detail: f.name + " " + why}
		}
		if f.printable && !isPrintable(f.value) {
			return &Error{Code: CodeSubject, Detail: f.name + " holds characters outside PrintableString"}
		}
	}
	if s.Country != "" && (len(s.Country) != 2 || strings.ToUpper(s.Country) != s.Country) {
		return &Error{Code: CodeSubject, Detail: "country must be two capital letters"}
	}
	return nil
}

// String writes the name in certificate order: "C=CN, ST=福建省, …".
func (s Subject) String() string {
	short := []string{"C", "ST", "L", "O", "OU", "serialNumber", "CN"}
	var parts []string
	for i, f := range s.fields() {
		if f.value != "" {
			parts = append(parts, short[i]+"="+f.value)
		}
	}
	return strings.Join(parts, ", ")
}

// der encodes the name; ASCII as PrintableString, the rest as UTF8String.
func (s Subject) der() ([]byte, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	var seq pkix.RDNSequence
	for _, f := range s.fields() {
		if f.value != "" {
			seq = append(seq, pkix.RelativeDistinguishedNameSET{{Type: f.oid, Value: f.value}})
		}
	}
	return asn1.Marshal(seq)
}

// SubjectOf reads the fields of a certificate's distinguished name; of repeated
// attributes the first counts.
func SubjectOf(name pkix.Name) Subject {
	first := func(v []string) string {
		if len(v) == 0 {
			return ""
		}
		return v[0]
	}
	return Subject{Country: first(name.Country), Province: first(name.Province), Locality: first(name.Locality),
		Organization: first(name.Organization), OrganizationalUnit: first(name.OrganizationalUnit),
		SerialNumber: name.SerialNumber, CommonName: name.CommonName}
}

// badText says why a value must not stand in a name, or "". Control, bidirectional
// and invisible characters would let a name look like another one; '*' is a
// wildcard to naive matchers.
func badText(s string, limit int) string {
	switch {
	case !utf8.ValidString(s):
		return "is not valid UTF-8"
	case utf8.RuneCountInString(s) > limit:
		return fmt.Sprintf("has more than %d characters", limit)
	case strings.TrimSpace(s) != s:
		return "begins or ends with a blank"
	case strings.Contains(s, "*"):
		return "contains *"
	}
	for _, r := range s {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Zl, r) || unicode.Is(unicode.Zp, r) || r == unicode.ReplacementChar {
			return fmt.Sprintf("contains the forbidden character U+%04X", r)
		}
	}
	return ""
}

// isPrintable tells ASN.1 PrintableString (X.680 §41.4).
func isPrintable(s string) bool {
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(" '()+,-./:=?", r):
		default:
			return false
		}
	}
	return true
}
