package portal_test

import (
	"context"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/delivery"
	"certsaas/core/invoice"
	"certsaas/core/order"
)

// settled brings an order's money in.
func (w *world) settled(b *browser, o order.Order) {
	w.T.Helper()
	p := b.open("/orders/" + o.ID.String() + "/pay")
	p = b.follow(b.submit(p, "form#pay", "next", nil))
	w.pay(o)
	b.follow(b.submit(p, `form[action$="/check"]`, "next", nil))
	w.Drain()
}

// The order centre: by state, by number, each with the one thing to do; nobody else's.
// req: B53 B55 B56 K43
func TestOrderCentre(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, _, o := unpaid(t, w)
	p := b.open("/orders")
	p.has(".tabs", "全部", "待支付", "审核中", "待修改", "下载证书", "已完成")
	p.hasNot(".tabs", "制证发货")
	p.has("table", o.Number, "USBKEY 过期更新", "演示汽车销售（深圳）有限公司", "¥200.00", "待支付", "去支付")
	equal(t, "waiting", "1", p.text(`.tabs a[href="/orders?tab=pay"] .count`))
	b.open("/orders?tab=pay").has("table", o.Number)
	b.open("/orders?tab=done").has(".empty", "暂时没有")
	b.open("/orders?q="+strings.ToLower(o.Number)).has("table", o.Number)
	b.open("/orders?q=BYD000").has(".empty", "没有找到")

	w.settled(b, o)
	b.open("/orders").has("table", "审核中", "查看")
	w.approve(o)
	p = b.open("/orders?tab=install")
	p.has("table", o.Number, "下载证书")
	equal(t, "下载证书 opens the order", "/orders/"+o.ID.String(), p.Find(".row-act a").AttrOr("href", ""))

	other := w.registered("byd.localhost:8080", "13700137000")
	other.open("/orders").has(".empty", "还没有订单", "去办理")
	equal(t, "another's order", 404, other.get("/orders/"+o.ID.String()).Status)
	equal(t, "another's payment", 404, other.get("/orders/"+o.ID.String()+"/pay").Status)
	stranger := w.byd()
	if got := stranger.get("/orders"); got.Status != 303 || !strings.HasPrefix(got.Header.Get("Location"), "/login?next=") {
		t.Errorf("stranger: %d %s", got.Status, got.Header.Get("Location"))
	}
	equal(t, "another tenant", 404, w.supplierElse().get("/orders/"+o.ID.String()).Status)
}

// One order: what to do on top, what happened with when and who, personal data masked, and the way to the key.
// req: B52 B54 B55 B56
func TestOrderPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, _, o := unpaid(t, w)
	p := b.open("/orders/" + o.ID.String())
	p.has(".next", "待支付", "请完成支付", "¥200.00", "去支付")
	p.has(".timeline", "开始填写", "提交订单", "您")
	p.has("main", "138****8000", "王*")
	p.hasNot("main", "13800138000", "王演示", "demo@example.com")
	w.settled(b, o)
	p = b.open("/orders/" + o.ID.String())
	p.has(".next", "审核中", "正在审核", "短信")
	p.has(".timeline", "付款成功")
	p.has(".fold", "支付宝")
	p.has(".actions", "申请退款")
	w.approve(o)
	p = b.open("/orders/" + o.ID.String())
	p.has(".next", "下载证书", "插入要更新的 USBKEY", "输入用户口令")
	p.has(".timeline", "审核通过", "工作人员")
	if to := p.Find(".next .btn-primary").AttrOr("href", ""); !strings.HasPrefix(to, "/orders/"+o.ID.String()+"/key/") {
		t.Errorf("下载证书 → %q", to)
	}
}

// Refused: the reasons, each leading to its field, and 立即修改; the same order goes on.
// req: K44 K46
func TestRejectedOrderPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, o := supplied(t, w)
	w.paidAndRejected(o, map[string]string{"org_name": "与营业执照不一致"})
	b.open("/orders?tab=fix").has("table", o.Number, "立即修改")
	p := b.open("/orders/" + o.ID.String())
	p.has(".next", "审核未通过", "立即修改", "无需重新支付")
	equal(t, "立即修改", "/orders/"+o.ID.String()+"/fill/form", p.Find(".next .btn-primary").AttrOr("href", ""))
	p.has(".reasons", "单位名称", "与营业执照不一致")
	equal(t, "to the field", "/orders/"+o.ID.String()+"/fill/form#f-org_name", p.Find(".reasons a").AttrOr("href", ""))
	p.has(".timeline", "审核未通过")
}

