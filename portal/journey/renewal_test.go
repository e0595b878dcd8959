package journey

import (
	"crypto/x509"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"certsaas/core/clock"
	"certsaas/core/coretest/program"
	"certsaas/core/coretest/program/chromium"
)

// TestBYDAndKingLongReminded lives two years in two minutes: a dealer and a supplier get their certificates; thirty days
// before the end both are reminded by SMS, follow the link, enter the code, confirm, pay and are approved, and the new
// certificate is in the key they hold, its end exactly a year after the old end; nobody is reminded any more.
// Its program is its own, and so is the clock of that. (issue 4 §4.5; req: B2 B5 B68 K53)
func TestBYDAndKingLongReminded(t *testing.T) {
	t.Parallel()
	w := town{program.Start(t, program.Options{Ahead: time.Until(morning(time.Now()))}), t}
	byd, supplier := w.firstBYD(), w.firstKingLong()
	w.move(daysBefore(byd.cert, 30))
	w.reminded(supplier, byd)
	there := w.atTheDoor(supplier)
	w.promiseKingLong(there)
	here := w.atTheDoor(byd)
	number := w.orderBYD(here, byd)
	w.approvePlain(number)
	w.renewed(here, w.URL("byd", "/orders"), byd)
	w.move(w.Now().Add(time.Minute + time.Second)) // one code a minute, and the door has had one
	number = w.orderKingLong(there)
	w.approvePlain(number)
	w.renewed(there, w.URL("kinglong", "/orders"), supplier)
	w.move(daysBefore(byd.cert, 7))
	w.silence(byd, supplier)
	w.Sound(t, 20*time.Second)
}

// A platform in service lives in the present.
func TestClockMovesInDemonstrationsOnly(t *testing.T) {
	t.Parallel()
	w := visit(t)
	for _, args := range [][]string{{"serve", "--ahead", "335d"}, {"serve", "--demo", "--ahead", "-1d"}} {
		said, code, err := w.Command(t.Context(), args...)
		if err != nil || code == 0 || !strings.Contains(said, "ahead") {
			t.Errorf("%v: exit %d, %v: %s", args, code, err, said)
		}
	}
}

// holder is somebody with a certificate in a key.
type holder struct {
	mobile, company, token string
	cert                   *x509.Certificate
	link                   string // of the reminder
}

// morning is ten o'clock in Shanghai of a working day, the next there is: nobody is disturbed at night, and at noon a test
// should do what it does at midnight.
func morning(after time.Time) time.Time {
	day := clock.CivilDate(after, clock.Shanghai)
	if !day.At(10, 0, clock.Shanghai).After(after) {
		day = day.AddDays(1)
	}
	return clock.China().NextWorkday(day).At(10, 0, clock.Shanghai)
}

// daysBefore is the first working morning on which so many days are left to a certificate, or fewer: reminders wait for it.
func daysBefore(c *x509.Certificate, days int) time.Time {
	return clock.China().NextWorkday(clock.ReminderDate(c.NotAfter, days)).At(10, 0, clock.Shanghai)
}

// move goes on at another time; the staff's sessions end on the way.
func (w town) move(to time.Time) {
	w.t.Helper()
	if err := w.Move(to); err != nil {
		w.t.Fatal(err)
	}
	desks.Lock()
	defer desks.Unlock()
	maps.DeleteFunc(desks.of, func(at string, _ *program.Visitor) bool { return strings.HasPrefix(at, w.Dir+" ") })
}

