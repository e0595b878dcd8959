package reminder_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// req: B68 K53
// The vector of domain §10: a certificate that ends on 31 December 2026 is spoken of on nine days.
func TestDaysOfOneCertificate(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-10-20 10:00"), 0, p)
	c := w.add("byd", "BYD-GQGX", "13800138000", "", at("2026-12-31 23:59"))
	for day := at("2026-10-20 10:00"); day.Before(at("2027-02-10 00:00")); day = day.AddDate(0, 0, 1) {
		w.clock.Set(day)
		w.run()
	}
	want := []row{
		{60, "2026-11-01", "sent", ""}, {30, "2026-12-01", "sent", ""}, {15, "2026-12-16", "sent", ""}, {7, "2026-12-24", "sent", ""}, {1, "2026-12-30", "sent", ""},
		{0, "2026-12-31", "sent", ""}, {-1, "2027-01-01", "sent", ""}, {-7, "2027-01-07", "sent", ""}, {-30, "2027-01-30", "sent", ""},
	}
	if diff := cmp.Diff(want, w.rows(c)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	texts := p.sent()
	if len(texts) != 9 {
		t.Fatalf("%d messages, want 9", len(texts))
	}
	// 1 November 2026 is a Sunday: the first message waits for Monday, and its days are those left then.
	if got := texts[0].Text; !strings.Contains(got, "演示供应商001有限公司的数字证书将于 2026-12-31 到期（还有 59 天）") || !strings.Contains(got, "/r/") {
		t.Errorf("first message: %s", got)
	}
	if got := texts[5].Text; !strings.Contains(got, "今天（2026-12-31）到期") {
		t.Errorf("message of the day: %s", got)
	}
	if got := texts[8].Text; !strings.Contains(got, "已于 2026-12-31 过期") {
		t.Errorf("last message: %s", got)
	}
}

// The civil day, not 24 hours: leap days, ends of months and years, an end that is the next day in Shanghai.
func TestRightCivilDay(t *testing.T) {
	t.Parallel()
	w := newWorld(t, at("2026-11-01 10:00"), 0, &post{})
	for i, tt := range []struct{ name, now, ends string }{ // seven days before, the earliest first
		{"end of a month", "2026-11-30 10:00", "2026-12-07 23:59"},
		{"23:59:59 UTC is the next day", "2026-12-25 10:00", "2027-01-01 07:59"},
		{"end of a year", "2026-12-29 10:00", "2027-01-05 00:00"},
		{"no leap day", "2027-02-26 10:00", "2027-03-05 08:00"},
		{"leap day", "2028-02-22 10:00", "2028-02-29 12:00"},
		{"after a leap day", "2028-02-29 10:00", "2028-03-07 00:00"},
		{"the last day but two of a year", "2028-12-22 10:00", "2028-12-29 23:59"},
	} {
		w.clock.Set(at(tt.now).AddDate(0, 0, -1))
		c := w.add("kinglong", "CERT272353", fmt.Sprintf("1380013800%d", i), "", at(tt.ends))
		w.run()
		before := len(w.rows(c))
		w.clock.Set(at(tt.now))
		w.run()
		rows := w.rows(c)
		if len(rows) != before+1 {
			t.Errorf("%s: %d rows the day before, %d on the day: %+v", tt.name, before, len(rows), rows)
			continue
		}
		if got := rows[len(rows)-1]; got.Offset != 7 || got.Due != tt.now[:10] || got.State != "sent" {
			t.Errorf("%s: got %+v", tt.name, got)
		}
	}
}

// A tenant in another time zone has his own days, office hours and quiet hours.
func TestOtherTimeZone(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	w.republish("byd", "tenant.yaml", func(text string) string { return text + "\ntimezone: America/New_York\n" })
	// 12:30 on the 8th in Shanghai is still the 7th in New York.
	c := w.add("byd", "BYD-GQGX", "13800138000", "", at("2026-12-09 00:30"))
	w.clock.Set(at("2026-12-01 12:30")) // 30 November, 23:30 in New York: eight days before
	w.run()
	if n := len(w.rows(c)); n != 2 || w.rows(c)[1].Offset != 15 {
		t.Errorf("at the eve: %+v", w.rows(c))
	}
	w.clock.Set(at("2026-12-01 14:00")) // 1 December, 01:00 there: seven days, and everybody sleeps
	w.run()
	if rows := w.rows(c); len(rows) != 3 || rows[2].Offset != 7 || rows[2].State != "pending" {
		t.Errorf("at night: %+v", rows)
	}
	w.clock.Set(at("2026-12-01 23:00")) // 10:00 there
	w.run()
	if rows := w.rows(c); rows[2].State != "sent" || len(p.sent()) != 1 {
		t.Errorf("in the morning: %+v, %d messages", rows, len(p.sent()))
	}
}

// A tenant says itself when its people may be spoken to, whether on days off, and how often (issue 4 §1).
func TestPaceOfATenant(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-10-31 12:00"), 0, p)
	w.republish("byd", "tenant.yaml", func(text string) string {
		return text + "\nreminders: {begin: \"14:30\", quiet_from: 18, quiet_until: 8, any_day: true, month: 1}\n"
	})
	for i, ends := range []string{"2026-12-31 12:00", "2027-01-01 12:00"} { // 60 days before: Sunday 1 November, and the day after
		w.add("byd", "BYD-GQGX", "13800138000", "", at(ends))
		w.add("kinglong", "CERT272353", fmt.Sprintf("1380013801%d", i), "", at(ends))
	}
	heard := func() (byd, other int) {
		for _, m := range p.sent() {
			if m.To == "13800138000" {
				byd++
			} else {
				other++
			}
		}
		return byd, other
	}
	for _, step := range []struct {
		now        string
		byd, other int
		why        string
	}{
		{"2026-11-01 09:40", 0, 0, "a Sunday before the tenant's hour; the other tenant waits for Monday"},
		{"2026-11-01 14:31", 1, 0, "the tenant's hour, on a Sunday"},
		{"2026-11-02 09:31", 1, 2, "Monday is everybody's day, but not this tenant's hour"},
		{"2026-11-02 14:31", 1, 2, "one message in thirty days is the tenant's cap"},
		{"2026-12-02 08:30", 1, 2, "the other tenant's quiet hours, and before this one's begin"},
		{"2026-12-02 18:01", 1, 4, "this tenant's quiet hours; both people of the other one"},
		{"2026-12-03 14:31", 2, 4, "thirty days later"},
	} {
		w.clock.Set(at(step.now))
		w.run()
		if byd, other := heard(); byd != step.byd || other != step.other {
			t.Errorf("%s (%s): heard %d and %d times, want %d and %d", step.now, step.why, byd, other, step.byd, step.other)
		}
	}
}
