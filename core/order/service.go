package order

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/i18n"
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
	facters  []FactSource
}

// New makes a Service. Register the checks and facts of later slices before it is used.
func New(d Deps) *Service {
	return &Service{db: d.DB, vault: d.Vault, tenants: d.Tenants, rules: d.Rules, authz: d.Authz, calendar: d.Calendar}
}

// RequireOnSubmit adds a condition for handing orders in.
func (s *Service) RequireOnSubmit(c Check) { s.checks = append(s.checks, c) }

// LearnFrom adds a source of facts for the rules.
func (s *Service) LearnFrom(f FactSource) { s.facters = append(s.facters, f) }

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

// Start opens a draft with what is known already filled in.
func (s *Service) Start(ctx context.Context, b Begin) (Order, error) {
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
	facts, err := s.known(ctx, tx, *o)
	if err != nil {
		return err
	}
	c := t.Case(p, o.Answers, facts)
	o.TermYears, o.Quantity = max(c.TermYears, 0), max(c.Quantity, 1)
	q, err := s.rules.Price(ctx, c)
	if err != nil {
		return fmt.Errorf("order: price: %w", err)
	}
	o.Lines, o.TotalFen = q.Lines, q.TotalFen
	return nil
}

// known asks every fact source.
func (s *Service) known(ctx context.Context, tx *db.Tx, o Order) (map[string]string, error) {
	all := map[string]string{}
	for _, f := range s.facters {
		facts, err := f(ctx, tx, o)
		if err != nil {
			return nil, err
		}
		for k, v := range facts {
			all[k] = v
		}
	}
	return all, nil
}

// Facts is what is known about an order besides its answers.
func (s *Service) Facts(ctx context.Context, tx *db.Tx, o Order) (map[string]string, error) {
	return s.known(ctx, tx, o)
}

// Find reads an order of a tenant for a caller who may see it.
func (s *Service) Find(ctx context.Context, tenantID, id uuid.UUID) (Order, error) {
	var o Order
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		o, err = s.Load(ctx, tx, id)
		return err
	})
	if err != nil {
		return Order{}, err
	}
	return o, s.authz.Check(ctx, authz.OrderView, o.Resource(visitorFrom(ctx)))
}

// SaveStep stores what was typed on one step of the form, valid or not: nothing typed is lost. The result lists the
// problems of that step only. typed holds every answer of the step but files, which are set by SetFile. version is the page's.
//
// After a rejection only the refused fields change, whatever is sent (req K44).
func (s *Service) SaveStep(ctx context.Context, tenantID, id uuid.UUID, step string, typed form.Answers) (Order, form.Result, error) {
	var o Order
	var res form.Result
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		o, err = s.LoadForUpdate(ctx, tx, id)
		if err != nil {
			return err
		}
		t, p, err := s.editable(ctx, o, step)
		if err != nil {
			return err
		}
		facts, err := s.known(ctx, tx, o)
		if err != nil {
			return err
		}
		part := p.Form.Steps(step)
		env := form.Env{Now: tx.Now(), Facts: facts, Source: source(o, p), Steps: []string{step}, Prior: o.Answers}
		if o.State == Rejected {
			env.Open = p.Form.Editable(o.OpenFields)
		}
		given := answersOf(o, part, typed)
		res = p.Form.Check(given, env)
		o.Answers = keepTyped(res, given)
		if res.OK() {
			o.SavedStep = step
		}
		if err := s.price(ctx, tx, &o, t, p); err != nil {
			return err
		}
		return s.save(ctx, tx, &o)
	})
	return o, res, err
}

// editable refuses a step that may not change now.
func (s *Service) editable(ctx context.Context, o Order, step string) (*tenant.Tenant, tenant.Product, error) {
	t, p, err := s.product(ctx, o)
	if err != nil {
		return nil, tenant.Product{}, err
	}
	if err := s.authz.Check(ctx, authz.OrderEdit, o.Resource(visitorFrom(ctx))); err != nil {
		return nil, tenant.Product{}, err
	}
	i := slices.IndexFunc(p.Steps, func(st tenant.Step) bool { return st.ID == step })
	if i < 0 {
		return nil, tenant.Product{}, fault.New(fault.NotFound, "order.no_step")
	}
	if !OpenAt(o, p.Steps[i]) {
		return nil, tenant.Product{}, fault.New(fault.Conflict, "order.locked", "State", string(o.State))
	}
	return t, p, nil
}

