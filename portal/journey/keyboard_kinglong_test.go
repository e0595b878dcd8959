package journey

import (
	"testing"

	"certsaas/core/coretest/program"
	"certsaas/core/coretest/program/chromium"
)

// TestKeyboardKingLong goes the second guide's way from the printed address to the payment with a keyboard alone (WCAG 2.1.1,
// 2.4.3, 2.4.7, 3.3.1): Tab, Shift+Tab, Enter, Space and arrows. The focus is always to be seen and never lost: not when a tile
// takes a picture, not when a button cannot be pressed any more, not when a form comes back with something wrong. Only the
// files are given by the protocol, to the input that has the focus.
func TestKeyboardKingLong(t *testing.T) {
	t.Parallel()
	w, mobile := visit(t), "13800138082"
	tab := w.person(chromium.Desktop)
	tab.Open(w.URL("", "/createOrder?productCode=CERT272353"))
	h := tab.Hands().Fresh("^/s/kinglong-chugou")
	w.skips(tab, h)
	h.ToWords("立即办理").Press(chromium.KeyEnter).Fresh("/fill/form")
	w.typeSupplier(tab, h, mobile)
	w.typeWrongCode(tab, h)
	w.typePapers(tab, h)
	h.ToWords("提交信息").Press(chromium.KeyEnter).Fresh("/confirm$")
	w.typeConsent(tab, h, mobile)
	h.Fresh("/pay$").ToWords("立即支付").Press(chromium.KeyEnter)
	tab.Await("a code to scan", `document.querySelector("main svg path")`)
	h.Fresh("/pay")
	demo := tab.Popup(func() { h.ToWords("打开演示支付页").Press(chromium.KeyEnter) })
	demo.Hands().To("the button that pays", `words(e).startsWith("确认付款")`).Press(chromium.KeyEnter)
	demo.See("支付成功").Close()
	h.Fresh("/paid$").ToWords("查看订单状态").Press(chromium.KeyEnter).Fresh("^/orders/[0-9a-f-]+$")
	tab.See("审核中")
}

// typeSupplier fills in everything that is typed or chosen; the organisation's code has a wrong check digit.
func (w town) typeSupplier(tab *chromium.Tab, h *chromium.Hands, mobile string) {
	w.t.Helper()
	h.To("the button for one more", `e.matches("[data-by=\"1\"]")`).Press(chromium.KeySpace).Holds("the quantity", `e.closest("[data-quantity]")`)
	h.Back().Back().Press(chromium.KeySpace).Holds("the quantity, at its least", `e.closest("[data-quantity]")`)
	equal(w.t, "quantity", "1", tab.Value("quantity"))
	h.ToField("eligible").Press(chromium.KeySpace)
	h.Type("agent_name", klPerson, "mobile", mobile, "email", "keys@example.com").Pick("id_type", "resident_id").Type("id_no", klID)
	h.Type("org_name", klCompany).Pick("org_type", "company").Type("org_code_any", "123456789").Pick("industry", "auto_parts")
	h.Type("ship_name", klPerson, "ship_mobile", mobile).Pick("ship_province", "福建省").Type("ship_city", "厦门市", "ship_county", "集美区", "ship_street", "演示路 2 号")
	h.Pick("carrier", "sf").ToField("invoice_wanted").Type("invoice_email", "invoice@example.com")
}

// typeWrongCode sends the form with what is wrong with it: the list of it has the focus, its line leads to the field, and what
// was mended is not in the next list.
func (w town) typeWrongCode(tab *chromium.Tab, h *chromium.Hands) {
	w.t.Helper()
	send := func() {
		w.t.Helper()
		h.ToWords("提交信息").Press(chromium.KeyEnter)
		tab.Await("the form comes back", `document.readyState === "complete" && document.activeElement.matches("[data-error-summary]:not(.mended)")`)
		h.Fresh("/fill/form").Holds("the list of what is wrong", `e.matches("[data-error-summary]")`)
	}
	send()
	h.To("the line of the code", `e.closest("[data-error-summary]") && words(e).includes("校验位")`).Press(chromium.KeyEnter)
	h.Holds("the field the line leads to", `e.name === "org_code_any"`)
	h.Fresh("").Back().Type("org_code_any", klUSCC)
	tab.Await("the field is not marked any more", `!document.querySelector("[data-field=org_code_any].has-error")`)
	send()
	if tab.Is(`document.querySelector("[data-field=org_code_any].has-error")`) {
		w.t.Error("the mended code is refused")
	}
	equal(w.t, "what was typed is there still", klCompany, tab.Value("org_name"))
}

// typePapers hands the pictures in, one of them after asking for a phone's code and going on without, and the letter.
func (w town) typePapers(tab *chromium.Tab, h *chromium.Hands) {
	w.t.Helper()
	w.handIn(tab, h, "id_front", program.Picture(w.t, klPerson+" 居民身份证 演示 正面 键盘"))
	h.To("the button for a phone", `e.matches("[data-phone]") && e.closest("[data-field=id_back]")`).Press(chromium.KeyEnter)
	tab.Await("a code for the phone", `document.querySelector("[data-field=id_back] .tile-phone svg")`)
	h.Holds("the tile that shows the code", `e.closest("[data-field=id_back]")`).Back()
	w.handIn(tab, h, "id_back", program.Picture(w.t, "居民身份证 演示 反面 键盘"))
	w.handIn(tab, h, "licence_image", program.Picture(w.t, klCompany+" 营业执照 演示 键盘"))
	h.ToWords("下载授权书 PDF")
	letter := w.read(tab.Download(func() { h.Press(chromium.KeyEnter) }))
	h.Holds("the button that gave the letter", `words(e) === "下载授权书 PDF"`)
	w.handIn(tab, h, "letter", program.Printed(w.t, letter))
	h.Back()
	w.handIn(tab, h, "letter", program.Stamp(w.t, letter))
	tab.See("二维码核对一致")
}

// handIn goes to a tile's input and gives it a file: the tile is made anew around the focus.
func (w town) handIn(tab *chromium.Tab, h *chromium.Hands, name string, picture []byte) {
	w.t.Helper()
	in := `e.type === "file" && e.closest("[data-field=` + name + `]")`
	h.To("the input of "+name, in)
	tab.Upload(name, w.save(name+".jpg", picture))
	h.Holds("the input of "+name+", which has a picture now", in)
}

// typeConsent agrees after having forgotten to, and mistypes the code once.
func (w town) typeConsent(tab *chromium.Tab, h *chromium.Hands, mobile string) {
	w.t.Helper()
	h.ToWords("确定").Press(chromium.KeyEnter).Fresh("/confirm$")
	h.Holds("the list of what is wrong", `e.matches("[data-error-summary]")`)
	h.To("its line", `e.closest("[data-error-summary]")`).Press(chromium.KeyEnter)
	h.Holds("the box to tick", `e.name === "agree"`).Press(chromium.KeySpace).ToWords("确定").Press(chromium.KeyEnter)
	tab.See("短信验证")
	since := now()
	h.Fresh("").ToWords("获取验证码").Press(chromium.KeyEnter)
	tab.See("验证码已发送")
	h.Holds("the field for the code", `e.name === "code"`)
	code := w.Code(w.t, mobile, since)
	wrong := string('0'+(code[0]-'0'+1)%10) + code[1:]
	h.Back().Type("code", wrong).Press(chromium.KeyEnter)
	tab.Await("a wrong code is refused", `document.querySelector("[data-field=code].has-error")`)
	h.Fresh("").Holds("the list of what is wrong", `e.matches("[data-error-summary]")`)
	h.Type("code", code).Press(chromium.KeyEnter)
}
