package clock

import (
	"cmp"
	"fmt"
	"time"
)

// Date is a day of the proleptic Gregorian calendar, without time or zone. It
// is comparable and may be a map key. The zero Date is no day at all.
type Date struct {
	Year  int
	Month time.Month
	Day   int
}

// CivilDate returns the day that t falls on in loc.
func CivilDate(t time.Time, loc *time.Location) Date {
	y, m, d := t.In(loc).Date()
	return Date{y, m, d}
}

// ParseDate reads "2006-01-02"; a day that does not exist (2026-02-29) is an error.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Date{}, fmt.Errorf("clock: date: %w", err)
	}
	return CivilDate(t, time.UTC), nil
}

// Valid tells whether the day exists.
func (d Date) Valid() bool {
	return d.Month >= time.January && d.Month <= time.December &&
		d.Day >= 1 && d.Day <= daysIn(d.Year, d.Month)
}

// IsZero tells whether d is the zero Date.
func (d Date) IsZero() bool { return d == Date{} }

// At returns the instant at which the clocks of loc show hour:minute on that day.
func (d Date) At(hour, minute int, loc *time.Location) time.Time {
	return time.Date(d.Year, d.Month, d.Day, hour, minute, 0, 0, loc)
}

// AddDays returns the day n days later (earlier when n is negative).
func (d Date) AddDays(n int) Date {
	return CivilDate(time.Date(d.Year, d.Month, d.Day+n, 0, 0, 0, 0, time.UTC), time.UTC)
}

// AddYears returns the same day n years later; 29 February becomes 28 February
// in a common year.
func (d Date) AddYears(n int) Date {
	y := d.Year + n
	return Date{y, d.Month, min(d.Day, daysIn(y, d.Month))}
}

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return d.At(0, 0, time.UTC).Weekday() }

// Compare returns -1, 0 or 1 as d is before, equal to or after e.
func (d Date) Compare(e Date) int {
	return cmp.Or(cmp.Compare(d.Year, e.Year), cmp.Compare(d.Month, e.Month), cmp.Compare(d.Day, e.Day))
}

// Before tells whether d is an earlier day than e.
func (d Date) Before(e Date) bool { return d.Compare(e) < 0 }

// After tells whether d is a later day than e.
func (d Date) After(e Date) bool { return d.Compare(e) > 0 }

// String returns "2006-01-02".
func (d Date) String() string { return fmt.Sprintf("%04d-%02d-%02d", d.Year, int(d.Month), d.Day) }

// MarshalText writes the day as "2006-01-02".
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads "2006-01-02".
func (d *Date) UnmarshalText(b []byte) error {
	v, err := ParseDate(string(b))
	if err != nil {
		return err
	}
	*d = v
	return nil
}

// DaysBetween returns the number of calendar days from a to b: 1 from today to
// tomorrow whatever the hours, negative when b is earlier.
func DaysBetween(a, b Date) int {
	return int(b.At(0, 0, time.UTC).Sub(a.At(0, 0, time.UTC)) / (24 * time.Hour))
}

// AddYearsClamped returns the same local time n years later in t's location;
// 29 February becomes 28 February in a common year, where time.AddDate would
// roll over to 1 March and give away a day.
func AddYearsClamped(t time.Time, n int) time.Time {
	d := CivilDate(t, t.Location()).AddYears(n)
	h, m, s := t.Clock()
	return time.Date(d.Year, d.Month, d.Day, h, m, s, t.Nanosecond(), t.Location())
}

func daysIn(year int, month time.Month) int {
	return time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
}
