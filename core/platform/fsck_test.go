package platform_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/coretest"
	"certsaas/core/delivery"
	"certsaas/core/form"
	"certsaas/core/invoice"
	"certsaas/core/order"
	"certsaas/core/platform/platformtest"
)

// busy is a platform on which one of each thing has happened; it answers a completed order.
func busy(t *testing.T) (*platformtest.Bench, order.Order) {
	t.Helper()
	b := platformtest.NewBench(t)
	_, old, _ := b.OldKey(20)
	done, _, _ := b.Write(b.Approved(platformtest.Renew, old, form.Answers{"quantity": "2", "invoice_wanted": "yes", "invoice_kind": "e", "invoice_title": "演示"}))
	b.Approved(platformtest.Revoke, uuid.Nil, nil)
	b.Draft(platformtest.Later, uuid.Nil, nil)
	b.Reject(b.Submit(platformtest.Later, uuid.Nil, form.Answers{"quantity": "3"}), "org_name")
	if _, err := b.Orders.Cancel(b.Dealer, b.ID, b.Submit(platformtest.Renew, uuid.Nil, nil).ID); err != nil {
		t.Fatal(err)
	}
	made, _, _ := b.Write(b.Approved(platformtest.Make, uuid.Nil, nil))
	made = b.Now(made)
	if _, err := b.Delivery.Ship(b.Producer, b.ID, made.ID, delivery.Dispatch{Version: made.Version, Purpose: delivery.Key, Carrier: "sf", Waybill: "SF7444400043266"}); err != nil {
		t.Fatal(err)
	}
	r, err := b.Payments.RequestRefund(b.Dealer, b.ID, b.Approved(platformtest.Renew, uuid.Nil, nil).ID, "不需要了")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Payments.Approve(b.Finance, b.ID, r.ID); err != nil {
		t.Fatal(err)
	}
	b.Clock.Shift(time.Minute)
	if _, err := b.Payments.RunRefunds(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	b.Drain()
	pdf := []byte("%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n")
	if err := b.Invoices.Upload(b.Finance, b.ID, done.ID, invoice.Issue{Number: "26332000000000000001", IssuedOn: "2026-11-30", File: pdf}); err != nil {
		t.Fatal(err)
	}
	b.Drain()
	if _, err := b.Issuance.RefreshCRLs(t.Context(), b.CA); err != nil {
		t.Fatal(err)
	}
	b.Seal()
	return b, b.Now(done)
}

func fsck(t *testing.T, b *platformtest.Bench) string {
	t.Helper()
	found, err := b.Fsck(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, f := range found {
		if f.Remedy == "" {
			t.Errorf("%s: no remedy", f.What)
		}
		all.WriteString(f.String() + "\n")
	}
	return all.String()
}

// Fsck finds nothing where nothing is wrong, and each violation that is planted.
func TestFsck(t *testing.T) {
	t.Parallel()
	b, done := busy(t)
	if got := fsck(t, b); got != "" {
		t.Fatalf("a healthy platform:\n%s", got)
	}
	for _, plant := range []struct{ name, sql, undo string }{
		{"a paid order has one payment that settles it", `UPDATE payments SET amount_fen = amount_fen + 1 WHERE settles AND order_id = '` + done.ID.String() + `'`,
			`UPDATE payments SET amount_fen = amount_fen - 1 WHERE settles AND order_id = '` + done.ID.String() + `'`},
		{"a payment that settles belongs to a paid order", `UPDATE orders SET paid_at = NULL WHERE id = '` + done.ID.String() + `'`,
			`UPDATE orders SET paid_at = submitted_at WHERE id = '` + done.ID.String() + `'`},
		{"money that settles nothing is on its way back", `UPDATE payments SET settles = false WHERE order_id = '` + done.ID.String() + `'`,
			`UPDATE payments SET settles = true WHERE order_id = '` + done.ID.String() + `'`},
		{"a certificate of the platform has an intent", `UPDATE issuance_intents SET state = 'prepared'`, `UPDATE issuance_intents SET state = 'issued'`},
		{"an intent that was carried out has its certificate", `UPDATE certificates SET order_id = NULL, intent_id = NULL`, ""},
		{"the state of an order is the last of its time line", `UPDATE orders SET state = 'in_review' WHERE state = 'completed'`, `UPDATE orders SET state = 'completed' WHERE state = 'in_review'`},
		{"an order has an item for each key", `UPDATE orders SET quantity = quantity + 1 WHERE state = 'rejected'`, `UPDATE orders SET quantity = quantity - 1 WHERE state = 'rejected'`},
		{"the lines of a price make its total", `UPDATE orders SET total_fen = total_fen + 1 WHERE state = 'rejected'`, `UPDATE orders SET total_fen = total_fen - 1 WHERE state = 'rejected'`},
		{"a completed order has every key done", `UPDATE order_items SET state = 'waiting' WHERE state = 'done'`, `UPDATE order_items SET state = 'done' WHERE state = 'waiting' AND done_at IS NOT NULL`},
		{"an item that waits for its proof has a live certificate", `UPDATE order_items SET state = 'issued' WHERE state = 'waiting'`, `UPDATE order_items SET state = 'waiting' WHERE state = 'issued'`},
		{"an issued invoice has its file", `UPDATE invoices SET file_id = NULL`, `UPDATE invoices SET file_id = (SELECT id FROM files WHERE field = 'invoice')`},
		{"a revocation list is in force", `UPDATE crls SET next_update = this_update`, `UPDATE crls SET next_update = this_update + interval '7 days'`},
		{"the outbox is young", `UPDATE outbox SET done_at = NULL, attempts = 0, due_at = due_at - interval '1 day'`, `UPDATE outbox SET done_at = due_at`},
		{"no message is dead", `UPDATE outbox SET dead_at = due_at, done_at = NULL`, `UPDATE outbox SET dead_at = NULL, done_at = due_at`},
		{"a step of the time line is in the audit", `UPDATE order_events SET at = at + interval '1 ms' WHERE event = 'paid'`, `UPDATE order_events SET at = at - interval '1 ms' WHERE event = 'paid'`},
		{"an issued certificate is in the audit", `UPDATE certificates SET intent_id = (SELECT id FROM issuance_intents WHERE item_id = certificates.item_id LIMIT 1), order_id = (SELECT order_id FROM order_items WHERE id = item_id); UPDATE audit_entries SET detail = detail - 'certificate' WHERE action = 'certificate.issued'`, ""},
		{"the audit chain is whole", `UPDATE audit_entries SET actor_name = 'nobody' WHERE action = 'order.approve'`, ""},
		{"an order whose money went back has no live certificate", `UPDATE orders SET state = 'refunded' WHERE id = '` + done.ID.String() + `'`, ""},
	} {
		coretest.OwnerExec(t, b.DB, plant.sql)
		if got := fsck(t, b); !strings.Contains(got, plant.name) {
			t.Errorf("planted %q, found:\n%s", plant.name, got)
		}
		if plant.undo != "" {
			coretest.OwnerExec(t, b.DB, plant.undo)
		}
	}
}

// A stored file that is gone is found.
func TestFsckFindsLostFiles(t *testing.T) {
	t.Parallel()
	b, _ := busy(t)
	if err := os.RemoveAll(filepath.Join(b.DataDir, "blobs")); err != nil {
		t.Fatal(err)
	}
	if got := fsck(t, b); !strings.Contains(got, "every stored file is there") {
		t.Errorf("found:\n%s", got)
	}
}

// Doctor names what is not as it should be, and nothing else on a fresh demonstration but the SMS provider it does not need.
func TestDoctor(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	doctor := func() string {
		found, err := b.Doctor(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, f := range found {
			all = append(all, f.String())
		}
		return strings.Join(all, "\n")
	}
	for _, f := range strings.Split(doctor(), "\n") {
		if f != "" && !strings.HasPrefix(f, " ") && !strings.Contains(f, "SMS") && !strings.Contains(f, "holiday calendar") {
			t.Errorf("fresh: %s", f)
		}
	}
	coretest.OwnerExec(t, b.DB, `ALTER TABLE orders NO FORCE ROW LEVEL SECURITY`)
	if got := doctor(); !strings.Contains(got, "orders") {
		t.Errorf("isolation switched off, found:\n%s", got)
	}
	b.Clock.SetNow(time.Date(2031, 5, 1, 0, 0, 0, 0, time.UTC))
	if got := doctor(); !strings.Contains(got, "2031") {
		t.Errorf("no calendar for 2031, found:\n%s", got)
	}
}

// What follows from an order's steps comes once, however often the outbox tells it.
func TestOutboxTellsTwice(t *testing.T) {
	t.Parallel()
	b, _ := busy(t)
	counts := func() (out [4]int) {
		for i, table := range []string{"messages", "invoices", "reviews", "certificates"} {
			out[i] = b.Count(`SELECT count(*) FROM ` + table)
		}
		return out
	}
	before := counts()
	coretest.OwnerExec(t, b.DB, `UPDATE outbox SET done_at = NULL, attempts = 0, due_at = now() - interval '100 days'`)
	b.Drain()
	if after := counts(); before != after {
		t.Errorf("messages, invoices, reviews, certificates: %v, told twice %v", before, after)
	}
}
