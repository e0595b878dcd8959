// Package outbox does work after a commit, at least once.
//
// In: events written in the transaction that made them true ("order.approved", with ids and codes only). Out: each is handed to
// its handler as a system principal, again with growing pauses while it fails, and set aside as a dead letter when it goes on
// failing. Handlers must be idempotent: an event may come twice after a crash.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"certsaas/core/db"

	"github.com/google/uuid"
)

// Event says that something has happened. It holds no personal data.
type Event struct {
	Kind   string            // "order.approved"
	Ref    uuid.UUID         // what it is about, e.g. the order
	Data   map[string]string // further ids and codes
	Tenant uuid.UUID         // needed in a system transaction only; else the transaction's
	Due    time.Time         // not to be handled earlier; zero = at once
}

// Enqueue writes the event as part of tx: it is handled if and only if tx commits.
func Enqueue(ctx context.Context, tx *db.Tx, e Event) error {
	tenant := tx.Tenant()
	if tenant == uuid.Nil {
		tenant = e.Tenant
	}
	if tenant == uuid.Nil || e.Kind == "" || (e.Tenant != uuid.Nil && e.Tenant != tenant) {
		return fmt.Errorf("outbox: event %q needs a kind and the transaction's tenant", e.Kind)
	}
	if e.Data == nil {
		e.Data = map[string]string{}
	}
	due := e.Due
	if due.IsZero() {
		due = tx.Now()
	}
	_, err := tx.Exec(ctx, `INSERT INTO outbox (tenant_id, id, kind, ref, data, created_at, due_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		tenant, db.NewID(), e.Kind, e.Ref, e.Data, tx.Now(), due)
	if err != nil {
		return fmt.Errorf("outbox: enqueue %s: %w", e.Kind, err)
	}
	return nil
}

// Item is a claimed event.
type Item struct {
	Event
	ID        uuid.UUID // stable over retries: the key of idempotent handlers
	Attempt   int       // 1 for the first try
	CreatedAt time.Time
}

// permanent marks an error that no retry can mend.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Permanent makes the event a dead letter at once.
func Permanent(err error) error { return permanent{err} }

func isPermanent(err error) bool {
	var p permanent
	return errors.As(err, &p)
}
