// Package authz decides who may do what.
//
// In: the principal carried by the context, an action "<noun>.<verb>" and the
// resource it touches. Out: nil, or a fault: Unauthenticated (log in first),
// NotFound (the thing is another tenant's or another dealer's, and its
// existence a secret) or Denied. The rules are Rego, in policy/, compiled once
// with a vocabulary that reaches neither network nor clock; anything the
// policy does not allow, and any failure to decide, is a refusal.
package authz

import (
	"context"

	"github.com/google/uuid"
)

// Kind says what sort of caller a principal is.
type Kind string

// The kinds of principal.
const (
	Anonymous  Kind = "anonymous" // nobody yet: a visitor without a session
	Dealer     Kind = "dealer"    // an applicant of one tenant's portal
	Staff      Kind = "staff"     // a person of the console
	SystemKind Kind = "system"    // a named component of the program itself
)

// The roles of staff. A person may hold several; the policy keeps apart what
// must be done by two persons (see policy/authz.rego).
const (
	RoleAdmin      = "admin"      // accounts of staff, sight of everything but personal data
	RoleOnboarding = "onboarding" // declares and publishes tenants
	RoleReviewer   = "reviewer"   // examines orders
	RoleFinance    = "finance"    // confirms transfers, refunds, invoices
	RoleProducer   = "producer"   // writes keys and ships them
	RoleAuditor    = "auditor"    // reads, never changes
)

// Roles lists the roles of staff in the order of the matrix.
func Roles() []string {
	return []string{RoleAdmin, RoleOnboarding, RoleReviewer, RoleFinance, RoleProducer, RoleAuditor}
}

// Principal is who is calling. The zero value is anonymous.
type Principal struct {
	Kind   Kind
	ID     uuid.UUID // account or staff id; Nil for anonymous and system
	Name   string    // display name, or the component of a system principal
	Roles  []string  // of staff
	Tenant uuid.UUID // of dealers always; of staff who serve one tenant only, else Nil
}

// Has reports whether a staff member holds a role.
func (p Principal) Has(role string) bool {
	for _, r := range p.Roles {
		if r == role {
			return p.Kind == Staff
		}
	}
	return false
}

// Authenticated reports whether the caller is a known person.
func (p Principal) Authenticated() bool { return p.Kind == Dealer || p.Kind == Staff }

// System is the principal of a part of the program that acts by itself, e.g.
// "scheduler/remind" or "payment/callback".
func System(component string) Principal {
	return Principal{Kind: SystemKind, Name: component}
}

type principalKey struct{}

// WithPrincipal puts the caller into ctx.
func WithPrincipal(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// From is the caller in ctx, or the anonymous principal.
func From(ctx context.Context) Principal {
	if p, ok := ctx.Value(principalKey{}).(Principal); ok && p.Kind != "" {
		return p
	}
	return Principal{Kind: Anonymous}
}

// Resource is what an action touches. What is not known stays empty; the
// policy refuses a dealer any single thing that does not carry his own id as
// Owner.
type Resource struct {
	Kind   string         // "order", "file", "route", …
	Tenant uuid.UUID      // whose it is
	Owner  uuid.UUID      // dealer account it belongs to
	State  string         // its state, if it has one
	Extra  map[string]any // facts a rule asks for; JSON-like values and uuid.UUID
}

// routeKind marks a question about a page as a whole, before any single thing
// is known: may such a caller come in here at all?
const routeKind = "route"
