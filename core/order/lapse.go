package order

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
)

// overdue is an order whose time may be over.
type overdue struct {
	tenant, id uuid.UUID
	at         time.Time
}

// LapseDue ends drafts and unpaid orders whose time is over (decision 9), batch by batch until none is left, each in its own
// transaction. One that fails does not hold the others up; its error is among those returned. The number is of those ended.
func (s *Service) LapseDue(ctx context.Context, batch int) (int, error) {
	ctx = authz.WithPrincipal(ctx, authz.System("scheduler/lapse"))
	var errs []error
	var last overdue
	for ended := 0; ; {
		due, err := s.overdue(ctx, last, batch)
		if err != nil {
			return ended, errors.Join(append(errs, err)...)
		}
		for _, x := range due {
			last = x
			done, err := s.lapse(ctx, x)
			if err != nil {
				errs = append(errs, fmt.Errorf("order: lapse %s: %w", x.id, err))
			}
			if done {
				ended++
			}
		}
		if len(due) < batch || ctx.Err() != nil {
			return ended, errors.Join(errs...)
		}
	}
}

// overdue lists the next orders to look at, those after last in the order of their time.
func (s *Service) overdue(ctx context.Context, last overdue, batch int) ([]overdue, error) {
	var due []overdue
	err := s.db.WithSystem(ctx, "scheduler/lapse", func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, id, lapses_at FROM orders WHERE state IN ('draft', 'awaiting_payment') AND lapses_at <= $1
			AND (lapses_at, id) > ($2, $3) ORDER BY lapses_at, id LIMIT $4`, tx.Now(), last.at, last.id, batch)
		if err != nil {
			return fmt.Errorf("order: lapse: %w", err)
		}
		due, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (x overdue, err error) {
			return x, row.Scan(&x.tenant, &x.id, &x.at)
		})
		return err
	})
	return due, err
}

// lapse ends one order if its time is over still: somebody may have paid, handed a voucher in or worked on it meanwhile.
func (s *Service) lapse(ctx context.Context, x overdue) (bool, error) {
	done := false
	err := s.db.WithTenant(ctx, x.tenant, func(ctx context.Context, tx *db.Tx) error {
		done = false
		o, err := s.LoadForUpdate(ctx, tx, x.id)
		if err != nil {
			return err
		}
		if o.LapsesAt == nil || o.LapsesAt.After(tx.Now()) || (o.State != Draft && o.State != AwaitingPayment) {
			return nil
		}
		done = true
		return s.Advance(ctx, tx, &o, Lapse, nil)
	})
	if errors.Is(err, fault.Conflict) {
		return false, nil
	}
	return done && err == nil, err
}
