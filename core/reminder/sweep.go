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
	digest string
	from   clock.Date // every reminder due up to this day has its row
	today  clock.Date
}

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
	for _, st := range list {
		n := 0
		for lo := st.from; lo.Before(st.today); lo = lo.AddDays(chunkDays) {
			hi := lo.AddDays(chunkDays)
			if st.today.Before(hi) {
				hi = st.today
			}
			if n == len(out) {
				out = append(out, batch{})
			}
			out[n].add(st.tenant, lo, hi)
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
		st := &standing{tenant: t, digest: planned(t).digest, today: clock.CivilDate(tx.Now(), t.Zone())}
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

// write writes what is due by a batch. and, with more (from $20 on), narrows the certificates down.
func (s *Service) write(ctx context.Context, tx *db.Tx, b batch, and string, more []any, done *Swept) error {
	if len(b) == 0 {
		return nil
	}
	var written, skipped, wanted int
	if err := s.due(ctx, tx, b, writeHead+and+writeTail, more, &written, &skipped, &wanted); err != nil {
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
		b.add(st.tenant, st.today.AddDays(-catchUp), st.today)
		for some := range slices.Chunk(ids, 5000) {
			if err := s.write(ctx, tx, b, ` AND c.tenant_id = $20 AND c.id = ANY ($21)`, []any{st.tenant.ID(), some}, done); err != nil {
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
	out := map[*time.Location][]uuid.UUID{}
	for _, st := range list {
		out[st.tenant.Zone()] = append(out[st.tenant.Zone()], st.tenant.ID())
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
