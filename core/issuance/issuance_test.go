package issuance_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/issuance"
	"certsaas/core/order"
	"certsaas/core/pki"
	"certsaas/core/platform/platformtest"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(issuance.Messages) {
		t.Error(p)
	}
}

// is fails unless err is of a kind and, if id is given, says that sentence.
func is(t *testing.T, what string, err error, kind fault.Kind, id string) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: %v, want %s", what, err, kind)
	} else if f := fault.From(err); id != "" && f.ID != id {
		t.Errorf("%s: %s, want %s", what, f.ID, id)
	}
}

// enroll sends an enrollment with an old key's proof.
func enroll(b *platformtest.Bench, item uuid.UUID, k, old *platformtest.KeyPair, cert pki.Certificate, serial string) (issuance.Enrolled, error) {
	a := b.Authorise(b.Dealer, item)
	return b.Issuance.Enroll(b.Dealer, b.ID, item, issuance.Enrollment{Ticket: a.Ticket, Origin: platformtest.Origin, CSR: k.CSR(), TokenSerial: serial,
		OldCert: cert.DER(), OldProof: old.Prove(a.Nonce)})
}

// The journey of a renewed key: proof of the old key, certificate, proof of the new one; each step may be repeated. // req: B58 B59
func TestRenewal(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	old, oldID, oldCert := b.OldKey(10)
	o := b.Approved(platformtest.Renew, oldID, nil)
	item := b.Items(o)[0].ID
	if a := b.Authorise(b.Dealer, item); a.OldSerial != oldCert.Serial() || !a.ProveOld || a.Attempt != 1 {
		t.Errorf("authorisation %+v", a)
	}
	k := b.NewKeyPair()
	first, err := enroll(b, item, k, old, oldCert, "KEY-1")
	if err != nil {
		t.Fatal(err)
	}
	if want := oldCert.NotAfter().AddDate(1, 0, 0); !first.Certificate.NotAfter().Equal(want) {
		t.Errorf("ends %s, want %s: no day is lost", first.Certificate.NotAfter(), want)
	}
	again, err := enroll(b, item, k, old, oldCert, "KEY-1")
	if err != nil || !again.Again || again.Certificate.Serial() != first.Certificate.Serial() {
		t.Errorf("the same key again: %v, again %t", err, again.Again)
	}
	if err := pki.Verify(append([]pki.Certificate{first.Certificate}, first.Chain...), b.Clock.Now()); err != nil {
		t.Errorf("chain: %v", err)
	}
	if n := b.Count(`SELECT count(*) FROM certificates WHERE id = $1 AND state = 'active'`, oldID); n != 1 {
		t.Error("the old certificate is gone before the new one proved itself")
	}
	_, err = b.Issuance.AuthoriseCleanup(b.Dealer, b.ID, item, platformtest.Origin)
	is(t, "clean up before the proof", err, fault.Precondition, "")
	_, err = b.Confirm(b.Dealer, item, b.NewKeyPair())
	is(t, "proof by another key", err, fault.Invalid, "issuance.new_proof")
	a := b.Authorise(b.Dealer, item)
	for range 2 {
		if o, err = b.Issuance.Confirm(b.Dealer, b.ID, item, a.Ticket, platformtest.Origin, k.Prove(a.Nonce)); err != nil || o.State != order.Completed {
			t.Fatalf("confirm: %v, %s", err, o.State)
		}
	}
	if n := b.Count(`SELECT count(*) FROM certificates WHERE id = $1 AND state = 'superseded' AND revocation_reason = 4`, oldID); n != 1 {
		t.Error("the old certificate is not superseded")
	}
	if n := b.Count(`SELECT count(*) FROM order_events WHERE order_id = $1 AND event = 'installed'`, o.ID); n != 1 {
		t.Errorf("installed %d times", n)
	}
	if _, err := b.Issuance.AuthoriseCleanup(b.Dealer, b.ID, item, platformtest.Origin); err != nil {
		t.Errorf("clean up: %v", err)
	}
	_, err = b.Issuance.Enroll(b.Dealer, b.ID, item, issuance.Enrollment{Ticket: a.Ticket, Origin: platformtest.Origin, CSR: b.NewKeyPair().CSR()})
	is(t, "enroll when done", err, fault.Conflict, "order.not_now")
}

