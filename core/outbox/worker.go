package outbox

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
)

// Defaults of a Worker.
const (
	DefaultLease       = 2 * time.Minute
	DefaultMaxAttempts = 12 // about five hours with the pauses below
	firstPause         = 5 * time.Second
	longestPause       = time.Hour
	longestError       = 500 // bytes kept of an error text
)

// Handler does what an event asks for. It runs outside any transaction, with the principal system "outbox/<kind>".
type Handler func(ctx context.Context, item Item) error

// Worker hands out due events. Several may run, in one process or many.
type Worker struct {
	DB          *db.DB
	Handlers    map[string]Handler // by kind; "" takes all other kinds, and without it those are left alone
	Lease       time.Duration      // how long a claimed event is hidden from other workers; handlers get a little less. 0 = DefaultLease
	MaxAttempts int                // then it is dead. 0 = DefaultMaxAttempts
}

// Report is what one run did.
type Report struct{ Claimed, Done, Retried, Dead int }

// RunOnce claims up to batch due events and handles them one after the other. Failing handlers are in the report, not in the
// error, which is about the database.
func (w *Worker) RunOnce(ctx context.Context, batch int) (Report, error) {
	items, err := w.claim(ctx, batch)
	r := Report{Claimed: len(items)}
	if err != nil {
		return r, err
	}
	for _, item := range items {
		if ctx.Err() != nil {
			return r, ctx.Err() // the rest comes back when its lease ends
		}
		if err := w.settle(ctx, item, w.handle(ctx, item), &r); err != nil {
			return r, err
		}
	}
	return r, nil
}

// claim leases due events. SKIP LOCKED lets workers pass each other; the lease outlives a worker that dies.
func (w *Worker) claim(ctx context.Context, batch int) (items []Item, err error) {
	kinds := make([]string, 0, len(w.Handlers))
	for kind := range w.Handlers {
		kinds = append(kinds, kind)
	}
	_, all := w.Handlers[""]
	err = w.DB.WithSystem(ctx, "outbox", func(ctx context.Context, tx *db.Tx) error {
		items = items[:0]
		rows, err := tx.Query(ctx, `
			UPDATE outbox o SET leased_until = $1::timestamptz + $2::interval, attempts = attempts + 1
			FROM (SELECT tenant_id, id FROM outbox
			      WHERE done_at IS NULL AND dead_at IS NULL AND due_at <= $1 AND (leased_until IS NULL OR leased_until <= $1)
			        AND ($3 OR kind = ANY ($4))
			      ORDER BY due_at, id LIMIT $5 FOR UPDATE SKIP LOCKED) due
			WHERE o.tenant_id = due.tenant_id AND o.id = due.id
			RETURNING o.tenant_id, o.id, o.kind, o.ref, o.data, o.due_at, o.created_at, o.attempts`,
			tx.Now(), w.lease(), all, kinds, batch)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var i Item
			if err := rows.Scan(&i.Tenant, &i.ID, &i.Kind, &i.Ref, &i.Data, &i.Due, &i.CreatedAt, &i.Attempt); err != nil {
				return err
			}
			items = append(items, i)
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("outbox: claim: %w", err)
	}
	return items, nil
}

// handle runs the handler, which may panic, within the lease.
func (w *Worker) handle(ctx context.Context, item Item) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("outbox: handler of %s panicked: %v", item.Kind, p)
		}
	}()
	handler := w.Handlers[item.Kind]
	if handler == nil {
		handler = w.Handlers[""]
	}
	ctx, cancel := context.WithTimeout(authz.WithPrincipal(ctx, authz.System("outbox/"+item.Kind)), w.lease()*3/4)
	defer cancel()
	return handler(ctx, item)
}

// settle writes the outcome, unless the lease ran out and another worker has the event now.
func (w *Worker) settle(ctx context.Context, item Item, outcome error, r *Report) error {
	dead := outcome != nil && (item.Attempt >= w.maxAttempts() || isPermanent(outcome))
	text := ""
	if outcome != nil {
		text = describe(outcome)
		slog.WarnContext(ctx, "outbox: handler failed", "kind", item.Kind, "id", item.ID, "attempt", item.Attempt, "dead", dead, "error", text)
	}
	err := w.DB.WithSystem(ctx, "outbox", func(ctx context.Context, tx *db.Tx) error {
		// an outcome that a crash of the server forgets is found again: the event comes once more, as it may at any time
		if _, err := tx.Exec(ctx, `SET LOCAL synchronous_commit = off`); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `
			UPDATE outbox SET leased_until = NULL, error = $4,
			       done_at = CASE WHEN $5 THEN $6::timestamptz END,
			       dead_at = CASE WHEN $7 THEN $6::timestamptz END,
			       due_at  = CASE WHEN $5 OR $7 THEN due_at ELSE $8::timestamptz END
			WHERE tenant_id = $1 AND id = $2 AND attempts = $3 AND done_at IS NULL`,
			item.Tenant, item.ID, item.Attempt, text, outcome == nil, tx.Now(), dead, tx.Now().Add(pause(item.Attempt)))
		return err
	})
	switch {
	case err != nil:
		return fmt.Errorf("outbox: settle: %w", err)
	case outcome == nil:
		r.Done++
	case dead:
		r.Dead++
	default:
		r.Retried++
	}
	return nil
}

// Purge deletes events done more than age ago. Dead letters stay until a person has looked.
func (w *Worker) Purge(ctx context.Context, age time.Duration) (deleted int64, err error) {
	err = w.DB.WithSystem(ctx, "outbox", func(ctx context.Context, tx *db.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM outbox WHERE done_at < $1`, tx.Now().Add(-age))
		deleted = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("outbox: purge: %w", err)
	}
	return deleted, nil
}

func (w *Worker) lease() time.Duration {
	if w.Lease > 0 {
		return w.Lease
	}
	return DefaultLease
}

func (w *Worker) maxAttempts() int {
	if w.MaxAttempts > 0 {
		return w.MaxAttempts
	}
	return DefaultMaxAttempts
}

// pause grows twofold with each failed attempt, give or take a tenth, so that what failed together does not come back together.
func pause(attempt int) time.Duration {
	d := longestPause
	if attempt < 12 {
		d = min(d, firstPause<<(attempt-1))
	}
	return d - d/10 + rand.N(d/5)
}

// describe is an error for operators: its kind and text, cut short.
func describe(err error) string {
	text := err.Error()
	if f := fault.From(err); f != nil && f.Kind == fault.Invalid {
		text = "invalid: " + f.ID // the arguments of an input error may quote the input
	}
	return text[:min(len(text), longestError)]
}
