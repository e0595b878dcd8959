package alipay_test

import (
	"net/http"
	"net/url"
	"testing"

	"certsaas/core/payment"
	"certsaas/core/payment/alipay"
)

// FuzzNotification reads what anybody may post as a notification, and the same as if Alipay had signed it: nothing unsigned is believed, and
// what is believed is of our app and a whole, positive amount.
func FuzzNotification(f *testing.F) {
	g := gateway(f, &fake{})
	f.Add(paidNotice().Encode())
	for _, c := range [][2]string{{"total_amount", "-1"}, {"total_amount", "1e9"}, {"total_amount", "９9.00"}, {"charset", "GBK"}, {"gmt_payment", "2026-02-30 25:61:00"}, {"app_id", ""}, {"refund_fee", "1"}} {
		v := paidNotice()
		v.Set(c[0], c[1])
		f.Add(v.Encode())
	}
	f.Add("%zz&=&a;b&sign=")
	f.Fuzz(func(t *testing.T, body string) {
		if n, err := g.ParseNotification(t.Context(), http.Header{}, []byte(body)); err == nil {
			t.Fatalf("believed without a signature: %+v", n)
		}
		v, err := url.ParseQuery(body)
		if err != nil {
			return
		}
		v.Set("sign_type", "RSA2")
		n, err := g.ParseNotification(t.Context(), http.Header{}, signed(t, v, theirs()))
		if err != nil {
			return
		}
		if v.Get("app_id") != "2026000000000001" || n.AmountFen < 0 || alipay.Yuan(n.AmountFen) == "" || n.Kind == payment.NotePaid && v.Get("refund_fee") != "" {
			t.Fatalf("believed: %+v of %v", n, v)
		}
	})
}
