package audit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"certsaas/core/db"

	"github.com/google/uuid"
)

// When the sealer writes a checkpoint: after so many entries, or so long after the last one.
const (
	checkpointEntries = 1000
	checkpointEvery   = time.Minute
)

// sealLock is held by the one sealer that works; others do nothing meanwhile.
const sealLock = 7236471026

// Sealer chains entries after their transactions have committed. Chaining inside the transaction would make every act of a tenant
// wait for the one before it. One Sealer belongs to one goroutine; several programs may each have one.
type Sealer struct {
	db    *db.DB
	keys  Keys
	file  string
	since string             // every entry below this transaction id is sealed
	fresh map[uuid.UUID]head // sealed since the last checkpoint
	count int                // how many those are
	last  time.Time          // of the last checkpoint
}

// SealerConfig is what a Sealer needs.
type SealerConfig struct {
	DB             *db.DB
	Keys           Keys
	CheckpointFile string // DATA_DIR/audit-checkpoints.jsonl
}

// NewSealer makes a Sealer; its first run looks at all entries.
func NewSealer(c SealerConfig) *Sealer {
	return &Sealer{db: c.DB, keys: c.Keys, file: c.CheckpointFile, since: "0", fresh: map[uuid.UUID]head{}}
}

// RunOnce seals up to batch entries and returns how many; call it again while that equals batch. It writes a checkpoint when one is due.
func (s *Sealer) RunOnce(ctx context.Context, batch int) (int, error) {
	var sealed []seal
	var horizon string
	var now time.Time
	err := s.db.WithSystem(ctx, "audit/seal", func(ctx context.Context, tx *db.Tx) (err error) {
		now = tx.Now()
		sealed, horizon, err = s.sealBatch(ctx, tx, batch)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("audit: seal: %w", err)
	}
	if horizon != "" && len(sealed) < batch {
		s.since = horizon
	}
	for _, one := range sealed {
		s.fresh[one.Tenant] = head{Tenant: one.Tenant, Seq: one.Seq, Hash: one.hash}
	}
	s.count += len(sealed)
	if s.count >= checkpointEntries || s.count > 0 && now.Sub(s.last) >= checkpointEvery {
		return len(sealed), s.checkpoint(now)
	}
	return len(sealed), nil
}

// seal is an entry with its place in the chain.
type seal struct {
	record
	hash []byte
}

// sealBatch seals the oldest entries whose transactions, and all earlier ones, have ended: nothing can appear before them any more.
// The horizon is the oldest transaction still running, "" when another sealer is at work.
func (s *Sealer) sealBatch(ctx context.Context, tx *db.Tx, batch int) ([]seal, string, error) {
	var mine bool
	if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1)`, int64(sealLock)).Scan(&mine); err != nil || !mine {
		return nil, "", err
	}
	var horizon string
	if err := tx.QueryRow(ctx, `SELECT pg_snapshot_xmin(pg_current_snapshot())::text`).Scan(&horizon); err != nil {
		return nil, "", err
	}
	found, err := s.unsealed(ctx, tx, horizon, batch)
	if err != nil || len(found) == 0 {
		return nil, horizon, err
	}
	heads, err := currentHeads(ctx, tx, found)
	if err != nil {
		return nil, "", err
	}
	tenants, ids := make([]uuid.UUID, len(found)), make([]uuid.UUID, len(found))
	seqs, hashes := make([]int64, len(found)), make([][]byte, len(found))
	for i := range found {
		one := &found[i]
		prev := heads[one.Tenant]
		one.Seq = prev.Seq + 1
		if one.hash, err = s.keys.hash(prev.Hash, &one.record); err != nil {
			return nil, "", err
		}
		heads[one.Tenant] = head{Tenant: one.Tenant, Seq: one.Seq, Hash: one.hash}
		tenants[i], ids[i], seqs[i], hashes[i] = one.Tenant, one.ID, one.Seq, one.hash
	}
	_, err = tx.Exec(ctx, `
		INSERT INTO audit_seals (tenant_id, seq, entry_id, hash, sealed_at)
		SELECT tenant_id, seq, entry_id, hash, $5 FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bytea[]) AS u (tenant_id, seq, entry_id, hash)`,
		tenants, seqs, ids, hashes, tx.Now())
	return found, horizon, err
}

// unsealed reads entries in the order in which they will be chained. A visible entry whose transaction id is still to come was written by another
// server, before this database was restored from a dump; it has ended, too.
func (s *Sealer) unsealed(ctx context.Context, tx *db.Tx, horizon string, batch int) ([]seal, error) {
	rows, err := tx.Query(ctx, `
		SELECT e.tenant_id, `+entryColumns+`
		FROM audit_entries e
		WHERE e.xid >= $1::text::xid8 AND (e.xid < $2::text::xid8 OR e.xid >= pg_snapshot_xmax(pg_current_snapshot()))
		  AND NOT EXISTS (SELECT FROM audit_seals s WHERE s.tenant_id = e.tenant_id AND s.entry_id = e.id)
		ORDER BY e.xid, e.at, e.id LIMIT $3`, s.since, horizon, batch)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []seal
	for rows.Next() {
		var one seal
		if err := one.scan(rows, &one.Tenant); err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, rows.Err()
}

// currentHeads reads the end of the chain of each tenant in the batch.
func currentHeads(ctx context.Context, tx *db.Tx, found []seal) (map[uuid.UUID]head, error) {
	heads := map[uuid.UUID]head{}
	for i := range found {
		tenant := found[i].Tenant
		if _, known := heads[tenant]; known {
			continue
		}
		h := head{Tenant: tenant}
		err := tx.QueryRow(ctx, `SELECT seq, hash FROM audit_seals WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1`, tenant).Scan(&h.Seq, &h.Hash)
		if err != nil && !errors.Is(err, db.ErrNoRows) {
			return nil, err
		}
		heads[tenant] = h
	}
	return heads, nil
}
