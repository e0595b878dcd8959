package journey

import (
	"strings"
	"testing"

	"certsaas/core/coretest/program"
)

// register makes an account without scripts and logs in.
func (w town) register(v *program.Visitor, mobile string) {
	w.t.Helper()
	since := now()
	v.Form("password").Set("mobile", mobile).PressValue("_step", "send").Sees("验证码已发送")
	v.Form("password").Set("mobile", mobile).Set("code", w.Code(w.t, mobile, since)).Set("password", bydPassword).Set("agree", "yes").Press("注册").Sees("注册成功")
	v.Follow("立即登录").Form("password").Set("mobile", mobile).Set("password", bydPassword).Press("登录")
}

// letter stores the form, downloads the letter and comes back to the form.
func (w town) letter(f *program.Form, v *program.Visitor, back string) []byte {
	w.t.Helper()
	f.PressValue("_step", "letter-pdf")
	if !strings.HasPrefix(string(v.Body), "%PDF-") {
		w.t.Fatalf("%s is no letter: %s", v.URL, v.Text())
	}
	pdf := v.Body
	v.Open(back)
	return pdf
}

// payPlain pays at the demonstration's payment company and comes back.
func (w town) payPlain(v *program.Visitor) {
	w.t.Helper()
	page := v.URL.String()
	v.Follow("打开演示支付页").Button("确认付款").Sees("支付成功")
	if v.Open(page); v.Has("我已支付") { // the company's message may have been faster
		v.Button("我已支付")
	}
	v.Sees("等待审核")
}

// approvePlain is the reviewer's part without scripts.
func (w town) approvePlain(number string) {
	w.t.Helper()
	w.desk("reviewer", func(v *program.Visitor) {
		v.Await(w.URL("console", "/queue/review"), number).Follow(number)
		v.Form("version").Tick("check").PressValue("decision", "approve").Sees("订单 " + number + " 审核通过")
	})
}

// numberOf is the order number a page names.
func (w town) numberOf(v *program.Visitor) string {
	w.t.Helper()
	words := strings.Fields(v.Page.Find("h1").Text())
	if len(words) < 2 {
		w.t.Fatalf("%s names no order: %s", v.URL, v.Text())
	}
	return words[len(words)-1]
}

// TestBYDWithoutScripts goes to the key page without a line of JavaScript.
func TestBYDWithoutScripts(t *testing.T) {
	t.Parallel()
	w, mobile := visit(t), "13800138031"
	v := w.NewVisitor(t)
	v.Open(w.URL("", "/s/byd-gqgx")).Follow("注册并办理")
	w.register(v, mobile)
	v.Form("product").Press("立即办理")
	f := v.Form("org_name").PressValue("_step", "quantity+1").Form("org_name")
	equal(t, "quantity after +", "2", f.Values.Get("quantity")) // req: B19
	f = f.PressValue("_step", "quantity-1").Form("org_name")
	equal(t, "quantity after −", "1", f.Values.Get("quantity")) // req: B19
	f = f.Set("invoice_wanted", "yes").PressValue("_step", "refresh").Form("org_name")
	if !f.Shown("invoice_title") {
		t.Error("the invoice's fields do not come up") // req: B30
	}
	f = f.Set("invoice_wanted", "no").PressValue("_step", "refresh").Form("org_name")
	f.SetAll(map[string]string{
		"eligible": "yes", "org_nature": "company", "org_name": payerCompany, "industry": "auto_sales", "agent_name": "赵演示", "email": "plain@example.com",
		"landline": "010-50947500", "post": "manager", "dealer_code": "2234567890", "carrier": "sf", "ship_name": "赵演示", "ship_mobile": mobile,
		"ship_province": "广东省", "ship_city": "广州市", "ship_county": "天河区", "ship_street": "演示路 3 号",
	}).Press("下一步").Sees("实名认证授权书") // req: B33 B34
	equal(t, "the company's name is carried over", payerCompany, v.Form("merged").Values.Get("org_name_licence")) // req: B38
	f = v.Form("merged").Set("merged", "no").PressValue("_step", "refresh").Form("merged")
	if !f.Shown("reg_no") || !f.Shown("org_code") || f.Shown("uscc") {
		t.Error("without a merged licence the old codes are asked") // req: B39 B42
	}
	f = f.Set("merged", "yes").PressValue("_step", "refresh").Form("merged").Set("uscc", payerUSCC)
	f.Attach("licence_image_file", program.File{Name: "licence.jpg", Data: program.Picture(t, payerCompany)})
	pdf := w.letter(f, v, v.URL.String())
	v.Form("merged").Attach("letter_file", program.File{Name: "letter.jpg", Data: program.Stamp(t, pdf)}).Press("提交信息").Sees("支付宝", "微信") // req: B46 B47
	v.Form("channel").Set("channel", "wechat").Press("确认付款")                                                                              // req: B48
	w.payPlain(v)
	v.Follow("查看订单状态").Sees("审核中") // req: B52
	number, order := w.numberOf(v), v.URL.String()
	w.approvePlain(number)
	v.Await(order, "请下载证书").Follow("下载证书") // req: B55 B56
	v.Sees("这一步需要浏览器启用 JavaScript")
}

