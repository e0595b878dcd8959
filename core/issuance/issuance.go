// Package issuance gives keys their certificates and takes certificates back.
//
// In: an approved order item, a certificate request made inside its key, and proofs by the old and the new key.
// Out: certificates, each announced by a stored intent before anything is signed; item and order moved on when the new
// key has proved itself; revocations and revocation lists. The page in the browser only carries messages between the key
// agent and this package; it is never believed.
//
// The steps of one key: Authorise (ticket for the agent) → Enroll (request → certificate) → Confirm (proof by the new
// key → done, old certificate superseded). Each may be repeated after a crash: the same public key is given the same
// certificate again, a new one supersedes the certificate that was never confirmed.
package issuance

import (
	"context"
	"crypto/ed25519"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/order"
	"certsaas/core/pki"
	"certsaas/core/tenant"
	"certsaas/core/token/ticket"
	"certsaas/core/vault"
)

// Messages are the package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// Deps is what a Service stands on.
type Deps struct {
	DB      *db.DB
	Vault   *vault.Vault
	Orders  *order.Service
	Tenants order.Tenants
	Authz   *authz.Authorizer
	CA      CA
	Key     ed25519.PrivateKey // signs agent tickets
	Issuer  string             // name of this platform in tickets
	Plain   string             // "http://host": where those who check certificates fetch what they need
}

// Service is the use cases of issuance.
type Service struct{ Deps }

// New makes a Service.
func New(d Deps) *Service { return &Service{d} }

// Authorisation is what a page hands to the key agent.
type Authorisation struct {
	Ticket    string        // compact JWS, ten minutes, one transaction
	Nonce     string        // what both keys must sign
	Algorithm pki.Algorithm // of the key pair to make
	OldSerial string        // certificate the key should hold, "" when unknown
	ProveOld  bool          // the old key must prove itself
	Attempt   int
}

// work is one item in the hands of a caller who may finish it.
type work struct {
	order order.Order
	item  order.Item
	t     *tenant.Tenant
	p     tenant.Product
}

