package clock

import (
	"embed"
	"encoding/json"
	"fmt"
	"maps"
	"sync"
	"time"
)

//go:embed holidays/*.json
var holidayFiles embed.FS

// Calendar knows which days are working days in China: Monday to Friday, less
// the public holidays, plus the make-up days (调休) of the State Council's
// yearly notice. It is immutable and safe for concurrent use.
type Calendar struct {
	years map[int]bool  // years whose notice is known
	off   map[Date]bool // days the notices name: true = off, false = worked
}

// notice is one year's file in the shape of NateScarlet/holiday-cn.
type notice struct {
	Year int `json:"year"`
	Days []struct {
		Name     string `json:"name"`
		Date     Date   `json:"date"`
		IsOffDay bool   `json:"isOffDay"`
	} `json:"days"`
}

// China returns the calendar with the notices built into the program (2025, 2026).
// Later years come in with Calendar.With.
var China = sync.OnceValue(func() *Calendar {
	c := &Calendar{}
	entries, err := holidayFiles.ReadDir("holidays")
	if err != nil {
		panic("clock: holidays: " + err.Error()) // impossible: embedded
	}
	for _, e := range entries {
		b, err := holidayFiles.ReadFile("holidays/" + e.Name())
		if err == nil {
			c, err = c.With(b)
		}
		if err != nil {
			panic("clock: holidays: " + e.Name() + ": " + err.Error()) // a test reads them all
		}
	}
	return c
})

// With returns a calendar that also knows the given notice, replacing what was
// known of the same days. The JSON is holiday-cn's:
// {"year":2027,"days":[{"name":"元旦","date":"2027-01-01","isOffDay":true},…]}.
// A notice may name days of the year before or after its own. A file without
// days (published before the notice is out) leaves its year unknown. Errors:
// not JSON, no year, a day that does not exist or lies more than a year away,
// one day both off and worked.
func (c *Calendar) With(holidayCN []byte) (*Calendar, error) {
	var n notice
	if err := json.Unmarshal(holidayCN, &n); err != nil {
		return nil, fmt.Errorf("clock: holiday notice: %w", err)
	}
	if n.Year < 1949 || n.Year > 9999 {
		return nil, fmt.Errorf("clock: holiday notice: year %d is out of range", n.Year)
	}
	named := make(map[Date]bool, len(n.Days))
	for _, d := range n.Days {
		if d.Date.Year < n.Year-1 || d.Date.Year > n.Year+1 {
			return nil, fmt.Errorf("clock: holiday notice %d: day %s is not near that year", n.Year, d.Date)
		}
		if was, twice := named[d.Date]; twice && was != d.IsOffDay {
			return nil, fmt.Errorf("clock: holiday notice %d: day %s is both off and worked", n.Year, d.Date)
		}
		named[d.Date] = d.IsOffDay
	}
	next := &Calendar{years: map[int]bool{}, off: map[Date]bool{}}
	maps.Copy(next.years, c.years)
	maps.Copy(next.off, c.off)
	maps.Copy(next.off, named)
	if len(n.Days) > 0 {
		next.years[n.Year] = true
	}
	return next, nil
}

// Known tells whether the year's notice is there; without it the year is taken
// as Monday to Friday and its due times are marked Estimated.
func (c *Calendar) Known(year int) bool { return c.years[year] }

// IsWorkday tells whether offices work on that day.
func (c *Calendar) IsWorkday(d Date) bool {
	if off, named := c.off[d]; named {
		return !off
	}
	wd := d.Weekday()
	return wd != time.Saturday && wd != time.Sunday
}

// NextWorkday returns d itself when it is a working day, else the first one after it.
func (c *Calendar) NextWorkday(d Date) Date {
	for !c.IsWorkday(d) {
		d = d.AddDays(1)
	}
	return d
}
