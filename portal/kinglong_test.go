package portal_test

import (
	"net/url"
	"strings"
	"testing"

	"certsaas/core/order"
)

// supplier is what a King Long supplier types.
func supplier() map[string]string {
	return map[string]string{
		"quantity": "2", "eligible": "yes", "agent_name": "王演示", "mobile": "13900139000", "email": "demo@example.com",
		"id_type": "resident_id", "id_no": "11010519491231002X", "org_name": "演示零部件（厦门）有限公司", "org_type": "company",
		"org_code_any": "91350200MA2XYKHT6G", "industry": "auto_parts", "carrier": "sf", "ship_name": "王演示", "ship_mobile": "13900139000",
		"ship_province": "福建省", "ship_city": "厦门市", "ship_county": "集美区", "ship_street": "演示路 9 号", "invoice_wanted": "yes",
		"invoice_kind": "e", "invoice_email": "demo@example.com",
	}
}

const chugou = "/createOrder?productCode=CERT272353"

// begun is a King Long order just opened by a visitor.
func begun(t *testing.T, w *world) (*browser, page) {
	t.Helper()
	b := w.kinglong()
	return b, b.follow(b.submit(b.open(chugou), ".band form", "", nil))
}

// One page with six groups, without a login before it.
// req: K4 K5 K6 K7 K8 K9 K10 K11 K12 K13 K15 K16 K17 K18 K19 K20 K22 K23 K24 K25 K26 K27 K28
func TestKingLongFormAsksWhatTheGuideSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := begun(t, w)
	p.has(".section h2", "产品规格", "经办人信息", "单位信息", "授权书", "收件信息", "发票信息")
	p.has(".legend", "为必填项")
	p.has(`[data-field="term"]`, "1 年")
	equal(t, "terms on offer", 1, p.Find(`input[name="term"]`).Length())
	p = b.submit(p, form, "quantity+1", nil)
	equal(t, "quantity", "2", p.value("quantity"))
	p.has(".price", "企业电子钥匙初购", "¥520.00", "收件时支付")
	if _, ro := p.Find(`[name="mobile"]`).Attr("readonly"); ro {
		t.Error("the mobile is locked")
	}
	p.has(`[data-field="mobile"]`, "提交订单后可用此手机号登录")
	if p.Find(`select[name="id_type"] option`).Length() < 3 || p.Find(`select[name="org_type"] option`).Length() < 3 || p.Find(`select[name="industry"] option`).Length() < 3 {
		t.Error("a selection is missing")
	}
	for _, tile := range []string{"id_front", "id_back", "licence_image", "letter"} {
		if !p.shown(tile) || p.Find(`[data-field="`+tile+`"] [data-phone]`).Length() != 1 {
			t.Errorf("tile %s is missing, or its phone button", tile)
		}
	}
	p.has(`[data-field="org_name"]`, "须与营业执照上的名称一致")
	p.has(`[data-field="org_code_any"]`, "组织机构代码")
	p.has(".letter", "下载授权书 PDF", "实体公章", "彩色图片")
	p.has(`[data-field="letter"]`, "彩色图片")
	p.hasNot(".letter", "在线打印")
	equal(t, "carrier", "sf", p.value("carrier"))
	equal(t, "carriers on offer", 1, p.Find(`input[name="carrier"]`).Length())
	p.has(`[data-field="carrier"]`, "顺丰到付")
	equal(t, "invoice by default", "yes", p.value("invoice_wanted"))
	equal(t, "kind", "e", p.value("invoice_kind"))
	equal(t, "kinds on offer", 1, p.Find(`input[name="invoice_kind"]`).Length())
	p.has(`[data-field="ship_street"]`, "*")
	// an organisation without a merged licence types its organisation code into the same field
	p = b.submit(p, form, "refresh", map[string]string{"org_code_any": "D2143569X"})
	if p.errors()["org_code_any"] != "" {
		t.Errorf("organisation code: %v", p.errors())
	}
}

// filledIn brings a King Long order to its confirmation page.
func filledIn(t *testing.T, w *world) (*browser, page) {
	t.Helper()
	b, p := begun(t, w)
	got := b.submit(p, form, "letter-pdf", supplier())
	if got.Status != 303 {
		t.Fatalf("letter: %d %v", got.Status, got.errors())
	}
	l := b.letterOf("kinglong", w.order("kinglong", p.Path))
	card := photo(t, 1000, 640, "", false)
	p = b.submit(p, form, "next", supplier(), map[string]file{
		"id_front_file": {"a.jpg", card}, "id_back_file": {"b.jpg", photo(t, 1010, 640, "", false)},
		"licence_image_file": {"c.jpg", photo(t, 1200, 900, "", false)}, "letter_file": {"d.jpg", photo(t, 1100, 1500, l.Payload, true)},
	})
	if p.Status != 303 {
		t.Fatalf("form: %d %v", p.Status, p.errors())
	}
	return b, b.follow(p)
}

