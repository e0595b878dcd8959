package clock_test

import (
	"encoding/json"
	"os"
	"testing"
	"time"

	"certsaas/core/clock"
)

// vectors is testdata/calendar.json, computed apart from this code.
type vectors struct {
	SLA      [][3]string        `json:"sla"` // received, due A, due B
	Workdays map[string]int     `json:"workdays"`
	Flags    [][2]any           `json:"wd_flags"`
	Renew    [][5]string        `json:"renew"` // now, old end, state, from, to
	Remind   map[string][][]any `json:"remind"`
}

func load(t *testing.T) vectors {
	t.Helper()
	b, err := os.ReadFile("testdata/calendar.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// at reads a Shanghai time with or without seconds.
func at(t *testing.T, s string) time.Time {
	t.Helper()
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04"} {
		if v, err := time.ParseInLocation(layout, s, clock.Shanghai); err == nil {
			return v
		}
	}
	t.Fatalf("bad time %q", s)
	return time.Time{}
}

func day(t *testing.T, s string) clock.Date {
	t.Helper()
	d, err := clock.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// req: K39
func TestAddWorkdaysVectors(t *testing.T) {
	t.Parallel()
	rows := load(t).SLA
	rows = append(rows, [][3]string{ // domain table rows beyond the file
		{"2025-01-23 10:00", "2025-01-27 17:30", "2025-01-27 17:30"},
		{"2025-01-27 18:00", "2025-02-07 17:30", "2025-02-08 17:30"},
		{"2025-09-29 10:00", "2025-10-10 17:30", "2025-10-10 17:30"},
		{"2026-02-12 10:00", "2026-02-24 17:30", "2026-02-24 17:30"},
		{"2026-02-13 18:00", "2026-02-25 17:30", "2026-02-26 17:30"},
		{"2026-04-30 16:00", "2026-05-08 17:30", "2026-05-08 17:30"},
	}...)
	if len(rows) < 15 {
		t.Fatalf("only %d rows", len(rows))
	}
	for _, r := range rows {
		for i, p := range []clock.Policy{clock.PolicyA, clock.PolicyB} {
			// the same instant told in another zone must not matter
			for _, loc := range []*time.Location{clock.Shanghai, time.UTC} {
				got := clock.China().AddWorkdays(at(t, r[0]).In(loc), 3, p)
				if want := at(t, r[1+i]); !got.At.Equal(want) || got.Estimated || got.Paused {
					t.Errorf("%s policy %d: got %+v, want %s", r[0], p, got, want)
				}
			}
		}
	}
}

func TestWorkdayCountsAndFlags(t *testing.T) {
	t.Parallel()
	v, c := load(t), clock.China()
	if len(v.Workdays) != 2 || len(v.Flags) != 9 {
		t.Fatalf("vectors changed: %d years, %d flags", len(v.Workdays), len(v.Flags))
	}
	for year, want := range v.Workdays {
		n := 0
		for d := day(t, year+"-01-01"); d.String()[:4] == year; d = d.AddDays(1) {
			if c.IsWorkday(d) {
				n++
			}
		}
		if n != want || !c.Known(day(t, year+"-01-01").Year) {
			t.Errorf("%s: %d working days, want %d", year, n, want)
		}
	}
	for _, f := range v.Flags {
		if got := c.IsWorkday(day(t, f[0].(string))); got != f[1].(bool) {
			t.Errorf("IsWorkday(%s) = %v", f[0], got)
		}
	}
}

// req: B2 B3 B5 B68 K53
func TestRenewalWindowVectors(t *testing.T) {
	t.Parallel()
	rows := load(t).Renew
	rows = append(rows, [][5]string{
		{"2026-11-22 10:00:00", "2026-11-22 10:00:00", "CARRY", "2026-11-22 10:00:00", "2027-11-22 10:00:00"},
		{"2026-11-22 10:00:00", "2025-11-22 10:00:00", "EXPIRED", "2026-11-22 10:00:00", "2027-11-22 09:59:59"},
		{"2028-02-01 00:00:00", "2028-02-29 12:00:00", "CARRY", "2028-02-01 00:00:00", "2029-02-28 12:00:00"},
		// the window opens at midnight of the 90th day before
		{"2026-10-02 00:00:00", "2026-12-31 23:59:59", "CARRY", "2026-10-02 00:00:00", "2027-12-31 23:59:59"},
		{"2026-10-01 23:59:59", "2026-12-31 23:59:59", "EARLY", "2026-10-01 23:59:59", "2027-12-31 23:59:59"},
	}...)
	p := clock.RenewalPolicy{OpenDays: 90, CarryOver: true, LateDays: 365, TermYears: 1}
	for _, r := range rows {
		got := clock.RenewalWindow(at(t, r[0]).UTC(), at(t, r[1]).UTC(), p)
		if string(got.State) != r[2] || !got.NotBefore.Equal(at(t, r[3])) || !got.NotAfter.Equal(at(t, r[4])) {
			t.Errorf("now %s old %s: got %+v, want %v", r[0], r[1], got, r[2:])
		}
	}
}

func TestRenewalWithoutCarryOver(t *testing.T) {
	t.Parallel()
	p := clock.RenewalPolicy{OpenDays: 30, LateDays: 0, TermYears: 2}
	got := clock.RenewalWindow(at(t, "2026-12-20 08:00"), at(t, "2026-12-31 23:59:59"), p)
	if got.State != clock.RenewalOpen || !got.NotAfter.Equal(at(t, "2028-12-20 07:59:59")) {
		t.Errorf("got %+v", got)
	}
	if got := clock.RenewalWindow(at(t, "2027-01-01 00:00:00"), at(t, "2026-12-31 23:59:59"), p); got.State != clock.RenewalRevet {
		t.Errorf("no late days: got %+v", got)
	}
}

// req: B68 K53
func TestReminderDates(t *testing.T) {
	t.Parallel()
	n := 0
	for end, rows := range load(t).Remind {
		for _, r := range rows {
			n++
			// the last second of the day, told in UTC, is still that day in Shanghai
			for _, hour := range []string{" 00:00:00", " 23:59:59"} {
				got := clock.ReminderDate(at(t, end+hour).UTC(), int(r[0].(float64)))
				if got.String() != r[1] {
					t.Errorf("%s%s offset %v: got %s, want %s", end, hour, r[0], got, r[1])
				}
			}
		}
	}
	if n != 9 {
		t.Errorf("%d rows, want 9", n)
	}
}
