package clock_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"certsaas/core/clock"
)

// req: K39 K44
func TestDueWithPauses(t *testing.T) {
	t.Parallel()
	// November 2026 has no holidays: 16 Mon … 20 Fri, 21/22 weekend, 23 Mon …
	type pause [2]string
	tests := []struct {
		name   string
		start  string
		pauses []pause
		policy clock.Policy
		want   string // "" = paused
	}{
		{"none", "2026-11-16 10:00", nil, clock.PolicyA, "2026-11-19 17:30"},
		{"over two days", "2026-11-16 10:00", []pause{{"2026-11-17 10:00", "2026-11-18 11:00"}}, clock.PolicyA, "2026-11-23 17:30"},
		{"within one day", "2026-11-16 10:00", []pause{{"2026-11-17 10:00", "2026-11-17 16:00"}}, clock.PolicyA, "2026-11-20 17:30"},
		{"stopped after the day was done", "2026-11-16 10:00", []pause{{"2026-11-17 17:30", "2026-11-18 09:00"}}, clock.PolicyA, "2026-11-20 17:30"},
		{"over a weekend", "2026-11-19 10:00", []pause{{"2026-11-20 18:00", "2026-11-22 11:00"}}, clock.PolicyA, "2026-11-24 17:30"},
		{"over a weekend, B", "2026-11-19 10:00", []pause{{"2026-11-20 18:00", "2026-11-22 11:00"}}, clock.PolicyB, "2026-11-25 17:30"},
		{"resubmitted late, A", "2026-11-16 10:00", []pause{{"2026-11-17 10:00", "2026-11-17 18:00"}}, clock.PolicyA, "2026-11-20 17:30"},
		{"resubmitted late, B", "2026-11-16 10:00", []pause{{"2026-11-17 10:00", "2026-11-17 18:00"}}, clock.PolicyB, "2026-11-23 17:30"},
		{"on the day of receipt", "2026-11-16 10:00", []pause{{"2026-11-16 11:00", "2026-11-16 12:00"}}, clock.PolicyA, "2026-11-19 17:30"},
		{"two, unordered and overlapping", "2026-11-16 10:00", []pause{{"2026-11-18 10:00", "2026-11-19 09:00"}, {"2026-11-17 10:00", "2026-11-18 12:00"}}, clock.PolicyA, "2026-11-24 17:30"},
		{"empty and backward", "2026-11-16 10:00", []pause{{"2026-11-17 10:00", "2026-11-17 10:00"}, {"2026-11-18 10:00", "2026-11-17 10:00"}}, clock.PolicyA, "2026-11-19 17:30"},
		{"ended before start", "2026-11-16 10:00", []pause{{"2026-11-13 10:00", "2026-11-16 10:00"}}, clock.PolicyA, "2026-11-19 17:30"},
		{"begun before start", "2026-11-16 10:00", []pause{{"2026-11-13 10:00", "2026-11-17 10:00"}}, clock.PolicyA, "2026-11-20 17:30"},
		{"after the due time", "2026-11-16 10:00", []pause{{"2026-11-19 17:30", "2026-11-30 10:00"}}, clock.PolicyA, "2026-11-19 17:30"},
		{"still open", "2026-11-16 10:00", []pause{{"2026-11-18 10:00", ""}}, clock.PolicyA, ""},
		{"open since the due time", "2026-11-16 10:00", []pause{{"2026-11-19 17:30", ""}}, clock.PolicyA, "2026-11-19 17:30"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var pauses []clock.Interval
			for _, p := range tt.pauses {
				i := clock.Interval{From: at(t, p[0]).UTC()}
				if p[1] != "" {
					i.To = at(t, p[1]).UTC()
				}
				pauses = append(pauses, i)
			}
			want := clock.Due{Paused: tt.want == ""}
			if !want.Paused {
				want.At = at(t, tt.want)
			}
			if diff := cmp.Diff(want, clock.China().Due(at(t, tt.start), pauses, 3, tt.policy)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

func TestDueWithoutNoticeIsEstimated(t *testing.T) {
	t.Parallel()
	c := clock.China()
	got := c.AddWorkdays(at(t, "2026-12-30 10:00"), 3, clock.PolicyA)
	if !got.Estimated || !got.At.Equal(at(t, "2027-01-04 17:30")) {
		t.Errorf("got %+v", got)
	}
	next, err := c.With([]byte(`{"year":2027,"papers":[],"days":[{"name":"元旦","date":"2027-01-01","isOffDay":true},{"name":"元旦","date":"2027-01-02","isOffDay":false}]}`))
	if err != nil {
		t.Fatal(err)
	}
	got = next.AddWorkdays(at(t, "2026-12-30 10:00"), 3, clock.PolicyA)
	if got.Estimated || !got.At.Equal(at(t, "2027-01-04 17:30")) {
		t.Errorf("with notice: got %+v", got)
	}
	if c.Known(2027) || !next.Known(2027) {
		t.Error("With must not change the calendar it is called on")
	}
	empty, err := c.With([]byte(`{"year":2027,"papers":[],"days":[]}`))
	if err != nil || empty.Known(2027) {
		t.Errorf("a file without days must leave its year unknown: %v", err)
	}
	if got := c.AddWorkdays(at(t, "2026-11-21 10:00"), 0, clock.PolicyA); !got.At.Equal(at(t, "2026-11-23 17:30")) {
		t.Errorf("n=0: got %+v", got)
	}
}

func TestWithRefuses(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		``, `[]`, `{"days":[]}`,
		`{"year":2027,"days":[{"date":"2027-02-29","isOffDay":true}]}`,
		`{"year":2027,"days":[{"date":"2024-02-29","isOffDay":true}]}`,
		`{"year":2027,"days":[{"date":"2027-01-01","isOffDay":true},{"date":"2027-01-01","isOffDay":false}]}`,
	} {
		if _, err := clock.China().With([]byte(s)); err == nil {
			t.Errorf("%s: accepted", s)
		}
	}
}

func TestBuiltInNoticesNameOnlyExceptions(t *testing.T) {
	t.Parallel()
	for file, want := range map[string][2]int{"2025.json": {28, 5}, "2026.json": {33, 6}} {
		b, err := os.ReadFile(filepath.Join("holidays", file))
		if err != nil {
			t.Fatal(err)
		}
		var n struct {
			Year int
			Days []struct {
				Name     string
				Date     clock.Date
				IsOffDay bool
			}
		}
		if err := json.Unmarshal(b, &n); err != nil {
			t.Fatal(err)
		}
		var got [2]int
		for _, d := range n.Days {
			wd := d.Date.Weekday()
			weekend := wd == time.Saturday || wd == time.Sunday
			if !d.IsOffDay && !weekend {
				t.Errorf("%s: %s is no weekend, so no make-up day", file, d.Date)
			}
			if d.Name == "" || d.Date.Year != n.Year || !strings.HasPrefix(file, d.Date.String()[:4]) {
				t.Errorf("%s: bad row %+v", file, d)
			}
			if d.IsOffDay {
				got[0]++
			} else {
				got[1]++
			}
		}
		if got != want {
			t.Errorf("%s: %v days off and made up, want %v", file, got, want)
		}
	}
}

func TestTimeLeft(t *testing.T) {
	t.Parallel()
	c, due := clock.China(), at(t, "2026-11-25 17:30")
	for _, tt := range []struct {
		now  string
		days int
		left time.Duration
	}{
		{"2026-11-20 10:00", 3, 7*time.Hour + 30*time.Minute + 3*(8*time.Hour+30*time.Minute)},
		{"2026-11-21 10:00", 3, 3 * (8*time.Hour + 30*time.Minute)},
		{"2026-11-24 18:00", 1, 8*time.Hour + 30*time.Minute},
		{"2026-11-25 08:00", 0, 8*time.Hour + 30*time.Minute},
		{"2026-11-25 17:00", 0, 30 * time.Minute},
		{"2026-11-25 17:30", 0, 0},
		{"2026-11-30 10:00", 0, 0},
	} {
		now := at(t, tt.now).UTC()
		if got := c.RemainingWorkdays(now, due); got != tt.days {
			t.Errorf("%s: %d days, want %d", tt.now, got, tt.days)
		}
		if got := c.WorkingTimeLeft(now, due); got != tt.left {
			t.Errorf("%s: %s left, want %s", tt.now, got, tt.left)
		}
	}
}

func TestDates(t *testing.T) {
	t.Parallel()
	late := time.Date(2026, 11, 22, 16, 30, 0, 0, time.UTC) // half past midnight in Shanghai
	if got := clock.CivilDate(late, clock.Shanghai).String(); got != "2026-11-23" {
		t.Errorf("CivilDate: %s", got)
	}
	if got := clock.DaysBetween(day(t, "2028-02-28"), day(t, "2028-03-01")); got != 2 {
		t.Errorf("DaysBetween: %d", got)
	}
	if got := clock.DaysBetween(day(t, "2027-01-01"), day(t, "2026-12-31")); got != -1 {
		t.Errorf("DaysBetween backwards: %d", got)
	}
	leap := at(t, "2028-02-29 12:00:00")
	for n, want := range map[int]string{1: "2029-02-28 12:00:00", 4: "2032-02-29 12:00:00", -1: "2027-02-28 12:00:00", 0: "2028-02-29 12:00:00"} {
		if got := clock.AddYearsClamped(leap, n); !got.Equal(at(t, want)) {
			t.Errorf("AddYearsClamped(%d) = %s, want %s", n, got, want)
		}
	}
	if (clock.Date{Year: 2026, Month: 2, Day: 29}).Valid() || !(clock.Date{Year: 2028, Month: 2, Day: 29}).Valid() || (clock.Date{}).Valid() {
		t.Error("Valid")
	}
	var d clock.Date
	if err := json.Unmarshal([]byte(`"2026-02-29"`), &d); err == nil {
		t.Error("29 February 2026 was read")
	}
	if a, b := day(t, "2026-02-28"), day(t, "2026-03-01"); !a.Before(b) || a.After(b) || a.AddDays(1) != b || b.AddDays(-1) != a {
		t.Error("order of days")
	}
}

func TestClocks(t *testing.T) {
	t.Parallel()
	base := clock.NewFake(at(t, "2026-11-22 10:00"))
	s := clock.NewShifted(base)
	s.SetNow(at(t, "2027-01-01 00:00"))
	base.Advance(time.Hour)
	if got := s.Now(); !got.Equal(at(t, "2027-01-01 01:00")) {
		t.Errorf("shifted: %s", got)
	}
	s.SetOffset(0)
	var wg sync.WaitGroup
	for range 100 {
		wg.Go(func() { s.Shift(time.Second); base.Advance(time.Second); _ = s.Now() })
	}
	wg.Wait()
	if s.Offset() != 100*time.Second || !base.Now().Equal(at(t, "2026-11-22 11:01:40")) {
		t.Errorf("offset %s, base %s", s.Offset(), base.Now())
	}
	if d := time.Since(clock.System().Now()); d < 0 || d > time.Minute {
		t.Errorf("system clock is %s away", d)
	}
}

// A span is days and hours, is written as it is read, and never goes back.
func TestSpans(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for text, want := range map[string]time.Duration{"335d": 335 * day, "335d7h30m0s": 335*day + 7*time.Hour + 30*time.Minute, "1h30m0s": 90 * time.Minute, "0s": 0, "1d1s": day + time.Second} {
		got, err := clock.ParseSpan(text)
		if err != nil || got != want || clock.FormatSpan(got) != text {
			t.Errorf("%s: %s, written %s: %v", text, got, clock.FormatSpan(got), err)
		}
	}
	for _, text := range []string{"", "d", "335", "-1d", "1d-2h", "-2h", "1.5d", "40000d", "335 d", "65536d"} {
		if got, err := clock.ParseSpan(text); err == nil {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}
