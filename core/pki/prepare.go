package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"math/big"
	"sync"
	"sync/atomic"
	"time"
)

// NewSerial draws a positive serial number of 128 random bits (16 octets, well
// under the 20 of RFC 5280 §4.1.2.2). random is crypto/rand.Reader outside tests.
func NewSerial(random io.Reader) (*big.Int, error) {
	var b [16]byte
	for {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return nil, &Error{Code: CodeSerial, Detail: "random source failed", Err: err}
		}
		// 0 is forbidden and a short number would betray a broken source.
		if n := new(big.Int).SetBytes(b[:]); n.BitLen() > 64 {
			return n, nil
		}
	}
}

// Ticket is the right to have one prepared, linted certificate signed, once. It
// is opaque: what is signed cannot be changed after the lint. Copies share the
// one redemption.
type Ticket struct{ state *ticketState }

type ticketState struct {
	tbs    []byte
	twin   *x509.Certificate
	issuer *x509.Certificate
	spent  atomic.Bool
}

// TBS is the DER to-be-signed certificate, to be stored as the issuance intent.
func (t Ticket) TBS() []byte { return bytes.Clone(t.state.tbs) }

// Serial is the certificate's serial number.
func (t Ticket) Serial() *big.Int { return new(big.Int).Set(t.state.twin.SerialNumber) }

// SPKISHA256 identifies the certified key.
func (t Ticket) SPKISHA256() SPKI { return sha256.Sum256(t.state.twin.RawSubjectPublicKeyInfo) }

// Validity is the period the certificate will have, in UTC.
func (t Ticket) Validity() (notBefore, notAfter time.Time) {
	return t.state.twin.NotBefore, t.state.twin.NotAfter
}

// Prepare builds the certificate and lints a twin of it signed by a throw-away
// key of the same kind. Nothing bears the issuer's signature yet: store the
// ticket's serial and TBS as intent, then Issue. Errors are *Error; LINT_FAILED
// names the rules.
func Prepare(profile Profile, subject Subject, csr CSR, issuerCert *x509.Certificate, serial *big.Int, notBefore, notAfter time.Time) (Ticket, error) {
	if csr.pub == nil {
		return Ticket{}, &Error{Code: CodeCSRMalformed, Detail: "no parsed request"}
	}
	if !profile.Allows(csr.algorithm) {
		return Ticket{}, &Error{Code: CodeAlgorithm, Detail: fmt.Sprintf("profile %q does not allow %s keys", profile.name, csr.algorithm)}
	}
	if err := checkIssuer(issuerCert); err != nil {
		return Ticket{}, err
	}
	if err := checkSerial(serial); err != nil {
		return Ticket{}, err
	}
	if err := checkValidity(profile, issuerCert, notBefore, notAfter); err != nil {
		return Ticket{}, err
	}
	template, err := profile.template(subject, csr, serial, notBefore, notAfter)
	if err != nil {
		return Ticket{}, err
	}
	twin, err := signTwin(template, issuerCert, csr.pub)
	if err != nil {
		return Ticket{}, err
	}
	return newTicket(twin, issuerCert)
}

// Restore makes a ticket again from a stored intent, for the sweeper that
// completes what a crash interrupted. The bytes are linted again. Signed by an
// RSA issuer it yields the same certificate bit by bit.
func Restore(tbs []byte, issuerCert *x509.Certificate) (Ticket, error) {
	if err := checkIssuer(issuerCert); err != nil {
		return Ticket{}, err
	}
	key, err := twinKey(issuerCert)
	if err != nil {
		return Ticket{}, err
	}
	der, err := signTBS(tbs, issuerCert, key)
	if err != nil {
		return Ticket{}, err
	}
	twin, err := x509.ParseCertificate(der)
	if err != nil {
		return Ticket{}, &Error{Code: CodeCertMalformed, Detail: "stored intent", Err: err}
	}
	if !bytes.Equal(twin.RawIssuer, issuerCert.RawSubject) || !bytes.Equal(twin.AuthorityKeyId, issuerCert.SubjectKeyId) {
		return Ticket{}, &Error{Code: CodeIssuer, Detail: "stored intent names another issuer"}
	}
	return newTicket(twin, issuerCert)
}

