package reminder_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/fault"
)

var offsets = []int{60, 30, 15, 7, 1, 0, -1, -7, -30}

// TestYear lives 400 days with three processes whose clocks go wrong by up to five minutes, which are killed (-9) at random
// moments, and an outage of three days; one tenant lives in a zone with daylight saving. Every certificate has exactly one row
// for every day that was due, what was not overtaken was handed over at least once, nobody heard anything after he had ordered,
// or more than once a day, and no certificate ever had two renewal orders. (issue 4 §4.1, reliability S1)
func TestYear(t *testing.T) {
	t.Parallel()
	start, days, n := at("2026-06-01 09:40"), 400, coretest.Size(160, 10_000)
	w := newWorld(t, start, 0, &post{})
	w.republish("byd", "tenant.yaml", func(text string) string { return text + "\ntimezone: America/New_York\n" })
	rnd := rand.New(rand.NewPCG(1, 2))
	gone := map[uuid.UUID]time.Time{} // certificate → when it was ordered or revoked
	for i := range n {
		slug, product := "byd", "BYD-GQGX"
		if i%2 == 0 {
			slug, product = "kinglong", "CERT272353"
		}
		end := start.AddDate(0, 0, rnd.IntN(330)).Add(time.Duration(rnd.IntN(86400)) * time.Second)
		w.add(slug, product, fmt.Sprintf("138001%05d", rnd.IntN(n)), "", end)
	}
	f := newFleet(t, w, rnd, filepath.Join(t.TempDir(), "book"))
	kill := func() bool { return rnd.IntN(2*days) < coretest.Size(15, 500) }
	for day := range days {
		if first := 200; day >= first && day < first+3 {
			continue // nobody is there
		}
		w.clock.Set(start.AddDate(0, 0, day))
		f.step(1+2*(day%3/2), kill())
		w.clock.Advance(4 * time.Hour)
		leave(w, rnd, gone)
		w.clock.Advance(9 * time.Hour) // morning in New York, and Shanghai sleeps
		f.step(1, kill())
	}
	w.clock.Set(start.AddDate(0, 0, days))
	f.step(3, false)
	w.clock.Advance(13 * time.Hour)
	f.step(3, false)
	book := f.handed()
	for _, c := range w.cells {
		judge(t, w, c, start, gone[c.id])
	}
	judgeBook(t, w, f, book, gone)
	judgeOrders(t, w)
	t.Logf("%d certificates, %d rows, %d hand-offs, %d renewal orders; %d kills, %d of them in the middle of the work", n, w.count(`SELECT count(*) FROM reminders`),
		len(book), w.count(`SELECT count(*) FROM renewals WHERE order_id IS NOT NULL`), f.kills, len(f.cut))
}

// leave lets some people act on what they were told: most order, some lose their key.
func leave(w *world, rnd *rand.Rand, gone map[uuid.UUID]time.Time) {
	for range max(1, len(w.cells)/120) {
		c := w.cells[rnd.IntN(len(w.cells))]
		if _, done := gone[c.id]; done || rnd.IntN(2) == 0 {
			continue
		}
		gone[c.id] = w.clock.Now()
		if rnd.IntN(4) == 0 {
			w.revoked(c)
			continue
		}
		w.ordered(c)
	}
}

// judge compares a certificate's rows with the days that were due between the first and the last look, in its tenant's zone.
func judge(t *testing.T, w *world, c cell, start, gone time.Time) {
	t.Helper()
	zone := w.zone(c)
	ends := clock.CivilDate(c.notAfter, zone)
	first, last := clock.CivilDate(start, zone).AddDays(-30), clock.CivilDate(w.clock.Now(), zone)
	have := map[int]row{}
	for _, r := range w.rows(c) {
		if _, twice := have[r.Offset]; twice {
			t.Errorf("%s: two rows for %d", c.id, r.Offset)
		}
		have[r.Offset] = r
	}
	for i, o := range offsets {
		due := ends.AddDays(-o)
		r, there := have[o]
		was := !due.Before(first) && !due.After(last)
		if !gone.IsZero() && due.After(clock.CivilDate(gone, zone)) {
			was = false
			if there {
				t.Errorf("%s: a row for %d, due %s, after it was gone on %s", c.id, o, due, gone)
			}
		}
		if was && !there && (gone.IsZero() || clock.CivilDate(gone, zone) != due && !outage(due, start, zone)) {
			t.Errorf("%s: no row for %d, due %s (ends %s, gone %s)", c.id, o, due, c.notAfter, gone)
		}
		if !there {
			continue
		}
		if r.Due != due.String() {
			t.Errorf("%s: %d is due on %s, not %s", c.id, o, due, r.Due)
		}
		overtaken := i+1 < len(offsets) && !ends.AddDays(-offsets[i+1]).After(last)
		switch {
		case r.State == "sent", r.State == "cancelled" && !gone.IsZero():
		case r.State == "skipped" && overtaken:
		default:
			t.Errorf("%s: %d is %s %s", c.id, o, r.State, r.Reason)
		}
	}
}

