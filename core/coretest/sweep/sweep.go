// Package sweep measures how long a day's reminders take to be written, beside bare SQL that writes the same rows.
//
// In: a migrated, empty database, and how many certificates of how many tenants there are. Out: rounds, each of the bare
// statement, the sweep and a second sweep that finds nothing new, on the same rows one after the other.
package sweep

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/reminder"
	"certsaas/core/tenant"
	"certsaas/tenants"
)

// product is what all certificates are of; its pack is compiled once for each tenant.
const product = "BYD-GQGX"

// Size is how many certificates there are, of how many tenants, ending evenly over so many days from 40 days ago on. Every
// day that lies 60 days ahead to 30 days back brings as many reminders as certificates end in a day: nine of Days' parts.
type Size struct{ Certificates, Tenants, Days int }

// now is a Tuesday in office hours.
var now = time.Date(2026, 12, 1, 10, 0, 0, 0, clock.Shanghai)

// World is the certificates and the service that looks after them.
type World struct {
	t       testing.TB
	db      *db.DB
	owner   string
	clock   *clock.Fake
	tenants many
	service *reminder.Service

	Spent func() time.Duration // processor time of the database server so far; nil when it is not measured
}

// New fills the database at owner, a superuser's address. open opens it for the program's roles with the given clock.
func New(t testing.TB, owner string, open func(clock.Clock) *db.DB, size Size) *World {
	t.Helper()
	w := &World{t: t, owner: owner, clock: clock.NewFake(now.AddDate(0, 0, -1)), tenants: compile(t, size.Tenants)}
	w.db = open(w.clock)
	w.service = reminder.New(reminder.Deps{DB: w.db, Tenants: w.tenants, Calendar: clock.China()})
	ids, slugs := make([]uuid.UUID, size.Tenants), make([]string, size.Tenants)
	for i, x := range w.tenants {
		ids[i], slugs[i] = x.ID(), x.Slug()
	}
	w.exec(`INSERT INTO tenants (id, slug, created_at) SELECT *, $3::timestamptz FROM unnest($1::uuid[], $2::text[])`, ids, slugs, now.AddDate(-1, 0, 0))
	if _, err := w.service.Sweep(t.Context()); err != nil { // notes how far each tenant is, as on a platform that runs
		t.Fatal(err)
	}
	// Ends lie scattered over the table: what is due on a day is never stored together.
	w.exec(`INSERT INTO certificates (tenant_id, id, authority_id, serial, spki_sha256, der_sealed, org_index, mobile_index, product, not_before, not_after, state, created_at, installed_at)
		SELECT ($1::uuid[])[1 + i % $2], gen_random_uuid(), $3, int8send(i), int8send(i), decode(repeat(md5(i::text), 50), 'hex'), int8send(i), int8send(i), $7,
			$4::timestamptz - interval '400 days', $4::timestamptz + make_interval(days => (hashint8(i) & 2147483647) % $5 - 40, secs => (i * 7919 % 86400)::int), 'active',
			$4::timestamptz - interval '400 days', $4::timestamptz - interval '400 days'
		FROM generate_series(0, $6::bigint - 1) i`, ids, len(ids), uuid.New(), now, size.Days, size.Certificates, product)
	w.exec(`VACUUM ANALYZE certificates`)
	return w
}

// Round is one measurement.
type Round struct {
	Rows               int // reminders written, and as many wanted renewals
	Bare, First, Again time.Duration
	BareCPU, FirstCPU  time.Duration // of the database server
}

// Round measures once. It fails unless all three did what they should: the same rows, and nothing.
func (w *World) Round() Round {
	w.t.Helper()
	var r Round
	w.reset()
	cpu := w.spent()
	r.Bare = w.bare()
	r.BareCPU = w.spent() - cpu
	w.row(&r.Rows, `SELECT count(*) FROM reminders`)
	w.reset()
	var first, again reminder.Swept
	cpu = w.spent()
	r.First, first = w.sweep()
	r.FirstCPU = w.spent() - cpu
	if r.Rows == 0 || first.Written != r.Rows || first.Renewals != r.Rows {
		w.t.Fatalf("the sweep wrote %+v, the bare statement %d", first, r.Rows)
	}
	r.Again, again = w.sweep()
	if again != (reminder.Swept{}) {
		w.t.Fatalf("a second sweep did %+v", again)
	}
	var sequences int
	if w.row(&sequences, `SELECT count(*) FROM pg_sequences`); sequences != 0 {
		w.t.Errorf("%d sequences: a sweep that finds nothing must not use up their numbers", sequences)
	}
	return r
}

