// Package tenant turns a folder of declarations into an immutable value.
//
// In: the files of a pack (YAML, SVG, Rego) laid over tenants/base key by key.
// Out: a Definition (what is stored as a numbered release), a Tenant compiled from
// it, and a Registry that compiles each release once. Go never asks which tenant
// it serves, only what the tenant declares; an invalid tenant cannot be held.
package tenant

import (
	"maps"
	"sync"

	"github.com/google/uuid"

	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/rules"
)

// Tenant is a compiled release. It never changes; what its methods return is
// shared by all requests and must be read only.
type Tenant struct {
	id         uuid.UUID
	release    int
	digest     string
	spec       Spec
	products   []Product // a handful, in the pack's order
	letters    map[string]Letter
	agreements map[string]Agreement
	messages   map[string]Message
	assets     map[string][]byte
	roster     map[string]bool
	module     *rules.Module
	derived    sync.Map // what Derive made, by key
}

// Derive is what follows from the release alone, made once: a view of a product, say. The key names who derives what
// ("portal/entry/<code>/<locale>"); keys are few. An error is not kept.
func Derive[T any](t *Tenant, key string, derive func() (T, error)) (T, error) {
	if v, ok := t.derived.Load(key); ok {
		if known, ok := v.(T); ok {
			return known, nil
		}
	}
	v, err := derive()
	if err == nil {
		t.derived.Store(key, v)
	}
	return v, err
}

// ID is stable: version 5 of the slug in our own name space.
func (t *Tenant) ID() uuid.UUID { return t.id }

// Release is the number of the release this value was compiled from; 0 for a folder that was never applied.
func (t *Tenant) Release() int { return t.release }

// Digest is the SHA-256 of the definition in hex.
func (t *Tenant) Digest() string { return t.digest }

// Slug is the tenant's name in hosts and folders, [a-z][a-z0-9-]*.
func (t *Tenant) Slug() string { return t.spec.Slug }

// Hosts are the tenant's own host names, besides <slug>.<base domain>.
func (t *Tenant) Hosts() []string { return t.spec.Hosts }

// Names are the enterprise's names.
func (t *Tenant) Names() Names { return t.spec.Names }

// Languages are the declared locales; the first is the tenant's default.
func (t *Tenant) Languages() []string { return t.spec.Languages }

// Contact is where applicants get help (req B60–B62 K56–K60).
func (t *Tenant) Contact() Contact { return t.spec.Contact }

// Theme is how the portal looks.
func (t *Tenant) Theme() Theme { return t.spec.Theme }

// CA and Operator are the names printed on letters and pages.
func (t *Tenant) CA() i18n.Text { return t.spec.CA }

// Operator is the company that runs the service and receives the money (req B1 K60).
func (t *Tenant) Operator() i18n.Text { return t.spec.Operator }

// Accounts says how applicants register and what they agree to then.
func (t *Tenant) Accounts() Accounts { return t.spec.Accounts }

// Roster tells whether the tenant keeps a list of its dealers, and by which answer.
func (t *Tenant) Roster() Roster { return t.spec.Roster }

// Administrator is who looks after the dealers at the enterprise.
func (t *Tenant) Administrator() Administrator { return t.spec.Administrator }

// DeskMail is where the staff who work on the tenant's orders read what is overdue.
func (t *Tenant) DeskMail() DeskMail { return t.spec.DeskMail }

// Listed tells whether a code is on the tenant's list of dealers; meaningful when Roster().Enabled.
func (t *Tenant) Listed(code string) bool { return t.roster[code] }

// Demo tells that prices, bank accounts and agreements are for demonstration.
func (t *Tenant) Demo() bool { return t.spec.Demo }

// Product finds a product by code ("CERT272353").
func (t *Tenant) Product(code string) (Product, bool) {
	return t.find(func(p *Product) bool { return p.Code == code })
}

func (t *Tenant) find(is func(*Product) bool) (Product, bool) {
	for i := range t.products {
		if is(&t.products[i]) {
			return t.products[i], true
		}
	}
	return Product{}, false
}

// Products lists the products in the pack's order.
func (t *Tenant) Products() []Product { return t.products }

// ShortLink finds the product of /s/<slug> (req B12).
func (t *Tenant) ShortLink(slug string) (Product, bool) {
	return t.find(func(p *Product) bool { return p.Slug == slug && slug != "" })
}

// Letter finds a letter by id.
func (t *Tenant) Letter(id string) (Letter, bool) { l, ok := t.letters[id]; return l, ok }

// Agreement finds an agreement by id.
func (t *Tenant) Agreement(id string) (Agreement, bool) { a, ok := t.agreements[id]; return a, ok }

// Message finds what is said at an event ("approved"); see Events for their names.
func (t *Tenant) Message(event string) (Message, bool) { m, ok := t.messages[event]; return m, ok }

// Asset is a file of the pack's theme folder ("wordmark.svg").
func (t *Tenant) Asset(name string) ([]byte, bool) { b, ok := t.assets[name]; return b, ok }

// Module is the tenant's own rules, nil when it has none.
func (t *Tenant) Module() *rules.Module { return t.module }

// Case prepares a question to the rules about one order of product p. Whether the
// applicant is on the tenant's roster is added to the facts.
func (t *Tenant) Case(p Product, answers form.Answers, facts map[string]string) rules.Case {
	return rules.Case{
		Service: p.Service, TermYears: p.term(answers), Quantity: p.quantity(answers), Answers: answers, Facts: t.known(answers, facts),
		Payer: p.Payment.Payer, Fulfilment: p.Fulfilment, Price: p.Price, Delivery: p.Delivery, Invoice: p.Invoice,
		Eligibility: p.Eligibility, Review: p.Review, Module: t.module,
	}
}

// known adds the roster's word to the facts.
func (t *Tenant) known(answers form.Answers, facts map[string]string) map[string]string {
	if !t.spec.Roster.Enabled {
		return facts
	}
	out := maps.Clone(facts)
	if out == nil {
		out = map[string]string{}
	}
	out["roster"] = "unlisted"
	if t.Listed(answers[t.spec.Roster.By]) {
		out["roster"] = "listed"
	}
	return out
}
