package notify

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/db"
)

// Told is a message as staff see it on an order.
type Told struct {
	Event, Channel, State, Error string
	To, Text                     string // personal data
	At                           time.Time
	SentAt                       *time.Time
}

// List is what an order's applicant was told, oldest first, in the caller's tenant transaction.
func (s *Service) List(ctx context.Context, tx *db.Tx, orderID uuid.UUID) ([]Told, error) {
	return s.told(ctx, tx, `order_id = $2 ORDER BY created_at, channel`, orderID)
}

// ByKeys is what was said in answer to the given keys (Notice.Key), oldest first, in the caller's tenant transaction.
func (s *Service) ByKeys(ctx context.Context, tx *db.Tx, list []uuid.UUID) ([]Told, error) {
	return s.told(ctx, tx, `outbox_id = ANY ($2) ORDER BY created_at, id`, list)
}

// told reads the tenant's messages that fit a condition on $2, in its order.
func (s *Service) told(ctx context.Context, tx *db.Tx, which string, arg any) ([]Told, error) {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT id, template, channel, state, error, body_sealed, created_at, sent_at FROM messages
		WHERE tenant_id = $1 AND `+which, tx.Tenant(), arg)
	if err != nil {
		return nil, fmt.Errorf("notify: told: %w", err)
	}
	told, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Told, error) {
		var m Told
		var id uuid.UUID
		var sealed []byte
		if err := row.Scan(&id, &m.Event, &m.Channel, &m.State, &m.Error, &sealed, &m.At, &m.SentAt); err != nil {
			return m, err
		}
		b, err := openBody(keys, id, sealed)
		m.To, m.Text = b.To, b.Text
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("notify: told: %w", err)
	}
	return told, nil
}
