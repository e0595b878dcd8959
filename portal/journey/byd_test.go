package journey

import (
	"strings"
	"testing"
	"time"

	"certsaas/core/coretest/program"
	"certsaas/core/coretest/program/chromium"
)

// The demonstration dealer: his key of last year lies in the demonstration's key agent (core/platform/demo.go).
const (
	bydMobile   = "13800138000"
	bydPassword = "demo-Dealer-2026"
	bydCompany  = "演示汽车销售（深圳）有限公司"
	bydUSCC     = "92440300MA5FGH1265"
	bydPIN      = "12345678"
	bydToken    = "BYD-DEMO"
)

// TestBYDRenewal goes the whole way of the first guide: from the short link to the renewed certificate inside the key.
func TestBYDRenewal(t *testing.T) {
	t.Parallel()
	w := visit(t)
	dealer := w.person(chromium.Desktop)
	w.enterBYD(dealer)
	w.loginBYD(dealer, bydMobile)
	w.beginBYD(dealer)
	w.fillBYD(dealer, bydMobile)
	w.proveBYD(dealer)
	number := w.payBYD(dealer)
	started := now()
	w.approve(number)
	_, old := w.one(bydToken)
	w.installBYD(dealer, started)
	id, fresh := w.one(bydToken) // the old pair is gone
	if fresh.Equal(old) {
		t.Fatal("the key still holds the old certificate")
	}
	if days := fresh.NotAfter.Sub(fresh.NotBefore).Hours() / 24; days < 365 || days > 367 {
		t.Errorf("the new certificate holds for %.0f days", days) // req: B2
	}
	equal(t, "organisation", bydCompany, strings.Join(fresh.Subject.Organization, " "))
	w.provesItself(bydToken, id, fresh) // req: B57
	w.chainHolds(fresh)
	w.revoked(old) // superseded
}

// beginBYD begins an order, or goes on with the one that the scheduler has opened for a key that ended.
func (w town) beginBYD(tab *chromium.Tab) {
	w.t.Helper()
	start := "立即办理"
	if tab.Offers("继续填写") {
		start = "继续填写"
	}
	tab.Press(start).At("^/orders/[^/]+/fill/form") // req: B13
}

// enterBYD opens the printed address and reads what a dealer must know before he orders.
func (w town) enterBYD(tab *chromium.Tab) {
	w.t.Helper()
	tab.Open(w.URL("", "/s/byd-gqgx"))
	tab.At("^/s/byd-gqgx")                                 // req: B12
	tab.See("北京天威诚信电子商务服务有限公司", "比亚迪唯一指定")                 // req: B1
	tab.See("USBKEY 有效期为一年，过期之后将无法再使用", "1 年")             // req: B2 B3
	tab.See("适用于比亚迪代理商平台所有 USBKEY 过期之后，需继续使用 USBKEY 的代理商") // req: B5
	tab.See("确认仍具有比亚迪代理商平台代理商资格")                          // req: B7
	tab.See("重要提示", "IE8、9、10、11", "Edge、Chrome")          // req: B11
	tab.See("¥200.00")
	tab.Shot("byd-entry")
	tab.Press("阅读办理须知") // req: B6
	tab.At("^/guide/")
	w.readBYDGuide(tab)
	tab.Open(w.URL("byd", "/s/byd-gqgx"))
}

// readBYDGuide checks the guide's words.
func (w town) readBYDGuide(tab *chromium.Tab) {
	w.t.Helper()
	tab.See("指导比亚迪代理商平台正确更新、管理和使用 USBKEY")      // req: B4
	tab.See("增值税电子普通发票", "具有同等法律效力", "自行下载打印")  // req: B8
	tab.See("增值税普通发票", "一个月内快递", "申通")          // req: B9
	tab.See("填写信息", "实名认证", "支付", "审核", "下载证书") // req: B10
	tab.See("真实、准确、完整的信息", "及时通知天威诚信")          // req: B63
	tab.See("规定的范围内正确地使用", "马上拔下")              // req: B64
	tab.See("禁止摔或使用硬物砸")                        // req: B65
	tab.See("妥善保管", "公章使用规范和管理规定", "禁止私自借给他人")  // req: B66
	tab.See("损毁、丢失、泄露", "将 USBKEY 注销，并申请补办")    // req: B67
	tab.See("即将到期时，应主动联系天威诚信")                  // req: B68
	tab.See("不得将 USBKEY 用于违法、犯罪活动")             // req: B69
	tab.See("QQ 公众号 400-666-3999")              // req: B61 B70
	tab.See("天威诚信客户服务部")                        // req: B60
	tab.See("customer-service@itrus.com.cn")    // req: B62
	tab.Shot("byd-guide")
}

