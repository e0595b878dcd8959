package audit_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"certsaas/core/audit"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/vault"

	"github.com/google/uuid"
)

// BenchmarkSealAndVerify prints entries per second of both; floors: 1000/s sealed, a million verified in a minute (16 667/s).
func BenchmarkSealAndVerify(b *testing.B) {
	const entries = 20_000
	for b.Loop() {
		b.StopTimer()
		d := coretest.DB(b)
		v, err := vault.Open(b.Context(), vault.Config{KEK: strings.Repeat("a1", 32)}, d)
		if err != nil {
			b.Fatal(err)
		}
		keys, file := audit.NewKeys(v.PlatformKeys()), filepath.Join(b.TempDir(), "checkpoints")
		coretest.OwnerExec(b, d, `INSERT INTO audit_entries (tenant_id, id, at, actor_kind, actor_name, action, resource, outcome, detail)
			SELECT ('00000000-0000-4000-8000-00000000000' || n % 10)::uuid, gen_random_uuid(), now(), 'staff', 'x', 'order.review', 'order/' || n, 'done', '{"round": 1}'
			FROM generate_series(1, $1::int) n`, entries)
		sealer := audit.NewSealer(audit.SealerConfig{DB: d, Keys: keys, CheckpointFile: file})
		b.StartTimer()
		before := b.Elapsed()
		for sealed := 0; sealed < entries; {
			n, err := sealer.RunOnce(b.Context(), 1000)
			if err != nil {
				b.Fatal(err)
			}
			sealed += n
		}
		sealing := b.Elapsed() - before
		findings, err := audit.Verify(b.Context(), d, keys, file)
		if err != nil || len(findings) != 0 {
			b.Fatal(err, findings)
		}
		verifying := b.Elapsed() - before - sealing
		b.ReportMetric(entries/sealing.Seconds(), "sealed/s")
		b.ReportMetric(entries/verifying.Seconds(), "verified/s")
	}
}

// BenchmarkRecord writes one entry per transaction; its peer is the same transaction without the entry.
func BenchmarkRecord(b *testing.B) {
	d := coretest.DB(b)
	tenant := db.NewID()
	for name, record := range map[string]bool{"with": true, "without": false} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := act(b, d, tenant, record); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// act is a small business transaction.
func act(b *testing.B, d *db.DB, tenant uuid.UUID, record bool) error {
	b.Helper()
	return d.WithTenant(staff(b.Context()), tenant, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO counters (tenant_id, name, value) VALUES ($1, $2, 1)", tenant, db.NewID().String())
		if err != nil || !record {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "order.review", Resource: "order/1"})
	})
}
