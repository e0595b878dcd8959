package review_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/order"
	"certsaas/core/platform/platformtest"
	"certsaas/core/review"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(review.Messages) {
		t.Error(p)
	}
}

// A verdict that is not complete is refused, field by field. // req: K44
func TestVerdictIsComplete(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o := b.Pay(b.Submit(platformtest.Renew, uuid.Nil, nil))
	ticked := map[string]bool{"name": true}
	for _, x := range []struct {
		name string
		v    review.Verdict
		want []string
	}{
		{"approved without the checklist", review.Verdict{Approve: true}, []string{"checklist"}},
		{"approved with a remark", review.Verdict{Approve: true, Checklist: ticked, Remarks: []review.Remark{{Target: "org_name", Reason: "x"}}}, []string{"remarks"}},
		{"refused without a reason", review.Verdict{}, []string{"remarks"}},
		{"empty reason", review.Verdict{Remarks: []review.Remark{{Target: "org_name", Reason: " "}}}, []string{"remark.org_name"}},
		{"long reason", review.Verdict{Remarks: []review.Remark{{Target: "org_name", Reason: strings.Repeat("长", 201)}}}, []string{"remark.org_name"}},
		{"no such field", review.Verdict{Remarks: []review.Remark{{Target: "moon", Reason: "x"}}}, []string{"remark.moon"}},
		{"field that is not shown", review.Verdict{Remarks: []review.Remark{{Target: "invoice_title", Reason: "x"}}}, []string{"remark.invoice_title"}},
	} {
		x.v.Version = o.Version
		_, err := b.Reviews.Decide(b.Reviewer, b.ID, o.ID, x.v)
		var got []string
		if f := fault.From(err); f != nil {
			for _, p := range f.Fields {
				got = append(got, p.Name)
			}
		}
		if !errors.Is(err, fault.Invalid) || cmp.Diff(x.want, got) != "" {
			t.Errorf("%s: %v, fields %v", x.name, err, got)
		}
	}
	if now := b.Now(o); now.State != order.InReview || now.ClaimedBy != uuid.Nil {
		t.Errorf("a refused verdict left %s, claimed by %s", now.State, now.ClaimedBy)
	}
}

// Refused by field with a reason each; the second look shows only what changed. // req: K44
func TestSecondLook(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o := b.Pay(b.Submit(platformtest.Renew, uuid.Nil, nil))
	o, err := b.Reviews.Decide(b.Reviewer, b.ID, o.ID, review.Verdict{Version: o.Version, Remarks: []review.Remark{
		{Target: "org_name", Reason: " 名称与执照不一致 "}, {Target: "photo", Reason: "图片不清晰"}}})
	if err != nil || o.State != order.Rejected {
		t.Fatalf("%v, %s", err, o.State)
	}
	if d := cmp.Diff([]string{"org_name", "photo"}, o.OpenFields); d != "" {
		t.Error(d)
	}
	remarks := func() (out []review.Remark) {
		b.Tx(func(ctx context.Context, tx *db.Tx) (err error) {
			out, err = b.Reviews.Remarks(ctx, tx, o.ID)
			return err
		})
		return out
	}
	want := []review.Remark{{Target: "org_name", Reason: "名称与执照不一致"}, {Target: "photo", Reason: "图片不清晰"}}
	if d := cmp.Diff(want, remarks()); d != "" {
		t.Error(d)
	}
	o = b.HandIn(b.Fill(b.Dealer, o, form.Answers{"org_name": "示例贸易有限公司", "ship_name": "别人"}))
	var rounds []review.Round
	b.Tx(func(ctx context.Context, tx *db.Tx) (err error) {
		rounds, err = b.Reviews.Rounds(ctx, tx, o.ID)
		return err
	})
	var changed []string
	for _, c := range review.Changes(b.Product(o.Product), rounds, o.Answers) {
		changed = append(changed, c.Field.Key)
	}
	if d := cmp.Diff([]string{"org_name"}, changed); d != "" {
		t.Errorf("changed since the last look:\n%s", d)
	}
	o = b.Approve(o)
	if len(remarks()) != 0 || o.State != order.ReadyToInstall {
		t.Errorf("approved: remarks %v, %s", remarks(), o.State)
	}
	if n := b.Count(`SELECT count(*) FROM reviews WHERE order_id = $1`, o.ID); n != 2 {
		t.Errorf("%d rounds, want 2", n)
	}
}

// Of two reviewers at once one wins; a stale page changes nothing.
func TestTwoReviewers(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o := b.Pay(b.Submit(platformtest.Renew, uuid.Nil, nil))
	verdicts := map[context.Context]review.Verdict{
		b.Reviewer: {Version: o.Version, Approve: true, Checklist: map[string]bool{"name": true}},
		b.Second:   {Version: o.Version, Remarks: []review.Remark{{Target: "org_name", Reason: "不一致"}}},
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for who, v := range verdicts {
		wg.Go(func() {
			_, err := b.Reviews.Decide(who, b.ID, o.ID, v)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, fault.Conflict) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := b.Count(`SELECT count(*) FROM reviews`); won != 1 || n != 1 {
		t.Errorf("%d won, %d rounds", won, n)
	}
	o = b.Pay(b.Submit(platformtest.Renew, uuid.Nil, nil))
	if _, err := b.Reviews.Decide(b.Reviewer, b.ID, o.ID, review.Verdict{Version: o.Version - 1, Approve: true, Checklist: map[string]bool{"name": true}}); !errors.Is(err, fault.Conflict) {
		t.Errorf("stale page: %v", err)
	}
	for name, who := range map[string]context.Context{"producer": b.Producer, "finance": b.Finance, "dealer": b.Dealer} {
		_, err := b.Reviews.Decide(who, b.ID, o.ID, review.Verdict{Version: o.Version, Approve: true, Checklist: map[string]bool{"name": true}})
		if !errors.Is(err, fault.Denied) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if o = b.Now(o); o.State != order.InReview {
		t.Error(o.State)
	}
}

// An automatic check passes what it may, once, and never what a person refused.
func TestAutomatic(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	good := b.Submit(platformtest.Auto, uuid.Nil, form.Answers{"remark": "good"})
	plain := b.Submit(platformtest.Auto, uuid.Nil, form.Answers{"remark": "none"})
	manual := b.Submit(platformtest.Free, uuid.Nil, form.Answers{"remark": "good"})
	refused := b.Submit(platformtest.Auto, uuid.Nil, form.Answers{"remark": "none"})
	refused = b.Reject(refused, "remark")
	refused = b.HandIn(b.Fill(b.Dealer, refused, form.Answers{"remark": "good"}))
	b.Drain()
	if err := b.Reviews.Automatic(b.As(authz.System("test/again")), b.ID, good.ID); err != nil {
		t.Errorf("told twice: %v", err)
	}
	for _, x := range []struct {
		name string
		o    order.Order
		want order.State
	}{{"checks pass", good, order.ReadyToInstall}, {"checks do not pass", plain, order.InReview}, {"manual product", manual, order.InReview}, {"refused before", refused, order.InReview}} {
		if got := b.Now(x.o).State; got != x.want {
			t.Errorf("%s: %s, want %s", x.name, got, x.want)
		}
	}
	if n := b.Count(`SELECT count(*) FROM reviews WHERE order_id = $1 AND reviewer_id IS NULL AND verdict = 'approved'`, good.ID); n != 1 {
		t.Errorf("%d automatic rounds", n)
	}
}
