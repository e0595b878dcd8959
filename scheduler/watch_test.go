package scheduler_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/order"
	"certsaas/core/platform/platformtest"
	"certsaas/core/web"
	"certsaas/scheduler"
)

// worries are what a watch says, as "kind name".
func worries(t *testing.T, w *scheduler.Watch) []string {
	t.Helper()
	list, err := w.Worries(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, x := range list {
		out = append(out, strings.TrimSpace(x.Kind+" "+x.Name))
	}
	return out
}

// A job that has not succeeded in time is named, a process that has just started gives it time, and whoever looks within 15
// seconds sees the same (issue 4 §3).
func TestLateJobIsNamed(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	jobs := []scheduler.Job{
		{Name: "crl", Every: 20 * time.Second, Run: func(context.Context) (map[string]int, error) { return nil, nil }},
		{Name: "file-reap", Every: time.Hour, Run: func(context.Context) (map[string]int, error) { return nil, nil }},
	}
	s, w := open(t, b.DB, jobs...), scheduler.NewWatch(b.Platform, jobs)
	look := func(step string, want ...string) {
		t.Helper()
		if got := worries(t, w); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", step, got, want)
		}
	}
	look("just started")
	b.Clock.Shift(3 * time.Minute)
	look("never run for three minutes", "job_late crl")
	if err := s.RunOnce(t.Context(), jobs[0]); err != nil {
		t.Fatal(err)
	}
	look("within 15 seconds", "job_late crl")
	b.Clock.Shift(15 * time.Second)
	look("it has run")
	b.Clock.Shift(4 * time.Hour)
	look("hours later", "job_late crl", "job_late file-reap")
	look2 := scheduler.NewWatch(b.Platform, jobs)
	if got := worries(t, look2); len(got) != 0 {
		t.Errorf("a process that has just started after an outage: %v", got)
	}
}

// Messages that were given up, and such as wait too long, worry; so does a year whose holiday notice is missing.
func TestDeadLettersAndCalendarWorry(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	w := scheduler.NewWatch(b.Platform, nil)
	event := func(due time.Duration) uuid.UUID {
		id := db.NewID()
		coretest.OwnerExec(t, b.DB, `INSERT INTO outbox (tenant_id, id, kind, ref, created_at, due_at) VALUES ($1, $2, 'order.approve', $2, $3, $3)`, b.ID, id, b.Clock.Now().Add(due))
		return id
	}
	event(-time.Minute)
	dead := event(-time.Hour)
	coretest.OwnerExec(t, b.DB, `UPDATE outbox SET dead_at = due_at WHERE id = $1`, dead)
	if got := worries(t, w); !slices.Equal(got, []string{"dead_letters"}) {
		t.Errorf("%v", got)
	}
	b.Clock.Shift(6 * time.Minute)
	if got := worries(t, w); !slices.Equal(got, []string{"dead_letters", "outbox_late"}) {
		t.Errorf("after six minutes: %v", got)
	}
	now := b.Clock.Now()
	b.Clock.Shift(time.Date(2030, 12, 3, 4, 0, 0, 0, time.UTC).Sub(now))
	if got := worries(t, w); !slices.Equal(got[2:], []string{"calendar_missing 2030", "calendar_missing 2031"}) {
		t.Errorf("in December 2030: %v", got)
	}
}

// The gauges say what stands in the database, and nothing when it cannot be asked.
func TestGauges(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	jobs := []scheduler.Job{{Name: "crl", Every: 20 * time.Second, Run: func(context.Context) (map[string]int, error) { return nil, nil }}}
	w, m := scheduler.NewWatch(b.Platform, jobs), web.NewMetrics()
	w.Export(m)
	o := b.Submit(platformtest.Later, uuid.Nil, nil)
	if o.State != order.InReview {
		t.Fatal(o.State)
	}
	if err := open(t, b.DB, jobs...).RunOnce(t.Context(), jobs[0]); err != nil {
		t.Fatal(err)
	}
	waiting := b.Count(`SELECT count(*) FROM outbox WHERE done_at IS NULL`)
	b.Clock.Shift(2 * time.Minute)
	text := m.Text()
	for _, want := range []string{
		"certsaas_watch_up 1\n", `certsaas_orders{state="in_review"} 1` + "\n", `certsaas_orders{state="draft"} 0` + "\n", "certsaas_outbox_dead 0\n",
		"certsaas_outbox_waiting " + strconv.Itoa(waiting) + "\n", `certsaas_job_late{job="crl"} 1` + "\n", "certsaas_certificates_expiring_30d 0\n", "certsaas_reminder_tasks_open 0\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	for _, name := range []string{"certsaas_review_oldest_seconds", `certsaas_job_success_age_seconds{job="crl"}`, "certsaas_outbox_oldest_seconds"} {
		if v := value(t, text, name); v < 119 || v > 150 {
			t.Errorf("%s: %v, want two minutes", name, v)
		}
	}
	if strings.Contains(text, "certsaas_audit_checkpoint_age_seconds") {
		t.Error("the age of a checkpoint that is not there")
	}
	b.Seal()
	b.Clock.Shift(2 * time.Minute) // the sealer writes a checkpoint each minute
	if _, err := b.Sealer.RunOnce(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	if v := value(t, m.Text(), "certsaas_audit_checkpoint_age_seconds"); v > 30 {
		t.Errorf("a checkpoint of just now is %v s old", v)
	}
	if strings.Count(text, "certsaas_orders{") > len(order.States()) {
		t.Error("more labels than states")
	}
	closed := scheduler.NewWatch(b.Platform, jobs)
	none := web.NewMetrics()
	closed.Export(none)
	b.DB.Close()
	if text := none.Text(); !strings.Contains(text, "certsaas_watch_up 0\n") || strings.Contains(text, "certsaas_orders") {
		t.Errorf("without a database:\n%s", text)
	}
}

// value is one line's number.
func value(t *testing.T, text, name string) float64 {
	t.Helper()
	for _, line := range strings.Split(text, "\n") {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			v, err := strconv.ParseFloat(rest, 64)
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
	}
	t.Errorf("no %s", name)
	return 0
}
