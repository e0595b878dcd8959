package tenant

import (
	"cmp"
	"time"
)

// Pace is when and how often people are told that their keys end. It is the tenant's and not a product's, since one message a
// person and day speaks of all his keys.
type Pace struct {
	Begin      string `yaml:"begin"`       // when the day's messages begin, 24 hours; empty: 09:30
	QuietFrom  int    `yaml:"quiet_from"`  // o'clock; 0: 21
	QuietUntil int    `yaml:"quiet_until"` // o'clock; 0: 9
	AnyDay     bool   `yaml:"any_day"`     // on days off, too; otherwise what is not urgent waits for a working day
	Month      int    `yaml:"month"`       // messages to one person over one channel in 30 days; 0: as the platform says
}

// Pace is the tenant's, with what it leaves out filled in.
func (t *Tenant) Pace() Pace {
	p := t.spec.Reminders
	p.Begin, p.QuietFrom, p.QuietUntil = cmp.Or(p.Begin, "09:30"), cmp.Or(p.QuietFrom, 21), cmp.Or(p.QuietUntil, 9)
	return p
}

// Start is the hour and minute of Begin.
func (p Pace) Start() (hour, minute int) {
	at, err := time.Parse("15:04", p.Begin)
	if err != nil { // validated when the release was made
		return p.QuietUntil, 0
	}
	return at.Hour(), at.Minute()
}

// pace checks that there is a time to speak and that the day's messages begin in it.
func (v *validator) pace() {
	p := (&Tenant{spec: v.doc.Tenant}).Pace()
	if p.QuietUntil < 0 || p.QuietFrom > 24 || p.QuietUntil >= p.QuietFrom {
		v.bad("tenant.reminders.quiet_from", "nobody may be told anything at any hour", "let quiet_until (morning) come before quiet_from (evening), 0 to 24")
		return
	}
	at, err := time.Parse("15:04", p.Begin)
	if err != nil || at.Hour() < p.QuietUntil || at.Hour() >= p.QuietFrom {
		v.bad("tenant.reminders.begin", "the day's messages would begin in the quiet hours, or at no time", `write a time between them, as in "09:30"`)
	}
	if p.Month < 0 {
		v.bad("tenant.reminders.month", "a cap cannot be negative", "write how many messages a person may get in 30 days, or leave it out")
	}
}
