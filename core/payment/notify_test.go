package payment_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"

	"certsaas/core/coretest"
	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/payment/demopay"
)

// req: B46 B48 B52 K30 K37
func TestPaidByScanning(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	h.expect(o.ID, order.AwaitingPayment)
	p := h.begin(o, payment.Alipay)
	if p.State != payment.Pending || p.Code == "" || p.AmountFen != 20000 || len(p.OutTradeNo) > 32 {
		t.Errorf("%+v", p)
	}
	code, _ := h.psp.Code(merchant, p.Channel, p.OutTradeNo)
	if err := h.psp.Pay(code); err != nil {
		t.Fatal(err)
	}
	if n := h.psp.DeliverDue(t.Context()); n != 1 { // over HTTP
		t.Fatalf("delivered %d", n)
	}
	h.expect(o.ID, order.InReview)
	d, err := h.pay.Desk(h.dealer, h.id, o.ID)
	if err != nil || d.Paid == nil || d.Paid.ID != p.ID || d.Attempt != nil {
		t.Errorf("%+v %v", d, err)
	}
	h.books()
}

// P1, the first row of domain §3.4: one order, fifty equal notifications, twenty
// visits of the page, five pollers, five cancellations, all at once.
func TestStormOfOneOrder(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	p := h.begin(o, payment.Alipay)
	h.tap(p)
	body := h.notice(p)
	h.clock.Advance(6e9)
	var wg sync.WaitGroup
	var refused atomic.Int64
	gate := make(chan struct{})
	crowd := func(n int, act func()) {
		for range n {
			wg.Go(func() { <-gate; act() })
		}
	}
	crowd(50, func() {
		if h.tell(payment.Alipay, body) != "success" {
			refused.Add(1)
		}
	})
	crowd(20, func() { _, _ = h.pay.Check(h.dealer, h.id, o.ID) })
	crowd(5, func() { _, _ = h.pay.PollDue(t.Context(), 10) })
	crowd(5, func() { _, _ = h.orders.Cancel(h.dealer, h.id, o.ID) })
	close(gate)
	wg.Wait()
	if n := refused.Load(); n != 0 {
		t.Errorf("%d notifications were not answered success", n)
	}
	paid, cancelled := h.count(`SELECT count(*) FROM order_events WHERE event = 'paid'`), h.count(`SELECT count(*) FROM order_events WHERE event = 'cancel'`)
	refunds := h.count(`SELECT count(*) FROM refunds`)
	if !(paid == 1 && cancelled == 0 && refunds == 0) && !(paid == 0 && cancelled == 1 && refunds == 1) {
		t.Errorf("%d paid, %d cancelled, %d refunds", paid, cancelled, refunds)
	}
	if n := h.count(`SELECT count(*) FROM payments WHERE state = 'paid'`); n != 1 {
		t.Errorf("%d ledger entries", n)
	}
	if n := h.count(`SELECT count(*) FROM payment_events`); n != 50 {
		t.Errorf("%d of 50 notifications stored", n)
	}
	if got := h.tell(payment.Alipay, body); got != "success" { // N times later
		t.Errorf("later duplicate: %q", got)
	}
	h.books()
}

// P2: the notification is there before the answer to our create is stored.
func TestNotificationBeforeCreateIsStored(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	h.hooks.At = func(_ context.Context, at payment.Point) error {
		if at != payment.BeginCreated {
			return nil
		}
		no := h.text(`SELECT out_trade_no FROM payments`)
		h.paid(payment.Payment{Channel: payment.Alipay, OutTradeNo: no})
		return nil
	}
	p := h.begin(o, payment.Alipay)
	if p.State != payment.Paid || !p.Settles || p.Code == "" {
		t.Errorf("%+v", p)
	}
	h.expect(o.ID, order.InReview)
	h.books()
}

