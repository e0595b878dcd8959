package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"math/big"
	"time"
)

// Authority is a CA: its certificate and the key that signs under it. The key may
// live in memory or in a device.
type Authority struct {
	Certificate Certificate
	Key         crypto.Signer
}

// caRSABits is the length of an RSA CA key: good beyond 2030 (SP 800-57), made in
// about a second.
const caRSABits = 3072

// GenerateKey makes a private key: RSA2048 (exactly 2048 bits) or P256.
func GenerateKey(a Algorithm) (crypto.Signer, error) {
	if a == RSA2048 {
		return rsa.GenerateKey(rand.Reader, 2048)
	}
	return generateCAKey(a)
}

func generateCAKey(a Algorithm) (crypto.Signer, error) {
	switch a {
	case RSA2048:
		return rsa.GenerateKey(rand.Reader, caRSABits)
	case P256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		_, err := ParseAlgorithm(string(a))
		return nil, err
	}
}

// MarshalKey encodes an in-memory private key as PKCS #8 DER; seal it before it
// touches a disk.
func MarshalKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, &Error{Code: CodeKeyType, Detail: "private key cannot be encoded", Err: err}
	}
	return der, nil
}

// ParseKey reads what MarshalKey wrote.
func ParseKey(pkcs8 []byte) (crypto.Signer, error) {
	key, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, &Error{Code: CodeKeyType, Detail: "private key cannot be read", Err: err}
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, &Error{Code: CodeKeyType, Detail: "private key cannot sign"}
	}
	return signer, nil
}

// NewRoot makes a self-signed root with a key of the given kind (RSA2048 gives a
// 3072-bit CA key). pathLen 1: it signs issuing CAs only.
func NewRoot(subject Subject, a Algorithm, serial *big.Int, notBefore, notAfter time.Time) (Authority, error) {
	key, err := generateCAKey(a)
	if err != nil {
		return Authority{}, err
	}
	template, err := caTemplate(subject, key.Public(), 1, serial, notBefore, notAfter)
	if err != nil {
		return Authority{}, err
	}
	return signCA(template, template, key, key)
}

// IssuingURLs are where relying parties find what the root says of an issuing CA.
// http only; empty lists leave the extension out.
type IssuingURLs struct {
	CRL, Issuer []string
}

// NewIssuing makes an issuing CA under a root; pathLen 0. Its policies are
// anyPolicy, so that each profile's own OID is valid under it.
func NewIssuing(root Authority, subject Subject, a Algorithm, urls IssuingURLs, serial *big.Int, notBefore, notAfter time.Time) (Authority, error) {
	if err := checkIssuer(root.Certificate.x); err != nil {
		return Authority{}, err
	}
	key, err := generateCAKey(a)
	if err != nil {
		return Authority{}, err
	}
	template, err := caTemplate(subject, key.Public(), 0, serial, notBefore, notAfter)
	if err != nil {
		return Authority{}, err
	}
	if notAfter.After(root.Certificate.NotAfter()) {
		return Authority{}, &Error{Code: CodeValidity, Detail: "issuing CA ends after its root"}
	}
	anyPolicy, err := x509.ParseOID("2.5.29.32.0")
	if err != nil {
		return Authority{}, &Error{Code: CodeProfile, Detail: "anyPolicy", Err: err}
	}
	template.Policies = []x509.OID{anyPolicy}
	template.CRLDistributionPoints, template.IssuingCertificateURL = urls.CRL, urls.Issuer
	return signCA(template, root.Certificate.x, key, root.Key)
}

func caTemplate(subject Subject, pub crypto.PublicKey, pathLen int, serial *big.Int, notBefore, notAfter time.Time) (*x509.Certificate, error) {
	if err := checkSerial(serial); err != nil {
		return nil, err
	}
	if !notBefore.Before(notAfter) || notAfter.UTC().Year() > 2049 {
		return nil, &Error{Code: CodeValidity, Detail: "must begin before it ends, and end by 2049"}
	}
	rawSubject, err := subject.der()
	if err != nil {
		return nil, err
	}
	spki, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return nil, &Error{Code: CodeKeyType, Detail: "CA key", Err: err}
	}
	id := sha256.Sum256(spki)
	return &x509.Certificate{
		SerialNumber: serial, RawSubject: rawSubject, NotBefore: notBefore.UTC(), NotAfter: notAfter.UTC(),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true, IsCA: true, MaxPathLen: pathLen, MaxPathLenZero: pathLen == 0,
		SubjectKeyId: id[:20],
	}, nil
}

func signCA(template, parent *x509.Certificate, key, signer crypto.Signer) (Authority, error) {
	algorithm, _, err := signatureAlgorithm(signer.Public())
	if err != nil {
		return Authority{}, err
	}
	template.SignatureAlgorithm = algorithm
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return Authority{}, &Error{Code: CodeSigning, Detail: "CA certificate", Err: err}
	}
	cert, err := ParseCertificate(der)
	if err != nil {
		return Authority{}, err
	}
	if err := lintClean(der); err != nil {
		return Authority{}, err
	}
	return Authority{Certificate: cert, Key: key}, nil
}
