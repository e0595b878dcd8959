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
	"crypto/rand"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
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

// maxAttempts is how often a new key pair may be certified for one item before a person must look.
const maxAttempts = 3

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
	CRLBase string             // "http://host/crl"
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

// begin loads an item and checks state and right: the applicant at his own key, the producer at a new one.
func (s *Service) begin(ctx context.Context, tx *db.Tx, itemID uuid.UUID) (work, error) {
	var orderID uuid.UUID
	err := tx.QueryRow(ctx, `SELECT order_id FROM order_items WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), itemID).Scan(&orderID)
	if errors.Is(err, db.ErrNoRows) {
		return work{}, fault.New(fault.NotFound, "order.not_found")
	}
	if err != nil {
		return work{}, fmt.Errorf("issuance: item: %w", err)
	}
	o, err := s.Orders.LoadForUpdate(ctx, tx, orderID)
	if err != nil {
		return work{}, err
	}
	w := work{order: o}
	if w.t, err = s.Tenants.At(ctx, o.Tenant, o.Release); err != nil {
		return work{}, err
	}
	var ok bool
	if w.p, ok = w.t.Product(o.Product); !ok {
		return work{}, fmt.Errorf("issuance: release %d has no product %s", o.Release, o.Product)
	}
	action, state := authz.CertInstall, order.ReadyToInstall
	if w.p.Fulfilment != "install" {
		action, state = authz.KeyWrite, order.InProduction
	}
	if err := s.Authz.Check(ctx, action, o.Resource(nil)); err != nil {
		return work{}, err
	}
	items, err := order.Items(ctx, tx, o.ID)
	if err != nil {
		return work{}, err
	}
	for _, it := range items {
		if it.ID == itemID {
			w.item = it
		}
	}
	if o.State != state || w.item.State == order.ItemDone || w.item.State == order.ItemWithdrawn {
		return work{}, fault.New(fault.Conflict, "order.not_now", "State", string(o.State), "Event", "issue")
	}
	return w, nil
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
		if old != nil {
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
			Bind:  ticket.Bind{OldSerial: a.OldSerial, KeySN: w.item.TokenSerial},
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

// AuthoriseCleanup gives a ticket to remove the old key pair, once the new certificate has proved itself; not before: until
// then the old one stays usable. fault.Precondition while the item is not done.
func (s *Service) AuthoriseCleanup(ctx context.Context, tenantID, itemID uuid.UUID, origin string) (string, error) {
	var token string
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		var orderID uuid.UUID
		var oldID *uuid.UUID
		var state order.ItemState
		var serial string
		var attempts int
		err := tx.QueryRow(ctx, `SELECT order_id, old_certificate_id, state, coalesce(token_serial, ''), attempts FROM order_items
			WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), itemID).Scan(&orderID, &oldID, &state, &serial, &attempts)
		if errors.Is(err, db.ErrNoRows) {
			return fault.New(fault.NotFound, "order.not_found")
		}
		if err != nil {
			return fmt.Errorf("issuance: item: %w", err)
		}
		o, err := s.Orders.Load(ctx, tx, orderID)
		if err != nil {
			return err
		}
		if err := s.Authz.Check(ctx, authz.CertInstall, o.Resource(nil)); err != nil {
			return err
		}
		if state != order.ItemDone {
			return fault.New(fault.Precondition, "issuance.not_issued")
		}
		t, err := s.Tenants.At(ctx, o.Tenant, o.Release)
		if err != nil {
			return err
		}
		bind := ticket.Bind{KeySN: serial}
		if oldID != nil { // the agent removes only the container of the certificate it is told
			old, err := s.find(ctx, tx, *oldID)
			if err != nil {
				return err
			}
			if old != nil {
				bind.OldSerial = pki.SerialText(old.Serial)
			}
		}
		now := tx.Now()
		token, err = ticket.Sign(s.Key, ticket.Claims{
			Iss: s.Issuer, Origin: origin, Tid: t.Slug(), Order: itemID.String(), Attempt: attempts, Company: o.Organisation(),
			Ops: []string{ticket.OpEnumerate, ticket.OpCleanup}, Bind: bind, Nonce: ticket.NewID(),
			Iat: now.Unix(), Exp: now.Add(ticket.MaxLife).Unix(), JTI: ticket.NewID(),
		})
		return err
	})
	return token, err
}

// claims checks a ticket of ours that a page brings back with a proof.
func (s *Service) claims(token string, itemID uuid.UUID, origin string, now time.Time) (ticket.Claims, error) {
	pub, ok := s.Key.Public().(ed25519.PublicKey)
	if !ok {
		return ticket.Claims{}, errors.New("issuance: ticket key is not Ed25519")
	}
	trust := ticket.Trust{Issuers: []ticket.Issuer{{Iss: s.Issuer, Name: s.Issuer, Keys: []string{ticket.EncodeKey(pub)}, Origins: []string{origin}}}}
	c, err := ticket.Verify(token, trust, now)
	if err != nil {
		return c, fault.Wrap(fault.Invalid, "issuance.ticket", err)
	}
	if c.Order != itemID.String() {
		return c, fault.New(fault.Invalid, "issuance.ticket")
	}
	return c, nil
}

