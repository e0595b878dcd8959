package pki

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestIssueEveryKind walks every CA kind × subscriber kind to a certificate and has
// Go, zlint and openssl judge each (test C6).
// req: B57
func TestIssueEveryKind(t *testing.T) {
	t.Parallel()
	profile := must(CompileProfile(loginConfig()))(t)
	subject := must(profile.Subject(dealer()))(t)
	for _, ca := range []Algorithm{RSA2048, P256} {
		w := newWorld(t, ca)
		for _, a := range profile.Algorithms() {
			key := must(GenerateKey(a))(t)
			hostile := x509.CertificateRequest{
				Subject:         pkix.Name{CommonName: "Somebody Else"},
				DNSNames:        []string{"evil.example"},
				ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3, 4}, Value: []byte{5, 0}}},
			}
			csr := must(ParseCSR(request(t, key, hostile)))(t)
			notBefore, notAfter := profile.Validity(noon)
			serial := must(NewSerial(rand.Reader))(t)
			ticket := must(Prepare(profile, subject, csr, w.issuing.Certificate.X509(), serial, notBefore, notAfter))(t)
			cert := must(Issue(ticket, w.issuing.Key))(t)

			x := cert.X509()
			if !bytes.Equal(x.RawTBSCertificate, ticket.TBS()) || x.SerialNumber.Cmp(serial) != 0 || !cert.Certifies(key.Public()) {
				t.Fatal("what was signed is not what was prepared")
			}
			if diff := cmp.Diff(subject, cert.Subject()); diff != "" {
				t.Fatal(diff)
			}
			if len(x.DNSNames) > 0 || bytes.Contains(cert.DER(), []byte("Somebody")) || hasExtension(x, asn1.ObjectIdentifier{1, 2, 3, 4}) {
				t.Fatal("the request's own subject or extensions were copied")
			}
			if !hasExtension(x, asn1.ObjectIdentifier{1, 2, 156, 10260, 4, 1, 4}) {
				t.Fatal("identity extension is missing")
			}
			chain := []Certificate{cert, w.issuing.Certificate, w.root.Certificate}
			if err := Verify(chain, noon.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
			wantCode(t, Verify(chain, notAfter.Add(time.Second)), CodeChain)
			if broken := must(Lint(cert.DER()))(t); broken != nil {
				t.Fatal(broken)
			}
			opensslJudges(t, w, cert)
		}
	}
}

func opensslJudges(t *testing.T, w world, cert Certificate) {
	t.Helper()
	root, issuing := writeFile(t, "root.pem", w.root.Certificate.PEM()), writeFile(t, "issuing.pem", w.issuing.Certificate.PEM())
	leaf := writeFile(t, "leaf.pem", cert.PEM())
	out := openssl(t, "verify", "-x509_strict", "-attime", "1795316400", "-purpose", "sslclient", "-CAfile", root, "-untrusted", issuing, leaf)
	if !strings.Contains(out, ": OK") {
		t.Fatal(out)
	}
	text := openssl(t, "x509", "-noout", "-serial", "-subject", "-nameopt", "utf8,sep_comma_plus_space", "-in", leaf)
	for _, want := range []string{"serial=" + cert.Serial(), "C=CN, ST=福建省, L=厦门市, O=厦门示例汽车销售有限公司, OU=经销商, serialNumber=91350200556207664B, CN=厦门示例汽车销售有限公司"} {
		if !strings.Contains(text, want) {
			t.Fatalf("openssl prints %q, want %q", text, want)
		}
	}
}

func hasExtension(x *x509.Certificate, oid asn1.ObjectIdentifier) bool {
	for _, e := range x.Extensions {
		if e.Id.Equal(oid) {
			return true
		}
	}
	return false
}

// failingSigner owns the right key and cannot use it, as a removed device.
type failingSigner struct{ crypto.Signer }

func (failingSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("token removed")
}

// A ticket gives one signature: not two at once, not one after a failure.
func TestTicketIsSpentOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, P256)
	ticket := prepared(t, w)
	copyOfIt := ticket
	results := make(chan error, 8)
	for range 8 {
		go func() { _, err := Issue(copyOfIt, w.issuing.Key); results <- err }()
	}
	issued := 0
	for range 8 {
		if err := <-results; err == nil {
			issued++
		} else {
			wantCode(t, err, CodeTicketSpent)
		}
	}
	if issued != 1 {
		t.Fatalf("%d certificates from one ticket", issued)
	}
	failing := prepared(t, w)
	_, err := Issue(failing, failingSigner{w.issuing.Key})
	wantCode(t, err, CodeSigning)
	_, err = Issue(failing, w.issuing.Key)
	wantCode(t, err, CodeTicketSpent)
	_, err = Issue(Ticket{}, w.issuing.Key)
	wantCode(t, err, CodeTicketSpent)
	_, err = Issue(prepared(t, w), w.root.Key)
	wantCode(t, err, CodeIssuer)
}

// A stored intent gives the same certificate after a crash, under an RSA issuer
// bit by bit; under another issuer none.
func TestRestore(t *testing.T) {
	t.Parallel()
	w := newWorld(t, RSA2048)
	ticket := prepared(t, w)
	first := must(Issue(ticket, w.issuing.Key))(t)
	again := must(Issue(must(Restore(ticket.TBS(), w.issuing.Certificate.X509()))(t), w.issuing.Key))(t)
	if !bytes.Equal(first.DER(), again.DER()) {
		t.Fatal("restored ticket gave another certificate")
	}
	_, err := Restore(ticket.TBS(), w.root.Certificate.X509())
	wantCode(t, err, CodeIssuer)
	_, err = Restore([]byte("junk"), w.issuing.Certificate.X509())
	if err == nil {
		t.Fatal("junk restored")
	}
}

