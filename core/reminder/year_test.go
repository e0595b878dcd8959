package reminder_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/fault"
)

var offsets = []int{60, 30, 15, 7, 1, 0, -1, -7, -30}

// population is how many certificates the simulated year has.
func population() int { return coretest.Size(160, 10_000) }

// A year of up to three machines with unsteady clocks that are killed at random, and an outage of three days: every certificate
// has exactly one row for every day that was due, what was not overtaken was handed over, and nobody heard anything after
// he had ordered, or more than once a day.
func TestYear(t *testing.T) {
	t.Parallel()
	p := &post{}
	start := at("2026-06-01 09:40")
	w := newWorld(t, start, 5*time.Minute, p)
	p.clock = w.clock.Now
	rnd := rand.New(rand.NewPCG(1, 2))
	gone := map[string]time.Time{} // certificate → when it was ordered or revoked
	var born []cell
	n := population()
	for i := range n {
		slug, product := "byd", "BYD-GQGX"
		if i%2 == 0 {
			slug, product = "kinglong", "CERT272353"
		}
		end := start.AddDate(0, 0, rnd.IntN(330)).Add(time.Duration(rnd.IntN(86400)) * time.Second)
		born = append(born, w.add(slug, product, fmt.Sprintf("1380013%04d", rnd.IntN(n)), "", end))
	}
	const days = 400
	for day := range days {
		if day >= 200 && day < 203 {
			continue // nobody is there
		}
		w.clock.Set(start.AddDate(0, 0, day))
		machines(t, w, rnd, 1+2*(day%3/2))
		w.clock.Advance(4 * time.Hour)
		if day < days-1 {
			leave(w, rnd, born, gone)
		}
		if day%7 == 3 {
			w.run() // a second look on the same day
		}
	}
	w.clock.Advance(time.Hour)
	w.run()
	end := w.clock.Now()
	said := map[string][]handed{}
	for _, m := range p.sent() {
		said[m.To] = append(said[m.To], m)
	}
	for _, c := range born {
		judge(t, w, c, start, end, gone[c.id.String()])
	}
	for to, all := range said {
		judgePerson(t, to, all)
	}
	if open := w.count(`SELECT count(*) FROM (SELECT tenant_id, old_certificate_id FROM orders WHERE service = 'renewal' AND state = 'draft' GROUP BY 1, 2 HAVING count(*) > 1) x`); open > 0 {
		t.Errorf("%d certificates have two open renewal orders", open)
	}
	if left := w.count(`SELECT count(*) FROM reminder_notices WHERE state = 'pending'`); left > 0 {
		t.Errorf("%d messages are still on their way", left)
	}
	t.Logf("%d certificates, %d rows, %d messages, %d renewal orders", n, w.count(`SELECT count(*) FROM reminders`), len(p.sent()), w.count(`SELECT count(*) FROM renewals WHERE order_id IS NOT NULL`))
}

// leave lets some people act on what they were told: most order, some lose their key.
func leave(w *world, rnd *rand.Rand, born []cell, gone map[string]time.Time) {
	for range max(1, len(born)/120) {
		c := born[rnd.IntN(len(born))]
		if _, done := gone[c.id.String()]; done || rnd.IntN(2) == 0 {
			continue
		}
		gone[c.id.String()] = w.clock.Now()
		if rnd.IntN(4) == 0 {
			w.revoked(c)
			continue
		}
		w.ordered(c)
	}
}

// machines lets so many schedulers run at once; now and then one is killed in the middle.
func machines(t *testing.T, w *world, rnd *rand.Rand, n int) {
	t.Helper()
	var wg sync.WaitGroup
	for i := range n {
		limit := time.Minute
		if i > 0 && rnd.IntN(3) == 0 {
			limit = time.Duration(rnd.IntN(20)) * time.Millisecond
		}
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			if err := w.tick(ctx); err != nil && ctx.Err() == nil && !errors.Is(err, fault.Unavailable) {
				t.Errorf("tick: %v", err)
			}
		})
	}
	wg.Wait()
}