// What the page sends is not believed.
func TestFalseProofs(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	old, oldID, oldCert := b.OldKey(10)
	other, _, otherCert := b.OldKey(20)
	o := b.Approved(platformtest.Renew, oldID, nil)
	item := b.Items(o)[0].ID
	_, err := enroll(b, item, b.NewKeyPair(), other, otherCert, "KEY-2")
	is(t, "another key", err, fault.Conflict, "issuance.wrong_key")
	_, err = enroll(b, item, b.NewKeyPair(), other, forged(t, b, other, oldCert), "KEY-2")
	is(t, "own certificate with the old one's serial number", err, fault.Conflict, "issuance.wrong_key")
	_, err = enroll(b, item, b.NewKeyPair(), other, oldCert, "KEY-2")
	is(t, "proof by another key", err, fault.Invalid, "issuance.old_proof")

	a := b.Authorise(b.Dealer, item)
	good := issuance.Enrollment{Ticket: a.Ticket, Origin: platformtest.Origin, CSR: b.NewKeyPair().CSR(), OldCert: oldCert.DER(), OldProof: old.Prove(a.Nonce)}
	try := func(what string, kind fault.Kind, id string, change func(e *issuance.Enrollment)) {
		e := good
		change(&e)
		_, err := b.Issuance.Enroll(b.Dealer, b.ID, item, e)
		is(t, what, err, kind, id)
	}
	try("another origin", fault.Invalid, "issuance.ticket", func(e *issuance.Enrollment) { e.Origin = "https://evil.example" })
	try("another nonce", fault.Invalid, "issuance.old_proof", func(e *issuance.Enrollment) { e.OldProof = old.Prove("nonce-of-another-ticket-00") })
	try("no request", fault.Invalid, "issuance.csr", func(e *issuance.Enrollment) { e.CSR = []byte("nothing") })
	try("no ticket", fault.Invalid, "issuance.ticket", func(e *issuance.Enrollment) { e.Ticket = "" })
	elsewhere := b.Authorise(b.Dealer, b.Items(b.Approved(platformtest.Renew, uuid.Nil, nil))[0].ID)
	try("ticket of another item", fault.Invalid, "issuance.ticket", func(e *issuance.Enrollment) { e.Ticket = elsewhere.Ticket })
	_, err = b.Issuance.Enroll(b.Stranger, b.ID, item, good)
	is(t, "another dealer", err, fault.NotFound, "")
	_, err = b.Issuance.Enroll(b.Producer, b.ID, item, good)
	is(t, "a producer at the dealer's key", err, fault.Denied, "")
	b.Clock.Shift(11 * time.Minute)
	try("old ticket", fault.Invalid, "issuance.ticket", func(*issuance.Enrollment) {})
	if n := b.Count(`SELECT count(*) FROM issuance_intents`); n != 0 {
		t.Errorf("%d intents of refused enrollments", n)
	}
	// a key nobody knows proves nothing, and the audit says so
	unknown := b.NewKeyPair()
	o = b.Approved(platformtest.Renew, uuid.Nil, nil)
	e, err := enroll(b, b.Items(o)[0].ID, b.NewKeyPair(), unknown, forged(t, b, unknown, oldCert), "KEY-3")
	if err != nil || e.Certificate.NotAfter().After(b.Clock.Now().AddDate(1, 0, 1)) {
		t.Errorf("%v, ends %v: days carried over from a certificate nobody knows", err, e.Certificate.NotAfter())
	}
	if n := b.Count(`SELECT count(*) FROM audit_entries WHERE action = 'key.old_unproved' AND resource = $1`, "order/"+o.ID.String()); n != 1 {
		t.Errorf("%d entries about the missing proof", n)
	}
}

