package reminder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/issuance"
	"certsaas/core/order"
	"certsaas/core/tenant"
)

// Offer is what a renewal's page says before it is confirmed.
type Offer struct {
	Order    order.Order
	NotAfter time.Time     // end of the certificate that is renewed
	Renewal  clock.Renewal // what renewing today gives
	ToldFen  *int64        // price at the message, when it was another
	Gone     bool          // the product is not sold any more
}

// Renew finds or opens the renewal order of a certificate for its holder, the principal, and brings it to today's release
// and price. fault.NotFound for anybody else.
func (s *Service) Renew(ctx context.Context, tenantID, certificate uuid.UUID) (Offer, error) {
	t, err := s.Tenants.ByID(ctx, tenantID)
	if err != nil {
		return Offer{}, err
	}
	var out Offer
	err = s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		out = Offer{}
		c, err := s.Issuance.Certificate(ctx, tx, certificate)
		if err != nil {
			return err
		}
		me := authz.From(ctx)
		if c == nil || me.Kind != authz.Dealer || c.Account != me.ID {
			return fault.New(fault.NotFound, "reminder.no_link")
		}
		p, ok := renewedBy(t, c.Product)
		if !ok {
			out.Gone = true
			return nil
		}
		out.NotAfter, out.Renewal = c.NotAfter, clock.RenewalWindow(tx.Now(), c.NotAfter, policy(p))
		if out.Order, err = s.current(ctx, tx, t, p, c); err != nil {
			return err
		}
		var told *int64
		if err := tx.QueryRow(ctx, `SELECT told_fen FROM renewals WHERE tenant_id = $1 AND certificate_id = $2`, tenantID, certificate).Scan(&told); err != nil {
			return fmt.Errorf("reminder: renew: %w", err)
		}
		if _, err := s.Orders.Update(ctx, tx, &out.Order, t); err != nil {
			return err
		}
		if told != nil && *told != out.Order.TotalFen && out.Order.State == order.Draft {
			out.ToldFen = told
		}
		return nil
	})
	return out, err
}

// current is the order that renews a certificate: the one that was opened, the one that was handed in, or a new one.
func (s *Service) current(ctx context.Context, tx *db.Tx, t *tenant.Tenant, p tenant.Product, c *issuance.Certificate) (order.Order, error) {
	var id uuid.UUID
	err := tx.QueryRow(ctx, `SELECT o.id FROM order_items i JOIN orders o ON o.tenant_id = i.tenant_id AND o.id = i.order_id
		WHERE i.tenant_id = $1 AND i.old_certificate_id = $2 AND i.state <> 'withdrawn' AND o.state NOT IN ('draft', 'cancelled', 'lapsed', 'refunded')
		ORDER BY o.created_at DESC LIMIT 1`, tx.Tenant(), c.ID).Scan(&id)
	if err == nil {
		if _, err := tx.Exec(ctx, `INSERT INTO renewals (tenant_id, certificate_id, not_after, state, order_id, due_at, created_at, updated_at)
			VALUES ($1, $2, $3, 'ordered', $4, $5, $5, $5) ON CONFLICT (tenant_id, certificate_id) DO NOTHING`, tx.Tenant(), c.ID, c.NotAfter, id, tx.Now()); err != nil {
			return order.Order{}, fmt.Errorf("reminder: current: %w", err)
		}
		return s.Orders.Load(ctx, tx, id)
	}
	if !errors.Is(err, db.ErrNoRows) {
		return order.Order{}, fmt.Errorf("reminder: current: %w", err)
	}
	if c.State != issuance.Active {
		return order.Order{}, fault.New(fault.Conflict, "reminder.not_renewable")
	}
	if _, err := tx.Exec(ctx, `INSERT INTO renewals (tenant_id, certificate_id, not_after, due_at, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $4, $4) ON CONFLICT (tenant_id, certificate_id) DO NOTHING`, tx.Tenant(), c.ID, c.NotAfter, tx.Now()); err != nil {
		return order.Order{}, fmt.Errorf("reminder: current: %w", err)
	}
	for try := 0; ; try++ {
		err := tx.QueryRow(ctx, `SELECT o.id FROM renewals r JOIN orders o ON o.tenant_id = r.tenant_id AND o.id = r.order_id
			WHERE r.tenant_id = $1 AND r.certificate_id = $2 AND r.state = 'open' AND o.state = 'draft' FOR UPDATE OF r`, tx.Tenant(), c.ID).Scan(&id)
		if err == nil {
			return s.Orders.LoadForUpdate(ctx, tx, id)
		}
		if !errors.Is(err, db.ErrNoRows) || try > 0 {
			return order.Order{}, fmt.Errorf("reminder: current: %w", err)
		}
		if _, err := tx.Exec(ctx, `SELECT FROM renewals WHERE tenant_id = $1 AND certificate_id = $2 FOR UPDATE`, tx.Tenant(), c.ID); err != nil {
			return order.Order{}, fmt.Errorf("reminder: current: %w", err)
		}
		if _, err := s.open(ctx, tx, t, p, c); err != nil {
			return order.Order{}, err
		}
	}
}

// Confirmed ends the links of a certificate whose renewal its holder has handed in.
func (s *Service) Confirmed(ctx context.Context, o order.Order) error {
	return s.DB.WithTenant(ctx, o.Tenant, func(ctx context.Context, tx *db.Tx) error {
		if err := endLinks(ctx, tx, o.OldCertificate); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE renewals SET state = 'ordered', updated_at = $3 WHERE tenant_id = $1 AND order_id = $2 AND state = 'open'`, tx.Tenant(), o.ID, tx.Now())
		return err
	})
}

// Waiting is the order that was opened for a certificate by itself and is not handed in yet; Nil when there is none.
func (s *Service) Waiting(ctx context.Context, tenantID, certificate uuid.UUID) (uuid.UUID, error) {
	var id uuid.UUID
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		id = uuid.Nil
		err := tx.QueryRow(ctx, `SELECT o.id FROM renewals r JOIN orders o ON o.tenant_id = r.tenant_id AND o.id = r.order_id
			WHERE r.tenant_id = $1 AND r.certificate_id = $2 AND r.state = 'open' AND o.state = 'draft'`, tenantID, certificate).Scan(&id)
		if errors.Is(err, db.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reminder: waiting: %w", err)
		}
		return nil
	})
	return id, err
}
