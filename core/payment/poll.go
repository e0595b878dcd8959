package payment

import (
	"context"
	"errors"
	"log/slog"

	"certsaas/core/db"
	"certsaas/core/order"
)

// PollReport says what one run of PollDue did.
type PollReport struct {
	Asked, Paid, Closed, Failed int
}

// PollDue asks gateways about attempts whose query is due, at most batch of
// them: 5 s, 15 s, 30 s, 1 m, 2 m, 5 m after each other, then every 10 m, until
// half an hour after the attempt's end. It settles what is paid and closes
// what has ended or is no longer wanted. Lost notifications heal here.
func (s *Service) PollDue(ctx context.Context, batch int) (PollReport, error) {
	var due []Payment
	err := s.db.WithSystem(ctx, "payment/poll", func(ctx context.Context, tx *db.Tx) (err error) {
		due, err = claimDue(ctx, tx, batch)
		return err
	})
	if err != nil {
		return PollReport{}, err
	}
	ctx = asSystem(ctx, "payment/poll")
	r := PollReport{Asked: len(due)}
	for _, p := range due {
		after, err := s.pollOne(ctx, p)
		switch {
		case err != nil:
			r.Failed++
			slog.WarnContext(ctx, "payment: poll", "payment", p.ID, "channel", p.Channel, "error", err)
		case after.State == Paid:
			r.Paid++
		case after.State == Closed && p.State != Closed:
			r.Closed++
		}
	}
	return r, ctx.Err()
}

func (s *Service) pollOne(ctx context.Context, p Payment) (Payment, error) {
	p, err := s.ask(ctx, p)
	if err != nil || p.State == Paid {
		return p, err
	}
	wanted, over, err := s.stillWanted(ctx, p)
	switch {
	case err != nil:
		return p, err
	case over:
		p.State = Closed
		return p, s.end(ctx, p, Closed, true)
	case wanted || p.State == Closed:
		return p, nil
	}
	g, err := s.gateway(p.Tenant, p.Channel)
	if err != nil {
		return p, err
	}
	switch err := g.Close(ctx, p.attempt()); {
	case errors.Is(err, ErrAlreadyPaid):
		return s.ask(ctx, p)
	case err != nil:
		return p, err
	}
	p.State = Closed
	return p, s.end(ctx, p, Closed, false)
}

// stillWanted tells whether an unpaid attempt should stay open, and whether
// its time is over for good.
func (s *Service) stillWanted(ctx context.Context, p Payment) (wanted, over bool, err error) {
	err = s.db.WithTenant(ctx, p.Tenant, func(ctx context.Context, tx *db.Tx) error {
		o, err := s.orders.Load(ctx, tx, p.Order)
		wanted = o.State == order.AwaitingPayment && tx.Now().Before(p.ExpiresAt)
		over = tx.Now().After(p.ExpiresAt.Add(afterCare))
		return err
	})
	return wanted, over, err
}
