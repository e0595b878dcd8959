package main

import (
	"context"
	"errors"
	"slices"

	"certsaas/console"
	"certsaas/core/payment/demopay"
	"certsaas/core/platform"
	"certsaas/core/web"
	"certsaas/portal"
)

// server mounts the pages of the parts.
func (p *program) server(parts []string) (*web.Server, error) {
	a := p.all
	srv, err := web.New(web.Config{
		Secret: a.Vault.PlatformKeys().MAC("web", []byte("secret")), HTTPS: p.cfg.Secure(), TrustedProxies: p.cfg.Web.TrustedProxies,
		Hosts: a.Sites.Hosts(), Bundle: a.Bundle, Authorizer: a.Authz, Sessions: a.Sessions, Now: a.Clock.Now,
		Ready: map[string]func(context.Context) error{"database": platform.Ready(p.data.DB)}, Worries: p.watch.Worries,
	})
	if err != nil {
		return nil, err
	}
	p.watch.Export(srv.Metrics())
	if slices.Contains(parts, "portal") {
		dealer := portal.New(portal.Deps{
			DB: a.DB, Clock: a.Clock, Authz: a.Authz, Tenants: a.Tenants, Rules: a.Rules, Accounts: a.Accounts, Orders: a.Orders, Materials: a.Materials,
			Letters: a.Letters, Payments: a.Payments, Reviews: a.Reviews, Issuance: a.Issuance, Delivery: a.Delivery, Invoices: a.Invoices, Reminders: a.Reminders,
			Server: srv, HTTPS: p.cfg.Secure(), Demo: p.demo, Site: a.Sites.Portal,
		})
		err = errors.Join(srv.Mount(dealer.Routes(), web.Portal), srv.Mount(dealer.PlatformRoutes(), web.Platform))
		if p.demo {
			err = errors.Join(err, srv.Mount(demoPayRoutes(a.DemoPay), web.Platform))
		}
	}
	if slices.Contains(parts, "console") {
		err = errors.Join(err, srv.Mount(p.staffPages(srv).Routes(), web.Console))
	}
	srv.Seal()
	return srv, err
}

// staffPages wires the console.
func (p *program) staffPages(srv *web.Server) *console.Console {
	a := p.all
	d := console.Deps{
		DB: a.DB, Clock: a.Clock, Calendar: a.Calendar, Authz: a.Authz, Tenants: a.Tenants, Releases: a.Releases, Rules: a.Rules, Orders: a.Orders,
		Accounts: a.Accounts, Staff: a.Staff, Materials: a.Materials, Letters: a.Letters, Payments: a.Payments, Reviews: a.Reviews, Issuance: a.Issuance,
		Delivery: a.Delivery, Invoices: a.Invoices, Notify: a.Notify, Reminders: a.Reminders, Overdue: a.Overdue, Server: srv, HTTPS: p.cfg.Secure(), Demo: p.demo, Site: a.Sites.Portal,
		Worries: p.watch.Worries, Jobs: p.jobs,
	}
	if p.demo {
		for _, s := range platform.DemoStaff {
			d.DemoHints = append(d.DemoHints, console.Hint{Login: s.Login, Name: s.Name, Password: platform.DemoStaffPassword, Secret: platform.DemoSecret(s.Login)})
		}
	}
	return console.New(d)
}

// jobs is how the scheduler's jobs are doing, in the console's words.
func (p *program) jobs(ctx context.Context) ([]console.JobHealth, error) {
	s, err := p.watch.Look(ctx)
	out := make([]console.JobHealth, len(s.Jobs))
	for i, h := range s.Jobs {
		out[i] = console.JobHealth(h)
	}
	return out, err
}

// demoPayRoutes puts the demonstration's payment company on the platform's host: another party, so without our cookies and tokens.
func demoPayRoutes(provider *demopay.Provider) []web.Route {
	var out []web.Route
	for _, r := range provider.Routes() {
		out = append(out, web.Route{Method: r.Method, Path: r.Path, Handler: r.Handler, Machine: true})
	}
	return out
}
