package bench

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"certsaas/core/db"
	"certsaas/core/platform"
	"certsaas/core/token/ticket"
)

// clients is how many dealers order at the same time, requests how many each sends in one life.
const (
	clients  = 16
	requests = 24
)

var mobiles atomic.Uint32

// mobile is a number that nobody had before, each in a block of its own.
func mobile() string {
	n := mobiles.Add(1)
	return fmt.Sprintf("138%05d%03d", n, n%1000)
}

// accounts makes applicants of the measured tenant who log in by code.
func (h *house) accounts(n int) []string {
	h.t.Helper()
	t, err := h.inside.Tenants.BySlug(h.t.Context(), "bench")
	if err != nil {
		h.t.Fatal(err)
	}
	out := make([]string, n)
	for i := range out {
		out[i] = mobile()
		err := h.inside.DB.WithTenant(asSystem(h.t.Context()), t.ID(), func(ctx context.Context, tx *db.Tx) error {
			_, _, err := h.inside.Accounts.FindOrCreate(ctx, tx, out[i])
			return err
		})
		if err != nil {
			h.t.Fatal(err)
		}
	}
	return out
}

// dealers are applicants who are logged in.
func (h *house) dealers(n int) []*person {
	h.t.Helper()
	out := make([]*person, n)
	for i, number := range h.accounts(n) {
		out[i] = h.person("bench")
		h.login(out[i], number)
		out[i].get("/orders")
		if out[i].err != nil {
			h.t.Fatal(out[i].err)
		}
		h.t.Cleanup(out[i].close)
	}
	return out
}

// reviewer is a member of the staff, logged in with both factors.
func (h *house) reviewer() *person {
	h.t.Helper()
	p := h.person("console")
	p.get("/login")
	p.post("/login", url.Values{"login": {"reviewer"}, "password": {platform.DemoStaffPassword}})
	p.get("/login/code")
	code, err := totp.GenerateCode(platform.DemoSecret("reviewer"), time.Now())
	if err != nil {
		h.t.Fatal(err)
	}
	p.post("/login/code", url.Values{"code": {code}})
	p.get("/queue/review")
	if p.err != nil {
		h.t.Fatal(p.err)
	}
	h.t.Cleanup(p.close)
	return p
}

// office is the reviewer as many clients use him: one session, a connection for each.
func (p *person) office() *person {
	c := *p
	return &c
}

// application is what a dealer types.
func application() url.Values {
	return url.Values{
		"term": {"1"}, "quantity": {"1"}, "eligible": {"yes"}, "agent_name": {"王演示"}, "mobile": {"13900139000"}, "email": {"demo@example.com"},
		"id_type": {"resident_id"}, "id_no": {"11010519491231002X"}, "org_name": {"演示零部件（厦门）有限公司"}, "org_type": {"company"},
		"org_code_any": {"91350200MA2XYKHT6G"}, "industry": {"auto_parts"}, "invoice_wanted": {"yes"}, "invoice_kind": {"e"},
		"invoice_title": {"演示零部件（厦门）有限公司"}, "invoice_tax_no": {"91350200MA2XYKHT6G"}, "invoice_email": {"demo@example.com"}, "_step": {"next"},
	}
}

// handIn goes from the product's page to the code that is to be paid; it gives the order's path and the trade's.
func handIn(dealer *person) (order, trade string) {
	entry := dealer.get("/s/bench-order")
	form := dealer.post("/orders", url.Values{"product": {between(entry.body, `name="product" value="`, `"`)}}).location
	dealer.get(form)
	order, _, _ = strings.Cut(form, "/fill/")
	check := dealer.post(form, application()).location
	dealer.get(check)
	pay := dealer.post(check, url.Values{"agree": {"yes"}, "_step": {"next"}}).location
	dealer.get(pay)
	dealer.post(pay, url.Values{"channel": {"alipay"}})
	page := dealer.get(pay)
	trade = between(page.body, "/demo-pay/t/", `"`)
	if dealer.err == nil && trade == "" {
		dealer.err = fmt.Errorf("no code to pay on %s:\n%s", pay, page.body)
	}
	return order, trade
}

// live is the whole life of an order: ordered, paid, reviewed, its certificate put into a key and proved.
func (h *house) live(dealer, reviewer *person) error {
	order, trade := handIn(dealer)
	dealer.post(h.at("", "/demo-pay/t/"+trade+"/pay"), url.Values{})
	dealer.post(order+"/pay/check", url.Values{})
	dealer.get(order + "/paid")
	if dealer.err != nil {
		return dealer.err
	}
	desk := "/orders/bench" + strings.TrimPrefix(order, "/orders") + "/review"
	page := reviewer.get(desk)
	reviewer.post(desk, url.Values{"decision": {"approve"}, "check": {"org_name"}, "version": {between(page.body, `name="version" value="`, `"`)}})
	if reviewer.err != nil {
		return reviewer.err
	}
	page = dealer.get(order)
	key := between(page.body, `href="`+order+"/key/", `"`)
	if key == "" {
		return errors.Join(dealer.err, fmt.Errorf("nothing to install on %s:\n%s", order, page.body))
	}
	return h.put(dealer, order+"/key/"+key)
}

// put does what the key page's script and the key agent do.
func (h *house) put(dealer *person, page string) error {
	dealer.get(page)
	pass := dealer.ask(page+"/ticket", nil)
	if dealer.err != nil {
		return dealer.err
	}
	pair, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, pair)
	if err != nil {
		return err
	}
	dealer.ask(page+"/enroll", map[string]any{"ticket": pass["ticket"], "sn": rand.Text(),
		"csr": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}))})
	nonce, _ := pass["nonce"].(string)
	sum := sha256.Sum256(ticket.ProofMessage(dealer.base, nonce))
	sig, err := ecdsa.SignASN1(rand.Reader, pair, sum[:])
	if err != nil {
		return err
	}
	dealer.ask(page+"/confirm", map[string]any{"ticket": pass["ticket"], "sig": base64.RawURLEncoding.EncodeToString(sig)})
	dealer.get(page)
	return dealer.err
}

// lives has all clients live orders for about d, and gives how many were done.
func (h *house) lives(t *testing.T, dealers []*person, reviewer *person, d time.Duration) (done int) {
	t.Helper()
	var group sync.WaitGroup
	var count atomic.Int64
	end := time.Now().Add(d)
	for _, dealer := range dealers {
		group.Go(func() {
			office := reviewer.office()
			for first := true; first || time.Now().Before(end); first = false {
				if err := h.live(dealer, office); err != nil {
					t.Error(err)
					return
				}
				count.Add(1)
			}
		})
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return int(count.Load())
}