// OpenAt tells whether the applicant may work on a step while the order is in its state.
func OpenAt(o Order, st tenant.Step) bool {
	switch st.When {
	case "after_approval":
		return o.ReviewedAt != nil && o.State != Refunding && o.State != Refunded
	case "send_in":
		return o.State == AwaitingKey
	}
	return o.Editable()
}

// source answers where read-only and prefilled fields get their value from, once the order exists: what was filled in
// when it was opened stays, since an order's data are its own.
func source(o Order, p tenant.Product) func(string) string {
	return func(path string) string {
		for _, f := range p.Form.Fields() {
			if f.Source == path && o.Answers[f.Key] != "" {
				return o.Answers[f.Key]
			}
		}
		return ""
	}
}

// answersOf is what was typed for one part of the form, with the files that are stored already. A key that was not sent
// counts as emptied: browsers leave out boxes that are not ticked.
func answersOf(o Order, part form.Form, typed form.Answers) form.Answers {
	out := form.Answers{}
	for _, f := range part.Fields() {
		if f.IsFile() {
			out[f.Key] = o.Answers[f.Key]
			continue
		}
		out[f.Key] = typed[f.Key]
	}
	return out
}

// maxKept is the longest refused answer that a draft keeps.
const maxKept = 2000

// keepTyped is what a draft stores: accepted answers normalised, refused ones as typed, so that nothing typed is lost.
func keepTyped(res form.Result, given form.Answers) form.Answers {
	for _, p := range res.Problems {
		if v := given[p.Field]; v != "" && len(v) <= maxKept && utf8.ValidString(v) {
			res.Answers[p.Field] = v
		}
	}
	return res.Answers
}

// SetFile makes a stored picture the answer of a file field, inside the caller's transaction. After a rejection only refused fields take one.
func (s *Service) SetFile(ctx context.Context, tx *db.Tx, o *Order, field, fileID string) error {
	if _, p, err := s.product(ctx, *o); err != nil {
		return err
	} else if o.State == Rejected && !p.Form.Editable(o.OpenFields)[field] {
		return fault.New(fault.Conflict, "order.locked", "State", string(o.State))
	}
	if o.Answers == nil {
		o.Answers = form.Answers{}
	}
	o.Answers[field] = fileID
	return s.save(ctx, tx, o)
}

// Submission is what comes with handing an order in.
type Submission struct {
	Agreed  string    // agreement id and digest, "" when the product has none
	Account uuid.UUID // login proved by the SMS code, for order-first products
}

// Submit hands an order in, for the first time or after a rejection: checks everything at once, freezes the price, and moves
// the order on. Problems come back as fault.Invalid with every field.
func (s *Service) Submit(ctx context.Context, tenantID, id uuid.UUID, sub Submission) (Order, error) {
	var o Order
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		o, err = s.LoadForUpdate(ctx, tx, id)
		if err != nil {
			return err
		}
		if !o.Editable() {
			return fault.New(fault.Conflict, "order.not_now", "State", string(o.State), "Event", string(Submit))
		}
		t, p, err := s.product(ctx, o)
		if err != nil {
			return err
		}
		if err := s.authz.Check(ctx, authz.OrderEdit, o.Resource(visitorFrom(ctx))); err != nil {
			return err
		}
		if err := s.complete(ctx, tx, &o, t, p); err != nil {
			return err
		}
		if o.State == Rejected {
			if err := s.save(ctx, tx, &o); err != nil {
				return err
			}
			return s.Advance(ctx, tx, &o, Resubmit, nil)
		}
		return s.handIn(ctx, tx, &o, t, p, sub)
	})
	return o, err
}

