package pki

import (
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ProfileConfig is what a tenant's definition says about its certificates.
type ProfileConfig struct {
	Name          string   `yaml:"name" json:"name"`
	Algorithms    []string `yaml:"algorithms" json:"algorithms"`         // rsa2048, p256; sm2 is refused as not offered
	KeyUsage      []string `yaml:"key_usage" json:"key_usage"`           // digital_signature, content_commitment, key_encipherment, data_encipherment, key_agreement
	ExtKeyUsage   []string `yaml:"ext_key_usage" json:"ext_key_usage"`   // client_auth, email_protection, document_signing, any, or a dotted OID
	ValidityYears int      `yaml:"validity_years" json:"validity_years"` // 1…10
	Subject       Subject  `yaml:"subject" json:"subject"`               // templates: "{company}[-{seq}]"
	PolicyOID     string   `yaml:"policy_oid" json:"policy_oid"`         // certificatePolicies, may be empty
	IdentityOID   string   `yaml:"identity_oid" json:"identity_oid"`     // extension repeating serial_number (GB/T 20518: 1.2.156.10260.4.1.4), may be empty
	CRLURLs       []string `yaml:"crl_urls" json:"crl_urls"`             // http only (RFC 5280 §4.2.1.13)
	OCSPURLs      []string `yaml:"ocsp_urls" json:"ocsp_urls"`           // http only
	IssuerURLs    []string `yaml:"issuer_urls" json:"issuer_urls"`       // caIssuers, http only
}

// Profile is a compiled, immutable certificate profile; the zero value issues nothing.
type Profile struct {
	name       string
	algorithms []Algorithm
	usage      x509.KeyUsage
	eku        []x509.ExtKeyUsage
	ekuOIDs    []asn1.ObjectIdentifier
	years      int
	subject    [7]pattern
	policy     []x509.OID
	identity   asn1.ObjectIdentifier
	crl        []string
	ocsp       []string
	issuer     []string
}

var keyUsages = map[string]x509.KeyUsage{
	"digital_signature":  x509.KeyUsageDigitalSignature,
	"content_commitment": x509.KeyUsageContentCommitment,
	"key_encipherment":   x509.KeyUsageKeyEncipherment,
	"data_encipherment":  x509.KeyUsageDataEncipherment,
	"key_agreement":      x509.KeyUsageKeyAgreement,
}

var extKeyUsages = map[string]x509.ExtKeyUsage{
	"any":              x509.ExtKeyUsageAny,
	"client_auth":      x509.ExtKeyUsageClientAuth,
	"email_protection": x509.ExtKeyUsageEmailProtection,
}

// oidDocumentSigning is id-kp-documentSigning (RFC 9336), unknown to crypto/x509.
var oidDocumentSigning = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 36}

func badProfile(name, format string, args ...any) error {
	return &Error{Code: CodeProfile, Detail: fmt.Sprintf("profile %q: ", name) + fmt.Sprintf(format, args...)}
}

// CompileProfile checks a configuration and freezes it. Errors carry CodeProfile
// (or ALGORITHM_NOT_OFFERED) and name key and remedy. A compiled profile may
// still break a lint rule in combination; Check finds that.
func CompileProfile(c ProfileConfig) (Profile, error) {
	p := Profile{name: c.Name, years: c.ValidityYears}
	if c.Name == "" {
		return Profile{}, badProfile(c.Name, "name is empty")
	}
	if c.ValidityYears < 1 || c.ValidityYears > 10 {
		return Profile{}, badProfile(c.Name, "validity_years is %d, must be 1 to 10", c.ValidityYears)
	}
	steps := []func(ProfileConfig) error{p.compileAlgorithms, p.compileUsage, p.compileExtUsage, p.compileOIDs, p.compileURLs, p.compileSubject}
	for _, step := range steps {
		if err := step(c); err != nil {
			return Profile{}, err
		}
	}
	return p, nil
}

func (p *Profile) compileAlgorithms(c ProfileConfig) error {
	if len(c.Algorithms) == 0 {
		return badProfile(c.Name, "algorithms is empty; say rsa2048 or p256")
	}
	for _, s := range c.Algorithms {
		a, err := ParseAlgorithm(s)
		if err != nil {
			return fmt.Errorf("profile %q: algorithms: %w", c.Name, err)
		}
		p.algorithms = append(p.algorithms, a)
	}
	return nil
}

func (p *Profile) compileUsage(c ProfileConfig) error {
	for _, s := range c.KeyUsage {
		u, ok := keyUsages[s]
		if !ok {
			return badProfile(c.Name, "key_usage %q is unknown; known: digital_signature, content_commitment, key_encipherment, data_encipherment, key_agreement", s)
		}
		p.usage |= u
	}
	if p.usage == 0 {
		return badProfile(c.Name, "key_usage is empty")
	}
	encrypts := p.usage&(x509.KeyUsageKeyEncipherment|x509.KeyUsageDataEncipherment) != 0
	if encrypts && slices.Contains(p.algorithms, P256) {
		return badProfile(c.Name, "an EC key cannot encipher (RFC 8813): drop p256, or key_encipherment and data_encipherment")
	}
	if p.usage&x509.KeyUsageKeyAgreement != 0 && slices.Contains(p.algorithms, RSA2048) {
		return badProfile(c.Name, "an RSA key cannot agree on keys (RFC 3279): drop rsa2048 or key_agreement")
	}
	return nil
}

