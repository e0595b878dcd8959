package portal_test

import (
	"strings"
	"testing"

	"certsaas/core/order"
)

// company is what a BYD dealer types on the first page.
func company() map[string]string {
	return map[string]string{
		"quantity": "1", "eligible": "yes", "org_nature": "company", "org_name": "演示汽车销售（深圳）有限公司", "industry": "auto_sales",
		"agent_name": "王演示", "email": "demo@example.com", "landline": "0755-89888888", "post": "sales", "dealer_code": "DL20260001",
		"carrier": "sto", "ship_name": "王演示", "ship_mobile": "13800138001", "ship_province": "广东省", "ship_city": "深圳市",
		"ship_county": "坪山区", "ship_street": "演示路 1 号", "invoice_wanted": "no",
	}
}

const form = "form#order"

// started is a BYD order just opened, on its first page.
func started(t *testing.T, w *world) (*browser, page) {
	t.Helper()
	b := w.registered("byd.localhost:8080", "13800138000")
	p := b.submit(b.open("/s/byd-gqgx"), `.band form`, "", nil)
	return b, b.follow(p)
}

// The form of BYD: four groups, stars, defaults, what depends on what.
// req: B13 B16 B17 B18 B19 B20 B21 B22 B23 B24 B25 B26 B27 B28 B29 B30
func TestBYDFormAsksWhatTheGuideSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, p := started(t, w)
	p.has(".section h2", "购买产品信息", "企业信息", "代理人信息", "配送信息", "发票信息")
	p.has(".legend", "*", "为必填项")
	for _, name := range []string{"org_name", "industry", "agent_name", "email", "landline", "post", "dealer_code", "ship_street"} {
		if p.Find(`[data-field="`+name+`"] .star`).Length() != 1 {
			t.Errorf("%s has no star", name)
		}
	}
	if p.Find(`[data-field="ship_postcode"] .star`).Length() != 0 {
		t.Error("the postal code has a star")
	}
	p.has(`[data-field="ship_postcode"]`, "（选填）")
	equal(t, "term", "1", p.value("term"))
	equal(t, "terms on offer", 1, p.Find(`input[name="term"]`).Length())
	equal(t, "natures", 3, p.Find(`input[name="org_nature"]`).Length())
	p.has(`[data-field="org_nature"]`, "企业", "个人", "国家机关/事业单位")
	p.has(`[data-field="org_name"]`, "须与营业执照上的名称一致")
	if p.Find(`select[name="industry"] option`).Length() < 5 || p.Find(`select[name="post"] option`).Length() < 5 {
		t.Error("industry and post are not selections")
	}
	equal(t, "mobile", "13800138000", p.value("mobile"))
	if _, ro := p.Find(`[name="mobile"]`).Attr("readonly"); !ro {
		t.Error("the mobile can be changed")
	}
	p.has(`[data-field="mobile"]`, "不可修改")
	p.has(`[data-field="carrier"]`, "申通快递（费用由天威诚信承担）", "顺丰快递（费用由客户承担）")
	equal(t, "invoice by default", "no", p.value("invoice_wanted"))
	if p.shown("invoice_title") || p.shown("invoice_kind") {
		t.Error("invoice fields show though none is wanted")
	}
	p.has(".price", "USBKEY 过期更新", "¥200.00", "每个 USBKEY 每年 200.00 元")
	p.has(".stepper", "填写信息", "实名认证", "支付", "审核", "下载证书", "完成")
}

