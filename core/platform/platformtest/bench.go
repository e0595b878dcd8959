package platformtest

import (
	"context"
	"embed"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/config"
	"certsaas/core/authz"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/review"
	"certsaas/core/tenant"
	"certsaas/tenants"
)

//go:embed all:bench
var benchPack embed.FS

// Products of the bench's tenant; they differ in what the name says. All are paid first and go into the applicant's own key
// unless said otherwise.
const (
	Renew  = "T-RENEW"  // carries over what is left of the old certificate, and supersedes it
	Keep   = "T-KEEP"   // keeps the old end; the old certificate is revoked at approval
	Make   = "T-MAKE"   // ordered without a login, written into new keys
	Later  = "T-LATER"  // paid after review
	Free   = "T-FREE"   // the enterprise pays
	Unlock = "T-UNLOCK" // the key is sent in, no certificate
	Revoke = "T-REVOKE" // takes the old certificate back, nothing to make
	Auto   = "T-AUTO"   // reviewed automatically when the remark is "good"
)

// Bench is a world of one small tenant whose products ask for no picture, with a dealer and people of the CA.
type Bench struct {
	*World
	Tenant  *tenant.Tenant
	ID      uuid.UUID // the tenant's
	Account uuid.UUID // the dealer's

	Dealer, Stranger, Reviewer, Second, Producer, Finance, Other context.Context
}

// NewBench opens a platform with the bench's tenant alone. Browsers reach it over TLS, as in service.
func NewBench(t *testing.T) *Bench {
	t.Helper()
	c := config.Default()
	c.Web.PublicURL = "https://" + c.Web.BaseDomain
	b := &Bench{World: open(t, c), Account: db.NewID()}
	pack, err := fs.Sub(benchPack, "bench")
	if err != nil {
		t.Fatal(err)
	}
	def, problems := tenant.Load(tenants.Base(), pack)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	done, err := b.Releases.Install(b.As(authz.System("test/install")), def)
	if err != nil {
		t.Fatal(err)
	}
	b.ID = done.Tenant
	if b.Tenant, err = b.Tenants.ByID(t.Context(), b.ID); err != nil {
		t.Fatal(err)
	}
	b.Account = b.AddAccount()
	person := func(role string) context.Context {
		return b.As(authz.Principal{Kind: authz.Staff, ID: db.NewID(), Name: role, Roles: []string{role}})
	}
	b.Dealer, b.Stranger = b.AsDealer(b.Account), b.AsDealer(b.AddAccount())
	b.Reviewer, b.Second, b.Producer = person(authz.RoleReviewer), person(authz.RoleReviewer), person(authz.RoleProducer)
	b.Finance, b.Other = person(authz.RoleFinance), person(authz.RoleFinance)
	return b
}

// AddAccount makes another dealer.
func (b *Bench) AddAccount() uuid.UUID {
	b.T.Helper()
	id := db.NewID()
	coretest.OwnerExec(b.T, b.DB, `INSERT INTO accounts (tenant_id, id, mobile_index, mobile_sealed, created_at) VALUES ($1, $2, $3, '', now())`, b.ID, id, id[:])
	return id
}

// AsDealer is a context in which a dealer calls.
func (b *Bench) AsDealer(account uuid.UUID) context.Context {
	return b.As(authz.Principal{Kind: authz.Dealer, ID: account, Name: "演示", Tenant: b.ID})
}

// Product is one of the tenant's.
func (b *Bench) Product(code string) tenant.Product {
	b.T.Helper()
	p, ok := b.Tenant.Product(code)
	if !ok {
		b.T.Fatalf("no product %s", code)
	}
	return p
}

// Draft opens an order of the dealer and fills it in with samples; typed alters them. old may be Nil.
func (b *Bench) Draft(product string, old uuid.UUID, typed form.Answers) order.Order {
	b.T.Helper()
	o, err := b.Orders.Start(b.Dealer, order.Begin{Tenant: b.Tenant, Product: b.Product(product), Account: b.Account, OldCertificate: old})
	if err != nil {
		b.T.Fatal(err)
	}
	return b.Fill(b.Dealer, o, typed)
}

// Fill answers both steps of an order.
func (b *Bench) Fill(ctx context.Context, o order.Order, typed form.Answers) order.Order {
	b.T.Helper()
	all := form.Answers{}
	for f := range b.Product(o.Product).Form.Fields() {
		all[f.Key] = f.Sample
	}
	all["quantity"], all["term"], all["invoice_wanted"], all["mobile"] = "1", "1", "no", "13800138000"
	for k, v := range typed {
		all[k] = v
	}
	for _, step := range []string{"fill", "more"} {
		saved, res, err := b.Orders.SaveStep(ctx, b.ID, o.ID, step, all)
		if err != nil || !res.OK() {
			b.T.Fatalf("step %s: %v %+v", step, err, res.Problems)
		}
		o = saved
	}
	return o
}