// outage are the days on which nobody looked: who ordered then was never due.
func outage(d clock.Date, start time.Time, zone *time.Location) bool {
	first := clock.CivilDate(start.AddDate(0, 0, 200), zone)
	return !d.Before(first) && d.Before(first.AddDays(3))
}

// judgeBook looks at what the provider was given: at least once what counts as sent; a message again only when a machine was
// killed or not told that it had worked; nobody disturbed at night or told twice a day; nothing about what was gone.
func judgeBook(t *testing.T, w *world, f *fleet, book []entry, gone map[uuid.UUID]time.Time) {
	t.Helper()
	const clocks = 10 * time.Minute // that two machines are apart at most
	zones := map[string]*time.Location{}
	for _, slug := range []string{"byd", "kinglong"} {
		zones[w.tenant(slug).Names().Short.In("zh-CN")] = w.tenant(slug).Zone()
	}
	var ids, dead []uuid.UUID
	var ats, died []time.Time
	days, last := map[string]string{}, map[string]entry{}
	for _, e := range book {
		ids, ats = append(ids, uuid.MustParse(e.ID)), append(ats, e.At)
		if before, again := last[e.ID]; again && !before.Late && !f.cut[before.By] {
			t.Errorf("handed over again without need: %+v, then %+v", before, e)
		}
		zone := zones[e.Org]
		if zone == nil {
			t.Fatalf("a message of nobody: %+v", e)
		}
		if h := e.At.In(zone).Hour(); h < 9 || h >= 21 {
			t.Errorf("%s was disturbed at %s", e.To, e.At.In(zone))
		}
		day := e.Org + e.To + e.At.In(zone).Format(time.DateOnly)
		if other := days[day]; other != "" && other != e.ID {
			t.Errorf("%s of %s was told twice on %s", e.To, e.Org, e.At.In(zone))
		}
		days[day], last[e.ID] = e.ID, e
	}
	for id, at := range gone {
		dead, died = append(dead, id), append(died, at.Add(clocks))
	}
	if n := w.count(`SELECT count(*) FROM reminders r WHERE r.state = 'sent' AND NOT EXISTS (SELECT FROM messages m
		WHERE m.tenant_id = r.tenant_id AND m.outbox_id = r.notice_id AND m.id = ANY ($1))`, ids); n > 0 {
		t.Errorf("%d reminders count as sent and were never handed over", n)
	}
	if n := w.count(`SELECT count(*) FROM (SELECT FROM unnest($1::uuid[], $2::timestamptz[]) h (id, at) JOIN messages m ON m.id = h.id
			JOIN reminders r ON r.tenant_id = m.tenant_id AND r.notice_id = m.outbox_id
			LEFT JOIN unnest($3::uuid[], $4::timestamptz[]) g (id, at) ON g.id = r.certificate_id
		GROUP BY h.id, h.at HAVING bool_and(g.at IS NOT NULL AND g.at < h.at)) x`, ids, ats, dead, died); n > 0 {
		t.Errorf("%d messages were about nothing that was not ordered or revoked before", n)
	}
	if left := w.count(`SELECT count(*) FROM reminder_notices WHERE state = 'pending'`); left > 0 {
		t.Errorf("%d messages are still on their way", left)
	}
}

// judgeOrders looks for certificates that had two renewal orders open at a time, ever. The orders that the test hands in
// itself (R…) are the holders' own.
func judgeOrders(t *testing.T, w *world) {
	t.Helper()
	if n := w.count(`SELECT count(*) FROM orders a JOIN orders b ON b.tenant_id = a.tenant_id AND b.old_certificate_id = a.old_certificate_id AND b.id > a.id
		WHERE a.service = 'renewal' AND b.service = 'renewal' AND a.number NOT LIKE 'R%' AND b.number NOT LIKE 'R%'
			AND a.created_at + interval '10 minutes' < coalesce(b.closed_at, 'infinity') AND b.created_at + interval '10 minutes' < coalesce(a.closed_at, 'infinity')`); n > 0 {
		t.Errorf("%d times a certificate had two open renewal orders", n)
	}
	if n := w.count(`SELECT count(*) FROM orders WHERE service = 'renewal' AND state = 'draft' AND NOT EXISTS (SELECT FROM renewals r
		WHERE r.tenant_id = orders.tenant_id AND r.order_id = orders.id)`); n > 0 {
		t.Errorf("%d renewal orders belong to no renewal", n)
	}
}

