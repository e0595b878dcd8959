package overdue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
)

// most is how many orders one run looks at; what is left over is looked at by the next.
const most = 5000

// Report is what a run of Warn did.
type Report struct {
	Warned int // stays at a desk that became too long
	Ended  int // … and are over
	Mailed int // e-mails to teams
}

// stay is an order at a desk.
type stay struct {
	tenant, order  uuid.UUID
	product, stage string
	since          time.Time
	promised       *time.Time
}

// Warn finds what has lain at a desk longer than its product allows, notes each stay once, and tells the teams by e-mail: one
// a run to a mailbox, however many orders it is about. A stay that is over ends its warning. What could not be mailed is
// mailed by a later run if it is still true then.
func (s *Service) Warn(ctx context.Context) (Report, error) {
	ctx = authz.WithPrincipal(ctx, authz.System(component))
	var r Report
	err := s.DB.WithSystem(ctx, component, func(ctx context.Context, tx *db.Tx) error {
		n, err := end(ctx, tx)
		tx.AfterCommit(func() { r.Ended = n })
		return err
	})
	if err != nil {
		return r, err
	}
	list, err := s.stays(ctx)
	if err != nil {
		return r, err
	}
	for id, some := range byTenant(list) {
		n, err := s.warn(ctx, id, some)
		if err != nil {
			return r, err
		}
		r.Warned += n
	}
	r.Mailed, err = s.mail(ctx)
	return r, err
}

// end ends the warnings of stays that are over.
func end(ctx context.Context, tx *db.Tx) (int, error) {
	tag, err := tx.Exec(ctx, `UPDATE desk_warnings w SET ended_at = $1 FROM orders o
		WHERE w.ended_at IS NULL AND o.tenant_id = w.tenant_id AND o.id = w.order_id AND CASE w.stage
			WHEN 'invoice' THEN o.state IN ('refunding', 'refunded') OR NOT EXISTS (SELECT FROM invoices i WHERE i.tenant_id = o.tenant_id AND i.order_id = o.id AND i.state = 'requested')
			ELSE o.state::text <> w.stage OR `+sinceSQL+` > w.since END`, tx.Now())
	if err != nil {
		return 0, fmt.Errorf("overdue: end: %w", err)
	}
	return int(tag.RowsAffected()), nil
}

// stays lists the orders and invoices at desks that may be too long there and were not warned of. What comes
// in the last minute of a day is due at 17:30 of the next at the earliest.
func (s *Service) stays(ctx context.Context) ([]stay, error) {
	var list []stay
	err := s.DB.WithSystem(ctx, component, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT x.* FROM (
				SELECT o.tenant_id, o.id, o.product, o.state::text AS stage, `+sinceSQL+` AS since, o.due_at FROM orders o WHERE o.state = ANY ($1::text[]::order_state[])
				UNION ALL SELECT i.tenant_id, i.order_id, o.product, 'invoice', i.requested_at, i.due_at FROM invoices i
					JOIN orders o ON o.tenant_id = i.tenant_id AND o.id = i.order_id WHERE i.state = 'requested' AND o.state NOT IN ('refunding', 'refunded')) x
			WHERE (x.since < $2::timestamptz - interval '17 hours' OR x.due_at < $2)
				AND NOT EXISTS (SELECT FROM desk_warnings w WHERE w.tenant_id = x.tenant_id AND w.order_id = x.id AND w.stage = x.stage AND w.since = x.since)
			ORDER BY x.since LIMIT $3`, states(), tx.Now(), most)
		if err != nil {
			return fmt.Errorf("overdue: stays: %w", err)
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (x stay, err error) {
			return x, row.Scan(&x.tenant, &x.order, &x.product, &x.stage, &x.since, &x.promised)
		})
		return err
	})
	return list, err
}

func byTenant(list []stay) map[uuid.UUID][]stay {
	out := map[uuid.UUID][]stay{}
	for _, x := range list {
		out[x.tenant] = append(out[x.tenant], x)
	}
	return out
}

// warn notes those of one tenant's stays that are too long. A suspended tenant's desks rest.
func (s *Service) warn(ctx context.Context, tenantID uuid.UUID, list []stay) (int, error) {
	t, err := s.Tenants.ByID(ctx, tenantID)
	if errors.Is(err, fault.NotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	warned := 0
	err = s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		n := 0
		for _, x := range list {
			due := s.Due(t, x.product, x.stage, x.since, x.promised)
			if due == nil || !due.Before(tx.Now()) {
				continue
			}
			st, _ := stageOf(x.stage)
			tag, err := tx.Exec(ctx, `INSERT INTO desk_warnings (tenant_id, order_id, stage, since, due_at, warned_at, mailbox) VALUES ($1, $2, $3, $4, $5, $6, $7)
				ON CONFLICT (tenant_id, order_id, stage, since) DO NOTHING`, tenantID, x.order, x.stage, x.since, *due, tx.Now(), st.mail(t.DeskMail()))
			if err != nil {
				return fmt.Errorf("overdue: warn: %w", err)
			}
			if tag.RowsAffected() == 0 {
				continue
			}
			n++
			if err := audit.Record(ctx, tx, audit.Entry{Action: "order.overdue", Resource: "order/" + x.order.String(),
				Detail: map[string]any{"stage": x.stage, "due": due.UTC().Format(time.RFC3339)}}); err != nil {
				return err
			}
		}
		tx.AfterCommit(func() { warned = n })
		return nil
	})
	return warned, err
}