// The program dies at each point; the company repeats, or the poller asks.
func TestEveryPointSurvivesACrash(t *testing.T) {
	t.Parallel()
	crash := errors.New("crash")
	for _, point := range []payment.Point{payment.BeginInserted, payment.BeginCreated, payment.NotifyStored, payment.NotifyVerified,
		payment.SettleLocked, payment.SettleWritten, payment.NotifyDone} {
		t.Run(string(point), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			o := h.place("PAYFIRST")
			var once sync.Once
			h.hooks.At = func(_ context.Context, at payment.Point) (err error) {
				if at == point {
					once.Do(func() { err = crash })
				}
				return err
			}
			p, err := h.pay.Begin(h.dealer, h.id, o.ID, payment.Alipay)
			if err != nil {
				p = h.begin(o, payment.Alipay)
			}
			if n := h.count(`SELECT count(*) FROM payments`); n != 1 {
				t.Errorf("%d attempts", n)
			}
			h.tap(p)
			body := h.notice(p)
			first := h.tell(payment.Alipay, body)
			if strings.HasPrefix(string(point), "begin") != (first == "success") {
				t.Errorf("first answer %q", first)
			}
			if got := h.tell(payment.Alipay, body); got != "success" {
				t.Errorf("second answer %q", got)
			}
			h.expect(o.ID, order.InReview)
			h.books()
		})
	}
}

// forge signs values as the payment company does, with any key.
func forge(t *testing.T, key *rsa.PrivateKey, v url.Values) []byte {
	t.Helper()
	var pairs []string
	for k := range v {
		if k != "sign" {
			pairs = append(pairs, k+"="+v.Get(k))
		}
	}
	slices.Sort(pairs)
	sum := sha256.Sum256([]byte(strings.Join(pairs, "&")))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	v.Set("sign", base64.StdEncoding.EncodeToString(sig))
	return []byte(v.Encode())
}

// P3: forged, foreign and mangled notifications change nothing, are never
// answered success, and every one is stored and audited.
func TestForgedNotifications(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	p := h.begin(o, payment.Alipay)
	h.tap(p)
	good := h.notice(p)
	values := func(change func(url.Values)) url.Values {
		v, _ := url.ParseQuery(string(good))
		change(v)
		return v
	}
	real, stranger := demoPrivateKey(t), must(rsa.GenerateKey(rand.Reader, 2048))
	set := func(k, s string) url.Values { return values(func(v url.Values) { v.Set(k, s) }) }
	swap := func(old, new string) []byte { return []byte(strings.Replace(string(good), old, new, 1)) }
	cases := map[string]struct {
		body    []byte
		verdict string
	}{
		"other key":           {forge(t, stranger, values(func(url.Values) {})), "bad_signature"},
		"amount +1, unsigned": {swap("amount_fen=20000", "amount_fen=20001"), "bad_signature"},
		"amount −1, unsigned": {swap("amount_fen=20000", "amount_fen=19999"), "bad_signature"},
		"amount +1, signed":   {forge(t, real, set("amount_fen", "20001")), "wrong_amount"},
		"amount −1, signed":   {forge(t, real, set("amount_fen", "19999")), "wrong_amount"},
		"currency":            {forge(t, real, set("currency", "USD")), "wrong_currency"},
		"payee":               {forge(t, real, set("merchant", "M-OTHER")), "wrong_payee"},
		"channel":             {forge(t, real, set("channel", "wechat")), "wrong_app"},
		"unknown order":       {forge(t, real, set("out_trade_no", "ffffffffffffffffffffffffffffffff")), "unknown_attempt"},
		"no number":           {forge(t, real, set("out_trade_no", "")), "unknown_attempt"},
		"amount no number":    {forge(t, real, set("amount_fen", "2e4")), "malformed"},
		"one more space":      {swap("trade_no=", "trade_no=+"), "bad_signature"},
		"parameter added":     {append(bytes.Clone(good), "&x=1"...), "bad_signature"},
		"parameter twice":     {append(bytes.Clone(good), "&amount_fen=20000"...), "malformed"},
		"signature cut":       {swap("sign=", "sign=A"), "bad_signature"},
		"no signature":        {[]byte(values(func(v url.Values) { v.Del("sign") }).Encode()), "bad_signature"},
		"no form":             {[]byte("%zz"), "malformed"},
		"empty":               {nil, "bad_signature"},
		"1 MB":                {bytes.Repeat([]byte("a"), 1<<20), "too_large"},
		"NUL bytes":           {append(bytes.Clone(good), 0, 0xff, 0xfe), "bad_signature"},
	}
	for name, c := range cases {
		for range 2 {
			if got := h.tell(payment.Alipay, c.body); got != "fail" {
				t.Errorf("%s was answered %q", name, got)
			}
			if got := h.text(`SELECT verdict FROM payment_events ORDER BY id DESC LIMIT 1`); got != c.verdict {
				t.Errorf("%s: verdict %s, want %s", name, got, c.verdict)
			}
		}
	}
	h.expect(o.ID, order.AwaitingPayment)
	if n := h.count(`SELECT count(*) FROM payment_events`); n != 2*len(cases) {
		t.Errorf("%d of %d stored", n, 2*len(cases))
	}
	if n := h.count(`SELECT count(*) FROM audit_entries WHERE action = 'payment.notification' AND outcome = 'denied'`); n != 2*len(cases) {
		t.Errorf("%d of %d audited", n, 2*len(cases))
	}
	if n := h.count(`SELECT count(*) FROM payments WHERE state <> 'pending'`); n != 0 {
		t.Errorf("%d attempts changed", n)
	}
	if reply, status := h.pay.HandleNotification(t.Context(), h.id, "cash", nil, good); reply != "" || status != 404 {
		t.Errorf("unknown channel: %q %d", reply, status)
	}
	if got := h.tell(payment.Alipay, good); got != "success" {
		t.Errorf("the true one: %q", got)
	}
	h.expect(o.ID, order.InReview)
}

