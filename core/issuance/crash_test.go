package issuance_test

import (
	"context"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/coretest"
	"certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/pki"
	"certsaas/core/platform/platformtest"
)

// forged is a certificate that names the old one's serial number for a key of one's own.
func forged(t *testing.T, b *platformtest.Bench, k *platformtest.KeyPair, old pki.Certificate) pki.Certificate {
	t.Helper()
	c, err := pki.ParseCertificate(k.SelfSigned(&x509.Certificate{
		SerialNumber: old.X509().SerialNumber, Subject: old.X509().Subject, NotBefore: b.Clock.Now(), NotAfter: b.Clock.Now().AddDate(0, 0, 89),
	}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A crash between signing and storing leaves one certificate and no unknown signature (reliability C1).
func TestCrashBetweenIntentAndCertificate(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o := b.Approved(platformtest.Renew, uuid.Nil, form.Answers{"quantity": "3"})
	items := b.Items(o)
	keys := []*platformtest.KeyPair{b.NewKeyPair(), b.NewKeyPair(), b.NewKeyPair()}
	breakCertificates(t, b)
	for range 4 { // more often than attempts are allowed
		for i, k := range keys {
			if _, err := b.Enroll(b.Dealer, items[i].ID, k, ""); err == nil {
				t.Fatal("the trigger did not fire")
			}
		}
	}
	if n := b.Count(`SELECT count(*) FROM issuance_intents WHERE state = 'prepared'`); n != 3 {
		t.Errorf("%d open intents, want 3: the same key resumes its own", n)
	}
	mendCertificates(t, b)
	intended := serialOf(t, b, items[0].ID, "prepared")
	e, err := b.Enroll(b.Dealer, items[0].ID, keys[0], "") // the same key: the certificate that was announced
	if err != nil || e.Certificate.Serial() != intended {
		t.Errorf("%v, serial %s, want %s", err, e.Certificate.Serial(), intended)
	}
	orphan := serialOf(t, b, items[1].ID, "prepared")
	keys[1] = b.NewKeyPair() // another key: the old serial number is known, and revoked
	if _, err := b.Enroll(b.Dealer, items[1].ID, keys[1], ""); err != nil {
		t.Fatal(err)
	}
	b.Clock.Shift(2 * time.Minute)
	if n, err := b.Issuance.Sweep(t.Context(), time.Minute, 10); n != 1 || err != nil { // the third is completed by itself
		t.Errorf("sweep: %d, %v", n, err)
	}
	for i, k := range keys {
		if o, err = b.Confirm(b.Dealer, items[i].ID, k); err != nil {
			t.Fatal(err)
		}
		if n := b.Count(`SELECT count(*) FROM certificates WHERE item_id = $1 AND state = 'active'`, items[i].ID); n != 1 {
			t.Errorf("item %d has %d active certificates", i+1, n)
		}
	}
	if o.State != order.Completed {
		t.Errorf("order %s", o.State)
	}
	list := crl(t, b)
	if len(list.RevokedCertificateEntries) != 1 || pki.SerialText(list.RevokedCertificateEntries[0].SerialNumber.Bytes()) != orphan {
		t.Errorf("revocation list %v, want the orphan %s", list.RevokedCertificateEntries, orphan)
	}
}

func serialOf(t *testing.T, b *platformtest.Bench, item uuid.UUID, state string) string {
	t.Helper()
	var octets []byte
	coretest.OwnerRow(t, b.DB, []any{&octets}, `SELECT serial FROM issuance_intents WHERE item_id = $1 AND state = $2`, item, state)
	return pki.SerialText(octets)
}

// crl is the newest list for P-256 keys, made if it is due.
func crl(t *testing.T, b *platformtest.Bench) *x509.RevocationList {
	t.Helper()
	b.Clock.Shift(time.Second)
	if _, err := b.Issuance.RefreshCRLs(t.Context(), b.CA); err != nil {
		t.Fatal(err)
	}
	is, err := b.CA.Issuer(pki.P256)
	if err != nil {
		t.Fatal(err)
	}
	der, err := b.Issuance.CRL(t.Context(), is.ID)
	if err != nil {
		t.Fatal(err)
	}
	list, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// Many pages at once: each key one certificate, no serial number twice (reliability C2, scaled down).
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	var items []order.Item
	for range 4 {
		items = append(items, b.Items(b.Approved(platformtest.Renew, uuid.Nil, form.Answers{"quantity": "5"}))...)
	}
	var wg sync.WaitGroup
	for i, it := range items {
		k := b.NewKeyPair()
		for range 3 { // the same request thrice
			wg.Go(func() {
				_, err := b.Enroll(b.Dealer, it.ID, k, "")
				if err != nil {
					t.Errorf("item %d: %v", i, err)
				}
			})
		}
		wg.Go(func() {
			if _, err := b.Issuance.Sweep(t.Context(), 0, 5); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for what, sql := range map[string]string{
		"certificates":        `SELECT count(*) FROM certificates`,
		"serial numbers":      `SELECT count(DISTINCT serial) FROM certificates`,
		"items with one":      `SELECT count(*) FROM (SELECT item_id FROM certificates WHERE state = 'issued' GROUP BY item_id HAVING count(*) = 1) x`,
		"intents carried out": `SELECT count(*) FROM issuance_intents WHERE state = 'issued'`,
	} {
		if n := b.Count(sql); n != len(items) {
			t.Errorf("%s: %d, want %d", what, n, len(items))
		}
	}
	if n := b.Count(`SELECT count(*) FROM issuance_intents WHERE state <> 'issued'`); n != 0 {
		t.Errorf("%d intents left over", n)
	}
}

// A revocation is out within the minute, on a list of the right issuer with a rising number (reliability C5); OpenSSL agrees (C6).
func TestRevocationIsPublished(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	_, oldID, _ := b.OldKey(10)
	first := crl(t, b)
	o, _, certs := b.Write(b.Approved(platformtest.Renew, oldID, nil))
	if o.State != order.Completed {
		t.Fatal(o.State)
	}
	second := crl(t, b)
	if len(first.RevokedCertificateEntries) != 0 || len(second.RevokedCertificateEntries) != 1 || second.Number.Cmp(first.Number) <= 0 {
		t.Errorf("lists of %d and %d entries, numbers %s and %s", len(first.RevokedCertificateEntries), len(second.RevokedCertificateEntries), first.Number, second.Number)
	}
	if again := crl(t, b); again.Number.Cmp(second.Number) != 0 {
		t.Error("a new list without a reason")
	}
	// a revocation that is older than the list it missed comes out all the same
	coretest.OwnerExec(t, b.DB, `UPDATE certificates SET state = 'revoked', revoked_at = $2, revocation_reason = 1 WHERE serial = $1`,
		certs[0].X509().SerialNumber.Bytes(), second.ThisUpdate.Add(-10*time.Second))
	if late := crl(t, b); len(late.RevokedCertificateEntries) != 2 {
		t.Errorf("%d entries, want 2", len(late.RevokedCertificateEntries))
	}
	b.Clock.Shift(25 * time.Hour)
	if daily := crl(t, b); daily.Number.Int64() != second.Number.Int64()+2 {
		t.Errorf("number %s after a day, want a fresh list", daily.Number)
	}
}

// Every certificate stands before OpenSSL, with the lists of both levels.
func TestOpenSSL(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatal("no openssl on this machine: apt-get install openssl")
	}
	b := platformtest.NewBench(t)
	old, oldID, oldCert := b.OldKey(10)
	o := b.Approved(platformtest.Renew, oldID, nil)
	item := b.Items(o)[0].ID
	k := b.NewKeyPair()
	e, err := enroll(b, item, k, old, oldCert, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Confirm(b.Dealer, item, k); err != nil {
		t.Fatal(err)
	}
	crl(t, b)
	dir := t.TempDir()
	put := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	leaf, gone := put("leaf.pem", e.Certificate.PEM()), put("old.pem", oldCert.PEM())
	issuing, root := put("issuing.pem", e.Chain[0].PEM()), put("root.pem", e.Chain[1].PEM())
	lists := ""
	for _, query := range []string{`SELECT der FROM crls WHERE authority_id = (SELECT authority_id FROM certificates LIMIT 1) ORDER BY number DESC LIMIT 1`,
		`SELECT der FROM crls WHERE authority_id = (SELECT a.parent_id FROM authorities a JOIN certificates c ON c.authority_id = a.id LIMIT 1) ORDER BY number DESC LIMIT 1`} {
		var der []byte
		coretest.OwnerRow(t, b.DB, []any{&der}, query)
		out, err := openssl(t, "crl", "-inform", "DER", "-in", put("list.der", der))
		if err != nil {
			t.Fatal(err)
		}
		lists += out
	}
	crls := put("lists.pem", []byte(lists))
	at := b.Clock.Now().Unix()
	verify := func(file string) (string, error) {
		return openssl(t, "verify", "-attime", strconv.FormatInt(at, 10), "-crl_check_all", "-CRLfile", crls, "-CAfile", root, "-untrusted", issuing, file)
	}
	if out, err := verify(leaf); err != nil {
		t.Errorf("the new certificate: %v %s", err, out)
	}
	if out, err := verify(gone); err == nil {
		t.Errorf("the superseded certificate still stands: %s", out)
	}
	if rules, err := pki.Lint(e.Certificate.DER()); err != nil || len(rules) > 0 {
		t.Errorf("lint: %v %v", rules, err)
	}
}

func openssl(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "openssl", args...).CombinedOutput()
	return string(out), err
}
