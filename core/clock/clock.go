// Package clock is the only place that asks the machine for the time, and the
// only place that knows the Chinese calendar.
//
// In: instants (time.Time), a year's holiday notice (JSON in the shape of
// holiday-cn), policies. Out: the present (Clock), civil dates (Date), working
// days and due times (Calendar), renewal windows (RenewalWindow). Everything
// but Clock is a pure function of its arguments; civil days are days in
// Asia/Shanghai (UTC+8, no daylight saving since 1991) wherever the machine
// stands, the zone data being embedded.
package clock

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	_ "time/tzdata" // the zone must be there on a bare Windows or scratch image
)

// Shanghai is the zone of every civil date, office hour and due time of the product.
var Shanghai = mustZone("Asia/Shanghai")

var zones sync.Map // name → *time.Location

// Zone is the time zone of an IANA name. The same name gives the same value, so zones can be compared and be keys of maps.
func Zone(name string) (*time.Location, error) {
	if known, ok := zones.Load(name); ok {
		return known.(*time.Location), nil
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("clock: zone: %w", err)
	}
	first, _ := zones.LoadOrStore(name, loc)
	return first.(*time.Location), nil
}

func mustZone(name string) *time.Location {
	loc, err := Zone(name)
	if err != nil {
		panic(err) // impossible: the data is embedded
	}
	return loc
}

// Clock tells the present instant. Code that needs the time takes a Clock;
// pure code takes the instant itself.
type Clock interface {
	Now() time.Time
}

type system struct{}

func (system) Now() time.Time { return time.Now() }

// System returns the machine's clock.
func System() Clock { return system{} }

// Fake is a clock that stands still until it is told to move; safe for
// concurrent use. It is for tests. The zero Fake stands at the zero time.
type Fake struct {
	mu  sync.RWMutex
	now time.Time
}

// NewFake returns a Fake standing at t.
func NewFake(t time.Time) *Fake { return &Fake{now: t} }

// Now returns the instant the clock stands at.
func (f *Fake) Now() time.Time {
	f.mu.RLock()
	defer f.mu.RUnlock()
	return f.now
}

// Set moves the clock to t, forwards or back.
func (f *Fake) Set(t time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = t
}

// Advance moves the clock by d (back when negative) and returns the new instant.
func (f *Fake) Advance(d time.Duration) time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
	return f.now
}

// Shifted runs at the pace of another clock, a settable offset away from it.
// Demonstrations and journeys use it to stand at an expiry or after a holiday
// while time goes on. Safe for concurrent use.
type Shifted struct {
	base   Clock
	offset atomic.Int64 // nanoseconds
}

// NewShifted returns a clock that follows base (nil: the machine's clock) with no offset yet.
func NewShifted(base Clock) *Shifted {
	if base == nil {
		base = System()
	}
	return &Shifted{base: base}
}

// Now returns the base clock's instant plus the offset.
func (s *Shifted) Now() time.Time { return s.base.Now().Add(s.Offset()) }

// Offset returns how far the clock is ahead of its base.
func (s *Shifted) Offset() time.Duration { return time.Duration(s.offset.Load()) }

// SetOffset puts the clock d ahead of its base (behind when negative).
func (s *Shifted) SetOffset(d time.Duration) { s.offset.Store(int64(d)) }

// Shift adds d to the offset and returns the new offset.
func (s *Shifted) Shift(d time.Duration) time.Duration {
	return time.Duration(s.offset.Add(int64(d)))
}

// SetNow chooses the offset so that the clock stands at t now and runs on from there.
func (s *Shifted) SetNow(t time.Time) { s.SetOffset(t.Sub(s.base.Now())) }

// furthest is as far as a clock may be put ahead: dates beyond it are beyond what certificates and calendars are tried with.
const furthest = 100 * 366 * 24 * time.Hour

// ParseSpan reads how far a clock is to be ahead: days, then a duration as time.ParseDuration knows it, either of which may be
// missing: "335d", "335d7h30m", "90m". Never backwards: data that were made later than now would be met.
func ParseSpan(s string) (time.Duration, error) {
	var span time.Duration
	days, rest, found := strings.Cut(s, "d")
	if found {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("clock: span %q: want days and a duration, as in 335d or 335d7h30m", s)
		}
		span = time.Duration(n) * 24 * time.Hour
	} else {
		rest = s
	}
	if rest != "" || !found {
		d, err := time.ParseDuration(rest)
		if err != nil {
			return 0, fmt.Errorf("clock: span %q: want days and a duration, as in 335d or 335d7h30m", s)
		}
		if d < 0 {
			return 0, errors.New("clock: a span goes ahead, never back")
		}
		span += d
	}
	if span > furthest {
		return 0, errors.New("clock: a span of more than a hundred years")
	}
	return span, nil
}

// FormatSpan writes a span as ParseSpan reads it.
func FormatSpan(d time.Duration) string {
	const day = 24 * time.Hour
	if d < day {
		return d.String()
	}
	text := strconv.FormatInt(int64(d/day), 10) + "d"
	if d%day != 0 {
		text += (d % day).String()
	}
	return text
}
