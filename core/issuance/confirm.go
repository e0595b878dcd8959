package issuance

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/order"
	"certsaas/core/pki"
	"certsaas/core/tenant"
	"certsaas/core/token/ticket"
)

// Confirm takes the new key's proof: the certificate becomes active, the old one is superseded if the product says so,
// and when it was the order's last key the order moves on. A repeated call answers the same.
func (s *Service) Confirm(ctx context.Context, tenantID, itemID uuid.UUID, token, origin string, proof []byte) (order.Order, error) {
	var o order.Order
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		w, err := s.open(ctx, tx, itemID)
		if err != nil {
			return err
		}
		o = w.order
		done := w.item.State == order.ItemDone
		if !done && !w.inHand() {
			return fault.New(fault.Conflict, "order.not_now", "State", string(o.State), "Event", "issue")
		}
		c, err := s.claims(token, itemID, ticket.OpProve, origin, tx.Now())
		if err != nil {
			return err
		}
		live, err := s.live(ctx, tx, itemID)
		if err != nil {
			return err
		}
		if live == nil {
			return fault.New(fault.Precondition, "issuance.not_issued")
		}
		if err := ticket.VerifyProof(origin, c.Nonce, live.Certificate.X509().PublicKey, proof); err != nil {
			return fault.Wrap(fault.Invalid, "issuance.new_proof", err)
		}
		if done {
			return nil
		}
		if err := s.activate(ctx, tx, w, live); err != nil {
			return err
		}
		return s.finish(ctx, tx, &o, w.p, itemID)
	})
	return o, err
}

// activate marks the certificate as in use and retires the one it replaces.
func (s *Service) activate(ctx context.Context, tx *db.Tx, w work, live *Certificate) error {
	_, err := tx.Exec(ctx, `UPDATE certificates SET state = 'active', installed_at = $3, token_serial = nullif($4, '')
		WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), live.ID, tx.Now(), w.item.TokenSerial)
	if err != nil {
		return fmt.Errorf("issuance: activate: %w", err)
	}
	reason, revoke := reasons[w.p.Certificate.RevokeOld]
	if !revoke || w.item.OldCertificate == uuid.Nil {
		return nil
	}
	return s.Revoke(ctx, tx, w.item.OldCertificate, reason)
}

// finish marks an item done, and the order when it was the last.
func (s *Service) finish(ctx context.Context, tx *db.Tx, o *order.Order, p tenant.Product, itemID uuid.UUID) error {
	tag, err := tx.Exec(ctx, `UPDATE order_items SET state = 'done', done_at = $3 WHERE tenant_id = $1 AND id = $2 AND state <> 'done'`,
		tx.Tenant(), itemID, tx.Now())
	if err != nil {
		return fmt.Errorf("issuance: item done: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return nil
	}
	items, err := order.Items(ctx, tx, o.ID)
	if err != nil {
		return err
	}
	for _, it := range items {
		if it.State != order.ItemDone && it.State != order.ItemWithdrawn {
			return nil
		}
	}
	ev := order.KeyWritten
	if p.Fulfilment == "install" {
		ev = order.Installed
	}
	return s.Orders.Advance(ctx, tx, o, ev, nil)
}

// Serviced notes that the work on a key that was sent in is done; no certificate is issued (unlock).
func (s *Service) Serviced(ctx context.Context, tenantID, itemID uuid.UUID) (order.Order, error) {
	var o order.Order
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		w, err := s.begin(ctx, tx, itemID)
		if err != nil {
			return err
		}
		if w.p.Fulfilment != "unlock" {
			return fault.New(fault.Conflict, "issuance.needs_certificate")
		}
		o = w.order
		return s.finish(ctx, tx, &o, w.p, itemID)
	})
	return o, err
}

// AuthoriseCleanup gives a ticket to remove the old key pair, once the new certificate has proved itself; not before: until
// then the old one stays usable. fault.Precondition while the item is not done.
func (s *Service) AuthoriseCleanup(ctx context.Context, tenantID, itemID uuid.UUID, origin string) (string, error) {
	var token string
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		w, err := s.open(ctx, tx, itemID)
		if err != nil {
			return err
		}
		if w.p.Fulfilment != "install" || w.item.State != order.ItemDone {
			return fault.New(fault.Precondition, "issuance.not_issued")
		}
		bind := ticket.Bind{KeySN: w.item.TokenSerial}
		old, err := s.find(ctx, tx, w.item.OldCertificate)
		if err != nil {
			return err
		}
		if old != nil { // the agent removes only the container of the certificate it is told
			bind.OldSerial = pki.SerialText(old.Serial)
		}
		now := tx.Now()
		token, err = ticket.Sign(s.Key, ticket.Claims{
			Iss: s.Issuer, Origin: origin, Tid: w.t.Slug(), Order: itemID.String(), Attempt: w.item.Attempts, Company: w.order.Organisation(),
			Ops: []string{ticket.OpEnumerate, ticket.OpCleanup}, Bind: bind, Nonce: ticket.NewID(),
			Iat: now.Unix(), Exp: now.Add(ticket.MaxLife).Unix(), JTI: ticket.NewID(),
		})
		return err
	})
	return token, err
}
