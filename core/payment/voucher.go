package payment

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/order"
)

// VoucherField is the field name under which a voucher's picture is stored in files.
const VoucherField = "payment.voucher"

// What makes a voucher doubtful; any of them calls for a second person.
const (
	FlagPayerDiffers  = "payer_differs"  // the payer is not the company that applies
	FlagAmountDiffers = "amount_differs" // the voucher's amount is not what is due
	FlagSeenBefore    = "seen_before"    // the same picture, or nearly, came with another voucher
)

// VoucherState is how far a voucher is.
type VoucherState string

// The states of a voucher.
const (
	VoucherSubmitted VoucherState = "submitted" // finance looks for the money
	VoucherConfirmed VoucherState = "confirmed" // the money is there
	VoucherRejected  VoucherState = "rejected"  // sent back with a reason
)

// VoucherInput is what a payer types from the voucher (req B50), with its picture (req B51).
type VoucherInput struct {
	PayerName     string
	PayerLast4    string // last four digits of the payer's account
	Remark        string // 附言 as written on the transfer, optional
	AmountFen     int64
	TransferredOn clock.Date
	File          uuid.UUID // stored picture of this order, field VoucherField
}

// Voucher is a bank transfer as its payer describes it. A voucher is not a payment.
type Voucher struct {
	Tenant, ID, Order, Payment    uuid.UUID
	PayerName, PayerLast4, Remark string // personal data, sealed at rest: mask it
	AmountFen                     int64  // as typed
	DueFen                        int64  // as owed
	TransferredOn                 clock.Date
	File                          uuid.UUID
	Flags                         []string
	State                         VoucherState
	Reason                        string // why it was sent back
	BankTxnID                     string // line of the bank statement
	CreatedAt                     time.Time
	DecidedBy, SecondedBy         uuid.UUID // persons of finance
	DecidedAt                     *time.Time
}

// NeedsSecond tells that one person has confirmed a doubtful voucher and another must.
func (v Voucher) NeedsSecond() bool {
	return v.State == VoucherSubmitted && len(v.Flags) > 0 && v.DecidedBy != uuid.Nil
}

// normalised trims what was typed and reads full-width digits as digits.
func (in VoucherInput) normalised() VoucherInput {
	in.PayerName = strings.Join(strings.Fields(in.PayerName), " ")
	in.Remark = strings.TrimSpace(in.Remark)
	in.PayerLast4 = strings.Map(func(r rune) rune {
		if r >= '０' && r <= '９' {
			return r - '０' + '0'
		}
		return r
	}, strings.TrimSpace(in.PayerLast4))
	return in
}

// check lists every problem at once. A transfer lies between the order's day
// and today, as China counts days.
func (in VoucherInput) check(o order.Order, now time.Time) []fault.Field {
	var f []fault.Field
	if n := len([]rune(in.PayerName)); n == 0 || n > 100 {
		f = append(f, fault.At("payer_name", "payment.voucher_payer"))
	}
	if len(in.PayerLast4) != 4 || strings.Trim(in.PayerLast4, "0123456789") != "" {
		f = append(f, fault.At("payer_last4", "payment.voucher_last4"))
	}
	if len([]rune(in.Remark)) > 200 {
		f = append(f, fault.At("remark", "payment.voucher_remark"))
	}
	if in.AmountFen <= 0 {
		f = append(f, fault.At("amount", "payment.voucher_amount"))
	}
	first, today := clock.CivilDate(o.CreatedAt, clock.Shanghai), clock.CivilDate(now, clock.Shanghai)
	if !in.TransferredOn.Valid() || in.TransferredOn.Before(first) || in.TransferredOn.After(today) {
		f = append(f, fault.At("transferred_on", "payment.voucher_date", "From", first.String(), "To", today.String()))
	}
	return f
}

