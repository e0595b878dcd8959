package payment_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/payment/demopay"
	"certsaas/core/rules"
	"certsaas/core/tenant"
	"certsaas/core/vault"
)

// start is a Saturday at ten in China.
var start = time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)

// What is dear and the same for all tests is made once.
var (
	policy = sync.OnceValue(func() *authz.Authorizer { return must(authz.New(context.Background())) })
	engine = sync.OnceValue(func() *rules.Engine { return must(rules.New()) })
	pack   = sync.OnceValue(func() tenant.Definition {
		def, ps := tenant.Load(fstest.MapFS{}, os.DirFS("testdata/pack"))
		if len(ps) > 0 {
			panic(fmt.Sprint(ps))
		}
		return def
	})
	demoKey = sync.OnceValue(func() []byte {
		dir := must(os.MkdirTemp("", "demopay"))
		defer func() { _ = os.RemoveAll(dir) }()
		p := must(demopay.Open(demopay.Options{Dir: dir, BaseURL: "http://localhost", Clock: clock.NewFake(start)}))
		_ = p.Close()
		return must(os.ReadFile(filepath.Join(dir, "key.pem")))
	})
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// house is a tenant with a dealer, people of the CA, and a payment company.
type house struct {
	t      *testing.T
	clock  *clock.Fake
	db     *db.DB
	tenant *tenant.Tenant
	id     uuid.UUID
	orders *order.Service
	pay    *payment.Service
	psp    *demopay.Provider
	hooks  *payment.Hooks
	// gateways, when set, stands in for the payment company
	gateways payment.GatewaysFunc
	account  uuid.UUID

	dealer, stranger, finance, second, reviewer context.Context
}

// merchant is the tenant's account at the payment company.
var merchant = demopay.Merchant(tenant.IDOf("paytest"))

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, clock: clock.NewFake(start), id: tenant.IDOf("paytest"), account: db.NewID(), hooks: &payment.Hooks{}}
	h.db = coretest.DBAt(t, h.clock)
	registry := h.rows()
	v, err := vault.Open(t.Context(), vault.Config{KEK: strings.Repeat("ab", 32)}, h.db)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), demoKey(), 0o600); err != nil {
		t.Fatal(err)
	}
	if h.psp, err = demopay.Open(demopay.Options{Dir: dir, BaseURL: "http://localhost:8080", Clock: h.clock}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.psp.Close() })
	h.orders = order.New(order.Deps{DB: h.db, Vault: v, Tenants: registry, Rules: engine(), Authz: policy(), Calendar: clock.China()})
	srv := httptest.NewServer(http.HandlerFunc(h.serveNotify))
	t.Cleanup(srv.Close)
	h.pay = payment.New(payment.Deps{DB: h.db, Vault: v, Orders: h.orders, Authz: policy(), Hooks: h.hooks,
		Gateways: payment.GatewaysFunc(func(tenantID uuid.UUID, channel string) (payment.Gateway, bool) {
			if h.gateways != nil {
				return h.gateways(tenantID, channel)
			}
			return h.psp.Gateways().Gateway(tenantID, channel)
		}),
		NotifyURL: func(_ *tenant.Tenant, channel string) string { return srv.URL + "/notify/" + channel }})
	person := func(role string) context.Context {
		return authz.WithPrincipal(t.Context(), authz.Principal{Kind: authz.Staff, ID: db.NewID(), Name: role, Roles: []string{role}})
	}
	h.finance, h.second, h.reviewer = person(authz.RoleFinance), person(authz.RoleFinance), person(authz.RoleReviewer)
	h.dealer = authz.WithPrincipal(t.Context(), authz.Principal{Kind: authz.Dealer, ID: h.account, Name: "dealer", Tenant: h.id})
	h.stranger = authz.WithPrincipal(t.Context(), authz.Principal{Kind: authz.Dealer, ID: db.NewID(), Name: "other", Tenant: h.id})
	return h
}

// rows installs the tenant and puts the dealer's account into the database.
func (h *house) rows() *tenant.Registry {
	h.t.Helper()
	registry := tenant.NewRegistry(h.db, h.clock, "localhost")
	ctx := authz.WithPrincipal(h.t.Context(), authz.System("test/setup"))
	if _, err := tenant.NewStore(h.db, policy(), registry).Install(ctx, pack()); err != nil {
		h.t.Fatal(err)
	}
	var err error
	if h.tenant, err = registry.ByID(ctx, h.id); err != nil {
		h.t.Fatal(err)
	}
	coretest.OwnerExec(h.t, h.db, `INSERT INTO accounts (tenant_id, id, mobile_index, mobile_sealed, created_at) VALUES ($1, $2, '\x01', '\x01', $3)`, h.id, h.account, start)
	return registry
}

func (h *house) serveNotify(w http.ResponseWriter, r *http.Request) {
	body := make([]byte, 1<<16)
	n, _ := r.Body.Read(body)
	reply, status := h.pay.HandleNotification(r.Context(), h.id, strings.TrimPrefix(r.URL.Path, "/notify/"), r.Header, body[:n])
	w.WriteHeader(status)
	_, _ = w.Write([]byte(reply))
}