// firstBYD is the demonstration's dealer with this year's certificate, got without scripts but for the key.
func (w town) firstBYD() *holder {
	w.t.Helper()
	v := w.NewVisitor(w.t)
	v.Open(w.URL("", "/s/byd-gqgx")).Follow("已有账户，去登录").Form("password").Set("mobile", bydMobile).Set("password", bydPassword).Press("登录")
	if v.Has("继续填写") { // last year's key has ended: the scheduler opens its renewal within seconds
		v.Follow("继续填写")
	} else {
		v.Form("product").Press("立即办理")
	}
	if v.Has("修改信息") {
		v.Follow("修改信息")
	}
	v.Form("org_name").SetAll(map[string]string{
		"eligible": "yes", "org_nature": "company", "org_name": bydCompany, "industry": "auto_sales", "agent_name": "王演示", "email": "dealer@example.com",
		"landline": "010-50947500", "post": "sales", "dealer_code": "1234567890", "carrier": "sto", "ship_name": "王演示", "ship_mobile": bydMobile,
		"ship_province": "广东省", "ship_city": "深圳市", "ship_county": "坪山区", "ship_street": "演示路 1 号", "invoice_wanted": "no",
	}).Press("下一步").Sees("实名认证授权书")
	f := v.Form("merged").Set("merged", "yes").Set("uscc", bydUSCC)
	f.Attach("licence_image_file", program.File{Name: "licence.jpg", Data: program.Picture(w.t, bydCompany)})
	pdf := w.letter(f, v, v.URL.String())
	v.Form("merged").Attach("letter_file", program.File{Name: "letter.jpg", Data: program.Stamp(w.t, pdf)}).Press("提交信息").Sees("支付宝")
	v.Form("channel").Set("channel", "alipay").Press("确认付款")
	w.payPlain(v)
	number := w.numberOf(v.Follow("查看订单状态"))
	w.approvePlain(number)
	tab := w.person(chromium.Desktop)
	tab.Open(w.URL("byd", "/login")).Fill("mobile", bydMobile, "password", bydPassword).PressIn("main form", "登录").At("^/$|^/orders|^/s/")
	w.install(tab, w.URL("byd", "/orders"))
	tab.Close()
	_, cert := w.one(bydToken)
	return &holder{mobile: bydMobile, company: bydCompany, token: bydToken, cert: cert}
}

// firstKingLong is a supplier whose key was made and couriered.
func (w town) firstKingLong() *holder {
	w.t.Helper()
	v := w.NewVisitor(w.t)
	v.Open(w.URL("", "/createOrder?productCode=CERT272353")).Form("product").Press("立即办理")
	f := v.Form("org_name").SetAll(map[string]string{
		"eligible": "yes", "agent_name": klPerson, "mobile": klMobile, "email": "supplier@example.com", "id_type": "resident_id", "id_no": klID,
		"org_name": klCompany, "org_type": "company", "org_code_any": klUSCC, "industry": "auto_parts",
		"carrier": "sf", "ship_name": klPerson, "ship_mobile": klMobile, "ship_province": "福建省", "ship_city": "厦门市", "ship_county": "集美区",
		"ship_street": "演示路 2 号", "invoice_title": klCompany, "invoice_tax_no": klUSCC, "invoice_email": "invoice@example.com",
	})
	for _, side := range []string{"id_front", "id_back", "licence_image"} {
		f.Attach(side+"_file", program.File{Name: side + ".jpg", Data: program.Picture(w.t, "演示 "+side+" "+klPerson)})
	}
	pdf := w.letter(f, v, v.URL.String())
	v.Form("org_name").Attach("letter_file", program.File{Name: "letter.jpg", Data: program.Stamp(w.t, pdf)}).Press("提交信息").Sees("确认信息")
	v.Form("agree").Set("agree", "yes").Press("确定").Sees("短信验证")
	since := w.Now()
	v.Form("code").PressValue("_step", "send").Sees("验证码已发送")
	v.Form("code").Set("code", w.Code(w.t, klMobile, since)).Press("提交订单").Sees("支付宝").Button("立即支付")
	w.payPlain(v)
	number := w.numberOf(v.Follow("查看订单状态"))
	w.approvePlain(number)
	tab := w.clerk("producer")
	w.writeKey(tab, number, klToken)
	w.queue(tab, w.URL("console", "/queue/shipping"), number).PressIn("main table", number).At("/shipping")
	tab.Choose("carrier", "sf").Type("waybill", "SF1234567890123").Press("确认发出").See("已发出")
	tab.Close()
	w.AwaitMessage(w.t, klMobile, since, func(m program.Message) bool { return strings.Contains(m.Text, "SF1234567890123") })
	_, cert := w.one(klToken)
	return &holder{mobile: klMobile, company: klCompany, token: klToken, cert: cert}
}

