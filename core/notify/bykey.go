package notify

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/db"
)

// ByKeys is what was said in answer to the given keys (Notice.Key), oldest first, in the caller's tenant transaction.
func (s *Service) ByKeys(ctx context.Context, tx *db.Tx, list []uuid.UUID) ([]Told, error) {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT id, template, channel, state, error, body_sealed, created_at, sent_at FROM messages
		WHERE tenant_id = $1 AND outbox_id = ANY ($2) ORDER BY created_at, id`, tx.Tenant(), list)
	if err != nil {
		return nil, fmt.Errorf("notify: by key: %w", err)
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
		return nil, fmt.Errorf("notify: by key: %w", err)
	}
	return told, nil
}
