package scheduler

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"certsaas/core/db"
	"certsaas/core/order"
	"certsaas/core/outbox"
	"certsaas/core/platform"
	"certsaas/core/web"
)

const (
	watchEvery  = 15 * time.Second // how often the database is asked at most, however many look
	watchLimit  = 2 * time.Second  // for one look
	outboxLimit = 5 * time.Minute  // a message that is due so long is late (fsck says the same)
	expiringIn  = 30               // days
)

// State is how the platform's own work is doing.
type State struct {
	At          time.Time
	Jobs        []Health
	Outbox      outbox.Backlog // without the letters themselves
	Expiring    int            // certificates in use that end within 30 days
	Orders      map[order.State]int
	Review      time.Time     // when the order that waits longest for its review was qualified; zero: none waits
	Tasks       int           // holders nobody could reach
	Checkpoint  time.Duration // age of the audit trail's last checkpoint outside the database; negative: none on this machine
	NoCalendars []int         // years whose holiday notice is needed and missing
}

// Watch reads the State for /readyz, /metrics and the console. Whoever looks within 15 seconds of another sees the same.
type Watch struct {
	p     *platform.Platform
	jobs  []Job
	since time.Time // a process that has just started gives its jobs time

	mu   sync.Mutex
	seen State
}

// NewWatch looks after a platform's jobs from now on.
func NewWatch(p *platform.Platform, jobs []Job) *Watch {
	return &Watch{p: p, jobs: jobs, since: p.Clock.Now()}
}

// Look is the state as of at most 15 seconds ago.
func (w *Watch) Look(ctx context.Context) (State, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.p.Clock.Now()
	if age := now.Sub(w.seen.At); !w.seen.At.IsZero() && age >= 0 && age < watchEvery {
		return w.seen, nil
	}
	ctx, cancel := context.WithTimeout(ctx, watchLimit)
	defer cancel()
	s := State{At: now, NoCalendars: w.p.Reminders.NoCalendars()}
	var err error
	if s.Jobs, err = Healths(ctx, w.p.DB, w.jobs, now, w.since); err != nil {
		return State{}, err
	}
	if s.Outbox, err = outbox.Look(ctx, w.p.DB, 0); err != nil {
		return State{}, err
	}
	if err := w.count(ctx, &s); err != nil {
		return State{}, err
	}
	if s.Checkpoint, err = unchanged(w.p.CheckpointFile()); err != nil {
		return State{}, err
	}
	w.seen = s
	return s, nil
}

// count reads what is counted, each by an index. States that an order never leaves are not counted: they only grow.
func (w *Watch) count(ctx context.Context, s *State) error {
	return w.p.DB.WithSystem(ctx, "console/health", func(ctx context.Context, tx *db.Tx) error {
		var review *time.Time
		err := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM certificates WHERE state = 'active' AND not_after >= $1 AND not_after < $2),
			(SELECT min(coalesce(qualified_at, submitted_at)) FROM orders WHERE state = 'in_review'),
			(SELECT count(*) FROM reminder_tasks WHERE done_at IS NULL)`, tx.Now(), tx.Now().AddDate(0, 0, expiringIn)).Scan(&s.Expiring, &review, &s.Tasks)
		if err != nil {
			return fmt.Errorf("scheduler: state: %w", err)
		}
		if review != nil {
			s.Review = *review
		}
		var open []string
		s.Orders = map[order.State]int{}
		for _, st := range order.States() {
			if !st.Final() {
				open, s.Orders[st] = append(open, string(st)), 0
			}
		}
		rows, err := tx.Query(ctx, `SELECT state, count(*) FROM orders WHERE state = ANY ($1::text[]::order_state[]) GROUP BY state`, open)
		if err != nil {
			return fmt.Errorf("scheduler: state: %w", err)
		}
		var st order.State
		var n int
		_, err = pgx.ForEachRow(rows, []any{&st, &n}, func() error { s.Orders[st] = n; return nil })
		return err
	})
}

// unchanged is how long ago a file was written, by the machine's clock, which wrote it; negative when there is none.
func unchanged(path string) (time.Duration, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil {
		return -1, fmt.Errorf("scheduler: %w", err)
	}
	return max(0, time.Since(info.ModTime())), nil
}

// Worries lists what is not well though the program serves: late jobs, messages that were given up or wait too long, a missing
// holiday notice.
func (w *Watch) Worries(ctx context.Context) ([]web.Worry, error) {
	s, err := w.Look(ctx)
	if err != nil {
		return nil, err
	}
	var out []web.Worry
	if s.Outbox.Dead > 0 {
		out = append(out, web.Worry{Kind: web.DeadLetters, Count: s.Outbox.Dead})
	}
	if s.Outbox.Late > 0 && s.At.Sub(s.Outbox.Oldest) > outboxLimit {
		out = append(out, web.Worry{Kind: web.OutboxLate, Count: s.Outbox.Late, Since: s.Outbox.Oldest})
	}
	for _, y := range s.NoCalendars {
		out = append(out, web.Worry{Kind: web.NoCalendar, Name: strconv.Itoa(y)})
	}
	for _, j := range s.Jobs {
		if j.Late {
			x := web.Worry{Kind: web.JobLate, Name: j.Name}
			if j.LastSuccess != nil {
				x.Since = *j.LastSuccess
			}
			out = append(out, x)
		}
	}
	return out, nil
}
