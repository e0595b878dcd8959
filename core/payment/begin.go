package payment

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/order"
	"certsaas/core/tenant"
)

// Begin gives the owner of an order a code to pay it by. A live attempt of the
// same channel is given again, so that two taps are one attempt; attempts of
// other channels are closed at their gateways. The attempt is stored before
// the gateway hears of it, its amount frozen.
//
// If an older attempt turns out to be paid, that one is returned (State Paid).
// Errors: fault.Conflict when the order does not await payment,
// fault.Unavailable when the gateway is away: calling again goes on with the
// same attempt.
func (s *Service) Begin(ctx context.Context, tenantID, orderID uuid.UUID, channel string) (Payment, error) {
	if channel == BankTransfer {
		return Payment{}, fault.InvalidFields(fault.At("channel", "payment.channel_not_offered"))
	}
	g, err := s.gateway(tenantID, channel)
	if err != nil {
		return Payment{}, err
	}
	var p Payment
	var a Attempt
	var older []Payment
	err = s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		p, a, older, err = s.prepare(ctx, tx, orderID, channel, g)
		return err
	})
	if err != nil {
		return Payment{}, err
	}
	if err := s.hooks.at(ctx, BeginInserted); err != nil {
		return Payment{}, err
	}
	if paid, err := s.closeOlder(ctx, older); err != nil || paid != nil {
		if paid == nil {
			return Payment{}, err
		}
		return *paid, s.abandon(ctx, p)
	}
	if p.State == Pending && p.Code != "" {
		return p, nil
	}
	return s.create(ctx, g, p, a)
}

// prepare finds or inserts the attempt and lists the older ones to close.
func (s *Service) prepare(ctx context.Context, tx *db.Tx, orderID uuid.UUID, channel string, g Gateway) (Payment, Attempt, []Payment, error) {
	o, t, prod, err := s.payable(ctx, tx, orderID, channel)
	if err != nil {
		return Payment{}, Attempt{}, nil, err
	}
	all, err := attemptsOf(ctx, tx, orderID)
	if err != nil {
		return Payment{}, Attempt{}, nil, err
	}
	var p Payment
	var older []Payment
	for _, x := range all {
		open := (x.State == StateNew || x.State == Pending) && x.Channel != BankTransfer
		switch {
		case open && p.ID == uuid.Nil && x.Channel == channel && x.AmountFen == o.TotalFen && x.Payee == g.Payee() && x.Live(tx.Now().Add(freshFor)):
			p = x
		case open:
			older = append(older, x)
		}
	}
	if p.ID == uuid.Nil {
		if p, err = s.insertAttempt(ctx, tx, o, channel, g.Payee()); err != nil {
			return Payment{}, Attempt{}, nil, err
		}
	}
	a := p.attempt()
	a.Subject = subject(t, prod, o)
	a.PayeeName = payeeName(t, prod)
	a.NotifyURL = s.notifyURL(t, channel)
	return p, a, older, nil
}

func (s *Service) insertAttempt(ctx context.Context, tx *db.Tx, o order.Order, channel, payee string) (Payment, error) {
	id := db.NewID()
	p := Payment{Tenant: tx.Tenant(), ID: id, Order: o.ID, Channel: channel, OutTradeNo: hex.EncodeToString(id[:]), AmountFen: o.TotalFen,
		Payee: payee, State: StateNew, CreatedAt: tx.Now(), ExpiresAt: tx.Now().Add(attemptTTL)}
	next := tx.Now().Add(time.Duration(pollSeconds[1]) * time.Second)
	if err := insertPayment(ctx, tx, p, &next); err != nil {
		return Payment{}, err
	}
	return p, audit.Record(ctx, tx, audit.Entry{Action: "payment.begin", Resource: "order/" + o.ID.String(),
		Detail: map[string]any{"payment": p.ID.String(), "channel": channel, "amount_fen": p.AmountFen}})
}

// subject is what the payer reads in his app: product, not person.
func subject(t *tenant.Tenant, p tenant.Product, o order.Order) string {
	name := p.Name.In(t.Languages()[0])
	if o.Quantity > 1 {
		name = fmt.Sprintf("%s ×%d", name, o.Quantity)
	}
	return name
}

