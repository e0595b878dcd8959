package reminder

import (
	"context"
	"log/slog"
	"time"

	"certsaas/core/clock"
)

// NoCalendars lists the years whose holiday notice is needed by now and missing: the running year, and from December on the
// next, whose notice the State Council publishes in November. Without it working days are taken as Monday to Friday.
func (s *Service) NoCalendars() []int {
	today := clock.CivilDate(s.Clock.Now(), clock.Shanghai)
	years := []int{today.Year}
	if today.Month == time.December {
		years = append(years, today.Year+1)
	}
	var missing []int
	for _, y := range years {
		if !s.Calendar.Known(y) {
			missing = append(missing, y)
		}
	}
	return missing
}

// MissingCalendar counts them and logs each as an alert.
func (s *Service) MissingCalendar(ctx context.Context) int {
	missing := s.NoCalendars()
	for _, y := range missing {
		slog.WarnContext(ctx, "holiday notice is missing: working days are taken as Monday to Friday", "year", y)
	}
	return len(missing)
}
