package outbox

import (
	"context"
	"fmt"
	"time"

	"certsaas/core/db"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Backlog is how the outbox is doing, for the health page.
type Backlog struct {
	Waiting int       // not handled yet, due or not
	Late    int       // due and still waiting
	Oldest  time.Time // when the oldest late one was due; zero without any
	Dead    int
	Letters []Dead // the newest dead letters
}

// Dead is an event that was given up.
type Dead struct {
	Tenant, ID, Ref uuid.UUID
	Kind, Error     string
	Attempts        int
	At              time.Time
}

// Look reads the backlog and at most limit dead letters.
func Look(ctx context.Context, d *db.DB, limit int) (Backlog, error) {
	var b Backlog
	err := d.WithSystem(ctx, "console/outbox", func(ctx context.Context, tx *db.Tx) error {
		var oldest *time.Time
		err := tx.QueryRow(ctx, `SELECT count(*) FILTER (WHERE dead_at IS NULL), count(*) FILTER (WHERE dead_at IS NULL AND due_at <= $1),
			min(due_at) FILTER (WHERE dead_at IS NULL AND due_at <= $1), count(*) FILTER (WHERE dead_at IS NOT NULL)
			FROM outbox WHERE done_at IS NULL`, tx.Now()).Scan(&b.Waiting, &b.Late, &oldest, &b.Dead)
		if err != nil {
			return fmt.Errorf("outbox: backlog: %w", err)
		}
		if oldest != nil {
			b.Oldest = *oldest
		}
		rows, err := tx.Query(ctx, `SELECT tenant_id, id, ref, kind, error, attempts, dead_at FROM outbox WHERE dead_at IS NOT NULL AND done_at IS NULL
			ORDER BY dead_at DESC LIMIT $1`, limit)
		if err != nil {
			return fmt.Errorf("outbox: dead letters: %w", err)
		}
		b.Letters, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (x Dead, err error) {
			return x, row.Scan(&x.Tenant, &x.ID, &x.Ref, &x.Kind, &x.Error, &x.Attempts, &x.At)
		})
		if err != nil {
			return fmt.Errorf("outbox: dead letters: %w", err)
		}
		return nil
	})
	return b, err
}
