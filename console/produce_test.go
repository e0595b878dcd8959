package console_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/core/token/ticket"
	"certsaas/tenants"
)

// slot is a key pair as a new USBKEY makes it.
type slot struct{ key *rsa.PrivateKey }

func newSlot(t *testing.T) slot {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return slot{key}
}

func (s slot) csr(t *testing.T) string {
	t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, s.key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

func (s slot) proof(t *testing.T, nonce string) string {
	t.Helper()
	sum := sha256.Sum256(ticket.ProofMessage("http://"+consoleHost, nonce))
	sig, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(sig)
}

// answer reads a JSON answer.
func answer[T any](t *testing.T, p page) T {
	t.Helper()
	var out T
	if err := json.Unmarshal([]byte(p.body), &out); err != nil {
		t.Fatalf("%v: %s", err, p.body)
	}
	return out
}

func body(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

type permit struct{ Ticket, Nonce, Alg string }

// Two new keys are written one after the other; a key that was used for one is refused for the other; then the order is shipped.
// req: K40
func TestProduce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rev, pro := r.login(t, "reviewer"), r.login(t, "producer")
	x := r.approved(t, rev, "kinglong", 0, form.Answers{"quantity": "2"})
	must(t, strings.Contains(pro.get("/queue/production", 200).text("tbody"), x.Number), "not listed")
	write := func(serial string, want int) page {
		p := pro.get(x.path("/production"), 200)
		base, ok := p.Find("[data-producer]").Attr("data-producer")
		if !ok {
			t.Fatalf("no key to write: %s", p.text("main"))
		}
		must(t, strings.Contains(p.header.Get("Content-Security-Policy"), "ws://127.0.0.1:17631"), "the page may not speak to the agent")
		a := answer[permit](t, pro.json(base+"/authorise", "{}", 200))
		s := newSlot(t)
		enrolled := pro.json(base+"/enroll", body(t, map[string]string{"Ticket": a.Ticket, "CSR": s.csr(t), "SN": serial}), want)
		if want != 200 {
			return enrolled
		}
		pro.json(base+"/confirm", body(t, map[string]string{"Ticket": a.Ticket, "Proof": newSlot(t).proof(t, a.Nonce)}), 422) // another key's proof
		return pro.json(base+"/confirm", body(t, map[string]string{"Ticket": a.Ticket, "Proof": s.proof(t, a.Nonce)}), 200)
	}
	next := answer[struct{ Next string }](t, write("SN-A", 200)).Next
	must(t, next == x.path("/production"), "after the first: %s", next)
	refused := write("SN-A", 409)
	must(t, strings.Contains(refused.body, "已用于订单"+x.Number), "used key: %s", refused.body)
	write("", 422)
	next = answer[struct{ Next string }](t, write("SN-B", 200)).Next
	must(t, next == x.path("/shipping"), "after the last: %s", next)
	r.again(t, x, order.ToDeliver)
	done := pro.get(x.path("/shipping"), 200)
	must(t, strings.Contains(done.text("main"), "SN-A") && strings.Contains(done.text("main"), "SN-B"), "serials are not beside the order")
}

// A key that was sent in is received, serviced, and goes on to shipping; no certificate is issued.
func TestUnlock(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	def, ps := tenant.Load(tenants.Base(), os.DirFS("../core/tenant/testdata/packs/harbour"))
	if err := ps.Err(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Releases.Install(r.As(authz.System("test/harbour")), def); err != nil {
		t.Fatal(err)
	}
	i := 0
	for n, p := range r.Tenant("harbour").Products() {
		if p.Service == tenant.Unlock {
			i = n
		}
	}
	x := r.draft(t, "harbour", i, nil)
	moved(t, r, x, order.AwaitingKey)
	x = r.again(t, x, order.AwaitingKey)
	pro := r.login(t, "producer")
	must(t, strings.Contains(pro.get("/queue/awaiting_key", 200).text("tbody"), x.Number), "not listed")
	p := pro.get(x.path("/production"), 200)
	must(t, p.Find(`.crumbs a[href="/queue/awaiting_key"]`).Length() == 1, "the way back leads to another desk: %s", p.text(".crumbs"))
	v := url.Values{"version": {p.Find("main input[name=version]").AttrOr("value", "")}, "serial": {"OLD-KEY-7"}}
	pro.post(x.path("/receive"), url.Values{"version": {"0"}}, 409)
	pro.post(x.path("/receive"), v, 303)
	r.again(t, x, order.InProduction)
	p = pro.get(x.path("/production"), 200)
	must(t, strings.Contains(p.text("main"), "OLD-KEY-7"), "serial is not shown")
	action := p.Find(`form[action$="/serviced"]`).AttrOr("action", "")
	pro.post(action, nil, 303)
	r.again(t, x, order.ToDeliver)
}

// moved puts an order with one key into a state, past what leads there.
func moved(t *testing.T, r *rig, x placed, to order.State) {
	t.Helper()
	err := r.DB.WithTenant(r.As(authz.System("test/move")), x.Tenant, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE orders SET state = $3::text::order_state, submitted_at = $4, version = version + 1 WHERE tenant_id = $1 AND id = $2`, x.Tenant, x.ID, string(to), tx.Now())
		if err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM order_items WHERE tenant_id = $1 AND order_id = $2`, x.Tenant, x.ID).Scan(&n); err != nil || n > 0 {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO order_items (tenant_id, id, order_id, seq) VALUES ($1, $2, $3, 1)`, x.Tenant, uuid.New(), x.ID)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A key that used its attempts up waits for a person; the producer, nobody else, allows more on the order's page (domain §6.5).
func TestMoreAttempts(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.draft(t, "byd", 0, nil)
	moved(t, r, x, order.ReadyToInstall)
	attempts := func(n int) {
		t.Helper()
		err := r.DB.WithTenant(r.As(authz.System("test/attempts")), x.Tenant, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE order_items SET attempts = $3 WHERE tenant_id = $1 AND order_id = $2`, x.Tenant, x.ID, n)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	pro := r.login(t, "producer")
	const form = `form[action$="/more"]`
	must(t, pro.get(x.path(""), 200).Find(form).Length() == 0, "more attempts are offered before any failed")
	attempts(3)
	must(t, r.login(t, "reviewer").get(x.path(""), 200).Find(form).Length() == 0, "a reviewer is offered what he may not do")
	action := pro.get(x.path(""), 200).Find(form).AttrOr("action", "")
	must(t, action != "", "no further attempts are offered")
	pro.post(action, nil, 303)
	must(t, pro.get(x.path(""), 200).Find(form).Length() == 0, "the key is still stuck")
	must(t, r.audited(t, "key.more_attempts", x.ID) == 1, "not audited")
}
