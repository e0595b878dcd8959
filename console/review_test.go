package console_test

import (
	"net/url"
	"strings"
	"testing"

	"certsaas/core/clock"
	"certsaas/core/form"
	"certsaas/core/order"
)

func today(r *rig) clock.Date { return clock.CivilDate(r.Clock.Now(), clock.Shanghai) }

// The review desk: claimed on opening, masked, approved with the whole checklist; then the next order opens.
// req: K38 K39
func TestReview(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.inReview(t, "kinglong", 0, nil)
	second := r.inReview(t, "kinglong", 0, form.Answers{"mobile": "13900139000"})
	rev, other := r.login(t, "reviewer"), r.login(t, "reviewer2")

	list := rev.get("/queue/review", 200)
	must(t, strings.Contains(list.text("tbody"), first.Number), "queue lists %s: %s", first.Number, list.text("tbody"))
	must(t, strings.Contains(list.text(".due"), "工作日"), "due time in working days: %q", list.text(".due"))

	desk := rev.get(first.path("/review"), 200)
	must(t, desk.Find(".film img").Length() >= 3, "documents: %d", desk.Find(".film img").Length())
	must(t, !strings.Contains(desk.body, "13800138000"), "the mobile is not masked")
	must(t, strings.Contains(desk.body, "138****8000"), "no masked mobile")
	must(t, strings.Contains(desk.text(".desk-facts"), "二维码与本订单资料一致"), "letter: %s", desk.text(".desk-facts"))
	for key, want := range map[string]int{"A": 1, "R": 1, "J": 1} {
		must(t, desk.Find(`[data-key="`+key+`"]`).Length() == want, "hotkey %s", key)
	}
	taken := other.get(first.path("/review"), 200)
	must(t, strings.Contains(taken.text(".banner"), "演示审核员"), "no word of who holds it: %q", taken.text(".banner"))
	must(t, taken.Find(`[name=decision], [name=check]`).Length() == 0, "somebody else's order can be decided")
	must(t, taken.Find(`[data-key="J"]`).AttrOr("href", "") == second.path("/review"), "no way on from somebody else's order")
	must(t, strings.Contains(desk.text("#verdict"), "第 1 单，共 2 单"), "the place in the queue: %s", desk.text("#verdict"))
	must(t, desk.Find(`[data-key="K"][disabled]`).Length() == 1, "the buttons of the foot move")

	v := checks(desk)
	v.Set("decision", "approve")
	old := url.Values{"version": {"1"}, "decision": {"approve"}, "check": v["check"]}
	changed := rev.post(first.path("/review"), old, 409)
	must(t, strings.Contains(changed.text(".notice"), "请重新核对") && changed.Find("input[name=check][checked]").Length() == 0, "what was ticked about an older state counts: %s", changed.text(".notice"))
	missing := url.Values{"version": v["version"], "decision": {"approve"}}
	again := rev.post(first.path("/review"), missing, 422)
	must(t, strings.Contains(again.text(".summary, .desk-facts"), "勾选审核清单"), "checklist is not asked for")
	next := rev.post(first.path("/review"), v, 303)
	must(t, next.location == second.path("/review"), "next is %s, want %s", next.location, second.path("/review"))
	r.again(t, first, order.InProduction)

	stale := rev.post(first.path("/review"), v, 303)
	must(t, stale.location == first.path(""), "decided order leads to %s", stale.location)
	must(t, strings.Contains(rev.get(first.path(""), 200).text(".notice"), "已被他人处理"), "stale page is not told plainly")
}

