package console_test

import (
	"strings"
	"testing"
	"time"

	"certsaas/core/clock"
)

// Lists and pages say until when the desk has an order, amber on its last day and red when it is over; rail and home count
// what was warned of (req K39; issue 4 §3).
func TestDeskTimesInTheQueue(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	at := func(s string) {
		moment, err := time.ParseInLocation("2006-01-02 15:04", s, clock.Shanghai)
		if err != nil {
			t.Fatal(err)
		}
		r.Clock.SetNow(moment)
	}
	at("2026-11-30 10:00")
	x := r.inReview(t, "kinglong", 0, nil)
	v := r.submitted(t, "byd", 0, nil)
	r.voucher(t, v, v.Organisation(), v.TotalFen)
	due := func(b *browser, path, want, tone string) {
		t.Helper()
		p := b.get(path, 200)
		if got := p.text(".due." + tone + ", .due.tone-" + tone); !strings.Contains(got, want) {
			t.Errorf("%s: no %q in %s %q: %s", path, want, tone, got, p.text("main"))
		}
	}
	rev, fin := r.login(t, "reviewer"), r.login(t, "finance")
	for path, b := range map[string]*browser{"/queue/review": rev, x.path("/review"): rev, x.path(""): rev, "/vouchers": fin} {
		due(b, path, "还剩 1 工作日", "warn")
	}
	at("2026-12-01 20:31")
	if _, err := r.Overdue.Warn(t.Context()); err != nil {
		t.Fatal(err)
	}
	rev, fin = r.login(t, "reviewer"), r.login(t, "finance")
	for path, b := range map[string]*browser{"/queue/review": rev, x.path("/review"): rev, "/vouchers": fin} {
		due(b, path, "已超时 3 小时", "danger")
	}
	if p := rev.get("/", 200); p.Find(`.rail a[href="/queue/review"] .count.late`).Length() != 1 || !strings.Contains(p.text("main"), "1 件超时") {
		t.Errorf("rail or home does not count it: %s", p.text("main"))
	}
	if p := fin.get("/", 200); p.Find(`.rail a[href="/vouchers"] .count.late`).Length() != 1 {
		t.Errorf("the rail of finance does not count it: %s", p.text(".rail"))
	}
}
