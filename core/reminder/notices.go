package reminder

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/tenant"
)

// formSQL makes at most one message per person, channel and day out of what waits: $1 now, $2 today, $3 tenants, $4 how many,
// $5 the cap of 30 days. A person who has had today's message, or whose last one is still on its way, waits; one that came to
// nothing does not count.
const formSQL = `WITH made AS (
		INSERT INTO reminder_notices (tenant_id, id, person, channel, day, state, created_at, due_at)
		SELECT w.tenant_id, gen_random_uuid(), w.person, w.channel, $2::date, 'pending', $1, $1
		FROM (SELECT r.tenant_id, r.person, r.channel, min(r.send_from) AS first, bool_or(r.offset_days BETWEEN 0 AND 1) AS urgent
			FROM reminders r
			WHERE r.state = 'pending' AND r.notice_id IS NULL AND r.send_from <= $1 AND r.tenant_id = ANY ($3)
				AND (r.superseded_on IS NULL OR r.superseded_on > $2::date)
				AND NOT EXISTS (SELECT FROM reminder_notices n WHERE n.tenant_id = r.tenant_id AND n.person = r.person AND n.channel = r.channel
					AND (n.day = $2::date AND n.state <> 'dropped' OR n.state = 'pending'))
			GROUP BY r.tenant_id, r.person, r.channel) w
		WHERE w.urgent OR (SELECT count(*) FROM reminder_notices n WHERE n.tenant_id = w.tenant_id AND n.person = w.person AND n.channel = w.channel
			AND n.day > $2::date - 30 AND n.state <> 'dropped') < $5
		ORDER BY w.first LIMIT $4
		ON CONFLICT (tenant_id, person, channel, day) WHERE state <> 'dropped' DO NOTHING
		RETURNING tenant_id, id, person, channel
	), joined AS (
		UPDATE reminders r SET notice_id = made.id FROM made
		WHERE r.tenant_id = made.tenant_id AND r.person = made.person AND r.channel = made.channel
			AND r.state = 'pending' AND r.notice_id IS NULL AND r.send_from <= $1
		RETURNING 1
	) SELECT (SELECT count(*) FROM made), (SELECT count(*) FROM joined)`

// rhythm is what tenants may have in common.
type rhythm struct {
	zone *time.Location
	pace tenant.Pace
}

// FormNotices makes the messages that may go out now, at most limit per rhythm: one per person, channel and day, about
// all his certificates that are due. In quiet hours it makes none.
func (s *Service) FormNotices(ctx context.Context, limit int) (int, error) {
	all, err := s.Tenants.All(ctx)
	if err != nil {
		return 0, err
	}
	alike := map[rhythm][]uuid.UUID{}
	for _, t := range all {
		r := rhythm{t.Zone(), t.Pace()}
		alike[r] = append(alike[r], t.ID())
	}
	made := 0
	for r, tenants := range alike {
		err := s.DB.WithSystem(ctx, component, func(ctx context.Context, tx *db.Tx) error {
			if quiet(tx.Now(), r.zone, r.pace) {
				return nil
			}
			var n, joined int
			err := tx.QueryRow(ctx, formSQL, tx.Now(), clock.CivilDate(tx.Now(), r.zone).String(), tenants, limit, cmp.Or(r.pace.Month, s.Limits.Month)).Scan(&n, &joined)
			if err != nil {
				return fmt.Errorf("reminder: form notices: %w", err)
			}
			tx.AfterCommit(func() { made += n })
			return nil
		})
		if err != nil {
			return made, err
		}
	}
	return made, nil
}

// notice is a claimed message.
type notice struct {
	tenant, id     uuid.UUID
	channel        string
	rung, attempts int
}

// lease hides a claimed message from other processes: longer than sending takes and than their clocks are apart.
const lease = skew + 5*time.Minute

// claim takes due messages for this process, for the length of the lease; those of an earlier day move on to today.
func (s *Service) claim(ctx context.Context, limit int) ([]notice, error) {
	all, err := s.Tenants.All(ctx)
	if err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	var days []string
	var out []notice
	err = s.DB.WithSystem(ctx, component, func(ctx context.Context, tx *db.Tx) error {
		ids, days = ids[:0], days[:0]
		for _, t := range all {
			if !quiet(tx.Now(), t.Zone(), t.Pace()) {
				ids, days = append(ids, t.ID()), append(days, clock.CivilDate(tx.Now(), t.Zone()).String())
			}
		}
		rows, err := tx.Query(ctx, `UPDATE reminder_notices n SET leased_until = $1::timestamptz + $2::interval, attempts = n.attempts + 1, day = greatest(n.day, due.today)
			FROM (SELECT n.tenant_id, n.id, t.day::date AS today FROM reminder_notices n
				JOIN unnest($3::uuid[], $4::text[]) AS t (id, day) ON t.id = n.tenant_id
				WHERE n.state = 'pending' AND n.due_at <= $1 AND (n.leased_until IS NULL OR n.leased_until <= $1)
				ORDER BY n.due_at LIMIT $5 FOR UPDATE OF n SKIP LOCKED) due
			WHERE n.tenant_id = due.tenant_id AND n.id = due.id
			RETURNING n.tenant_id, n.id, n.channel, n.rung, n.attempts`, tx.Now(), lease, ids, days, limit)
		if err != nil {
			return fmt.Errorf("reminder: claim: %w", err)
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (n notice, err error) {
			return n, row.Scan(&n.tenant, &n.id, &n.channel, &n.rung, &n.attempts)
		})
		return err
	})
	return out, err
}
