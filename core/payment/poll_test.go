package payment_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"certsaas/core/order"
	"certsaas/core/payment"
)

// P5: every notification is lost; the poller finds all payments.
func TestPollerFindsLostNotifications(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.psp.DropNotifications(true)
	var orders []order.Order
	for range 12 {
		o := h.place("PAYFIRST")
		h.tap(h.begin(o, payment.Alipay))
		orders = append(orders, o)
	}
	h.clock.Advance(5 * time.Second)
	var wg sync.WaitGroup
	var asked, paid atomic.Int64
	for range 4 { // pollers at once share the work
		wg.Go(func() {
			rep, err := h.pay.PollDue(t.Context(), 5)
			if err != nil {
				t.Error(err)
			}
			asked.Add(int64(rep.Asked))
			paid.Add(int64(rep.Paid))
		})
	}
	wg.Wait()
	if asked.Load() != 12 || paid.Load() != 12 {
		t.Errorf("asked %d, paid %d", asked.Load(), paid.Load())
	}
	for _, o := range orders {
		h.expect(o.ID, order.InReview)
	}
	if rep, err := h.pay.PollDue(t.Context(), 50); err != nil || rep.Asked != 0 {
		t.Errorf("paid attempts are asked about: %+v %v", rep, err)
	}
	h.books()
}

// The schedule of domain §3.4, ending half an hour after the attempt's end.
func TestPollSchedule(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	p := h.begin(o, payment.Alipay)
	var asked []int
	for s := 0; s <= 4*3600; s += 5 {
		h.clock.Set(start.Add(time.Duration(s) * time.Second))
		rep, err := h.pay.PollDue(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		if rep.Asked > 0 {
			asked = append(asked, s)
		}
	}
	want := []int{5, 20, 50, 110, 230, 530, 1130, 1730, 2330, 2930, 3530, 4130}
	if d := cmp.Diff(want, asked); d != "" {
		t.Error(d)
	}
	if got := h.text(`SELECT state FROM payments WHERE next_poll_at IS NULL AND closed_at IS NOT NULL`); got != "closed" {
		t.Errorf("attempt is %s", got)
	}
	code, _ := h.psp.Code(merchant, p.Channel, p.OutTradeNo)
	if err := h.psp.Pay(code); err == nil {
		t.Error("the code could be paid after its end")
	}
	h.expect(o.ID, order.AwaitingPayment)
	h.paid(h.begin(o, payment.Alipay)) // a new code pays the same order
	h.expect(o.ID, order.InReview)
}

// A code of an order that no longer waits for money is closed at the gateway.
func TestPollerClosesUnwantedCodes(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	p := h.begin(o, payment.Alipay)
	if _, err := h.orders.Cancel(h.dealer, h.id, o.ID); err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(5 * time.Second)
	if rep, err := h.pay.PollDue(t.Context(), 10); err != nil || rep.Closed != 1 {
		t.Fatalf("%+v %v", rep, err)
	}
	code, _ := h.psp.Code(merchant, p.Channel, p.OutTradeNo)
	if err := h.psp.Pay(code); err == nil {
		t.Error("the code could be paid")
	}
}

// A gateway that is away loses nothing: the next query finds the payment.
func TestPollerOutlivesAnOutage(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	h.tap(h.begin(o, payment.Alipay))
	h.psp.Fail(3)
	for range 3 {
		h.clock.Advance(time.Minute)
		if rep, err := h.pay.PollDue(t.Context(), 10); err != nil || rep.Failed != 1 {
			t.Fatalf("%+v %v", rep, err)
		}
	}
	h.expect(o.ID, order.AwaitingPayment)
	h.clock.Advance(10 * time.Minute)
	if rep, err := h.pay.PollDue(t.Context(), 10); err != nil || rep.Paid != 1 {
		t.Fatalf("%+v %v", rep, err)
	}
	h.expect(o.ID, order.InReview)
}

// Between the gateway's answer and our lock the notification has settled: one payment.
func TestPollAndNotificationMeet(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	p := h.begin(o, payment.Alipay)
	h.tap(p)
	body := h.notice(p)
	h.hooks.At = func(_ context.Context, at payment.Point) error {
		if at == payment.PollAsked && h.tell(payment.Alipay, body) != "success" {
			t.Error("not acknowledged")
		}
		return nil
	}
	h.clock.Advance(5 * time.Second)
	if rep, err := h.pay.PollDue(t.Context(), 10); err != nil || rep.Paid != 1 {
		t.Errorf("%+v %v", rep, err)
	}
	h.expect(o.ID, order.InReview)
	h.books()
}

// scripted is a gateway that says what a test wants.
type scripted struct {
	payment.Gateway
	note  payment.Notification
	trade payment.Trade
}

func (s *scripted) ParseNotification(context.Context, http.Header, []byte) (payment.Notification, error) {
	return s.note, nil
}

func (s *scripted) Query(context.Context, payment.Attempt) (payment.Trade, error) {
	return s.trade, nil
}

// Closed after paid, and paid after closed: paid is terminal (domain §3.4).
func TestClosedNoticeOutOfOrder(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	sc := &scripted{Gateway: h.psp.Gateway(payment.Alipay, merchant, "")}
	h.gateways = gatewayOf(sc)
	for _, kinds := range [][]payment.NotificationKind{{payment.NotePaid, payment.NoteClosed}, {payment.NoteClosed, payment.NotePaid}} {
		o := h.place("PAYFIRST")
		p := h.begin(o, payment.Alipay)
		for _, kind := range kinds {
			sc.note = payment.Notification{EventID: "E", Kind: kind, OutTradeNo: p.OutTradeNo, TradeNo: "T" + p.OutTradeNo, AmountFen: 20000, Currency: "CNY", Payee: merchant}
			if got := h.tell(payment.Alipay, nil); got != "success" {
				t.Errorf("%s answered %q", kind, got)
			}
		}
		h.expect(o.ID, order.InReview)
		if got := h.text(`SELECT state FROM payments WHERE id = $1`, p.ID); got != "paid" {
			t.Errorf("attempt is %s", got)
		}
	}
	h.invariants()
}

// A gateway whose trade has another amount is not believed.
func TestQueryWithAnotherAmount(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	sc := &scripted{Gateway: h.psp.Gateway(payment.Alipay, merchant, ""), trade: payment.Trade{State: payment.TradePaid, TradeNo: "T", AmountFen: 1}}
	h.gateways = gatewayOf(sc)
	o := h.place("PAYFIRST")
	h.begin(o, payment.Alipay)
	h.clock.Advance(5 * time.Second)
	if rep, err := h.pay.PollDue(t.Context(), 10); err != nil || rep.Failed != 1 {
		t.Errorf("%+v %v", rep, err)
	}
	h.expect(o.ID, order.AwaitingPayment)
	if n := h.count(`SELECT count(*) FROM audit_entries WHERE action = 'payment.mismatch'`); n != 1 {
		t.Errorf("%d alarms", n)
	}
}
