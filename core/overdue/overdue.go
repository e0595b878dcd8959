// Package overdue tells the staff what has lain with them too long.
//
// In: orders and invoice requests as they stand, the working days that each product gives each desk, the calendar of working
// days. Out: until when a desk has an order (Due), one warning per order and stay at a desk (Warn), the teams' e-mails, and how
// many warnings are open (Open). Nothing here changes an order.
package overdue

import (
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/authz"
	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/i18n"
	"certsaas/core/order"
	"certsaas/core/tenant"
)

// Messages are this package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// component is the name this package works under across tenants.
const component = "scheduler/sla-warning"

// Invoice is the stage of an invoice that is asked for; the other stages are states of the order.
const Invoice = "invoice"

// stage is what a desk has to do with an order.
type stage struct {
	name string // state of the order, or Invoice
	days func(tenant.DeskDays) int
	mail func(tenant.DeskMail) string
}

// stages are those in which the operator must act. Where the applicant must, the clock stands still (core/order).
var stages = []stage{
	{string(order.PaymentCheck), func(d tenant.DeskDays) int { return d.Payment }, finance},
	{string(order.InReview), func(d tenant.DeskDays) int { return d.Review }, func(m tenant.DeskMail) string { return m.Reviewer }},
	{string(order.InProduction), func(d tenant.DeskDays) int { return d.Production }, producer},
	{string(order.ToDeliver), func(d tenant.DeskDays) int { return d.Shipping }, producer},
	{string(order.Refunding), func(d tenant.DeskDays) int { return d.Refund }, finance},
	{Invoice, func(d tenant.DeskDays) int { return d.Invoice }, finance},
}

func finance(m tenant.DeskMail) string  { return m.Finance }
func producer(m tenant.DeskMail) string { return m.Producer }

func stageOf(name string) (stage, bool) {
	for _, s := range stages {
		if s.name == name {
			return s, true
		}
	}
	return stage{}, false
}

// states are the orders' states among the stages.
func states() []string {
	var out []string
	for _, s := range stages {
		if s.name != Invoice {
			out = append(out, s.name)
		}
	}
	return out
}

// Tenants finds compiled releases. Desks work by the published one, whatever release an order was made under.
type Tenants interface {
	ByID(ctx context.Context, tenantID uuid.UUID) (*tenant.Tenant, error)
}

// Deps is what a Service stands on.
type Deps struct {
	DB       *db.DB
	Authz    *authz.Authorizer
	Calendar *clock.Calendar
	Tenants  Tenants
	Sender   channel.Sender // nil: no e-mail
	Texts    *i18n.Bundle   // holds this package's Messages
	Console  string         // address of the console, for the e-mails
}

// Service is the use cases of overdue work.
type Service struct{ Deps }

// New makes a Service.
func New(d Deps) *Service { return &Service{d} }

// Due is until when a desk has an order that came to it at since: the close of office of its last working day, or what the
// applicant (or the invoice) was promised when that is sooner. nil when neither is declared. An invoice's own day is kept as it is.
func (s *Service) Due(t *tenant.Tenant, product, stage string, since time.Time, promised *time.Time) *time.Time {
	st, ok := stageOf(stage)
	p, sold := t.Product(product)
	if stage == string(order.Refunding) {
		promised = nil // the certificate is no longer on its way
	}
	if !ok || !sold || stage == Invoice && promised != nil {
		return promised
	}
	days := st.days(p.DeskDays)
	if days == 0 {
		return promised
	}
	policy := clock.PolicyA
	if p.Review.Policy == "B" {
		policy = clock.PolicyB
	}
	due := s.Calendar.AddWorkdays(since, days, policy).At
	if promised != nil && promised.Before(due) {
		return promised
	}
	return &due
}

// sinceSQL is when an order came to the state it is in.
const sinceSQL = `coalesce((SELECT max(e.at) FROM order_events e WHERE e.tenant_id = o.tenant_id AND e.order_id = o.id AND e.to_state = o.state), o.updated_at)`

// Since reads when orders came to the state they are in, for a page of the console.
func (s *Service) Since(ctx context.Context, list []order.Order) (map[uuid.UUID]time.Time, error) {
	if err := s.Authz.CheckRoute(ctx, authz.QueueView, authz.From(ctx).Tenant); err != nil {
		return nil, err
	}
	tenants, ids := make([]uuid.UUID, len(list)), make([]uuid.UUID, len(list))
	for i, o := range list {
		tenants[i], ids[i] = o.Tenant, o.ID
	}
	out := map[uuid.UUID]time.Time{}
	err := s.DB.WithSystem(ctx, "console/queue", func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT o.id, `+sinceSQL+` FROM unnest($1::uuid[], $2::uuid[]) AS u (tenant_id, id)
			JOIN orders o ON o.tenant_id = u.tenant_id AND o.id = u.id`, tenants, ids)
		if err != nil {
			return fmt.Errorf("overdue: since: %w", err)
		}
		var id uuid.UUID
		var at time.Time
		_, err = pgx.ForEachRow(rows, []any{&id, &at}, func() error { out[id] = at; return nil })
		return err
	})
	return out, err
}

// Open counts the open warnings by stage; for one who serves a single tenant, that tenant's.
func (s *Service) Open(ctx context.Context) (map[string]int, error) {
	only := authz.From(ctx).Tenant
	if err := s.Authz.CheckRoute(ctx, authz.QueueView, only); err != nil {
		return nil, err
	}
	out := map[string]int{}
	err := s.DB.WithSystem(ctx, "console/queue", func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT stage, count(*) FROM desk_warnings WHERE ended_at IS NULL AND ($1 OR tenant_id = $2) GROUP BY stage`, only == uuid.Nil, only)
		if err != nil {
			return fmt.Errorf("overdue: open: %w", err)
		}
		var stage string
		var n int
		_, err = pgx.ForEachRow(rows, []any{&stage, &n}, func() error { out[stage] = n; return nil })
		return err
	})
	return out, err
}