// The data are repeated; 取消 keeps them; the tick is required; the code goes to the handler and lasts 60 seconds; then the
// payment, and the handler is logged in.
// req: K30 K31 K32 K33 K34 K35 K36 K10 K27
func TestKingLongConfirms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := filledIn(t, w)
	p.has("h1", "确认信息")
	p.has(".answers", "王演示", "13900139000", "11010519491231002X", "演示零部件（厦门）有限公司", "91350200MA2XYKHT6G", "集美区", "顺丰到付")
	title := p.Find(`.datum:contains("发票抬头") dd`).First().Text()
	equal(t, "invoice title", "演示零部件（厦门）有限公司", strings.TrimSpace(title))
	if p.Find(`.change a[href*="/fill/form#f-org_name"]`).Length() != 1 {
		t.Error("no way to change the name")
	}
	back := b.open(p.Find(`a.btn:contains("取消")`).AttrOr("href", ""))
	for k, v := range supplier() {
		equal(t, "kept: "+k, v, back.value(k))
	}
	p = b.submit(p, "form#confirm", "next", nil)
	equal(t, "without the tick", 422, p.Status)
	if !strings.Contains(p.errors()["agree"], "勾选") {
		t.Errorf("errors: %v", p.errors())
	}
	p = b.submit(p, "form#confirm", "next", map[string]string{"agree": "yes"})
	p.has("h1", "短信验证")
	p.has("main", "60 秒")
	p.has(".band", "139****9000")

	sent := b.script(p, p.Path+"/code", url.Values{})
	if sent.Status != 200 || !strings.Contains(string(sent.Body), `"seconds":60`) {
		t.Fatalf("code: %d %s", sent.Status, sent.Body)
	}
	wrong := b.submit(p, "main form", "submit", map[string]string{"code": "000000"})
	if wrong.Status != 422 || wrong.errors()["code"] == "" {
		t.Errorf("wrong code: %d %v", wrong.Status, wrong.errors())
	}
	w.Clock.Shift(61e9)
	late := b.submit(p, "main form", "submit", map[string]string{"code": w.code("13900139000")})
	if late.Status != 422 || !strings.Contains(late.errors()["code"], "失效") {
		t.Errorf("late code: %d %v", late.Status, late.errors())
	}
	p = b.submit(p, "main form", "send", nil)
	p.has(".notice", "验证码已发送")
	p = b.submit(p, "main form", "submit", map[string]string{"code": w.code("13900139000")})
	if p.Status != 303 || !strings.HasSuffix(p.Header.Get("Location"), "/pay") {
		t.Fatalf("submit: %d → %s %v", p.Status, p.Header.Get("Location"), p.errors())
	}
	o := w.order("kinglong", p.Header.Get("Location"))
	equal(t, "state", order.AwaitingPayment, o.State)
	if !strings.HasPrefix(o.Agreed, "service 2026-11 ") {
		t.Errorf("agreed %q", o.Agreed)
	}
	b.open("/login").has(".account", "139****9000")
}

// Somebody else's browser sees nothing of a visitor's draft.
func TestDraftBelongsToItsBrowser(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := begun(t, w)
	b.submit(p, form, "refresh", map[string]string{"agent_name": "王演示"})
	b.open("/s/kinglong-chugou").has(".notice", "您有一张未提交的订单")
	b.open(p.Path)
	other := w.kinglong()
	other.open("/s/kinglong-chugou").hasNot("main", "您有一张未提交的订单")
	for _, path := range []string{p.Path, strings.Replace(p.Path, "/fill/form", "/letter.pdf", 1), strings.Replace(p.Path, "/fill/form", "/confirm", 1)} {
		if got := other.get(path); got.Status != 404 && got.Status != 303 {
			t.Errorf("%s = %d", path, got.Status)
		}
	}
	dealer := w.registered("byd.localhost:8080", "13700137000")
	if got := dealer.get(p.Path); got.Status != 404 {
		t.Errorf("another tenant: %d", got.Status)
	}
}

// After a rejection the refused fields alone are open, each with its reason; the same order is handed in again.
// req: K44
func TestRejectedOrderOpensWhatWasRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := filledIn(t, w)
	p = b.submit(p, "form#confirm", "next", map[string]string{"agree": "yes"})
	p = b.submit(p, "main form", "send", nil)
	p = b.submit(p, "main form", "submit", map[string]string{"code": w.code("13900139000")})
	o := w.order("kinglong", p.Header.Get("Location"))
	w.paidAndRejected(o, map[string]string{"org_name": "与营业执照不一致"})
	p = b.open("/orders/" + o.ID.String() + "/fill/form")
	p.has("h1", "修改订单")
	equal(t, "reasons", map[string]string{"org_name": "审核意见：与营业执照不一致"}, p.errors())
	equal(t, "open fields", 1, p.Find(`.section .field:not(.is-locked):not(.upload) input.input`).Length())
	equal(t, "open pictures", 1, p.Find(`.upload`).Length()) // the letter prints the name
	p.has(".datum", "王演示", "91350200MA2XYKHT6G")
	changed := map[string]string{"org_name": "演示零部件制造（厦门）有限公司", "agent_name": "换人"}
	p = b.submit(p, form, "next", changed)
	equal(t, "with the old letter", 422, p.Status)
	if !strings.Contains(p.errors()["letter"], "作废") {
		t.Errorf("errors: %v", p.errors())
	}
	p.has(".letter", "已作废")
	if got := b.submit(p, form, "letter-pdf", changed); got.Status != 303 {
		t.Fatalf("letter: %d %v", got.Status, got.errors())
	}
	l := b.letterOf("kinglong", w.order("kinglong", p.Path))
	p = b.submit(p, form, "next", changed, map[string]file{"letter_file": {"d.jpg", photo(t, 1100, 1500, l.Payload, true)}})
	equal(t, "leads to", "/orders/"+o.ID.String(), p.Header.Get("Location"))
	o = w.order("kinglong", p.Header.Get("Location"))
	equal(t, "state", order.InReview, o.State)
	equal(t, "corrected", "演示零部件制造（厦门）有限公司", o.Answers["org_name"])
	equal(t, "locked", "王演示", o.Answers["agent_name"])
}