// New keys: one order each, several names, another blank key when one fails. // req: K40
func TestNewKeys(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o := b.Approved(platformtest.Make, uuid.Nil, form.Answers{"quantity": "3", "term": "2"})
	done, _, certs := b.Write(o)
	names := map[string]bool{}
	for _, c := range certs {
		names[c.X509().Subject.String()] = true
		if want := b.Clock.Now().AddDate(2, 0, 0); c.NotAfter().After(want) || c.NotAfter().Before(want.Add(-time.Hour)) {
			t.Errorf("ends %s, want two years from now", c.NotAfter())
		}
	}
	if len(names) != 3 || done.State != order.ToDeliver {
		t.Errorf("names %v, order %s", names, done.State)
	}
	used := b.Items(o)[0].TokenSerial
	next := b.Approved(platformtest.Make, uuid.Nil, form.Answers{"quantity": "2"})
	items := b.Items(next)
	_, err := b.Enroll(b.Producer, items[0].ID, b.NewKeyPair(), used)
	is(t, "a key of another order", err, fault.Conflict, "issuance.token_taken")
	_, _, oldCert := b.OldKey(30)
	_, err = b.Enroll(b.Producer, items[0].ID, b.NewKeyPair(), "OLD-"+oldCert.Serial()[:8])
	is(t, "a key in use", err, fault.Conflict, "issuance.token_in_use")
	if _, err = b.Enroll(b.Producer, items[0].ID, b.NewKeyPair(), "FRESH"); err != nil {
		t.Fatal(err)
	}
	_, err = b.Enroll(b.Producer, items[1].ID, b.NewKeyPair(), "FRESH")
	is(t, "one key for two items", err, fault.Conflict, "issuance.token_taken")
	if _, err = b.Enroll(b.Producer, items[0].ID, b.NewKeyPair(), "FRESH-2"); err != nil {
		t.Errorf("another blank key after a failure: %v", err)
	}
	_, err = b.Issuance.Authorise(b.Dealer, b.ID, items[0].ID, platformtest.Origin)
	is(t, "the dealer at the producer's desk", err, fault.Denied, "")
}

// A new key pair supersedes the certificate that never proved itself, three times; then a person looks.
func TestRetryWithNewKeys(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o := b.Approved(platformtest.Renew, uuid.Nil, nil)
	item := b.Items(o)[0].ID
	for n := 1; n <= 3; n++ {
		if _, err := b.Enroll(b.Dealer, item, b.NewKeyPair(), "K"); err != nil {
			t.Fatal(err)
		}
		if live := b.Count(`SELECT count(*) FROM certificates WHERE item_id = $1 AND state IN ('issued', 'active')`, item); live != 1 {
			t.Errorf("%d live certificates after %d attempts", live, n)
		}
	}
	_, err := b.Enroll(b.Dealer, item, b.NewKeyPair(), "K")
	is(t, "fourth key pair", err, fault.Conflict, "issuance.too_many")
	is(t, "more, by the dealer", b.Issuance.AllowMore(b.Dealer, b.ID, item), fault.Denied, "")
	if err := b.Issuance.AllowMore(b.Producer, b.ID, item); err != nil {
		t.Fatal(err)
	}
	k := b.NewKeyPair()
	if _, err = b.Enroll(b.Dealer, item, k, "K"); err != nil {
		t.Fatal(err)
	}
	if o, err = b.Confirm(b.Dealer, item, k); err != nil || o.State != order.Completed {
		t.Errorf("%v, %s", err, o.State)
	}
	if n := b.Count(`SELECT count(*) FROM certificates WHERE item_id = $1 AND state = 'superseded'`, item); n != 3 {
		t.Errorf("%d superseded, want 3", n)
	}
}

// The states of the table in domain §6.6, walked through an enrollment.
func TestCarryOver(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	b.Clock.SetNow(time.Date(2027, 1, 22, 2, 0, 0, 0, time.UTC)) // ten o'clock in Shanghai
	for _, x := range []struct {
		name    string
		days    int
		wantEnd string // Shanghai; "" = refused as too early
	}{
		{"39 days left", 39, "2028-03-02"}, {"99 days left", 99, ""}, {"expired a year ago", -365, "2028-01-22"}, {"expired earlier", -366, "2028-01-22"},
	} {
		_, id, _ := b.OldKey(x.days)
		o := b.Approved(platformtest.Renew, id, nil)
		e, err := b.Enroll(b.Dealer, b.Items(o)[0].ID, b.NewKeyPair(), "")
		if x.wantEnd == "" {
			is(t, x.name, err, fault.Precondition, "issuance.too_early")
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", x.name, err)
			continue
		}
		if got := e.Certificate.NotAfter().In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly); got != x.wantEnd {
			t.Errorf("%s: ends %s, want %s", x.name, got, x.wantEnd)
		}
	}
}