// open loads an item with its order, locked, for a caller who may finish it: the applicant at his own key, the producer at a new one.
func (s *Service) open(ctx context.Context, tx *db.Tx, itemID uuid.UUID) (work, error) {
	var orderID uuid.UUID
	err := tx.QueryRow(ctx, `SELECT order_id FROM order_items WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), itemID).Scan(&orderID)
	if errors.Is(err, db.ErrNoRows) {
		return work{}, fault.New(fault.NotFound, "order.not_found")
	}
	if err != nil {
		return work{}, fmt.Errorf("issuance: item: %w", err)
	}
	w, err := s.load(ctx, tx, orderID, itemID)
	if err != nil {
		return work{}, err
	}
	action := authz.CertInstall
	if w.p.Fulfilment != "install" {
		action = authz.KeyWrite
	}
	return w, s.Authz.Check(ctx, action, w.order.Resource(nil))
}

// load reads an item with its order, which stays locked, and its product, whoever asks.
func (s *Service) load(ctx context.Context, tx *db.Tx, orderID, itemID uuid.UUID) (w work, err error) {
	if w.order, err = s.Orders.LoadForUpdate(ctx, tx, orderID); err != nil {
		return work{}, err
	}
	if w.t, err = s.Tenants.At(ctx, w.order.Tenant, w.order.Release); err != nil {
		return work{}, err
	}
	var ok bool
	if w.p, ok = w.t.Product(w.order.Product); !ok {
		return work{}, fmt.Errorf("issuance: release %d has no product %s", w.order.Release, w.order.Product)
	}
	items, err := order.Items(ctx, tx, orderID)
	if err != nil {
		return work{}, err
	}
	for _, it := range items {
		if it.ID == itemID {
			w.item = it
		}
	}
	return w, nil
}

// begin is open for an item that waits for its certificate or for the proof of it; fault.Conflict otherwise.
func (s *Service) begin(ctx context.Context, tx *db.Tx, itemID uuid.UUID) (work, error) {
	w, err := s.open(ctx, tx, itemID)
	if err != nil {
		return work{}, err
	}
	if !w.inHand() {
		return work{}, fault.New(fault.Conflict, "order.not_now", "State", string(w.order.State), "Event", "issue")
	}
	return w, nil
}

// inHand tells whether the order is where keys are written and the item is not done.
func (w work) inHand() bool {
	state := order.InProduction
	if w.p.Fulfilment == "install" {
		state = order.ReadyToInstall
	}
	return w.order.State == state && (w.item.State == order.ItemWaiting || w.item.State == order.ItemIssued)
}

// Authorise gives the page a ticket for one item. origin is the page's own ("https://byd.example.cn").
func (s *Service) Authorise(ctx context.Context, tenantID, itemID uuid.UUID, origin string) (Authorisation, error) {
	var a Authorisation
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		w, err := s.begin(ctx, tx, itemID)
		if err != nil {
			return err
		}
		if w.p.Fulfilment == "unlock" {
			return fault.New(fault.Conflict, "issuance.no_certificate")
		}
		old, err := s.find(ctx, tx, w.item.OldCertificate)
		if err != nil {
			return err
		}
		if len(w.p.Certificate.Profile.Algorithms) == 0 {
			return fmt.Errorf("issuance: product %s names no key algorithm", w.p.Code)
		}
		a = Authorisation{
			Nonce: ticket.NewID(), Algorithm: pki.Algorithm(w.p.Certificate.Profile.Algorithms[0]),
			ProveOld: w.p.Fulfilment == "install", Attempt: w.item.Attempts + 1,
		}
		if old != nil && a.ProveOld { // a key that is made for a lost one is blank
			a.OldSerial = pki.SerialText(old.Serial)
		}
		if live, err := s.live(ctx, tx, itemID); err != nil {
			return err
		} else if live != nil {
			a.Attempt = w.item.Attempts // the key pair of the unconfirmed certificate is looked for first
		}
		now := tx.Now()
		claims := ticket.Claims{
			Iss: s.Issuer, Origin: origin, Tid: w.t.Slug(), Order: itemID.String(), Attempt: a.Attempt, Company: w.order.Organisation(),
			Ops:   []string{ticket.OpEnumerate, ticket.OpCSR, ticket.OpInstall, ticket.OpProve},
			Bind:  ticket.Bind{OldSerial: a.OldSerial, KeySN: w.sameKey()},
			Nonce: a.Nonce, Iat: now.Unix(), Exp: now.Add(ticket.MaxLife).Unix(), JTI: ticket.NewID(),
		}
		if a.Ticket, err = ticket.Sign(s.Key, claims); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "key.authorised", Resource: "order/" + w.order.ID.String(),
			Detail: map[string]any{"item": itemID, "attempt": a.Attempt}})
	})
	return a, err
}

// sameKey is the device the agent must find again: an applicant goes on with the key he began with, while a producer may
// take another new key when one fails.
func (w work) sameKey() string {
	if w.p.Fulfilment == "install" {
		return w.item.TokenSerial
	}
	return ""
}

// claims checks a ticket of ours that a page brings back, for an operation.
func (s *Service) claims(token string, itemID uuid.UUID, op, origin string, now time.Time) (ticket.Claims, error) {
	pub, ok := s.Key.Public().(ed25519.PublicKey)
	if !ok {
		return ticket.Claims{}, errors.New("issuance: ticket key is not Ed25519")
	}
	trust := ticket.Trust{Issuers: []ticket.Issuer{{Iss: s.Issuer, Name: s.Issuer, Keys: []string{ticket.EncodeKey(pub)}, Origins: []string{origin}}}}
	c, err := ticket.Verify(token, trust, now)
	if err != nil {
		return c, fault.Wrap(fault.Invalid, "issuance.ticket", err)
	}
	if c.Order != itemID.String() || !c.Allows(op) {
		return c, fault.New(fault.Invalid, "issuance.ticket")
	}
	return c, nil
}