// Enrollment is what the key agent made, as the page relays it.
type Enrollment struct {
	Ticket      string
	Origin      string
	CSR         []byte // PKCS#10, PEM or DER
	TokenSerial string // the device's own serial number
	OldCert     []byte // certificate of the old key, PEM or DER; empty when the key cannot prove itself
	OldProof    []byte // signature of the old key over the ticket's nonce
}

// Enrolled is a certificate to install.
type Enrolled struct {
	Certificate pki.Certificate
	Chain       []pki.Certificate // issuing CA, root
	Again       bool              // the same certificate as last time
}

// Enroll certifies a key pair made inside the key. The same public key is given the same certificate again; another one
// supersedes what was issued and never confirmed, at most three times.
//
// Errors: fault.Invalid for a bad request, ticket or proof; fault.Conflict for a wrong key or too many attempts.
func (s *Service) Enroll(ctx context.Context, tenantID, itemID uuid.UUID, e Enrollment) (Enrolled, error) {
	csr, err := pki.ParseCSR(e.CSR)
	if err != nil {
		return Enrolled{}, fault.Wrap(fault.Invalid, "issuance.csr", err, "Code", string(pki.CodeOf(err)))
	}
	var done *Enrolled
	var in intent
	err = s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		done = nil
		w, err := s.begin(ctx, tx, itemID)
		if err != nil {
			return err
		}
		c, err := s.claims(e.Ticket, itemID, e.Origin, tx.Now())
		if err != nil {
			return err
		}
		if err := s.proveOld(ctx, tx, &w, e, c); err != nil {
			return err
		}
		if done, err = s.again(ctx, tx, itemID, csr); err != nil || done != nil {
			return err
		}
		if err := s.claimToken(ctx, tx, w, e.TokenSerial); err != nil {
			return err
		}
		in, err = s.prepare(ctx, tx, w, csr)
		return err
	})
	if err != nil {
		return Enrolled{}, err
	}
	if done != nil {
		return *done, nil
	}
	return s.sign(ctx, tenantID, in)
}

// proveOld checks the old key's proof. A key that is expired beyond use or lost cannot give one; then the review of the
// order's documents stands for it, and the audit says so.
func (s *Service) proveOld(ctx context.Context, tx *db.Tx, w *work, e Enrollment, c ticket.Claims) error {
	if w.p.Fulfilment != "install" {
		return nil
	}
	if len(e.OldProof) == 0 {
		return audit.Record(ctx, tx, audit.Entry{Action: "key.old_unproved", Resource: "order/" + w.order.ID.String(),
			Detail: map[string]any{"item": w.item.ID}})
	}
	old, err := pki.ParseCertificate(e.OldCert)
	if err != nil {
		return fault.Wrap(fault.Invalid, "issuance.old_cert", err)
	}
	if c.Bind.OldSerial != "" && old.Serial() != c.Bind.OldSerial {
		return fault.New(fault.Conflict, "issuance.wrong_key")
	}
	if err := ticket.VerifyProof(e.Origin, c.Nonce, old.X509().PublicKey, e.OldProof); err != nil {
		return fault.Wrap(fault.Invalid, "issuance.old_proof", err)
	}
	if w.item.OldCertificate != uuid.Nil {
		return nil
	}
	return s.adopt(ctx, tx, w, old)
}

// adopt ties an item to the known certificate its key proved, so that it is superseded afterwards.
func (s *Service) adopt(ctx context.Context, tx *db.Tx, w *work, old pki.Certificate) error {
	serial, err := hex.DecodeString(old.Serial())
	if err != nil {
		return fmt.Errorf("issuance: serial: %w", err)
	}
	var id uuid.UUID
	err = tx.QueryRow(ctx, `SELECT id FROM certificates WHERE tenant_id = $1 AND serial = $2 AND spki_sha256 = $3`,
		tx.Tenant(), serial, sum(old.SPKISHA256())).Scan(&id)
	if errors.Is(err, db.ErrNoRows) {
		return nil // issued elsewhere, before the platform
	}
	if err != nil {
		return fmt.Errorf("issuance: old certificate: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE order_items SET old_certificate_id = $3 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), w.item.ID, id); err != nil {
		return fmt.Errorf("issuance: old certificate: %w", err)
	}
	w.item.OldCertificate = id
	return nil
}

func sum(s pki.SPKI) []byte { return s[:] }

// again finds the certificate that this very public key was given before.
func (s *Service) again(ctx context.Context, tx *db.Tx, itemID uuid.UUID, csr pki.CSR) (*Enrolled, error) {
	live, err := s.live(ctx, tx, itemID)
	if err != nil || live == nil || live.Certificate.SPKISHA256() != csr.SPKISHA256() {
		return nil, err
	}
	is, err := s.CA.Issuer(csr.Algorithm())
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "issuance.csr", err, "Code", string(pki.CodeOf(err)))
	}
	return &Enrolled{Certificate: live.Certificate, Chain: []pki.Certificate{is.Certificate, is.Root}, Again: true}, nil
}

