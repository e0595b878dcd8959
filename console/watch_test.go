package console_test

import (
	"strings"
	"testing"
	"time"

	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/i18n"
	"certsaas/scheduler"
)

// A job that is late and an event that was given up turn rail and home red for those who look after the platform, and for
// nobody else; every job has a name that people read (issue 4 §3).
func TestLateJobsTurnTheConsoleRed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	admin := r.login(t, "admin")
	badge := `.rail a[href="/health"] .count.late`
	if p := admin.get("/", 200); p.Find(badge).Length() != 0 || p.Find(".tone-danger").Length() != 0 {
		t.Errorf("red though all is well: %s", p.text("main"))
	}
	coretest.OwnerExec(t, r.DB, `INSERT INTO outbox (tenant_id, id, kind, ref, created_at, due_at, dead_at, attempts, error) VALUES ($1, $2, 'order.approve', $2, $3, $3, $3, 12, 'channel.failed')`,
		r.Tenant("byd").ID(), db.NewID(), r.Clock.Now())
	r.Clock.Shift(5 * time.Hour)
	admin, rev := r.login(t, "admin"), r.login(t, "reviewer") // the sessions of this morning have ended
	p := admin.get("/", 200)
	jobs := scheduler.Jobs(r.Platform)
	if got := p.text(badge); got == "" || got == "0" {
		t.Errorf("the rail says %q", got)
	}
	notice := p.text("main .tone-danger")
	for _, want := range []string{"“事件处理与消息发送”启动后一直没有成功运行", "1 个事件多次处理失败", "另有"} {
		if !strings.Contains(notice, want) {
			t.Errorf("home does not say %s: %s", want, notice)
		}
	}
	if h := admin.get("/health", 200); h.Find("main tr.tone-danger, main tr[data-tone=danger], main .tag.tone-danger").Length() == 0 || !strings.Contains(h.text("main .tone-danger"), "“节假日数据检查”启动后一直没有成功运行") {
		t.Errorf("health: %s", h.text("main"))
	}
	if p := rev.get("/", 200); p.Find(".tone-danger").Length() != 0 || p.Find(badge).Length() != 0 {
		t.Errorf("a reviewer is told: %s", p.text("main"))
	}
	for _, locale := range i18n.Locales() {
		for _, j := range jobs {
			if id := "console.job." + j.Name; r.Bundle.T(locale, id) == id {
				t.Errorf("%s: no %s", locale, id)
			}
		}
	}
}
