package issuance_test

import (
	"crypto/x509"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"golang.org/x/crypto/ocsp"

	"certsaas/core/fault"
	"certsaas/core/order"
	"certsaas/core/pki"
	"certsaas/core/platform/platformtest"
)

// Where browsers come over TLS, certificates still name plain addresses: who checks them trusts no TLS yet (RFC 5280 §4.2.2.1).
func TestAddressesInCertificates(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	if at := b.Sites.Platform(); !strings.HasPrefix(at, "https://") {
		t.Fatalf("the bench is at %s", at)
	}
	_, _, certs := b.Write(b.Approved(platformtest.Renew, uuid.Nil, nil))
	x := certs[0].X509()
	for _, list := range [][]string{x.CRLDistributionPoints, x.IssuingCertificateURL, x.OCSPServer} {
		if len(list) == 0 || !strings.HasPrefix(list[0], "http://localhost/") {
			t.Errorf("address %v", list)
		}
	}
}

// A revocation is answered at once (reliability C5), an unknown number is not called good, the responder is renewed before it
// ends, and openssl believes each answer.
func TestOCSP(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	_, oldID, old := b.OldKey(10)
	is, err := b.CA.Issuer(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	answer := func(c *x509.Certificate) (request, der []byte, said *ocsp.Response) {
		t.Helper()
		request, err := ocsp.CreateRequest(c, is.Certificate.X509(), nil)
		if err != nil {
			t.Fatal(err)
		}
		if der, err = b.Issuance.OCSP(t.Context(), b.CA, is.ID, request); err != nil {
			t.Fatal(err)
		}
		if said, err = ocsp.ParseResponseForCert(der, c, is.Certificate.X509()); err != nil {
			t.Fatal(err)
		}
		return request, der, said
	}
	ask := func(c pki.Certificate) *ocsp.Response {
		t.Helper()
		request, der, a := answer(c.X509())
		dir := t.TempDir()
		at := func(name string) string { return filepath.Join(dir, name) }
		for name, data := range map[string][]byte{"res.der": der, "req.der": request, "leaf.pem": c.PEM(), "issuing.pem": is.Certificate.PEM(), "root.pem": is.Root.PEM()} {
			if err := os.WriteFile(at(name), data, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		said, err := openssl(t, "ocsp", "-reqin", at("req.der"), "-respin", at("res.der"), "-issuer", at("issuing.pem"), "-cert", at("leaf.pem"), "-CAfile", at("root.pem"),
			"-verify_other", at("issuing.pem"), "-no_nonce", "-attime", strconv.FormatInt(a.ThisUpdate.Unix(), 10), "-validity_period", "1000000000")
		if want := []string{"good", "revoked", "unknown"}[a.Status]; err != nil || !strings.Contains(said, "Response verify OK") || !strings.Contains(said, ": "+want) {
			t.Errorf("openssl: %v %s", err, said)
		}
		return a
	}
	if a := ask(old); a.Status != ocsp.Good || !a.NextUpdate.Equal(a.ThisUpdate.Add(24*time.Hour)) {
		t.Errorf("before its renewal: status %d until %s", a.Status, a.NextUpdate)
	}
	o, _, certs := b.Write(b.Approved(platformtest.Renew, oldID, nil))
	if o.State != order.Completed {
		t.Fatal(o.State)
	}
	first := ask(old)
	if first.Status != ocsp.Revoked || first.RevocationReason != int(pki.Superseded) || first.RevokedAt.IsZero() {
		t.Errorf("after its renewal: %+v", first)
	}
	if a := ask(certs[0]); a.Status != ocsp.Good {
		t.Errorf("the new one: status %d", a.Status)
	}
	if _, _, a := answer(&x509.Certificate{SerialNumber: big.NewInt(4711)}); a.Status != ocsp.Unknown {
		t.Errorf("a number that was never given: status %d", a.Status)
	}
	b.Clock.Shift(6*24*time.Hour + time.Hour)
	later := ask(old)
	if later.Certificate.SerialNumber.Cmp(first.Certificate.SerialNumber) == 0 || !later.Certificate.NotAfter.After(first.Certificate.NotAfter) {
		t.Error("the responder was not renewed")
	}
	if _, err := b.Issuance.OCSP(t.Context(), b.CA, uuid.New(), nil); !errors.Is(err, fault.NotFound) {
		t.Errorf("another authority: %v", err)
	}
}
