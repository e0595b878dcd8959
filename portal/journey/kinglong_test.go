package journey

import (
	"strings"
	"testing"
	"time"

	"certsaas/core/coretest/program"
	"certsaas/core/coretest/program/chromium"
	"certsaas/core/letter/qr"
)

// A supplier that exists nowhere: numbers of the test vectors (core/identifier).
const (
	klMobile  = "13800138011"
	klCompany = "演示供应链（厦门）有限公司"
	klUSCC    = "91350200MA2XYKHT6G"
	klPerson  = "林演示"
	klID      = "34052419800101001X"
	klToken   = "NEW-KEY-1"
)

// TestKingLongPurchase goes the whole way of the second guide: order first, pay, be refused, correct, receive a key that is
// made and couriered, download the invoice.
func TestKingLongPurchase(t *testing.T) {
	t.Parallel()
	w := visit(t)
	supplier := w.person(chromium.Desktop)
	w.enterKingLong(supplier)
	w.fillKingLong(supplier)
	coded := w.confirmKingLong(supplier)
	number := w.payKingLong(supplier)
	since := now()
	w.reject(number, map[string]string{"email": "电子邮件写错了", "licence_image": "图片不清晰，请重新拍照上传"})
	w.correctKingLong(supplier, number, since, coded)
	since = now()
	w.secondLook(number)
	w.AwaitMessage(t, klMobile, since, func(m program.Message) bool {
		return strings.Contains(m.Text, number) && strings.Contains(m.Text, "审核通过")
	}) // req: K45
	w.produce(number)
	w.ship(number, since)
	w.uploadInvoice(number)
	w.receiveKingLong(supplier, number)
}

// enterKingLong follows the old address, as it stands in printed guides.
func (w town) enterKingLong(tab *chromium.Tab) {
	w.t.Helper()
	tab.Open(w.URL("", "/createOrder?productCode=CERT272353")).At("^/s/kinglong-chugou") // req: K4
	tab.Open(w.URL("", "/certsaas_cloud_portal/#/createOrder?productCode=CERT272353"))
	tab.At("^/s/kinglong-chugou") // req: K4
	if got := tab.Eval(`location.hostname`); got != "kinglong.localhost" {
		w.t.Fatalf("the old address leads to %s", got)
	}
	tab.See("企业电子钥匙初购", "¥260.00")
	tab.See("确认已获得厦门金龙客车招采平台证书资格")                             // req: K1
	tab.See("3 个工作日")                                          // req: K39
	tab.See("400-666-3999", "服务时间 9:00-17:30", "010-50947500") // req: K55 K56 K57 K58
	tab.See("北京市海淀区上地八街7号院4号楼4层")                              // req: K59
	tab.See("北京天威诚信电子商务服务有限公司")                                // req: K60
	tab.Shot("kinglong-entry")
	tab.Press("阅读办理须知").At("^/guide/")
	w.readKingLongGuide(tab)
	tab.Open(w.URL("kinglong", "/createOrder?productCode=CERT272353"))
}

func (w town) readKingLongGuide(tab *chromium.Tab) {
	w.t.Helper()
	tab.See("电子发票", "订单信息－已完成订单－下载发票")          // req: K2 K3
	tab.See("真实、准确、完整的信息", "及时通知天威诚信")          // req: K48
	tab.See("规定的范围内正确使用", "马上拔下")               // req: K49
	tab.See("禁止摔或使用硬物砸")                        // req: K50
	tab.See("妥善保管", "公章的使用和管理规定", "禁止私自借给他人")   // req: K51
	tab.See("损毁、丢失、泄露", "将 USBKEY 注销，并申请补办")    // req: K52
	tab.See("即将到期时，应主动联系天威诚信办理更新手续")            // req: K53
	tab.See("不得将 USBKEY 用于违法、犯罪活动")             // req: K54
	tab.See("可拨打服务电话进行咨询", "010-50947500")      // req: K55
	tab.See("手机号和短信验证码登录", "查看当前企业的订单", "立即修改") // req: K42 K43 K44
	tab.See("审核通过、审核拒绝、USBKEY 发货时")             // req: K45 K46 K47
	tab.Shot("kinglong-guide")
}

