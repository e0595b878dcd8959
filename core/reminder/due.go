package reminder

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/tenant"
)

// lane is a range of days that become due at once, with what holds for every tenant in it.
type lane struct {
	zone   *time.Location
	pace   tenant.Pace
	lo, hi clock.Date // hi excluded
}

// followed is a plan of a tenant's product.
type followed struct {
	tenant uuid.UUID
	plan
}

// batch is what one statement looks for.
type batch map[lane][]followed

// add puts the days from lo until before hi of a tenant into the batch.
func (b batch) add(t *tenant.Tenant, lo, hi clock.Date) {
	l := lane{zone: t.Zone(), pace: t.Pace(), lo: lo, hi: hi}
	for _, p := range planned(t).plans {
		b[l] = append(b[l], followed{t.ID(), p})
	}
}

// What keeps a certificate c from being spoken of, in SQL: something ordered stands in its place, or somebody asked for
// silence. They are scalar on purpose: each is one look into an index, and never a join with all orders there are. $1 is now.
const (
	sqlOrdered = ` (SELECT EXISTS (SELECT FROM order_items i WHERE i.tenant_id = c.tenant_id AND i.old_certificate_id = c.id AND i.state <> 'withdrawn'
		AND (SELECT o.state FROM orders o WHERE o.tenant_id = i.tenant_id AND o.id = i.order_id) NOT IN ('draft', 'cancelled', 'lapsed', 'refunded'))) `
	sqlMuted = ` (SELECT EXISTS (SELECT FROM reminder_mutes m WHERE m.tenant_id = c.tenant_id AND m.certificate_id = c.id AND m.until > $1)) `
)

// dueSQL lists what is due: first the certificates that end in the spans, by the index of ends and nothing else, then their
// products' plans, then what keeps a certificate from being spoken of. $1 now; $2 to $10 the spans, one for each lane and
// offset; $11 to $14 the products, each with its lane and the number of its plan; $15 to $19 the plans: a thousand tenants
// have few different ones, and what is sent is short.
const dueSQL = `WITH found AS MATERIALIZED (
		SELECT s.*, c.* FROM unnest($2::int[], $3::text[], $4::int[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::timestamptz[], $9::timestamptz[], $10::text[])
			AS s (lane, zone, off, lo, hi, today, at_once, later, later_on)
		CROSS JOIN LATERAL (SELECT c.tenant_id, c.id, c.product, c.not_after, coalesce(c.mobile_index, uuid_send(coalesce(c.account_id, c.id))) AS person
			FROM certificates c WHERE c.state = 'active' AND c.not_after >= s.lo AND c.not_after < s.hi OFFSET 0) c)
	SELECT c.tenant_id, c.id, c.off AS offset_days, n.channel, n.renews, c.not_after, c.person,
		(c.not_after AT TIME ZONE c.zone)::date - c.off AS due_on, (c.not_after AT TIME ZONE c.zone)::date - n.next AS superseded_on,
		c.today::date AS today, c.at_once, c.later, c.later_on::date AS later_on
	FROM found c JOIN unnest($11::int[], $12::uuid[], $13::text[], $14::int[]) AS p (lane, tenant_id, product, plan)
		ON p.lane = c.lane AND p.tenant_id = c.tenant_id AND p.product = c.product
	JOIN unnest($15::int[], $16::int[], $17::text[], $18::int[], $19::bool[]) AS n (plan, off, channel, next, renews)
		ON n.plan = p.plan AND n.off = c.off
	WHERE NOT ` + sqlOrdered + ` AND NOT ` + sqlMuted

// planSQL says how a statement with dueSQL is to be planned. Compiling would take longer than running; 30,000 rows are sorted
// without a file; and nobody knows beforehand how many certificates have which plan, so that the lists are looked up in hashes
// and not gone through for each certificate.
const planSQL = `SELECT set_config('jit', 'off', true), set_config('work_mem', '32MB', true), set_config('enable_nestloop', 'off', true)`

// due asks a question whose text has dueSQL in it and is answered by one row. more are parameters from $20 on.
func (s *Service) due(ctx context.Context, tx *db.Tx, b batch, sql string, more []any, dest ...any) error {
	if _, err := tx.Exec(ctx, planSQL); err != nil {
		return err
	}
	// The lengths of the lists decide the plan, so it is made anew each time: a prepared one would be for any length.
	values := append([]any{pgx.QueryExecModeDescribeExec}, s.args(tx.Now(), b)...)
	return tx.QueryRow(ctx, sql, append(values, more...)...).Scan(dest...)
}

// spans, products and plans are lists of parameters of dueSQL.
type spans struct {
	lane, off             []int
	zone, today, laterOn  []string
	lo, hi, atOnce, later []time.Time
}

type products struct {
	lane, plan []int
	tenant     []uuid.UUID
	product    []string
}

type plans struct {
	plan, off []int
	channel   []string
	next      []*int
	renews    []bool
	known     map[string]int // by what they say
}

// args are the parameters of dueSQL.
func (s *Service) args(now time.Time, b batch) []any {
	var sp spans
	var pr products
	pl := plans{known: map[string]int{}}
	number := 0
	for l, list := range b {
		number++
		offsets := map[int]bool{}
		for _, f := range list {
			pr.lane, pr.tenant, pr.product = append(pr.lane, number), append(pr.tenant, f.tenant), append(pr.product, f.product)
			pr.plan = append(pr.plan, pl.number(f.steps))
			for _, st := range f.steps {
				offsets[st.offset] = true
			}
		}
		for offset := range offsets {
			sp.add(number, l, offset, timingAt(now, l.zone, l.pace, s.Calendar), now)
		}
	}
	return []any{now, sp.lane, sp.zone, sp.off, sp.lo, sp.hi, sp.today, sp.atOnce, sp.later, sp.laterOn,
		pr.lane, pr.tenant, pr.product, pr.plan, pl.plan, pl.off, pl.channel, pl.next, pl.renews}
}

func (s *spans) add(number int, l lane, offset int, when timing, now time.Time) {
	if urgent(offset) {
		when.later = when.now
	}
	s.lane, s.off, s.zone = append(s.lane, number), append(s.off, offset), append(s.zone, l.zone.String())
	s.lo, s.hi = append(s.lo, dueBefore(l.lo, offset, l.zone)), append(s.hi, dueBefore(l.hi, offset, l.zone))
	s.today = append(s.today, clock.CivilDate(now, l.zone).String())
	s.atOnce, s.later, s.laterOn = append(s.atOnce, when.now), append(s.later, when.later), append(s.laterOn, when.laterOn.String())
}

// number is that of a plan with these steps, which is added when it is new.
func (p *plans) number(steps []step) int {
	var said strings.Builder
	for _, st := range steps {
		next := ""
		if st.next != nil {
			next = fmt.Sprint(*st.next)
		}
		fmt.Fprintln(&said, st.offset, next, st.channel, st.renews)
	}
	if n, ok := p.known[said.String()]; ok {
		return n
	}
	n := len(p.known)
	p.known[said.String()] = n
	for _, st := range steps {
		p.plan, p.off, p.channel = append(p.plan, n), append(p.off, st.offset), append(p.channel, st.channel)
		p.next, p.renews = append(p.next, st.next), append(p.renews, st.renews)
	}
	return n
}
