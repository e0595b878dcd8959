package payment_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"certsaas/core/payment"
	"certsaas/core/tenant"
	"certsaas/tenants"
)

// The guides' ways to pay, as their packs declare them.
//
// req: B47 B48 B49 B53 K37
func TestWaysToPayOfTheGuides(t *testing.T) {
	t.Parallel()
	want := map[string][]string{
		"byd":      {payment.Alipay, payment.WeChat, payment.BankTransfer},
		"kinglong": {payment.Alipay},
	}
	for slug, methods := range want {
		def, ps := tenant.Load(tenants.Base(), tenants.Pack(slug))
		if len(ps) > 0 {
			t.Fatalf("%s: %v", slug, ps)
		}
		tn, ps := tenant.Compile(def)
		if len(ps) > 0 {
			t.Fatalf("%s: %v", slug, ps)
		}
		for _, p := range tn.Products() {
			if d := cmp.Diff(methods, p.Payment.Methods); d != "" {
				t.Errorf("%s %s: %s", slug, p.Code, d)
			}
			if _, ok := tn.Bank(p.Payment.Bank); slug == "byd" && (!ok || !p.Payment.PayLater) {
				t.Errorf("%s %s: no account to transfer to, or no 稍后支付", slug, p.Code)
			}
		}
	}
}
