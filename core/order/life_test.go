package order_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/platform/platformtest"
)

// is fails unless err is of a kind.
func is(t *testing.T, what string, err error, kind fault.Kind) {
	t.Helper()
	if !errors.Is(err, kind) {
		t.Errorf("%s: %v, want %s", what, err, kind)
	}
}

func typed(kv ...string) form.Answers {
	a := form.Answers{"org_name": "演示贸易有限公司", "uscc": "91350200MA2XYKHT6G", "mobile": "13800138000", "term": "1", "quantity": "1", "carrier": "sto",
		"ship_name": "王演示", "ship_street": "演示路1号"}
	for i := 0; i < len(kv); i += 2 {
		a[kv[i]] = kv[i+1]
	}
	return a
}

// What was agreed to is what is paid, however the facts move afterwards.
func TestPriceIsFrozen(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	_, old, _ := b.OldKey(1) // while it is valid the renewal is cheaper
	o := b.Draft(platformtest.Renew, old, nil)
	paid := b.Pay(b.Submit(platformtest.Renew, old, nil))
	if o.TotalFen != 15000 || paid.TotalFen != 15000 {
		t.Fatalf("draft %d, paid %d, want 15000", o.TotalFen, paid.TotalFen)
	}
	b.Clock.Shift(48 * time.Hour)
	_, err := b.Orders.Submit(b.Dealer, b.ID, o.ID, order.Submission{})
	is(t, "submit at another price", err, fault.Conflict)
	if o = b.Now(o); o.TotalFen != 20000 || o.State != order.Draft {
		t.Errorf("the new price is not stored: %d, %s", o.TotalFen, o.State)
	}
	if o = b.HandIn(o); o.TotalFen != 20000 || o.State != order.AwaitingPayment {
		t.Errorf("handed in at %d, %s", o.TotalFen, o.State)
	}
	// req: K44
	paid = b.Reject(paid, "org_name", "quantity")
	paid, _, err = b.Orders.SaveStep(b.Dealer, b.ID, paid.ID, "fill", typed("org_name", "示例贸易有限公司", "quantity", "3", "uscc", "91350100M000100Y43"))
	if err != nil {
		t.Fatal(err)
	}
	if paid.TotalFen != 15000 || paid.Quantity != 1 || paid.Answers["quantity"] != "1" {
		t.Errorf("a paid order changed: %d fen, %d keys, answer %q", paid.TotalFen, paid.Quantity, paid.Answers["quantity"])
	}
	if paid.Answers["org_name"] != "示例贸易有限公司" || paid.Answers["uscc"] != "91350200MA2XYKHT6G" {
		t.Errorf("only the refused field changes: %v", paid.Answers)
	}
	if paid = b.HandIn(paid); paid.State != order.InReview || len(b.Items(paid)) != 1 || paid.OpenFields != nil {
		t.Errorf("resubmitted: %s, %d items, open %v", paid.State, len(b.Items(paid)), paid.OpenFields)
	}
	_, _, err = b.Orders.SaveStep(b.Dealer, b.ID, paid.ID, "fill", typed())
	is(t, "edit after resubmission", err, fault.Conflict)
}

// An order that nobody has paid follows its corrections, keys included.
func TestUnpaidCorrection(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o := b.Submit(platformtest.Later, uuid.Nil, form.Answers{"quantity": "2"})
	states := func() (out []order.ItemState) {
		for _, it := range b.Items(o) {
			out = append(out, it.State)
		}
		return out
	}
	correct := func(quantity string) {
		o = b.Reject(o, "quantity")
		if _, _, err := b.Orders.SaveStep(b.Dealer, b.ID, o.ID, "fill", typed("quantity", quantity)); err != nil {
			t.Fatal(err)
		}
		o = b.HandIn(o)
	}
	correct("1")
	if got := states(); !slices.Equal(got, []order.ItemState{order.ItemWaiting, order.ItemWithdrawn}) || o.TotalFen != 20000 {
		t.Errorf("one key: %v, %d fen", got, o.TotalFen)
	}
	correct("3")
	if got := states(); !slices.Equal(got, []order.ItemState{order.ItemWaiting, order.ItemWaiting, order.ItemWaiting}) || o.TotalFen != 60000 {
		t.Errorf("three keys: %v, %d fen", got, o.TotalFen)
	}
	if o.QualifiedAt != nil {
		t.Error("an unpaid order is qualified already")
	}
	if o = b.Pay(b.Approve(o)); o.State != order.ReadyToInstall || o.QualifiedAt == nil {
		t.Errorf("paid after approval: %s, qualified %v", o.State, o.QualifiedAt)
	}
}

