package portal_test

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	"certsaas/core/coretest"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/platform/platformtest"
	"certsaas/core/tenant"
	"certsaas/portal"
	"certsaas/portal/aftertext"
	"certsaas/portal/renewtext"
)

// TestPaymentArrivesWhileThePageIsMade (issue 3, money): a notification that is taken at any point between the page's reads never
// leaves a page that asks for the payment again. Each point is stood at by a hook; what comes after the last read finds a page
// that looks again by itself.
func TestPaymentArrivesWhileThePageIsMade(t *testing.T) {
	t.Parallel()
	var arrive func(payment.Point)
	inner := platformtest.New(t, portal.Messages, aftertext.Messages, renewtext.Messages)
	inner.Payments = payment.New(payment.Deps{DB: inner.DB, Vault: inner.Vault, Orders: inner.Orders, Authz: inner.Authz, Gateways: inner.Gateways,
		NotifyURL: func(t *tenant.Tenant, channel string) string { return inner.Sites.Portal(t) + "/notify/" + channel },
		Hooks: &payment.Hooks{At: func(_ context.Context, p payment.Point) error {
			if arrive != nil {
				arrive(p)
			}
			return nil
		}}})
	w := openPortal(t, inner)
	b, p, o := unpaid(t, w)
	p = b.follow(b.submit(p, "form#pay", "next", map[string]string{"channel": "alipay"}))
	if p.Find("[data-poll]").Length() != 1 || !bytes.Contains(p.Body, []byte(`<noscript><meta http-equiv="refresh"`)) {
		t.Error("a page with a code does not look again by itself, with and without scripts")
	}
	code := w.trade(o)
	w.pay(o)
	note, err := w.DemoPay.Notification(code)
	if err != nil {
		t.Fatal(err)
	}
	paid := func(p payment.Point) func(payment.Point) {
		return func(at payment.Point) {
			if at != p {
				return
			}
			arrive = nil
			if said, status := w.Payments.HandleNotification(w.system("test/notify"), o.Tenant, "alipay", http.Header{}, []byte(note)); status != 200 {
				t.Fatalf("%s: %d %s", p, status, said)
			}
		}
	}
	for _, point := range []payment.Point{payment.DeskAsked, payment.DeskRead} {
		for _, path := range []string{"/pay", "/pay/status", "/paid", "/pay/transfer"} {
			w.unsettle(o)
			equal(t, "before", order.AwaitingPayment, w.current(o).State)
			arrive = paid(point)
			got := b.get("/orders/" + o.ID.String() + path)
			if arrive != nil {
				t.Fatalf("%s%s passes no %s", o.Number, path, point)
			}
			equal(t, "after", order.InReview, w.current(o).State)
			want := map[string]any{"/pay": 303, "/pay/status": 204, "/paid": 200, "/pay/transfer": 303}[path]
			equal(t, path+" at "+string(point), want, got.Status)
			to := got.Header.Get("Location") + got.Header.Get("X-Location")
			if path != "/paid" {
				equal(t, path+" at "+string(point)+" leads to", "/orders/"+o.ID.String()+"/paid", to)
				continue
			}
			got.has("h1", "提交成功")
		}
	}
}

// unsettle makes a paid order as it was before its money came, so that the same notification may come again.
func (w *world) unsettle(o order.Order) {
	w.T.Helper()
	for _, sql := range []string{
		`DELETE FROM payment_events WHERE $1 <> ''`,
		`UPDATE payments SET state = 'pending', settles = false, trade_no = NULL, paid_at = NULL WHERE order_id::text = $1`,
		`UPDATE orders SET state = 'awaiting_payment', paid_at = NULL, qualified_at = NULL, due_at = NULL WHERE id::text = $1`,
	} {
		coretest.OwnerExec(w.T, w.DB, sql, o.ID.String())
	}
}
