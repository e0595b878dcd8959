package pki

import (
	"bytes"
	"crypto"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"time"

	"golang.org/x/crypto/ocsp"
)

// oidOCSPNoCheck spares clients asking for the status of the responder itself
// (RFC 6960 §4.2.2.2.1); its certificate is short-lived instead.
var oidOCSPNoCheck = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 5}

// MaxOCSPRequest bounds a request in bytes.
const MaxOCSPRequest = 4 << 10

// OCSPTryLater is the unsigned answer of a responder that cannot look now.
func OCSPTryLater() []byte { return bytes.Clone(ocsp.TryLaterErrorResponse) }

// NewResponder makes a delegated OCSP signer under an issuing CA: EKU OCSPSigning
// and nocheck. Keep it short-lived (days) and renew it before it ends.
func NewResponder(issuing Authority, subject Subject, a Algorithm, serial *big.Int, notBefore, notAfter time.Time) (Authority, error) {
	if err := checkIssuer(issuing.Certificate.x); err != nil {
		return Authority{}, err
	}
	key, err := GenerateKey(a)
	if err != nil {
		return Authority{}, err
	}
	template, err := caTemplate(subject, key.Public(), 0, serial, notBefore, notAfter)
	if err != nil {
		return Authority{}, err
	}
	if notAfter.After(issuing.Certificate.NotAfter()) {
		return Authority{}, &Error{Code: CodeValidity, Detail: "responder ends after its issuer"}
	}
	template.IsCA, template.MaxPathLenZero = false, false
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}
	template.ExtraExtensions = []pkix.Extension{{Id: oidOCSPNoCheck, Value: asn1.NullBytes}}
	return signCA(template, issuing.Certificate.x, key, issuing.Key)
}

// Standing is what the CA knows of a serial number.
type Standing struct {
	Issued    bool // false: never issued by this CA, answered "unknown"
	Revoked   bool
	RevokedAt time.Time
	Reason    Reason
}

// AnswerOCSP answers a DER request (RFC 6960) about certificates of issuer, signed
// by the delegated responder. Unreadable requests get malformedRequest, those about
// another CA unauthorized, both unsigned as the RFC wants; an error means that
// nothing could be signed. SHA-1 certificate ids are accepted: they only identify.
func AnswerOCSP(request []byte, issuer Certificate, responder Authority, standing func(serial *big.Int) Standing, thisUpdate, nextUpdate time.Time) ([]byte, error) {
	if len(request) > MaxOCSPRequest {
		return ocsp.MalformedRequestErrorResponse, nil
	}
	req, err := ocsp.ParseRequest(request)
	if err != nil || req.SerialNumber == nil {
		return ocsp.MalformedRequestErrorResponse, nil
	}
	if !asksAbout(req, issuer.x) {
		return ocsp.UnauthorizedErrorResponse, nil
	}
	answer := ocsp.Response{
		SerialNumber: req.SerialNumber, IssuerHash: req.HashAlgorithm, Certificate: responder.Certificate.x,
		ThisUpdate: thisUpdate.UTC(), NextUpdate: nextUpdate.UTC(), Status: ocsp.Unknown,
	}
	switch s := standing(req.SerialNumber); {
	case s.Issued && s.Revoked:
		answer.Status, answer.RevokedAt, answer.RevocationReason = ocsp.Revoked, s.RevokedAt.UTC(), int(s.Reason)
	case s.Issued:
		answer.Status = ocsp.Good
	}
	der, err := ocsp.CreateResponse(issuer.x, responder.Certificate.x, answer, responder.Key)
	if err != nil {
		return nil, &Error{Code: CodeSigning, Detail: "OCSP response", Err: err}
	}
	return der, nil
}

// asksAbout compares the request's hashes of the issuer's name and key.
func asksAbout(req *ocsp.Request, issuer *x509.Certificate) bool {
	var spki struct {
		Algorithm pkix.AlgorithmIdentifier
		Key       asn1.BitString
	}
	if _, err := asn1.Unmarshal(issuer.RawSubjectPublicKeyInfo, &spki); err != nil {
		return false
	}
	sum := func(data []byte) []byte {
		if req.HashAlgorithm == crypto.SHA1 {
			h := sha1.Sum(data)
			return h[:]
		}
		h := req.HashAlgorithm.New()
		h.Write(data)
		return h.Sum(nil)
	}
	return req.HashAlgorithm.Available() && bytes.Equal(sum(issuer.RawSubject), req.IssuerNameHash) && bytes.Equal(sum(spki.Key.RightAlign()), req.IssuerKeyHash)
}
