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
	"certsaas/core/tenant"
)

// Renewal says which renewal is opened before anybody asks for it.
type Renewal struct {
	Tenant      *tenant.Tenant // today's release: its form and its prices hold
	Product     tenant.Product
	Account     uuid.UUID // holder's login
	Certificate uuid.UUID
	Last        *Order                   // the order that made the certificate, nil when it was imported
	Source      func(path string) string // values that are known otherwise: "account.mobile", "cert.subject", …
}

// OpenRenewal opens a draft in the caller's transaction, filled in with last time's answers and priced by today's release.
// Pictures, promises and numbers of pieces are given anew. It does not lapse by itself while nobody works on it: who opened
// it withdraws it. The caller sees to it that there is one per certificate.
func (s *Service) OpenRenewal(ctx context.Context, tx *db.Tx, r Renewal) (Order, error) {
	if err := s.authz.Check(ctx, authz.OrderCreate, authz.Resource{Kind: "order", Tenant: tx.Tenant(), Owner: r.Account}); err != nil {
		return Order{}, err
	}
	no, err := number(ctx, tx, strings.ToUpper(initials(r.Tenant.Slug())), tx.Now().In(clock.Shanghai).Format("20060102"))
	if err != nil {
		return Order{}, err
	}
	o := Order{
		Tenant: tx.Tenant(), ID: db.NewID(), Number: no, Release: r.Tenant.Release(), Product: r.Product.Code,
		Service: r.Product.Service, State: Draft, Version: 1, Account: r.Account, OldCertificate: r.Certificate,
		CreatedAt: tx.Now(), UpdatedAt: tx.Now(),
	}
	if err := insert(ctx, tx, o); err != nil {
		return Order{}, err
	}
	o.Answers = r.Product.Form.Prefill(nil, form.Env{Now: tx.Now(), Source: r.Source})
	for k, path := range map[string]string{keyMobile: "account.mobile", keyOrg: "cert.organization"} {
		if _, asked := r.Product.Form.Field(k); asked && o.Answers[k] == "" && r.Source != nil {
			o.Answers[k] = r.Source(path)
		}
	}
	if err := s.carry(ctx, tx, &o, r); err != nil {
		return Order{}, err
	}
	if err := s.price(ctx, tx, &o, r.Tenant, r.Product); err != nil {
		return Order{}, err
	}
	if err := s.save(ctx, tx, &o); err != nil {
		return Order{}, err
	}
	return o, audit.Record(ctx, tx, audit.Entry{Action: "order.renewal", Resource: "order/" + o.ID.String(),
		Detail: map[string]any{"number": o.Number, "product": o.Product, "certificate": r.Certificate}})
}

// carry takes over last time's answers step by step, as if they had been typed.
func (s *Service) carry(ctx context.Context, tx *db.Tx, o *Order, r Renewal) error {
	if r.Last == nil {
		return nil
	}
	facts, err := s.Facts(ctx, tx, *o)
	if err != nil {
		return err
	}
	for _, st := range r.Product.StepsAt("order") {
		part := r.Product.Form.Steps(st.ID)
		given := form.Answers{}
		for fd := range part.Fields() {
			given[fd.Key] = o.Answers[fd.Key]
			if v := r.Last.Answers[fd.Key]; v != "" && carries(fd, v) {
				given[fd.Key] = v
			}
		}
		res := r.Product.Form.Check(given, form.Env{Now: tx.Now(), Facts: facts, Source: source(*o, r.Product), Steps: []string{st.ID}, Prior: o.Answers})
		o.Answers = keepTyped(res, given)
		if res.OK() {
			o.SavedStep = st.ID
		}
	}
	return nil
}

// carries tells whether an answer of last time stands for a field: what is read from elsewhere, promised or counted does not.
func carries(fd form.Field, v string) bool {
	if fd.IsFile() || fd.ReadOnly || fd.Key == "key_serial" || slices.Contains([]form.Type{form.Checkbox, form.Quantity, form.Date}, fd.Type) {
		return false
	}
	if slices.ContainsFunc(fd.Sources(), func(path string) bool { return strings.HasPrefix(path, "cert.") }) {
		return false
	}
	if _, ok := fd.Choice(v); len(fd.Options) > 0 && !ok {
		return false
	}
	return true
}

// Update brings a draft to today's release: its form and its prices hold from now on. It tells whether the price changed.
// fault.NotFound when the product is not sold any more; an order that is no draft stays as it is.
func (s *Service) Update(ctx context.Context, tx *db.Tx, o *Order, t *tenant.Tenant) (repriced bool, err error) {
	if err := s.authz.Check(ctx, authz.OrderEdit, o.Resource(visitorFrom(ctx))); err != nil {
		return false, err
	}
	if o.State != Draft {
		return false, nil
	}
	p, ok := t.Product(o.Product)
	if !ok {
		return false, fault.New(fault.NotFound, "order.no_product")
	}
	before := o.TotalFen
	if o.Release != t.Release() {
		if _, err := tx.Exec(ctx, `UPDATE orders SET release = $3 WHERE tenant_id = $1 AND id = $2 AND state = 'draft'`, tx.Tenant(), o.ID, t.Release()); err != nil {
			return false, fmt.Errorf("order: release: %w", err)
		}
		o.Release = t.Release()
	}
	lines, total := o.Lines, o.TotalFen
	if err := s.price(ctx, tx, o, t, p); err != nil {
		return false, err
	}
	if total == o.TotalFen && len(lines) == len(o.Lines) {
		return false, nil
	}
	return before != o.TotalFen, s.save(ctx, tx, o)
}