// payeeName is who gets the money: the operator, or the enterprise itself.
func payeeName(t *tenant.Tenant, p tenant.Product) string {
	if p.Payment.Payee == "enterprise" {
		return t.Names().Full.In(t.Languages()[0])
	}
	return t.Operator().In(t.Languages()[0])
}

// create opens the trade at the gateway and keeps its code. An attempt that
// somebody closed meanwhile is closed at the gateway too.
func (s *Service) create(ctx context.Context, g Gateway, p Payment, a Attempt) (Payment, error) {
	c, err := g.Create(ctx, a)
	if err != nil && !errors.Is(err, fault.Unavailable) {
		return Payment{}, errors.Join(err, s.end(ctx, p, Failed, false))
	}
	if err != nil {
		return Payment{}, err
	}
	if err := s.hooks.at(ctx, BeginCreated); err != nil {
		return Payment{}, err
	}
	err = s.db.WithTenant(ctx, p.Tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		if c.ExpiresAt.IsZero() {
			c.ExpiresAt = p.ExpiresAt
		}
		p, err = writeCode(ctx, tx, p.ID, c)
		return err
	})
	if err != nil {
		return Payment{}, err
	}
	if p.State == Closed {
		if err := g.Close(ctx, a); err != nil {
			slog.WarnContext(ctx, "payment: close of an overtaken attempt", "payment", p.ID, "error", err)
		}
		return Payment{}, fault.New(fault.Conflict, "payment.overtaken")
	}
	return p, nil
}

// closeOlder closes attempts at their gateways. One that is paid is settled
// and returned. A gateway that is away does not hold the payer up: the poller
// closes what is left, and money that comes by it counts all the same.
func (s *Service) closeOlder(ctx context.Context, older []Payment) (*Payment, error) {
	for _, x := range older {
		g, err := s.gateway(x.Tenant, x.Channel)
		if err == nil {
			err = g.Close(ctx, x.attempt())
		}
		switch {
		case err == nil:
			if err := s.end(ctx, x, Closed, false); err != nil {
				return nil, err
			}
		case errors.Is(err, ErrAlreadyPaid):
			paid, err := s.ask(asSystem(ctx, "payment/query"), x)
			if err != nil {
				return nil, err
			}
			if paid.State == Paid && paid.Settles {
				return &paid, nil
			}
		default:
			slog.WarnContext(ctx, "payment: close", "payment", x.ID, "error", err)
		}
	}
	return nil, nil
}

// abandon ends a new attempt that is not needed: an older one was paid.
func (s *Service) abandon(ctx context.Context, p Payment) error {
	if p.State != StateNew {
		return nil
	}
	return s.end(ctx, p, Closed, false)
}

// end marks an unpaid attempt closed or failed.
func (s *Service) end(ctx context.Context, p Payment, state State, forGood bool) error {
	return s.db.WithTenant(ctx, p.Tenant, func(ctx context.Context, tx *db.Tx) error {
		return markClosed(ctx, tx, p.ID, state, forGood)
	})
}

// asSystem makes what follows an act of the program: the facts come from a
// gateway, not from whoever happens to wait for them.
func asSystem(ctx context.Context, component string) context.Context {
	return authz.WithPrincipal(ctx, authz.System(component))
}

// Check is 我已支付: it asks the gateways at once about every open attempt of
// the order and answers how the order stands afterwards. A gateway that is
// away is an error of kind Unavailable; what others said is kept.
func (s *Service) Check(ctx context.Context, tenantID, orderID uuid.UUID) (Desk, error) {
	before, err := s.Desk(ctx, tenantID, orderID) // and its right to ask
	if err != nil {
		return Desk{}, err
	}
	if before.Paid != nil {
		return before, nil
	}
	var open []Payment
	err = s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		all, err := attemptsOf(ctx, tx, orderID)
		for _, p := range all {
			if p.Channel != BankTransfer && p.State != Paid && p.State != Failed && tx.Now().Before(p.ExpiresAt.Add(afterCare)) {
				open = append(open, p)
			}
		}
		return err
	})
	if err != nil {
		return Desk{}, err
	}
	var away error
	for _, p := range open {
		if _, err := s.ask(asSystem(ctx, "payment/query"), p); err != nil {
			away = errors.Join(away, err)
		}
	}
	after, err := s.Desk(ctx, tenantID, orderID)
	if err == nil && after.Paid == nil {
		err = away
	}
	return after, err
}
