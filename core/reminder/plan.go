package reminder

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"certsaas/core/clock"
	"certsaas/core/tenant"
)

// catchUp is how many days a reminder may be late and still be written: longer than any outage, shorter than a nuisance.
const catchUp = 31

// step is one offset over one channel, as a release has it.
type step struct {
	offset  int  // days before the end
	next    *int // the next, more urgent offset; nil for the last
	channel string
	renews  bool // a renewal order belongs to it
}

// plan is what a release says about reminders of one product, the most distant step first.
type plan struct {
	product string
	steps   []step
}

// urgent offsets do not wait for a working day.
func urgent(offset int) bool { return offset >= -1 && offset <= 1 }

// event is the tenant's message for an offset.
func event(offset int) string {
	switch {
	case offset > 0:
		return "remind_before"
	case offset == 0:
		return "remind_today"
	}
	return "remind_after"
}

// programme is what a release says about reminders.
type programme struct {
	plans  []plan
	digest string // tells one release's plans from another's
}

// planned is what a tenant's release says, worked out once.
func planned(t *tenant.Tenant) programme {
	out, _ := tenant.Derive(t, "reminder/programme", func() (programme, error) { // never fails
		plans := plansOf(t)
		return programme{plans, digest(t.Zone(), plans)}, nil
	})
	return out
}

// plansOf lists the plans of products that end with a certificate, over the channels that the product names for the event too.
func plansOf(t *tenant.Tenant) []plan {
	var out []plan
	for _, p := range t.Products() {
		if !p.Issues() {
			continue
		}
		offsets := slices.Clone(p.Reminder.Offsets)
		slices.SortFunc(offsets, func(a, b int) int { return b - a })
		one := plan{product: p.Code}
		for i, o := range offsets {
			var next *int
			if i+1 < len(offsets) {
				next = &offsets[i+1]
			}
			for _, c := range p.Reminder.Channels {
				if p.Notifies(event(o), c) && hasText(t, event(o), c) {
					one.steps = append(one.steps, step{offset: o, next: next, channel: c, renews: p.RenewedBy != ""})
				}
			}
		}
		out = append(out, one)
	}
	return out
}

func hasText(t *tenant.Tenant, event, channel string) bool {
	m, ok := t.Message(event)
	if channel == "email" {
		return ok && len(m.Email.Body) > 0 && len(m.Email.Subject) > 0
	}
	return ok && len(m.SMS) > 0
}

func digest(zone *time.Location, plans []plan) string {
	h := sha256.New()
	fmt.Fprintln(h, zone)
	for _, p := range plans {
		for _, st := range p.steps {
			fmt.Fprintln(h, p.product, st.offset, st.channel, st.renews)
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// dueBefore is the instant before which a certificate must end for its offset to be due on day, in zone.
func dueBefore(day clock.Date, offset int, zone *time.Location) time.Time {
	return day.AddDays(offset+1).At(0, 0, zone)
}

// timing is when a reminder that is written now may go out.
type timing struct {
	now     time.Time  // of urgent ones: today, not before the day begins
	later   time.Time  // of the others: the next working day …
	laterOn clock.Date // … unless a more urgent one is due by then
}

// timingAt computes it (domain §10). It never gives an instant within quiet hours.
func timingAt(now time.Time, zone *time.Location, pace tenant.Pace, calendar *clock.Calendar) timing {
	day := clock.CivilDate(now, zone)
	if now.In(zone).Hour() >= pace.QuietFrom {
		day = day.AddDays(1)
	}
	hour, minute := pace.Start()
	t := timing{now: latest(now, day.At(hour, minute, zone)), laterOn: day}
	if !pace.AnyDay {
		t.laterOn = calendar.NextWorkday(day)
	}
	t.later = latest(now, t.laterOn.At(hour, minute, zone))
	return t
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// quiet tells whether nobody is to be disturbed now.
func quiet(now time.Time, zone *time.Location, pace tenant.Pace) bool {
	h := now.In(zone).Hour()
	return h < pace.QuietUntil || h >= pace.QuietFrom
}
