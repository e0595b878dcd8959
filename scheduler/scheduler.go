// Package scheduler makes things happen that nobody clicks for.
//
// In: a list of jobs, each a function that looks for due work, does a batch of it and says what it did. Out: ticks. A tick
// only triggers: what is due is read from the state of the database, so a missed tick heals itself on the next, and any
// number of processes may tick. A lease in job_runs lets one process at a time run a job; its row also tells the health page
// when the job last started, last succeeded, and what went wrong.
package scheduler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-co-op/gocron/v2"

	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
)

// Job is one kind of work.
type Job struct {
	Name  string        // "lapse"; its principal is "scheduler/lapse"
	Every time.Duration // between ticks
	Limit time.Duration // of one run; 0 = one minute
	Next  string        // the job that goes on with what a run brought about: it runs then, not after its own interval
	// Run does a batch of what is due and returns how much it did, by kind. It must be safe to run twice.
	Run func(ctx context.Context) (map[string]int, error)
}

func (j Job) limit() time.Duration {
	if j.Limit > 0 {
		return j.Limit
	}
	return time.Minute
}

// Scheduler ticks jobs until it is shut down.
type Scheduler struct {
	db   *db.DB
	jobs []Job
	cron gocron.Scheduler
	turn map[string]*turn // by job
}

// turn is one job's in this process: whoever wants a run while one is going on has it done once more afterwards, since the
// run that is going on may have looked already.
type turn struct {
	job    Job
	wanted atomic.Bool
	busy   sync.Mutex
}

// New prepares the jobs; nothing runs before Start.
func New(d *db.DB, jobs []Job) (*Scheduler, error) {
	cron, err := gocron.NewScheduler(gocron.WithLocation(clock.Shanghai), gocron.WithStopTimeout(20*time.Second))
	if err != nil {
		return nil, fmt.Errorf("scheduler: %w", err)
	}
	s := &Scheduler{db: d, jobs: jobs, cron: cron, turn: map[string]*turn{}}
	for _, j := range jobs {
		t := &turn{job: j}
		s.turn[j.Name] = t
		_, err := cron.NewJob(gocron.DurationJob(j.Every), gocron.NewTask(func(ctx context.Context) { s.tick(ctx, t) }),
			gocron.WithName(j.Name), gocron.WithSingletonMode(gocron.LimitModeReschedule), gocron.JobOption(gocron.WithStartImmediately()))
		if err != nil {
			return nil, fmt.Errorf("scheduler: job %s: %w", j.Name, err)
		}
	}
	for _, j := range jobs {
		if j.Next != "" && s.turn[j.Next] == nil {
			return nil, fmt.Errorf("scheduler: job %s is followed by %q, which there is not", j.Name, j.Next)
		}
	}
	return s, nil
}

// Start begins ticking.
func (s *Scheduler) Start() { s.cron.Start() }

// Shutdown stops ticking and waits for running jobs.
func (s *Scheduler) Shutdown() error { return s.cron.Shutdown() }

// tick runs a job, and then the one that goes on from it if it did anything. While a run is going on it only asks for another.
func (s *Scheduler) tick(ctx context.Context, t *turn) {
	t.wanted.Store(true)
	for ctx.Err() == nil && t.wanted.Load() && t.busy.TryLock() { // whoever unlocks looks at wanted once more
		t.wanted.Store(false)
		did := s.once(ctx, t.job)
		t.busy.Unlock()
		if did && t.job.Next != "" {
			s.tick(ctx, s.turn[t.job.Next])
		}
	}
}

// once runs a job and tells whether it did anything; an error or panic is kept in its row and does not stop the next tick.
func (s *Scheduler) once(ctx context.Context, j Job) bool {
	report, err := s.run(ctx, j)
	if err != nil && !errors.Is(err, context.Canceled) {
		slog.ErrorContext(ctx, "job failed", "job", j.Name, "error", err)
	}
	for _, n := range report {
		if n > 0 {
			return true
		}
	}
	return false
}

// A lease is renewed while its job runs: a process that was killed lets its jobs go within seconds, however long they may take.
const (
	leaseFor   = 5 * time.Second
	renewEvery = time.Second
)

// RunOnce runs one job now if no other process is at it. It is cancelled after its limit, or when its lease was lost.
func (s *Scheduler) RunOnce(ctx context.Context, j Job) error {
	_, err := s.run(ctx, j)
	return err
}

// run is RunOnce, and tells what the job did.
func (s *Scheduler) run(ctx context.Context, j Job) (map[string]int, error) {
	ctx, cancel := context.WithTimeout(authz.WithPrincipal(ctx, authz.System("scheduler/"+j.Name)), j.limit())
	defer cancel()
	until, err := s.lease(ctx, j)
	if err != nil || until.IsZero() {
		return nil, err
	}
	stop := s.keep(ctx, cancel, j, until)
	report, err := guarded(ctx, j)
	return report, errors.Join(err, s.done(context.WithoutCancel(ctx), j, stop(), report, err))
}

// guarded turns a panic of a job into its error.
func guarded(ctx context.Context, j Job) (report map[string]int, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("scheduler: job %s panicked: %v\n%s", j.Name, r, debug.Stack())
		}
	}()
	return j.Run(ctx)
}

