package reminder

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/tenant"
)

const (
	skew      = 10 * time.Minute // between the clocks of replicas, and the longest transaction: changes are looked at again that long
	chunkDays = 4                // of a catch-up are written in one statement
)

// Swept is what a sweep did.
type Swept struct {
	Written   int // reminders that became due
	Renewals  int // renewal orders that are wanted now
	Skipped   int // overtaken by a more urgent one
	Cancelled int // renewed, revoked, muted or suspended since
}

// standing is one tenant's rules and how far its certificates were looked at.
type standing struct {
	tenant *tenant.Tenant
	rules  []rule
	digest string
	from   clock.Date // every reminder due up to this day has its row
	today  clock.Date
}

// span is a range of ends of certificates that one offset makes due, with what holds for all of them.
type span struct {
	zone   *time.Location
	pace   tenant.Pace
	offset int
	lo, hi clock.Date // days that are due, lo excluded
}

// batch is what one statement writes: spans, and for each the rules that apply to it.
type batch map[span][]rule

// Sweep writes the reminders that have become due since the last sweep, by set-based SQL, and takes back those that have
// lost their reason. A sweep that finds the day swept already looks only at what changed.
func (s *Service) Sweep(ctx context.Context) (Swept, error) {
	var done Swept
	all, err := s.Tenants.All(ctx)
	if err != nil {
		return done, err
	}
	var list []*standing
	var since time.Time
	err = s.DB.WithSystem(ctx, component, func(ctx context.Context, tx *db.Tx) error {
		list, since, err = standings(ctx, tx, all)
		return err
	})
	if err != nil {
		return done, err
	}
	for _, b := range batches(list) {
		err := s.DB.WithSystem(ctx, component, func(ctx context.Context, tx *db.Tx) error {
			swept := done // the function may run again
			if err := s.write(ctx, tx, b, "", nil, &swept); err != nil {
				return err
			}
			tx.AfterCommit(func() { done = swept })
			return nil
		})
		if err != nil {
			return done, err
		}
	}
	err = s.DB.WithSystem(ctx, component, func(ctx context.Context, tx *db.Tx) error {
		swept := done
		if err := s.changed(ctx, tx, list, since, &swept); err != nil {
			return err
		}
		if err := s.overtaken(ctx, tx, list, &swept); err != nil {
			return err
		}
		if err := withdrawn(ctx, tx, since, &swept); err != nil {
			return err
		}
		tx.AfterCommit(func() { done = swept })
		return progress(ctx, tx, list)
	})
	return done, err
}

// batches are the statements to run: one on a usual day, several after an outage or for a new tenant, so that none is long.
func batches(list []*standing) []batch {
	var out []batch
	zones := map[string]*time.Location{} // one value per name: spans of tenants with the same zone are the same
	for _, st := range list {
		zone := st.tenant.Zone()
		if zones[zone.String()] == nil {
			zones[zone.String()] = zone
		}
		zone = zones[zone.String()]
		n := 0
		for lo := st.from; lo.Before(st.today); lo = lo.AddDays(chunkDays) {
			hi := lo.AddDays(chunkDays)
			if st.today.Before(hi) {
				hi = st.today
			}
			if n == len(out) {
				out = append(out, batch{})
			}
			for _, r := range st.rules {
				sp := span{zone: zone, pace: st.tenant.Pace(), offset: r.offset, lo: lo, hi: hi}
				out[n][sp] = append(out[n][sp], r)
			}
			n++
		}
	}
	return out
}

