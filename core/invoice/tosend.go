package invoice

import (
	"context"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
)

// ToSend lists paper invoices that are issued and not on their way yet, across tenants, those due first (req B9). Needs
// shipment.create.
func (s *Service) ToSend(ctx context.Context) ([]Invoice, error) {
	if err := s.Authz.CheckRoute(ctx, authz.ShipmentCreate, uuid.Nil); err != nil {
		return nil, err
	}
	var list []Invoice
	err := s.DB.WithSystem(ctx, "console/papers", func(ctx context.Context, tx *db.Tx) (err error) {
		list, err = s.query(ctx, tx, `i.state = 'issued' AND i.kind = 'paper' AND NOT EXISTS (SELECT FROM shipments h
			WHERE h.tenant_id = i.tenant_id AND h.order_id = i.order_id AND h.direction = 'out' AND h.purpose = 'invoice')`)
		return err
	})
	return list, err
}
