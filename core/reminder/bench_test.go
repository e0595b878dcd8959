package reminder_test

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/reminder"
	"certsaas/core/tenant"
	"certsaas/tenants"
)

// many are so many tenants of one pack.
type many []*tenant.Tenant

func manyTenants(b *testing.B, n int) many {
	b.Helper()
	def, problems := tenant.Load(tenants.Base(), tenants.Pack("byd"))
	if len(problems) > 0 {
		b.Fatal(problems)
	}
	var out many
	for i := range n {
		d := def
		d.Files = maps.Clone(def.Files)
		d.Files["tenant.yaml"] = strings.Replace(d.Files["tenant.yaml"], "slug: byd", fmt.Sprintf("slug: t%d-bench", i), 1)
		t, problems := tenant.Compile(d)
		if len(problems) > 0 {
			b.Fatal(problems)
		}
		out = append(out, t)
	}
	return out
}

func (m many) All(context.Context) ([]*tenant.Tenant, error) { return m, nil }
func (m many) ByID(_ context.Context, id uuid.UUID) (*tenant.Tenant, error) {
	for _, t := range m {
		if t.ID() == id {
			return t, nil
		}
	}
	return nil, fault.New(fault.NotFound, "tenant.not_found")
}
func (m many) At(ctx context.Context, id uuid.UUID, _ int) (*tenant.Tenant, error) {
	return m.ByID(ctx, id)
}

// fill makes n certificates, evenly over the tenants and over so many days from 40 days ago on.
func fill(b *testing.B, d *db.DB, m many, n, days int, now time.Time) {
	b.Helper()
	ids := make([]uuid.UUID, len(m))
	for i, t := range m {
		ids[i] = t.ID()
		coretest.OwnerExec(b, d, `INSERT INTO tenants (id, slug, created_at) VALUES ($1, $2, $3)`, t.ID(), t.Slug(), now)
	}
	coretest.OwnerExec(b, d, `INSERT INTO certificates (tenant_id, id, authority_id, serial, spki_sha256, der_sealed, org_index, mobile_index, product, not_before, not_after, state, created_at, installed_at)
		SELECT ($1::uuid[])[1 + i % $2], gen_random_uuid(), $3, int8send(i), int8send(i), decode(repeat(md5(i::text), 50), 'hex'), int8send(i), int8send(i), 'BYD-GQGX',
			$4::timestamptz - interval '400 days', $4::timestamptz + make_interval(days => (i / $2 % $5)::int - 40, secs => (i % 86400)::int), 'active', $4::timestamptz - interval '400 days', $4::timestamptz - interval '400 days'
		FROM generate_series(0, $6::bigint - 1) i`, ids, len(m), uuid.New(), now, days, n)
	coretest.OwnerExec(b, d, `VACUUM ANALYZE certificates`)
}

// reset takes the reminders away and says that everything up to yesterday was looked at.
func reset(b *testing.B, d *db.DB, s *reminder.Service, today time.Time, clk *clock.Fake) {
	b.Helper()
	clk.Set(today)
	coretest.OwnerExec(b, d, `TRUNCATE reminders, renewals; UPDATE reminder_progress SET swept_on = swept_on - 1, swept_at = swept_at - interval '1 day'; CHECKPOINT`)
}

