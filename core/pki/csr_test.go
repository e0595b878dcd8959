package pki

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"io"
	"math/big"
	"strings"
	"testing"
)

// forgedRequest shows a public key of the test's making under a signature of
// another key: the key policy must refuse before the signature is looked at.
func forgedRequest(t *testing.T, pub *rsa.PublicKey) []byte {
	t.Helper()
	key := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	honest := must(x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key))(t)
	type tbs struct {
		Version    int
		Subject    asn1.RawValue
		Key        asn1.RawValue
		Attributes asn1.RawValue
	}
	var outer struct {
		TBS       tbs
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(honest, &outer); err != nil {
		t.Fatal(err)
	}
	spki := must(x509.MarshalPKIXPublicKey(pub))(t)
	outer.TBS.Key = asn1.RawValue{FullBytes: spki}
	return must(asn1.Marshal(outer))(t)
}

func prime(t *testing.T, bits int) *big.Int {
	t.Helper()
	return must(rand.Prime(rand.Reader, bits))(t)
}

// rocaPrime builds p = k·M + (65537^a mod M), the flaw of CVE-2017-15361 itself.
func rocaPrime(t *testing.T) *big.Int {
	t.Helper()
	m, count := big.NewInt(1), 0
	for n := int64(2); count < 126; n++ {
		if p := big.NewInt(n); p.ProbablyPrime(0) {
			m.Mul(m, p)
			count++
		}
	}
	for {
		a := must(rand.Int(rand.Reader, m))(t)
		base := new(big.Int).Exp(big.NewInt(65537), a, m)
		k := new(big.Int).Rsh(new(big.Int).Lsh(big.NewInt(3), 1022), uint(m.BitLen()))
		for i := int64(0); i < 2000; i++ {
			p := new(big.Int).Mul(new(big.Int).Add(k, big.NewInt(i)), m)
			if p.Add(p, base); p.BitLen() == 1024 && p.ProbablyPrime(10) {
				return p
			}
		}
	}
}

func modulus(p, q *big.Int) *rsa.PublicKey {
	return &rsa.PublicKey{N: new(big.Int).Mul(p, q), E: 65537}
}

