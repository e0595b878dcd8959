package letter

import (
	"context"
	"errors"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
)

// Preview is a letter as it would be printed now, for the page; nothing is issued by looking at it.
type Preview struct {
	Letter Letter   // Number is "" while none with these values is issued
	Fields []string // form fields whose answers the letter prints
	Voided bool     // the scan that was handed in is of a letter whose data have changed since
}

// Preview shows the letter of an order. fault.NotFound "letter.not_needed" when these answers need none.
func (s *Service) Preview(ctx context.Context, tenantID, orderID uuid.UUID) (Preview, error) {
	var out Preview
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, err := s.Orders.Load(ctx, tx, orderID)
		if err != nil {
			return err
		}
		if err := s.Authz.Check(ctx, authz.LetterDownload, o.ResourceFor(ctx)); err != nil {
			return err
		}
		c, err := s.fill(ctx, tx, o)
		if err != nil {
			return err
		}
		for _, name := range c.blanks() {
			out.Fields = append(out.Fields, c.answer(name))
		}
		now := stored{letter: Letter{Tenant: o.Tenant, Order: o.ID, Values: c.values("", tx.Now()), CreatedAt: tx.Now()}}
		have, err := s.find(ctx, tx, `l.order_id = $2 AND l.voided_at IS NULL`, o.ID)
		switch {
		case err == nil && c.says(have):
			now = have
		case err != nil && !errors.Is(err, fault.NotFound):
			return err
		}
		out.Letter = s.dress(now, c)
		problems, err := s.unchanged(ctx, tx, o, c.product)
		out.Voided = len(problems) > 0
		return err
	})
	return out, err
}