// SubmitVoucher hands a transfer voucher in: the order goes to finance
// (payment_check). Errors: fault.Invalid with every field, fault.Conflict when
// the order does not await payment.
func (s *Service) SubmitVoucher(ctx context.Context, tenantID, orderID uuid.UUID, in VoucherInput) (Voucher, error) {
	in = in.normalised()
	var v Voucher
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, t, prod, err := s.payable(ctx, tx, orderID, BankTransfer)
		if err != nil {
			return err
		}
		problems := in.check(o, tx.Now())
		pic, err := pictureOf(ctx, tx, o.ID, in.File)
		if err != nil {
			return err
		}
		if pic == nil {
			problems = append(problems, fault.At("file", "payment.voucher_file"))
		}
		if len(problems) > 0 {
			return fault.InvalidFields(problems...)
		}
		bank, ok := t.Bank(prod.Payment.Bank)
		if !ok {
			return fault.New(fault.Conflict, "payment.not_now", "State", string(o.State))
		}
		v = Voucher{Tenant: tenantID, ID: db.NewID(), Order: o.ID, PayerName: in.PayerName, PayerLast4: in.PayerLast4, Remark: in.Remark,
			AmountFen: in.AmountFen, DueFen: o.TotalFen, TransferredOn: in.TransferredOn, File: in.File, State: VoucherSubmitted, CreatedAt: tx.Now()}
		if v.Flags, err = flags(ctx, tx, o, in, *pic); err != nil {
			return err
		}
		return s.fileVoucher(ctx, tx, &o, &v, bank.Number)
	})
	return v, err
}

// fileVoucher stores the attempt and its voucher and moves the order on.
func (s *Service) fileVoucher(ctx context.Context, tx *db.Tx, o *order.Order, v *Voucher, payee string) error {
	id := db.NewID()
	p := Payment{ID: id, Order: o.ID, Channel: BankTransfer, OutTradeNo: hex.EncodeToString(id[:]), AmountFen: o.TotalFen, Payee: payee,
		State: Pending, ExpiresAt: tx.Now().AddDate(0, 0, reopenDays)}
	if err := insertPayment(ctx, tx, p, nil); err != nil {
		return err
	}
	v.Payment = id
	keys, err := s.vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return err
	}
	if err := insertVoucher(ctx, tx, keys, *v); err != nil {
		return err
	}
	if err := pollNow(ctx, tx, o.ID, id); err != nil { // codes of other channels are closed by the poller
		return err
	}
	return s.orders.Advance(ctx, tx, o, order.SubmitVoucher, map[string]any{"voucher": v.ID.String(), "flags": v.Flags})
}

// flags lists what is doubtful about a voucher.
func flags(ctx context.Context, tx *db.Tx, o order.Order, in VoucherInput, pic picture) ([]string, error) {
	out := []string{}
	if plainName(in.PayerName) != plainName(o.Organisation()) {
		out = append(out, FlagPayerDiffers)
	}
	if in.AmountFen != o.TotalFen {
		out = append(out, FlagAmountDiffers)
	}
	seen, err := seenBefore(ctx, tx, in.File, pic)
	if seen {
		out = append(out, FlagSeenBefore)
	}
	return out, err
}

// plainName compares names of companies: brackets and spaces are typed in many ways.
func plainName(s string) string {
	return strings.NewReplacer("（", "(", "）", ")", " ", "", "　", "", "·", "", "．", ".").Replace(strings.ToUpper(s))
}

// Confirm says that the money of a voucher stands in the bank statement, on
// line bankTxnID, with receivedFen. One line settles one order. A voucher with
// flags needs two persons: the first confirmation is kept, the second, by
// somebody else and with the same line, settles.
//
// If the order was paid otherwise meanwhile, the money is recorded and a
// refund proposed. Errors: fault.Denied, fault.Invalid (amount is not what is
// due: send the voucher back instead), fault.Conflict (decided already, same
// person twice, line used before).
func (s *Service) Confirm(ctx context.Context, tenantID, voucherID uuid.UUID, bankTxnID string, receivedFen int64) (Voucher, error) {
	bankTxnID = strings.TrimSpace(bankTxnID)
	var v Voucher
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, p, locked, err := s.lockVoucher(ctx, tx, voucherID)
		if err != nil {
			return err
		}
		v = locked
		if err := confirmable(v, authz.From(ctx).ID, bankTxnID, receivedFen, p.AmountFen); err != nil {
			return err
		}
		me := authz.From(ctx).ID
		first := len(v.Flags) > 0 && v.DecidedBy == uuid.Nil
		switch {
		case first:
			v.DecidedBy = me
		case v.DecidedBy != uuid.Nil:
			v.SecondedBy = me
		default:
			v.DecidedBy = me
		}
		v.BankTxnID = bankTxnID
		if !first {
			now := tx.Now()
			v.State, v.DecidedAt = VoucherConfirmed, &now
		}
		if err := s.decideVoucher(ctx, tx, v); err != nil {
			return err
		}
		entry := audit.Entry{Action: "voucher.confirm", Resource: "order/" + v.Order.String(), Detail: map[string]any{
			"voucher": v.ID.String(), "flags": v.Flags, "first_of_two": first, "received_fen": receivedFen}}
		if err := audit.Record(ctx, tx, entry); err != nil || first {
			return err
		}
		_, err = s.settle(ctx, tx, &o, p, receipt{TradeNo: bankTxnID, PaidAt: tx.Now()})
		return err
	})
	return v, err
}

