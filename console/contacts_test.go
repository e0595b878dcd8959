package console_test

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

// The enterprise's contacts are pasted in, shown masked, and a wrong line loses nothing; who was told instead of a holder stands in
// his ledger (issue 4 §1).
func TestRosterContactsPage(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Clock.Shift(2 * time.Hour)
	lost := r.holder(t, "", "演示汽车服务（深圳）有限公司", 7)
	onb, aud := r.login(t, "onboarding"), r.login(t, "auditor")
	const path = "/tenants/byd/contacts"
	must(t, onb.get("/tenants/byd", 200).Find(`a[href="`+path+`"]`).Length() == 1, "no way there")
	bad := onb.post(path, url.Values{"list": {"AB12345678,张演示,13800138777,\nCD12345678,李演示,12345,"}}, 422)
	must(t, strings.Contains(bad.text("main"), "第 2 行：手机号不正确") && strings.Contains(bad.Find("textarea").Text(), "13800138777"), "%s", bad.text("main"))
	must(t, strings.Contains(onb.get(path, 200).text("main"), "尚未登记联系人"), "a part was taken")
	must(t, strings.Contains(onb.get("/tenants/kinglong/contacts", 200).text("main"), "企业管理员邮箱也未声明"), "an administrator nobody declared is said to be told")
	onb.post(path, url.Values{"list": {"AB12345678,张演示,13800138777,demo@dealer.example"}}, 303)
	p := onb.get(path, 200)
	must(t, strings.Contains(p.text("main"), "AB12345678 张** 138****8777") && !strings.Contains(p.body, "13800138777") && strings.Contains(p.text("main"), "dealers@byd-demo.example"), "%s", p.text("main"))
	must(t, aud.get(path, 200).Find("form#contacts").Length() == 0, "an auditor may change it")
	aud.post(path, url.Values{"list": {"X,,13800138000,"}}, 403)

	r.remind(t) // an imported certificate without any contact: nobody knows its dealer's code, so the administrator is told
	rev := r.login(t, "reviewer")
	text := rev.get("/reminders/byd/"+lost.String(), 200).text("main")
	for _, want := range []string{"企业管理员", "演示汽车服务（深圳）有限公司办理的", "持有人未送达，已告知企业联系人"} {
		must(t, strings.Contains(text, want), "no %q in %s", want, text)
	}
	if m, ok := r.SMS.Last("dealers@byd-demo.example"); !ok || strings.Contains(m.Text, "/r/") {
		t.Errorf("administrator: %+v", m)
	}
}
