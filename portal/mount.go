package portal

import (
	"errors"

	"certsaas/core/payment/demopay"
	"certsaas/core/platform"
	"certsaas/core/web"
)

// Mount puts the portals' pages before a platform, and in a demonstration those of its payment company.
func Mount(srv *web.Server, a *platform.Platform) error {
	p := New(Deps{
		DB: a.DB, Clock: a.Clock, Authz: a.Authz, Tenants: a.Tenants, Rules: a.Rules, Accounts: a.Accounts, Orders: a.Orders, Materials: a.Materials,
		Letters: a.Letters, Payments: a.Payments, Reviews: a.Reviews, Issuance: a.Issuance, CA: a.CA, Delivery: a.Delivery, Invoices: a.Invoices, Reminders: a.Reminders,
		Server: srv, HTTPS: a.Config.Secure(), Demo: a.Demo, Site: a.Sites.Portal,
	})
	err := errors.Join(srv.Mount(p.Routes(), web.Portal), srv.Mount(p.PlatformRoutes(), web.Platform))
	if a.DemoPay != nil {
		err = errors.Join(err, srv.Mount(demoPayRoutes(a.DemoPay), web.Platform))
	}
	return err
}

// demoPayRoutes puts the demonstration's payment company on the platform's host: another party, so without our cookies and tokens.
func demoPayRoutes(provider *demopay.Provider) []web.Route {
	var out []web.Route
	for _, r := range provider.Routes() {
		out = append(out, web.Route{Method: r.Method, Path: r.Path, Handler: r.Handler, Machine: true})
	}
	return out
}
