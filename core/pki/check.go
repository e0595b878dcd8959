package pki

import (
	"crypto/x509"
	"strings"
	"time"
)

// Check issues a trial certificate of the profile for each allowed algorithm
// under a throw-away CA and lints it; `tenant validate` uses it so that a profile
// fails when it is written, not when the first dealer pays. at is any instant.
func (p Profile) Check(at time.Time) error {
	values := map[string]string{}
	for _, name := range p.Placeholders() {
		values[name] = "X1"
		if name == "country" {
			values[name] = "CN"
		}
	}
	subject, err := p.Subject(values)
	if err != nil {
		return err
	}
	root, err := trialRoot(at)
	if err != nil {
		return err
	}
	serial, err := NewSerial(strings.NewReader("0123456789abcdef"))
	if err != nil {
		return err
	}
	notBefore, notAfter := p.Validity(at)
	for _, a := range p.algorithms {
		csr, err := trialRequest(a)
		if err != nil {
			return err
		}
		if _, err := Prepare(p, subject, csr, root, serial, notBefore, notAfter); err != nil {
			return err
		}
	}
	return nil
}

func trialRequest(a Algorithm) (CSR, error) {
	key, err := twinRSA()
	if err != nil {
		return CSR{}, err
	}
	if a == RSA2048 {
		spki, err := SPKISHA256(key.Public())
		return CSR{pub: key.Public(), algorithm: a, spki: spki}, err
	}
	ec, err := twinEC()
	if err != nil {
		return CSR{}, err
	}
	spki, err := SPKISHA256(ec.Public())
	return CSR{pub: ec.Public(), algorithm: a, spki: spki}, err
}

func trialRoot(at time.Time) (*x509.Certificate, error) {
	serial, err := NewSerial(strings.NewReader("fedcba9876543210"))
	if err != nil {
		return nil, err
	}
	root, err := NewRoot(Subject{Country: "CN", Organization: "Trial", CommonName: "Trial Root"}, P256, serial, at.Add(-time.Hour), AddYears(at, 11))
	return root.Certificate.x, err
}
