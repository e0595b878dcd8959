package portal_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/order"
	"certsaas/core/review"
)

// staff is a member of the CA's staff with one role.
func (w *world) staff(role string) context.Context {
	return authz.WithPrincipal(w.T.Context(), authz.Principal{Kind: authz.Staff, ID: db.NewID(), Name: "演示" + role, Roles: []string{role}})
}

// current reads an order again.
func (w *world) current(o order.Order) order.Order {
	w.T.Helper()
	t, err := w.Tenants.ByID(w.T.Context(), o.Tenant)
	if err != nil {
		w.T.Fatal(err)
	}
	return w.order(t.Slug(), "/orders/"+o.ID.String())
}

// approve ticks everything and passes an order.
func (w *world) approve(o order.Order) order.Order {
	w.T.Helper()
	o = w.current(o)
	t, err := w.Tenants.At(w.T.Context(), o.Tenant, o.Release)
	if err != nil {
		w.T.Fatal(err)
	}
	item, _ := t.Product(o.Product)
	ticks := map[string]bool{}
	for _, c := range item.Review.Checklist {
		ticks[c.ID] = true
	}
	if o, err = w.Reviews.Decide(w.staff(authz.RoleReviewer), o.Tenant, o.ID, review.Verdict{Version: o.Version, Approve: true, Checklist: ticks}); err != nil {
		w.T.Fatal(err)
	}
	w.Drain()
	return o
}

// unpaid is a BYD order just handed in, on its payment page.
func unpaid(t *testing.T, w *world) (*browser, page, order.Order) {
	t.Helper()
	b, p := complete(t, w)
	return b, b.follow(p), w.order("byd", p.Header.Get("Location"))
}

// trade is the code of the newest attempt of an order at the demonstration's company.
func (w *world) trade(o order.Order) string {
	w.T.Helper()
	d, err := w.Payments.Desk(w.system("test/pay"), o.Tenant, o.ID)
	if err != nil || d.Attempt == nil {
		w.T.Fatalf("no attempt: %v", err)
	}
	return d.Attempt.Code[strings.LastIndex(d.Attempt.Code, "/")+1:]
}

// pay pays at the demonstration's company, which has not told us yet.
func (w *world) pay(o order.Order) {
	w.T.Helper()
	if err := w.DemoPay.Pay(w.trade(o)); err != nil {
		w.T.Fatal(err)
	}
}

// The two ways, the two channels, 确认付款, the code, 我已支付, and the page that says what comes now.
// req: B46 B47 B48 B52 B53
func TestPayByCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p, o := unpaid(t, w)
	p.has(".amount", "¥200.00")
	p.has(".tabs", "在线支付", "银行汇款/转账")
	p.has(`[data-field="channel"]`, "支付宝", "微信支付")
	p.has(".pay-actions .btn-primary", "确认付款")
	p.has(".pay-actions", "稍后支付，进入订单中心")
	equal(t, "later leads to the order centre", "/orders", p.Find(`.pay-actions a`).AttrOr("href", ""))
	p.has(".price", o.Number, "USBKEY 过期更新服务费")

	p = b.follow(b.submit(p, "form#pay", "next", map[string]string{"channel": "alipay"}))
	p.has(".pay-code", "请用支付宝扫一扫付款", "演示支付：不会真的扣款", "我已支付", "换一种支付方式")
	if p.Find(".qr svg path").AttrOr("d", "") == "" {
		t.Error("no code")
	}
	equal(t, "poll", p.Path+"/status", p.Find("[data-poll]").AttrOr("data-poll", ""))
	quiet := b.get(p.Path + "/status")
	equal(t, "nothing new", []any{204, ""}, []any{quiet.Status, quiet.Header.Get("X-Location")})
	not := b.follow(b.submit(p, `form[action$="/check"]`, "next", nil))
	not.has(".notice", "还没有查到这笔付款")

	// another channel: the old code ends, one order all the same
	p = b.open(p.Path + "?choose=1")
	p = b.follow(b.submit(p, "form#pay", "next", map[string]string{"channel": "wechat"}))
	p.has(".pay-code", "请用微信扫一扫付款")

	w.pay(o)
	done := b.submit(p, `form[action$="/check"]`, "next", nil)
	equal(t, "我已支付", "/orders/"+o.ID.String()+"/paid", done.Header.Get("Location"))
	p = b.follow(done)
	p.has("h1", "提交成功，等待审核")
	p.has("main", o.Number, "¥200.00", "微信支付")
	equal(t, "查看订单状态", "/orders/"+o.ID.String(), p.Find(`a.btn:contains("查看订单状态")`).AttrOr("href", ""))
	goes := b.get("/orders/" + o.ID.String() + "/pay/status")
	equal(t, "the page goes on", "/orders/"+o.ID.String()+"/paid", goes.Header.Get("X-Location"))
	b.follow(b.get("/orders/"+o.ID.String()+"/pay")).has("h1", "提交成功")
	equal(t, "state", order.InReview, w.current(o).State)
}

