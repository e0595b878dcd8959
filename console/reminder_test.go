package console_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/issuance"
	"certsaas/core/pki"
)

// holder gives a mobile's account a certificate of BYD that ends in so many days.
func (r *rig) holder(t *testing.T, mobile, company string, days int) (certificate uuid.UUID) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		t.Fatal(err)
	}
	csr, err := pki.ParseCSR(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	tn := r.Tenant("byd")
	ctx := authz.WithPrincipal(t.Context(), authz.System("test/import"))
	cert, authority, err := r.Issuance.Backdated(ctx, tn.Products()[0], csr, map[string]string{"code": "91350200MA2XYKHT6G", "organisation": company,
		"org_name": company, "uscc": "91350200MA2XYKHT6G", "project": "演示"}, r.Clock.Now().AddDate(-1, 0, days))
	if err != nil {
		t.Fatal(err)
	}
	err = r.DB.WithTenant(ctx, tn.ID(), func(ctx context.Context, tx *db.Tx) error {
		c := issuance.Certificate{Authority: authority, Certificate: cert, Product: tn.Products()[0].Code, Organisation: company, Mobile: mobile}
		if mobile != "" {
			a, _, err := r.Accounts.FindOrCreate(ctx, tx, mobile)
			if err != nil {
				return err
			}
			c.Account = a.ID
		}
		certificate, err = r.Issuance.Import(ctx, tx, c)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func (r *rig) remind(t *testing.T) {
	t.Helper()
	_, err := r.Reminders.Sweep(t.Context())
	if err == nil {
		_, err = r.Reminders.OpenOrders(t.Context(), 100)
	}
	if err == nil {
		_, err = r.Reminders.FormNotices(t.Context(), 100)
	}
	if err == nil {
		_, err = r.Reminders.Send(t.Context(), 100)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// sentTo counts the messages to a receiver.
func (r *rig) sentTo(to string) int {
	n := 0
	for _, m := range r.SMS.Sent() {
		if m.To == to {
			n++
		}
	}
	return n
}

// Staff see whom a certificate's holder was told by, what comes next, who could not be reached; and may keep silent or try a
// message out.
// req: B68 K53
func TestReminderPages(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Clock.Shift(2 * time.Hour)
	id := r.holder(t, "13800138000", "演示汽车销售（深圳）有限公司", 7)
	r.holder(t, "", "演示汽车服务（深圳）有限公司", 7)
	r.remind(t)
	b := r.login(t, "reviewer")
	p := b.get("/reminders", 200)
	must(t, strings.Contains(p.text("main"), "演示汽车销售（深圳）有限公司") && strings.Contains(p.text("main"), "已发送"), "list: %s", p.text("main"))
	must(t, strings.Contains(p.text("main"), "没有登记联系方式"), "tasks: %s", p.text("main"))
	must(t, strings.Contains(p.text("main"), "将向 0 人发送 0 条提醒"), "forecast: %s", p.text("main"))
	must(t, p.Find(`nav a[href="/reminders"]`).Length() == 1, "not in the rail")
	done := p.Find(`form[action^="/reminders/tasks/"]`).First().AttrOr("action", "")
	b.post(done, nil, 303)
	must(t, b.get("/reminders", 200).Find(`form[action^="/reminders/tasks/"]`).Length() == 0, "the task is still there")

	path := "/reminders/byd/" + id.String()
	p = b.get(path, 200)
	text := p.text("main")
	for _, want := range []string{"138****8000", "短信", "已发送", "到期前 7 天", "到期前 1 天", "/r/…", "已开立"} {
		must(t, strings.Contains(text, want), "%q is not said: %s", want, text)
	}
	must(t, !strings.Contains(p.body, "13800138000"), "the mobile is shown")
	opened := b.get(p.Find(`main a[href^="/orders/"]`).AttrOr("href", "none"), 200)
	must(t, strings.Contains(opened.text("main"), "演示汽车销售（深圳）有限公司"), "the renewal's page: %s", opened.text("main"))
	// tomorrow's forecast five days on: one message
	r.Clock.Shift(5 * 24 * time.Hour)
	b = r.login(t, "reviewer")
	must(t, strings.Contains(b.get("/reminders", 200).text("main"), "将向 2 人发送 2 条提醒"), "forecast: %s", b.get("/reminders", 200).text(".notice"))

	bad := b.post(path+"/mute", url.Values{"until": {"2020-01-01"}, "reason": {"停业"}}, 422)
	must(t, strings.Contains(bad.text("main"), "截止日期"), "mute until yesterday: %s", bad.text("main"))
	until := clock.CivilDate(r.Clock.Now(), clock.Shanghai).AddDays(20).String()
	b.post(path+"/mute", url.Values{"until": {until}, "reason": {"停业整顿"}}, 303)
	p = b.get(path, 200)
	must(t, strings.Contains(p.text("main"), "停业整顿") && strings.Contains(p.text("main"), "不再提醒"), "muted: %s", p.text("main"))
	before := r.sentTo("13800138000")
	r.Clock.Shift(24 * time.Hour)
	r.remind(t)
	must(t, r.sentTo("13800138000") == before, "somebody was told in spite of the silence")
	b = r.login(t, "reviewer")
	b.get(path, 200)
	b.post(path+"/unmute", nil, 303)

	b.post(path+"/test", url.Values{"mobile": {"13800138009"}}, 303)
	m, ok := r.SMS.Last("13800138009")
	must(t, ok && strings.Contains(m.Text, "演示汽车销售"), "test: %+v", m)
	b.post(path+"/test", url.Values{"mobile": {"123"}}, 422)

	a := r.login(t, "auditor")
	must(t, a.get(path, 200).Find("form#mute").Length() == 0, "an auditor is offered to mute")
	a.post(path+"/mute", url.Values{"until": {until}, "reason": {"x"}}, 403)
	for _, nothing := range []string{"byd/" + uuid.NewString(), "byd/" + uuid.Nil.String(), uuid.Nil.String() + "/" + id.String(), "kinglong/" + id.String()} {
		b.get("/reminders/"+nothing, 404)
		b.get("/reminders/"+nothing+"/contact/paper", 404)
	}
}