// bare is one plain INSERT … SELECT of the same rows: no rules, no look at orders and mutes, nothing that says who is due.
func bare(b *testing.B, d *db.DB, now time.Time) (took time.Duration) {
	b.Helper()
	var offs []int
	var next []*int
	var lo, hi []time.Time
	today := clock.CivilDate(now, clock.Shanghai)
	for i, o := range offsets {
		var n *int
		if i+1 < len(offsets) {
			n = &offsets[i+1]
		}
		offs, next = append(offs, o), append(next, n)
		lo, hi = append(lo, today.AddDays(o).At(0, 0, clock.Shanghai)), append(hi, today.AddDays(o+1).At(0, 0, clock.Shanghai))
	}
	start := time.Now()
	err := d.WithSystem(b.Context(), "bench", func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `WITH due AS MATERIALIZED (SELECT c.tenant_id, c.id, s.off, c.mobile_index, c.not_after, s.next FROM unnest($2::int[], $3::int[], $4::timestamptz[], $5::timestamptz[]) AS s (off, next, lo, hi)
				CROSS JOIN LATERAL (SELECT * FROM certificates c WHERE c.state = 'active' AND c.not_after >= s.lo AND c.not_after < s.hi OFFSET 0) c), w AS (
			INSERT INTO reminders (tenant_id, certificate_id, offset_days, channel, person, due_on, superseded_on, send_from, state, created_at)
			SELECT tenant_id, id, off, 'sms', mobile_index, (not_after AT TIME ZONE 'Asia/Shanghai')::date - off, (not_after AT TIME ZONE 'Asia/Shanghai')::date - next, $1, 'pending', $1 FROM due)
			INSERT INTO renewals (tenant_id, certificate_id, not_after, due_at, created_at, updated_at) SELECT tenant_id, id, not_after, $1, $1, $1 FROM due`, now, offs, next, lo, hi)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}

// BenchmarkSweep writes one day's reminders and wanted renewals, beside one bare INSERT … SELECT of the same rows on the same
// machine in the same run. At full size 1 000 000 certificates of 1 000 tenants, about 30 000 of them due.
func BenchmarkSweep(b *testing.B) {
	certificates, owners, days := coretest.Size(40_000, 1_000_000), coretest.Size(20, 1_000), 300
	now := at("2026-12-01 10:00") // a Tuesday
	clk := clock.NewFake(now.AddDate(0, 0, -1))
	d := coretest.DBAt(b, clk)
	m := manyTenants(b, owners)
	fill(b, d, m, certificates, days, now)
	s := reminder.New(reminder.Deps{DB: d, Tenants: m, Calendar: clock.China()})
	if _, err := s.Sweep(b.Context()); err != nil { // a month's catch-up: what a platform has that runs
		b.Fatal(err)
	}
	clk.Set(now)
	if _, err := s.Sweep(b.Context()); err != nil {
		b.Fatal(err)
	}
	var plain, first, second time.Duration
	rounds, rows := 0, 0
	for b.Loop() {
		reset(b, d, s, now, clk)
		plain += bare(b, d, now)
		var want int
		coretest.OwnerRow(b, d, []any{&want}, `SELECT count(*) FROM reminders`)
		reset(b, d, s, now, clk)
		coretest.OwnerExec(b, d, `UPDATE reminder_progress SET swept_on = swept_on + 1, swept_at = swept_at + interval '1 day'`) // reset twice, one day
		start := time.Now()
		done, err := s.Sweep(b.Context())
		first += time.Since(start)
		if err != nil || done.Written != want || done.Renewals != want {
			b.Fatalf("wrote %+v, the bare statement %d: %v", done, want, err)
		}
		start = time.Now()
		again, err := s.Sweep(b.Context())
		second += time.Since(start)
		if err != nil || again != (reminder.Swept{}) {
			b.Fatalf("a second sweep did %+v: %v", again, err)
		}
		rounds, rows = rounds+1, done.Written
	}
	var sequences int
	coretest.OwnerRow(b, d, []any{&sequences}, `SELECT count(*) FROM pg_sequences`)
	if sequences != 0 {
		b.Errorf("%d sequences", sequences)
	}
	ms := func(t time.Duration) float64 { return float64(t.Microseconds()) / 1000 / float64(rounds) }
	b.ReportMetric(float64(rows), "rows")
	b.ReportMetric(ms(plain), "bare-ms")
	b.ReportMetric(ms(first), "sweep-ms")
	b.ReportMetric(ms(second), "again-ms")
	b.ReportMetric(float64(first)/float64(plain), "sweep/bare")
	b.ReportMetric(float64(second)/float64(first), "again/sweep")
}
