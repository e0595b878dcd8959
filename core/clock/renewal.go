package clock

import "time"

// RenewalPolicy is a product's rule for renewing a certificate.
type RenewalPolicy struct {
	OpenDays  int  // calendar days before the expiry date from which renewal is open (90)
	CarryOver bool // renewed in time, the new term starts where the old one ends: no day lost
	LateDays  int  // days after expiry within which no fresh identity check is needed (365)
	TermYears int  // length of the new term (1)
}

// RenewalState says where in its renewal window a certificate stands.
type RenewalState string

const (
	RenewalEarly   RenewalState = "EARLY"   // not open yet: refuse
	RenewalCarry   RenewalState = "CARRY"   // in time: new end = old end + term
	RenewalOpen    RenewalState = "OPEN"    // in time, under a policy that carries no days over
	RenewalExpired RenewalState = "EXPIRED" // after expiry: term from now on (req B3, B5)
	RenewalRevet   RenewalState = "REVET"   // later than the window: fresh identity check, then as EXPIRED
)

// Renewal is what renewing now would give. For EARLY it is what the renewal
// would give if it were open, to be shown and not to be issued.
type Renewal struct {
	State     RenewalState
	NotBefore time.Time
	NotAfter  time.Time // the last second of validity, included (RFC 5280 §4.1.2.5)
}

// RenewalWindow decides whether a certificate that ends at oldNotAfter may be
// renewed at now, and for which time. The window opens at midnight
// Asia/Shanghai OpenDays before the expiry date; a certificate is in time up to
// its very last second; it is late up to LateDays × 24 h after. Years are
// added in Asia/Shanghai, 29 February becoming 28 February. Times come out in
// Asia/Shanghai.
func RenewalWindow(now, oldNotAfter time.Time, p RenewalPolicy) Renewal {
	now, oldNotAfter = now.In(Shanghai), oldNotAfter.In(Shanghai)
	fresh := AddYearsClamped(now, p.TermYears).Add(-time.Second)
	if now.After(oldNotAfter) {
		state := RenewalExpired
		if now.After(oldNotAfter.AddDate(0, 0, p.LateDays)) {
			state = RenewalRevet
		}
		return Renewal{state, now, fresh}
	}
	r := Renewal{RenewalOpen, now, fresh}
	if p.CarryOver {
		r.State, r.NotAfter = RenewalCarry, AddYearsClamped(oldNotAfter, p.TermYears)
	}
	if now.Before(RenewalOpensAt(oldNotAfter, p)) {
		r.State = RenewalEarly
	}
	return r
}

// RenewalOpensAt returns the instant from which the certificate may be renewed.
func RenewalOpensAt(notAfter time.Time, p RenewalPolicy) time.Time {
	return ReminderDate(notAfter, p.OpenDays).At(0, 0, Shanghai)
}

// ReminderDate returns the day daysBefore calendar days before the expiry date
// in Asia/Shanghai; negative means days after it. Calendar days, not multiples
// of 24 h: a reminder "7 days before" falls on that day at whatever hour.
func ReminderDate(notAfter time.Time, daysBefore int) Date {
	return CivilDate(notAfter, Shanghai).AddDays(-daysBefore)
}
