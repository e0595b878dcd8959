package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
)

// Issue redeems a ticket: it signs exactly the linted bytes with the issuer's key
// and checks the signature against the issuer's certificate. A ticket is spent by
// the first call, whatever comes of it; TICKET_SPENT answers any later one.
func Issue(ticket Ticket, issuer crypto.Signer) (Certificate, error) {
	s := ticket.state
	if s == nil {
		return Certificate{}, &Error{Code: CodeTicketSpent, Detail: "empty ticket"}
	}
	if !s.spent.CompareAndSwap(false, true) {
		return Certificate{}, &Error{Code: CodeTicketSpent, Detail: "ticket was redeemed before"}
	}
	if !samePublicKey(issuer.Public(), s.issuer.PublicKey) {
		return Certificate{}, &Error{Code: CodeIssuer, Detail: "key does not belong to the issuer certificate"}
	}
	der, err := signTBS(s.tbs, s.issuer, issuer)
	if err != nil {
		return Certificate{}, err
	}
	cert, err := ParseCertificate(der)
	if err != nil {
		return Certificate{}, err
	}
	if err := cert.x.CheckSignatureFrom(s.issuer); err != nil {
		return Certificate{}, &Error{Code: CodeSigning, Detail: "signature does not verify", Err: err}
	}
	return cert, nil
}

// samePublicKey compares by the Equal that every standard public key has.
func samePublicKey(a, b crypto.PublicKey) bool {
	k, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(b)
}

var (
	oidSHA256WithRSA   = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}
	oidECDSAWithSHA256 = asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2}
)

// signatureAlgorithm is what an issuer of this key signs with: always SHA-256.
func signatureAlgorithm(pub crypto.PublicKey) (x509.SignatureAlgorithm, pkix.AlgorithmIdentifier, error) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return x509.SHA256WithRSA, pkix.AlgorithmIdentifier{Algorithm: oidSHA256WithRSA, Parameters: asn1.NullRawValue}, nil
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return x509.ECDSAWithSHA256, pkix.AlgorithmIdentifier{Algorithm: oidECDSAWithSHA256}, nil
		}
	}
	return 0, pkix.AlgorithmIdentifier{}, &Error{Code: CodeIssuer, Detail: "issuer key must be RSA or P-256"}
}

// signTBS wraps to-be-signed bytes and their signature into a certificate
// (RFC 5280 §4.1).
func signTBS(tbs []byte, issuerCert *x509.Certificate, key crypto.Signer) ([]byte, error) {
	_, algorithm, err := signatureAlgorithm(issuerCert.PublicKey)
	if err != nil {
		return nil, err
	}
	h := crypto.SHA256.New()
	h.Write(tbs)
	signature, err := key.Sign(rand.Reader, h.Sum(nil), crypto.SHA256)
	if err != nil {
		return nil, &Error{Code: CodeSigning, Detail: "issuer key failed", Err: err}
	}
	der, err := asn1.Marshal(struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}{asn1.RawValue{FullBytes: bytes.Clone(tbs)}, algorithm, asn1.BitString{Bytes: signature, BitLength: len(signature) * 8}})
	if err != nil {
		return nil, &Error{Code: CodeSigning, Detail: "certificate cannot be encoded", Err: err}
	}
	return der, nil
}
