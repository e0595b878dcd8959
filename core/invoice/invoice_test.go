package invoice_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/invoice"
	"certsaas/core/order"
	"certsaas/core/platform/platformtest"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(invoice.Messages) {
		t.Error(p)
	}
}

var (
	electronic = form.Answers{"invoice_wanted": "yes", "invoice_kind": "e", "invoice_title": "演示贸易有限公司"}
	onPaper    = form.Answers{"invoice_wanted": "yes", "invoice_kind": "paper", "invoice_title": "演示贸易有限公司"}
	pdf        = []byte("%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n")
)

func of(b *platformtest.Bench, o order.Order) (inv *invoice.Invoice) {
	b.Tx(func(ctx context.Context, tx *db.Tx) (err error) {
		inv, err = b.Invoices.Of(ctx, tx, o.ID)
		return err
	})
	return inv
}

// Asked for only when the money is there and the review has passed, and once. // req: B9 K28
func TestRequest(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	sys := b.As(authz.System("test/outbox"))
	o := b.Submit(platformtest.Renew, uuid.Nil, electronic)
	b.Drain()
	if o = b.Pay(o); of(b, o) != nil {
		t.Error("requested before review")
	}
	b.Drain()
	if of(b, o) != nil {
		t.Error("requested before review")
	}
	o = b.Approve(o)
	b.Drain()
	for range 2 {
		if err := b.Invoices.Request(sys, b.ID, o.ID); err != nil {
			t.Fatal(err)
		}
	}
	inv := of(b, o)
	if inv == nil || inv.State != invoice.Requested || inv.AmountFen != o.TotalFen || inv.Header.Title != "演示贸易有限公司" || inv.DueAt != nil {
		t.Fatalf("%+v", inv)
	}
	if n := b.Count(`SELECT count(*) FROM invoices`) + b.Count(`SELECT count(*) FROM audit_entries WHERE action = 'invoice.requested'`); n != 2 {
		t.Errorf("%d rows and entries, want one of each", n)
	}
	paper := b.Approved(platformtest.Renew, uuid.Nil, onPaper)
	b.Drain()
	if inv = of(b, paper); inv == nil || inv.DueAt == nil || inv.DueAt.In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly) != "2026-12-30" {
		t.Errorf("paper is due a month after payment: %+v", inv)
	}
	for _, product := range []string{platformtest.Renew, platformtest.Free} {
		typed := form.Answers{"invoice_wanted": "no"}
		if product == platformtest.Free {
			typed = electronic
		}
		x := b.Approved(product, uuid.Nil, typed)
		b.Drain()
		if of(b, x) != nil {
			t.Errorf("%s: an invoice nobody wants or paid for", product)
		}
	}
	list, err := b.Invoices.Pending(b.Finance)
	if err != nil || len(list) != 2 || list[0].Order != paper.ID {
		t.Errorf("pending %d, %v; the one with a due time comes first", len(list), err)
	}
	if _, err := b.Invoices.Pending(b.Dealer); !errors.Is(err, fault.Denied) {
		t.Errorf("a dealer: %v", err)
	}
}

// The issued file comes with a number that no other order has. // req: K29
func TestUpload(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	one, two := b.Approved(platformtest.Renew, uuid.Nil, electronic), b.Approved(platformtest.Renew, uuid.Nil, electronic)
	b.Drain()
	const number = "26332000000000000001"
	good := invoice.Issue{Number: "2633 2000 0000 0000 0001", IssuedOn: "2026-11-30", File: pdf}
	for _, x := range []struct {
		name   string
		change func(*invoice.Issue)
		field  string
	}{
		{"short number", func(i *invoice.Issue) { i.Number = "123" }, "number"},
		{"no day", func(i *invoice.Issue) { i.IssuedOn = "30.11." }, "issued_on"},
		{"a day to come", func(i *invoice.Issue) { i.IssuedOn = "2026-12-24" }, "issued_on"},
		{"no file", func(i *invoice.Issue) { i.File = nil }, "file"},
		{"a program", func(i *invoice.Issue) { i.File = []byte("MZ\x90\x00") }, "file"},
	} {
		in := good
		x.change(&in)
		err := b.Invoices.Upload(b.Finance, b.ID, one.ID, in)
		if f := fault.From(err); !errors.Is(err, fault.Invalid) || len(f.Fields) != 1 || f.Fields[0].Name != x.field {
			t.Errorf("%s: %v, want a problem at %s", x.name, err, x.field)
		}
	}
	if err := b.Invoices.Upload(b.Reviewer, b.ID, one.ID, good); !errors.Is(err, fault.Denied) {
		t.Errorf("a reviewer: %v", err)
	}
	if err := b.Invoices.Upload(b.Finance, b.ID, one.ID, good); err != nil {
		t.Fatal(err)
	}
	if inv := of(b, one); inv.State != invoice.Done || inv.Number != number || inv.File == uuid.Nil || inv.IssuedAt == nil {
		t.Errorf("%+v", inv)
	}
	if err := b.Invoices.Upload(b.Other, b.ID, one.ID, good); !errors.Is(err, fault.Conflict) {
		t.Errorf("issued twice: %v", err)
	}
	err := b.Invoices.Upload(b.Finance, b.ID, two.ID, good)
	if f := fault.From(err); !errors.Is(err, fault.Invalid) || f.Fields[0].ID != "invoice.number_used" {
		t.Errorf("a number twice: %v", err)
	}
	if n := b.Count(`SELECT count(*) FROM outbox WHERE kind = 'order.invoice_issued'`); n != 1 {
		t.Errorf("%d messages", n)
	}
	if n := b.Count(`SELECT count(*) FROM files WHERE field = 'invoice'`); n != 1 {
		t.Errorf("%d files kept, want that of the issued one", n)
	}
}

// While the money may go back nothing is issued; when it has gone the request is withdrawn.
func TestRefund(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o := b.Approved(platformtest.Renew, uuid.Nil, electronic)
	b.Drain()
	r, err := b.Payments.RequestRefund(b.Dealer, b.ID, o.ID, "不需要了")
	if err != nil {
		t.Fatal(err)
	}
	issue := invoice.Issue{Number: "26332000000000000001", IssuedOn: "2026-11-30", File: pdf}
	if err := b.Invoices.Upload(b.Finance, b.ID, o.ID, issue); !errors.Is(err, fault.Conflict) {
		t.Errorf("issued while refunding: %v", err)
	}
	if list, err := b.Invoices.Pending(b.Finance); err != nil || len(list) != 0 {
		t.Errorf("pending %d, %v", len(list), err)
	}
	if _, err := b.Payments.Approve(b.Finance, b.ID, r.ID); err != nil {
		t.Fatal(err)
	}
	b.Clock.Shift(time.Minute)
	if _, err := b.Payments.RunRefunds(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	b.Drain()
	if of(b, o) != nil {
		t.Error("the request stands")
	}
	if n := b.Count(`SELECT count(*) FROM audit_entries WHERE action = 'invoice.withdrawn'`); n != 1 {
		t.Errorf("%d entries", n)
	}
}