// + and − without scripts, and every problem at once beside its field, with nothing typed lost.
// req: B17 B19 B26
func TestNothingTypedIsLost(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := started(t, w)
	p = b.submit(p, form, "quantity+1", map[string]string{"agent_name": "王演示"})
	equal(t, "status", 200, p.Status)
	equal(t, "quantity", "2", p.value("quantity"))
	p.has(".price-total", "¥400.00")
	p = b.submit(p, form, "quantity-1", nil)
	equal(t, "quantity", "1", p.value("quantity"))
	equal(t, "agent", "王演示", p.value("agent_name"))

	p = b.submit(p, form, "next", map[string]string{"email": "demo@", "landline": "123", "dealer_code": "DL2", "org_name": "演示公司甲"})
	equal(t, "status", 422, p.Status)
	errs := p.errors()
	for field, says := range map[string]string{
		"eligible": "请勾选：我确认", "email": "请填写完整的电子邮箱", "landline": "区号", "dealer_code": "前十位", "industry": "请选择所属行业", "post": "请选择公司岗位", "ship_street": "请填写详细地址",
	} {
		if !strings.Contains(errs[field], says) {
			t.Errorf("%s: %q does not say %q", field, errs[field], says)
		}
	}
	equal(t, "errors in the summary", len(errs), p.Find("[data-error-summary] li a").Length())
	if !strings.HasPrefix(p.text("title"), "错误：") {
		t.Errorf("title %q", p.text("title"))
	}
	for field, v := range map[string]string{"email": "demo@", "landline": "123", "dealer_code": "DL2", "org_name": "演示公司甲"} {
		equal(t, field+" is kept", v, p.value(field))
	}
	again := b.open(p.Path)
	equal(t, "kept on return", "demo@", again.value("email"))

	b.open("/s/byd-gqgx").has(".notice", "您有一张未提交的订单")
}

// Conditions are the server's when there are no scripts; the invoice's title and kind have their defaults.
// req: B30 B31 B32 B22
func TestConditionsWithoutScripts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := started(t, w)
	p = b.submit(p, form, "refresh", map[string]string{"invoice_wanted": "yes", "org_name": "演示汽车销售（深圳）有限公司"})
	equal(t, "status", 200, p.Status)
	if !p.shown("invoice_title") || !p.shown("invoice_kind") || !p.shown("invoice_email") {
		t.Error("invoice fields do not show")
	}
	equal(t, "kind", "e", p.value("invoice_kind"))
	equal(t, "title", "演示汽车销售（深圳）有限公司", p.value("invoice_title"))
	p.has(`[data-field="invoice_kind"]`, "增值税电子普通发票", "同等法律效力", "增值税普通发票（纸质）")
	p = b.submit(p, form, "refresh", map[string]string{"org_nature": "person"})
	if p.shown("org_name") || !p.shown("person_name") {
		t.Error("an individual is asked for a company")
	}
}

// realname brings an order to the second page.
func realname(t *testing.T, w *world) (*browser, page) {
	t.Helper()
	b, p := started(t, w)
	p = b.submit(p, form, "next", company())
	return b, b.follow(p)
}

