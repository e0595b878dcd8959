package console

import (
	"context"

	"certsaas/core/platform"
	"certsaas/core/web"
	"certsaas/scheduler"
)

// Mount puts the staff's pages before a platform. watch says how the scheduler's jobs are doing.
func Mount(srv *web.Server, a *platform.Platform, watch *scheduler.Watch) error {
	d := Deps{
		DB: a.DB, Clock: a.Clock, Calendar: a.Calendar, Authz: a.Authz, Tenants: a.Tenants, Releases: a.Releases, Rules: a.Rules, Orders: a.Orders,
		Accounts: a.Accounts, Staff: a.Staff, Materials: a.Materials, Letters: a.Letters, Payments: a.Payments, Reviews: a.Reviews, Issuance: a.Issuance,
		Delivery: a.Delivery, Invoices: a.Invoices, Notify: a.Notify, Reminders: a.Reminders, Overdue: a.Overdue,
		Server: srv, HTTPS: a.Config.Secure(), Demo: a.Demo, Site: a.Sites.Portal, Worries: watch.Worries,
		Jobs: func(ctx context.Context) ([]scheduler.Health, error) {
			s, err := watch.Look(ctx)
			return s.Jobs, err
		},
	}
	if a.Demo {
		for _, s := range platform.DemoStaff {
			d.DemoHints = append(d.DemoHints, Hint{Login: s.Login, Name: s.Name, Password: platform.DemoStaffPassword, Secret: platform.DemoSecret(s.Login)})
		}
	}
	return srv.Mount(New(d).Routes(), web.Console)
}
