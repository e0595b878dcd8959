package journey

import (
	"strings"
	"sync"
	"time"

	"github.com/pquerna/otp/totp"

	"certsaas/core/coretest/program"
	"certsaas/core/coretest/program/chromium"
	"certsaas/core/platform"
)

// factors remembers the time step of the last second factor of each log-in of each program: a code counts once, and none
// counts after a later one.
var factors sync.Map // Dir and log-in → *factor

type factor struct {
	sync.Mutex
	last int64
}

const step = 30 * time.Second

// factor gives use a second factor of a log-in that nobody used. It waits when three have gone within a moment.
func (w town) factor(login string, use func(code string)) {
	w.t.Helper()
	kept, _ := factors.LoadOrStore(w.Dir+" "+login, &factor{})
	f := kept.(*factor)
	f.Lock()
	defer f.Unlock()
	n := (w.Now().Unix() - 15) / 30   // the step before only while it counts for another fifteen seconds
	if f.last >= n && f.last < n+10 { // otherwise it was used at another time
		n = f.last + 1
	}
	for w.Now().Unix()/30 < n-1 { // the server takes the code of the step before and of the one after, too
		time.Sleep(100 * time.Millisecond)
	}
	f.last = n
	code, err := totp.GenerateCode(platform.DemoSecret(login), time.Unix(n*int64(step/time.Second), 0))
	if err != nil {
		w.t.Fatal(err)
	}
	use(code)
}

// clerk is a member of the CA's staff at a browser, logged in with both factors.
func (w town) clerk(login string) *chromium.Tab {
	w.t.Helper()
	tab := w.person(chromium.Desktop)
	tab.Open(w.URL("console", "/")).At("^/login")
	tab.Fill("login", login, "password", platform.DemoStaffPassword).Press("下一步").At("^/login/code")
	w.factor(login, func(code string) { tab.Type("code", code).Press("进入工作台").At("^/$") })
	return tab
}

// desks are the staff who work without scripts, one session for each program and log-in in the whole run.
var desks = struct {
	sync.Mutex
	of map[string]*program.Visitor
}{of: map[string]*program.Visitor{}}

// desk is a member of the staff without scripts. act has the desk to itself.
func (w town) desk(login string, act func(v *program.Visitor)) {
	w.t.Helper()
	desks.Lock()
	defer desks.Unlock()
	at := w.Dir + " " + login
	v := desks.of[at]
	if v == nil {
		v = w.NewVisitor(w.t)
		v.Open(w.URL("console", "/login"))
		v.Form("password").Set("login", login).Set("password", platform.DemoStaffPassword).Press("")
		w.factor(login, func(code string) { v.Form("code").Set("code", code).Press("").Sees("待办") })
		desks.of[at] = v
	}
	act(v.As(w.t))
}

// queue opens a list of the console again and again until it names an order: what the outbox brings takes a moment.
func (w town) queue(tab *chromium.Tab, address, number string) *chromium.Tab {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && !tab.Open(address).Shows(number); {
		time.Sleep(100 * time.Millisecond)
	}
	return tab.See(number)
}

// approve has the reviewer look at an order and let it pass: every point of the checklist is ticked first.
func (w town) approve(number string) {
	w.t.Helper()
	tab := w.clerk("reviewer")
	tab.Shot("console-home")
	w.queue(tab, w.URL("console", "/queue/review"), number).Shot("console-queue")
	tab.PressIn("main table", number).At("/review")
	tab.Shot("console-review")
	w.tickAll(tab)
	tab.PressIn("#verdict", "通过")
	tab.See("订单 " + number + " 审核通过")
}

// tickAll ticks the checklist.
func (w town) tickAll(tab *chromium.Tab) {
	w.t.Helper()
	ids := strings.Fields(tab.Eval(`Array.from(document.querySelectorAll("[name=check]")).map((e) => e.value).join(" ")`))
	if len(ids) == 0 {
		w.t.Error("the review desk has no checklist")
	}
	for _, id := range ids {
		tab.Choose("check", id)
	}
}

