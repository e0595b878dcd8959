package payment_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"certsaas/core/coretest"
	"certsaas/core/fault"
	"certsaas/core/order"
	"certsaas/core/payment"
)

// P7 for our part: many taps at once are one attempt with one code.
func TestManyTapsAreOneAttempt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	var mu sync.Mutex
	codes := map[string]int{}
	var wg sync.WaitGroup
	for range 30 {
		wg.Go(func() {
			p, err := h.pay.Begin(h.dealer, h.id, o.ID, payment.WeChat)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			codes[p.OutTradeNo+p.Code]++
		})
	}
	wg.Wait()
	if len(codes) != 1 || h.count(`SELECT count(*) FROM payments`) != 1 {
		t.Errorf("%d codes, %d attempts", len(codes), h.count(`SELECT count(*) FROM payments`))
	}
}

// The gateway is away on create: the next try goes on with the same number (domain §3.4).
func TestCreateIsRepeatedUnderTheSameNumber(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	h.psp.Fail(1)
	if _, err := h.pay.Begin(h.dealer, h.id, o.ID, payment.Alipay); !errors.Is(err, fault.Unavailable) {
		t.Fatalf("%v", err)
	}
	no := h.text(`SELECT out_trade_no FROM payments WHERE state = 'created'`)
	if p := h.begin(o, payment.Alipay); p.OutTradeNo != no {
		t.Errorf("number changed from %s to %s", no, p.OutTradeNo)
	}
}

// Another channel keeps the one order; the older code can no longer be paid.
//
// req: B48
func TestSwitchingChannelClosesTheOlderCode(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	first := h.begin(o, payment.Alipay)
	second := h.begin(o, payment.WeChat)
	code, _ := h.psp.Code(merchant, first.Channel, first.OutTradeNo)
	if err := h.psp.Pay(code); err == nil {
		t.Error("the older code could be paid")
	}
	if got := h.text(`SELECT state FROM payments WHERE id = $1`, first.ID); got != "closed" {
		t.Errorf("older attempt is %s", got)
	}
	h.paid(second)
	h.expect(o.ID, order.InReview)
	h.books()
}

// The older attempt turns out to be paid when it is to be closed: it counts,
// and the new one is never opened.
func TestOlderAttemptWasPaidUnnoticed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	first := h.begin(o, payment.Alipay)
	h.tap(first)
	got, err := h.pay.Begin(h.dealer, h.id, o.ID, payment.WeChat)
	if err != nil || got.ID != first.ID || got.State != payment.Paid {
		t.Fatalf("%+v %v", got, err)
	}
	h.expect(o.ID, order.InReview)
	if n := h.count(`SELECT count(*) FROM payments WHERE channel = 'wechat' AND state = 'closed'`); n != 1 {
		t.Error("the new attempt is open")
	}
	h.books()
}

// P4: two channels are paid. The first wins, the other goes back; once one
// after the other, once both at the same moment.
func TestTwoChannelsPaid(t *testing.T) {
	t.Parallel()
	for _, together := range []bool{false, true} {
		h := newHouse(t)
		o := h.place("PAYFIRST")
		first := h.begin(o, payment.Alipay)
		h.psp.Fail(1) // the close is lost
		second, err := h.pay.Begin(h.dealer, h.id, o.ID, payment.WeChat)
		if err != nil {
			t.Fatal(err)
		}
		h.tap(first)
		h.tap(second)
		tell := func(p payment.Payment, body []byte) {
			if got := h.tell(p.Channel, body); got != "success" {
				t.Errorf("answer %q", got)
			}
		}
		a, b := h.notice(first), h.notice(second)
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() { tell(first, a) })
			if !together {
				wg.Wait()
			}
			wg.Go(func() { tell(second, b) })
		}
		wg.Wait()
		h.expect(o.ID, order.InReview)
		if n := h.count(`SELECT count(*) FROM payments WHERE settles`); n != 1 {
			t.Errorf("%d attempts settle", n)
		}
		if n := h.count(`SELECT count(*) FROM refunds WHERE cause = 'double_payment' AND state = 'proposed'`); n != 1 {
			t.Errorf("%d refunds", n)
		}
		h.books()
	}
}

