package payment

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/order"
)

// Cause says why money goes back.
type Cause string

// The causes of a refund. Only a requested one moves the order.
const (
	Requested       Cause = "requested"           // the applicant or staff asked, the order is refunding
	LatePayment     Cause = "late_payment"        // it came after the order had ended
	DoublePayment   Cause = "double_payment"      // the order was paid already
	RefundedOutside Cause = "refunded_at_gateway" // paid and given back at the gateway before we heard of it
)

// RefundStep is how far a refund is.
type RefundStep string

// The steps of a refund.
const (
	RefundProposed RefundStep = "proposed" // waits for a person of finance
	RefundApproved RefundStep = "approved" // on its way; for a bank transfer finance has to send it
	RefundPaid     RefundStep = "done"     // the money has left
	RefundRefused  RefundStep = "failed"   // the gateway will not do it; may be approved again
	RefundDeclined RefundStep = "declined" // not given back
)

// Refund is money of one paid attempt on its way back, always whole.
type Refund struct {
	Tenant, ID, Order, Payment uuid.UUID
	Channel                    string // of the payment
	OutRefundNo                string // the same on every repetition
	AmountFen                  int64
	Cause                      Cause
	State                      RefundStep
	RequestedBy                string    // "dealer/<id>", "staff/<id>", "system/<component>"
	ApprovedBy                 uuid.UUID // who agreed or declined
	CreatedAt                  time.Time
	DoneAt                     *time.Time
	Tries                      int
}

// RequestRefund asks for the money of a paid order back (decision 9: until a
// certificate is issued). The order is refunding until finance decides.
func (s *Service) RequestRefund(ctx context.Context, tenantID, orderID uuid.UUID, reason string) (Refund, error) {
	reason = strings.TrimSpace(reason)
	if n := len([]rune(reason)); n == 0 || n > 500 {
		return Refund{}, fault.InvalidFields(fault.At("reason", "payment.reason"))
	}
	var r Refund
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, err := s.orders.LoadForUpdate(ctx, tx, orderID)
		if err != nil {
			return err
		}
		if err := s.authz.Check(ctx, authz.RefundRequest, o.ResourceFor(ctx)); err != nil {
			return err
		}
		p, err := settledOf(ctx, tx, o.ID)
		if errors.Is(err, fault.NotFound) {
			return fault.New(fault.Conflict, "payment.nothing_paid")
		}
		if err != nil {
			return err
		}
		if err := s.orders.Advance(ctx, tx, &o, order.RequestRefund, map[string]any{"reason": reason}); err != nil {
			return err
		}
		r = Refund{ID: db.NewID(), Order: o.ID, Payment: p.ID, AmountFen: p.AmountFen, Cause: Requested, RequestedBy: requester(authz.From(ctx))}
		if err := insertRefund(ctx, tx, r); err != nil {
			return err
		}
		r, err = refundOf(ctx, tx, p.ID)
		return err
	})
	return r, err
}

// Approve agrees to a refund and sends it at once; finance only, and neither
// who asked for it nor who approved the order's review. A gateway that is away
// does not undo the approval: RunRefunds goes on. A refund of a bank transfer
// stays approved until ConfirmRefundSent.
func (s *Service) Approve(ctx context.Context, tenantID, refundID uuid.UUID) (Refund, error) {
	var r Refund
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		_, r, err = s.lockRefund(ctx, tx, authz.RefundApprove, refundID)
		if err != nil {
			return err
		}
		if r.State != RefundProposed && r.State != RefundRefused {
			return fault.New(fault.Conflict, "payment.refund_decided")
		}
		if r.Cause == RefundedOutside {
			return fault.New(fault.Conflict, "payment.refund_outside")
		}
		if err := approveRefund(ctx, tx, r.ID, authz.From(ctx).ID, r.Channel != BankTransfer); err != nil {
			return err
		}
		r.State, r.ApprovedBy = RefundApproved, authz.From(ctx).ID
		return audit.Record(ctx, tx, audit.Entry{Action: "refund.approve", Resource: "order/" + r.Order.String(),
			Detail: map[string]any{"refund": r.ID.String(), "amount_fen": r.AmountFen, "cause": string(r.Cause)}})
	})
	if err != nil || r.Channel == BankTransfer {
		return r, err
	}
	sent, err := s.send(asSystem(ctx, "payment/refund"), r)
	if errors.Is(err, fault.Unavailable) {
		slog.WarnContext(ctx, "payment: refund", "refund", r.ID, "error", err)
		return r, nil
	}
	return sent, err
}

