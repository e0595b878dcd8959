package platform

import (
	"context"
	"fmt"
	"time"

	"certsaas/core/clock"
	"certsaas/core/db"
)

// backlash is how far a demonstration's clock may be behind its data: daylight saving, a machine set right.
const backlash = 2 * time.Hour

// Lived says that a demonstration's data are older than its clock; otherwise the error says how to start it. Leases, links and
// waiting messages of a time to come would stand still, and nobody would see why.
func (p *Platform) Lived(ctx context.Context) error {
	var last *time.Time
	err := p.DB.WithSystem(ctx, "platform/demo", func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRow(ctx, `SELECT max(last_start_at) FROM job_runs`).Scan(&last)
	})
	if err != nil {
		return fmt.Errorf("platform: last run: %w", err)
	}
	if last == nil {
		return nil
	}
	if behind := last.Sub(p.Clock.Now()); behind > backlash {
		days := (behind + 24*time.Hour).Truncate(24 * time.Hour)
		return fmt.Errorf("these data have lived until %s already, and time does not go back: start with the clock further ahead, by %s more (--ahead), or with another CERTSAAS_DATA_DIR",
			last.In(clock.Shanghai).Format(time.DateTime), clock.FormatSpan(days))
	}
	return nil
}
