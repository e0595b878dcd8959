package material

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"certsaas/core/blob"
	"certsaas/core/db"
)

// reapBatch is how many blobs are asked about in one statement.
const reapBatch = 500

// ErrNoList says that the blob store cannot tell what it holds.
var ErrNoList = errors.New("material: the blob store cannot be listed")

// Reap removes blobs written before a time that no file's row names: what a crash between blob and row, or an unclear
// commit, left behind. It gives how many were removed. Leave an hour, so that no upload under way is touched. Tickets that
// ended before then go, too.
func (s *Service) Reap(ctx context.Context, before time.Time) (int, error) {
	store, ok := s.Blobs.(blob.Lister)
	if !ok {
		return 0, ErrNoList
	}
	var batch []string
	removed := 0
	flush := func() error {
		n, err := s.reapBatch(ctx, batch)
		removed += n
		batch = batch[:0]
		return err
	}
	err := store.Each(ctx, before, func(key string) error {
		if batch = append(batch, key); len(batch) < reapBatch {
			return nil
		}
		return flush()
	})
	if err == nil && len(batch) > 0 {
		err = flush()
	}
	if err != nil {
		return removed, err
	}
	return removed, s.DB.WithSystem(ctx, "scheduler/reap", func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `DELETE FROM upload_tickets WHERE expires_at < $1`, before)
		if err != nil {
			return fmt.Errorf("material: reap tickets: %w", err)
		}
		return nil
	})
}

// reapBatch removes those of keys that no row names.
func (s *Service) reapBatch(ctx context.Context, keys []string) (int, error) {
	var known, tenants []string
	for _, k := range keys {
		tenants = append(tenants, k[:strings.IndexByte(k, '/')])
	}
	tenants = slices.Compact(tenants) // a store lists tenant by tenant
	err := s.DB.WithSystem(ctx, "scheduler/reap", func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT blob_key FROM files WHERE tenant_id = ANY($1::text[]::uuid[]) AND blob_key = ANY($2)`, tenants, keys)
		if err != nil {
			return fmt.Errorf("material: reap: %w", err)
		}
		known, err = pgx.CollectRows(rows, pgx.RowTo[string])
		return err
	})
	if err != nil {
		return 0, err
	}
	named := make(map[string]bool, len(known))
	for _, k := range known {
		named[k] = true
	}
	n := 0
	for _, k := range keys {
		if named[k] {
			continue
		}
		if err := s.Blobs.Delete(ctx, k); err != nil {
			return n, fmt.Errorf("material: reap: %w", err)
		}
		n++
	}
	return n, nil
}
