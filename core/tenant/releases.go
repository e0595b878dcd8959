package tenant

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/db"
)

// ReleaseLine is a release in the list of a tenant's releases.
type ReleaseLine struct {
	Number    int
	CreatedAt time.Time
	CreatedBy string
	Published *time.Time
}

// Releases lists a tenant's releases, the newest first, at most limit.
func (s *Store) Releases(ctx context.Context, id uuid.UUID, limit int) ([]ReleaseLine, error) {
	var list []ReleaseLine
	err := s.db.WithSystem(ctx, "tenant/releases", func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT number, created_at, created_by, published_at FROM tenant_releases WHERE tenant_id = $1
			ORDER BY number DESC LIMIT $2`, id, limit)
		if err != nil {
			return fmt.Errorf("tenant: releases: %w", err)
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l ReleaseLine, err error) {
			return l, row.Scan(&l.Number, &l.CreatedAt, &l.CreatedBy, &l.Published)
		})
		if err != nil {
			return fmt.Errorf("tenant: releases: %w", err)
		}
		return nil
	})
	return list, err
}