// loginBYD logs a dealer in who has an account.
func (w town) loginBYD(tab *chromium.Tab, mobile string) {
	w.t.Helper()
	tab.Press("已有账户，去登录").At("^/login")
	tab.Fill("mobile", mobile, "password", bydPassword)
	tab.Shot("byd-login")
	tab.PressIn("main form", "登录") // req: B15
	tab.At("^/s/byd-gqgx")         // where he wanted to go
}

// registerBYD makes a dealer's account and logs him in.
func (w town) registerBYD(tab *chromium.Tab, mobile string) {
	w.t.Helper()
	tab.Press("注册并办理").At("^/register")
	tab.See("请务必填写真实有效的手机号") // req: B14
	tab.Type("mobile", "1380013800").Press("获取验证码")
	tab.Await("a number that is none is refused", `document.querySelector("[data-said].field-error")`) // req: B14
	since := now()
	tab.Type("mobile", mobile).Press("获取验证码").See("验证码已发送")
	tab.Fill("code", w.Code(w.t, mobile, since), "password", bydPassword)
	tab.Shot("byd-register")
	tab.Choose("agree", "yes")
	tab.PressIn("main form", "注册")
	tab.See("注册成功").Press("立即登录").At("^/login") // req: B13 B15
	tab.Fill("mobile", mobile, "password", bydPassword)
	tab.PressIn("main form", "登录")
	tab.At("^/s/byd-gqgx") // where he wanted to go
}

// fillBYD fills in the first page of the form: its four groups.
func (w town) fillBYD(tab *chromium.Tab, mobile string) {
	w.t.Helper()
	tab.See("企业信息", "代理人信息", "配送信息", "发票信息")                                                                    // req: B16
	equal(w.t, "choices of the term", "1", tab.Eval(`String(document.querySelectorAll("[name=term]").length)`)) // req: B18
	equal(w.t, "natures of an organisation", "企业 个人 国家机关/事业单位",
		tab.Eval(`Array.from(document.querySelectorAll("[name=org_nature]")).map((e) => fold(e.closest("label").innerText)).join(" ")`)) // req: B22
	w.starsAreMandatory(tab)
	w.quantityBYD(tab)
	tab.Choose("eligible", "yes")                                                                             // req: B7
	tab.Choose("org_nature", "company").Fill("org_name", bydCompany, "industry", "auto_sales")                // req: B20 B21
	tab.Fill("agent_name", "王演示", "email", "dealer@example.com", "landline", "010-50947500", "post", "sales") // req: B23 B25
	equal(w.t, "the mobile is the registered one", mobile, tab.Value("mobile"))                               // req: B24
	if tab.Asks("mobile") {
		w.t.Error("the registered mobile can be changed") // req: B24
	}
	tab.See("前十位").Type("dealer_code", "1234567890")                                                                                    // req: B26
	equal(w.t, "carriers", "sto sf", tab.Eval(`Array.from(document.querySelectorAll("[name=carrier]")).map((e) => e.value).join(" ")`)) // req: B27
	tab.See("费用由天威诚信承担", "费用由客户承担")                                                                                                     // req: B28 B29
	tab.Choose("carrier", "sto")
	tab.Fill("ship_name", "王演示", "ship_mobile", mobile, "ship_province", "广东省", "ship_city", "深圳市", "ship_county", "坪山区",
		"ship_street", "演示路 1 号")
	w.invoiceBYD(tab)
	tab.Shot("byd-form")
	tab.PressIn("aside", "下一步").At("/fill/realname") // req: B33
}

// starsAreMandatory sends the empty page and reads what it asks for.
func (w town) starsAreMandatory(tab *chromium.Tab) {
	w.t.Helper()
	tab.See("*")
	tab.PressIn("aside", "下一步")
	tab.Await("the page lists what is missing", `document.querySelector("[data-error-summary]")`)
	missing := tab.Eval(`Array.from(document.querySelectorAll("main .field")).filter((f) => seen(f) && f.querySelector(".star") && f.querySelector("input:not([type=hidden]),select")).filter((f) => {
		const e = f.querySelector("input:checked") || f.querySelector("input:not([type=radio]):not([type=checkbox]),select"); return !(e && e.value) && !f.classList.contains("has-error"); }).map((f) => f.dataset.field).join(" ")`)
	equal(w.t, "starred fields left empty without an objection", "", missing) // req: B17
	if at := tab.Path(); !strings.Contains(at, "/fill/form") {
		w.t.Errorf("an empty page led on to %s", at) // req: B17
	}
}