func newTicket(twin, issuerCert *x509.Certificate) (Ticket, error) {
	if err := lintClean(twin.Raw); err != nil {
		return Ticket{}, err
	}
	return Ticket{state: &ticketState{tbs: twin.RawTBSCertificate, twin: twin, issuer: issuerCert}}, nil
}

func checkIssuer(c *x509.Certificate) error {
	if c == nil || !c.IsCA || c.KeyUsage&x509.KeyUsageCertSign == 0 || len(c.SubjectKeyId) == 0 {
		return &Error{Code: CodeIssuer, Detail: "issuer certificate is not a CA certificate with keyCertSign and a key identifier"}
	}
	_, _, err := signatureAlgorithm(c.PublicKey)
	return err
}

func checkSerial(n *big.Int) error {
	if n == nil || n.Sign() <= 0 || n.BitLen() < 64 || n.BitLen() > 159 {
		return &Error{Code: CodeSerial, Detail: "serial must be positive, of 64 to 159 bits"}
	}
	return nil
}

// checkValidity allows one year beyond the profile's term, for carried-over days.
func checkValidity(p Profile, issuer *x509.Certificate, notBefore, notAfter time.Time) error {
	bad := func(detail string) error { return &Error{Code: CodeValidity, Detail: detail} }
	switch {
	case !notBefore.Before(notAfter):
		return bad("ends before it begins")
	case notAfter.UTC().Year() > 2049:
		return bad("ends after 2049")
	case notBefore.Before(issuer.NotBefore):
		return bad("begins before the issuer's certificate")
	case notAfter.After(issuer.NotAfter):
		return bad("ends after the issuer's certificate")
	case notAfter.After(AddYears(notBefore, p.years+1)):
		return bad(fmt.Sprintf("is longer than profile %q allows", p.name))
	}
	return nil
}

func (p Profile) template(subject Subject, csr CSR, serial *big.Int, notBefore, notAfter time.Time) (*x509.Certificate, error) {
	rawSubject, err := subject.der()
	if err != nil {
		return nil, err
	}
	spki := csr.SPKISHA256()
	t := &x509.Certificate{
		SerialNumber: serial, RawSubject: rawSubject,
		NotBefore: notBefore.UTC(), NotAfter: notAfter.UTC(),
		KeyUsage: p.usage, ExtKeyUsage: p.eku, UnknownExtKeyUsage: p.ekuOIDs,
		BasicConstraintsValid: true,
		SubjectKeyId:          spki[:20], // RFC 7093 §2, SHA-256 cut to 160 bits
		CRLDistributionPoints: p.crl, OCSPServer: p.ocsp, IssuingCertificateURL: p.issuer,
		Policies: p.policy,
	}
	if p.identity != nil && subject.SerialNumber != "" {
		value, err := asn1.Marshal(subject.SerialNumber)
		if err != nil {
			return nil, &Error{Code: CodeSubject, Detail: "identity extension", Err: err}
		}
		t.ExtraExtensions = []pkix.Extension{{Id: p.identity, Value: value}}
	}
	return t, nil
}

// signTwin signs the template in the issuer's name with a key nobody trusts.
func signTwin(template, issuerCert *x509.Certificate, pub crypto.PublicKey) (*x509.Certificate, error) {
	key, err := twinKey(issuerCert)
	if err != nil {
		return nil, err
	}
	template.SignatureAlgorithm, _, err = signatureAlgorithm(issuerCert.PublicKey)
	if err != nil {
		return nil, err
	}
	parent := *issuerCert
	parent.PublicKey = nil // else CreateCertificate insists on the real key
	der, err := x509.CreateCertificate(rand.Reader, template, &parent, pub, key)
	if err != nil {
		return nil, &Error{Code: CodeProfile, Detail: "certificate cannot be encoded", Err: err}
	}
	twin, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, &Error{Code: CodeCertMalformed, Detail: "twin", Err: err}
	}
	return twin, nil
}

// The throw-away keys live and die with the process; making them once saves a
// hundred milliseconds per certificate.
var (
	twinRSA = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })
	twinEC  = sync.OnceValues(func() (*ecdsa.PrivateKey, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) })
)

func twinKey(issuerCert *x509.Certificate) (crypto.Signer, error) {
	if _, isRSA := issuerCert.PublicKey.(*rsa.PublicKey); isRSA {
		return twinRSA()
	}
	return twinEC()
}
