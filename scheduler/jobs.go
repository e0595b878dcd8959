package scheduler

import (
	"context"
	"time"

	"certsaas/core/platform"
)

// batch is how much one run of a job takes on.
const batch = 100

// Jobs lists the platform's own jobs.
func Jobs(p *platform.Platform) []Job {
	return []Job{
		{Name: "outbox", Every: time.Second, Run: func(ctx context.Context) (map[string]int, error) {
			r, err := p.Outbox.RunOnce(ctx, batch)
			return map[string]int{"done": r.Done, "retried": r.Retried, "dead": r.Dead}, err
		}},
		{Name: "audit-seal", Every: time.Second, Run: func(ctx context.Context) (map[string]int, error) {
			n, err := p.Sealer.RunOnce(ctx, 10*batch)
			return map[string]int{"sealed": n}, err
		}},
		{Name: "payment-poll", Every: 3 * time.Second, Run: func(ctx context.Context) (map[string]int, error) {
			r, err := p.Payments.PollDue(ctx, batch)
			return map[string]int{"asked": r.Asked, "paid": r.Paid, "closed": r.Closed, "failed": r.Failed}, err
		}},
		{Name: "refund", Every: 10 * time.Second, Run: func(ctx context.Context) (map[string]int, error) {
			r, err := p.Payments.RunRefunds(ctx, batch)
			return map[string]int{"sent": r.Sent, "done": r.Done, "refused": r.Refused, "failed": r.Failed}, err
		}},
		counted("order-lapse", time.Minute, func(ctx context.Context) (int, error) { return p.Orders.LapseDue(ctx, batch) }),
		counted("issuance-sweep", 30*time.Second, func(ctx context.Context) (int, error) { return p.Issuance.Sweep(ctx, time.Minute, batch) }),
		counted("crl", 5*time.Second, func(ctx context.Context) (int, error) { return p.Issuance.RefreshCRLs(ctx, p.CA) }),
		counted("draft-forget", time.Hour, func(ctx context.Context) (int, error) {
			return p.Materials.ForgetDrafts(ctx, p.Clock.Now().Add(-30*24*time.Hour), batch)
		}),
		counted("file-reap", time.Hour, func(ctx context.Context) (int, error) { return p.Materials.Reap(ctx, p.Clock.Now().Add(-time.Hour)) }),
		counted("session-sweep", time.Hour, func(ctx context.Context) (int, error) {
			a, err := p.Accounts.Sweep(ctx, 30*24*time.Hour)
			if err != nil {
				return 0, err
			}
			b, err := p.Staff.Sweep(ctx, 30*24*time.Hour)
			return int(a + b), err
		}),
		{Name: "reminder-sweep", Every: time.Minute, Limit: 10 * time.Minute, Next: "renewal-open", Run: func(ctx context.Context) (map[string]int, error) {
			r, err := p.Reminders.Sweep(ctx)
			return map[string]int{"written": r.Written, "renewals": r.Renewals, "skipped": r.Skipped, "cancelled": r.Cancelled}, err
		}},
		followed("reminder-form", counted("renewal-open", 10*time.Second, func(ctx context.Context) (int, error) { return p.Reminders.OpenOrders(ctx, batch) })),
		{Name: "renewal-withdraw", Every: time.Minute, Limit: 5 * time.Minute, Run: func(ctx context.Context) (map[string]int, error) {
			r, err := p.Reminders.Withdraw(ctx, batch)
			return map[string]int{"ordered": r.Ordered, "withdrawn": r.Withdrawn}, err
		}},
		followed("reminder-send", counted("reminder-form", 30*time.Second, func(ctx context.Context) (int, error) { return p.Reminders.FormNotices(ctx, 10*batch) })),
		{Name: "reminder-send", Every: 5 * time.Second, Limit: 5 * time.Minute, Run: func(ctx context.Context) (map[string]int, error) {
			r, err := p.Reminders.Send(ctx, batch)
			return map[string]int{"sent": r.Sent, "retried": r.Retried, "next_contact": r.NextContact, "dropped": r.Dropped, "dead": r.Dead}, err
		}},
		{Name: "sla-warning", Every: 5 * time.Minute, Limit: 5 * time.Minute, Run: func(ctx context.Context) (map[string]int, error) {
			r, err := p.Overdue.Warn(ctx)
			return map[string]int{"warned": r.Warned, "ended": r.Ended, "mailed": r.Mailed}, err
		}},
		counted("holiday-calendar", time.Hour, func(ctx context.Context) (int, error) { return p.Reminders.MissingCalendar(ctx), nil }),
		counted("outbox-purge", time.Hour, func(ctx context.Context) (int, error) {
			n, err := p.Outbox.Purge(ctx, 30*24*time.Hour)
			return int(n), err
		}),
	}
}

// counted is a job that says one number.
func counted(name string, every time.Duration, run func(context.Context) (int, error)) Job {
	return Job{Name: name, Every: every, Limit: 5 * time.Minute, Run: func(ctx context.Context) (map[string]int, error) {
		n, err := run(ctx)
		return map[string]int{"done": n}, err
	}}
}

// followed is a job whose work another one goes on with.
func followed(next string, j Job) Job {
	j.Next = next
	return j
}