// TestBadRequests is the table of test C4: every one refused, with its reason.
// req: B57
func TestBadRequests(t *testing.T) {
	t.Parallel()
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))(t)
	ecKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(t)
	named := func(cn string) []byte {
		return request(t, ecKey, x509.CertificateRequest{Subject: pkix.Name{CommonName: cn}})
	}
	asking := func(exts ...pkix.Extension) []byte {
		return request(t, ecKey, x509.CertificateRequest{ExtraExtensions: exts})
	}
	other := must(rand.Prime(rand.Reader, 1024))(t)
	near := new(big.Int).Add(other, big.NewInt(2))
	for !near.ProbablyPrime(20) {
		near.Add(near, big.NewInt(2))
	}
	tampered := must(csrBytes(named("ok")))(t)
	tampered[len(tampered)-1] ^= 1
	caTrue := []byte{0x30, 0x03, 0x01, 0x01, 0xff}
	sm2 := bytes.Replace(must(csrBytes(named("ok")))(t), []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}, sm2Curve, 1)

	for name, c := range map[string]struct {
		in   []byte
		code Code
	}{
		"empty":                   {nil, CodeCSRMalformed},
		"junk":                    {[]byte("hello"), CodeCSRMalformed},
		"1 MB":                    {bytes.Repeat([]byte("A"), 1<<20), CodeCSRTooLarge},
		"certificate instead":     {[]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), CodeCSRMalformed},
		"two requests":            {append(named("a"), named("b")...), CodeCSRMalformed},
		"RSA-1024":                {forgedRequest(t, modulus(prime(t, 512), prime(t, 512))), CodeKeySize},
		"RSA-8192":                {forgedRequest(t, &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 8191, 1), E: 65537}), CodeKeySize},
		"e = 1":                   {forgedRequest(t, &rsa.PublicKey{N: rsaKey.N, E: 1}), CodeKeyExponent},
		"e = 3":                   {forgedRequest(t, &rsa.PublicKey{N: rsaKey.N, E: 3}), CodeKeyExponent},
		"factor 3":                {forgedRequest(t, modulus(big.NewInt(3), prime(t, 2046))), CodeKeyFactor},
		"ROCA":                    {forgedRequest(t, modulus(rocaPrime(t), rocaPrime(t))), CodeKeyROCA},
		"close primes":            {forgedRequest(t, modulus(other, near)), CodeKeyClose},
		"P-224":                   {request(t, must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))(t), x509.CertificateRequest{}), CodeKeyType},
		"P-384":                   {request(t, must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader))(t), x509.CertificateRequest{}), CodeKeyType},
		"Ed25519":                 {request(t, edKey(t), x509.CertificateRequest{}), CodeKeyType},
		"SM2":                     {sm2, CodeNotOffered},
		"wrong self-signature":    {tampered, CodeCSRSignature},
		"signed by another key":   {forgedRequest(t, &rsaKey.PublicKey), CodeCSRSignature},
		"CN of 65 characters":     {named(strings.Repeat("车", 65)), CodeCSRSubject},
		"NUL":                     {named("a\x00b"), CodeCSRSubject},
		"right-to-left override":  {named("abc\u202egpj"), CodeCSRSubject},
		"zero width space":        {named("a\u200bb"), CodeCSRSubject},
		"wildcard":                {named("*.byd.com"), CodeCSRSubject},
		"CA:TRUE":                 {asking(pkix.Extension{Id: oidBasicConstraints, Critical: true, Value: caTrue}), CodeCSRAuthority},
		"unreadable constraints":  {asking(pkix.Extension{Id: oidBasicConstraints, Value: []byte{1}}), CodeCSRAuthority},
		"duplicate extension":     {asking(pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: []byte{5, 0}}, pkix.Extension{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: []byte{5, 0}}), CodeCSRMalformed},
		"trailing bytes after it": {append(must(csrBytes(named("a")))(t), 0, 0), CodeCSRMalformed},
	} {
		_, err := ParseCSR(c.in)
		if CodeOf(err) != c.code {
			t.Errorf("%s: error = %v, want code %s", name, err, c.code)
		}
	}
}

func edKey(t *testing.T) crypto.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return must(key, err)(t)
}

// A key on the caller's list is refused, whatever else it is.
func TestBlockedKey(t *testing.T) {
	t.Parallel()
	key := must(GenerateKey(P256))(t)
	in := request(t, key, x509.CertificateRequest{})
	csr := must(ParseCSR(in))(t)
	_, err := ParseCSR(in, WithBlocked(func(s SPKI) bool { return s == csr.SPKISHA256() }))
	wantCode(t, err, CodeKeyBlocked)
	if _, err := ParseCSR(in, WithBlocked(func(SPKI) bool { return false })); err != nil {
		t.Fatal(err)
	}
}

// The key rules must not refuse what sound generators make.
func TestGoodKeysPass(t *testing.T) {
	t.Parallel()
	for _, a := range []Algorithm{RSA2048, P256, RSA2048} {
		key := must(GenerateKey(a))(t)
		in := request(t, key, x509.CertificateRequest{Subject: pkix.Name{CommonName: "USBKEY"}})
		csr := must(ParseCSR(in))(t)
		if csr.Algorithm() != a || !samePublicKey(key.Public(), csr.pub) {
			t.Fatalf("%s: parsed as %s", a, csr.Algorithm())
		}
		openssl(t, "req", "-verify", "-noout", "-in", writeFile(t, "req.pem", in))
	}
}

func FuzzParseCSR(f *testing.F) {
	key, err := GenerateKey(P256)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "x"}}, key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Add([]byte("-----BEGIN CERTIFICATE REQUEST-----\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		csr, err := ParseCSR(in)
		if err == nil && csr.pub == nil {
			t.Fatal("accepted without a key")
		}
		if err != nil && CodeOf(err) == "" {
			t.Fatalf("untyped error %v", err)
		}
	})
}

func TestSerialSourceFails(t *testing.T) {
	t.Parallel()
	_, err := NewSerial(io.LimitReader(rand.Reader, 3))
	wantCode(t, err, CodeSerial)
}
