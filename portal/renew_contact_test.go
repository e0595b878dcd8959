package portal_test

import (
	"strings"
	"testing"
	"time"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/material/materialtest"
)

// A holder gives his certificate over without scripts: code to the old mobile, code to the new one, and afterwards it is the new
// mobile's (issue 4 §1). Mobiles are masked; somebody else's certificate is not there.
func TestContactChangedByItsHolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Clock.Shift(2 * time.Hour)
	certificate, link := w.reminded("kinglong", "CERT272353", "13900139000", "演示零部件（厦门）有限公司", 336*day)
	b := w.kinglong()
	p := b.submit(b.open(link), "main form", "send", nil)
	b.follow(b.submit(p, "main form", "submit", map[string]string{"code": w.code("13900139000")}))
	page := "/certificates/" + certificate.String() + "/contact"
	b.open("/certificates").has(".card", "更换联系人")
	p = b.open(page)
	p.has("main", "第 1 步", "139****9000", "演示零部件（厦门）有限公司", "原手机号已停用或遗失")
	p.hasNot("main", "13900139000", "新手机号 *")
	w.Clock.Shift(2 * time.Minute)
	p = b.submit(p, "main form", "send", nil)
	p.has(".notice", "验证码已发送")
	old := w.code("13900139000")
	if bad := b.submit(p, "main form", "submit", map[string]string{"code": "000000"}); bad.Status != 422 || bad.errors()["code"] == "" {
		t.Errorf("a wrong code: %d %v", bad.Status, bad.errors())
	}
	p = b.follow(b.submit(p, "main form", "submit", map[string]string{"code": old}))
	p.has("main", "第 2 步", "新手机号")
	if bad := b.submit(p, "main form", "send", map[string]string{"mobile": "12345"}); bad.Status != 422 || bad.errors()["mobile"] == "" {
		t.Errorf("a mobile that is none: %d %v", bad.Status, bad.errors())
	}
	p = b.submit(p, "main form", "send", map[string]string{"mobile": "13900139555"})
	p.has(".notice", "验证码已发送")
	done := b.submit(p, "main form", "submit", map[string]string{"mobile": "13900139555", "code": w.code("13900139555")})
	if done.Status != 303 {
		t.Fatalf("%d %v %s", done.Status, done.errors(), done.text("main"))
	}
	b.follow(done).has("body", "联系人已更换为 139****9555")
	if m, _ := w.SMS.Last("13900139000"); m.Template != "remind_old" {
		t.Errorf("the old contact read last: %+v", m)
	}
	if got := b.get(page); got.Status != 404 {
		t.Errorf("the old login still holds it: %d", got.Status)
	}
	w.Clock.Shift(24 * time.Hour)
	fresh := w.kinglong()
	p = fresh.submit(fresh.open("/login"), "main form", "send", map[string]string{"mobile": "13900139555", "by": "code"})
	p = fresh.submit(p, "main form", "", map[string]string{"mobile": "13900139555", "code": w.code("13900139555"), "by": "code"})
	if p.Status != 303 {
		t.Fatalf("login: %d %v", p.Status, p.errors())
	}
	fresh.open("/certificates").has(".card", "演示零部件（厦门）有限公司")
}

// The new mobile of a holder who lost the old one confirms on the link that it was sent; altered, used or another tenant's, the
// link leads nowhere.
func TestContactChangedByInvitation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Clock.Shift(2 * time.Hour)
	certificate, _ := w.reminded("byd", "BYD-GQGX", "13800138000", "演示汽车销售（深圳）有限公司", 336*day)
	tenantID := w.Tenant("byd").ID()
	for i, name := range []string{"登记", "复核"} {
		ctx := w.As(authz.Principal{Kind: authz.Staff, ID: db.NewID(), Name: name, Roles: []string{authz.RoleReviewer}})
		var err error
		if i == 0 {
			err = w.Reminders.AskByPaper(ctx, tenantID, certificate, "13800138555", "手机遗失", materialtest.Page{Seal: true}.JPEG(t))
		} else {
			err = w.Reminders.Decide(ctx, tenantID, certificate, true)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	m, _ := w.SMS.Last("13800138555")
	_, link, ok := strings.Cut(m.Params["link"], "8080")
	if !ok {
		t.Fatalf("%+v", m)
	}
	if got := w.byd().get(link + "A"); got.Status != 404 || !strings.Contains(got.text("h1"), "链接无效") {
		t.Errorf("altered: %d %s", got.Status, got.text("h1"))
	}
	if got := w.kinglong().get(link); got.Status != 404 {
		t.Errorf("at another tenant: %d", got.Status)
	}
	b := w.byd()
	p := b.open(link)
	p.has("body", "演示**********公司", "验证码")
	p.hasNot("body", "13800138555", "演示汽车")
	p = b.submit(p, "main form", "send", nil)
	done := b.submit(p, "main form", "submit", map[string]string{"code": w.code("13800138555")})
	if done.Status != 200 {
		t.Fatalf("%d %v", done.Status, done.errors())
	}
	done.has("body", "已确认", "登录查看证书")
	if got := b.get(link); got.Status != 404 {
		t.Errorf("used twice: %d", got.Status)
	}
}