// place hands an order in.
func (h *house) place(product string) order.Order {
	h.t.Helper()
	p, ok := h.tenant.Product(product)
	if !ok {
		h.t.Fatalf("no product %s", product)
	}
	o, err := h.orders.Start(h.dealer, order.Begin{Tenant: h.tenant, Product: p, Account: h.account})
	if err != nil {
		h.t.Fatal(err)
	}
	_, res, err := h.orders.SaveStep(h.dealer, h.id, o.ID, "fill", form.Answers{"org_name": "演示公司", "mobile": "13800138000", "quantity": "1"})
	if err != nil || !res.OK() {
		h.t.Fatalf("%v %+v", err, res)
	}
	if o, err = h.orders.Submit(h.dealer, h.id, o.ID, order.Submission{}); err != nil {
		h.t.Fatal(err)
	}
	return o
}

// begin opens an attempt.
func (h *house) begin(o order.Order, channel string) payment.Payment {
	h.t.Helper()
	p, err := h.pay.Begin(h.dealer, h.id, o.ID, channel)
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

// tap pays an attempt at the payment company, which does not tell us.
func (h *house) tap(p payment.Payment) string {
	h.t.Helper()
	code, ok := h.psp.Code(merchant, p.Channel, p.OutTradeNo)
	if !ok {
		h.t.Fatalf("the company has no trade %s", p.OutTradeNo)
	}
	h.psp.DropNotifications(true)
	if err := h.psp.Pay(code); err != nil {
		h.t.Fatal(err)
	}
	return code
}

// notice is the company's signed notification of a tapped attempt.
func (h *house) notice(p payment.Payment) []byte {
	h.t.Helper()
	code, _ := h.psp.Code(merchant, p.Channel, p.OutTradeNo)
	body, err := h.psp.Notification(code)
	if err != nil {
		h.t.Fatal(err)
	}
	return []byte(body)
}

// tell delivers a body and returns the answer.
func (h *house) tell(channel string, body []byte) string {
	reply, _ := h.pay.HandleNotification(h.t.Context(), h.id, channel, nil, body)
	return reply
}

// paid taps and delivers.
func (h *house) paid(p payment.Payment) {
	h.t.Helper()
	h.tap(p)
	if got := h.tell(p.Channel, h.notice(p)); got != "success" {
		h.t.Fatalf("answer %q", got)
	}
}

func (h *house) count(sql string, args ...any) int {
	h.t.Helper()
	var n int
	coretest.OwnerRow(h.t, h.db, []any{&n}, sql, args...)
	return n
}

func (h *house) text(sql string, args ...any) string {
	h.t.Helper()
	var s string
	coretest.OwnerRow(h.t, h.db, []any{&s}, sql, args...)
	return s
}

// expect checks an order's state.
func (h *house) expect(id uuid.UUID, want order.State) {
	h.t.Helper()
	if got := h.text(`SELECT state::text FROM orders WHERE id = $1`, id); got != string(want) {
		h.t.Errorf("order is %s, want %s", got, want)
	}
}

// books compares our ledger with the company's, and checks what must hold at
// every moment.
func (h *house) books() {
	h.t.Helper()
	in, out := h.psp.Statement(merchant)
	var ourIn, ourOut int64
	coretest.OwnerRow(h.t, h.db, []any{&ourIn}, `SELECT coalesce(sum(amount_fen), 0) FROM payments WHERE state = 'paid' AND channel <> 'bank_transfer'`)
	coretest.OwnerRow(h.t, h.db, []any{&ourOut}, `SELECT coalesce(sum(r.amount_fen), 0) FROM refunds r JOIN payments p ON p.id = r.payment_id
		WHERE r.state = 'done' AND p.channel <> 'bank_transfer'`)
	if in != ourIn || out != ourOut {
		h.t.Errorf("ledger: in %d, out %d; the company: in %d, out %d", ourIn, ourOut, in, out)
	}
	h.invariants()
}

func (h *house) invariants() {
	h.t.Helper()
	for name, sql := range map[string]string{
		"paid order without a settling payment": `SELECT count(*) FROM orders o WHERE paid_at IS NOT NULL AND total_fen > 0 AND NOT EXISTS
			(SELECT FROM payments p WHERE p.order_id = o.id AND p.settles AND p.state = 'paid')`,
		"settling payment of an order that does not know": `SELECT count(*) FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.settles AND o.paid_at IS NULL`,
		"money that neither settles nor goes back": `SELECT count(*) FROM payments p WHERE p.state = 'paid' AND NOT p.settles AND NOT EXISTS
			(SELECT FROM refunds r WHERE r.payment_id = p.id)`,
		"order paid twice on its time line": `SELECT count(*) FROM (SELECT order_id FROM order_events WHERE event = 'paid' GROUP BY order_id HAVING count(*) > 1) x`,
		"paid event without outbox":         `SELECT (SELECT count(*) FROM order_events WHERE event = 'paid') - (SELECT count(*) FROM outbox WHERE kind = 'order.paid')`,
	} {
		if n := h.count(sql); n != 0 {
			h.t.Errorf("%s: %d", name, n)
		}
	}
}

// gatewayOf serves every channel by one gateway.
func gatewayOf(g payment.Gateway) payment.GatewaysFunc {
	return func(uuid.UUID, string) (payment.Gateway, bool) { return g, true }
}