// Steps that come too early, too late or twice are refused (reliability P8).
func TestStepsOutOfTurn(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o := b.Draft(platformtest.Renew, uuid.Nil, nil)
	_, err := b.Orders.Submit(b.Dealer, b.ID, o.ID, order.Submission{Version: o.Version - 1})
	is(t, "stale page", err, fault.Conflict)
	_, err = b.Orders.Submit(b.Stranger, b.ID, o.ID, order.Submission{})
	is(t, "another dealer", err, fault.NotFound)
	o = b.HandIn(o)
	_, err = b.Orders.Submit(b.Dealer, b.ID, o.ID, order.Submission{})
	is(t, "submit twice", err, fault.Conflict)
	_, _, err = b.Orders.SaveStep(b.Dealer, b.ID, o.ID, "fill", typed("quantity", "5"))
	is(t, "edit after submit", err, fault.Conflict)
	_, _, err = b.Orders.SaveStep(b.Dealer, b.ID, o.ID, "nowhere", typed())
	is(t, "unknown step", err, fault.NotFound)
	err = b.DB.WithTenant(b.Dealer, b.ID, func(ctx context.Context, tx *db.Tx) error {
		have, err := b.Orders.LoadForUpdate(ctx, tx, o.ID)
		if err != nil {
			return err
		}
		return b.Orders.SetFile(ctx, tx, &have, "photo", uuid.NewString())
	})
	is(t, "picture after submit", err, fault.Conflict)
	err = b.DB.WithTenant(b.Reviewer, b.ID, func(ctx context.Context, tx *db.Tx) error {
		have, err := b.Orders.LoadForUpdate(ctx, tx, o.ID)
		if err != nil {
			return err
		}
		return b.Orders.Advance(ctx, tx, &have, order.Approve, nil)
	})
	is(t, "approve before payment", err, fault.Conflict)
	_, err = b.Issuance.Authorise(b.Dealer, b.ID, b.Items(o)[0].ID, platformtest.Origin)
	is(t, "issue before payment", err, fault.Conflict)
	o = b.Pay(o)
	_, err = b.Orders.Cancel(b.Dealer, b.ID, o.ID)
	is(t, "cancel what is paid", err, fault.Conflict)
	if o = b.Now(o); o.State != order.InReview || o.Quantity != 1 {
		t.Errorf("%s, %d keys", o.State, o.Quantity)
	}
}

// Of many submissions at once one counts; numbers are given without gap or double.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o := b.Draft(platformtest.Renew, uuid.Nil, nil)
	var wg sync.WaitGroup
	var mu sync.Mutex
	won, numbers := 0, map[string]bool{o.Number: true}
	for range 8 {
		wg.Go(func() {
			_, err := b.Orders.Submit(b.Dealer, b.ID, o.ID, order.Submission{})
			d, startErr := b.Orders.Start(b.Dealer, order.Begin{Tenant: b.Tenant, Product: b.Product(platformtest.Free), Account: uuid.New()})
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, fault.Conflict) {
				t.Error(err)
			}
			if startErr != nil {
				t.Error(startErr)
			}
			if d.Account != b.Account {
				t.Error("a dealer's draft is somebody else's")
			}
			numbers[d.Number] = true
		})
	}
	wg.Wait()
	if n := b.Count(`SELECT count(*) FROM order_items WHERE order_id = $1`, o.ID); won != 1 || n != 1 {
		t.Errorf("%d submissions won, %d items", won, n)
	}
	for i := 1; i <= 9; i++ {
		if no := "BEN20261130" + "00000" + string(rune('0'+i)); !numbers[no] {
			t.Errorf("number %s was not given: %v", no, numbers)
		}
	}
}