// quantityBYD presses + and −; the price follows.
func (w town) quantityBYD(tab *chromium.Tab) {
	w.t.Helper()
	tab.PressAt(`[data-quantity] [data-by="1"]`)
	equal(w.t, "quantity after +", "2", tab.Value("quantity")) // req: B19
	tab.Await("the price follows", `document.querySelector("aside").innerText.includes("400.00")`)
	tab.PressAt(`[data-quantity] [data-by="-1"]`)
	equal(w.t, "quantity after −", "1", tab.Value("quantity")) // req: B19
	tab.Await("the price follows", `document.querySelector("aside").innerText.includes("200.00") && !document.querySelector("aside").innerText.includes("400.00")`)
}

// invoiceBYD asks for a paper invoice.
func (w town) invoiceBYD(tab *chromium.Tab) {
	w.t.Helper()
	equal(w.t, "an invoice by default", "no", tab.Value("invoice_wanted")) // req: B30
	if tab.Asks("invoice_title") {
		w.t.Error("invoice fields show before an invoice is wanted") // req: B30
	}
	tab.Choose("invoice_wanted", "yes")
	tab.Await("the title is the company's name", `field("invoice_title").value === `+"`"+bydCompany+"`") // req: B31
	equal(w.t, "kind by default", "e", tab.Value("invoice_kind"))                                        // req: B32
	tab.Choose("invoice_kind", "paper").Type("invoice_tax_no", bydUSCC)                                  // req: B32
}

// proveBYD goes through the identity page: company check, letter, upload.
func (w town) proveBYD(tab *chromium.Tab) {
	w.t.Helper()
	tab.See("企业信息认证", "实名认证授权书")                                                                // req: B34
	equal(w.t, "the company's name is carried over", bydCompany, tab.Value("org_name_licence")) // req: B38
	if tab.Asks("org_name_licence") {
		w.t.Error("the carried-over name can be changed") // req: B38
	}
	w.branchesBYD(tab)
	tab.Choose("merged", "yes")
	if tab.Value("uscc") != bydUSCC {
		tab.Type("uscc", bydUSCC) // req: B40
	}
	w.uploadsBYD(tab)
	w.letterBYD(tab)
	tab.Shot("byd-realname")
	tab.PressIn("aside", "提交信息").At("/orders/[^/]+/pay") // req: B46
}

// branchesBYD looks at both sides of 三证合一.
func (w town) branchesBYD(tab *chromium.Tab) {
	w.t.Helper()
	tab.Choose("merged", "no")                                                                                                                                                      // req: B39
	tab.Await("the old codes are asked", `seen(field("reg_no")) && seen(field("org_code")) && seen(document.querySelector("[data-field=org_code_image]")) && !seen(field("uscc"))`) // req: B42
	tab.Type("reg_no", "44030010000000").Type("org_code", "12345678").PressIn("aside", "提交信息")
	tab.Await("wrong lengths are refused", `["reg_no", "org_code"].every((n) => document.querySelector("[data-field=" + n + "].has-error"))`) // req: B42
	tab.Choose("merged", "yes")                                                                                                               // req: B39
	tab.Await("the credit code is asked", `seen(field("uscc")) && !seen(field("reg_no"))`)                                                    // req: B37 B40
	tab.Type("uscc", bydUSCC[:17]).PressIn("aside", "提交信息")
	tab.Await("a short credit code is refused", `document.querySelector("[data-field=uscc].has-error")`) // req: B40
	tab.Type("uscc", bydUSCC)
}

// uploadsBYD hands the licence in: wrong kinds first.
func (w town) uploadsBYD(tab *chromium.Tab) {
	w.t.Helper()
	licence := program.Picture(w.t, bydCompany+" 营业执照 演示")
	if said := tab.Refused("licence_image", w.save("licence.gif", []byte("GIF89a"))); !strings.Contains(said, "JPG") {
		w.t.Errorf("a GIF: %q", said) // req: B35
	}
	big := append(append([]byte{}, licence...), make([]byte, 2<<20)...)
	if said := tab.Refused("licence_image", w.save("big.png", append([]byte("\x89PNG\r\n\x1a\n"), big...))); !strings.Contains(said, "大小限制") {
		w.t.Errorf("more than 2 MB: %q", said) // req: B41
	}
	tab.See("不超过 2M")                                            // req: B41
	tab.Upload("licence_image", w.save("licence.jpeg", licence)) // req: B35 B40
}

// letterBYD downloads the letter, has it sealed and hands it in; one that was changed on the way is refused.
func (w town) letterBYD(tab *chromium.Tab) {
	w.t.Helper()
	tab.See("信息不可更改，更改后的信息无效") // req: B45
	path := tab.Download(func() { tab.Press("下载授权书 PDF") })
	letter := w.read(path)
	if !strings.HasPrefix(string(letter), "%PDF-") {
		w.t.Fatalf("%s is no PDF", path) // req: B43
	}
	w.printOnline(tab)
	tab.At("/fill/realname")
	tab.Upload("letter", w.save("letter.jpg", program.Stamp(w.t, letter))) // req: B44
	tab.See("二维码核对一致")                                                     // req: B45
}