// claimToken ties the device to the item: a new key is written for one order only.
func (s *Service) claimToken(ctx context.Context, tx *db.Tx, w work, serial string) error {
	if serial == "" {
		return nil
	}
	if len(serial) > 64 {
		return fault.New(fault.Invalid, "issuance.token_serial")
	}
	if w.p.Fulfilment == "produce" {
		var other string
		err := tx.QueryRow(ctx, `SELECT o.number FROM order_items i JOIN orders o ON o.tenant_id = i.tenant_id AND o.id = i.order_id
			WHERE i.tenant_id = $1 AND i.token_serial = $2 AND i.id <> $3 AND i.state <> 'withdrawn' LIMIT 1`,
			tx.Tenant(), serial, w.item.ID).Scan(&other)
		if err == nil {
			return fault.New(fault.Conflict, "issuance.token_taken", "Number", other)
		}
		if !errors.Is(err, db.ErrNoRows) {
			return fmt.Errorf("issuance: token: %w", err)
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE order_items SET token_serial = $3 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), w.item.ID, serial); err != nil {
		return fmt.Errorf("issuance: token: %w", err)
	}
	return nil
}

// Confirm takes the new key's proof: the certificate becomes active, the old one is superseded if the product says so,
// and when it was the order's last key the order moves on. A repeated call answers the same.
func (s *Service) Confirm(ctx context.Context, tenantID, itemID uuid.UUID, token, origin string, proof []byte) (order.Order, error) {
	var o order.Order
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		w, err := s.begin(ctx, tx, itemID)
		if err != nil {
			return err
		}
		c, err := s.claims(token, itemID, origin, tx.Now())
		if err != nil {
			return err
		}
		live, err := s.live(ctx, tx, itemID)
		if err != nil {
			return err
		}
		if live == nil {
			return fault.New(fault.Precondition, "issuance.not_issued")
		}
		if err := ticket.VerifyProof(origin, c.Nonce, live.Certificate.X509().PublicKey, proof); err != nil {
			return fault.Wrap(fault.Invalid, "issuance.new_proof", err)
		}
		if err := s.activate(ctx, tx, w, live); err != nil {
			return err
		}
		o = w.order
		return s.finish(ctx, tx, &o, w.p, itemID)
	})
	return o, err
}

// activate marks the certificate as in use and retires the one it replaces.
func (s *Service) activate(ctx context.Context, tx *db.Tx, w work, live *Certificate) error {
	_, err := tx.Exec(ctx, `UPDATE certificates SET state = 'active', installed_at = $3, token_serial = nullif($4, '')
		WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), live.ID, tx.Now(), w.item.TokenSerial)
	if err != nil {
		return fmt.Errorf("issuance: activate: %w", err)
	}
	reason, revoke := reasons[w.p.Certificate.RevokeOld]
	if !revoke || w.item.OldCertificate == uuid.Nil {
		return nil
	}
	return s.Revoke(ctx, tx, w.item.OldCertificate, reason)
}

// finish marks an item done, and the order when it was the last.
func (s *Service) finish(ctx context.Context, tx *db.Tx, o *order.Order, p tenant.Product, itemID uuid.UUID) error {
	tag, err := tx.Exec(ctx, `UPDATE order_items SET state = 'done', done_at = $3 WHERE tenant_id = $1 AND id = $2 AND state <> 'done'`,
		tx.Tenant(), itemID, tx.Now())
	if err != nil {
		return fmt.Errorf("issuance: item done: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return nil
	}
	items, err := order.Items(ctx, tx, o.ID)
	if err != nil {
		return err
	}
	for _, it := range items {
		if it.State != order.ItemDone && it.State != order.ItemWithdrawn {
			return nil
		}
	}
	ev := order.KeyWritten
	if p.Fulfilment == "install" {
		ev = order.Installed
	}
	return s.Orders.Advance(ctx, tx, o, ev, nil)
}

// Serviced notes that the work on a key that was sent in is done; no certificate is issued (unlock).
func (s *Service) Serviced(ctx context.Context, tenantID, itemID uuid.UUID) (order.Order, error) {
	var o order.Order
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		w, err := s.begin(ctx, tx, itemID)
		if err != nil {
			return err
		}
		if w.p.Fulfilment != "unlock" {
			return fault.New(fault.Conflict, "issuance.needs_certificate")
		}
		o = w.order
		return s.finish(ctx, tx, &o, w.p, itemID)
	})
	return o, err
}

// newSerial draws a serial number and its octets.
func newSerial() (*big.Int, error) { return pki.NewSerial(rand.Reader) }
