package overdue_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/clock"
	"certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/overdue"
	"certsaas/core/platform/platformtest"
)

// at puts the bench's clock to a moment of Shanghai.
func at(t *testing.T, b *platformtest.Bench, s string) {
	t.Helper()
	moment, err := time.ParseInLocation("2006-01-02 15:04", s, clock.Shanghai)
	if err != nil {
		t.Fatal(err)
	}
	b.Clock.SetNow(moment)
}

// warn is a run of the job; it must end with so many warned, ended, mailed.
func warn(t *testing.T, b *platformtest.Bench, step string, want overdue.Report) {
	t.Helper()
	got, err := b.Overdue.Warn(t.Context())
	if err != nil || got != want {
		t.Errorf("%s: %+v, %v, want %+v", step, got, err, want)
	}
}

// mails are the e-mails to a mailbox.
func mails(b *platformtest.Bench, box string) []string {
	var out []string
	for _, m := range b.SMS.Sent() {
		if m.To == box {
			out = append(out, m.Subject+"\n"+m.Text)
		}
	}
	return out
}

// What lies at a desk longer than its working days is told to its team, once for each stay there, in one e-mail for many
// orders and without personal data; a stay that is over ends the warning (issue 4 §3).
func TestWarnedOncePerOrderAndStage(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	at(t, b, "2026-11-30 10:00") // a Monday
	one, two := b.Submit(platformtest.Later, uuid.Nil, nil), b.Submit(platformtest.Later, uuid.Nil, nil)
	made := b.Approved(platformtest.Make, uuid.Nil, nil)
	b.Drain()
	if made.State != order.InProduction {
		t.Fatal(made.State)
	}
	at(t, b, "2026-12-01 17:29") // the desks have one working day, the day of receipt not counted
	warn(t, b, "in time", overdue.Report{})
	at(t, b, "2026-12-01 17:31")
	warn(t, b, "late", overdue.Report{Warned: 3, Mailed: 2})
	warn(t, b, "again", overdue.Report{})
	review, production := mails(b, "review@operator.example"), mails(b, "production@operator.example")
	if len(review) != 1 || len(production) != 1 || len(mails(b, "finance@operator.example")) != 0 {
		t.Fatalf("%d to review, %d to production", len(review), len(production))
	}
	for _, want := range []string{"2 件业务已超过办理时限", one.Number + "　待审核　应于 2026-12-01 17:30 前完成", two.Number, "【演示】", b.Sites.Console()} {
		if !strings.Contains(review[0], want) {
			t.Errorf("no %q in %s", want, review[0])
		}
	}
	for _, secret := range []string{"13800138000", "演示贸易有限公司", "91350200MA2XYKHT6G"} {
		if strings.Contains(review[0]+production[0], secret) {
			t.Errorf("%q is told", secret)
		}
	}
	open, err := b.Overdue.Open(b.Reviewer)
	if err != nil || open["in_review"] != 2 || open["in_production"] != 1 {
		t.Errorf("open: %v, %v", open, err)
	}
	if n := b.Count(`SELECT count(*) FROM audit_entries WHERE action = 'order.overdue'`); n != 3 {
		t.Errorf("%d audit entries", n)
	}
	b.Approve(b.Now(one))
	two = b.Reject(b.Now(two), "remark")
	warn(t, b, "decided", overdue.Report{Ended: 2})
	b.Fill(b.Dealer, two, form.Answers{"remark": "改好了"})
	if _, err = b.Orders.Submit(b.Dealer, b.ID, two.ID, order.Submission{Agreed: "service"}); err != nil {
		t.Fatal(err)
	}
	warn(t, b, "handed in again", overdue.Report{})
	at(t, b, "2026-12-02 17:31")
	warn(t, b, "late again", overdue.Report{Warned: 1, Mailed: 1})
	if n := len(mails(b, "review@operator.example")); n != 2 {
		t.Errorf("%d e-mails", n)
	}
}

// Days off do not count, and an invoice has its own time: paper by the day it was promised.
func TestWorkingDays(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	at(t, b, "2026-12-04 10:00") // a Friday
	b.Submit(platformtest.Later, uuid.Nil, nil)
	b.Approved(platformtest.Renew, uuid.Nil, form.Answers{"invoice_wanted": "yes", "invoice_kind": "e", "invoice_title": "演示贸易有限公司"})
	b.Approved(platformtest.Renew, uuid.Nil, form.Answers{"invoice_wanted": "yes", "invoice_kind": "paper", "invoice_title": "演示贸易有限公司"})
	b.Drain()
	if n := b.Count(`SELECT count(*) FROM invoices WHERE state = 'requested'`); n != 2 {
		t.Fatalf("%d invoices", n)
	}
	at(t, b, "2026-12-06 20:00")
	warn(t, b, "on Sunday", overdue.Report{})
	at(t, b, "2026-12-07 17:31")
	warn(t, b, "on Monday", overdue.Report{Warned: 1, Mailed: 1})
	at(t, b, "2026-12-11 17:29")
	warn(t, b, "the fifth working day", overdue.Report{})
	at(t, b, "2026-12-11 17:31")
	warn(t, b, "the electronic invoice", overdue.Report{Warned: 1, Mailed: 1})
	at(t, b, "2027-01-04 10:01")
	warn(t, b, "the paper invoice, a month after payment", overdue.Report{Warned: 1, Mailed: 1})
}

// An e-mail that cannot be sent now is sent by a later run, unless the work is done by then; the warning itself stands at once.
func TestMailIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	at(t, b, "2026-11-30 10:00")
	b.Submit(platformtest.Later, uuid.Nil, nil)
	at(t, b, "2026-12-01 18:00")
	b.SMS.FailNext(1)
	if r, err := b.Overdue.Warn(t.Context()); err == nil || r.Warned != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	warn(t, b, "the next run", overdue.Report{Mailed: 1})
	warn(t, b, "and the one after", overdue.Report{})
}

// The desk's time is what is due sooner: its own working days or what the applicant was promised.
func TestDueIsTheSooner(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	since := time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)
	day := func(d int) *time.Time { x := time.Date(2026, 12, d, 9, 30, 0, 0, time.UTC); return &x }
	for _, c := range []struct {
		product, stage string
		promised, want *time.Time
	}{
		{platformtest.Later, "in_review", nil, day(1)}, {platformtest.Later, "in_review", day(3), day(1)}, {platformtest.Later, "in_review", day(0), day(0)},
		{platformtest.Later, "refunding", day(0), day(2)}, {platformtest.Later, overdue.Invoice, nil, day(7)}, {platformtest.Later, overdue.Invoice, day(31), day(31)},
		{platformtest.Later, "rejected", day(3), day(3)}, {"GONE", "in_review", nil, nil},
	} {
		got := b.Overdue.Due(b.Tenant, c.product, c.stage, since, c.promised)
		if (got == nil) != (c.want == nil) || got != nil && !got.Equal(*c.want) {
			t.Errorf("%s %s, promised %v: %v, want %v", c.product, c.stage, c.promised, got, c.want)
		}
	}
}

// Every state in which the operator must act has a desk that is watched.
func TestEveryDeskIsWatched(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	for _, s := range []order.State{order.PaymentCheck, order.InReview, order.InProduction, order.ToDeliver, order.Refunding} {
		if b.Overdue.Due(b.Tenant, platformtest.Make, string(s), platformtest.Start, nil) == nil {
			t.Errorf("%s is not watched", s)
		}
	}
}