// Raw notifications are personal data: sealed at rest, and readable again.
func TestNotificationsAreSealed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	p := h.begin(h.place("PAYFIRST"), payment.Alipay)
	h.paid(p)
	if n := h.count(`SELECT count(*) FROM payment_events WHERE position(convert_to('out_trade_no', 'UTF8') in body_sealed) > 0`); n != 0 {
		t.Error("a notification lies open")
	}
	if got := h.text(`SELECT verdict FROM payment_events`); got != "accepted" {
		t.Errorf("verdict %s", got)
	}
}

// A refund notice is no payment, whatever its status says, and one that comes
// before the payment's own makes us ask.
func TestRefundNoticeIsNoPayment(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	p := h.begin(o, payment.Alipay)
	code := h.tap(p)
	g := h.psp.Gateway(payment.Alipay, merchant, "")
	if s, err := g.Refund(t.Context(), payment.Attempt{OutTradeNo: p.OutTradeNo}, payment.Refunding{OutRefundNo: "X", AmountFen: 20000}); err != nil || s != payment.RefundDone {
		t.Fatal(s, err)
	}
	body := must(h.psp.Notification(code))
	if got := h.tell(payment.Alipay, []byte(body)); got != "success" {
		t.Errorf("answer %q", got)
	}
	h.expect(o.ID, order.AwaitingPayment)
	if got := h.text(`SELECT verdict FROM payment_events`); got != "refund_notice" {
		t.Errorf("verdict %s", got)
	}
	if rep, err := h.pay.PollDue(t.Context(), 10); err != nil || rep.Asked != 1 {
		t.Fatalf("%+v %v", rep, err)
	}
	h.expect(o.ID, order.AwaitingPayment) // the money is gone again: the order is not paid
	if got := h.text(`SELECT cause FROM refunds`); got != string(payment.RefundedOutside) {
		t.Errorf("cause %s", got)
	}
	h.invariants()
}