// A visitor's draft is his browser's until the code proves his mobile, and his login's from then on. // req: K4 K10 K42
func TestVisitor(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	visitor := order.WithVisitor(t.Context(), []byte("browser one"))
	other := order.WithVisitor(t.Context(), []byte("browser two"))
	_, err := b.Orders.Start(visitor, order.Begin{Tenant: b.Tenant, Product: b.Product(platformtest.Renew), Visitor: []byte("browser one")})
	is(t, "register-first product without a login", err, fault.Unauthenticated)
	o, err := b.Orders.Start(visitor, order.Begin{Tenant: b.Tenant, Product: b.Product(platformtest.Make), Visitor: []byte("browser one")})
	if err != nil {
		t.Fatal(err)
	}
	o = b.Fill(visitor, o, nil)
	if d, err := b.Orders.Drafts(visitor, b.ID, o.Product); err != nil || len(d) != 1 || d[0].ID != o.ID {
		t.Errorf("drafts %v, %v", d, err)
	}
	if d, _ := b.Orders.Drafts(other, b.ID, o.Product); len(d) != 0 {
		t.Error("another browser sees the draft")
	}
	_, err = b.Orders.Find(other, b.ID, o.ID)
	is(t, "another browser", err, fault.Unauthenticated)
	_, err = b.Orders.Submit(visitor, b.ID, o.ID, order.Submission{Account: b.Account}) // req: K33
	is(t, "agreement not ticked", err, fault.Invalid)
	_, err = b.Orders.Submit(visitor, b.ID, o.ID, order.Submission{Agreed: "service"})
	is(t, "no code given", err, fault.Unauthenticated)
	o, err = b.Orders.Submit(visitor, b.ID, o.ID, order.Submission{Agreed: "service", Account: b.Account})
	if err != nil || o.Account != b.Account {
		t.Fatalf("%v, account %s", err, o.Account)
	}
	mine, err := b.Orders.Start(b.Dealer, order.Begin{Tenant: b.Tenant, Product: b.Product(platformtest.Renew)})
	if err != nil {
		t.Fatal(err)
	}
	if d, err := b.Orders.Drafts(b.Dealer, b.ID, mine.Product); err != nil || len(d) != 1 || d[0].ID != mine.ID {
		t.Errorf("the dealer's drafts %v, %v", d, err)
	}
	if d, _ := b.Orders.Drafts(b.Stranger, b.ID, mine.Product); len(d) != 0 {
		t.Error("another dealer sees the draft")
	}
	_, err = b.Orders.Find(visitor, b.ID, o.ID)
	is(t, "the browser alone, afterwards", err, fault.Unauthenticated)
	_, err = b.Orders.Find(b.Stranger, b.ID, o.ID)
	is(t, "another dealer", err, fault.NotFound)
	// req: K44
	o = b.Reject(b.Pay(o), "org_name")
	if _, _, err := b.Orders.SaveStep(b.Dealer, b.ID, o.ID, "fill", typed("org_name", "示例贸易有限公司")); err != nil {
		t.Fatal(err)
	}
	if o = b.HandIn(o); o.State != order.InReview || o.Answers["org_name"] != "示例贸易有限公司" {
		t.Errorf("%s %v", o.State, o.Answers)
	}
	// a draft begun before logging in becomes the dealer's own
	o, err = b.Orders.Start(visitor, order.Begin{Tenant: b.Tenant, Product: b.Product(platformtest.Make), Visitor: []byte("browser one")})
	if err != nil {
		t.Fatal(err)
	}
	b.Fill(visitor, o, nil)
	o, err = b.Orders.Submit(order.WithVisitor(b.Dealer, []byte("browser one")), b.ID, o.ID, order.Submission{Agreed: "service"})
	if err != nil || o.Account != b.Account {
		t.Errorf("logged in meanwhile: %v, account %s", err, o.Account)
	}
}

// Unpaid orders end by themselves; nothing else does, and one that fails holds nobody up (decision 9).
func TestLapse(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	draft, touched := b.Draft(platformtest.Renew, uuid.Nil, nil), b.Draft(platformtest.Renew, uuid.Nil, nil)
	broken, unpaid := b.Submit(platformtest.Renew, uuid.Nil, nil), b.Submit(platformtest.Renew, uuid.Nil, nil)
	checked, paid := b.Submit(platformtest.Renew, uuid.Nil, nil), b.Pay(b.Submit(platformtest.Renew, uuid.Nil, nil))
	b.Tx(func(ctx context.Context, tx *db.Tx) error {
		o, err := b.Orders.LoadForUpdate(ctx, tx, checked.ID)
		if err != nil {
			return err
		}
		return b.Orders.Advance(ctx, tx, &o, order.SubmitVoucher, nil)
	})
	coretest.OwnerExec(t, b.DB, `UPDATE orders SET answers_sealed = '\x00' WHERE id = $1`, broken.ID)
	b.Clock.Shift(14 * 24 * time.Hour)
	b.Fill(b.Dealer, touched, nil)
	if n, err := b.Orders.LapseDue(t.Context(), 10); n != 0 || err != nil {
		t.Errorf("before the time: %d, %v", n, err)
	}
	b.Clock.Shift(2 * 24 * time.Hour)
	n, err := b.Orders.LapseDue(t.Context(), 1)
	if n != 2 || err == nil {
		t.Errorf("%d lapsed, error %v; want 2 and the broken one's error", n, err)
	}
	for _, x := range []struct {
		o    order.Order
		want order.State
	}{{draft, order.Lapsed}, {touched, order.Draft}, {unpaid, order.Lapsed}, {checked, order.PaymentCheck}, {paid, order.InReview}} {
		if got := b.Now(x.o); got.State != x.want || got.State == order.Lapsed && got.ClosedAt == nil {
			t.Errorf("%s is %s, want %s", got.Number, got.State, x.want)
		}
	}
}