// standings reads how far each tenant is, and since when changes must be looked at.
func standings(ctx context.Context, tx *db.Tx, all []*tenant.Tenant) ([]*standing, time.Time, error) {
	type mark struct {
		plan string
		on   time.Time
	}
	marks := map[uuid.UUID]mark{}
	since := tx.Now().AddDate(0, 0, -catchUp)
	rows, err := tx.Query(ctx, `SELECT tenant_id, plan, swept_on, swept_at FROM reminder_progress`)
	if err != nil {
		return nil, since, fmt.Errorf("reminder: progress: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id uuid.UUID
		var m mark
		var at time.Time
		if err := rows.Scan(&id, &m.plan, &m.on, &at); err != nil {
			return nil, since, fmt.Errorf("reminder: progress: %w", err)
		}
		marks[id] = m
		if id == uuid.Nil {
			since = latest(since, at.Add(-skew))
		}
	}
	if err := rows.Err(); err != nil {
		return nil, since, fmt.Errorf("reminder: progress: %w", err)
	}
	out := make([]*standing, 0, len(all))
	for _, t := range all {
		st := &standing{tenant: t, rules: rulesOf(t), today: clock.CivilDate(tx.Now(), t.Zone())}
		st.digest = digest(st.rules, t.Zone().String())
		st.from = st.today.AddDays(-catchUp)
		if m, ok := marks[t.ID()]; ok && m.plan == st.digest {
			if on := clock.CivilDate(m.on, time.UTC); st.from.Before(on) {
				st.from = on
			}
		}
		out = append(out, st)
	}
	return out, since, nil
}

// progress notes that everything up to today is written. A clock that is behind takes nothing back.
func progress(ctx context.Context, tx *db.Tx, list []*standing) error {
	ids, plans, days := []uuid.UUID{uuid.Nil}, []string{""}, []string{clock.CivilDate(tx.Now(), clock.Shanghai).String()}
	for _, st := range list {
		if st.from.Before(st.today) {
			ids, plans, days = append(ids, st.tenant.ID()), append(plans, st.digest), append(days, st.today.String())
		}
	}
	_, err := tx.Exec(ctx, `INSERT INTO reminder_progress AS p (tenant_id, plan, swept_on, swept_at)
		SELECT u.id, u.plan, u.day::date, $4 FROM unnest($1::uuid[], $2::text[], $3::text[]) AS u (id, plan, day)
		ON CONFLICT (tenant_id) DO UPDATE SET plan = excluded.plan, swept_at = greatest(p.swept_at, excluded.swept_at),
			swept_on = CASE WHEN p.plan = excluded.plan THEN greatest(p.swept_on, excluded.swept_on) ELSE excluded.swept_on END`,
		ids, plans, days, tx.Now())
	if err != nil {
		return fmt.Errorf("reminder: progress: %w", err)
	}
	return nil
}

// What keeps a certificate c from being spoken of, in SQL: something ordered stands in its place, or somebody asked for
// silence. They are scalar on purpose: each is one look into an index, and never a join with all orders there are. $1 is now.
const (
	sqlOrdered = ` (SELECT EXISTS (SELECT FROM order_items i JOIN orders o ON o.tenant_id = i.tenant_id AND o.id = i.order_id
		WHERE i.tenant_id = c.tenant_id AND i.old_certificate_id = c.id AND i.state <> 'withdrawn'
		AND o.state NOT IN ('draft', 'cancelled', 'lapsed', 'refunded'))) `
	sqlMuted = ` (SELECT EXISTS (SELECT FROM reminder_mutes m WHERE m.tenant_id = c.tenant_id AND m.certificate_id = c.id AND m.until > $1)) `
)

// dueSQL lists what is due: first the certificates that end in the spans, by the index of ends and nothing else, then the
// rules, then what keeps a certificate from being spoken of. $1 now; $2 to $9 the spans; $10 to $15 the rules, each with the
// number of its span.
const dueSQL = `WITH found AS MATERIALIZED (
		SELECT s.*, c.* FROM unnest($2::text[], $3::int[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::timestamptz[], $8::timestamptz[], $9::text[])
			WITH ORDINALITY AS s (zone, off, lo, hi, today, at_once, later, later_on, span)
		CROSS JOIN LATERAL (SELECT c.tenant_id, c.id, c.product, c.not_after, coalesce(c.mobile_index, uuid_send(coalesce(c.account_id, c.id))) AS person
			FROM certificates c WHERE c.state = 'active' AND c.not_after >= s.lo AND c.not_after < s.hi OFFSET 0) c)
	SELECT c.tenant_id, c.id, c.off AS offset_days, p.channel, p.renews, c.not_after, c.person,
		(c.not_after AT TIME ZONE c.zone)::date - c.off AS due_on, (c.not_after AT TIME ZONE c.zone)::date - p.next AS superseded_on,
		c.today::date AS today, c.at_once, c.later, c.later_on::date AS later_on
	FROM found c JOIN unnest($10::int[], $11::uuid[], $12::text[], $13::text[], $14::int[], $15::bool[]) AS p (span, tenant_id, product, channel, next, renews)
		ON p.span = c.span AND p.tenant_id = c.tenant_id AND p.product = c.product
	WHERE NOT ` + sqlOrdered + ` AND NOT ` + sqlMuted

// A row that is there already is left alone: its key says that it was due.
const (
	writeHead = `WITH due AS MATERIALIZED (` + dueSQL
	writeTail = `), written AS (
		INSERT INTO reminders (tenant_id, certificate_id, offset_days, channel, person, due_on, superseded_on, send_from, state, reason, created_at, settled_at)
		SELECT tenant_id, id, offset_days, channel, person, due_on, superseded_on,
			CASE WHEN later_on < coalesce(superseded_on, 'infinity') THEN later ELSE at_once END,
			CASE WHEN superseded_on <= today THEN 'skipped' ELSE 'pending' END,
			CASE WHEN superseded_on <= today THEN 'overtaken' ELSE '' END, $1,
			CASE WHEN superseded_on <= today THEN $1 END
		FROM due ON CONFLICT (tenant_id, certificate_id, offset_days, channel) DO NOTHING
		RETURNING tenant_id, certificate_id, state
	), wanted AS (
		INSERT INTO renewals (tenant_id, certificate_id, not_after, due_at, created_at, updated_at)
		SELECT DISTINCT tenant_id, id, not_after, $1::timestamptz, $1::timestamptz, $1::timestamptz FROM due
		WHERE renews AND (superseded_on IS NULL OR superseded_on > today)
		ON CONFLICT (tenant_id, certificate_id) DO UPDATE SET state = 'wanted', reason = '', tries = 0, due_at = excluded.due_at, updated_at = excluded.updated_at
			WHERE renewals.state = 'withdrawn'
		RETURNING 1
	) SELECT (SELECT count(*) FROM written), (SELECT count(*) FROM written WHERE state = 'skipped'), (SELECT count(*) FROM wanted)`
)

// args are the parameters of dueSQL.
func (s *Service) args(now time.Time, b batch) []any {
	var zones, todays, laterOn, products, channels []string
	var offs, of []int
	var lo, hi, atOnce, later []time.Time
	var tenants []uuid.UUID
	var next []*int
	var renews []bool
	for sp, rules := range b {
		when := timingAt(now, sp.zone, sp.pace, s.Calendar)
		if urgent(sp.offset) {
			when.later = when.now
		}
		zones, offs, todays = append(zones, sp.zone.String()), append(offs, sp.offset), append(todays, clock.CivilDate(now, sp.zone).String())
		lo, hi = append(lo, dueBefore(sp.lo, sp.offset, sp.zone)), append(hi, dueBefore(sp.hi, sp.offset, sp.zone))
		atOnce, later, laterOn = append(atOnce, when.now), append(later, when.later), append(laterOn, when.laterOn.String())
		for _, r := range rules {
			of, tenants, products = append(of, len(zones)), append(tenants, r.tenant), append(products, r.product)
			channels, next, renews = append(channels, r.channel), append(next, r.next), append(renews, r.renews)
		}
	}
	return []any{now, zones, offs, lo, hi, todays, atOnce, later, laterOn, of, tenants, products, channels, next, renews}
}

// write writes what is due by a batch. and, with more (from $16 on), narrows the certificates down.
func (s *Service) write(ctx context.Context, tx *db.Tx, b batch, and string, more []any, done *Swept) error {
	if len(b) == 0 {
		return nil
	}
	// Compiling the plan would take longer than running it; 30,000 rows and their rules are sorted without a file.
	if _, err := tx.Exec(ctx, `SELECT set_config('jit', 'off', true), set_config('work_mem', '32MB', true)`); err != nil {
		return fmt.Errorf("reminder: sweep: %w", err)
	}
	// The lengths of the lists decide the plan, so it is made anew each time: a prepared one would be for any length.
	values := append([]any{pgx.QueryExecModeDescribeExec}, s.args(tx.Now(), b)...)
	var written, skipped, wanted int
	err := tx.QueryRow(ctx, writeHead+and+writeTail, append(values, more...)...).Scan(&written, &skipped, &wanted)
	if err != nil {
		return fmt.Errorf("reminder: sweep: %w", err)
	}
	done.Written, done.Skipped, done.Renewals = done.Written+written, done.Skipped+skipped, done.Renewals+wanted
	return nil
}

// changed writes what is due of certificates that came to need it since the last sweep: newly in use, no longer muted, or
// whose order came to nothing.
func (s *Service) changed(ctx context.Context, tx *db.Tx, list []*standing, since time.Time, done *Swept) error {
	rows, err := tx.Query(ctx, `SELECT tenant_id, id FROM certificates WHERE state = 'active' AND installed_at > $1
		UNION SELECT tenant_id, certificate_id FROM reminder_mutes WHERE until > $1 AND until <= $2
		UNION SELECT o.tenant_id, i.old_certificate_id FROM orders o JOIN order_items i ON i.tenant_id = o.tenant_id AND i.order_id = o.id
			WHERE o.closed_at > $1 AND o.old_certificate_id IS NOT NULL AND i.old_certificate_id IS NOT NULL AND o.state IN ('cancelled', 'lapsed', 'refunded')`,
		since, tx.Now())
	if err != nil {
		return fmt.Errorf("reminder: changed: %w", err)
	}
	byTenant := map[uuid.UUID][]uuid.UUID{}
	var t, id uuid.UUID
	if _, err := pgx.ForEachRow(rows, []any{&t, &id}, func() error {
		byTenant[t] = append(byTenant[t], id)
		return nil
	}); err != nil {
		return fmt.Errorf("reminder: changed: %w", err)
	}
	for _, st := range list {
		ids := byTenant[st.tenant.ID()]
		if len(ids) == 0 || !st.today.AddDays(-catchUp).Before(st.from) { // none, or looked at with everything else
			continue
		}
		b := batch{}
		for _, r := range st.rules {
			sp := span{zone: st.tenant.Zone(), pace: st.tenant.Pace(), offset: r.offset, lo: st.today.AddDays(-catchUp), hi: st.today}
			b[sp] = append(b[sp], r)
		}
		for some := range slices.Chunk(ids, 5000) {
			if err := s.write(ctx, tx, b, ` AND c.tenant_id = $16 AND c.id = ANY ($17)`, []any{st.tenant.ID(), some}, done); err != nil {
				return err
			}
		}
	}
	return nil
}

// overtaken marks reminders that were not sent before a more urgent one was due.
func (s *Service) overtaken(ctx context.Context, tx *db.Tx, list []*standing, done *Swept) error {
	for zone, tenants := range byZone(list) {
		tag, err := tx.Exec(ctx, `UPDATE reminders SET state = 'skipped', reason = 'overtaken', settled_at = $1
			WHERE state = 'pending' AND superseded_on <= $2::date AND tenant_id = ANY ($3)
			AND NOT EXISTS (SELECT FROM reminder_notices n WHERE n.tenant_id = reminders.tenant_id AND n.id = reminders.notice_id AND n.leased_until > $1)`,
			tx.Now(), clock.CivilDate(tx.Now(), zone).String(), tenants)
		if err != nil {
			return fmt.Errorf("reminder: overtaken: %w", err)
		}
		done.Skipped += int(tag.RowsAffected())
	}
	return nil
}

func byZone(list []*standing) map[*time.Location][]uuid.UUID {
	named, out := map[string]*time.Location{}, map[*time.Location][]uuid.UUID{}
	for _, st := range list {
		name := st.tenant.Zone().String()
		if named[name] == nil {
			named[name] = st.tenant.Zone()
		}
		out[named[name]] = append(out[named[name]], st.tenant.ID())
	}
	return out
}

// withdrawn takes pending reminders back whose certificate was revoked, ordered or muted since, or whose tenant is suspended.
func withdrawn(ctx context.Context, tx *db.Tx, since time.Time, done *Swept) error {
	tag, err := tx.Exec(ctx, `WITH gone AS (
			SELECT c.tenant_id, c.id, 'revoked' AS why FROM certificates c WHERE c.revoked_at > $2
			UNION ALL SELECT i.tenant_id, i.old_certificate_id, 'ordered' FROM orders o
				JOIN order_items i ON i.tenant_id = o.tenant_id AND i.order_id = o.id AND i.old_certificate_id IS NOT NULL AND i.state <> 'withdrawn'
				WHERE o.submitted_at > $2 AND o.old_certificate_id IS NOT NULL AND o.state NOT IN ('draft', 'cancelled', 'lapsed', 'refunded')
			UNION ALL SELECT tenant_id, certificate_id, 'muted' FROM reminder_mutes WHERE set_at > $2 AND until > $1
			UNION ALL SELECT r.tenant_id, r.certificate_id, 'suspended' FROM tenants t JOIN reminders r ON r.tenant_id = t.id AND r.state = 'pending'
				WHERE t.state = 'suspended')
		UPDATE reminders r SET state = 'cancelled', reason = gone.why, settled_at = $1 FROM gone
		WHERE r.tenant_id = gone.tenant_id AND r.certificate_id = gone.id AND r.state = 'pending'`, tx.Now(), since)
	if err != nil {
		return fmt.Errorf("reminder: withdraw: %w", err)
	}
	done.Cancelled += int(tag.RowsAffected())
	return nil
}
