package reminder

import (
	"context"
	"log/slog"
	"time"

	"certsaas/core/clock"
)

// MissingCalendar counts the years whose holiday notice is needed by now and missing: the running year, and from December on
// the next, whose notice the State Council publishes in November. Without it working days are a guess, which is logged as an alert.
func (s *Service) MissingCalendar(ctx context.Context) int {
	today := clock.CivilDate(s.Clock.Now(), clock.Shanghai)
	years := []int{today.Year}
	if today.Month == time.December {
		years = append(years, today.Year+1)
	}
	missing := 0
	for _, y := range years {
		if !s.Calendar.Known(y) {
			missing++
			slog.WarnContext(ctx, "holiday notice is missing: working days are taken as Monday to Friday", "year", y)
		}
	}
	return missing
}