// lease takes the job for this process and tells until when; zero when another one has it.
func (s *Scheduler) lease(ctx context.Context, j Job) (time.Time, error) {
	var until time.Time
	err := s.db.WithSystem(ctx, "scheduler/"+j.Name, func(ctx context.Context, tx *db.Tx) error {
		until = leaseEnd(tx)
		tag, err := tx.Exec(ctx, `INSERT INTO job_runs (name, leased_until, last_start_at) VALUES ($1, $2, $3)
			ON CONFLICT (name) DO UPDATE SET leased_until = $2, last_start_at = $3
			WHERE job_runs.leased_until IS NULL OR job_runs.leased_until < $3`, j.Name, until, tx.Now())
		if err != nil {
			return fmt.Errorf("scheduler: lease %s: %w", j.Name, err)
		}
		if tag.RowsAffected() == 0 {
			until = time.Time{}
		}
		return nil
	})
	return until, err
}

func leaseEnd(tx *db.Tx) time.Time { return tx.Now().Add(leaseFor).Truncate(time.Microsecond) } // as PostgreSQL stores it

// keep renews the lease while the job runs; lose is called when another process has it by now. stop ends that and tells until
// when the lease is ours.
func (s *Scheduler) keep(ctx context.Context, lose func(), j Job, until time.Time) (stop func() time.Time) {
	ctx, end := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-ctx.Done():
				return
			case <-time.After(renewEvery):
			}
			next, err := s.renew(context.WithoutCancel(ctx), j, until) // half a renewal would lose track of the lease
			switch {
			case err != nil: // the next one may get through
			case next.IsZero():
				lose()
				return
			default:
				until = next
			}
		}
	}()
	return func() time.Time { end(); <-ended; return until }
}

// renew prolongs a lease; zero when it is another's.
func (s *Scheduler) renew(ctx context.Context, j Job, until time.Time) (next time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, leaseFor)
	defer cancel()
	err = s.db.WithSystem(ctx, "scheduler/"+j.Name, func(ctx context.Context, tx *db.Tx) error {
		next = leaseEnd(tx)
		tag, err := tx.Exec(ctx, `UPDATE job_runs SET leased_until = $2 WHERE name = $1 AND leased_until = $3`, j.Name, next, until)
		if err != nil {
			return fmt.Errorf("scheduler: renew %s: %w", j.Name, err)
		}
		if tag.RowsAffected() == 0 {
			next = time.Time{}
		}
		return nil
	})
	return next, err
}

// done gives the lease back and notes how the run went; a lease that ran out and is another's by now is left alone.
func (s *Scheduler) done(ctx context.Context, j Job, until time.Time, report map[string]int, failure error) error {
	if report == nil {
		report = map[string]int{}
	}
	text := ""
	if failure != nil {
		text = failure.Error()
	}
	return s.db.WithSystem(ctx, "scheduler/"+j.Name, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE job_runs SET leased_until = NULL, last_error = $2, report = $3,
			last_success_at = CASE WHEN $2 = '' THEN $4 ELSE last_success_at END WHERE name = $1 AND leased_until = $5`,
			j.Name, text, report, tx.Now(), until)
		if err != nil {
			return fmt.Errorf("scheduler: done %s: %w", j.Name, err)
		}
		return nil
	})
}

// Health is how one job is doing.
type Health struct {
	Name        string
	Every       time.Duration
	LastStart   *time.Time
	LastSuccess *time.Time
	LastError   string
	Report      map[string]int
	Late        bool // it has not succeeded in time
}

// grace is how old a job's last success may be: three intervals and one run.
func (j Job) grace() time.Duration { return 3*j.Every + j.limit() }

// Healths reads how the jobs are doing. No job is late before its time has passed since since, when the process that asks was
// started: after an outage all of them would be.
func Healths(ctx context.Context, d *db.DB, jobs []Job, now, since time.Time) ([]Health, error) {
	found := map[string]Health{}
	err := d.WithSystem(ctx, "console/health", func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT name, last_start_at, last_success_at, last_error, report FROM job_runs`)
		if err != nil {
			return fmt.Errorf("scheduler: health: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var h Health
			var report []byte
			if err := rows.Scan(&h.Name, &h.LastStart, &h.LastSuccess, &h.LastError, &report); err != nil {
				return fmt.Errorf("scheduler: health: %w", err)
			}
			if err := json.Unmarshal(report, &h.Report); err != nil {
				return fmt.Errorf("scheduler: report of %s: %w", h.Name, err)
			}
			found[h.Name] = h
		}
		return rows.Err()
	})
	if err != nil {
		return nil, err
	}
	out := make([]Health, 0, len(jobs))
	for _, j := range jobs {
		h := found[j.Name]
		h.Name, h.Every = j.Name, j.Every
		last := since
		if h.LastSuccess != nil && h.LastSuccess.After(last) {
			last = *h.LastSuccess
		}
		h.Late = now.Sub(last) > j.grace()
		out = append(out, h)
	}
	return out, nil
}
