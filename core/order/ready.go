package order

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"certsaas/core/db"
	"certsaas/core/tenant"
)

// Ready tells whether an order could be handed in now, without doing it: nil, or fault.Invalid with every field that
// stands in the way. A page asks before it spends a confirmation code.
func (s *Service) Ready(ctx context.Context, tenantID, id uuid.UUID) (Order, error) {
	var o Order
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		if o, err = s.LoadForUpdate(ctx, tx, id); err != nil {
			return err
		}
		t, p, err := s.submittable(ctx, o, Submission{})
		if err != nil {
			return err
		}
		return s.complete(ctx, tx, &o, t, p)
	})
	return o, err
}

// Drafts lists the drafts that the browser in ctx began without a login, the newest first.
func (s *Service) Drafts(ctx context.Context, tenantID uuid.UUID) ([]Order, error) {
	hash := visitorFrom(ctx)
	if len(hash) == 0 {
		return nil, nil
	}
	var list []Order
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT `+columns+` FROM orders o WHERE o.tenant_id = $1 AND o.visitor_hash = $2 AND o.account_id IS NULL
			AND o.state = 'draft' ORDER BY o.updated_at DESC LIMIT 20`, tx.Tenant(), hash)
		if err != nil {
			return fmt.Errorf("order: drafts: %w", err)
		}
		list, err = s.collect(ctx, tx, rows)
		return err
	})
	return list, err
}

// Open is what the applicant may change after a rejection, by field; nil while everything is open (req K44).
func (o Order) Open(p tenant.Product) map[string]bool {
	if o.State != Rejected {
		return nil
	}
	return openFields(o, p)
}
