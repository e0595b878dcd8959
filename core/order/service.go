package order

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/rules"
	"certsaas/core/tenant"
	"certsaas/core/vault"
)

var nilUUID = uuid.Nil

// Tenants finds compiled releases.
type Tenants interface {
	// At is the tenant as of one release; what it returns never changes.
	At(ctx context.Context, tenantID uuid.UUID, release int) (*tenant.Tenant, error)
}

// Check is a further condition for handing an order in, registered by slices that lie right of it in the flow
// (pictures belong to the order, the letter's scan matches). It returns the problems by field.
type Check func(ctx context.Context, tx *db.Tx, o Order, p tenant.Product) ([]fault.Field, error)

// FactSource tells the rules something about an order that only a later slice knows, such as whether the old key is still valid.
type FactSource func(ctx context.Context, tx *db.Tx, o Order) (map[string]string, error)

// Deps is what a Service stands on.
type Deps struct {
	DB       *db.DB
	Vault    *vault.Vault
	Tenants  Tenants
	Rules    *rules.Engine
	Authz    *authz.Authorizer
	Calendar *clock.Calendar
}

// Service is the use cases of an order.
type Service struct {
	db       *db.DB
	vault    *vault.Vault
	tenants  Tenants
	rules    *rules.Engine
	authz    *authz.Authorizer
	calendar *clock.Calendar
	checks   []Check
	facters  []facter
}

// facter is a source and the facts it knows.
type facter struct {
	of    FactSource
	names []string
}

// New makes a Service. Register the checks and facts of later slices before it is used.
func New(d Deps) *Service {
	return &Service{db: d.DB, vault: d.Vault, tenants: d.Tenants, rules: d.Rules, authz: d.Authz, calendar: d.Calendar}
}

// RequireOnSubmit adds a condition for handing orders in.
func (s *Service) RequireOnSubmit(c Check) { s.checks = append(s.checks, c) }

// LearnFrom adds a source of facts for the rules: the facts of these names.
func (s *Service) LearnFrom(f FactSource, names ...string) {
	s.facters = append(s.facters, facter{f, names})
}

type visitorKey struct{}

// WithVisitor puts the hash of the browser's secret into ctx: it owns order-first drafts (req K4).
func WithVisitor(ctx context.Context, hash []byte) context.Context {
	return context.WithValue(ctx, visitorKey{}, hash)
}

func visitorFrom(ctx context.Context) []byte {
	h, _ := ctx.Value(visitorKey{}).([]byte)
	return h
}

// Begin says what a new order is for.
type Begin struct {
	Tenant         *tenant.Tenant
	Product        tenant.Product
	Account        uuid.UUID
	Visitor        []byte
	OldCertificate uuid.UUID
	Source         func(path string) string // values that are known already: "account.mobile", "answers.org_name", …
}

// Start opens a draft with what is known already filled in. A dealer's draft is his own, whatever b.Account says.
func (s *Service) Start(ctx context.Context, b Begin) (Order, error) {
	if who := authz.From(ctx); who.Kind == authz.Dealer {
		b.Account = who.ID
	}
	res := authz.Resource{Kind: "order", Tenant: b.Tenant.ID(), Owner: b.Account,
		Extra: map[string]any{"order_first": b.Product.Account == "order_first"}}
	if err := s.authz.Check(ctx, authz.OrderCreate, res); err != nil {
		return Order{}, err
	}
	var o Order
	err := s.db.WithTenant(ctx, b.Tenant.ID(), func(ctx context.Context, tx *db.Tx) error {
		day := tx.Now().In(clock.Shanghai).Format("20060102")
		no, err := number(ctx, tx, strings.ToUpper(initials(b.Tenant.Slug())), day)
		if err != nil {
			return err
		}
		o = Order{
			Tenant: b.Tenant.ID(), ID: db.NewID(), Number: no, Release: b.Tenant.Release(), Product: b.Product.Code,
			Service: b.Product.Service, State: Draft, Version: 1, Account: b.Account, Visitor: b.Visitor,
			OldCertificate: b.OldCertificate, CreatedAt: tx.Now(), UpdatedAt: tx.Now(),
			LapsesAt: ptr(tx.Now().AddDate(0, 0, lapseDays(b.Product))),
		}
		if err := insert(ctx, tx, o); err != nil {
			return err
		}
		o.Answers = b.Product.Form.Prefill(nil, form.Env{Now: tx.Now(), Source: b.Source})
		if err := s.price(ctx, tx, &o, b.Tenant, b.Product); err != nil {
			return err
		}
		if err := s.save(ctx, tx, &o); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "order.start", Resource: "order/" + o.ID.String(),
			Detail: map[string]any{"number": o.Number, "product": o.Product}})
	})
	return o, err
}

// initials are the letters of a slug that begin its order numbers, three at most.
func initials(slug string) string { return slug[:min(3, len(slug))] }

// price puts today's quote on an order; it is frozen when the order is handed in.
func (s *Service) price(ctx context.Context, tx *db.Tx, o *Order, t *tenant.Tenant, p tenant.Product) error {
	facts, err := s.Facts(ctx, tx, *o)
	if err != nil {
		return err
	}
	return s.quote(ctx, o, t, p, facts)
}

// quote is price with the facts at hand.
func (s *Service) quote(ctx context.Context, o *Order, t *tenant.Tenant, p tenant.Product, facts map[string]string) error {
	c := t.Case(p, o.Answers, facts)
	o.TermYears, o.Quantity = max(c.TermYears, 0), max(c.Quantity, 1)
	q, err := s.rules.Price(ctx, c)
	if err != nil {
		return fmt.Errorf("order: price: %w", err)
	}
	o.Lines, o.TotalFen = q.Lines, q.TotalFen
	return nil
}

// Facts is what is known about an order besides its answers, as far as its product asks for it.
func (s *Service) Facts(ctx context.Context, tx *db.Tx, o Order) (map[string]string, error) {
	t, p, err := s.Product(ctx, o)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, f := range s.facters {
		if !slices.ContainsFunc(f.names, func(name string) bool { return t.Asks(p, name) }) {
			continue
		}
		facts, err := f.of(ctx, tx, o)
		if err != nil {
			return nil, err
		}
		for k, v := range facts {
			all[k] = v
		}
	}
	return all, nil
}

// Find reads an order of a tenant for a caller who may see it.
func (s *Service) Find(ctx context.Context, tenantID, id uuid.UUID) (Order, error) {
	var o Order
	err := s.db.ReadTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		o, err = s.Load(ctx, tx, id)
		return err
	})
	if err != nil {
		return Order{}, err
	}
	return o, s.authz.Check(ctx, authz.OrderView, o.Resource(visitorFrom(ctx)))
}

// Cancel ends an unpaid order at its owner's wish (decision 9).
func (s *Service) Cancel(ctx context.Context, tenantID, id uuid.UUID) (Order, error) {
	var o Order
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		if o, err = s.LoadForUpdate(ctx, tx, id); err != nil {
			return err
		}
		if err := s.authz.Check(ctx, authz.OrderCancel, o.Resource(visitorFrom(ctx))); err != nil { // before its state says anything about it
			return err
		}
		return s.Advance(ctx, tx, &o, Cancel, nil)
	})
	return o, err
}