// fillKingLong fills in the one-page form as a visitor.
func (w town) fillKingLong(tab *chromium.Tab) {
	w.t.Helper()
	tab.Press("立即办理").At("/fill/form")                                                                                                   // req: K4
	tab.See("产品规格", "经办人信息", "单位信息", "授权书", "收件信息", "发票信息")                                                                              // req: K5
	tab.PressIn("aside", "提交信息").Await("what is missing is listed", `document.querySelectorAll("[data-error-summary] li").length >= 10`) // req: K6
	equal(w.t, "years offered", "1", tab.Eval(`Array.from(document.querySelectorAll("[name=term]")).map((e) => e.value).join(" ")`))     // req: K7
	tab.PressAt(`[data-quantity] [data-by="1"]`).PressAt(`[data-quantity] [data-by="-1"]`)                                               // req: K8
	equal(w.t, "quantity", "1", tab.Value("quantity"))
	tab.Choose("eligible", "yes")                                                                  // req: K1
	tab.Fill("agent_name", klPerson, "mobile", klMobile, "email", "wrong@example.com")             // req: K9 K10 K11
	tab.Fill("id_type", "resident_id", "id_no", klID)                                              // req: K12
	tab.Upload("id_front", w.save("front.png.jpg", program.Picture(w.t, klPerson+" 居民身份证 演示 正面"))) // req: K13
	w.byPhone(tab, "id_back", program.Picture(w.t, "居民身份证 演示 反面 国徽面"))                             // req: K13 K14
	tab.Fill("org_name", klCompany, "org_type", "company", "industry", "auto_parts")               // req: K15 K16 K18
	tab.See("非三证合一").Type("org_code_any", "123456789").PressIn("aside", "提交信息")
	tab.Await("a wrong code is refused", `((document.querySelector("[data-field=org_code_any].has-error") || {}).innerText || "").includes("校验位")`) // req: K17
	tab.Type("org_code_any", klUSCC)                                                                                                                // req: K17
	tab.Upload("licence_image", w.save("licence.jpg", program.Picture(w.t, klCompany+" 营业执照 模糊")))                                                  // req: K19
	w.letterKingLong(tab)
	tab.Fill("ship_name", klPerson, "ship_mobile", klMobile, "ship_province", "福建省", "ship_city", "厦门市", "ship_county", "集美区", "ship_street", "演示路 2 号") // req: K24
	equal(w.t, "carriers", "sf", tab.Eval(`Array.from(document.querySelectorAll("[name=carrier]")).map((e) => e.value).join(" ")`))                      // req: K25
	tab.See("顺丰到付").Choose("carrier", "sf")                                                                                                              // req: K25
	equal(w.t, "an invoice by default", "yes", tab.Value("invoice_wanted"))                                                                              // req: K26
	equal(w.t, "title of the invoice", klCompany, tab.Value("invoice_title"))                                                                            // req: K27
	equal(w.t, "kinds of invoice", "e", tab.Eval(`Array.from(document.querySelectorAll("[name=invoice_kind]")).map((e) => e.value).join(" ")`))          // req: K2 K28
	if tab.Value("invoice_tax_no") == "" {
		tab.Type("invoice_tax_no", klUSCC)
	}
	tab.Type("invoice_email", "invoice@example.com")
	tab.Shot("kinglong-form")
	tab.PressIn("aside", "提交信息").At("/confirm$") // req: K30
}

// byPhone hands a picture in from a phone that scanned the tile's code.
func (w town) byPhone(tab *chromium.Tab, name string, picture []byte) {
	w.t.Helper()
	tile := "[data-field=" + name + "]"
	tab.PressAt(tile + " [data-phone]")
	code, err := qr.Decode(w.t.Context(), tab.Scan(tile+" .tile-phone svg"))
	if err != nil {
		w.t.Fatal(err)
	}
	tab.Shot("kinglong-phone-code")
	phone := w.person(chromium.Phone)
	phone.Open(code).See("拍照或选择图片").Shot("phone-upload")
	phone.Attach("[name=picture]", w.save("phone.jpg", picture))
	phone.See("上传成功")
	phone.Close()
	tab.Await("the phone's picture appears by itself", `document.querySelector(`+"`"+tile+".is-filled`"+`)`) // req: B36 K14
}

// letterKingLong downloads the letter and hands its stamped scan in; a grey copy is refused.
func (w town) letterKingLong(tab *chromium.Tab) {
	w.t.Helper()
	tab.See("加盖的公章需为企业实体公章")                                          // req: K23
	letter := w.read(tab.Download(func() { tab.Press("下载授权书 PDF") })) // req: K20
	tab.Upload("letter", w.save("grey.jpg", program.Printed(w.t, letter)))
	tab.Await("a grey copy is refused", `fold((document.querySelector("[data-field=letter] .checks .tone-danger") || {}).innerText).includes("彩色")`) // req: K21
	tab.Upload("letter", w.save("letter.jpg", program.Stamp(w.t, letter)))                                                                           // req: K21
	tab.See("二维码核对一致")                                                                                                                               // req: K22
}

