package scheduler

import (
	"context"
	"log/slog"
	"time"

	"certsaas/core/web"
)

// Export puts the state behind /metrics. Labels are names of jobs and states, which the program itself bounds. When the
// database cannot be asked the values are left out, and certsaas_watch_up says so: an old value would look like a good one.
func (w *Watch) Export(m *web.Metrics) {
	m.Gauge("certsaas_watch_up", "", func() map[string]float64 {
		_, ok := w.state()
		return one(flag(ok))
	})
	for name, read := range map[string]func(State) map[string]float64{
		"certsaas_outbox_waiting":               func(s State) map[string]float64 { return one(float64(s.Outbox.Waiting)) },
		"certsaas_outbox_oldest_seconds":        func(s State) map[string]float64 { return one(age(s, s.Outbox.Oldest)) },
		"certsaas_outbox_dead":                  func(s State) map[string]float64 { return one(float64(s.Outbox.Dead)) },
		"certsaas_certificates_expiring_30d":    func(s State) map[string]float64 { return one(float64(s.Expiring)) },
		"certsaas_review_oldest_seconds":        func(s State) map[string]float64 { return one(age(s, s.Review)) },
		"certsaas_reminder_tasks_open":          func(s State) map[string]float64 { return one(float64(s.Tasks)) },
		"certsaas_audit_checkpoint_age_seconds": checkpointAge,
	} {
		m.Gauge(name, "", w.reading(read))
	}
	m.Gauge("certsaas_orders", "state", w.reading(ordersByState))
	m.Gauge("certsaas_job_success_age_seconds", "job", w.reading(jobAges))
	m.Gauge("certsaas_job_late", "job", w.reading(jobsLate))
}

// state is the state within the time of a scrape; false when it cannot be read.
func (w *Watch) state() (State, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), watchLimit)
	defer cancel()
	s, err := w.Look(ctx)
	if err != nil {
		slog.Warn("gauges cannot be read", "error", err)
	}
	return s, err == nil
}

func (w *Watch) reading(read func(State) map[string]float64) func() map[string]float64 {
	return func() map[string]float64 {
		if s, ok := w.state(); ok {
			return read(s)
		}
		return nil
	}
}

func one(v float64) map[string]float64 { return map[string]float64{"": v} }

func flag(on bool) float64 {
	if on {
		return 1
	}
	return 0
}

// age is the seconds from an instant to the look; 0 when nothing waits.
func age(s State, since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(0, s.At.Sub(since).Seconds())
}

// checkpointAge is left out where the file is not: another process seals.
func checkpointAge(s State) map[string]float64 {
	if s.Checkpoint < 0 {
		return nil
	}
	return one(s.Checkpoint.Seconds())
}

func ordersByState(s State) map[string]float64 {
	out := map[string]float64{}
	for st, n := range s.Orders {
		out[string(st)] = float64(n)
	}
	return out
}

// jobAges leaves out jobs that never succeeded: certsaas_job_late tells of them.
func jobAges(s State) map[string]float64 {
	out := map[string]float64{}
	for _, j := range s.Jobs {
		if j.LastSuccess != nil {
			out[j.Name] = age(s, *j.LastSuccess)
		}
	}
	return out
}

func jobsLate(s State) map[string]float64 {
	out := map[string]float64{}
	for _, j := range s.Jobs {
		out[j.Name] = flag(j.Late)
	}
	return out
}