// Money after the end: recorded, and proposed for refund or the order opened again (domain §3.4, P4).
func TestMoneyAfterTheEnd(t *testing.T) {
	t.Parallel()
	lapse := func(h *house, o order.Order) {
		h.clock.Advance(16 * 24 * 3600e9)
		if n, err := h.orders.LapseDue(t.Context(), 10); err != nil || n != 1 {
			h.t.Fatal(n, err)
		}
		h.expect(o.ID, order.Lapsed)
	}
	cases := map[string]struct {
		end     func(h *house, o order.Order)
		want    order.State
		refunds int
	}{
		"attempt closed here": {func(h *house, o order.Order) {
			coretest.OwnerExec(h.t, h.db, `UPDATE payments SET state = 'closed', closed_at = now()`)
		}, order.InReview, 0},
		"cancelled": {func(h *house, o order.Order) {
			if _, err := h.orders.Cancel(h.dealer, h.id, o.ID); err != nil {
				h.t.Fatal(err)
			}
		}, order.Cancelled, 1},
		"lapsed":          {lapse, order.InReview, 0},
		"lapsed long ago": {func(h *house, o order.Order) { lapse(h, o); h.clock.Advance(31 * 24 * 3600e9) }, order.Lapsed, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			o := h.place("PAYFIRST")
			p := h.begin(o, payment.Alipay)
			h.tap(p)
			body := h.notice(p)
			c.end(h, o)
			for range 3 {
				if got := h.tell(payment.Alipay, body); got != "success" {
					t.Errorf("answer %q", got)
				}
			}
			h.expect(o.ID, c.want)
			if n := h.count(`SELECT count(*) FROM refunds WHERE state = 'proposed' AND cause = 'late_payment'`); n != c.refunds {
				t.Errorf("%d refunds proposed, want %d", n, c.refunds)
			}
			if n := h.count(`SELECT count(*) FROM outbox WHERE kind = 'payment.refund_proposed'`); n != c.refunds {
				t.Errorf("%d events", n)
			}
			h.books()
		})
	}
}

// P8: steps cannot be skipped; nothing to pay means no attempt at all.
func TestStepsCannotBeSkipped(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	begin := func(ctx context.Context, o order.Order, channel string) error {
		_, err := h.pay.Begin(ctx, h.id, o.ID, channel)
		return err
	}
	later, free, first := h.place("PAYLATER"), h.place("PAYFREE"), h.place("PAYFIRST")
	h.expect(later.ID, order.InReview)
	h.expect(free.ID, order.InReview)
	for name, c := range map[string]struct {
		err  error
		want fault.Kind
	}{
		"pay before review":       {begin(h.dealer, later, payment.Alipay), fault.Conflict},
		"enterprise pays":         {begin(h.dealer, free, payment.Alipay), fault.Conflict},
		"another dealer's order":  {begin(h.stranger, first, payment.Alipay), fault.NotFound},
		"nobody":                  {begin(t.Context(), first, payment.Alipay), fault.Unauthenticated},
		"staff":                   {begin(h.finance, first, payment.Alipay), fault.Denied},
		"bank transfer as a code": {begin(h.dealer, first, payment.BankTransfer), fault.Invalid},
		"unknown channel":         {begin(h.dealer, first, "cash"), fault.Unavailable},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v, want %s", name, c.err, c.want)
		}
	}
	if n := h.count(`SELECT count(*) FROM payments`); n != 0 {
		t.Errorf("%d attempts", n)
	}
	h.paid(h.begin(first, payment.Alipay))
	if err := begin(h.dealer, first, payment.Alipay); !errors.Is(err, fault.Conflict) {
		t.Errorf("pay again: %v", err)
	}
	d, err := h.pay.Desk(h.dealer, h.id, free.ID)
	if err != nil || len(d.Methods) != 0 {
		t.Errorf("nothing to pay: %+v %v", d.Methods, err)
	}
}

func demoPrivateKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	block, _ := pem.Decode(demoKey())
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A notification for an order of this tenant, posted to another tenant's
// address, finds nothing there (domain §3.4).
func TestNotificationAtAnotherTenant(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	p := h.begin(o, payment.Alipay)
	h.tap(p)
	h.gateways = gatewayOf(h.psp.Gateway(payment.Alipay, merchant, ""))
	reply, _ := h.pay.HandleNotification(t.Context(), uuid.MustParse("0192f0c0-0000-7000-8000-000000000009"), payment.Alipay, nil, h.notice(p))
	if reply != "fail" {
		t.Errorf("answer %q", reply)
	}
	if got := h.text(`SELECT verdict FROM payment_events`); got != "unknown_attempt" {
		t.Errorf("verdict %s", got)
	}
	h.expect(o.ID, order.AwaitingPayment)
}

func TestMessagesAreInEveryLanguage(t *testing.T) {
	t.Parallel()
	for _, fsys := range []fs.FS{payment.Messages, demopay.Messages} {
		for _, flaw := range i18n.Lint(fsys) {
			t.Error(flaw)
		}
	}
}