func (p *Profile) compileExtUsage(c ProfileConfig) error {
	for _, s := range c.ExtKeyUsage {
		if u, ok := extKeyUsages[s]; ok {
			p.eku = append(p.eku, u)
			continue
		}
		if s == "document_signing" {
			p.ekuOIDs = append(p.ekuOIDs, oidDocumentSigning)
			continue
		}
		oid, err := parseOID(s)
		if err != nil {
			return badProfile(c.Name, "ext_key_usage %q is unknown; known: client_auth, email_protection, document_signing, any, or a dotted OID", s)
		}
		p.ekuOIDs = append(p.ekuOIDs, oid)
	}
	return nil
}

func (p *Profile) compileOIDs(c ProfileConfig) error {
	if c.PolicyOID != "" {
		oid, err := x509.ParseOID(c.PolicyOID)
		if err != nil {
			return badProfile(c.Name, "policy_oid %q is not a dotted OID", c.PolicyOID)
		}
		p.policy = []x509.OID{oid}
	}
	if c.IdentityOID != "" {
		oid, err := parseOID(c.IdentityOID)
		if err != nil {
			return badProfile(c.Name, "identity_oid %q is not a dotted OID", c.IdentityOID)
		}
		p.identity = oid
	}
	return nil
}

func (p *Profile) compileURLs(c ProfileConfig) error {
	for key, urls := range map[string][]string{"crl_urls": c.CRLURLs, "ocsp_urls": c.OCSPURLs, "issuer_urls": c.IssuerURLs} {
		for _, s := range urls {
			u, err := url.Parse(s)
			if err != nil || u.Scheme != "http" || u.Host == "" {
				return badProfile(c.Name, "%s %q must be a plain http URL: clients fetch it before they trust any TLS", key, s)
			}
		}
	}
	p.crl, p.ocsp, p.issuer = slices.Clone(c.CRLURLs), slices.Clone(c.OCSPURLs), slices.Clone(c.IssuerURLs)
	return nil
}

func (p *Profile) compileSubject(c ProfileConfig) error {
	for i, f := range c.Subject.fields() {
		pat, err := compilePattern(f.value)
		if err != nil {
			return badProfile(c.Name, "subject.%s: %v", f.name, err)
		}
		p.subject[i] = pat
	}
	if c.Subject.CommonName == "" {
		return badProfile(c.Name, "subject.common_name is empty")
	}
	return nil
}

// Name is the profile's name as configured.
func (p Profile) Name() string { return p.name }

// Algorithms lists the allowed key algorithms, preferred first.
func (p Profile) Algorithms() []Algorithm { return slices.Clone(p.algorithms) }

// Allows tells whether keys of the algorithm may be certified.
func (p Profile) Allows(a Algorithm) bool { return slices.Contains(p.algorithms, a) }

// Placeholders lists the names that Subject needs, sorted.
func (p Profile) Placeholders() []string {
	var names []string
	for _, pat := range p.subject {
		for _, piece := range pat {
			if piece.name != "" {
				names = append(names, piece.name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Subject fills the profile's templates and validates the result. A missing or
// empty value outside brackets is an error; "[-{seq}]" vanishes when seq is empty.
func (p Profile) Subject(values map[string]string) (Subject, error) {
	var out [7]string
	for i, pat := range p.subject {
		text, err := pat.fill(values)
		if err != nil {
			return Subject{}, &Error{Code: CodeSubject, Detail: Subject{}.fields()[i].name, Err: err}
		}
		out[i] = text
	}
	s := Subject{out[0], out[1], out[2], out[3], out[4], out[5], out[6]}
	return s, s.Validate()
}

// Validity gives the period of a certificate first valid now: from five minutes
// ago (clock skew) to the last second before the anniversary.
func (p Profile) Validity(now time.Time) (notBefore, notAfter time.Time) {
	now = now.Truncate(time.Second)
	return now.Add(-5 * time.Minute), AddYears(now, p.years).Add(-time.Second)
}

// AddYears moves t by whole years in its own location, clamping 29 February to
// the 28th (time.AddDate would give 1 March).
func AddYears(t time.Time, years int) time.Time {
	moved := t.AddDate(years, 0, 0)
	if moved.Day() != t.Day() {
		moved = moved.AddDate(0, 0, -moved.Day())
	}
	return moved
}

func parseOID(s string) (asn1.ObjectIdentifier, error) {
	if _, err := x509.ParseOID(s); err != nil || strings.Count(s, ".") < 2 {
		return nil, fmt.Errorf("%q is not a dotted OID", s)
	}
	var oid asn1.ObjectIdentifier
	for part := range strings.SplitSeq(s, ".") {
		var n int
		if _, err := fmt.Sscanf(part, "%d", &n); err != nil {
			return nil, err
		}
		oid = append(oid, n)
	}
	return oid, nil
}