func (w *World) spent() time.Duration {
	if w.Spent == nil {
		return 0
	}
	return w.Spent()
}

func (w *World) sweep() (time.Duration, reminder.Swept) {
	w.t.Helper()
	begin := time.Now()
	done, err := w.service.Sweep(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return time.Since(begin), done
}

// reset takes the day's reminders away: everything up to yesterday was looked at.
func (w *World) reset() {
	w.t.Helper()
	w.clock.Set(now)
	w.exec(`TRUNCATE reminders, renewals`)
	w.exec(`UPDATE reminder_progress SET swept_on = $1::date, swept_at = $2`, clock.CivilDate(now.AddDate(0, 0, -1), clock.Shanghai).String(), now.AddDate(0, 0, -1))
	w.exec(`VACUUM reminder_progress`)
	w.exec(`CHECKPOINT`)
}

// bare is one plain INSERT … SELECT of the same rows into the same tables: no rules, no look at orders and mutes, nothing that
// says who is due.
func (w *World) bare() (took time.Duration) {
	w.t.Helper()
	p, _ := w.tenants[0].Product(product)
	var offs []int
	var next []*int
	var lo, hi []time.Time
	today := clock.CivilDate(now, clock.Shanghai)
	for i, o := range p.Reminder.Offsets { // the most distant first
		var n *int
		if i+1 < len(p.Reminder.Offsets) {
			n = &p.Reminder.Offsets[i+1]
		}
		offs, next = append(offs, o), append(next, n)
		lo, hi = append(lo, today.AddDays(o).At(0, 0, clock.Shanghai)), append(hi, today.AddDays(o+1).At(0, 0, clock.Shanghai))
	}
	begin := time.Now()
	err := w.db.WithSystem(w.t.Context(), "bench", func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `WITH due AS MATERIALIZED (SELECT c.tenant_id, c.id, s.off, c.mobile_index, c.not_after, s.next FROM unnest($2::int[], $3::int[], $4::timestamptz[], $5::timestamptz[]) AS s (off, next, lo, hi)
				CROSS JOIN LATERAL (SELECT * FROM certificates c WHERE c.state = 'active' AND c.not_after >= s.lo AND c.not_after < s.hi OFFSET 0) c), w AS (
			INSERT INTO reminders (tenant_id, certificate_id, offset_days, channel, person, due_on, superseded_on, send_from, state, created_at)
			SELECT tenant_id, id, off, 'sms', mobile_index, (not_after AT TIME ZONE 'Asia/Shanghai')::date - off, (not_after AT TIME ZONE 'Asia/Shanghai')::date - next, $1, 'pending', $1 FROM due)
			INSERT INTO renewals (tenant_id, certificate_id, not_after, due_at, created_at, updated_at) SELECT tenant_id, id, not_after, $1, $1, $1 FROM due`, now, offs, next, lo, hi)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return time.Since(begin)
}

func (w *World) exec(sql string, args ...any) {
	w.t.Helper()
	w.connected(func(conn *pgx.Conn) error {
		_, err := conn.Exec(w.t.Context(), sql, args...)
		return err
	})
}

func (w *World) row(n *int, sql string) {
	w.t.Helper()
	w.connected(func(conn *pgx.Conn) error { return conn.QueryRow(w.t.Context(), sql).Scan(n) })
}

func (w *World) connected(f func(*pgx.Conn) error) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), w.owner)
	if err == nil {
		err = f(conn)
		_ = conn.Close(context.WithoutCancel(w.t.Context()))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// many are so many tenants of one pack.
type many []*tenant.Tenant

func compile(t testing.TB, n int) (out many) {
	t.Helper()
	def, problems := tenant.Load(tenants.Base(), tenants.Pack("byd"))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for i := range n {
		d := def
		d.Files = maps.Clone(def.Files)
		d.Files["tenant.yaml"] = strings.Replace(d.Files["tenant.yaml"], "slug: byd", fmt.Sprintf("slug: t%d-bench", i), 1)
		x, problems := tenant.Compile(d)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		out = append(out, x)
	}
	return out
}

// All lists the tenants.
func (m many) All(context.Context) ([]*tenant.Tenant, error) { return m, nil }

// ByID finds a tenant.
func (m many) ByID(_ context.Context, id uuid.UUID) (*tenant.Tenant, error) {
	for _, t := range m {
		if t.ID() == id {
			return t, nil
		}
	}
	return nil, fault.New(fault.NotFound, "tenant.not_found")
}

// At is ByID: there is one release.
func (m many) At(ctx context.Context, id uuid.UUID, _ int) (*tenant.Tenant, error) {
	return m.ByID(ctx, id)
}