func prepared(t *testing.T, w world) Ticket {
	t.Helper()
	profile := must(CompileProfile(loginConfig()))(t)
	csr := must(ParseCSR(request(t, must(GenerateKey(P256))(t), x509.CertificateRequest{})))(t)
	notBefore, notAfter := profile.Validity(noon)
	return must(Prepare(profile, must(profile.Subject(dealer()))(t), csr, w.issuing.Certificate.X509(), must(NewSerial(rand.Reader))(t), notBefore, notAfter))(t)
}

func TestPrepareRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, P256)
	profile := must(CompileProfile(loginConfig()))(t)
	subject := must(profile.Subject(dealer()))(t)
	csr := must(ParseCSR(request(t, must(GenerateKey(P256))(t), x509.CertificateRequest{})))(t)
	leaf := must(Issue(prepared(t, w), w.issuing.Key))(t).X509()
	rsaOnly := loginConfig()
	rsaOnly.Algorithms = []string{"rsa2048"}
	notBefore, notAfter := profile.Validity(noon)
	serial := must(NewSerial(rand.Reader))(t)
	issuer := w.issuing.Certificate.X509()
	type in struct {
		profile Profile
		subject Subject
		csr     CSR
		issuer  *x509.Certificate
		serial  *big.Int
		from    time.Time
		to      time.Time
	}
	good := in{profile, subject, csr, issuer, serial, notBefore, notAfter}
	for name, c := range map[string]struct {
		change func(*in)
		code   Code
	}{
		"no request":        {func(i *in) { i.csr = CSR{} }, CodeCSRMalformed},
		"zero profile":      {func(i *in) { i.profile = Profile{} }, CodeAlgorithm},
		"algorithm":         {func(i *in) { i.profile = must(CompileProfile(rsaOnly))(t) }, CodeAlgorithm},
		"issuer is a leaf":  {func(i *in) { i.issuer = leaf }, CodeIssuer},
		"no issuer":         {func(i *in) { i.issuer = nil }, CodeIssuer},
		"serial zero":       {func(i *in) { i.serial = big.NewInt(0) }, CodeSerial},
		"serial short":      {func(i *in) { i.serial = big.NewInt(77) }, CodeSerial},
		"serial negative":   {func(i *in) { i.serial = new(big.Int).Neg(serial) }, CodeSerial},
		"serial 21 octets":  {func(i *in) { i.serial = new(big.Int).Lsh(big.NewInt(1), 160) }, CodeSerial},
		"ends before":       {func(i *in) { i.to = i.from }, CodeValidity},
		"too long":          {func(i *in) { i.to = AddYears(noon, 3) }, CodeValidity},
		"outlives issuer":   {func(i *in) { i.from, i.to = AddYears(noon, 9), AddYears(noon, 10).Add(time.Hour) }, CodeValidity},
		"before the issuer": {func(i *in) { i.from = noon.Add(-2 * time.Hour) }, CodeValidity},
		"CN of 65":          {func(i *in) { i.subject.CommonName = strings.Repeat("厦", 65) }, CodeSubject},
		"O of 65":           {func(i *in) { i.subject.Organization = strings.Repeat("a", 65) }, CodeSubject},
		"no CN":             {func(i *in) { i.subject.CommonName = "" }, CodeSubject},
		"serial number 汉":   {func(i *in) { i.subject.SerialNumber = "汉" }, CodeSubject},
		"blank at the end":  {func(i *in) { i.subject.Locality = "厦门市 " }, CodeSubject},
		"country":           {func(i *in) { i.subject.Country = "cn" }, CodeSubject},
		"override":          {func(i *in) { i.subject.CommonName = "a\u202eb" }, CodeSubject},
	} {
		x := good
		c.change(&x)
		_, err := Prepare(x.profile, x.subject, x.csr, x.issuer, x.serial, x.from, x.to)
		if CodeOf(err) != c.code {
			t.Errorf("%s: error = %v, want code %s", name, err, c.code)
		}
	}
	long := good
	long.subject.CommonName = strings.Repeat("厦", 64) // 192 octets, 64 characters
	if _, err := Prepare(long.profile, long.subject, long.csr, long.issuer, long.serial, long.from, long.to); err != nil {
		t.Errorf("64 Chinese characters: %v", err)
	}
}

func TestKeysSurviveStorage(t *testing.T) {
	t.Parallel()
	for _, a := range []Algorithm{RSA2048, P256} {
		key := must(GenerateKey(a))(t)
		again := must(ParseKey(must(MarshalKey(key))(t)))(t)
		if !samePublicKey(key.Public(), again.Public()) {
			t.Fatal("another key came back")
		}
	}
	_, err := GenerateKey(SM2)
	wantCode(t, err, CodeNotOffered)
	if _, err := ParseKey([]byte{1, 2, 3}); err == nil {
		t.Fatal("junk key accepted")
	}
}

func TestBundle(t *testing.T) {
	t.Parallel()
	w := newWorld(t, P256)
	pemBytes := BundlePEM(w.issuing.Certificate, w.root.Certificate)
	chain := must(ParseBundle(pemBytes))(t)
	if len(chain) != 2 || chain[0].Fingerprint() != w.issuing.Certificate.Fingerprint() {
		t.Fatal("bundle order")
	}
	for _, bad := range [][]byte{nil, []byte("x"), append(pemBytes, "tail"...), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}})} {
		if _, err := ParseBundle(bad); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}