// Submit is Draft, handed in.
func (b *Bench) Submit(product string, old uuid.UUID, typed form.Answers) order.Order {
	b.T.Helper()
	return b.HandIn(b.Draft(product, old, typed))
}

// HandIn submits a draft of the dealer.
func (b *Bench) HandIn(o order.Order) order.Order {
	b.T.Helper()
	o, err := b.Orders.Submit(b.Dealer, b.ID, o.ID, order.Submission{Agreed: "service"})
	if err != nil {
		b.T.Fatal(err)
	}
	return o
}

// Pay pays an order at the demonstration's payment company and lets the poller find it.
func (b *Bench) Pay(o order.Order) order.Order {
	b.T.Helper()
	p, err := b.Payments.Begin(b.Dealer, b.ID, o.ID, payment.Alipay)
	if err != nil {
		b.T.Fatal(err)
	}
	b.DemoPay.DropNotifications(true)
	parts := strings.Split(p.Code, "/")
	if err := b.DemoPay.Pay(parts[len(parts)-1]); err != nil {
		b.T.Fatal(err)
	}
	coretest.OwnerExec(b.T, b.DB, `UPDATE payments SET next_poll_at = $2 WHERE id = $1`, p.ID, b.Clock.Now())
	if _, err := b.Payments.PollDue(b.T.Context(), 100); err != nil {
		b.T.Fatal(err)
	}
	return b.Now(o)
}

// Approve passes the review.
func (b *Bench) Approve(o order.Order) order.Order {
	b.T.Helper()
	o, err := b.Reviews.Decide(b.Reviewer, b.ID, o.ID, review.Verdict{Version: o.Version, Approve: true, Checklist: map[string]bool{"name": true}})
	if err != nil {
		b.T.Fatal(err)
	}
	return o
}

// Approved is an order that is paid if it must be, and approved.
func (b *Bench) Approved(product string, old uuid.UUID, typed form.Answers) order.Order {
	b.T.Helper()
	o := b.Submit(product, old, typed)
	if o.State == order.AwaitingPayment {
		o = b.Pay(o)
	}
	return b.Approve(o)
}

// Reject refuses fields of an order.
func (b *Bench) Reject(o order.Order, fields ...string) order.Order {
	b.T.Helper()
	v := review.Verdict{Version: o.Version}
	for _, f := range fields {
		v.Remarks = append(v.Remarks, review.Remark{Target: f, Reason: "请修改"})
	}
	o, err := b.Reviews.Decide(b.Reviewer, b.ID, o.ID, v)
	if err != nil {
		b.T.Fatal(err)
	}
	return o
}

// Now is an order as it stands.
func (b *Bench) Now(o order.Order) order.Order {
	b.T.Helper()
	o, err := b.Orders.Find(b.As(authz.System("test/look")), b.ID, o.ID)
	if err != nil {
		b.T.Fatal(err)
	}
	return o
}

// Items are the keys of an order.
func (b *Bench) Items(o order.Order) []order.Item {
	b.T.Helper()
	var items []order.Item
	b.Tx(func(ctx context.Context, tx *db.Tx) (err error) {
		items, err = order.Items(ctx, tx, o.ID)
		return err
	})
	return items
}

// Tx runs fn in a transaction of the tenant, as the program itself.
func (b *Bench) Tx(fn func(ctx context.Context, tx *db.Tx) error) {
	b.T.Helper()
	if err := b.DB.WithTenant(b.As(authz.System("test/look")), b.ID, fn); err != nil {
		b.T.Fatal(err)
	}
}

// Seal chains the whole audit. The sealer waits for transactions of the whole server, other tests' among them.
func (b *Bench) Seal() {
	b.T.Helper()
	for range 500 {
		if _, err := b.Sealer.RunOnce(context.WithoutCancel(b.T.Context()), 10000); err != nil {
			b.T.Fatal(err)
		}
		if b.Count(`SELECT (SELECT count(*) FROM audit_entries) - (SELECT count(*) FROM audit_seals)`) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	b.T.Fatal("the audit is not sealed")
}

// Count is the one number a statement answers, read past isolation.
func (b *Bench) Count(sql string, args ...any) int {
	b.T.Helper()
	var n int
	coretest.OwnerRow(b.T, b.DB, []any{&n}, sql, args...)
	return n
}
