package journey

import (
	"strings"
	"testing"

	"certsaas/core/coretest/program"
	"certsaas/core/coretest/program/chromium"
)

// firstPage is a page where somebody arrives: whose it is, and what leads on from it.
type firstPage struct {
	name, slug, path string
	next             string // words of the main button
}

var firstPages = []firstPage{
	{"byd-entry", "byd", "/s/byd-gqgx", "注册并办理"},
	{"kinglong-entry", "kinglong", "/createOrder?productCode=CERT272353", "立即办理"},
	{"kinglong-renew-entry", "kinglong", "/s/kinglong-gengxin", ""},
	{"byd-home", "byd", "/", "注册并办理"},
	{"kinglong-home", "kinglong", "/", "企业电子钥匙初购"},
	{"platform-home", "", "/", ""},
	{"console-login", "console", "/login", "下一步"},
}

// lightest is what a first page may weigh with everything it brings, in bytes on the way (issue: ≤ 60 kB).
const lightest = 60_000

// TestFirstPages: where people arrive is light, and leads on without a line of JavaScript.
func TestFirstPages(t *testing.T) {
	t.Parallel()
	w := visit(t)
	tab := w.person(chromium.Desktop)
	for _, p := range firstPages {
		total, parts := tab.Weighs(w.URL(p.slug, p.path))
		if total > lightest || total < 5_000 {
			t.Errorf("%s weighs %d bytes:\n%s", p.name, total, strings.Join(parts, "\n"))
		}
		t.Logf("%s: %d bytes in %d parts", p.name, total, len(parts))
		if p.next == "" {
			continue
		}
		v := w.NewVisitor(t)
		v.Open(w.URL(p.slug, p.path)).Sees(p.next)
		switch {
		case p.slug == "console":
			v.Form("password").Set("login", "nobody").Set("password", "wrong").Press(p.next).Sees("登录名或密码不正确")
		case v.Page.Find("input[name=product]").Length() > 0:
			v.Form("product").Press(p.next).Sees("填写")
		default:
			if before := v.URL.String(); v.Follow(p.next).URL.String() == before {
				t.Errorf("%s: %s leads nowhere", p.name, p.next)
			}
		}
	}
}

// TestLooks opens what no journey passes: pages of people who are not logged in, and errors.
func TestLooks(t *testing.T) {
	t.Parallel()
	w := visit(t)
	tab := w.person(chromium.Desktop)
	for _, p := range []firstPage{
		{name: "byd-home", slug: "byd", path: "/"}, {name: "kinglong-home", slug: "kinglong", path: "/"}, {name: "platform-home", path: "/"},
		{name: "byd-login-code", slug: "byd", path: "/login?by=code"}, {name: "kinglong-login", slug: "kinglong", path: "/login"},
		{name: "byd-password", slug: "byd", path: "/password"}, {name: "kinglong-renew-entry", slug: "kinglong", path: "/s/kinglong-gengxin"},
		{name: "byd-keyagent", slug: "byd", path: "/keyagent"}, {name: "kinglong-missing", slug: "kinglong", path: "/nothing-here"},
		{name: "byd-missing", slug: "byd", path: "/nothing-here"}, {name: "byd-agreement", slug: "byd", path: "/agreements/privacy"},
		{name: "byd-upload-gone", slug: "byd", path: "/u/none"}, {name: "byd-renew-unknown", slug: "byd", path: "/r/none"}, {name: "byd-verify", slug: "byd", path: "/v/BYD-1"},
		{name: "kinglong-guides", slug: "kinglong", path: "/guide"}, {name: "platform-orders", path: "/certsaas_cloud_console"}, {name: "platform-old-portal", path: "/certsaas_cloud_portal"},
		{name: "platform-missing", path: "/nothing-here"}, {name: "console-login", slug: "console", path: "/login"}, {name: "console-missing", slug: "console", path: "/nothing-here"},
	} {
		tab.Open(w.URL(p.slug, p.path)).Shot(p.name)
	}
	tab.Open(w.URL("byd", "/login")).Fill("mobile", "138", "password", "x").PressIn("main form", "登录")
	tab.Await("the page says what is wrong", `document.querySelector("[data-error-summary]")`).Shot("byd-login-wrong")
	tab.Type("password", "typed").Press("显示密码").Await("the password can be read", `field("password").type === "text"`)
	tab.Press("隐藏密码").Await("the password is hidden again", `field("password").type === "password" && field("password").value === "typed"`)
	for _, p := range []firstPage{{name: "byd-entry-en", slug: "byd", path: "/s/byd-gqgx?lang=en"}, {name: "kinglong-entry-en", slug: "kinglong", path: "/s/kinglong-chugou?lang=en"}} {
		tab.Open(w.URL(p.slug, p.path)).See("Price").Shot(p.name)
	}
}

// TestConsoleLooks opens every page of the rail, by day and in the dark, as each of the staff who have pages of their own.
func TestConsoleLooks(t *testing.T) {
	t.Parallel()
	w := visit(t)
	seen := map[string]bool{}
	for _, login := range []string{"admin", "onboarding", "finance2", "auditor"} {
		tab := w.clerk(login)
		for _, path := range strings.Fields(tab.Eval(`Array.from(document.querySelectorAll(".rail li a")).map((a) => a.pathname).join(" ")`)) {
			if seen[path] {
				continue
			}
			seen[path] = true
			tab.Open(w.URL("console", path)).Shot("console-" + login + strings.ReplaceAll(path, "/", "-"))
		}
		if login == "onboarding" {
			tab.Open(w.URL("console", "/tenants")).PressIn("main table", "比亚迪").At("^/tenants/").Shot("console-tenant")
		}
		tab.Close()
	}
	if len(seen) < 8 {
		t.Errorf("the rails lead to %d pages only: %v", len(seen), seen)
	}
}

