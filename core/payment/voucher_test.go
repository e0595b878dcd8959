package payment_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/order"
	"certsaas/core/payment"
)

// picture stores the row of an uploaded voucher picture.
func (h *house) picture(o order.Order, field string, sum byte, phash *int64) uuid.UUID {
	h.t.Helper()
	id := db.NewID()
	coretest.OwnerExec(h.t, h.db, `INSERT INTO files (tenant_id, id, order_id, field, blob_key, media_type, bytes, sha256, phash, uploaded_by, created_at)
		VALUES ($1, $2, $3, $4, $5, 'image/jpeg', 1, $6, $7, 'test', $8)`, h.id, id, o.ID, field, id.String(), []byte{sum}, phash, h.clock.Now())
	return id
}

func (h *house) slip(o order.Order, sum byte) payment.VoucherInput {
	return payment.VoucherInput{PayerName: "演示公司", PayerLast4: "1234", AmountFen: 20000,
		TransferredOn: clock.CivilDate(h.clock.Now(), clock.Shanghai), File: h.picture(o, payment.VoucherField, sum, nil)}
}

func (h *house) voucher(o order.Order, in payment.VoucherInput) payment.Voucher {
	h.t.Helper()
	v, err := h.pay.SubmitVoucher(h.dealer, h.id, o.ID, in)
	if err != nil {
		h.t.Fatal(err)
	}
	return v
}

// req: B47 B49 B50 B51 B52
func TestTransferWithVoucher(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	d, err := h.pay.Desk(h.dealer, h.id, o.ID)
	if err != nil || d.Bank == nil || d.Bank.Number != "6200000000000000" || d.Reference != o.Number {
		t.Fatalf("account: %+v %v", d.Bank, err)
	}
	in := h.slip(o, 1)
	in.PayerName, in.PayerLast4 = "  演示公司 ", "１２３４"
	v := h.voucher(o, in)
	if len(v.Flags) != 0 {
		t.Errorf("flags %v", v.Flags)
	}
	h.expect(o.ID, order.PaymentCheck)
	if n := h.count(`SELECT count(*) FROM vouchers WHERE position(convert_to('演示公司', 'UTF8') in payer_sealed) > 0`); n != 0 {
		t.Error("the payer lies open")
	}
	list, err := h.pay.Vouchers(h.finance, 10)
	if err != nil || len(list) != 1 || list[0].PayerName != "演示公司" || list[0].PayerLast4 != "1234" || list[0].DueFen != 20000 {
		t.Fatalf("%+v %v", list, err)
	}
	if _, err := h.pay.Vouchers(h.reviewer, 10); !errors.Is(err, fault.Denied) {
		t.Errorf("a reviewer sees vouchers: %v", err)
	}
	for who, ctx := range map[string]context.Context{"reviewer": h.reviewer, "dealer": h.dealer, "nobody": t.Context()} {
		if _, err := h.pay.Confirm(ctx, h.id, v.ID, "L1", 20000); err == nil {
			t.Errorf("%s confirmed", who)
		}
	}
	for name, c := range map[string]struct {
		line string
		fen  int64
	}{"no line": {"", 20000}, "less": {"L1", 19999}, "more": {"L1", 20001}} {
		if _, err := h.pay.Confirm(h.finance, h.id, v.ID, c.line, c.fen); !errors.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	h.expect(o.ID, order.PaymentCheck)
	if v, err = h.pay.Confirm(h.finance, h.id, v.ID, "L1", 20000); err != nil || v.State != payment.VoucherConfirmed {
		t.Fatalf("%+v %v", v, err)
	}
	h.expect(o.ID, order.InReview)
	if _, err := h.pay.Confirm(h.second, h.id, v.ID, "L2", 20000); !errors.Is(err, fault.Conflict) {
		t.Errorf("confirmed twice: %v", err)
	}
	// one line of the statement settles one order
	other := h.place("PAYFIRST")
	w := h.voucher(other, h.slip(other, 2))
	_, err = h.pay.Confirm(h.finance, h.id, w.ID, "L1", 20000)
	if f := fault.From(err); f == nil || f.ID != "payment.bank_line_used" {
		t.Errorf("line used twice: %v", err)
	}
	h.expect(other.ID, order.PaymentCheck)
	h.invariants()
}

// req: B50 B51
func TestVoucherProblemsAreAllNamed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o, other := h.place("PAYFIRST"), h.place("PAYFIRST")
	today := clock.Date{Year: 2026, Month: 11, Day: 28}
	h.clock.Set(time.Date(2026, 11, 28, 15, 59, 0, 0, time.UTC)) // a minute to midnight in China
	good := h.slip(o, 1)
	cases := map[string]struct {
		change func(*payment.VoucherInput)
		want   []string
	}{
		"nothing":               {func(in *payment.VoucherInput) { *in = payment.VoucherInput{} }, []string{"payer_name", "payer_last4", "amount", "transferred_on", "file"}},
		"letters":               {func(in *payment.VoucherInput) { in.PayerLast4 = "12a4" }, []string{"payer_last4"}},
		"five":                  {func(in *payment.VoucherInput) { in.PayerLast4 = "12345" }, []string{"payer_last4"}},
		"minus":                 {func(in *payment.VoucherInput) { in.AmountFen = -1 }, []string{"amount"}},
		"tomorrow":              {func(in *payment.VoucherInput) { in.TransferredOn = today.AddDays(1) }, []string{"transferred_on"}},
		"before the order":      {func(in *payment.VoucherInput) { in.TransferredOn = today.AddDays(-1) }, []string{"transferred_on"}},
		"no such day":           {func(in *payment.VoucherInput) { in.TransferredOn = clock.Date{Year: 2026, Month: 2, Day: 30} }, []string{"transferred_on"}},
		"other order's picture": {func(in *payment.VoucherInput) { in.File = h.picture(other, payment.VoucherField, 9, nil) }, []string{"file"}},
		"other field's picture": {func(in *payment.VoucherInput) { in.File = h.picture(o, "licence", 9, nil) }, []string{"file"}},
	}
	for name, c := range cases {
		in := good
		c.change(&in)
		_, err := h.pay.SubmitVoucher(h.dealer, h.id, o.ID, in)
		var got []string
		if f := fault.From(err); f != nil {
			for _, field := range f.Fields {
				got = append(got, field.Name)
			}
		}
		if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s: %s (%v)", name, d, err)
		}
	}
	h.expect(o.ID, order.AwaitingPayment)
	if _, err := h.pay.SubmitVoucher(h.stranger, h.id, o.ID, good); !errors.Is(err, fault.NotFound) {
		t.Errorf("another dealer: %v", err)
	}
	later := h.place("PAYLATER")
	if _, err := h.pay.SubmitVoucher(h.dealer, h.id, later.ID, good); !errors.Is(err, fault.Conflict) {
		t.Errorf("before review: %v", err)
	}
	h.voucher(o, good)
}