// A replacement keeps the old end and revokes the old certificate as soon as it is approved and paid; a revocation does only that.
func TestReplacementAndRevocation(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	_, id, cert := b.OldKey(100)
	state := func(id uuid.UUID) (s string) {
		coretest.OwnerRow(t, b.DB, []any{&s}, `SELECT state FROM certificates WHERE id = $1`, id)
		return s
	}
	o := b.Approved(platformtest.Keep, id, nil)
	b.Drain()
	if state(id) != "revoked" {
		t.Errorf("approved: the lost key's certificate is %s", state(id))
	}
	e, err := b.Enroll(b.Dealer, b.Items(o)[0].ID, b.NewKeyPair(), "")
	if err != nil || !e.Certificate.NotAfter().Equal(cert.NotAfter()) {
		t.Errorf("%v, ends %s, want %s", err, e.Certificate.NotAfter(), cert.NotAfter())
	}
	_, id, _ = b.OldKey(100)
	o = b.Submit(platformtest.Revoke, id, nil)
	b.Drain()
	if state(id) != "active" {
		t.Error("revoked before review")
	}
	if o = b.Approve(b.Pay(o)); o.State != order.Completed {
		t.Errorf("revocation stands %s", o.State)
	}
	b.Drain()
	if state(id) != "revoked" {
		t.Errorf("the certificate is %s", state(id))
	}
	_, id, _ = b.OldKey(-1)
	o = b.Approved(platformtest.Keep, id, nil)
	_, err = b.Enroll(b.Dealer, b.Items(o)[0].ID, b.NewKeyPair(), "")
	is(t, "an end that has passed", err, fault.Precondition, "issuance.old_ended")
}

// A key whose certificate is signed while its order is refunded gets none.
func TestRefundWhileSigning(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o := b.Approved(platformtest.Renew, uuid.Nil, nil)
	item := b.Items(o)[0].ID
	breakCertificates(t, b)
	if _, err := b.Enroll(b.Dealer, item, b.NewKeyPair(), ""); err == nil {
		t.Fatal("the trigger did not fire")
	}
	mendCertificates(t, b)
	if _, err := b.Payments.RequestRefund(b.Dealer, b.ID, o.ID, "不需要了"); err != nil {
		t.Fatal(err)
	}
	b.Clock.Shift(2 * time.Minute)
	if n, err := b.Issuance.Sweep(t.Context(), time.Minute, 10); n != 1 || err != nil {
		t.Errorf("sweep: %d, %v", n, err)
	}
	if n := b.Count(`SELECT count(*) FROM certificates WHERE item_id = $1`, item); n != 0 {
		t.Error("a certificate for an order that is being refunded")
	}
	if n := b.Count(`SELECT count(*) FROM issuance_intents WHERE item_id = $1 AND state = 'abandoned'`, item); n != 1 {
		t.Error("the intent is not abandoned")
	}
}

func breakCertificates(t *testing.T, b *platformtest.Bench) {
	t.Helper()
	coretest.OwnerExec(t, b.DB, `CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'disk full'; END$$;
		CREATE TRIGGER broken BEFORE INSERT ON certificates FOR EACH ROW EXECUTE FUNCTION broken()`)
}

func mendCertificates(t *testing.T, b *platformtest.Bench) {
	t.Helper()
	coretest.OwnerExec(t, b.DB, `DROP TRIGGER broken ON certificates`)
}

// Held lists what an applicant may renew.
func TestHeld(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	_, id, _ := b.OldKey(40)
	o, _, certs := b.Write(b.Approved(platformtest.Renew, id, nil))
	b.Tx(func(ctx context.Context, tx *db.Tx) error {
		held, err := b.Issuance.Held(ctx, tx, b.Account)
		if err != nil || len(held) != 1 || held[0].Certificate.Serial() != certs[0].Serial() {
			t.Errorf("held: %d, %v", len(held), err)
		}
		byMobile, err := b.Issuance.HeldByMobile(ctx, tx, "13800138000")
		if err != nil || len(byMobile) != 1 {
			t.Errorf("by mobile: %d, %v", len(byMobile), err)
		}
		of, err := b.Issuance.Of(ctx, tx, o.ID)
		if err != nil || len(of) != 1 || of[0].State != issuance.Active {
			t.Errorf("of the order: %v, %v", of, err)
		}
		return err
	})
}