// The second page: the name comes along, three-in-one decides the codes, the letter is printed and comes back.
// req: B33 B34 B37 B38 B39 B40 B41 B42 B43 B44 B45
func TestBYDRealName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := realname(t, w)
	p.has("h1", "实名认证")
	p.has(".section h2", "企业信息认证", "实名认证授权书")
	equal(t, "name", "演示汽车销售（深圳）有限公司", p.value("org_name_licence"))
	equal(t, "merged", "yes", p.value("merged"))
	if !p.shown("uscc") || !p.shown("licence_image") || p.shown("reg_no") || p.shown("org_code") || p.shown("id_no") {
		t.Error("merged: wrong fields")
	}
	p.has(`[data-field="licence_image"] .limit`, "JPG", "JPEG", "PNG", "2M")
	p.has(".letter", "下载授权书", "在线直接打印", "公章", "信息不可更改", "演示汽车销售（深圳）有限公司")
	not := b.submit(p, form, "refresh", map[string]string{"merged": "no"})
	if not.shown("uscc") || !not.shown("reg_no") || !not.shown("org_code") || !not.shown("org_code_image") {
		t.Error("not merged: wrong fields")
	}
	not = b.submit(not, form, "next", map[string]string{"merged": "no", "reg_no": "12345", "org_code": "123"})
	errs := not.errors()
	if !strings.Contains(errs["reg_no"], "15 位") || !strings.Contains(errs["org_code"], "9 位") || errs["org_code_image"] == "" {
		t.Errorf("not merged: %v", errs)
	}
	// a letter is not printed before what it says is there
	early := b.submit(p, form, "letter-pdf", map[string]string{"merged": "yes", "uscc": ""})
	equal(t, "early letter", 422, early.Status)
	if early.errors()["uscc"] == "" || early.errors()["licence_image"] != "" {
		t.Errorf("early letter: %v", early.errors())
	}
	got := b.submit(p, form, "letter-pdf", map[string]string{"merged": "yes", "uscc": "91350200MA2XYKHT6G"})
	pdf := b.get(got.Header.Get("Location"))
	equal(t, "letter", "application/pdf", pdf.Header.Get("Content-Type"))
	if !strings.HasPrefix(string(pdf.Body), "%PDF") || !strings.HasPrefix(pdf.Header.Get("Content-Disposition"), "attachment") {
		t.Errorf("letter: %s %.8s", pdf.Header.Get("Content-Disposition"), pdf.Body)
	}
	got = b.submit(p, form, "letter-print", map[string]string{"merged": "yes", "uscc": "91350200MA2XYKHT6G"})
	printed := b.get(got.Header.Get("Location"))
	if !strings.HasPrefix(printed.Header.Get("Content-Disposition"), "inline") {
		t.Errorf("print: %d %s", printed.Status, printed.Header.Get("Content-Disposition"))
	}
	b.open(strings.TrimSuffix(got.Header.Get("Location"), "/print")).has("main", "下载授权书 PDF", "在线打印")
}

// complete hands a whole BYD order in and answers the last response.
func complete(t *testing.T, w *world) (*browser, page) {
	t.Helper()
	b, p := realname(t, w)
	typed := map[string]string{"merged": "yes", "uscc": "91350200MA2XYKHT6G"}
	b.submit(p, form, "letter-pdf", typed)
	l := b.letterOf("byd", w.order("byd", p.Path))
	return b, b.submit(p, form, "next", typed, map[string]file{
		"licence_image_file": {"执照.jpg", photo(t, 1200, 900, "", false)},
		"letter_file":        {"letter.jpeg", photo(t, 1100, 1500, l.Payload, true)},
	})
}

// 提交信息 leads to the payment by itself.
// req: B35 B44 B46
func TestBYDSubmitLeadsToPayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, p := complete(t, w)
	if p.Status != 303 || !strings.HasSuffix(p.Header.Get("Location"), "/pay") {
		t.Fatalf("%d → %s: %v\n%s", p.Status, p.Header.Get("Location"), p.errors(), p.text("[data-error-summary]"))
	}
	o := w.order("byd", p.Header.Get("Location"))
	equal(t, "state", order.AwaitingPayment, o.State)
	equal(t, "total", int64(20000), o.TotalFen)
}

// A letter whose data changed after printing is refused in words, at the letter.
// req: B45
func TestChangedDataVoidTheLetter(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := realname(t, w)
	typed := map[string]string{"merged": "yes", "uscc": "91350200MA2XYKHT6G"}
	b.submit(p, form, "letter-pdf", typed)
	l := b.letterOf("byd", w.order("byd", p.Path))
	b.submit(p, form, "upload", typed, map[string]file{
		"licence_image_file": {"a.jpg", photo(t, 1200, 900, "", false)},
		"letter_file":        {"b.jpg", photo(t, 1100, 1500, l.Payload, true)},
	})
	first := b.open(strings.Replace(p.Path, "/realname", "/form", 1))
	b.submit(first, form, "next", map[string]string{"org_name": "演示汽车服务（深圳）有限公司"})
	p = b.open(p.Path)
	p.has(".letter", "已作废", "演示汽车服务（深圳）有限公司")
	p = b.submit(p, form, "next", typed)
	equal(t, "status", 422, p.Status)
	if !strings.Contains(p.errors()["letter"], "作废") {
		t.Errorf("errors: %v", p.errors())
	}
}
