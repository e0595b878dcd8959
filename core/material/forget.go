package material

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
)

// ForgetDrafts takes away what was typed and uploaded for drafts that ended before a time without ever being handed in: answers
// and their indexes, letters, rows of files. Reap removes the pictures themselves. The order's number, its states and the audit
// trail stay. It gives how many drafts were forgotten, at most batch a run.
func (s *Service) ForgetDrafts(ctx context.Context, before time.Time, batch int) (int, error) {
	ctx = authz.WithPrincipal(ctx, authz.System("scheduler/forget"))
	n := 0
	err := s.DB.WithSystem(ctx, "scheduler/forget", func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `WITH gone AS (
				SELECT tenant_id, id FROM orders WHERE state IN ('lapsed', 'cancelled') AND submitted_at IS NULL AND forgotten_at IS NULL AND closed_at < $1
				ORDER BY closed_at LIMIT $2 FOR UPDATE SKIP LOCKED
			), letter AS (DELETE FROM letters l USING gone WHERE l.tenant_id = gone.tenant_id AND l.order_id = gone.id
			), file AS (DELETE FROM files f USING gone WHERE f.tenant_id = gone.tenant_id AND f.order_id = gone.id
			) UPDATE orders o SET answers_sealed = NULL, mobile_index = NULL, org_index = NULL, code_index = NULL, dealer_index = NULL, forgotten_at = $3
			FROM gone WHERE o.tenant_id = gone.tenant_id AND o.id = gone.id RETURNING o.tenant_id, o.id`, before, batch, tx.Now())
		if err != nil {
			return fmt.Errorf("material: forget: %w", err)
		}
		type draft struct{ tenant, id uuid.UUID }
		list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d draft, err error) { return d, row.Scan(&d.tenant, &d.id) })
		if err != nil {
			return fmt.Errorf("material: forget: %w", err)
		}
		for _, d := range list {
			if err := audit.Record(ctx, tx, audit.Entry{Tenant: d.tenant, Action: "order.forgotten", Resource: "order/" + d.id.String()}); err != nil {
				return err
			}
		}
		tx.AfterCommit(func() { n = len(list) })
		return nil
	})
	return n, err
}
