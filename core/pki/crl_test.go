package pki

import (
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"
)

// openssl believes the list, and a revoked certificate no longer verifies (test C5).
func TestRevocationList(t *testing.T) {
	t.Parallel()
	for _, a := range []Algorithm{RSA2048, P256} {
		w := newWorld(t, a)
		cert := must(Issue(prepared(t, w), w.issuing.Key))(t)
		empty := must(CreateCRL(nil, big.NewInt(1), noon, noon.AddDate(0, 0, 7), w.issuing))(t)
		full := must(CreateCRL([]Revocation{
			{cert.X509().SerialNumber, noon.Add(-time.Minute), Superseded},
			{big.NewInt(4711), noon.Add(-time.Hour), Unspecified},
		}, big.NewInt(2), noon, noon.AddDate(0, 0, 7), w.issuing))(t)
		list := must(x509.ParseRevocationList(full))(t)
		if len(list.RevokedCertificateEntries) != 2 || list.RevokedCertificateEntries[0].SerialNumber.Int64() != 4711 || list.RevokedCertificateEntries[1].ReasonCode != 4 {
			t.Fatalf("%+v", list.RevokedCertificateEntries)
		}
		chain := writeFile(t, "chain.pem", BundlePEM(w.issuing.Certificate, w.root.Certificate))
		leaf := writeFile(t, "leaf.pem", cert.PEM())
		for want, der := range map[string][]byte{"OK": empty, "certificate revoked": full} {
			file := writeFile(t, "list.pem", pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: der}))
			if out := openssl(t, "crl", "-noout", "-CAfile", chain, "-in", file); !strings.Contains(out, "verify OK") {
				t.Fatal(out)
			}
			verdict := verifyWithList(t, chain, file, leaf)
			if !strings.Contains(verdict, want) {
				t.Fatalf("openssl says %q, want %q", verdict, want)
			}
		}
	}
}

func TestRevocationListRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, P256)
	one := big.NewInt(1)
	next := noon.AddDate(0, 0, 7)
	entry := func(n int64, at time.Time, r Reason) Revocation { return Revocation{big.NewInt(n), at, r} }
	for name, c := range map[string]struct {
		entries []Revocation
		number  *big.Int
		next    time.Time
	}{
		"no number":       {nil, nil, next},
		"number zero":     {nil, big.NewInt(0), next},
		"ends at once":    {nil, one, noon},
		"future entry":    {[]Revocation{entry(5, noon.Add(time.Second), 1)}, one, next},
		"twice":           {[]Revocation{entry(5, noon, 1), entry(6, noon, 1), entry(5, noon, 4)}, one, next},
		"reason 7":        {[]Revocation{entry(5, noon, 7)}, one, next},
		"reason 8":        {[]Revocation{entry(5, noon, 8)}, one, next},
		"negative serial": {[]Revocation{entry(-5, noon, 1)}, one, next},
	} {
		if _, err := CreateCRL(c.entries, c.number, noon, c.next, w.issuing); CodeOf(err) != CodeRevocation {
			t.Errorf("%s: error = %v", name, err)
		}
	}
	_, err := CreateCRL(nil, one, noon, next, Authority{w.issuing.Certificate, w.root.Key})
	wantCode(t, err, CodeSigning)
}
