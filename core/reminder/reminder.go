// Package reminder sees to it that no key expires unnoticed.
//
// In: the certificates, orders and mutes as they stand, each tenant's days and channels, the clock. Out: one row per
// certificate, day and channel that was due (Sweep), one message per person and day (FormNotices, Send), a renewal order
// that is filled in and priced (OpenOrders), a link that leads to it (Open), and what people ask: who was told what (Told),
// what is coming (Forecast), silence (Mute), work that is left for people (Tasks).
//
// Ticks only trigger. What is due is read from the state of the database each time, so a missed run heals itself, any
// number of processes may run at once, and a crash leaves nothing that the next run does not see.
package reminder

import (
	"context"
	"embed"

	"github.com/google/uuid"

	"certsaas/core/account"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/i18n"
	"certsaas/core/issuance"
	"certsaas/core/material"
	"certsaas/core/notify"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/core/vault"
)

// Messages are this package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// component is the name this package works under across tenants.
const component = "scheduler/remind"

// Tenants finds compiled releases.
type Tenants interface {
	// At is the tenant as of one release.
	At(ctx context.Context, tenantID uuid.UUID, release int) (*tenant.Tenant, error)
	// ByID is the published release; fault.NotFound when there is none or the tenant is suspended.
	ByID(ctx context.Context, tenantID uuid.UUID) (*tenant.Tenant, error)
	// All lists the published tenants.
	All(ctx context.Context) ([]*tenant.Tenant, error)
}

// Limits keep a person from being told too often.
type Limits struct {
	Month    int // messages to one person over one channel in 30 days; the last day's and the day's own are never held back. 0 = 12
	Attempts int // at one contact before the next is tried. 0 = 8
}

func (l Limits) orDefault() Limits {
	if l.Month <= 0 {
		l.Month = 12
	}
	if l.Attempts <= 0 {
		l.Attempts = 8
	}
	return l
}

// Deps is what a Service stands on.
type Deps struct {
	DB        *db.DB
	Clock     clock.Clock
	Vault     *vault.Vault
	Authz     *authz.Authorizer
	Calendar  *clock.Calendar
	Tenants   Tenants
	Accounts  *account.Service
	Orders    *order.Service
	Materials *material.Service // nil: no document stands
	Issuance  *issuance.Service
	Notify    *notify.Service
	Texts     *i18n.Bundle                  // holds this package's Messages
	Site      func(t *tenant.Tenant) string // address of a tenant's portal, without slash
	Limits    Limits
}

// Service is the use cases of reminders.
type Service struct{ Deps }

// New makes a Service.
func New(d Deps) *Service {
	d.Limits = d.Limits.orDefault()
	return &Service{d}
}
