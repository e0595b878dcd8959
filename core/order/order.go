// Package order is the life of an order, from the first field to its end.
//
// In: a tenant's compiled product and what an applicant typed or somebody did.
// Out: order rows, the one guarded step from state to state (Advance), a time
// line, and an outbox message "order.<event>" for whoever lies right of it in
// the flow. No order changes state outside Advance.
package order

import (
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/form"
	"certsaas/core/rules"
)

// Order is one commercial request for a product of a tenant.
type Order struct {
	Tenant, ID uuid.UUID
	Number     string // what people read and write on transfers
	Release    int    // the tenant definition the order was made under
	Product    string // product code
	Service    string
	State      State
	Version    int       // counts changes; a stale page is refused by it
	Account    uuid.UUID // Nil while an order-first draft has no login yet
	Visitor    []byte    // SHA-256 of the browser secret that owns such a draft

	TermYears, Quantity int
	Answers             form.Answers // decrypted
	OldCertificate      uuid.UUID    // renewed, replaced, unlocked or revoked; Nil when unknown
	OpenFields          []string     // after a rejection: the only fields that may change
	Lines               []rules.Line // frozen at submission, each with the rule that made it
	TotalFen            int64
	SavedStep           string // last form step that was complete
	Agreed              string // agreement id and digest ticked at confirmation

	CreatedAt, UpdatedAt                                                                           time.Time
	SubmittedAt, PaidAt, QualifiedAt, PausedAt, DueAt, ReviewedAt, CompletedAt, ClosedAt, LapsesAt *time.Time

	ClaimedBy uuid.UUID // reviewer who works on it
	ClaimedAt *time.Time
}

// Item is one key of an order.
type Item struct {
	ID             uuid.UUID
	Seq            int       // 1..Quantity
	OldCertificate uuid.UUID // what the key holds now; Nil for a new key
	TokenSerial    string    // the key's serial number, once seen
	State          ItemState
	Attempts       int // how often a certificate was asked for
	Allowed        int // how often before a person must look
}

// ItemState is how far a key is.
type ItemState string

// The item states.
const (
	ItemWaiting   ItemState = "waiting"   // no certificate yet
	ItemIssued    ItemState = "issued"    // certificate signed, not proved in the key
	ItemDone      ItemState = "done"      // certificate installed and proved
	ItemWithdrawn ItemState = "withdrawn" // the order ended without it
)

// Stuck tells that the key used all its attempts up: nothing goes on before a person has looked.
func (it Item) Stuck() bool {
	return (it.State == ItemWaiting || it.State == ItemIssued) && it.Attempts >= it.Allowed
}

// TimelineEntry is one line of an order's history.
type TimelineEntry struct {
	At        time.Time
	Event     Event
	From, To  State
	ActorKind string
	ActorName string
	Detail    map[string]any
}

// Resource is the order as authorisation sees it. visitorHash is the caller's
// browser, for drafts that no account owns yet.
func (o Order) Resource(visitorHash []byte) authz.Resource {
	r := authz.Resource{Kind: "order", Tenant: o.Tenant, Owner: o.Account, State: string(o.State)}
	if o.Account == uuid.Nil && len(o.Visitor) > 0 && string(o.Visitor) == string(visitorHash) {
		r.Extra = map[string]any{"visitor": true}
	}
	return r
}

// Editable tells whether the applicant may change answers now.
func (o Order) Editable() bool { return o.State == Draft || o.State == Rejected }

// Mobile is the number messages go to.
func (o Order) Mobile() string { return o.Answers[keyMobile] }
