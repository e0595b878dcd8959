package journey

import (
	"strings"
	"testing"
	"time"

	"certsaas/core/coretest/program"
	"certsaas/core/coretest/program/chromium"
)

const (
	payerMobile  = "13800138021"
	payerCompany = "演示汽车服务（广州）有限公司"
	payerUSCC    = "91350100M000100Y43"
)

// TestBYDTransfer registers a dealer who leaves payment for later, then pays by bank transfer; finance compares the voucher
// with the bank's statement.
func TestBYDTransfer(t *testing.T) {
	t.Parallel()
	w := visit(t)
	dealer := w.person(chromium.Desktop)
	dealer.Open(w.URL("byd", "/s/byd-gqgx"))
	w.registerBYD(dealer, payerMobile)
	w.beginBYD(dealer)
	w.fillBYD(dealer, payerMobile)
	w.quickProof(dealer, payerUSCC)
	dealer.Press("稍后支付").At("^/orders$").See("待支付") // req: B53
	dealer.PressIn("main table tbody", "去支付").At("/pay$")
	dealer.Press("银行汇款").At("/pay/transfer$")
	dealer.See("北京天威诚信", "账号", "开户银行", "附言") // req: B49
	dealer.Shot("byd-transfer")
	w.voucher(dealer, "150.00")
	number := w.number(dealer.At("^/orders/[0-9a-f-]+$"))
	since := now()
	w.refuseVoucher(number, "汇款金额与订单不符")
	w.AwaitMessage(t, payerMobile, since, func(m program.Message) bool { return strings.Contains(m.Text, "汇款金额与订单不符") }) // req: B50
	dealer.Reload().Press("去支付").At("/pay").See("上次提交的凭证被退回")
	dealer.Open(dealer.Eval(`location.origin + location.pathname.replace(/\/transfer$/, "") + "/transfer"`))
	w.voucher(dealer, "200.00")
	w.confirmVoucher(number, "200.00")
	dealer.Open(w.URL("byd", "/orders")).See(number, "审核中") // req: B52
}

// quickProof does the identity page without detours.
func (w town) quickProof(tab *chromium.Tab, uscc string) {
	w.t.Helper()
	tab.Choose("merged", "yes").Type("uscc", uscc)
	w.byPhone(tab, "licence_image", program.Picture(w.t, payerCompany+" 营业执照")) // req: B36
	letter := w.read(tab.Download(func() { tab.Press("下载授权书 PDF") }))
	tab.Upload("letter", w.save("letter.jpeg", program.Stamp(w.t, letter)))
	tab.PressIn("aside", "提交信息").At("/pay$")
}

// voucher fills in what the bank's receipt says, with its picture.
func (w town) voucher(tab *chromium.Tab, amount string) {
	w.t.Helper()
	if said := tab.Refused("file", w.save("receipt.bmp", []byte("BM"))); !strings.Contains(said, "JPG") {
		w.t.Errorf("a BMP: %q", said) // req: B51
	}
	tab.Upload("file", w.save("receipt.jpg", program.Receipt(w.t, "银行电子回单 演示 "+amount))) // req: B51
	tab.Fill("payer_name", bydCompany, "payer_last4", "2345", "amount", amount,
		"transferred_on", time.Now().In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly)) // req: B50
	tab.Shot("byd-voucher")
	tab.Press("提交凭证").At("/paid$").See("等待审核").Press("查看订单") // req: B52
}

// refuseVoucher sends a voucher back, without scripts.
func (w town) refuseVoucher(number, reason string) {
	w.t.Helper()
	w.desk("finance", func(v *program.Visitor) {
		v.Await(w.URL("console", "/vouchers"), number).Follow(number)
		v.Form("reason").Set("reason", reason).Press("退回凭证").Sees("凭证已退回")
	})
}

// confirmVoucher finds the money on the bank's statement.
func (w town) confirmVoucher(number, amount string) {
	w.t.Helper()
	w.desk("finance", func(v *program.Visitor) {
		v.Await(w.URL("console", "/vouchers"), number).Follow(number).Sees("200.00")
		v.Form("bank_txn_id").Set("bank_txn_id", "DEMO-"+number).Set("received", amount).Press("确认到账").Sees("已确认到账")
	})
}