// printOnline has the browser show the letter itself, to be printed from there.
func (w town) printOnline(tab *chromium.Tab) {
	w.t.Helper()
	if !tab.Offers("在线打印") {
		w.t.Error("the letter cannot be printed online") // req: B43
	}
	a := tab.Fetch(strings.Split(tab.Path(), "/fill")[0] + "/letter/print")
	if a.Status != 200 || a.Type != "application/pdf" || !strings.HasPrefix(a.Disposition, "inline") || !strings.HasPrefix(a.Start, "%PDF-") {
		w.t.Errorf("print online: %+v", a) // req: B43
	}
}

// payBYD pays with Alipay at the demonstration's payment company, and gives the order's number.
func (w town) payBYD(tab *chromium.Tab) string {
	w.t.Helper()
	tab.See("支付宝", "微信", "银行汇款") // req: B47
	tab.Shot("byd-pay")
	tab.Choose("channel", "alipay").Press("确认付款") // req: B48
	tab.Await("a code to scan", `document.querySelector("main svg path")`)
	tab.Shot("byd-pay-code")
	w.payAtDemo(tab, "main a[href*='/demo-pay/t/']")
	tab.At("/orders/[^/]+/paid").See("等待审核") // req: B52
	tab.Shot("byd-paid")
	tab.Press("查看订单").At("^/orders/[0-9a-f-]+$") // req: B52
	tab.Shot("byd-order")
	return w.number(tab)
}

// payAtDemo scans the code: the payer's phone opens the payment company's page and confirms.
func (w town) payAtDemo(tab *chromium.Tab, link string) {
	w.t.Helper()
	phone := w.person(chromium.Phone)
	phone.Open(tab.Eval(`document.querySelector(` + "`" + link + "`" + `).href`))
	phone.See("确认付款").Press("确认付款").See("支付成功")
	phone.Close()
}

// number is the order number that the page names.
func (w town) number(tab *chromium.Tab) string {
	w.t.Helper()
	n := tab.Eval(`(document.querySelector("h1").innerText.match(/[A-Z0-9][A-Z0-9-]{9,}/) || [""])[0]`)
	if n == "" {
		w.t.Fatalf("no order number in %q", tab.Text())
	}
	return n
}

// installBYD reads the SMS, opens the order and downloads the certificate into the key, with one wrong PIN on the way.
func (w town) installBYD(tab *chromium.Tab, since time.Time) {
	w.t.Helper()
	sms := w.AwaitMessage(w.t, bydMobile, since, func(m program.Message) bool { return strings.Contains(m.Text, "审核通过") })
	if sms.Channel != "sms" {
		w.t.Errorf("approval by %s", sms.Channel) // req: B54
	}
	tab.Open(w.URL("byd", "/orders"))
	tab.See("下载证书").Shot("byd-orders")                                // req: B55
	tab.PressIn("main table tbody", "下载证书").At("^/orders/[0-9a-f-]+") // req: B56
	if !strings.Contains(tab.Path(), "/key/") {
		tab.Press("下载证书")
	}
	tab.At("/key/").Shot("byd-key")
	keys.Lock() // one PIN window at a time, as on one desk
	defer keys.Unlock()
	tab.PressIn("[data-panel=start]", "下载证书") // req: B57
	pin := w.pinWindow(tab)
	pin.PressAt("button[value=cancel]").See("未完成")
	pin.Close()
	tab.See("没有成功，可以重试").Shot("byd-key-failed")
	tab.PressIn("[data-panel=failed]", "重试") // req: B59
	pin = w.pinWindow(tab)
	pin.See("请输入 USBKEY 口令", w.URL("byd", "")).Shot("agent-pin")
	pin.Type("pin", "00000000").PressAt("button[value=ok]")
	pin.See("口令错误")
	tab.Await("the page counts the tries left", `!document.querySelector("[data-pin-wrong]").hidden`)
	tab.Shot("byd-key-wrong-pin")
	pin.Type("pin", bydPIN).PressAt("button[value=ok]") // req: B57
	pin.See("口令正确")
	pin.Close()
	tab.See("成功").Shot("byd-key-success") // req: B58
}

// pinWindow opens the key agent's own window from the link on the key page.
func (w town) pinWindow(tab *chromium.Tab) *chromium.Tab {
	w.t.Helper()
	tab.Await("the agent asks for the PIN", `document.querySelector("[data-key-page]").dataset.state === "pin" && document.querySelector("[data-window] a").href.includes("/pin/")`)
	pin := tab.NewTab(chromium.Desktop)
	return pin.Open(tab.Eval(`document.querySelector("[data-window] a").href`))
}
