package audit_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/vault"

	"github.com/google/uuid"
)

type bundle struct {
	db     *db.DB
	clock  *clock.Fake
	keys   audit.Keys
	file   string
	sealer *audit.Sealer
	tenant uuid.UUID
}

func setup(t *testing.T) *bundle {
	t.Helper()
	b := &bundle{clock: clock.NewFake(time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)), tenant: db.NewID()}
	b.db = coretest.DBAt(t, b.clock)
	v, err := vault.Open(t.Context(), vault.Config{KEK: strings.Repeat("a1", 32)}, b.db)
	if err != nil {
		t.Fatal(err)
	}
	b.keys = audit.NewKeys(v.PlatformKeys())
	b.file = filepath.Join(t.TempDir(), "audit-checkpoints.jsonl")
	b.sealer = b.newSealer(b.file)
	return b
}

func (b *bundle) newSealer(file string) *audit.Sealer {
	return audit.NewSealer(audit.SealerConfig{DB: b.db, Keys: b.keys, CheckpointFile: file})
}

func staff(ctx context.Context) context.Context {
	return authz.WithPrincipal(ctx, authz.Principal{Kind: authz.Staff, ID: uuid.NewSHA1(uuid.Nil, []byte("reviewer")), Name: "reviewer", Roles: []string{authz.RoleReviewer}})
}