// TestKingLongWithoutScripts goes as far as the producer's desk without a line of JavaScript.
func TestKingLongWithoutScripts(t *testing.T) {
	t.Parallel()
	w, mobile := visit(t), "13800138041"
	v := w.NewVisitor(t)
	v.Open(w.URL("", "/createOrder?productCode=CERT272353")).Form("product").Press("立即办理") // req: K4
	f := v.Form("org_name").SetAll(map[string]string{
		"eligible": "yes", "agent_name": "孙演示", "mobile": mobile, "email": "plain@example.com", "id_type": "resident_id", "id_no": klID,
		"org_name": "演示零部件（厦门）有限公司", "org_type": "company", "org_code_any": "91350100M000100Y43", "industry": "auto_parts",
		"carrier": "sf", "ship_name": "孙演示", "ship_mobile": mobile, "ship_province": "福建省", "ship_city": "厦门市", "ship_county": "集美区",
		"ship_street": "演示路 4 号", "invoice_title": "演示零部件（厦门）有限公司", "invoice_tax_no": "91350100M000100Y43", "invoice_email": "plain@example.com",
	})
	for _, side := range []string{"id_front", "id_back", "licence_image"} {
		f.Attach(side+"_file", program.File{Name: side + ".jpg", Data: program.Picture(t, "演示 "+side+" 孙演示")}) // req: K13 K19
	}
	pdf := w.letter(f, v, v.URL.String())
	v.Form("org_name").Attach("letter_file", program.File{Name: "letter.jpg", Data: program.Stamp(t, pdf)}).Press("提交信息").Sees("确认信息", "演示路 4 号") // req: K31
	back := v.URL.String()
	v.Follow("取消")
	equal(t, "what was typed is still there", "孙演示", v.Form("org_name").Values.Get("agent_name")) // req: K32
	v.Open(back).Form("agree").Press("确定")
	v.Sees("请先阅读")                                                       // req: K33
	v.Form("agree").Set("agree", "yes").Press("确定").Sees("短信验证", "60 秒") // req: K34 K36
	since := now()
	v.Form("code").PressValue("_step", "send").Sees("验证码已发送")                                     // req: K35
	v.Form("code").Set("code", w.Code(t, mobile, since)).Press("提交订单").Sees("支付宝").Button("立即支付") // req: K30 K37
	w.payPlain(v)
	v.Follow("查看订单状态").Sees("审核中") // req: K38
	number, order := w.numberOf(v), v.URL.String()
	w.approvePlain(number)
	v.Await(order, "正在制作")
	w.desk("producer", func(v *program.Visitor) { v.Await(w.URL("console", "/queue/production"), number) }) // req: K40
}
