package console_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"certsaas/core/material/materialtest"
)

// The contact of a holder who lost his mobile changes on a sealed paper: one person files it, only another agrees, nobody reads
// the number in clear, and who may not review is not asked (issue 4 §1).
func TestContactChangedByPaper(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Clock.Shift(2 * time.Hour)
	id := r.holder(t, "13800138000", "演示汽车销售（深圳）有限公司", 60)
	path := "/reminders/byd/" + id.String()
	one, two, aud := r.login(t, "reviewer"), r.login(t, "reviewer2"), r.login(t, "auditor")
	p := one.get(path, 200)
	must(t, p.Find("form#change input[type=file]").Length() == 1, "no form: %s", p.text("main"))
	typed := func() map[string]string {
		return map[string]string{"new_mobile": "13800138555", "change_reason": "手机遗失，见盖章说明"}
	}
	bad := one.upload(path+"/contact", typed(), []byte("no picture"), 422)
	must(t, strings.Contains(bad.text("main"), "请上传盖章说明") && bad.Find(`[name=new_mobile]`).AttrOr("value", "") == "13800138555", "what was typed is lost: %s", bad.text("form#change"))
	for field, value := range map[string]string{"new_mobile": "123", "change_reason": ""} { // said at the form's own field: the page has others like it
		wrong := typed()
		wrong[field] = value
		again := one.upload(path+"/contact", wrong, materialtest.Page{Seal: true}.JPEG(t), 422)
		must(t, again.Find(`.summary a[href="#f-`+field+`"]`).Length() == 1 && again.Find(`details[open] #f-`+field).Length() == 1, "%s: %s", field, again.text(".summary"))
	}
	one.upload(path+"/contact", typed(), materialtest.Page{Seal: true}.JPEG(t), 303)
	p = one.get(path, 200)
	must(t, strings.Contains(p.text("main"), "138****8555") && !strings.Contains(p.body, "13800138555") && p.Find("form#agree").Length() == 0, "who filed it: %s", p.text("main"))
	one.post(path+"/contact/agree", nil, 409)
	paper := two.get(path+"/contact/paper", 200)
	must(t, paper.header.Get("Content-Type") == "image/jpeg" && paper.header.Get("Cache-Control") == "no-store" && len(paper.body) > 1000, "paper: %v", paper.header)
	aud.get(path+"/contact/paper", 403)
	aud.post(path+"/contact/agree", url.Values{}, 403)
	two.get(path, 200)
	two.post(path+"/contact/agree", nil, 303)
	must(t, strings.Contains(two.get(path, 200).text("main"), "等待新手机号验证后生效"), "agreed")
	must(t, r.sentTo("13800138555") == 1, "no link was sent")
	two.post(path+"/contact/agree", nil, 404)
}
