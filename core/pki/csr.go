package pki

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"fmt"
)

// MaxCSRBytes bounds a request; a P-256 one has 250 bytes, RSA-4096 under 2 kB.
const MaxCSRBytes = 16 << 10

// CSR is a certificate request whose signature and key were found good. Only the
// public key is kept: the subject and the extensions it asked for are ignored,
// they come from the order and the profile.
type CSR struct {
	pub       crypto.PublicKey
	algorithm Algorithm
	spki      SPKI
	raw       []byte
}

// Algorithm is RSA2048 (any allowed RSA length) or P256.
func (c CSR) Algorithm() Algorithm { return c.algorithm }

// SPKISHA256 identifies the public key.
func (c CSR) SPKISHA256() SPKI { return c.spki }

// CSROption adds a check to ParseCSR.
type CSROption func(*csrPolicy)

type csrPolicy struct {
	blocked func(SPKI) bool
}

// WithBlocked refuses keys for which f answers true: lists of leaked keys, keys
// of revoked certificates, keys of another subject.
func WithBlocked(f func(SPKI) bool) CSROption { return func(p *csrPolicy) { p.blocked = f } }

var (
	oidBasicConstraints = asn1.ObjectIdentifier{2, 5, 29, 19}
	// sm2Curve is the DER of 1.2.156.10197.1.301, sm2p256v1 (GM/T 0006).
	sm2Curve = []byte{0x06, 0x08, 0x2A, 0x81, 0x1C, 0xCF, 0x55, 0x01, 0x82, 0x2D}
)

// ParseCSR reads one PKCS #10 request, PEM or DER, and checks proof of possession
// (self-signature) and the key policy. Errors are *Error with a CSR_… or KEY_…
// code, ALGORITHM_NOT_OFFERED for SM2.
func ParseCSR(pemOrDER []byte, opts ...CSROption) (CSR, error) {
	var policy csrPolicy
	for _, o := range opts {
		o(&policy)
	}
	der, err := csrBytes(pemOrDER)
	if err != nil {
		return CSR{}, err
	}
	req, err := x509.ParseCertificateRequest(der)
	if err != nil {
		if bytes.Contains(der, sm2Curve) {
			return CSR{}, &Error{Code: CodeNotOffered, Detail: "SM2 is reserved and not offered by this CA"}
		}
		return CSR{}, &Error{Code: CodeCSRMalformed, Detail: "not a valid PKCS #10 request", Err: err}
	}
	if err := checkRequest(req); err != nil {
		return CSR{}, err
	}
	alg, err := algorithmOf(req.PublicKey)
	if err != nil {
		return CSR{}, err
	}
	spki, err := SPKISHA256(req.PublicKey)
	if err != nil {
		return CSR{}, err
	}
	if policy.blocked != nil && policy.blocked(spki) {
		return CSR{}, &Error{Code: CodeKeyBlocked, Detail: "this public key is known and must not be certified"}
	}
	return CSR{pub: req.PublicKey, algorithm: alg, spki: spki, raw: der}, nil
}

func csrBytes(in []byte) ([]byte, error) {
	if len(in) > MaxCSRBytes {
		return nil, &Error{Code: CodeCSRTooLarge, Detail: fmt.Sprintf("request has %d bytes, limit %d", len(in), MaxCSRBytes)}
	}
	trimmed := bytes.TrimSpace(in)
	if !bytes.HasPrefix(trimmed, []byte("-----BEGIN")) {
		return bytes.Clone(in), nil
	}
	block, rest := pem.Decode(trimmed)
	if block == nil || (block.Type != "CERTIFICATE REQUEST" && block.Type != "NEW CERTIFICATE REQUEST") {
		return nil, &Error{Code: CodeCSRMalformed, Detail: "PEM block is not a certificate request"}
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, &Error{Code: CodeCSRMalformed, Detail: "more than one PEM block or trailing data"}
	}
	return block.Bytes, nil
}

// checkRequest judges key, signature, subject and asked-for extensions. The last
// two are never used; a hostile value there still marks the request as hostile.
func checkRequest(req *x509.CertificateRequest) error {
	if err := checkKey(req.PublicKey); err != nil {
		return err
	}
	if err := req.CheckSignature(); err != nil {
		return &Error{Code: CodeCSRSignature, Detail: "proof of possession failed", Err: err}
	}
	if err := checkForeignName(req.RawSubject); err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, ext := range req.Extensions {
		if id := ext.Id.String(); seen[id] {
			return &Error{Code: CodeCSRMalformed, Detail: "duplicate extension " + id}
		} else {
			seen[id] = true
		}
		if ext.Id.Equal(oidBasicConstraints) && asksForCA(ext.Value) {
			return &Error{Code: CodeCSRAuthority, Detail: "request asks for basicConstraints CA:TRUE"}
		}
	}
	return nil
}

// asksForCA answers true for CA:TRUE and for anything it cannot read.
func asksForCA(value []byte) bool {
	var bc struct {
		IsCA       bool `asn1:"optional"`
		MaxPathLen int  `asn1:"optional,default:-1"`
	}
	rest, err := asn1.Unmarshal(value, &bc)
	return err != nil || len(rest) > 0 || bc.IsCA
}

func checkForeignName(raw []byte) error {
	var seq pkix.RDNSequence
	if _, err := asn1.Unmarshal(raw, &seq); err != nil {
		return &Error{Code: CodeCSRMalformed, Detail: "request subject", Err: err}
	}
	for _, rdn := range seq {
		for _, atv := range rdn {
			text, ok := atv.Value.(string)
			if !ok {
				continue // an exotic string type: never used, never shown
			}
			limit := 128
			if atv.Type.Equal(oidCommonName) || atv.Type.Equal(oidOrganization) || atv.Type.Equal(oidOrganizationalUnit) {
				limit = 64
			}
			if why := badText(text, limit); why != "" {
				return &Error{Code: CodeCSRSubject, Detail: "request subject attribute " + atv.Type.String() + " " + why}
			}
		}
	}
	return nil
}
