package pki

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"strings"
	"time"
)

// Certificate is a parsed X.509 certificate; the zero value is none.
type Certificate struct{ x *x509.Certificate }

// ParseCertificate reads exactly one certificate, PEM or DER.
func ParseCertificate(pemOrDER []byte) (Certificate, error) {
	der := pemOrDER
	if trimmed := bytes.TrimSpace(pemOrDER); bytes.HasPrefix(trimmed, []byte("-----BEGIN")) {
		block, rest := pem.Decode(trimmed)
		if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
			return Certificate{}, &Error{Code: CodeCertMalformed, Detail: "not exactly one PEM certificate"}
		}
		der = block.Bytes
	}
	x, err := x509.ParseCertificate(der)
	if err != nil {
		return Certificate{}, &Error{Code: CodeCertMalformed, Detail: "not an X.509 certificate", Err: err}
	}
	return Certificate{x}, nil
}

// X509 is the standard library's view; treat it as read-only.
func (c Certificate) X509() *x509.Certificate { return c.x }

// DER is the certificate's encoding.
func (c Certificate) DER() []byte { return bytes.Clone(c.x.Raw) }

// PEM is the certificate in PEM armour.
func (c Certificate) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.x.Raw})
}

// Serial is the serial number as upper-case hex with an even number of digits,
// the form printed, stored and compared everywhere.
func (c Certificate) Serial() string { return SerialText(c.x.SerialNumber.Bytes()) }

// SerialText writes the big-endian octets of a serial number as upper-case hex.
func SerialText(octets []byte) string { return strings.ToUpper(hex.EncodeToString(octets)) }

// SPKISHA256 identifies the certified key.
func (c Certificate) SPKISHA256() SPKI { return sha256.Sum256(c.x.RawSubjectPublicKeyInfo) }

// Fingerprint is the SHA-256 of the DER, lower-case hex.
func (c Certificate) Fingerprint() string {
	sum := sha256.Sum256(c.x.Raw)
	return hex.EncodeToString(sum[:])
}

// Subject gives the distinguished name's fields.
func (c Certificate) Subject() Subject { return SubjectOf(c.x.Subject) }

// NotBefore and NotAfter bound the validity, in UTC.
func (c Certificate) NotBefore() time.Time { return c.x.NotBefore }

// NotAfter is the last valid second, in UTC.
func (c Certificate) NotAfter() time.Time { return c.x.NotAfter }

// Certifies tells whether the certificate is for this public key.
func (c Certificate) Certifies(pub crypto.PublicKey) bool { return samePublicKey(c.x.PublicKey, pub) }

// BundlePEM concatenates certificates, leaf first, issuer by issuer.
func BundlePEM(chain ...Certificate) []byte {
	var out bytes.Buffer
	for _, c := range chain {
		out.Write(c.PEM())
	}
	return out.Bytes()
}

// ParseBundle reads a PEM bundle of 1 to 10 certificates, in its order.
func ParseBundle(data []byte) ([]Certificate, error) {
	var out []Certificate
	for rest := bytes.TrimSpace(data); len(rest) > 0; rest = bytes.TrimSpace(rest) {
		block, after := pem.Decode(rest)
		if block == nil || block.Type != "CERTIFICATE" || len(out) == 10 {
			return nil, &Error{Code: CodeCertMalformed, Detail: "bundle holds something else than 1 to 10 certificates"}
		}
		x, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, &Error{Code: CodeCertMalformed, Detail: "bundle", Err: err}
		}
		out, rest = append(out, Certificate{x}), after
	}
	if len(out) == 0 {
		return nil, &Error{Code: CodeCertMalformed, Detail: "empty bundle"}
	}
	return out, nil
}

// Verify checks a chain at an instant: leaf first, then its issuers, the trusted
// root last. Any extended key usage is accepted. Errors carry CodeChain.
func Verify(chain []Certificate, at time.Time) error {
	if len(chain) < 2 {
		return &Error{Code: CodeChain, Detail: "a chain needs a leaf and its root"}
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(chain[len(chain)-1].x)
	for _, c := range chain[1 : len(chain)-1] {
		between.AddCert(c.x)
	}
	_, err := chain[0].x.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return &Error{Code: CodeChain, Detail: "chain does not verify", Err: err}
	}
	return nil
}
