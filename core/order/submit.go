package order

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/rules"
	"certsaas/core/tenant"
)

// Submission is what comes with handing an order in.
type Submission struct {
	Version int       // of the order on the applicant's page; 0 = not told
	Agreed  string    // agreement id and digest, "" when the product has none
	Account uuid.UUID // login proved by the SMS code, for order-first products
}

// Submit hands an order in, for the first time or after a rejection: checks everything at once, freezes the price, and moves
// the order on. Problems come back as fault.Invalid with every field; fault.Conflict when the page was stale, or the price
// is not any more what the applicant was shown: then the new one is stored, to be shown and agreed to.
func (s *Service) Submit(ctx context.Context, tenantID, id uuid.UUID, sub Submission) (Order, error) {
	var o Order
	var dearer bool
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		dearer = false
		if o, err = s.LoadForUpdate(ctx, tx, id); err != nil {
			return err
		}
		t, p, err := s.submittable(ctx, o, sub)
		if err != nil {
			return err
		}
		if err := s.complete(ctx, tx, &o, t, p); err != nil {
			return err
		}
		if o.repriced() {
			shown := o.TotalFen
			if err := s.price(ctx, tx, &o, t, p); err != nil {
				return err
			}
			if dearer = o.TotalFen != shown; dearer {
				return s.edited(ctx, tx, &o, p, "price")
			}
		}
		if o.State == Rejected {
			return s.handInAgain(ctx, tx, &o)
		}
		return s.handIn(ctx, tx, &o, p, sub)
	})
	if err == nil && dearer {
		err = fault.New(fault.Conflict, "order.price_changed")
	}
	return o, err
}

// submittable checks state, right and page, and finds the product.
func (s *Service) submittable(ctx context.Context, o Order, sub Submission) (*tenant.Tenant, tenant.Product, error) {
	t, p, err := s.Product(ctx, o)
	if err != nil {
		return nil, tenant.Product{}, err
	}
	if err := s.authz.Check(ctx, authz.OrderEdit, o.Resource(visitorFrom(ctx))); err != nil {
		return nil, tenant.Product{}, err
	}
	if !o.Editable() {
		return nil, tenant.Product{}, fault.New(fault.Conflict, "order.not_now", "State", string(o.State), "Event", string(Submit))
	}
	if sub.Version != 0 && sub.Version != o.Version {
		return nil, tenant.Product{}, fault.New(fault.Conflict, "order.taken")
	}
	return t, p, nil
}

// handInAgain hands a refused order in again, with as many keys as it now asks for.
func (s *Service) handInAgain(ctx context.Context, tx *db.Tx, o *Order) error {
	if err := s.save(ctx, tx, o); err != nil {
		return err
	}
	if err := fitItems(ctx, tx, o); err != nil {
		return err
	}
	return s.Advance(ctx, tx, o, Resubmit, nil)
}

// handIn is the first submission: owner, agreement, price and keys become fixed.
func (s *Service) handIn(ctx context.Context, tx *db.Tx, o *Order, p tenant.Product, sub Submission) error {
	if p.Confirm.Agreement != "" && sub.Agreed == "" {
		return fault.InvalidFields(fault.At("agree", "order.must_agree"))
	}
	asOwner, err := own(ctx, o, sub)
	if err != nil {
		return err
	}
	o.Agreed = sub.Agreed
	if err := s.save(ctx, tx, o); err != nil {
		return err
	}
	if err := fitItems(ctx, tx, o); err != nil {
		return err
	}
	return s.Advance(asOwner, tx, o, Submit, map[string]any{"agreed": o.Agreed})
}

// own gives a visitor's draft to the login that was proved, or to the dealer who is logged in (req K4 K42), and ctx to its
// owner: from here on the browser alone opens it no more.
func own(ctx context.Context, o *Order, sub Submission) (context.Context, error) {
	if o.Account != uuid.Nil {
		return ctx, nil
	}
	who := authz.From(ctx)
	switch {
	case who.Kind == authz.Dealer:
		o.Account = who.ID
		return ctx, nil
	case sub.Account == uuid.Nil:
		return ctx, fault.New(fault.Unauthenticated, "order.needs_login")
	}
	o.Account = sub.Account
	who.Kind, who.ID, who.Tenant = authz.Dealer, sub.Account, o.Tenant
	return authz.WithPrincipal(ctx, who), nil
}

// complete checks the whole form, eligibility and what later slices ask for.
func (s *Service) complete(ctx context.Context, tx *db.Tx, o *Order, t *tenant.Tenant, p tenant.Product) error {
	facts, err := s.Facts(ctx, tx, *o)
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