// Decline keeps the money: of a requested refund the order goes on where it
// stood; of other causes somebody has settled the matter otherwise.
func (s *Service) Decline(ctx context.Context, tenantID, refundID uuid.UUID, reason string) (Refund, error) {
	reason = strings.TrimSpace(reason)
	if n := len([]rune(reason)); n == 0 || n > 500 {
		return Refund{}, fault.InvalidFields(fault.At("reason", "payment.reason"))
	}
	var r Refund
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, locked, err := s.lockRefund(ctx, tx, authz.RefundApprove, refundID)
		if err != nil {
			return err
		}
		r = locked
		if r.State != RefundProposed && r.State != RefundRefused {
			return fault.New(fault.Conflict, "payment.refund_decided")
		}
		r.State, r.ApprovedBy = RefundDeclined, authz.From(ctx).ID
		if err := closeRefund(ctx, tx, r.ID, r.State, r.ApprovedBy); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, audit.Entry{Action: "refund.decline", Resource: "order/" + r.Order.String(),
			Detail: map[string]any{"refund": r.ID.String(), "reason": reason}}); err != nil {
			return err
		}
		if r.Cause != Requested || o.State != order.Refunding {
			return nil
		}
		return s.orders.Advance(ctx, tx, &o, order.Keep, map[string]any{"reason": reason})
	})
	return r, err
}

// ConfirmRefundSent says that finance has sent an approved refund of a bank
// transfer; bankTxnID is the line of the bank statement. It states a fact and
// needs no further person.
func (s *Service) ConfirmRefundSent(ctx context.Context, tenantID, refundID uuid.UUID, bankTxnID string) (Refund, error) {
	bankTxnID = strings.TrimSpace(bankTxnID)
	if bankTxnID == "" || len(bankTxnID) > 64 {
		return Refund{}, fault.InvalidFields(fault.At("bank_txn_id", "payment.bank_line"))
	}
	var r Refund
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		_, locked, err := s.lockRefund(ctx, tx, authz.PaymentConfirm, refundID)
		if err != nil {
			return err
		}
		r = locked
		if r.State != RefundApproved || r.Channel != BankTransfer {
			return fault.New(fault.Conflict, "payment.refund_decided")
		}
		r, err = s.finish(ctx, tx, r, map[string]any{"refund": r.ID.String(), "bank_txn_id": bankTxnID})
		return err
	})
	return r, err
}

// lockRefund locks the order, then the refund, for a person of finance who may
// do action on it. Whoever confirmed a voucher that turned out superfluous
// counts as who asked for its refund.
func (s *Service) lockRefund(ctx context.Context, tx *db.Tx, action string, id uuid.UUID) (order.Order, Refund, error) {
	r, err := refundByID(ctx, tx, id, "")
	if err != nil {
		return order.Order{}, Refund{}, err
	}
	o, err := s.orders.LoadForUpdate(ctx, tx, r.Order)
	if err != nil {
		return order.Order{}, Refund{}, err
	}
	reviewer, err := approver(ctx, tx, o.ID)
	if err != nil {
		return order.Order{}, Refund{}, err
	}
	res := o.ResourceFor(ctx)
	res.Extra = map[string]any{"requester": strings.TrimPrefix(r.RequestedBy, "staff/"), "reviewer": reviewer}
	if err := s.authz.Check(ctx, action, res); err != nil {
		return order.Order{}, Refund{}, err
	}
	r, err = refundByID(ctx, tx, id, " FOR UPDATE OF r")
	return o, r, err
}

// RefundReport says what one run of RunRefunds did.
type RefundReport struct {
	Sent, Done, Refused, Failed int
}