// judge compares a certificate's rows with the days that were due between the first and the last look.
func judge(t *testing.T, w *world, c cell, start, end, gone time.Time) {
	t.Helper()
	first, last := clock.CivilDate(start, clock.Shanghai).AddDays(-30), clock.CivilDate(end, clock.Shanghai)
	have := map[int]row{}
	for _, r := range w.rows(c) {
		if _, twice := have[r.Offset]; twice {
			t.Errorf("%s: two rows for %d", c.id, r.Offset)
		}
		have[r.Offset] = r
	}
	for i, o := range offsets {
		due := clock.ReminderDate(c.notAfter, o)
		r, there := have[o]
		was := !due.Before(first) && !due.After(last)
		if !gone.IsZero() && due.After(clock.CivilDate(gone, clock.Shanghai)) {
			was = false
			if there {
				t.Errorf("%s: a row for %d, due %s, after it was gone on %s", c.id, o, due, gone)
			}
		}
		if was && !there && (gone.IsZero() || clock.CivilDate(gone, clock.Shanghai) != due && !outage(due)) {
			t.Errorf("%s: no row for %d, due %s (ends %s, gone %s)", c.id, o, due, c.notAfter, gone)
		}
		if !there {
			continue
		}
		if r.Due != due.String() {
			t.Errorf("%s: %d is due on %s, not %s", c.id, o, due, r.Due)
		}
		overtaken := i+1 < len(offsets) && !clock.ReminderDate(c.notAfter, offsets[i+1]).After(last)
		switch {
		case r.State == "sent", r.State == "cancelled" && !gone.IsZero():
		case r.State == "skipped" && overtaken:
		default:
			t.Errorf("%s: %d is %s %s", c.id, o, r.State, r.Reason)
		}
	}
}

// outage are the days on which nobody looked: who ordered then was never due.
func outage(d clock.Date) bool {
	first := clock.CivilDate(at("2026-06-01 09:40").AddDate(0, 0, 200), clock.Shanghai)
	return !d.Before(first) && d.Before(first.AddDays(3))
}

// judgePerson looks at the cap of the day, one message per tenant, and at the quiet hours.
func judgePerson(t *testing.T, to string, all []handed) {
	t.Helper()
	byDay := map[string]int{}
	for _, m := range all {
		at := m.at.In(clock.Shanghai)
		if h := at.Hour(); h < 9 || h >= 21 {
			t.Errorf("%s was disturbed at %s", to, at)
		}
		byDay[at.Format(time.DateOnly)+m.Params["org"]]++
	}
	for day, n := range byDay {
		if n > 1 {
			t.Errorf("%s got %d messages on %s", to, n, day)
		}
	}
}

// S2: a provider that fails three times in ten, and in one of ten only after it has sent. Everything is delivered or a task
// for people, with the same id on every try, and nobody gets more than the caps.
func TestFailingProvider(t *testing.T) {
	t.Parallel()
	p := &post{}
	rnd := rand.New(rand.NewPCG(3, 4))
	var mu sync.Mutex
	roll := func(below int) bool { mu.Lock(); defer mu.Unlock(); return rnd.IntN(10) < below }
	p.fail = func(m channel.Message) error {
		if m.To == "13800139999" {
			return fault.New(fault.Invalid, "channel.failed") // no such number
		}
		if roll(3) {
			return fault.New(fault.Unavailable, "channel.failed")
		}
		return nil
	}
	p.late = func(channel.Message) error {
		if roll(1) {
			return context.DeadlineExceeded
		}
		return nil
	}
	w := newWorld(t, at("2026-12-01 09:30"), 0, p)
	for i := range 60 {
		w.add("kinglong", "CERT272353", fmt.Sprintf("1380013%04d", i), "", at("2026-12-08 12:00"))
	}
	lost := w.add("kinglong", "CERT272353", "13800139999", "", at("2026-12-08 12:00"))
	for range 40 {
		w.run()
		w.clock.Advance(12 * time.Minute)
	}
	if left := w.count(`SELECT count(*) FROM reminder_notices WHERE state = 'pending'`); left > 0 {
		t.Errorf("%d messages are still on their way", left)
	}
	if n := w.count(`SELECT count(*) FROM reminders WHERE offset_days = 7 AND state = 'sent'`); n != 60 {
		t.Errorf("%d of 60 told", n)
	}
	ids := map[string][]string{}
	for _, m := range p.sent() {
		ids[m.To] = append(ids[m.To], m.ID)
	}
	for to, all := range ids {
		if one := slices.Compact(slices.Clone(all)); len(one) != 1 {
			t.Errorf("%s was sent different messages: %v", to, one)
		}
	}
	rows := w.rows(lost)
	if got := rows[len(rows)-1]; got.State != "undeliverable" {
		t.Errorf("the number that is none: %+v", got)
	}
	if n := w.count(`SELECT count(*) FROM reminder_tasks WHERE kind = 'undeliverable' AND certificate_id = $1 AND done_at IS NULL`, lost.id); n != 1 {
		t.Errorf("%d tasks for it, want 1", n)
	}
}
