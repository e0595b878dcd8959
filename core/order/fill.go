package order

import (
	"context"
	"slices"
	"unicode/utf8"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/tenant"
)

// SaveStep stores what was typed on one step of the form, valid or not: nothing typed is lost. The result lists the
// problems of that step only. typed holds every answer of the step but files, which are set by SetFile.
//
// After a rejection only the refused fields change, whatever is sent (req K44). While nothing is paid the price follows the
// answers; what was paid for stays as it was paid.
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
		facts, err := s.Facts(ctx, tx, o)
		if err != nil {
			return err
		}
		part := p.Form.Steps(step)
		env := form.Env{Now: tx.Now(), Facts: facts, Source: source(o, p), Steps: []string{step}, Prior: o.Answers}
		if o.State == Rejected {
			env.Open = openFields(o, p)
		}
		given := answersOf(o, part, typed)
		res = p.Form.Check(given, env)
		o.Answers = keepTyped(res, given)
		if res.OK() {
			o.SavedStep = step
		}
		if o.repriced() {
			if err := s.quote(ctx, &o, t, p, facts); err != nil {
				return err
			}
		}
		return s.edited(ctx, tx, &o, p, step)
	})
	return o, res, err
}

// repriced tells whether the price still follows the answers: in a draft, and in a refused order that nobody has paid.
func (o Order) repriced() bool { return o.Editable() && o.PaidAt == nil }

// edited saves what the applicant changed, and says so in the audit. A draft that is worked on lives on.
func (s *Service) edited(ctx context.Context, tx *db.Tx, o *Order, p tenant.Product, what string) error {
	if o.State == Draft {
		o.LapsesAt = ptr(tx.Now().AddDate(0, 0, lapseDays(p)))
	}
	if err := s.save(ctx, tx, o); err != nil {
		return err
	}
	return audit.Record(ctx, tx, audit.Entry{Action: "order.save", Resource: "order/" + o.ID.String(),
		Detail: map[string]any{"what": what, "version": o.Version}})
}

// openFields are what may change after a rejection: the refused fields and what hangs on them. Term and quantity of a paid
// order are not among them.
func openFields(o Order, p tenant.Product) map[string]bool {
	open := p.Form.Editable(o.OpenFields)
	if o.PaidAt != nil {
		delete(open, keyTerm)
		delete(open, keyQuantity)
	}
	return open
}

// editable refuses a step that may not change now.
func (s *Service) editable(ctx context.Context, o Order, step string) (*tenant.Tenant, tenant.Product, error) {
	t, p, err := s.Product(ctx, o)
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
		return o.ReviewedAt != nil && (!o.State.Final() || o.State == Completed) && o.State != Refunding
	case "send_in":
		return o.State == AwaitingKey
	}
	return o.Editable()
}

// source answers where read-only and prefilled fields get their value from, once the order exists: what was filled in
// when it was opened stays, since an order's data are its own.
func source(o Order, p tenant.Product) func(string) string {
	return func(path string) string {
		for f := range p.Form.Fields() {
			if o.Answers[f.Key] != "" && slices.Contains(f.Sources(), path) {
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
	for f := range part.Fields() {
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

// OpenField tells whether the applicant may set one field now: its step is open, and after a rejection the field itself
// was refused (req K44).
func OpenField(o Order, p tenant.Product, key string) bool {
	for _, g := range p.Form.Groups {
		if !slices.ContainsFunc(g.Fields, func(f form.Field) bool { return f.Key == key }) {
			continue
		}
		i := slices.IndexFunc(p.Steps, func(st tenant.Step) bool { return st.ID == g.Step })
		if i < 0 || !OpenAt(o, p.Steps[i]) {
			return false
		}
		return o.State != Rejected || openFields(o, p)[key]
	}
	return false
}

// SetFile makes a stored picture the answer of a file field, inside the caller's transaction; fault.Conflict when the
// field is not open now.
func (s *Service) SetFile(ctx context.Context, tx *db.Tx, o *Order, field, fileID string) error {
	_, p, err := s.Product(ctx, *o)
	if err != nil {
		return err
	}
	if !OpenField(*o, p, field) {
		return fault.New(fault.Conflict, "order.locked", "State", string(o.State))
	}
	if o.Answers == nil {
		o.Answers = form.Answers{}
	}
	o.Answers[field] = fileID
	return s.edited(ctx, tx, o, p, field)
}
