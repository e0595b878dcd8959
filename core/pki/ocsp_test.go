package pki

import (
	"bytes"
	"crypto/rand"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// openssl asks, we answer, openssl believes (test C5).
func TestOCSP(t *testing.T) {
	t.Parallel()
	for _, a := range []Algorithm{RSA2048, P256} {
		w := newWorld(t, a)
		responder := must(NewResponder(w.issuing, Subject{Country: "CN", CommonName: "演示 OCSP"}, a, must(NewSerial(rand.Reader))(t), noon.Add(-time.Hour), noon.AddDate(0, 0, 7)))(t)
		cert := must(Issue(prepared(t, w), w.issuing.Key))(t)
		dir := t.TempDir()
		at := func(name string) string { return filepath.Join(dir, name) }
		for name, data := range map[string][]byte{"leaf.pem": cert.PEM(), "issuing.pem": w.issuing.Certificate.PEM(), "root.pem": w.root.Certificate.PEM()} {
			if err := os.WriteFile(at(name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for want, standing := range map[string]Standing{
			": good":    {Issued: true},
			": revoked": {Issued: true, Revoked: true, RevokedAt: noon.Add(-time.Minute), Reason: Superseded},
			": unknown": {},
		} {
			for _, digest := range []string{"-sha1", "-sha256"} {
				openssl(t, "ocsp", digest, "-issuer", at("issuing.pem"), "-cert", at("leaf.pem"), "-no_nonce", "-reqout", at("req.der"))
				der := must(AnswerOCSP(must(os.ReadFile(at("req.der")))(t), w.issuing.Certificate, responder, func(n *big.Int) Standing {
					if n.Cmp(cert.X509().SerialNumber) != 0 {
						t.Errorf("asked about %X", n)
					}
					return standing
				}, noon, noon.Add(24*time.Hour)))(t)
				if err := os.WriteFile(at("res.der"), der, 0o600); err != nil {
					t.Fatal(err)
				}
				out := openssl(t, "ocsp", digest, "-reqin", at("req.der"), "-respin", at("res.der"), "-issuer", at("issuing.pem"), "-cert", at("leaf.pem"),
					"-CAfile", at("root.pem"), "-verify_other", at("issuing.pem"), "-no_nonce", "-attime", "1795316400", "-validity_period", "1000000000")
				if !strings.Contains(out, "Response verify OK") || !strings.Contains(out, want) {
					t.Fatalf("%s %s: %s", want, digest, out)
				}
			}
		}
	}
}

func TestOCSPRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, P256)
	responder := must(NewResponder(w.issuing, Subject{CommonName: "OCSP"}, P256, must(NewSerial(rand.Reader))(t), noon, noon.AddDate(0, 0, 7)))(t)
	other := must(ocsp.CreateRequest(w.issuing.Certificate.X509(), w.root.Certificate.X509(), nil))(t)
	never := func(*big.Int) Standing { t.Error("asked the registry"); return Standing{} }
	for name, c := range map[string]struct{ in, want []byte }{
		"empty":      {nil, ocsp.MalformedRequestErrorResponse},
		"junk":       {[]byte("junk"), ocsp.MalformedRequestErrorResponse},
		"huge":       {bytes.Repeat([]byte{0x30}, MaxOCSPRequest+1), ocsp.MalformedRequestErrorResponse},
		"another CA": {other, ocsp.UnauthorizedErrorResponse},
	} {
		got, err := AnswerOCSP(c.in, w.issuing.Certificate, responder, never, noon, noon.Add(time.Hour))
		if err != nil || !bytes.Equal(got, c.want) {
			t.Errorf("%s: %x %v", name, got, err)
		}
	}
	_, err := NewResponder(w.issuing, Subject{CommonName: "OCSP"}, P256, must(NewSerial(rand.Reader))(t), noon, AddYears(noon, 11))
	wantCode(t, err, CodeValidity)
}