// TestKeyboardBYD goes from the printed address to the payment with a keyboard alone (WCAG 2.1.1, 2.4.3, 2.4.7): Tab, Shift+Tab,
// Enter, Space and arrows. Only the files are given by the protocol: no test can type into the system's own window.
func TestKeyboardBYD(t *testing.T) {
	t.Parallel()
	w, mobile := visit(t), "13800138081"
	tab := w.person(chromium.Desktop)
	tab.Open(w.URL("", "/s/byd-gqgx"))
	h := tab.Hands().Fresh("^/s/byd-gqgx")
	w.skips(tab, h)
	h.ToWords("注册并办理").Press(chromium.KeyEnter).Fresh("^/register")
	h.Type("mobile", mobile)
	since := now()
	h.ToWords("获取验证码").Press(chromium.KeyEnter)
	tab.See("验证码已发送")
	tab.Await("the focus is where the code goes", `document.activeElement.name === "code"`)
	code := w.Code(t, mobile, since)
	h.Back().Type("code", code, "password", bydPassword).ToField("agree").Press(chromium.KeySpace)
	h.ToWords("注册").Press(chromium.KeyEnter)
	tab.See("注册成功")
	h.Fresh("").ToWords("立即登录").Press(chromium.KeyEnter).Fresh("^/login")
	h.Type("mobile", mobile, "password", bydPassword).Press(chromium.KeyEnter).Fresh("^/s/byd-gqgx") // Enter sends a form
	h.ToWords("立即办理").Press(chromium.KeyEnter).Fresh("/fill/form")
	w.typeForm(tab, h, mobile)
	w.typeProof(tab, h)
	h.Pick("channel", "wechat").ToWords("确认付款").Press(chromium.KeyEnter)
	tab.Await("a code to scan", `document.querySelector("main svg path")`)
	h.Fresh("/pay").ToWords("打开演示支付页")
	w.payAtDemo(tab, "main a[href*='/demo-pay/t/']")
	h.Fresh("/paid$").ToWords("查看订单状态").Press(chromium.KeyEnter).Fresh("^/orders/[0-9a-f-]+$")
	tab.See("审核中")
}

// skips: the first press of Tab offers to skip what every page repeats (WCAG 2.4.1).
func (w town) skips(tab *chromium.Tab, h *chromium.Hands) {
	w.t.Helper()
	h.To("the link past the head", `e.matches(".skip") && e.getBoundingClientRect().top >= 0`).Press(chromium.KeyEnter)
	tab.Await("the focus is in the main part", `document.activeElement.id === "main"`)
	h.To("the first link of the main part", `e.closest("main")`)
	tab.Reload()
	h.Fresh("")
}

// typeForm: an empty form comes back with the list of what is missing in focus, whose lines lead to the fields.
func (w town) typeForm(tab *chromium.Tab, h *chromium.Hands, mobile string) {
	w.t.Helper()
	h.ToField("org_name").Press(chromium.KeyEnter)
	tab.Await("the list of what is missing has the focus", `document.activeElement.matches("[data-error-summary]")`)
	h.Fresh("/fill/form").ToWords("请填写企业名称").Press(chromium.KeyEnter)
	tab.Await("the line leads to its field", `document.activeElement.name === "org_name"`)
	tab.Reload()
	h.Fresh("/fill/form").ToField("eligible").Press(chromium.KeySpace).Pick("org_nature", "company")
	h.Type("org_name", bydCompany).Pick("industry", "auto_sales").Type("agent_name", "周演示", "email", "keys@example.com", "landline", "010-50947500")
	h.Pick("post", "sales").Type("dealer_code", "3234567890").Pick("carrier", "sto").Type("ship_name", "周演示", "ship_mobile", mobile)
	h.Pick("ship_province", "广东省").Type("ship_city", "深圳市", "ship_county", "坪山区", "ship_street", "演示路 8 号")
	tab.Await("nothing is marked any more", `!document.querySelector("main .has-error") && !document.querySelector("[data-error-summary] a:not(.mended)")`)
	h.ToWords("下一步").Press(chromium.KeyEnter).Fresh("/fill/realname")
}

// typeProof hands the licence and the letter in. The inputs for files take the focus and show it.
func (w town) typeProof(tab *chromium.Tab, h *chromium.Hands) {
	w.t.Helper()
	h.Pick("merged", "yes").Type("uscc", bydUSCC)
	w.handIn(tab, h, "licence_image", program.Picture(w.t, bydCompany+" 营业执照 演示 键盘"))
	h.ToWords("下载授权书 PDF")
	letter := w.read(tab.Download(func() { h.Press(chromium.KeyEnter) }))
	w.handIn(tab, h, "letter", program.Stamp(w.t, letter))
	tab.See("二维码核对一致")
	h.ToWords("提交信息").Press(chromium.KeyEnter).Fresh("/pay$")
}
