package reminder_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"certsaas/core/clock"
)

// "Seven days before" begins with a civil day of the tenant and with nothing else: half a minute before midnight it is not
// written, half a minute after it is. Months and years that end, leap days, the second that is the next day elsewhere, the years
// at which 32-bit clocks (2038) and the times of certificates (2050, RFC 5280 §4.1.2.5) turn over, and zones whose days have 23
// or 25 hours. (issue 4 §4.3, reliability S3)
func TestCivilDays(t *testing.T) {
	t.Parallel()
	newYork, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, at("2026-10-01 10:00"), 0, &post{})
	w.republish("byd", "tenant.yaml", func(text string) string { return text + "\ntimezone: America/New_York\n" })
	table := []struct {
		name string
		zone *time.Location
		ends string // RFC 3339, any zone
		due  string // seven days before
	}{
		{"a day of 25 hours between", newYork, "2026-11-01T23:30:00-05:00", "2026-10-25"},
		{"the night in which an hour comes twice, first time", newYork, "2026-11-01T01:30:00-04:00", "2026-10-25"},
		{"the night in which an hour comes twice, second time", newYork, "2026-11-01T01:30:00-05:00", "2026-10-25"},
		{"the same instant is another day here", newYork, "2026-12-31T23:59:59Z", "2026-12-24"},
		{"and there", clock.Shanghai, "2026-12-31T23:59:59Z", "2026-12-25"},
		{"the last second of a year", clock.Shanghai, "2026-12-31T23:59:59+08:00", "2026-12-24"},
		{"the first second of a year", clock.Shanghai, "2027-01-01T00:00:00+08:00", "2026-12-25"},
		{"a day of 23 hours between", newYork, "2027-03-15T00:30:00-04:00", "2027-03-08"},
		{"the hour that is not there", newYork, "2027-03-21T02:30:00-04:00", "2027-03-14"},
		{"the end of February", clock.Shanghai, "2027-03-01T00:00:00+08:00", "2027-02-22"},
		{"over the end of February", clock.Shanghai, "2027-03-07T12:00:00+08:00", "2027-02-28"},
		{"a month of 30 days", clock.Shanghai, "2027-05-05T12:00:00+08:00", "2027-04-28"},
		{"a month of 31 days", clock.Shanghai, "2027-06-05T12:00:00+08:00", "2027-05-29"},
		{"29 February itself", clock.Shanghai, "2028-02-29T12:00:00+08:00", "2028-02-22"},
		{"due on 29 February", clock.Shanghai, "2028-03-07T23:59:59+08:00", "2028-02-29"},
		{"over 29 February", clock.Shanghai, "2028-03-06T00:00:00+08:00", "2028-02-28"},
		{"before 32 bits are full", clock.Shanghai, "2038-01-19T03:14:07Z", "2038-01-12"},
		{"after 32 bits were full", clock.Shanghai, "2038-01-27T03:14:08Z", "2038-01-20"},
		{"the last second of UTCTime", clock.Shanghai, "2049-12-31T23:59:59Z", "2049-12-25"},
		{"the first second of GeneralizedTime", newYork, "2050-01-01T00:00:00Z", "2049-12-24"},
		{"in 2050", clock.Shanghai, "2050-07-01T12:00:00+08:00", "2050-06-24"},
	}
	type told struct {
		name, due string
		cell      cell
	}
	mornings := map[time.Time][]told{} // by the midnight at which the day begins
	for i, x := range table {
		ends, err := time.Parse(time.RFC3339, x.ends)
		if err != nil {
			t.Fatal(err)
		}
		due, err := clock.ParseDate(x.due)
		if err != nil {
			t.Fatal(err)
		}
		slug, product := "kinglong", "CERT272353"
		if x.zone == newYork {
			slug, product = "byd", "BYD-GQGX"
		}
		midnight := due.At(0, 0, x.zone).UTC()
		mornings[midnight] = append(mornings[midnight], told{x.name, x.due, w.add(slug, product, fmt.Sprintf("138001380%02d", i), "", ends)})
	}
	seven := func(now time.Time, x told) []row {
		w.clock.Set(now)
		if _, err := w.Reminders.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		return slices.DeleteFunc(w.rows(x.cell), func(r row) bool { return r.Offset != 7 })
	}
	for _, midnight := range slices.SortedFunc(maps.Keys(mornings), time.Time.Compare) {
		for _, x := range mornings[midnight] {
			if rows := seven(midnight.Add(-30*time.Second), x); len(rows) != 0 {
				t.Errorf("%s: written on the eve: %+v", x.name, rows)
			}
		}
		for _, x := range mornings[midnight] {
			if rows := seven(midnight.Add(30*time.Second), x); len(rows) != 1 || rows[0].Due != x.due {
				t.Errorf("%s: on the day %+v, want it due on %s", x.name, rows, x.due)
			}
		}
	}
}