// handIn is the first submission: owner, agreement, price and keys become fixed.
func (s *Service) handIn(ctx context.Context, tx *db.Tx, o *Order, t *tenant.Tenant, p tenant.Product, sub Submission) error {
	if p.Confirm.Agreement != "" && sub.Agreed == "" {
		return fault.InvalidFields(fault.At("agree", "order.must_agree"))
	}
	if err := s.price(ctx, tx, o, t, p); err != nil {
		return err
	}
	asVisitor := ctx
	if o.Account == uuid.Nil {
		if sub.Account == uuid.Nil {
			return fault.New(fault.Unauthenticated, "order.needs_login")
		}
		o.Account = sub.Account
		who := authz.From(ctx)
		who.Kind, who.ID, who.Tenant = authz.Dealer, sub.Account, o.Tenant
		asVisitor = authz.WithPrincipal(ctx, who)
	}
	o.Agreed = sub.Agreed
	if err := s.save(ctx, tx, o); err != nil {
		return err
	}
	if err := insertItems(ctx, tx, o); err != nil {
		return err
	}
	return s.Advance(asVisitor, tx, o, Submit, map[string]any{"agreed": o.Agreed})
}

// complete checks the whole form, eligibility and what later slices ask for.
func (s *Service) complete(ctx context.Context, tx *db.Tx, o *Order, t *tenant.Tenant, p tenant.Product) error {
	facts, err := s.known(ctx, tx, *o)
	if err != nil {
		return err
	}
	res := p.FormAt("order").Check(o.Answers, form.Env{Now: tx.Now(), Facts: facts, Source: source(*o, p)})
	var fields []fault.Field
	for _, pr := range res.Problems {
		pr = pr.In(i18n.Locale(ctx))
		fields = append(fields, fault.Field{Name: pr.Field, ID: pr.ID, Args: pr.Args})
	}
	d, err := s.rules.Eligible(ctx, t.Case(p, o.Answers, facts))
	if err != nil {
		return fmt.Errorf("order: eligibility: %w", err)
	}
	if !d.Allowed {
		fields = append(fields, refusals(d, fields, i18n.Locale(ctx))...)
	}
	for _, check := range s.checks {
		more, err := check(ctx, tx, *o, p)
		if err != nil {
			return err
		}
		fields = append(fields, more...)
	}
	if len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	return nil
}

// refusals turns a rules decision into problems at fields, leaving out fields that have a problem already.
func refusals(d rules.Decision, have []fault.Field, locale string) []fault.Field {
	var out []fault.Field
	for _, why := range d.Reasons {
		if slices.ContainsFunc(have, func(f fault.Field) bool { return f.Name == why.Field }) {
			continue
		}
		if why.ID == "" { // a tenant's own rule brings its sentence
			out = append(out, fault.At(why.Field, "order.refused", "Why", why.Text.In(locale)))
			continue
		}
		out = append(out, fault.Field{Name: why.Field, ID: why.ID})
	}
	if len(out) == 0 && len(have) == 0 {
		out = append(out, fault.At("", "order.not_eligible"))
	}
	return out
}

// Cancel ends an unpaid order at its owner's wish (decision 9).
func (s *Service) Cancel(ctx context.Context, tenantID, id uuid.UUID) (Order, error) {
	return s.step(ctx, tenantID, id, Cancel, nil)
}

// step loads an order and advances it in a transaction of its own.
func (s *Service) step(ctx context.Context, tenantID, id uuid.UUID, ev Event, detail map[string]any) (Order, error) {
	var o Order
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		if o, err = s.LoadForUpdate(ctx, tx, id); err != nil {
			return err
		}
		return s.Advance(ctx, tx, &o, ev, detail)
	})
	return o, err
}

// Overdue tells how late an order is at now; negative or zero while there is time.
func (o Order) Overdue(now time.Time) time.Duration {
	if o.DueAt == nil {
		return 0
	}
	return now.Sub(*o.DueAt)
}