// While the gateway answers the create, the payer has chosen another channel.
func TestOvertakenCreateIsClosed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	var other payment.Payment
	var began atomic.Bool
	h.hooks.At = func(_ context.Context, at payment.Point) error {
		if at == payment.BeginInserted && began.CompareAndSwap(false, true) {
			other = h.begin(o, payment.WeChat)
		}
		return nil
	}
	if _, err := h.pay.Begin(h.dealer, h.id, o.ID, payment.Alipay); !errors.Is(err, fault.Conflict) {
		t.Fatalf("%v", err)
	}
	if no := h.text(`SELECT out_trade_no FROM payments WHERE channel = 'alipay'`); no != "" {
		code, _ := h.psp.Code(merchant, payment.Alipay, no)
		if err := h.psp.Pay(code); err == nil {
			t.Error("the overtaken code could be paid")
		}
	}
	h.paid(other)
	h.expect(o.ID, order.InReview)
}

// An attempt keeps its own amount, whatever happens to the price (domain §3.4).
func TestAmountIsFrozenPerAttempt(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	p := h.begin(o, payment.Alipay)
	coretest.OwnerExec(t, h.db, `UPDATE orders SET total_fen = 19000 WHERE id = $1`, o.ID)
	h.paid(p)
	h.expect(o.ID, order.InReview)
	h.books()
}

// A code near its end is not offered again.
func TestOldCodeIsNotOfferedAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	p := h.begin(o, payment.Alipay)
	h.clock.Advance(20 * 60e9)
	if again := h.begin(o, payment.Alipay); again.ID != p.ID {
		t.Error("a live code was not offered again")
	}
	h.clock.Advance(9*60e9 + 30e9)
	if again := h.begin(o, payment.Alipay); again.ID == p.ID {
		t.Error("a code of thirty seconds was offered")
	}
}

// 我已支付: the browser's word is no payment, the gateway's is.
func TestCheckAsksTheGateway(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	p := h.begin(o, payment.Alipay)
	d, err := h.pay.Check(h.dealer, h.id, o.ID)
	if err != nil || d.Paid != nil || d.Attempt == nil || d.Attempt.Code != p.Code {
		t.Errorf("before: %+v %v", d, err)
	}
	h.tap(p)
	h.psp.Fail(1)
	if _, err := h.pay.Check(h.dealer, h.id, o.ID); !errors.Is(err, fault.Unavailable) {
		t.Errorf("gateway away: %v", err)
	}
	h.expect(o.ID, order.AwaitingPayment)
	if d, err = h.pay.Check(h.dealer, h.id, o.ID); err != nil || d.Paid == nil {
		t.Errorf("after: %+v %v", d, err)
	}
	h.expect(o.ID, order.InReview)
	if _, err := h.pay.Check(h.stranger, h.id, o.ID); !errors.Is(err, fault.NotFound) {
		t.Errorf("another dealer: %v", err)
	}
	h.books()
}

// 稍后支付: the order is kept and paid later from the order centre.
//
// req: B47 B53
func TestPayLater(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	d, err := h.pay.Desk(h.dealer, h.id, o.ID)
	if err != nil || !d.PayLater || len(d.Methods) != 3 || d.Reference != o.Number {
		t.Errorf("%+v %v", d, err)
	}
	h.clock.Advance(14 * 24 * 3600e9)
	if n, err := h.orders.LapseDue(t.Context(), 10); err != nil || n != 0 {
		t.Fatal(n, err)
	}
	h.paid(h.begin(o, payment.WeChat))
	h.expect(o.ID, order.InReview)
}
