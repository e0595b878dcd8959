// Package portal is what an applicant sees: the entry of a product, registration and login, the order form with its
// pictures and letter, confirmation, payment, the order centre, the key page and the guide.
//
// In: the services of core and the route table of core/web. Out: HTML pages that work without JavaScript, and the
// redirects between them. Everything on a page that differs from tenant to tenant comes from the compiled tenant; no
// handler knows which tenant it serves. Money, states and rules are decided by the services, never here.
package portal

import (
	"context"
	"embed"

	"github.com/google/uuid"

	"certsaas/core/account"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/delivery"
	"certsaas/core/invoice"
	"certsaas/core/issuance"
	"certsaas/core/letter"
	"certsaas/core/material"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/reminder"
	"certsaas/core/review"
	"certsaas/core/rules"
	"certsaas/core/tenant"
	"certsaas/core/web"
)

// Messages are the sentences of the way from the entry to the submitted order.
//
//go:embed messages.*.toml
var Messages embed.FS

// Tenants finds compiled releases.
type Tenants interface {
	// At is the tenant as of one release.
	At(ctx context.Context, tenantID uuid.UUID, release int) (*tenant.Tenant, error)
	// All lists the tenants in their current release, in a stable order.
	All(ctx context.Context) ([]*tenant.Tenant, error)
	// ByLink and ByProduct find the tenant that sells a product by its short link or its code.
	ByLink(ctx context.Context, link string) (*tenant.Tenant, error)
	ByProduct(ctx context.Context, code string) (*tenant.Tenant, error)
}

// Deps is what a Portal stands on.
type Deps struct {
	DB        *db.DB
	Clock     clock.Clock
	Authz     *authz.Authorizer
	Tenants   Tenants
	Rules     *rules.Engine
	Accounts  *account.Service
	Orders    *order.Service
	Materials *material.Service
	Letters   *letter.Service
	Payments  *payment.Service
	Reviews   *review.Service
	Issuance  *issuance.Service
	CA        *issuance.Local // answers those who check certificates
	Delivery  *delivery.Service
	Invoices  *invoice.Service
	Reminders *reminder.Service // nil: no links are answered
	Server    *web.Server       // sets and ends the session cookie

	HTTPS bool                          // the public address is https
	Demo  bool                          // the platform's landing lists the tenants
	Site  func(t *tenant.Tenant) string // scheme and host of a tenant's portal, "http://byd.localhost:8080", without slash
}

// Portal is the handlers of every applicant's page.
type Portal struct{ Deps }

// New makes a Portal.
func New(d Deps) *Portal { return &Portal{Deps: d} }

// Routes is the route table of a tenant's host.
func (p *Portal) Routes() []web.Route {
	return p.knowing(append(append(p.routesOrder(), p.routesAfter()...), p.routesRenew()...))
}

// PlatformRoutes is the route table of the platform's own host: the landing and the addresses that the printed guides name.
func (p *Portal) PlatformRoutes() []web.Route { return append(p.routesPlatform(), p.routesPKI()...) }

// tenantOf is the compiled tenant of a site.
func tenantOf(site *web.Site) *tenant.Tenant {
	t, _ := site.Value.(*tenant.Tenant)
	return t
}
