package order_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/platform/platformtest"
)

// A claim holds for half an hour; the second reviewer is told.
func TestClaim(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o := b.Pay(b.Submit(platformtest.Renew, uuid.Nil, nil))
	claim := func(who context.Context) error {
		return b.DB.WithTenant(who, b.ID, func(ctx context.Context, tx *db.Tx) error {
			have, err := b.Orders.LoadForUpdate(ctx, tx, o.ID)
			if err != nil {
				return err
			}
			return b.Orders.Claim(ctx, tx, &have)
		})
	}
	for range 2 {
		if err := claim(b.Reviewer); err != nil {
			t.Fatal(err)
		}
	}
	is(t, "second reviewer", claim(b.Second), fault.Conflict)
	is(t, "producer", claim(b.Producer), fault.Denied)
	now := b.Now(o)
	if now.Version != o.Version || !order.Claimed(now, b.Clock.Now()) {
		t.Errorf("version %d → %d, claimed %t", o.Version, now.Version, order.Claimed(now, b.Clock.Now()))
	}
	b.Clock.Shift(31 * time.Minute)
	if err := claim(b.Second); err != nil {
		t.Error(err)
	}
	if n := b.Count(`SELECT count(*) FROM audit_entries WHERE action = 'order.claim'`); n != 2 {
		t.Errorf("%d claims in the audit, want 2", n)
	}
}

// Staff find orders by what is stored sealed. // req: K41
func TestQueueSearch(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	one := b.Pay(b.Submit(platformtest.Renew, uuid.Nil, nil))
	two := b.Pay(b.Submit(platformtest.Renew, uuid.Nil, form.Answers{"org_name": "示例贸易有限公司", "mobile": "13900139000", "uscc": "91350100M000100Y43"}))
	for _, x := range []struct {
		name string
		f    order.Filter
		want []uuid.UUID
	}{
		{"mobile", order.Filter{Mobile: "13800138000"}, []uuid.UUID{one.ID}},
		{"company", order.Filter{Org: "示例贸易有限公司"}, []uuid.UUID{two.ID}},
		{"code", order.Filter{Code: "91350100M000100Y43"}, []uuid.UUID{two.ID}},
		{"number", order.Filter{Number: one.Number}, []uuid.UUID{one.ID}},
		{"nobody", order.Filter{Mobile: "13700137000"}, nil},
		{"tenant and state", order.Filter{Tenant: b.ID, States: []order.State{order.InReview}, Oldest: true}, []uuid.UUID{one.ID, two.ID}},
		{"other tenant", order.Filter{Tenant: uuid.New(), Mobile: "13800138000"}, nil},
	} {
		list, total, err := b.Orders.Queue(b.Reviewer, x.f)
		var got []uuid.UUID
		for _, o := range list {
			got = append(got, o.ID)
		}
		if err != nil || total != len(x.want) || !slices.Equal(got, x.want) {
			t.Errorf("%s: %v of %d, %v; want %v", x.name, got, total, err, x.want)
		}
	}
	elsewhere := b.As(authz.Principal{Kind: authz.Staff, ID: uuid.New(), Name: "r", Roles: []string{authz.RoleReviewer}, Tenant: uuid.New()})
	if list, _, err := b.Orders.Queue(elsewhere, order.Filter{}); err != nil || len(list) != 0 {
		t.Errorf("a reviewer of another tenant sees %d orders, %v", len(list), err)
	}
	_, _, err := b.Orders.Queue(elsewhere, order.Filter{Tenant: b.ID})
	is(t, "a reviewer of another tenant", err, fault.NotFound)
	if n := b.Count(`SELECT count(*) FROM orders WHERE position('13800138000'::bytea IN answers_sealed) > 0`); n != 0 {
		t.Error("answers lie open in the database")
	}
}
