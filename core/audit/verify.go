package audit

import (
	"context"
	"crypto/hmac"
	"fmt"
	"time"

	"certsaas/core/db"

	"github.com/google/uuid"
)

// Problem is what Verify can find.
type Problem string

// The problems.
const (
	Gap               Problem = "gap"                // numbers are missing before Seq: entries were deleted or renumbered
	Changed           Problem = "changed"            // the entry at Seq, its seal, or its place is not what was sealed
	Lost              Problem = "lost"               // the seal at Seq has no entry any more
	Cut               Problem = "cut"                // a checkpoint knows an entry at Seq that is not there: the end was cut off, or an old copy restored
	Forked            Problem = "forked"             // a checkpoint knows another history at Seq
	Unsealed          Problem = "unsealed"           // an old entry has no seal: it lost it, or the sealer stands still
	CheckpointForged  Problem = "checkpoint_forged"  // a line of the checkpoint file is not ours
	CheckpointMissing Problem = "checkpoint_missing" // the line before it was removed
)

// unsealedAfter is when an entry should have been sealed long since.
const unsealedAfter = 10 * time.Minute

// Finding is one sign of tampering: where, and what.
type Finding struct {
	Problem Problem
	Tenant  uuid.UUID
	Seq     int64     // first bad number of the tenant's chain
	Entry   uuid.UUID // for Unsealed
	Line    int       // of the checkpoint file, for its problems
}

// String is for operators.
func (f Finding) String() string {
	switch f.Problem {
	case CheckpointForged, CheckpointMissing:
		return fmt.Sprintf("%s: line %d of the checkpoint file", f.Problem, f.Line)
	case Unsealed:
		return fmt.Sprintf("%s: tenant %s entry %s", f.Problem, f.Tenant, f.Entry)
	}
	return fmt.Sprintf("%s: tenant %s number %d", f.Problem, f.Tenant, f.Seq)
}

// Verify walks all chains and compares them with the checkpoint file. No findings means that nothing sealed was changed, and nothing that a
// checkpoint saw was removed. In each chain the first break is named; what follows it proves nothing.
func Verify(ctx context.Context, d *db.DB, keys Keys, checkpointFile string) ([]Finding, error) {
	points, findings, err := readCheckpoints(checkpointFile, keys.Public())
	if err != nil {
		return nil, err
	}
	expected := map[uuid.UUID]map[int64][]byte{} // hashes that checkpoints know, by tenant and number
	for _, p := range points {
		for _, h := range p.Heads {
			if expected[h.Tenant] == nil {
				expected[h.Tenant] = map[int64][]byte{}
			}
			expected[h.Tenant][h.Seq] = h.Hash
		}
	}
	err = d.WithSystem(ctx, "audit/verify", func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil { // it reads everything
			return err
		}
		w := walker{keys: keys, expected: expected}
		if err := w.walk(ctx, tx); err != nil {
			return err
		}
		findings = append(findings, w.findings...)
		stale, err := findUnsealed(ctx, tx)
		findings = append(findings, stale...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("audit: verify: %w", err)
	}
	return findings, nil
}

// walker goes along the chains, one tenant after the other.
type walker struct {
	keys     Keys
	expected map[uuid.UUID]map[int64][]byte
	findings []Finding

	tenant uuid.UUID
	any    bool   // a chain is being walked
	seq    int64  // last number seen
	hash   []byte // and its hash
	broken bool
}

func (w *walker) walk(ctx context.Context, tx *db.Tx) error {
	rows, err := tx.Query(ctx, `
		SELECT s.tenant_id, s.seq, s.hash, e.id IS NOT NULL, coalesce(e.id, s.entry_id), coalesce(e.at, s.sealed_at),
		       coalesce(e.actor_kind, ''), e.actor_id, coalesce(e.actor_name, ''), coalesce(e.action, ''), coalesce(e.resource, ''),
		       coalesce(e.outcome, ''), coalesce(e.detail::text, '{}')
		FROM audit_seals s LEFT JOIN audit_entries e ON e.tenant_id = s.tenant_id AND e.id = s.entry_id
		ORDER BY s.tenant_id, s.seq`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var r record
		var hash []byte
		var there bool
		if err := r.scan(rows, &r.Tenant, &r.Seq, &hash, &there); err != nil {
			return err
		}
		if err := w.step(&r, hash, there); err != nil {
			return err
		}
	}
	w.finish()
	for tenant := range w.expected { // chains that are gone altogether
		w.begin(tenant)
		w.finish()
	}
	return rows.Err()
}

// step looks at the next seal of the walk.
func (w *walker) step(r *record, hash []byte, there bool) error {
	if !w.any || r.Tenant != w.tenant {
		w.finish()
		w.begin(r.Tenant)
	}
	if w.broken {
		return nil
	}
	want, err := w.keys.hash(w.hash, r)
	if err != nil {
		return err
	}
	known, seen := w.expected[r.Tenant][r.Seq]
	switch {
	case r.Seq != w.seq+1:
		w.report(Gap, w.seq+1)
	case !there:
		w.report(Lost, r.Seq)
	case !hmac.Equal(want, hash):
		w.report(Changed, r.Seq)
	case seen && !hmac.Equal(known, hash):
		w.report(Forked, r.Seq)
	}
	w.seq, w.hash = r.Seq, hash
	return nil
}

func (w *walker) begin(tenant uuid.UUID) {
	w.tenant, w.any, w.seq, w.hash, w.broken = tenant, true, 0, nil, false
}

// finish compares the end of a chain with the furthest checkpoint.
func (w *walker) finish() {
	if !w.any {
		return
	}
	if !w.broken {
		for seq := range w.expected[w.tenant] {
			if seq > w.seq {
				w.report(Cut, w.seq+1)
				break
			}
		}
	}
	delete(w.expected, w.tenant)
	w.any = false
}

func (w *walker) report(p Problem, seq int64) {
	w.findings = append(w.findings, Finding{Problem: p, Tenant: w.tenant, Seq: seq})
	w.broken = true
}

func findUnsealed(ctx context.Context, tx *db.Tx) ([]Finding, error) {
	rows, err := tx.Query(ctx, `
		SELECT e.tenant_id, e.id FROM audit_entries e
		WHERE e.at < $1 AND NOT EXISTS (SELECT FROM audit_seals s WHERE s.tenant_id = e.tenant_id AND s.entry_id = e.id)
		ORDER BY e.at LIMIT 100`, tx.Now().Add(-unsealedAfter))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []Finding
	for rows.Next() {
		f := Finding{Problem: Unsealed}
		if err := rows.Scan(&f.Tenant, &f.Entry); err != nil {
			return nil, err
		}
		found = append(found, f)
	}
	return found, rows.Err()
}