// RunRefunds sends approved refunds, or asks again about those that were
// accepted, at most batch; always under the same refund number.
func (s *Service) RunRefunds(ctx context.Context, batch int) (RefundReport, error) {
	var due []Refund
	err := s.db.WithSystem(ctx, "payment/refund", func(ctx context.Context, tx *db.Tx) (err error) {
		due, err = claimRefunds(ctx, tx, batch)
		return err
	})
	if err != nil {
		return RefundReport{}, err
	}
	ctx = asSystem(ctx, "payment/refund")
	rep := RefundReport{Sent: len(due)}
	for _, r := range due {
		after, err := s.send(ctx, r)
		switch {
		case err != nil:
			rep.Failed++
			slog.WarnContext(ctx, "payment: refund", "refund", r.ID, "error", err)
		case after.State == RefundPaid:
			rep.Done++
		case after.State == RefundRefused:
			rep.Refused++
		}
	}
	return rep, ctx.Err()
}

// send asks the gateway to give the money back and keeps its answer.
func (s *Service) send(ctx context.Context, r Refund) (Refund, error) {
	var p Payment
	err := s.db.WithTenant(ctx, r.Tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		p, err = paymentByID(ctx, tx, r.Payment)
		return err
	})
	if err != nil {
		return r, err
	}
	g, err := s.gateway(p.Tenant, p.Channel)
	if err != nil {
		return r, err
	}
	state, err := g.Refund(ctx, p.attempt(), Refunding{OutRefundNo: r.OutRefundNo, AmountFen: r.AmountFen, Reason: string(r.Cause)})
	if err != nil || state == RefundPending {
		return r, err
	}
	if err := s.hooks.at(ctx, RefundSent); err != nil {
		return r, err
	}
	err = s.db.WithTenant(ctx, r.Tenant, func(ctx context.Context, tx *db.Tx) error {
		if _, err := s.orders.LoadForUpdate(ctx, tx, r.Order); err != nil {
			return err
		}
		locked, err := refundByID(ctx, tx, r.ID, " FOR UPDATE OF r")
		if err != nil || locked.State != RefundApproved {
			r = locked
			return err
		}
		if state == RefundFailed {
			locked.State = RefundRefused
			r = locked
			if err := closeRefund(ctx, tx, r.ID, RefundRefused, r.ApprovedBy); err != nil {
				return err
			}
			return audit.Record(ctx, tx, audit.Entry{Action: "refund.refused", Resource: "order/" + r.Order.String(), Detail: map[string]any{"refund": r.ID.String()}})
		}
		r, err = s.finish(ctx, tx, locked, map[string]any{"refund": r.ID.String(), "amount_fen": r.AmountFen})
		return err
	})
	return r, err
}

// finish records that the money has left and ends a refunding order.
func (s *Service) finish(ctx context.Context, tx *db.Tx, r Refund, detail map[string]any) (Refund, error) {
	now := tx.Now()
	r.State, r.DoneAt = RefundPaid, &now
	if err := closeRefund(ctx, tx, r.ID, RefundPaid, r.ApprovedBy); err != nil {
		return r, err
	}
	if err := audit.Record(ctx, tx, audit.Entry{Action: "refund.done", Resource: "order/" + r.Order.String(), Detail: detail}); err != nil {
		return r, err
	}
	if r.Cause != Requested {
		return r, nil
	}
	o, err := s.orders.LoadForUpdate(ctx, tx, r.Order)
	if err != nil {
		return r, err
	}
	if err := s.orders.Advance(ctx, tx, &o, order.Refund, detail); err != nil {
		return r, fmt.Errorf("payment: refunded: %w", err)
	}
	return r, nil
}

// Refunds lists refunds in the given steps across tenants, oldest first, for
// finance. No steps: those that wait for a person.
func (s *Service) Refunds(ctx context.Context, limit int, steps ...RefundStep) ([]Refund, error) {
	if err := s.authz.CheckRoute(ctx, authz.RefundApprove, authz.From(ctx).Tenant); err != nil {
		return nil, err
	}
	if len(steps) == 0 {
		steps = []RefundStep{RefundProposed, RefundRefused}
	}
	var list []Refund
	err := s.db.WithSystem(ctx, "console/refunds", func(ctx context.Context, tx *db.Tx) (err error) {
		list, err = refundsIn(ctx, tx, authz.From(ctx).Tenant, steps, limit)
		return err
	})
	return list, err
}
