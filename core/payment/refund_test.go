package payment_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"certsaas/core/authz"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/order"
	"certsaas/core/payment"
)

// paidOrder is an order in review, paid by Alipay.
func (h *house) paidOrder() order.Order {
	h.t.Helper()
	o := h.place("PAYFIRST")
	h.paid(h.begin(o, payment.Alipay))
	return o
}

func (h *house) request(ctx context.Context, o order.Order) payment.Refund {
	h.t.Helper()
	r, err := h.pay.RequestRefund(ctx, h.id, o.ID, "不办了")
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// Decision 9: a paid order can be refunded until its certificate is issued.
func TestRequestedRefund(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	unpaid := h.place("PAYFIRST")
	if _, err := h.pay.RequestRefund(h.dealer, h.id, unpaid.ID, "不办了"); !errors.Is(err, fault.Conflict) {
		t.Errorf("nothing paid: %v", err)
	}
	o := h.paidOrder()
	if _, err := h.pay.RequestRefund(h.stranger, h.id, o.ID, "不办了"); !errors.Is(err, fault.NotFound) {
		t.Errorf("another dealer: %v", err)
	}
	r := h.request(h.dealer, o)
	h.expect(o.ID, order.Refunding)
	if r.AmountFen != 20000 || r.Cause != payment.Requested || r.State != payment.RefundProposed {
		t.Errorf("%+v", r)
	}
	if _, err := h.pay.RequestRefund(h.dealer, h.id, o.ID, "不办了"); !errors.Is(err, fault.Conflict) {
		t.Errorf("twice: %v", err)
	}
	for who, ctx := range map[string]context.Context{"dealer": h.dealer, "reviewer": h.reviewer, "nobody": t.Context()} {
		if _, err := h.pay.Approve(ctx, h.id, r.ID); err == nil {
			t.Errorf("%s approved", who)
		}
	}
	if r, err := h.pay.Approve(h.finance, h.id, r.ID); err != nil || r.State != payment.RefundPaid || r.DoneAt == nil {
		t.Fatalf("%+v %v", r, err)
	}
	h.expect(o.ID, order.Refunded)
	if _, err := h.pay.Approve(h.finance, h.id, r.ID); !errors.Is(err, fault.Conflict) {
		t.Errorf("approved twice: %v", err)
	}
	if n := h.count(`SELECT count(*) FROM outbox WHERE kind = 'order.refunded'`); n != 1 {
		t.Errorf("%d events", n)
	}
	h.books()
}

// Two persons: neither who asked nor who approved the review may agree.
func TestRefundNeedsAnotherPerson(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.paidOrder()
	both := func() (context.Context, authz.Principal) {
		p := authz.Principal{Kind: authz.Staff, ID: db.NewID(), Name: "both", Roles: []string{authz.RoleReviewer, authz.RoleFinance}}
		return authz.WithPrincipal(t.Context(), p), p
	}
	asker, _ := both()
	reviewer, who := both()
	coretest.OwnerExec(t, h.db, `INSERT INTO order_events (tenant_id, id, order_id, at, event, from_state, to_state, actor_kind, actor_id, actor_name)
		VALUES ($1, $2, $3, $4, 'approve', 'in_review', 'in_review', 'staff', $5, 'both')`, h.id, db.NewID(), o.ID, start, who.ID)
	r := h.request(asker, o)
	for name, ctx := range map[string]context.Context{"who asked": asker, "who reviewed": reviewer} {
		if _, err := h.pay.Approve(ctx, h.id, r.ID); !errors.Is(err, fault.Denied) {
			t.Errorf("%s approved: %v", name, err)
		}
	}
	if in, out := h.psp.Statement(merchant); in != 20000 || out != 0 {
		t.Errorf("money moved: %d %d", in, out)
	}
	if _, err := h.pay.Approve(h.finance, h.id, r.ID); err != nil {
		t.Error(err)
	}
	h.books()
}

// The gateway is away, or we die after it has answered: RunRefunds goes on and
// the money leaves once.
func TestRefundSurvivesOutageAndCrash(t *testing.T) {
	t.Parallel()
	for _, crash := range []bool{false, true} {
		h := newHouse(t)
		o := h.paidOrder()
		r := h.request(h.dealer, o)
		if crash {
			h.hooks.At = func(_ context.Context, at payment.Point) error {
				if at == payment.RefundSent {
					return fault.New(fault.Unavailable, "payment.gateway_away")
				}
				return nil
			}
		} else {
			h.psp.Fail(1)
		}
		if r, err := h.pay.Approve(h.finance, h.id, r.ID); err != nil || r.State != payment.RefundApproved {
			t.Fatalf("%+v %v", r, err)
		}
		h.expect(o.ID, order.Refunding)
		h.hooks.At = nil
		if rep, err := h.pay.RunRefunds(t.Context(), 10); err != nil || rep.Sent != 0 {
			t.Errorf("too early: %+v %v", rep, err)
		}
		h.clock.Advance(30 * time.Second)
		if rep, err := h.pay.RunRefunds(t.Context(), 10); err != nil || rep.Done != 1 {
			t.Fatalf("%+v %v", rep, err)
		}
		h.clock.Advance(24 * time.Hour)
		if rep, err := h.pay.RunRefunds(t.Context(), 10); err != nil || rep.Sent != 0 {
			t.Errorf("again: %+v %v", rep, err)
		}
		h.expect(o.ID, order.Refunded)
		h.books()
	}
}

func TestRefundDeclined(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.paidOrder()
	r := h.request(h.dealer, o)
	if _, err := h.pay.Decline(h.finance, h.id, r.ID, ""); !errors.Is(err, fault.Invalid) {
		t.Errorf("no reason: %v", err)
	}
	if r, err := h.pay.Decline(h.finance, h.id, r.ID, "已开始制证"); err != nil || r.State != payment.RefundDeclined {
		t.Fatalf("%+v %v", r, err)
	}
	h.expect(o.ID, order.InReview)
	again := h.request(h.dealer, o) // may be asked for again
	if _, err := h.pay.Approve(h.finance, h.id, again.ID); err != nil {
		t.Fatal(err)
	}
	h.expect(o.ID, order.Refunded)
	h.books()
}

// Money that came too late goes back without touching the order.
func TestLateMoneyGoesBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	p := h.begin(o, payment.Alipay)
	h.tap(p)
	if _, err := h.orders.Cancel(h.dealer, h.id, o.ID); err != nil {
		t.Fatal(err)
	}
	h.tell(payment.Alipay, h.notice(p))
	list, err := h.pay.Refunds(h.finance, 10)
	if err != nil || len(list) != 1 || list[0].Cause != payment.LatePayment {
		t.Fatalf("%+v %v", list, err)
	}
	if _, err := h.pay.Approve(h.finance, h.id, list[0].ID); err != nil {
		t.Fatal(err)
	}
	h.expect(o.ID, order.Cancelled)
	if in, out := h.psp.Statement(merchant); in != 20000 || out != 20000 {
		t.Errorf("in %d, out %d", in, out)
	}
	h.books()
}

// The refusing gateway says no: finance sees it and may try again.
type refusing struct {
	payment.Gateway
	no *bool
}

func (r refusing) Refund(ctx context.Context, a payment.Attempt, x payment.Refunding) (payment.RefundState, error) {
	if *r.no {
		return payment.RefundFailed, nil
	}
	return r.Gateway.Refund(ctx, a, x)
}

func TestGatewayRefusesARefund(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.paidOrder()
	no := true
	h.gateways = gatewayOf(refusing{h.psp.Gateway(payment.Alipay, merchant, ""), &no})
	r := h.request(h.dealer, o)
	if r, err := h.pay.Approve(h.finance, h.id, r.ID); err != nil || r.State != payment.RefundRefused {
		t.Fatalf("%+v %v", r, err)
	}
	h.expect(o.ID, order.Refunding)
	no = false
	if r, err := h.pay.Approve(h.finance, h.id, r.ID); err != nil || r.State != payment.RefundPaid {
		t.Fatalf("%+v %v", r, err)
	}
	h.expect(o.ID, order.Refunded)
	h.books()
}
