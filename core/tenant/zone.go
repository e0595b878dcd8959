package tenant

import (
	"time"

	"certsaas/core/clock"
)

// Zone is where the tenant's days begin and end: for reminders and quiet hours. Asia/Shanghai unless the pack says otherwise.
func (t *Tenant) Zone() *time.Location {
	if t.spec.Timezone == "" {
		return clock.Shanghai
	}
	zone, err := clock.Zone(t.spec.Timezone)
	if err != nil { // validated when the release was made; the zone data are embedded
		return clock.Shanghai
	}
	return zone
}