// Doubtful vouchers need two different persons who name the same line.
func TestDoubtfulVoucherNeedsTwo(t *testing.T) {
	t.Parallel()
	near, far := int64(0x0F0F0F0F0F0F0F0F), int64(0x0F0F0F0F0F0F0F0F)
	near, far = near^0b111, ^far // three bits, all bits
	base := int64(0x0F0F0F0F0F0F0F0F)
	cases := map[string]struct {
		slip func(h *house, o order.Order) payment.VoucherInput
		want []string
	}{
		"payer": {func(h *house, o order.Order) payment.VoucherInput {
			in := h.slip(o, 9)
			in.PayerName = "别的公司"
			return in
		}, []string{payment.FlagPayerDiffers}},
		"amount": {func(h *house, o order.Order) payment.VoucherInput {
			in := h.slip(o, 9)
			in.AmountFen = 19999
			return in
		}, []string{payment.FlagAmountDiffers}},
		"same bytes": {func(h *house, o order.Order) payment.VoucherInput { return h.slip(o, 1) }, []string{payment.FlagSeenBefore}},
		"nearly the same": {func(h *house, o order.Order) payment.VoucherInput {
			in := h.slip(o, 9)
			in.File = h.picture(o, payment.VoucherField, 8, &near)
			return in
		}, []string{payment.FlagSeenBefore}},
		"quite another": {func(h *house, o order.Order) payment.VoucherInput {
			in := h.slip(o, 9)
			in.File = h.picture(o, payment.VoucherField, 8, &far)
			return in
		}, []string{}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			old := h.place("PAYFIRST")
			in := h.slip(old, 1)
			in.File = h.picture(old, payment.VoucherField, 1, &base)
			h.voucher(old, in)
			o := h.place("PAYFIRST")
			v := h.voucher(o, c.slip(h, o))
			if d := cmp.Diff(c.want, v.Flags); d != "" {
				t.Fatal(d)
			}
			if len(c.want) == 0 {
				return
			}
			v, err := h.pay.Confirm(h.finance, h.id, v.ID, "L1", 20000)
			if err != nil || !v.NeedsSecond() {
				t.Fatalf("%+v %v", v, err)
			}
			h.expect(o.ID, order.PaymentCheck)
			if _, err := h.pay.Confirm(h.finance, h.id, v.ID, "L1", 20000); !errors.Is(err, fault.Conflict) {
				t.Errorf("same person twice: %v", err)
			}
			if _, err := h.pay.Confirm(h.second, h.id, v.ID, "L2", 20000); !errors.Is(err, fault.Invalid) {
				t.Errorf("another line: %v", err)
			}
			h.expect(o.ID, order.PaymentCheck)
			if v, err = h.pay.Confirm(h.second, h.id, v.ID, "L1", 20000); err != nil || v.SecondedBy == uuid.Nil || v.SecondedBy == v.DecidedBy {
				t.Errorf("%+v %v", v, err)
			}
			h.expect(o.ID, order.InReview)
			h.invariants()
		})
	}
}