// An order that is over gives its keys up; a refund that is declined leads back to where the order stood.
func TestEnds(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	withdrawn := func(o order.Order) int {
		return b.Count(`SELECT count(*) FROM order_items WHERE order_id = $1 AND state = 'withdrawn'`, o.ID)
	}
	o := b.Submit(platformtest.Renew, uuid.Nil, form.Answers{"quantity": "2"})
	o, err := b.Orders.Cancel(b.Dealer, b.ID, o.ID)
	if err != nil || withdrawn(o) != 2 || o.ClosedAt == nil {
		t.Errorf("cancelled: %v, %d items withdrawn", err, withdrawn(o))
	}
	o = b.Reject(b.Pay(b.Submit(platformtest.Renew, uuid.Nil, nil)), "org_name")
	r, err := b.Payments.RequestRefund(b.Dealer, b.ID, o.ID, "不需要了")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Payments.Decline(b.Finance, b.ID, r.ID, "已在制作"); err != nil {
		t.Fatal(err)
	}
	if o = b.Now(o); o.State != order.Rejected || !slices.Equal(o.OpenFields, []string{"org_name"}) || o.PausedAt == nil {
		t.Errorf("declined: %s, open %v, paused %v", o.State, o.OpenFields, o.PausedAt)
	}
	o = b.Approved(platformtest.Renew, uuid.Nil, nil)
	if r, err = b.Payments.RequestRefund(b.Dealer, b.ID, o.ID, "不需要了"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Payments.Approve(b.Finance, b.ID, r.ID); err != nil {
		t.Fatal(err)
	}
	b.Clock.Shift(time.Minute)
	if _, err := b.Payments.RunRefunds(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	if o = b.Now(o); o.State != order.Refunded || withdrawn(o) != 1 {
		t.Errorf("refunded: %s, %d items withdrawn", o.State, withdrawn(o))
	}
}

// Three working days from payment, standing still while the applicant must act. // req: K39
func TestServiceLevel(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t) // Monday, 30 November 2026, ten o'clock
	due := func(o order.Order) string {
		if o.DueAt == nil {
			return "none"
		}
		return o.DueAt.In(time.FixedZone("CST", 8*3600)).Format("01-02 15:04")
	}
	o := b.Submit(platformtest.Renew, uuid.Nil, nil)
	if due(o) != "none" {
		t.Errorf("due before payment: %s", due(o))
	}
	b.Clock.Shift(time.Hour)
	if o = b.Pay(o); due(o) != "12-03 17:30" {
		t.Errorf("due %s, want 12-03 17:30", due(o))
	}
	b.Clock.Shift(24 * time.Hour)
	if o = b.Reject(o, "org_name"); o.PausedAt == nil {
		t.Error("the clock runs while the applicant corrects")
	}
	b.Clock.Shift(24 * time.Hour) // Tuesday to Wednesday: neither counts
	if o = b.HandIn(o); o.PausedAt != nil || due(o) != "12-07 17:30" {
		t.Errorf("due %s, want 12-07 17:30; paused %v", due(o), o.PausedAt)
	}
	if o = b.Approve(o); o.PausedAt == nil || due(o) != "12-07 17:30" {
		t.Errorf("approved: due %s, paused %v", due(o), o.PausedAt)
	}
	b.Clock.Shift(10 * 24 * time.Hour)
	counts, err := b.Orders.Counts(b.Reviewer)
	if err != nil || counts[order.ReadyToInstall].N != 1 || counts[order.ReadyToInstall].Late != 0 {
		t.Errorf("an order that waits for its applicant is late: %+v, %v", counts, err)
	}
	late := b.Pay(b.Submit(platformtest.Renew, uuid.Nil, nil))
	b.Clock.Shift(10 * 24 * time.Hour)
	if counts, err = b.Orders.Counts(b.Reviewer); err != nil || counts[order.InReview].Late != 1 || !late.DueAt.Before(b.Clock.Now()) {
		t.Errorf("ten days later: %+v, %v", counts, err)
	}
	_, err = b.Orders.Counts(b.Dealer)
	is(t, "a dealer counts queues", err, fault.Denied)
}
