// Package console is what the CA's staff work with: queues of orders, the review desk, the desks for transfers, keys,
// shipping and invoices, every order with its history, and the pages of those who keep the platform itself.
//
// In: the services of core and the route table of core/web. Out: HTML pages for persons who gave a password and a second
// factor. Every act goes through a service, which asks whether the person may and writes the audit trail; a page hides
// what its reader may not do, but nothing is guarded by hiding alone. Personal data are shown masked until somebody gives
// a reason for seeing them.
package console

import (
	"context"
	"embed"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/account"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/delivery"
	"certsaas/core/fault"
	"certsaas/core/invoice"
	"certsaas/core/issuance"
	"certsaas/core/letter"
	"certsaas/core/material"
	"certsaas/core/notify"
	"certsaas/core/order"
	"certsaas/core/overdue"
	"certsaas/core/payment"
	"certsaas/core/reminder"
	"certsaas/core/review"
	"certsaas/core/rules"
	"certsaas/core/staff"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/scheduler"
)

// Messages are the sentences of the console.
//
//go:embed messages.*.toml
var Messages embed.FS

// Deps is what a Console stands on.
type Deps struct {
	DB        *db.DB
	Clock     clock.Clock
	Calendar  *clock.Calendar // nil = clock.China
	Authz     *authz.Authorizer
	Tenants   *tenant.Registry
	Releases  *tenant.Store
	Rules     *rules.Engine
	Orders    *order.Service
	Accounts  *account.Service
	Staff     *staff.Service
	Materials *material.Service
	Letters   *letter.Service
	Payments  *payment.Service
	Reviews   *review.Service
	Issuance  *issuance.Service
	Delivery  *delivery.Service
	Invoices  *invoice.Service
	Notify    *notify.Service
	Overdue   *overdue.Service
	Reminders *reminder.Service // nil: no pages about reminders
	Server    *web.Server       // sets and ends the session cookie

	Jobs      func(ctx context.Context) ([]scheduler.Health, error) // nil: the health page lists none
	Worries   func(ctx context.Context) ([]web.Worry, error)        // what is late; nil: nothing is said
	HTTPS     bool                                                  // the public address is https
	Demo      bool                                                  // the login page names the demonstration's persons
	DemoHints []Hint
	Site      func(t *tenant.Tenant) string // scheme and host of a tenant's portal, without slash
}

// Hint is a log-in of the demonstration.
type Hint struct{ Login, Name, Password, Secret string }

// Console is the handlers of every page of the staff.
type Console struct{ Deps }

// New makes a Console.
func New(d Deps) *Console {
	if d.Calendar == nil {
		d.Calendar = clock.China()
	}
	return &Console{Deps: d}
}

// Routes is the route table of the console's host.
func (k *Console) Routes() []web.Route {
	var all []web.Route
	for _, part := range [][]web.Route{
		k.loginRoutes(), k.homeRoutes(), k.queueRoutes(), k.reviewRoutes(), k.moneyRoutes(), k.productionRoutes(), k.shippingRoutes(), k.invoiceRoutes(),
		k.orderRoutes(), k.staffRoutes(), k.tenantRoutes(), k.watchRoutes(), k.scriptRoutes(), k.reminderRoutes(), k.contactRoutes(),
	} {
		all = append(all, part...)
	}
	for i, r := range all {
		if r.Action != "" {
			all[i].Handler = staffOnly(r.Handler)
		}
	}
	return all
}

// staffOnly keeps visitors out of pages whose action a portal grants to a visitor, too (order.view of his own draft).
func staffOnly(h fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if authz.From(c.UserContext()).Kind != authz.Staff {
			return fault.New(fault.Unauthenticated, "staff.needs_login")
		}
		return h(c)
	}
}

// nobody is the id that names nothing.
var nobody = uuid.Nil