// Rejected field by field with a reason each; the second look lists only what changed.
// req: K44
func TestRejectAndSecondLook(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.inReview(t, "kinglong", 0, nil)
	rev := r.login(t, "reviewer")
	desk := rev.get(x.path("/review"), 200)
	must(t, desk.Find("datalist option").Length() >= 4, "canned reasons")
	v := checks(desk)
	v.Set("decision", "reject")
	rev.post(x.path("/review"), v, 422) // nothing marked
	v.Add("reject", "org_name")
	noReason := rev.post(x.path("/review"), v, 422)
	must(t, noReason.Find(`input[name=reject][value=org_name][checked]`).Length() == 1, "the tick is lost after an error")
	v.Set("reason.org_name", "与营业执照不一致，请核对")
	rev.post(x.path("/review"), v, 303)
	x = r.again(t, x, order.Rejected)
	r.Drain()
	if m, ok := r.SMS.Last("13800138000"); !ok || !strings.Contains(m.Text, "不") {
		t.Errorf("no message about the rejection: %+v", m)
	}

	p, _ := r.Tenant("kinglong").Product(x.Product)
	typed := form.Answers{}
	for k, val := range x.Answers {
		typed[k] = val
	}
	typed["org_name"] = "演示改名贸易（厦门）有限公司"
	for _, st := range p.StepsAt("order") {
		if _, _, err := r.Orders.SaveStep(x.ctx, x.Tenant, x.ID, st.ID, typed); err != nil {
			t.Fatal(err)
		}
	}
	r.upload(t, x, p) // the data changed, so the letter is printed and sealed anew
	if _, err := r.Orders.Submit(x.ctx, x.Tenant, x.ID, order.Submission{Agreed: p.Confirm.Agreement, Account: x.Account}); err != nil {
		t.Fatal(err)
	}
	desk = rev.get(x.path("/review"), 200)
	facts := desk.text(".desk-facts > dl.facts:first-of-type")
	must(t, strings.Contains(desk.text(".was"), "有限公司"), "no old value: %s", facts)
	must(t, strings.Contains(desk.body, "上次不合格"), "no old reason")
	must(t, desk.Find(`[data-fact=mobile]`).Length() == 0, "an unchanged field is shown on the second look")
	must(t, rev.get(x.path("/review")+"?all=1", 200).Find(`[data-fact=mobile]`).Length() == 1, "no way to see everything")
}

// Masked data are shown to who gives a reason, and the look is in the audit trail.
func TestReveal(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.inReview(t, "kinglong", 0, nil)
	rev := r.login(t, "reviewer")
	rev.get(x.path("/review"), 200)
	rev.json(x.path("/reveal/mobile"), "", 422)
	must(t, r.audited(t, "order.reveal", x.ID) == 0, "a refused look was audited as done")
	p := rev.post(x.path("/reveal/mobile"), url.Values{"why": {"contact"}}, 200)
	must(t, strings.Contains(p.text(`[data-fact=mobile] .fact-value`), "13800138000"), "not shown: %s", p.text(`[data-fact=mobile]`))
	must(t, r.audited(t, "order.reveal", x.ID) == 1, "not audited")
	must(t, !strings.Contains(rev.get(x.path("/review"), 200).body, "13800138000"), "shown for good")
	pro := r.login(t, "producer")
	pro.get("/", 200)
	pro.post(x.path("/reveal/mobile"), url.Values{"why": {"contact"}}, 403)
}

// Orders that share something stand on the desk once each, with everything they share.
func TestTwinsOnTheDesk(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	same := form.Answers{"org_name": "演示汽车销售（深圳）有限公司", "dealer_code": "3234567890"}
	x := r.inReview(t, "byd", 0, same)
	y := r.inReview(t, "byd", 0, form.Answers{"org_name": same["org_name"], "dealer_code": same["dealer_code"], "mobile": "13900139000"})
	desk := r.login(t, "reviewer").get(x.path("/review"), 200)
	line := desk.Find(`.twins li:has(a[href="` + y.path("") + `"])`)
	must(t, line.Length() == 1, "%d lines for one order: %s", line.Length(), desk.text(".twins"))
	for _, want := range []string{"同一企业", "营业执照图片", "待审核"} {
		must(t, strings.Contains(line.Text(), want), "no %q in %q", want, line.Text())
	}
}