// reminded waits until the holders are told by SMS, and keeps the links.
func (w town) reminded(holders ...*holder) {
	w.t.Helper()
	since := clock.CivilDate(w.Now(), clock.Shanghai).At(0, 0, clock.Shanghai)
	for _, h := range holders {
		left := clock.DaysBetween(clock.CivilDate(w.Now(), clock.Shanghai), clock.CivilDate(h.cert.NotAfter, clock.Shanghai))
		words := fmt.Sprintf("%s的数字证书将于 %s 到期（还有 %d 天）", h.company, clock.CivilDate(h.cert.NotAfter, clock.Shanghai), left)
		for end := time.Now().Add(2 * time.Minute); h.link == "" && time.Now().Before(end); time.Sleep(100 * time.Millisecond) { // messages are put together every 30 s
			for _, m := range w.said(h, since) {
				if m.Channel == "sms" && strings.Contains(m.Text, words) && strings.Contains(m.Text, m.Params["link"]) {
					h.link = m.Params["link"] // req: B68 K53
				}
			}
		}
		if h.link == "" {
			w.t.Fatalf("nobody was told %q: %+v\n%s", words, w.said(h, since), w.Log())
		}
	}
}

// said are the messages to a holder from a moment on.
func (w town) said(h *holder, since time.Time) (out []program.Message) {
	w.t.Helper()
	all, err := w.Messages()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, m := range all {
		if m.To == h.mobile && !m.At.Before(since) {
			out = append(out, m)
		}
	}
	return out
}

// atTheDoor follows the reminder's link: a masked name, the registered mobile's code, and the renewal with last time's data,
// what it gives and what it costs.
func (w town) atTheDoor(h *holder) *chromium.Tab {
	w.t.Helper()
	tab := w.person(chromium.Desktop)
	tab.Open(h.link).See("更新数字证书", "登记的手机号")
	if tab.Shows(h.company) || tab.Shows(h.mobile) {
		w.t.Errorf("the link tells a stranger more than a masked name: %s", tab.Text())
	}
	tab.Shot("renewal-door")
	since := w.Now().Add(-time.Second)
	tab.Press("获取验证码").See("验证码已发送")
	tab.Type("code", w.Code(w.t, h.mobile, since)).Press("验证并继续").At("^/renew/")
	tab.See("请核对更新信息", h.company, "现在更新，有效期至 "+clock.CivilDate(h.end(), clock.Shanghai).String(), "剩余天数不损失")
	tab.Shot("renewal-still-correct")
	tab.See("还需要补充", "授权书").Press("补充资料").At("/fill/")
	return tab
}

// end is when a renewal in time must end: a year after the old end, whenever it is made. (req B2 B5 B68)
func (h *holder) end() time.Time { return clock.AddYearsClamped(h.cert.NotAfter.In(clock.Shanghai), 1) }

// orderBYD gives what a renewal asks anew, confirms and pays.
func (w town) orderBYD(tab *chromium.Tab, h *holder) string {
	w.t.Helper()
	letter := w.read(tab.Download(func() { tab.Press("下载授权书 PDF") }))
	tab.Upload("letter", w.save("letter.jpg", program.Stamp(w.t, letter)))
	tab.Shot("renewal-byd-letter")
	tab.Open(h.link).At("^/renew/").See("请核对更新信息") // who has proved the mobile goes on at once
	tab.Choose("eligible", "yes").Press("信息无误，去支付").At("/pay$").See("¥200.00")
	tab.Choose("channel", "alipay").Press("确认付款")
	w.payAtDemo(tab, "main a[href*='/demo-pay/t/']")
	tab.At("/paid$").See("等待审核").Press("查看订单").At("^/orders/[0-9a-f-]+$")
	return w.number(tab)
}