// Made, sent, received: the waybill with a link, the invoice under the completed order, the rules of use.
// req: K3 K29 K38 K39 K40 K41 K43 K48 K49 K50 K51 K52 K53 K54 K55
func TestKingLongIsMadeAndSent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, o := supplied(t, w)
	w.settled(b, o)
	b.open("/orders/"+o.ID.String()).has("main", "审核中", "2026-12-03") // three working days after Monday
	w.approve(o)
	b.open("/orders/"+o.ID.String()).has(".next", "制作中", "正在制作")
	w.made(o)
	o = w.current(o)
	if _, err := w.Delivery.Ship(w.staff(authz.RoleProducer), o.Tenant, o.ID, delivery.Dispatch{Version: o.Version, Purpose: delivery.Key, Carrier: "sf", Waybill: "SF7444400043266"}); err != nil {
		t.Fatal(err)
	}
	w.Drain()
	p := b.open("/orders/" + o.ID.String())
	p.has(".next", "已完成")
	equal(t, "a line for each key", o.Quantity, p.Find(".keys li").Length())
	p.has(".waybill", "顺丰快递", "SF7444400043266", "查看物流")
	equal(t, "copy", "SF7444400043266", p.Find(".waybill [data-copy]").AttrOr("data-copy", ""))
	p.has("main", "发票", "待开票", "增值税电子普通发票") // in the words it was chosen by
	equal(t, "no file yet", 404, b.get("/orders/"+o.ID.String()+"/invoice").Status)
	rules := p.Find(".rules li")
	equal(t, "rules of use", 8, rules.Length())
	p.has(".rules", "真实、准确、完整", "马上拔下", "硬物砸", "公章", "注销，并申请补办", "即将到期", "违法、犯罪", "服务电话")

	pdf := []byte("%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
	if err := w.Invoices.Upload(w.staff(authz.RoleFinance), o.Tenant, o.ID, invoice.Issue{Number: "26312000000000000017", IssuedOn: "2026-11-30", File: pdf}); err != nil {
		t.Fatal(err)
	}
	p = b.open(b.open("/orders?tab=done").Find(".row-link").AttrOr("href", ""))
	p.has("main", "已开票", "26312000000000000017", "下载发票")
	got := b.get(p.Find(`a.btn:contains("下载发票")`).First().AttrOr("href", ""))
	equal(t, "invoice", string(pdf), string(got.Body))
	if d := got.Header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment") {
		t.Errorf("disposition %q", d)
	}
	equal(t, "another's invoice", 404, w.supplierElse().get("/orders/"+o.ID.String()+"/invoice").Status)
}

// An unpaid order is cancelled, a paid one is asked back; both from the order's page.
func TestCancelAndRefund(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, _, o := unpaid(t, w)
	p := b.open("/orders/" + o.ID.String())
	if p.Find("#refund").Length() != 0 {
		t.Error("a refund is offered for what was not paid")
	}
	p = b.follow(b.submit(p, "#cancel form", "", nil))
	p.has(".next", "订单已取消")
	p.has(".next", "已取消", "重新办理")
	if p.Find(".stepper").Length() != 0 || strings.Contains(p.text(".price-total"), "应付") {
		t.Error("an order that was broken off shows a way on, or something to pay")
	}
	equal(t, "state", order.Cancelled, w.current(o).State)
	again := b.follow(b.script2(p, "/orders/"+o.ID.String()+"/cancel"))
	again.has(".notice", "目前的状态不能做这一步")

	w = newWorld(t)
	b, _, o = unpaid(t, w)
	w.settled(b, o)
	p = b.open("/orders/" + o.ID.String())
	if p.Find("#cancel").Length() != 0 {
		t.Error("a paid order can be cancelled")
	}
	none := b.submit(p, "#refund form", "", nil)
	equal(t, "without a reason", 422, none.Status)
	p = b.follow(b.submit(p, "#refund form", "", map[string]string{"reason": "办错了"}))
	p.has(".notice", "退款申请已提交")
	p.has(".next", "退款中")
	p.has(".fold", "待审批")
}

// script2 posts without fields as a plain form would.
func (b *browser) script2(p page, path string) page {
	b.t.Helper()
	return b.do("POST", path, map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		strings.NewReader("_csrf="+p.Find(`meta[name="csrf"]`).AttrOr("content", "")))
}

// serial is a fresh device number.
func serial() string { id := uuid.New(); return strings.ToUpper(hex.EncodeToString(id[:8])) }

// supplierElse is another supplier of King Long, logged in by a code.
func (w *world) supplierElse() *browser {
	w.T.Helper()
	const mobile = "13700137000"
	err := w.DB.WithTenant(w.system("test/account"), w.Tenant("kinglong").ID(), func(ctx context.Context, tx *db.Tx) error {
		_, _, err := w.Accounts.FindOrCreate(ctx, tx, mobile)
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	b := w.kinglong()
	p := b.submit(b.open("/login"), "main form", "send", map[string]string{"mobile": mobile})
	p = b.submit(p, "main form", "", map[string]string{"mobile": mobile, "code": w.code(mobile)})
	if p.Status != 303 {
		w.T.Fatalf("login = %d: %v", p.Status, p.text("main"))
	}
	return b
}