// confirmable checks what a confirmation says.
func confirmable(v Voucher, me uuid.UUID, bankTxnID string, receivedFen, dueFen int64) error {
	switch {
	case v.State != VoucherSubmitted:
		return fault.New(fault.Conflict, "payment.voucher_decided")
	case bankTxnID == "" || len(bankTxnID) > 64:
		return fault.InvalidFields(fault.At("bank_txn_id", "payment.bank_line"))
	case receivedFen != dueFen:
		return fault.InvalidFields(fault.At("received", "payment.received_differs"))
	case v.DecidedBy != uuid.Nil && v.DecidedBy == me:
		return fault.New(fault.Conflict, "payment.second_person")
	case v.DecidedBy != uuid.Nil && v.BankTxnID != bankTxnID:
		return fault.InvalidFields(fault.At("bank_txn_id", "payment.bank_line_differs"))
	}
	return nil
}

// Reject sends a voucher back with a reason the payer reads; the order awaits payment again.
func (s *Service) Reject(ctx context.Context, tenantID, voucherID uuid.UUID, reason string) (Voucher, error) {
	reason = strings.TrimSpace(reason)
	if n := len([]rune(reason)); n == 0 || n > 500 {
		return Voucher{}, fault.InvalidFields(fault.At("reason", "payment.reason"))
	}
	var v Voucher
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, p, locked, err := s.lockVoucher(ctx, tx, voucherID)
		if err != nil {
			return err
		}
		v = locked
		if v.State != VoucherSubmitted {
			return fault.New(fault.Conflict, "payment.voucher_decided")
		}
		now := tx.Now()
		v.State, v.Reason, v.DecidedBy, v.DecidedAt, v.BankTxnID = VoucherRejected, reason, authz.From(ctx).ID, &now, ""
		if err := s.decideVoucher(ctx, tx, v); err != nil {
			return err
		}
		if err := markClosed(ctx, tx, p.ID, Closed, true); err != nil {
			return err
		}
		if err := audit.Record(ctx, tx, audit.Entry{Action: "voucher.reject", Resource: "order/" + v.Order.String(),
			Detail: map[string]any{"voucher": v.ID.String(), "flags": v.Flags}}); err != nil {
			return err
		}
		if o.State != order.PaymentCheck { // paid otherwise meanwhile
			return nil
		}
		return s.orders.Advance(ctx, tx, &o, order.RejectVoucher, map[string]any{"voucher": v.ID.String(), "reason": reason})
	})
	return v, err
}

// lockVoucher locks order, attempt and voucher for a person of finance.
func (s *Service) lockVoucher(ctx context.Context, tx *db.Tx, id uuid.UUID) (order.Order, Payment, Voucher, error) {
	keys, err := s.vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return order.Order{}, Payment{}, Voucher{}, err
	}
	v, err := voucherByID(ctx, tx, keys, id, "")
	if err != nil {
		return order.Order{}, Payment{}, Voucher{}, err
	}
	o, p, err := s.lockBoth(ctx, tx, v.Order, v.Payment)
	if err != nil {
		return order.Order{}, Payment{}, Voucher{}, err
	}
	if err := s.authz.Check(ctx, authz.PaymentConfirm, o.ResourceFor(ctx)); err != nil {
		return order.Order{}, Payment{}, Voucher{}, err
	}
	v, err = voucherByID(ctx, tx, keys, id, " FOR UPDATE OF v")
	return o, p, v, err
}

// Vouchers lists vouchers that wait for finance across tenants, oldest first.
func (s *Service) Vouchers(ctx context.Context, limit int) ([]Voucher, error) {
	if err := s.authz.CheckRoute(ctx, authz.PaymentConfirm, authz.From(ctx).Tenant); err != nil {
		return nil, err
	}
	var list []Voucher
	err := s.db.WithSystem(ctx, "console/vouchers", func(ctx context.Context, tx *db.Tx) (err error) {
		list, err = s.waitingVouchers(ctx, tx, authz.From(ctx).Tenant, limit)
		return err
	})
	return list, err
}

// Flagged tells whether a voucher carries a flag.
func (v Voucher) Flagged(flag string) bool { return slices.Contains(v.Flags, flag) }