// A code that ended is renewed; a notification alone pays, too; phones are told what to do.
// req: B48
func TestCodeLapsesAndNotificationPays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p, o := unpaid(t, w)
	p = b.follow(b.submit(p, "form#pay", "next", map[string]string{"channel": "alipay"}))
	phone := b.do("GET", p.Path, map[string]string{"User-Agent": "Mozilla/5.0 (Linux; Android 14) Mobile MicroMessenger/8.0"}, nil)
	phone.has(".pay-code", "微信中不能打开支付宝", "在浏览器中打开")
	w.Clock.Shift(3 * time.Hour)
	gone := b.get(p.Path + "/status")
	equal(t, "lapsed", p.Path+"?lapsed=1", gone.Header.Get("X-Location"))
	p = b.open(gone.Header.Get("X-Location"))
	p.has(".notice", "二维码已过期", "重新获取")
	p = b.follow(b.submit(p, "form#pay", "next", map[string]string{"channel": "alipay"}))
	p.has(".pay-code", "请用支付宝扫一扫付款")

	code := w.trade(o)
	w.pay(o)
	note, err := w.DemoPay.Notification(code)
	if err != nil {
		t.Fatal(err)
	}
	machine := w.byd()
	forged := machine.do("POST", "/notify/alipay", map[string]string{"Content-Type": "application/json"}, strings.NewReader(strings.Replace(note, "200", "201", 1)))
	if forged.Status == 200 && strings.Contains(string(forged.Body), "success") {
		t.Errorf("an altered notification is taken: %d %s", forged.Status, forged.Body)
	}
	equal(t, "not by an altered one", order.AwaitingPayment, w.current(o).State)
	for range 2 { // the company repeats itself
		got := machine.do("POST", "/notify/alipay", map[string]string{"Content-Type": "application/json"}, strings.NewReader(note))
		equal(t, "answer", 200, got.Status)
	}
	equal(t, "paid", order.InReview, w.current(o).State)
}

// The account with what to copy, the slip's data and picture, its way through finance, and back with a reason.
// req: B47 B49 B50 B51 B52
func TestPayByTransfer(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p, o := unpaid(t, w)
	p = b.open(p.Find(`.tabs a:contains("银行汇款")`).AttrOr("href", ""))
	p.has("main", "北京天威诚信电子商务服务有限公司", "0200000000000000001", "演示银行", o.Number, "200.00", "内容必须与凭证一致")
	copies := p.Find("[data-copy]").Length()
	equal(t, "things to copy", 5, copies)
	p.has(`[data-field="file"] .limit`, "JPG", "JPEG", "PNG")
	if p.Find(`[data-field="file"] [data-phone]`).Length() != 1 {
		t.Error("no way to take the picture with a phone")
	}

	equal(t, "the payer, until another is named", o.Organisation(), p.value("payer_name"))
	bad := b.submit(p, "form#voucher", "next", map[string]string{"payer_name": "", "payer_last4": "12", "amount": "很多", "transferred_on": "2020-01-01"})
	equal(t, "refused", 422, bad.Status)
	for _, f := range []string{"file", "payer_name", "payer_last4", "amount", "transferred_on"} {
		if bad.errors()[f] == "" {
			t.Errorf("%s: nothing is said: %v", f, bad.errors())
		}
	}
	typed := map[string]string{"payer_name": "演示汽车销售（深圳）有限公司", "payer_last4": "００１２", "amount": "¥２００．00", "transferred_on": "2026-11-30", "remark": o.Number}
	not := b.submit(p, "form#voucher", "next", typed, map[string]file{"file_file": {"a.gif", []byte("GIF89a")}})
	equal(t, "no picture", 422, not.Status)
	if not.errors()["file"] == "" || not.value("payer_last4") != "００１２" {
		t.Errorf("picture: %v, kept %q", not.errors(), not.value("payer_last4"))
	}
	done := b.submit(p, "form#voucher", "next", typed, map[string]file{"file_file": {"slip.png", photo(t, 1000, 700, "", false)}})
	if done.Status != 303 {
		t.Fatalf("%d %v", done.Status, done.errors())
	}
	p = b.follow(done)
	p.has("h1", "提交成功，等待审核")
	p.has(".lead", "汇款凭证已提交")
	equal(t, "state", order.PaymentCheck, w.current(o).State)

	list, err := w.Payments.Vouchers(w.staff(authz.RoleFinance), 10)
	if err != nil || len(list) != 1 {
		t.Fatalf("%v %v", list, err)
	}
	equal(t, "amount typed", int64(20000), list[0].AmountFen)
	equal(t, "last four", "0012", list[0].PayerLast4)
	if _, err := w.Payments.Reject(w.staff(authz.RoleFinance), o.Tenant, list[0].ID, "没有查到这笔款"); err != nil {
		t.Fatal(err)
	}
	p = b.open("/orders/" + o.ID.String() + "/pay/transfer")
	p.has(".notice", "凭证被退回", "没有查到这笔款")
	equal(t, "typed before", "演示汽车销售（深圳）有限公司", p.value("payer_name"))
	equal(t, "amount before", "200.00", p.value("amount"))
	b.open("/orders/"+o.ID.String()).has(".next", "凭证被退回", "没有查到这笔款", "去支付")
	if done = b.submit(p, "form#voucher", "next", nil); done.Status != 303 {
		t.Fatalf("again: %d %v", done.Status, done.errors())
	}
}