// record writes n entries, each in a transaction of its own.
func (b *bundle) record(t *testing.T, tenant uuid.UUID, n int) {
	t.Helper()
	for i := range n {
		err := b.db.WithTenant(staff(t.Context()), tenant, func(ctx context.Context, tx *db.Tx) error {
			return audit.Record(ctx, tx, audit.Entry{Action: "order.review", Resource: "order/" + db.NewID().String(), Detail: map[string]any{"round": i, "to": "b", "from": "a"}})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// seal runs the sealer until it has sealed as many as wanted. Transactions of other tests, in other databases of the server, may hold it up.
func seal(t *testing.T, s *audit.Sealer, want int) {
	t.Helper()
	total := 0
	for range 1000 {
		n, err := s.RunOnce(t.Context(), 1000)
		if total += n; err != nil || total > want {
			t.Fatalf("sealed %d, %v; want %d", total, err, want)
		}
		if total == want {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("sealed %d, want %d", total, want)
}

// settled waits until nothing holds the horizon back any more, so that one run seals all: the server is shared with other
// tests, whose transactions a sealer waits for, and where the first checkpoint falls depends on the batches.
func settled(t *testing.T, d *db.DB) {
	t.Helper()
	for range 1000 {
		var open int
		coretest.OwnerRow(t, d, []any{&open}, `SELECT count(*) FROM audit_entries WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())`)
		if open == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatal("the horizon stands still")
}

func (b *bundle) verify(t *testing.T) []audit.Finding {
	t.Helper()
	findings, err := audit.Verify(t.Context(), b.db, b.keys, b.file)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// TestTampering is L1: nine attacks by somebody who owns the database, each found and located.
func TestTampering(t *testing.T) {
	t.Parallel()
	const free = "SET session_replication_role = replica;" // no foreign keys
	where := func(seq int) string {
		return fmt.Sprintf("tenant_id = (SELECT tenant_id FROM audit_seals LIMIT 1) AND seq = %d", seq)
	}
	entry := func(seq int) string {
		return "id = (SELECT entry_id FROM audit_seals WHERE " + where(seq) + ")"
	}
	tests := []struct {
		name   string
		attack string
		want   audit.Problem
		seq    int64
	}{
		{"flip one byte", "UPDATE audit_entries SET actor_name = 'reviewes' WHERE " + entry(4), audit.Changed, 4},
		{"flip one byte of the detail", `UPDATE audit_entries SET detail = jsonb_set(detail, '{to}', '"c"') WHERE ` + entry(7), audit.Changed, 7},
		{"delete from the middle", free + "DELETE FROM audit_entries WHERE " + entry(5) + "; DELETE FROM audit_seals WHERE " + where(5), audit.Gap, 5},
		{"delete an entry, keep its seal", free + "DELETE FROM audit_entries WHERE " + entry(5), audit.Lost, 5},
		{"delete the end", free + "DELETE FROM audit_entries WHERE " + entry(10) + "; DELETE FROM audit_seals WHERE " + where(10), audit.Cut, 10},
		{"delete everything", free + "DELETE FROM audit_entries; DELETE FROM audit_seals", audit.Cut, 1},
		{"insert", free + "UPDATE audit_seals SET seq = seq + 100 WHERE seq > 5; UPDATE audit_seals SET seq = seq - 99 WHERE seq > 100;" +
			"INSERT INTO audit_entries SELECT tenant_id, gen_random_uuid(), xid, at, actor_kind, actor_id, actor_name, action, resource, outcome, detail FROM audit_entries WHERE " + entry(5) + ";" +
			"INSERT INTO audit_seals SELECT s.tenant_id, 6, e.id, s.hash, s.sealed_at FROM audit_seals s, audit_entries e WHERE s.seq = 5 AND NOT EXISTS (SELECT FROM audit_seals x WHERE x.entry_id = e.id)", audit.Changed, 6},
		{"swap two", free + "UPDATE audit_seals SET seq = -seq WHERE seq IN (3, 4); UPDATE audit_seals SET seq = 7 + seq WHERE seq < 0", audit.Changed, 3},
		{"renumber", free + "UPDATE audit_seals SET seq = -seq WHERE seq > 6; DELETE FROM audit_seals WHERE seq = 6; UPDATE audit_seals SET seq = -seq - 1 WHERE seq < 0", audit.Changed, 6},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.record(t, b.tenant, 10)
			settled(t, b.db)
			seal(t, b.sealer, 10)
			if findings := b.verify(t); len(findings) != 0 {
				t.Fatalf("before the attack: %v", findings)
			}
			coretest.OwnerExec(t, b.db, tt.attack)
			want := audit.Finding{Problem: tt.want, Tenant: b.tenant, Seq: tt.seq}
			if findings := b.verify(t); len(findings) == 0 || findings[0] != want {
				t.Errorf("found %v, want %v", findings, want)
			}
		})
	}
}

// TestRewrittenHistory is the rest of L1: a chain rewritten without the key, and one set back or forked with the help of the key.
func TestRewrittenHistory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.record(t, b.tenant, 5)
	settled(t, b.db)
	seal(t, b.sealer, 5)
	wipe := "SET session_replication_role = replica; DELETE FROM audit_seals WHERE seq > 2;" +
		"DELETE FROM audit_entries e WHERE NOT EXISTS (SELECT FROM audit_seals s WHERE s.entry_id = e.id)"
	coretest.OwnerExec(t, b.db, wipe) // an old copy is restored …
	if got, want := b.verify(t), (audit.Finding{Problem: audit.Cut, Tenant: b.tenant, Seq: 3}); len(got) != 1 || got[0] != want {
		t.Errorf("old copy: %v, want %v", got, want)
	}
	b.record(t, b.tenant, 3) // … and lived on
	settled(t, b.db)
	seal(t, b.newSealer(filepath.Join(t.TempDir(), "other.jsonl")), 3)
	if got, want := b.verify(t), (audit.Finding{Problem: audit.Forked, Tenant: b.tenant, Seq: 5}); len(got) != 1 || got[0] != want {
		t.Errorf("fork: %v, want %v", got, want)
	}
	thief := setup(t)
	other, err := vault.Open(t.Context(), vault.Config{KEK: strings.Repeat("b2", 32)}, coretest.DB(t))
	if err != nil {
		t.Fatal(err)
	}
	thief.record(t, thief.tenant, 5)
	forged := audit.NewSealer(audit.SealerConfig{DB: thief.db, Keys: audit.NewKeys(other.PlatformKeys()), CheckpointFile: thief.file})
	settled(t, thief.db)
	seal(t, forged, 5) // the whole chain, and its checkpoint, made with another key
	got := thief.verify(t)
	if len(got) != 2 || got[0].Problem != audit.CheckpointForged || got[1] != (audit.Finding{Problem: audit.Changed, Tenant: thief.tenant, Seq: 1}) {
		t.Errorf("chain without the key: %v", got)
	}
}

func TestCheckpointFileIsChained(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 3 {
		b.record(t, b.tenant, 1)
		b.clock.Advance(time.Minute)
		seal(t, b.sealer, 1)
	}
	raw, err := os.ReadFile(b.file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(raw), "\n")
	if len(lines) != 4 { // three, and the nothing after the last
		t.Fatalf("checkpoints: %q", lines)
	}
	if err := os.WriteFile(b.file, []byte(lines[0]+lines[2]), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := b.verify(t); len(got) != 1 || got[0] != (audit.Finding{Problem: audit.CheckpointMissing, Line: 2}) {
		t.Errorf("found %v, want a missing checkpoint before line 2", got)
	}
}

// TestWritersAreNotOvertaken has the sealer run among writers, some of which roll back: the chain stays whole, gap-free, and
// no entry is left out because its transaction began early and ended late.
func TestWritersAreNotOvertaken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tenants := []uuid.UUID{db.NewID(), db.NewID()}
	var wg sync.WaitGroup
	const writers, each = 6, 40
	for n := range writers {
		wg.Go(func() {
			for i := range each {
				err := b.db.WithTenant(staff(t.Context()), tenants[n%2], func(ctx context.Context, tx *db.Tx) error {
					if err := audit.Record(ctx, tx, audit.Entry{Action: "a", Resource: "r/1"}); err != nil {
						return err
					}
					if i%10 == 0 {
						return errRollback
					}
					return nil
				})
				if err != nil && !errors.Is(err, errRollback) {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	sealed := 0
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		n, err := b.sealer.RunOnce(t.Context(), 25)
		if err != nil {
			t.Fatal(err)
		}
		sealed += n
	}
	seal(t, b.sealer, writers*each*9/10-sealed)
	b.clock.Advance(time.Hour)
	if findings := b.verify(t); len(findings) != 0 {
		t.Errorf("findings: %v", findings)
	}
}

var errRollback = errors.New("rolled back on purpose")

func TestLateTransactionKeepsItsPlace(t *testing.T) {
	t.Parallel()
	b := setup(t)
	err := b.db.WithTenant(staff(t.Context()), b.tenant, func(ctx context.Context, tx *db.Tx) error {
		if err := audit.Record(ctx, tx, audit.Entry{Action: "early", Resource: "r/1"}); err != nil {
			return err
		}
		b.record(t, b.tenant, 1) // begins later, commits earlier
		seal(t, b.sealer, 0)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	seal(t, b.sealer, 2)
	if findings := b.verify(t); len(findings) != 0 {
		t.Errorf("findings: %v", findings)
	}
}

func TestDeniedAndNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, tenant := range []uuid.UUID{b.tenant, uuid.Nil} {
		if err := audit.RecordDenied(staff(t.Context()), b.db, tenant, audit.Entry{Action: "order.review", Resource: "order/1"}); err != nil {
			t.Error(err)
		}
	}
	var outcomes, kinds []string
	coretest.OwnerRow(t, b.db, []any{&outcomes, &kinds}, "SELECT array_agg(outcome), array_agg(actor_kind) FROM audit_entries")
	if len(outcomes) != 2 || outcomes[0] != "denied" || kinds[0] != "staff" {
		t.Errorf("recorded %v by %v", outcomes, kinds)
	}
	err := b.db.WithSystem(t.Context(), "test", func(ctx context.Context, tx *db.Tx) error {
		return audit.Record(ctx, tx, audit.Entry{Action: "a", Resource: "r/1"})
	})
	if err == nil {
		t.Error("a system act without a principal was recorded")
	}
	for _, sql := range []string{"UPDATE audit_entries SET action = 'x'", "DELETE FROM audit_entries", "TRUNCATE audit_entries", "UPDATE audit_seals SET seq = 9"} {
		err := b.db.WithSystem(t.Context(), "test", func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, sql)
			return err
		})
		if err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Errorf("%s as the program's role: %v", sql, err)
		}
	}
}

func TestSealerGoesOnAfterRestart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.record(t, b.tenant, 3)
	seal(t, b.sealer, 3)
	seal(t, b.sealer, 0)
	b.record(t, b.tenant, 2)
	seal(t, b.newSealer(b.file), 2)
	b.record(t, uuid.New(), 2)
	seal(t, b.sealer, 2)
	if findings := b.verify(t); len(findings) != 0 {
		t.Errorf("findings: %v", findings)
	}
}
