package payment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/order"
	"certsaas/core/outbox"
)

// outcome is what became of a fact about money.
type outcome string

const (
	accepted  outcome = "accepted"  // it paid the order
	duplicate outcome = "duplicate" // known already
	late      outcome = "late"      // recorded; the order does not want it, a refund is proposed
)

// receipt is a verified fact: this much money arrived.
type receipt struct {
	TradeNo string
	PaidAt  time.Time
}

// lockBoth locks an attempt's order, then the attempt: everybody in this order.
func (s *Service) lockBoth(ctx context.Context, tx *db.Tx, orderID, paymentID uuid.UUID) (order.Order, Payment, error) {
	o, err := s.orders.LoadForUpdate(ctx, tx, orderID)
	if err != nil {
		return order.Order{}, Payment{}, err
	}
	p, err := lockPayment(ctx, tx, paymentID)
	if err != nil {
		return order.Order{}, Payment{}, err
	}
	return o, p, s.hooks.at(ctx, SettleLocked)
}

// settle records money on a locked attempt: it pays the locked order if the
// order still wants it, and is proposed for refund otherwise. The first
// attempt wins; nothing that arrived is ever lost.
func (s *Service) settle(ctx context.Context, tx *db.Tx, o *order.Order, p Payment, r receipt) (outcome, error) {
	if p.State == Paid {
		return duplicate, nil
	}
	wanted, err := s.wanted(ctx, tx, *o)
	if err != nil {
		return "", err
	}
	if r.PaidAt.IsZero() {
		r.PaidAt = tx.Now()
	}
	if err := markPaid(ctx, tx, p.ID, r.TradeNo, r.PaidAt, wanted); err != nil {
		return "", err
	}
	if !wanted {
		cause := LatePayment
		if o.PaidAt != nil {
			cause = DoublePayment
		}
		return late, s.proposeRefund(ctx, tx, p, cause)
	}
	detail := map[string]any{"payment": p.ID.String(), "channel": p.Channel, "amount_fen": p.AmountFen}
	if err := s.orders.Advance(ctx, tx, o, order.Paid, detail); err != nil {
		return "", fmt.Errorf("payment: settle: %w", err)
	}
	if err := pollNow(ctx, tx, o.ID, p.ID); err != nil { // the others are closed by the poller
		return "", err
	}
	return accepted, s.hooks.at(ctx, SettleWritten)
}