// The slip's picture by script and from a phone, to this page's tile.
// req: B51
func TestVoucherTile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p, _ := unpaid(t, w)
	p = b.open(p.Path + "/transfer")
	token := p.Find(`meta[name="csrf"]`).AttrOr("content", "")
	body, kind := multi(t, nil, map[string]file{"file": {"a.jpg", photo(t, 1000, 700, "", false)}})
	tile := b.do("POST", p.Path[:len(p.Path)-len("/transfer")]+"/voucher", map[string]string{"Content-Type": kind, "X-Requested-With": "fetch", "X-CSRF-Token": token}, body)
	equal(t, "tile", 200, tile.Status)
	if tile.value("file") == "" || tile.Find("img").AttrOr("src", "") != "/files/"+tile.value("file") {
		t.Errorf("tile: %s", tile.Body)
	}
	equal(t, "the picture itself", "image/jpeg", b.get("/files/"+tile.value("file")).Header.Get("Content-Type"))
	panel := b.script(p, p.Find("[data-phone]").AttrOr("formaction", ""), nil)
	poll := panel.Find("[data-tile-poll]").AttrOr("data-tile-poll", "")
	if panel.Status != 200 || poll == "" || panel.Find(".qr svg").Length() != 1 {
		t.Fatalf("phone: %d %s", panel.Status, panel.Body)
	}
	equal(t, "waiting", 204, b.get(poll).Status)
	w.Clock.Shift(11 * time.Minute)
	equal(t, "over", 410, b.get(poll).Status)
}

// King Long takes Alipay alone, and nothing may be put off.
// req: K30 K37
func TestKingLongPaysByAlipayOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, o := supplied(t, w)
	p := b.open("/orders/" + o.ID.String() + "/pay")
	p.has("main", "支付宝", "立即支付", "¥520.00")
	p.hasNot("main", "微信", "银行汇款", "稍后支付")
	equal(t, "tabs", 0, p.Find(".tabs").Length())
	equal(t, "no account", 303, b.get("/orders/"+o.ID.String()+"/pay/transfer").Status)
	bad := b.submit(p, "form#pay", "next", map[string]string{"channel": "wechat"})
	equal(t, "another channel", 422, bad.Status)
	p = b.follow(b.submit(p, "form#pay", "next", nil))
	p.has(".pay-code", "请用支付宝扫一扫付款")
	p.hasNot(".pay-code", "换一种支付方式")
}

// supplied is a King Long order just handed in.
func supplied(t *testing.T, w *world) (*browser, order.Order) {
	t.Helper()
	b, p := filledIn(t, w)
	p = b.submit(p, "form#confirm", "next", map[string]string{"agree": "yes"})
	p = b.submit(p, "main form", "send", nil)
	p = b.submit(p, "main form", "submit", map[string]string{"code": w.code("13900139000")})
	if p.Status != 303 {
		t.Fatalf("submit: %d %v", p.Status, p.errors())
	}
	return b, w.order("kinglong", p.Header.Get("Location"))
}

// system is the context of a part of the program.
func (w *world) system(component string) context.Context {
	return authz.WithPrincipal(w.T.Context(), authz.System(component))
}
