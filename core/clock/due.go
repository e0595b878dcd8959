package clock

import "time"

// Office hours, Asia/Shanghai: 9:00 to 17:30 on working days (req K57).
const (
	openHour, openMinute   = 9, 0
	closeHour, closeMinute = 17, 30
)

// Policy says on which day something counts as received.
type Policy int

const (
	// PolicyA: on the calendar day it arrives, whatever the hour and even on a holiday. The default.
	PolicyA Policy = iota
	// PolicyB: as PolicyA during working days before 17:30; at 17:30 or later,
	// and on a day off, on the next working day.
	PolicyB
)

// Due is when something must be done.
type Due struct {
	At        time.Time // 17:30 Asia/Shanghai of the last working day; zero while Paused
	Estimated bool      // a year without a holiday notice was crossed: show as 预计
	Paused    bool      // the clock stands still, so no due time can be told yet
}

// Interval is the time from From (included) to To (excluded). A zero To means
// that it has not ended.
type Interval struct {
	From, To time.Time
}

// AddWorkdays returns the close of office on the n-th working day after the day
// of receipt, which itself is not counted (民法典 第201条; req K39: three working
// days). n below 1 means the close of the first working day from the day of
// receipt on.
func (c *Calendar) AddWorkdays(receivedAt time.Time, n int, p Policy) Due {
	return c.Due(receivedAt, nil, n, p)
}

// Due returns the due time of n working days that start at start and stand
// still during the pauses, the times when the applicant must act: rejected
// until resubmitted (req K39, K44).
//
// A pause shifts the due time by whole working days: a working day that a pause
// touches is not counted, all other days keep counting, and days counted
// before the pause stay counted. So the day of rejection (unless it came at
// 17:30 or later, the day being done) does not count, and the day of
// resubmission does not count, just as the day of receipt does not; under
// PolicyB a resubmission at 17:30 or later, or on a day off, is one of the next
// working day. A pause within one working day thus moves the due time by one
// working day, a pause within a weekend by none (PolicyA).
//
// Pauses may overlap, come in any order and begin before start; empty ones are
// ignored. A pause without end gives a Paused result, unless the days had run
// out before it began. Pauses after the due time change nothing: late is late.
func (c *Calendar) Due(start time.Time, pauses []Interval, n int, p Policy) Due {
	var due Due
	look := func(d Date) bool {
		due.Estimated = due.Estimated || !c.Known(d.Year)
		return c.IsWorkday(d)
	}
	day := c.received(start, p)
	if n < 1 {
		for !look(day) {
			day = day.AddDays(1)
		}
	} else {
		look(day)
	}
	spans := c.pausedDays(pauses, start, p)
	for counted := 0; counted < n; {
		day = day.AddDays(1)
		within, open := touched(day, spans)
		if open {
			return Due{Estimated: due.Estimated, Paused: true}
		}
		if look(day) && !within {
			counted++
		}
	}
	due.At = day.At(closeHour, closeMinute, Shanghai)
	return due
}

// received returns the day on which something counts as received.
func (c *Calendar) received(t time.Time, p Policy) Date {
	d := CivilDate(t, Shanghai)
	if p != PolicyB {
		return d
	}
	if !t.Before(d.At(closeHour, closeMinute, Shanghai)) {
		d = d.AddDays(1)
	}
	return c.NextWorkday(d)
}

// daySpan is a pause in whole days, both ends included.
type daySpan struct {
	first, last Date
	open        bool // no last day yet
}

func (c *Calendar) pausedDays(pauses []Interval, start time.Time, p Policy) []daySpan {
	spans := make([]daySpan, 0, len(pauses))
	for _, i := range pauses {
		open := i.To.IsZero()
		if !open && (!i.From.Before(i.To) || !start.Before(i.To)) {
			continue
		}
		s := daySpan{first: CivilDate(i.From, Shanghai), open: open}
		if !i.From.Before(s.first.At(closeHour, closeMinute, Shanghai)) {
			s.first = s.first.AddDays(1)
		}
		if !open {
			s.last = c.received(i.To, p)
		}
		spans = append(spans, s)
	}
	return spans
}

// touched tells whether a pause covers the day, and whether one that has not ended does.
func touched(d Date, spans []daySpan) (within, open bool) {
	for _, s := range spans {
		if d.Before(s.first) {
			continue
		}
		if s.open {
			return true, true
		}
		within = within || !d.After(s.last)
	}
	return within, false
}

// RemainingWorkdays returns how many working days are left after today until
// the day of due, that day included; 0 on the day itself and when it has passed.
func (c *Calendar) RemainingWorkdays(now, due time.Time) int {
	n, last := 0, CivilDate(due, Shanghai)
	for d := CivilDate(now, Shanghai).AddDays(1); !d.After(last); d = d.AddDays(1) {
		if c.IsWorkday(d) {
			n++
		}
	}
	return n
}

// WorkingTimeLeft returns the office time (9:00–17:30 of working days) between
// now and due; 0 when due has passed. A full working day is 8 h 30 min.
func (c *Calendar) WorkingTimeLeft(now, due time.Time) time.Duration {
	var left time.Duration
	last := CivilDate(due, Shanghai)
	for d := CivilDate(now, Shanghai); !d.After(last); d = d.AddDays(1) {
		if !c.IsWorkday(d) {
			continue
		}
		from, to := d.At(openHour, openMinute, Shanghai), d.At(closeHour, closeMinute, Shanghai)
		if now.After(from) {
			from = now
		}
		if due.Before(to) {
			to = due
		}
		left += max(0, to.Sub(from))
	}
	return left
}
