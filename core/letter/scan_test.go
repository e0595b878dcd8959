package letter_test

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/letter"
	"certsaas/core/letter/qr"
	"certsaas/core/material/materialtest"
	"certsaas/core/order"
)

// scan hands a sealed print in and gives what is said about it.
func (w world) scan(t *testing.T, o order.Order, text string) []string {
	t.Helper()
	f, err := w.Materials.Upload(w.Dealer(t.Context()), o.Tenant, o.ID, "letter", "a.jpg", materialtest.Page{Seal: true, QR: text}.JPEG(t))
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, x := range f.Findings {
		ids = append(ids, x.ID)
	}
	return ids
}

// submit gives what handing the order in says at the letter.
func (w world) submit(t *testing.T, o order.Order) string {
	t.Helper()
	_, err := w.Orders.Submit(w.Dealer(t.Context()), o.Tenant, o.ID, order.Submission{})
	if err == nil {
		return ""
	}
	e := fault.From(err)
	if e == nil {
		t.Fatal(err)
	}
	for _, f := range e.Fields {
		if f.Name == "letter" {
			return f.ID
		}
	}
	return ""
}

// What the code on the scan says is told at once, and decides whether the order can be handed in.
// req: B44 B45 K21 K22
func TestScan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "byd")
	o, other := w.Order(t, asCompany("演示甲有限公司")), w.Order(t, asCompany("演示乙有限公司"))
	ctx := w.Dealer(t.Context())
	if _, err := w.Materials.Upload(ctx, o.Tenant, o.ID, "licence_image", "a.jpg", materialtest.Page{Seal: true}.JPEG(t)); err != nil {
		t.Fatal(err)
	}
	old := w.current(t, o)
	w.Answer(t, o, asCompany("演示甲甲有限公司"))
	now, foreign := w.current(t, o), w.current(t, other)
	digest, sig, _ := strings.Cut(now.Payload[strings.IndexByte(now.Payload, '#')+1:], ".")
	altered := strings.Replace(now.Payload, digest, strings.ToUpper(digest[:1])+"A"+digest[2:], 1)
	if altered == now.Payload {
		altered = strings.Replace(now.Payload, digest, "B"+digest[1:], 1)
	}
	for _, c := range []struct {
		name, text string
		want       []string
		submit     string
		fact       letter.Result
	}{
		{"no code", "", []string{"letter.qr_missing"}, "", letter.Missing},
		{"some other code", "https://u.wechat.com/abc", []string{"letter.qr_missing"}, "", letter.Missing},
		{"another order's", foreign.Payload, []string{"letter.other_order"}, "letter.other_order", letter.OtherOrder},
		{"printed before a change", old.Payload, []string{"letter.voided"}, "letter.voided", letter.Voided},
		{"altered", altered, []string{"letter.altered"}, "letter.altered", letter.Altered},
		{"cut short", strings.TrimSuffix(now.Payload, sig[10:]), []string{"letter.altered"}, "letter.altered", letter.Altered},
		{"a forged signature", forge(now), []string{"letter.altered"}, "letter.altered", letter.Altered},
		{"the right one", now.Payload, nil, "", letter.OK},
	} {
		if got := w.scan(t, o, c.text); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if got := w.comparison(t, o); got.Scan == nil || got.Scan.Result != c.fact || got.Letter.Number != now.Number || got.Voided {
			t.Errorf("%s: the reviewer sees %+v", c.name, got.Scan)
		}
		if c.submit != "" { // the others would be handed in
			if got := w.submit(t, o); got != c.submit {
				t.Errorf("%s: handing in says %q, want %q", c.name, got, c.submit)
			}
		}
	}
	// the data change after the scan came: the reviewer sees which, and it cannot be handed in
	w.Answer(t, o, asCompany("演示丙有限公司"))
	c := w.comparison(t, o)
	var changed []string
	for _, l := range c.Lines {
		if l.Changed() {
			changed = append(changed, l.Label+":"+l.Printed+">"+l.Now)
		}
	}
	if !c.Voided || len(changed) != 1 || !strings.HasSuffix(changed[0], "演示甲甲有限公司>演示丙有限公司") {
		t.Errorf("changed: %v", changed)
	}
	if got := w.submit(t, o); got != "letter.voided" {
		t.Errorf("handing in after a change says %q", got)
	}
	w.scan(t, o, w.current(t, o).Payload)
	if got := w.submit(t, o); got != "" {
		t.Errorf("with the new letter: %q", got)
	}
}

// forge signs the letter's own number and digest with another key.
func forge(l letter.Letter) string {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	return qr.Payload("https://byd.example.com", l.Number, l.Digest, qr.Sign(key, l.Number, l.Digest))
}

func (w world) comparison(t *testing.T, o order.Order) letter.Comparison {
	t.Helper()
	var c letter.Comparison
	err := w.DB.WithTenant(t.Context(), o.Tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		c, err = w.letters.Comparison(ctx, tx, o.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A scan without a readable code passes to the reviewer; the rules learn what the code said.
// req: B45
func TestMissingCodePasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "byd")
	o := w.Order(t, asCompany("演示甲有限公司"))
	if _, err := w.Materials.Upload(w.Dealer(t.Context()), o.Tenant, o.ID, "licence_image", "a.jpg", materialtest.Page{Seal: true}.JPEG(t)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ text, want string }{{"", "missing"}, {w.current(t, o).Payload, "match"}, {w.current(t, w.Order(t, asCompany("演示乙"))).Payload, "mismatch"}} {
		w.scan(t, o, c.text)
		err := w.DB.WithTenant(t.Context(), o.Tenant, func(ctx context.Context, tx *db.Tx) error {
			have, err := w.Orders.Load(ctx, tx, o.ID)
			if err != nil {
				return err
			}
			facts, err := w.Orders.Facts(ctx, tx, have)
			if facts["letter_qr"] != c.want {
				t.Errorf("letter_qr is %q, want %q", facts["letter_qr"], c.want)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	w.scan(t, o, "")
	if got := w.submit(t, o); got != "" {
		t.Errorf("handing in says %q", got)
	}
}

// The public page says genuine, void or unknown, and nothing else.
// req: B45
func TestVerify(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "byd")
	o := w.Order(t, asCompany("演示甲有限公司"))
	l := w.current(t, o)
	b64 := base64.RawURLEncoding.EncodeToString
	digest, sig := b64(l.Digest[:qr.DigestSize]), b64(l.Signature)
	check := func(name string, tenantID uuid.UUID, no, digest, sig string, want letter.Verdict) {
		t.Helper()
		got, printed, err := w.letters.Verify(t.Context(), tenantID, no, digest, sig)
		if err != nil || got != want || printed.IsZero() != (want == letter.Unknown) {
			t.Errorf("%s: %s, %s, %v; want %s", name, got, printed, err, want)
		}
	}
	check("as printed", o.Tenant, l.Number, digest, sig, letter.Genuine)
	check("number alone", o.Tenant, l.Number, "", "", letter.Unknown)
	check("another number", o.Tenant, "BYD-20261128-000999", digest, sig, letter.Unknown)
	check("another tenant", db.NewID(), l.Number, digest, sig, letter.Unknown)
	check("odd bytes", o.Tenant, "'; DROP TABLE letters", digest, sig, letter.Unknown)
	w.Answer(t, o, asCompany("演示改名有限公司"))
	check("the data changed", o.Tenant, l.Number, digest, sig, letter.Void)
	w.current(t, o)
	check("replaced", o.Tenant, l.Number, digest, sig, letter.Void)
}