// wanted tells whether money would pay the order now: it waits for money, or
// lapsed not long ago and nothing has taken its place since.
func (s *Service) wanted(ctx context.Context, tx *db.Tx, o order.Order) (bool, error) {
	switch o.State {
	case order.AwaitingPayment, order.PaymentCheck:
		return true, nil
	case order.Lapsed:
	default:
		return false, nil
	}
	if o.SubmittedAt == nil || o.ClosedAt == nil || tx.Now().After(o.ClosedAt.AddDate(0, 0, reopenDays)) {
		return false, nil
	}
	if o.OldCertificate == uuid.Nil {
		return true, nil
	}
	var replaced bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM orders WHERE tenant_id = $1 AND old_certificate_id = $2 AND id <> $3
		AND state NOT IN ('draft', 'cancelled', 'lapsed', 'refunded'))`, tx.Tenant(), o.OldCertificate, o.ID).Scan(&replaced)
	if err != nil {
		return false, fmt.Errorf("payment: reopen: %w", err)
	}
	return !replaced, nil
}

// proposeRefund puts money that no order wants before a person of finance.
func (s *Service) proposeRefund(ctx context.Context, tx *db.Tx, p Payment, cause Cause) error {
	r := Refund{ID: db.NewID(), Order: p.Order, Payment: p.ID, AmountFen: p.AmountFen, Cause: cause, RequestedBy: requester(authz.From(ctx))}
	if err := insertRefund(ctx, tx, r); err != nil {
		return err
	}
	slog.WarnContext(ctx, "payment: money without an order to pay", "payment", p.ID, "cause", string(cause))
	err := audit.Record(ctx, tx, audit.Entry{Action: "refund.propose", Resource: "order/" + p.Order.String(),
		Detail: map[string]any{"payment": p.ID.String(), "refund": r.ID.String(), "cause": string(cause), "amount_fen": p.AmountFen}})
	if err != nil {
		return err
	}
	return outbox.Enqueue(ctx, tx, outbox.Event{Kind: "payment.refund_proposed", Ref: p.Order, Data: map[string]string{"refund": r.ID.String(), "cause": string(cause)}})
}

// ask queries the gateway about an attempt and applies the answer. ctx carries
// a system principal.
func (s *Service) ask(ctx context.Context, p Payment) (Payment, error) {
	g, err := s.gateway(p.Tenant, p.Channel)
	if err != nil {
		return p, err
	}
	t, err := g.Query(ctx, p.attempt())
	if err != nil {
		return p, err
	}
	if err := s.hooks.at(ctx, PollAsked); err != nil {
		return p, err
	}
	return s.apply(ctx, p, t)
}

// apply brings an attempt in line with what its gateway says of it.
func (s *Service) apply(ctx context.Context, p Payment, t Trade) (Payment, error) {
	if t.State != TradePaid && t.State != TradeRefunded && t.State != TradeClosed {
		return p, nil
	}
	err := s.db.WithTenant(ctx, p.Tenant, func(ctx context.Context, tx *db.Tx) error {
		o, locked, err := s.lockBoth(ctx, tx, p.Order, p.ID)
		if err != nil {
			return err
		}
		p = locked
		switch {
		case p.State == Paid: // terminal
			return nil
		case t.State == TradeClosed:
			return markClosed(ctx, tx, p.ID, Closed, false)
		case t.AmountFen != p.AmountFen:
			return errMismatch
		case t.State == TradeRefunded:
			err = s.gone(ctx, tx, p, t)
		default:
			_, err = s.settle(ctx, tx, &o, p, receipt{TradeNo: t.TradeNo, PaidAt: t.PaidAt})
		}
		if err != nil {
			return err
		}
		p, err = lockPayment(ctx, tx, p.ID)
		return err
	})
	if errors.Is(err, errMismatch) {
		s.alarm(ctx, p.Tenant, "payment.mismatch", map[string]any{"payment": p.ID.String(), "stored_fen": p.AmountFen, "gateway_fen": t.AmountFen})
	}
	return p, err
}

var errMismatch = errors.New("payment: the gateway's amount is not the attempt's")

// gone records an attempt that was paid and given back at the gateway before
// we heard of the payment: it pays nothing, and finance sees it.
func (s *Service) gone(ctx context.Context, tx *db.Tx, p Payment, t Trade) error {
	at := t.PaidAt
	if at.IsZero() {
		at = tx.Now()
	}
	if err := markPaid(ctx, tx, p.ID, t.TradeNo, at, false); err != nil {
		return err
	}
	return s.proposeRefund(ctx, tx, p, RefundedOutside)
}

// alarm leaves a trace of something that must not be, outside any transaction.
func (s *Service) alarm(ctx context.Context, tenantID uuid.UUID, action string, detail map[string]any) {
	slog.ErrorContext(ctx, "payment: refused", "action", action, "tenant", tenantID)
	if err := audit.RecordDenied(ctx, s.db, tenantID, audit.Entry{Action: action, Resource: "tenant/" + tenantID.String(), Detail: detail}); err != nil {
		slog.ErrorContext(ctx, "payment: audit", "action", action, "error", err)
	}
}

// requester names who asked for a refund: "dealer/<id>", "staff/<id>", "system/<component>".
func requester(p authz.Principal) string {
	if p.Kind == authz.SystemKind {
		return string(p.Kind) + "/" + p.Name
	}
	return string(p.Kind) + "/" + p.ID.String()
}