// reject sends an order back: what is wrong with which field.
func (w town) reject(number string, why map[string]string) {
	w.t.Helper()
	tab := w.clerk("reviewer")
	w.queue(tab, w.URL("console", "/queue/review"), number)
	tab.PressIn("main table", number).At("/review")
	for field, reason := range why {
		tab.Choose("reject", field).Type("reason."+field, reason)
	}
	tab.Shot("console-reject")
	tab.PressIn("#verdict", "退回修改").See("订单 " + number + " 已退回修改")
}

// secondLook reviews an order that came back: only what changed is shown.
func (w town) secondLook(number string) {
	w.t.Helper()
	tab := w.clerk("reviewer")
	w.queue(tab, w.URL("console", "/queue/review"), number)
	tab.PressIn("main table", number).At("/review").See("第 2 次审核", "上次不合格")
	if tab.Is(`document.querySelector("[data-fact=org_name]")`) {
		w.t.Error("the second look shows what did not change")
	}
	tab.Shot("console-second-look")
	w.tickAll(tab)
	tab.PressIn("#verdict", "通过").See("订单 " + number + " 审核通过")
}

// produce writes the certificate into a blank key at the producer's desk, through the key agent.
func (w town) produce(number string) {
	w.t.Helper()
	w.writeKey(w.clerk("producer"), number, klToken)
	id, cert := w.one(klToken) // req: K40
	equal(w.t, "organisation in the certificate", klCompany, strings.Join(cert.Subject.Organization, " "))
	if days := cert.NotAfter.Sub(cert.NotBefore).Hours() / 24; days < 365 || days > 367 {
		w.t.Errorf("the certificate holds for %.0f days", days) // req: K7
	}
	w.provesItself(klToken, id, cert)
	w.chainHolds(cert)
}

// ship hands the key to the courier.
func (w town) ship(number string, since time.Time) {
	w.t.Helper()
	tab := w.clerk("producer")
	w.queue(tab, w.URL("console", "/queue/shipping"), number)
	tab.PressIn("main table", number).At("/shipping").See("演示路 2 号")
	tab.Choose("carrier", "sf").Type("waybill", "SF1234567890123").Shot("console-shipping")
	tab.Press("确认发出").See("已发出")
	w.AwaitMessage(w.t, klMobile, since, func(m program.Message) bool {
		return strings.Contains(m.Text, "SF1234567890123") && strings.Contains(m.Text, number)
	}) // req: K40 K41 K47
}

var invoicePDF = program.InvoicePDF("Electronic invoice, demonstration, 260.00 CNY")

// uploadInvoice is finance's part: the invoice that the tax system made.
func (w town) uploadInvoice(number string) {
	w.t.Helper()
	tab := w.clerk("finance")
	w.queue(tab, w.URL("console", "/invoices"), number).Shot("console-invoices")
	tab.PressIn("main table", number).See(klCompany)
	tab.Fill("number", "26117000000123456789", "issued_on", time.Now().In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly))
	tab.Attach("input[type=file]", w.save("invoice.pdf", invoicePDF)).Shot("console-invoice")
	tab.Press("上传发票").See("的发票已上传")
}

// keys is the one PC that all keys of the demonstration are plugged into.
var keys sync.Mutex

// writeKey writes the certificate of an order into a blank key at the producer's desk, through the key agent; wrong PINs are
// typed first.
func (w town) writeKey(tab *chromium.Tab, number, token string, wrong ...string) {
	w.t.Helper()
	keys.Lock() // one PIN window at a time, as on one desk
	defer keys.Unlock()
	w.queue(tab, w.URL("console", "/queue/production"), number).Shot("console-production-queue")
	tab.PressIn("main table", number).At("/production").Press("开始写入")
	tab.Await("the blank keys are listed", `Array.from(document.querySelectorAll("[data-devices] button")).some((b) => b.innerText.includes("`+token+`"))`)
	tab.Shot("console-production")
	tab.PressIn("[data-devices]", token)
	tab.Await("the agent asks for the PIN", `(document.querySelector("[data-pin]:not([hidden]) a") || {href: ""}).href.includes("/pin/")`)
	pin := tab.NewTab(chromium.Desktop)
	pin.Open(tab.Eval(`document.querySelector("[data-pin] a").href`))
	for _, p := range wrong {
		pin.Type("pin", p).PressAt("button[value=ok]").See("口令错误")
	}
	pin.Type("pin", bydPIN).PressAt("button[value=ok]").See("口令正确")
	pin.Close()
	tab.See("请发货")
}
