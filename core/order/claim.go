package order

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
)

// claimFor is how long a claim holds without a verdict.
const claimFor = 30 * time.Minute

// Claimed tells whether somebody's claim on an order still holds.
func Claimed(o Order, now time.Time) bool {
	return o.ClaimedBy != uuid.Nil && o.ClaimedAt != nil && !o.ClaimedAt.Before(now.Add(-claimFor))
}

// Claim takes an order that is in review for one reviewer, for half an hour or until his verdict; a claim of somebody else
// that still holds is fault.Conflict. The order's version stays: a claim changes nothing an applicant or a page shows.
func (s *Service) Claim(ctx context.Context, tx *db.Tx, o *Order) error {
	if err := s.authz.Check(ctx, authz.OrderClaim, o.Resource(nil)); err != nil {
		return err
	}
	me, before := authz.From(ctx).ID, o.ClaimedBy
	tag, err := tx.Exec(ctx, `UPDATE orders SET claimed_by = $3, claimed_at = $4 WHERE tenant_id = $1 AND id = $2 AND state = 'in_review'
		AND (claimed_by IS NULL OR claimed_by = $3 OR claimed_at < $5)`, tx.Tenant(), o.ID, me, tx.Now(), tx.Now().Add(-claimFor))
	if err != nil {
		return fmt.Errorf("order: claim: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return fault.New(fault.Conflict, "order.taken")
	}
	o.ClaimedBy, o.ClaimedAt = me, ptr(tx.Now())
	if before == me {
		return nil
	}
	return audit.Record(ctx, tx, audit.Entry{Action: "order.claim", Resource: "order/" + o.ID.String(), Detail: map[string]any{"number": o.Number}})
}
