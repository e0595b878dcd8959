package order

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"certsaas/core/authz"
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

// Drafts lists the caller's unfinished orders of a product, the newest first: his account's, and those that the browser in
// ctx began without a login.
func (s *Service) Drafts(ctx context.Context, tenantID uuid.UUID, product string) ([]Order, error) {
	hash, who := visitorFrom(ctx), authz.From(ctx)
	if who.Kind != authz.Dealer || who.Tenant != tenantID {
		who.ID = uuid.Nil
	}
	if len(hash) == 0 && who.ID == uuid.Nil {
		return nil, nil
	}
	var list []Order
	err := s.db.ReadTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		// two looks into an index each; as one condition with OR, PostgreSQL may go through all open drafts instead
		rows, err := tx.Query(ctx, `SELECT `+columns+` FROM (
				SELECT * FROM orders WHERE tenant_id = $1 AND account_id = $3
				UNION ALL SELECT * FROM orders WHERE tenant_id = $1 AND visitor_hash = $4 AND account_id IS NULL) o
			WHERE o.state = 'draft' AND o.product = $2 ORDER BY o.updated_at DESC LIMIT 20`, tx.Tenant(), product, nullable(who.ID), hash)
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
