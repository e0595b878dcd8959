package payment

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/authz"
	"certsaas/core/db"
)

// Notice is a notification as the health page shows it: that it came and what became of it, never what it said.
type Notice struct {
	Tenant           uuid.UUID
	Channel, Verdict string
	At               time.Time
}

// RefusedNotices lists notifications that were not believed or could not be used, newest first. Needs health.view.
func (s *Service) RefusedNotices(ctx context.Context, limit int) ([]Notice, error) {
	if err := s.authz.CheckRoute(ctx, authz.HealthView, authz.From(ctx).Tenant); err != nil {
		return nil, err
	}
	good := []string{string(accepted), string(duplicate), string(late), refundNotice, closedNotice, noted}
	var list []Notice
	err := s.db.WithSystem(ctx, "console/notices", func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, channel, verdict, received_at FROM payment_events WHERE verdict <> ALL($1)
			ORDER BY received_at DESC LIMIT $2`, good, limit)
		if err != nil {
			return fmt.Errorf("payment: notices: %w", err)
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (n Notice, err error) {
			return n, row.Scan(&n.Tenant, &n.Channel, &n.Verdict, &n.At)
		})
		if err != nil {
			return fmt.Errorf("payment: notices: %w", err)
		}
		return nil
	})
	return list, err
}