// Sent back with a reason, the order awaits payment again, by whichever channel.
func TestVoucherSentBack(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	v := h.voucher(o, h.slip(o, 1))
	if _, err := h.pay.Begin(h.dealer, h.id, o.ID, payment.Alipay); !errors.Is(err, fault.Conflict) {
		t.Errorf("a code while finance looks: %v", err)
	}
	if _, err := h.pay.Reject(h.finance, h.id, v.ID, " "); !errors.Is(err, fault.Invalid) {
		t.Errorf("no reason: %v", err)
	}
	if _, err := h.pay.Reject(h.reviewer, h.id, v.ID, "看不清"); !errors.Is(err, fault.Denied) {
		t.Errorf("by a reviewer: %v", err)
	}
	if _, err := h.pay.Reject(h.finance, h.id, v.ID, "看不清"); err != nil {
		t.Fatal(err)
	}
	h.expect(o.ID, order.AwaitingPayment)
	d, err := h.pay.Desk(h.dealer, h.id, o.ID)
	if err != nil || d.Voucher == nil || d.Voucher.Reason != "看不清" || d.Voucher.State != payment.VoucherRejected {
		t.Errorf("%+v %v", d.Voucher, err)
	}
	if _, err := h.pay.Confirm(h.finance, h.id, v.ID, "L1", 20000); !errors.Is(err, fault.Conflict) {
		t.Errorf("confirmed after all: %v", err)
	}
	again := h.voucher(o, h.slip(o, 2))
	if _, err := h.pay.Confirm(h.finance, h.id, again.ID, "L1", 20000); err != nil {
		t.Fatal(err)
	}
	h.expect(o.ID, order.InReview)
	h.invariants()
}

// P4: the slip is approved while Alipay pays. One settles, the other goes back.
func TestSlipApprovedWhileAlipayPays(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	p := h.begin(o, payment.Alipay)
	v := h.voucher(o, h.slip(o, 1))
	h.tap(p)
	body := h.notice(p)
	var wg sync.WaitGroup
	wg.Go(func() {
		if got := h.tell(payment.Alipay, body); got != "success" {
			t.Errorf("answer %q", got)
		}
	})
	wg.Go(func() {
		if _, err := h.pay.Confirm(h.finance, h.id, v.ID, "L1", 20000); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	h.expect(o.ID, order.InReview)
	if n := h.count(`SELECT count(*) FROM refunds WHERE cause = 'double_payment' AND state = 'proposed'`); n != 1 {
		t.Errorf("%d refunds", n)
	}
	h.books()
}

// A transfer is given back by a person, who names the line.
func TestRefundOfATransfer(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	o := h.place("PAYFIRST")
	p := h.begin(o, payment.Alipay)
	v := h.voucher(o, h.slip(o, 1))
	h.paid(p) // Alipay is first
	if _, err := h.pay.Confirm(h.finance, h.id, v.ID, "L1", 20000); err != nil {
		t.Fatal(err)
	}
	list, err := h.pay.Refunds(h.finance, 10)
	if err != nil || len(list) != 1 || list[0].Channel != payment.BankTransfer {
		t.Fatalf("%+v %v", list, err)
	}
	r := list[0]
	if _, err := h.pay.ConfirmRefundSent(h.finance, h.id, r.ID, "OUT1"); !errors.Is(err, fault.Conflict) {
		t.Errorf("sent before approved: %v", err)
	}
	if r, err = h.pay.Approve(h.second, h.id, r.ID); err != nil || r.State != payment.RefundApproved {
		t.Fatalf("%+v %v", r, err)
	}
	h.clock.Advance(time.Hour)
	if rep, err := h.pay.RunRefunds(t.Context(), 10); err != nil || rep.Sent != 0 {
		t.Errorf("a gateway was asked: %+v %v", rep, err)
	}
	if r, err = h.pay.ConfirmRefundSent(h.finance, h.id, r.ID, "OUT1"); err != nil || r.State != payment.RefundPaid {
		t.Errorf("%+v %v", r, err)
	}
	h.expect(o.ID, order.InReview)
	h.books()
}