// promiseKingLong gives what a renewal asks anew, on the form, and comes to the page that asks for the agreement.
func (w town) promiseKingLong(tab *chromium.Tab) {
	w.t.Helper()
	tab.Choose("eligible", "yes") // the letter is made of a complete form
	letter := w.read(tab.Download(func() { tab.Press("下载授权书 PDF") }))
	tab.Upload("letter", w.save("letter.jpg", program.Stamp(w.t, letter)))
	tab.Shot("renewal-kinglong-form")
	tab.PressIn("aside", "提交信息").At("/confirm$").See("确认信息", klCompany, "¥180.00")
}

// orderKingLong agrees, enters the code and pays.
func (w town) orderKingLong(tab *chromium.Tab) string {
	w.t.Helper()
	tab.Choose("agree", "yes").PressIn("aside", "确定").See("短信验证")
	since := w.Now().Add(-time.Second)
	tab.Press("获取验证码")
	tab.Type("code", w.Code(w.t, klMobile, since)).PressIn("main form", "提交订单").At("/pay$").See("¥180.00")
	tab.Press("立即支付")
	w.payAtDemo(tab, "main a[href*='/demo-pay/t/']")
	tab.At("/paid$").See("等待审核").Press("查看订单").At("^/orders/[0-9a-f-]+$")
	return w.number(tab)
}

// install puts the certificate of the order that waits for it into the key.
func (w town) install(tab *chromium.Tab, orders string) {
	w.t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && !tab.Open(orders).Offers("下载证书"); {
		time.Sleep(100 * time.Millisecond)
	}
	tab.Press("下载证书")
	if !strings.Contains(tab.Path(), "/key/") {
		tab.Press("下载证书")
	}
	tab.At("/key/").PressIn("[data-panel=start]", "下载证书")
	pin := w.pinWindow(tab)
	pin.Type("pin", bydPIN).PressAt("button[value=ok]").See("口令正确")
	pin.Close()
	tab.See("成功")
}

// renewed installs the new certificate and reads the key: the old pair is gone, and no day is lost.
func (w town) renewed(tab *chromium.Tab, orders string, h *holder) {
	w.t.Helper()
	w.install(tab, orders)
	tab.Shot("renewal-done")
	id, fresh := w.one(h.token)
	if fresh.SerialNumber.Cmp(h.cert.SerialNumber) == 0 {
		w.t.Fatalf("%s still holds the old certificate", h.token)
	}
	if !fresh.NotAfter.Equal(h.end()) {
		w.t.Errorf("%s: the new certificate ends at %s, the old one at %s: days were lost or given", h.token, fresh.NotAfter, h.cert.NotAfter)
	}
	equal(w.t, "organisation", h.company, strings.Join(fresh.Subject.Organization, " "))
	w.provesItself(h.token, id, fresh)
	w.chainHolds(fresh)
	w.revoked(h.cert)
	tab.Open(h.link).See("无需再办理")
	tab.Close()
}

// silence waits until the sweep has looked at a later day, and finds no further word about what was renewed.
func (w town) silence(holders ...*holder) {
	w.t.Helper()
	today := clock.CivilDate(w.Now(), clock.Shanghai)
	var looked bool
	for end := time.Now().Add(20 * time.Second); !looked && time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		w.Row(w.t, []any{&looked}, `SELECT coalesce(bool_and(swept_on >= $1::date), false) FROM reminder_progress`, today.String())
	}
	if !looked {
		w.t.Fatalf("nobody looks for reminders:\n%s", w.Log())
	}
	for _, h := range holders {
		if m := w.said(h, today.At(0, 0, clock.Shanghai)); len(m) > 0 {
			w.t.Errorf("%s is told %+v", h.mobile, m)
		}
		var rows int
		w.Row(w.t, []any{&rows}, `SELECT count(*) FROM reminders r JOIN certificates c ON c.tenant_id = r.tenant_id AND c.id = r.certificate_id
			WHERE c.serial = $1 AND (r.due_on > (c.not_after AT TIME ZONE 'Asia/Shanghai')::date - 30 OR r.state = 'pending')`, h.cert.SerialNumber.Bytes())
		equal(w.t, "reminders of the old certificate after the renewal", 0, rows)
	}
}