// zone is where a certificate's tenant lives.
func (w *world) zone(c cell) *time.Location {
	w.t.Helper()
	t, err := w.Tenants.ByID(w.t.Context(), c.tenant)
	if err != nil {
		w.t.Fatal(err)
	}
	return t.Zone()
}

// A provider that fails three times in ten, and in one of ten only after it has sent; one number does not exist. Everything is
// delivered or a task for people with its alert (audit entry, gauge of open tasks), each message is the same on every try, and
// nobody gets more than the caps: one a day, here three in thirty days. (issue 4 §4.2, reliability S2)
func TestFailingProvider(t *testing.T) {
	t.Parallel()
	const people, none, month = 30, "13800139999", 3
	p := &post{}
	rnd := rand.New(rand.NewPCG(3, 4))
	var mu sync.Mutex
	tries, failed, late := map[string]int{}, 0, 0
	roll := func(m channel.Message, below int, what *int) bool {
		mu.Lock()
		defer mu.Unlock()
		if rnd.IntN(10) >= below || tries[m.ID] >= 5 { // no message fails for ever
			return false
		}
		tries[m.ID]++
		*what++
		return true
	}
	p.fail = func(m channel.Message) error {
		if m.To == none {
			return fault.New(fault.Invalid, "channel.failed")
		}
		if roll(m, 3, &failed) {
			return fault.New(fault.Unavailable, "channel.failed")
		}
		return nil
	}
	p.late = func(m channel.Message) error {
		if roll(m, 1, &late) {
			return context.DeadlineExceeded
		}
		return nil
	}
	monday := at("2026-11-30 09:30")
	w := newWorld(t, monday, 0, p)
	p.clock = w.clock.Now
	w.Reminders.Limits.Month = month
	for i := range 4 { // seven days before the end: Monday to Thursday
		for person := range people {
			w.add("kinglong", "CERT272353", fmt.Sprintf("1380013%04d", person), "", at("2026-12-07 12:00").AddDate(0, 0, i))
		}
		w.add("kinglong", "CERT272353", none, "", at("2026-12-07 12:00").AddDate(0, 0, i))
	}
	for day := range 5 {
		w.clock.Set(monday.AddDate(0, 0, day))
		for range 8 {
			w.run()
			w.clock.Advance(12 * time.Minute)
		}
	}
	if left := w.count(`SELECT count(*) FROM reminder_notices WHERE state = 'pending'`); left > 0 {
		t.Errorf("%d messages are still on their way", left)
	}
	if n := w.count(`SELECT count(*) FROM reminders WHERE offset_days = 7 AND state = 'sent'`); n != people*month {
		t.Errorf("%d told, want %d", n, people*month)
	}
	type told struct{ to, day string }
	ids, days := map[string][]string{}, map[told]string{}
	for _, m := range p.sent() {
		day := told{m.To, m.at.In(clock.Shanghai).Format(time.DateOnly)}
		if other := days[day]; other != "" && other != m.ID {
			t.Errorf("%v: two messages", day)
		}
		days[day] = m.ID
		if !slices.Contains(ids[m.To], m.ID) {
			ids[m.To] = append(ids[m.To], m.ID)
		}
	}
	for to, all := range ids {
		if len(all) != month {
			t.Errorf("%s was sent %d messages, the cap is %d", to, len(all), month)
		}
	}
	if again := len(p.sent()) - people*month; len(ids) != people || again != late || late == 0 || failed == 0 {
		t.Errorf("%d people; %d messages handed over again after %d timeouts; %d refusals", len(ids), again, late, failed)
	}
	for _, x := range []struct {
		what string
		want int // the first message is about all four certificates, the others about one each
		sql  string
	}{
		{"reminders", 4 + 1 + 1, `SELECT count(*) FROM reminders WHERE state = 'undeliverable'`},
		{"tasks", 4, `SELECT count(*) FROM reminder_tasks WHERE kind = 'undeliverable' AND done_at IS NULL`},
		{"alerts", month, `SELECT count(*) FROM audit_entries WHERE action = 'reminder.undeliverable'`},
	} {
		if n := w.count(x.sql); n != x.want {
			t.Errorf("%d %s for the number that does not exist, want %d", n, x.what, x.want)
		}
	}
}
