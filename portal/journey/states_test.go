package journey

import (
	"strings"
	"testing"

	"certsaas/core/coretest/program"
	"certsaas/core/coretest/program/chromium"
)

// longCompany is as long as companies' names get.
const longCompany = "演示新能源汽车销售服务与售后保障（深圳前海）股份有限公司坪山店"

// TestStates photographs what a new dealer meets where nothing goes on as planned: lists with nothing in them, a form that comes
// back, a login that ended, an order of several keys that he cancels, money that he asks back.
func TestStates(t *testing.T) {
	t.Parallel()
	w, mobile := visit(t), "13800138091"
	tab := w.person(chromium.Desktop)
	tab.Open(w.URL("byd", "/s/byd-gqgx"))
	w.registerBYD(tab, mobile)
	for name, path := range map[string]string{"orders-empty": "/orders", "orders-unknown": "/orders?tab=all&q=BYD20260101000001", "certificates-empty": "/certificates",
		"order-unknown": "/orders/0191b3f0-0000-7000-8000-000000000000"} {
		tab.Open(w.URL("byd", path)).Shot("byd-" + name)
	}
	w.brokenForm(tab)
	tab.Open(w.URL("byd", "/login")).Fill("mobile", mobile, "password", bydPassword).PressIn("main form", "登录").At("^/$|^/orders|^/s/")

	v := w.NewVisitor(t)
	v.Open(w.URL("byd", "/login")).Form("password").Set("mobile", mobile).Set("password", bydPassword).Press("登录")
	w.plainBYD(v, mobile, longCompany, "5")
	tab.Open(v.URL.String()).See("¥1,000.00").Shot("byd-pay-many")
	tab.Open(strings.TrimSuffix(v.URL.String(), "/pay")).Shot("byd-order-unpaid")
	tab.Press("取消订单").See("不能恢复").Shot("byd-order-cancel")
	tab.PressIn("dialog", "取消订单").See("订单已取消").Shot("byd-order-cancelled")
	w.plainBYD(v, mobile, payerCompany, "1")
	v.Form("channel").Set("channel", "wechat").Press("确认付款")
	w.payPlain(v)
	tab.Open(v.Follow("查看订单状态").URL.String()).Press("申请退款").See("退款原因").Shot("byd-refund")
	tab.Type("reason", "企业已不再经营，不需要更新").Press("提交退款申请").See("退款处理中").Shot("byd-refunding")
	tab.Open(w.URL("byd", "/orders")).See(longCompany, "退款中", "已取消", "继续填写").Shot("byd-orders-several")
}

// brokenForm begins an order, sends it empty, goes away and comes back, and loses the login in the middle.
func (w town) brokenForm(tab *chromium.Tab) {
	w.t.Helper()
	tab.Open(w.URL("byd", "/s/byd-gqgx")).Press("立即办理").At("/fill/form")
	tab.Shot("byd-form-new")
	form := tab.Eval("location.href")
	tab.Type("org_name", longCompany).PressIn("aside", "下一步").Await("what is missing", `document.querySelector("[data-error-summary]")`).Shot("byd-form-errors")
	tab.Open(w.URL("byd", "/s/byd-gqgx")).See("您有一张未提交的订单").Shot("byd-entry-resume")
	tab.Open(form)
	beside := tab.NewTab(chromium.Desktop)
	beside.Open(w.URL("byd", "/orders")).Press("退出").At("^/$") // closed before, it might take the press along
	beside.Close()
	tab.PressIn("aside", "下一步").See("登录已过期", "登录后继续提交").Shot("byd-login-ended")
}

// plainBYD fills an order in without scripts, as far as the payment.
func (w town) plainBYD(v *program.Visitor, mobile, company, quantity string) {
	w.t.Helper()
	v.Open(w.URL("byd", "/s/byd-gqgx")).Form("product").Press("")
	v.Form("org_name").SetAll(map[string]string{
		"eligible": "yes", "quantity": quantity, "org_nature": "company", "org_name": company, "industry": "auto_sales", "agent_name": "赵演示", "email": "states@example.com",
		"landline": "010-50947500", "post": "manager", "dealer_code": "2234567890", "carrier": "sf", "ship_name": "赵演示", "ship_mobile": mobile,
		"ship_province": "广东省", "ship_city": "广州市", "ship_county": "天河区", "ship_street": "演示路 9 号",
	}).Press("下一步").Sees("实名认证授权书")
	f := v.Form("merged").Set("merged", "yes").Set("uscc", payerUSCC)
	f.Attach("licence_image_file", program.File{Name: "licence.jpg", Data: program.Picture(w.t, company)})
	pdf := w.letter(f, v, v.URL.String())
	v.Form("merged").Attach("letter_file", program.File{Name: "letter.jpg", Data: program.Stamp(w.t, pdf)}).Press("提交信息").Sees("支付宝")
}