// confirmKingLong checks the answers once more, cancels once, ticks the agreement and enters the code. It tells when the
// code was sent.
func (w town) confirmKingLong(tab *chromium.Tab) time.Time {
	w.t.Helper()
	tab.See("确认信息", klCompany, klPerson, "演示路 2 号", "¥260.00") // req: K31
	tab.Shot("kinglong-confirm")
	tab.PressIn("#confirm", "取消").At("/fill/form")
	equal(w.t, "what was typed is still there", klCompany, tab.Value("org_name")) // req: K32
	tab.PressIn("aside", "提交信息").At("/confirm$")
	tab.PressIn("aside", "确定").Await("the tick is demanded", `document.querySelector("[data-field=agree].has-error")`) // req: K33
	tab.Choose("agree", "yes").PressIn("aside", "确定").See("短信验证", "60 秒内有效", "138****8011")                            // req: K34 K35 K36
	since := now()
	tab.Press("获取验证码").Await("the button counts down", `/^\d+ 秒/.test(fold(document.querySelector("[data-countdown]").innerText))`)
	tab.Type("code", "000000").PressIn("main form", "提交订单").Await("a wrong code is refused", `document.querySelector("[data-field=code].has-error")`)
	sms := w.AwaitMessage(w.t, klMobile, since, func(m program.Message) bool { return m.Params["code"] != "" }) // req: K35
	if !strings.Contains(sms.Text, "60 秒") {
		w.t.Errorf("the message does not say how long its code lasts: %q", sms.Text) // req: K36
	}
	tab.Shot("kinglong-code")
	tab.Type("code", sms.Params["code"]).PressIn("main form", "提交订单").At("/pay$") // req: K30 K36
	return sms.At
}

func (w town) payKingLong(tab *chromium.Tab) string {
	w.t.Helper()
	tab.See("支付宝")
	for _, other := range []string{"微信支付", "银行汇款", "稍后支付"} {
		if tab.Offers(other) {
			w.t.Errorf("King Long offers %s", other) // req: K37
		}
	}
	tab.Shot("kinglong-pay")
	tab.Press("立即支付")
	w.payAtDemo(tab, "main a[href*='/demo-pay/t/']")                                 // req: K37
	tab.At("/paid$").See("等待审核").Press("查看订单").At("^/orders/[0-9a-f-]+$").See("审核中") // req: K38
	tab.Shot("kinglong-order")
	return w.number(tab)
}

// correctKingLong logs in by code on another machine, changes what was refused and nothing else, and hands in again.
func (w town) correctKingLong(first *chromium.Tab, number string, since, coded time.Time) {
	w.t.Helper()
	w.AwaitMessage(w.t, klMobile, since, func(m program.Message) bool {
		return strings.Contains(m.Text, "未通过审核") && strings.Contains(m.Text, "图片不清晰")
	}) // req: K46
	time.Sleep(time.Until(coded.Add(61 * time.Second))) // one code a minute
	tab := w.person(chromium.Desktop)
	tab.Open(w.URL("kinglong", "/orders")).At("^/login")
	if tab.Asks("password") {
		w.t.Error("King Long asks for a password") // req: K42
	}
	asked := now()
	tab.Type("mobile", klMobile).Press("获取验证码").See("验证码已发送")
	tab.Type("code", w.Code(w.t, klMobile, asked)).PressIn("main form", "登录").At("^/orders$") // req: K42
	tab.See(number, "立即修改").Shot("kinglong-orders")                                           // req: K43
	tab.PressIn("main table", number).See("电子邮件写错了", "图片不清晰").Shot("kinglong-rejected")       // req: K43 K44
	tab.Press("立即修改").At("/fill/form")                                                        // req: K44
	for _, locked := range []string{"org_name", "agent_name", "id_no", "ship_name", "quantity"} {
		if tab.Asks(locked) {
			w.t.Errorf("%s is open after a rejection that does not name it", locked) // req: K44
		}
	}
	tab.Type("email", "right@example.com").Upload("licence_image", w.save("licence2.jpg", program.Picture(w.t, klCompany+" 营业执照 清晰")))
	tab.Shot("kinglong-correct")
	tab.PressIn("aside", "重新提交审核").At("^/orders/[0-9a-f-]+$").See("审核中") // req: K44
	tab.Close()
	first.Reload().See("审核中")
}

// receiveKingLong finds the invoice where the guide says it is.
func (w town) receiveKingLong(tab *chromium.Tab, number string) {
	w.t.Helper()
	tab.Open(w.URL("kinglong", "/orders")).Press("已完成").See(number).Shot("kinglong-done") // req: K29
	tab.PressIn("main table", number).See("SF1234567890123", "查看物流")
	pdf := w.read(tab.Download(func() { tab.Press("下载发票") })) // req: K3 K29
	if string(pdf) != string(invoicePDF) {
		w.t.Errorf("the invoice is not what finance uploaded: %d bytes", len(pdf))
	}
	tab.Shot("kinglong-finished")
	old := w.person(chromium.Desktop)
	old.Open(w.URL("", "/certsaas_cloud_console/#/login")).See("我的订单", "厦门金龙客车") // req: K29
	old.Press("厦门金龙客车").At("/login|/orders")
}
