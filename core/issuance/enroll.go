package issuance

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/pki"
	"certsaas/core/token/ticket"
)

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
// supersedes what was issued and never confirmed, as often as the item allows (AllowMore).
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
		if !w.p.Issues() {
			return fault.New(fault.Conflict, "issuance.no_certificate")
		}
		c, err := s.claims(e.Ticket, itemID, ticket.OpCSR, e.Origin, tx.Now())
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
		in, err = s.announce(ctx, tx, w, csr)
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

// proveOld checks the old key's proof: by the certificate the order is about, or by any other the platform knows. A key that
// is expired beyond use, lost, or unknown to us cannot give one; then the review of the order's documents stands for it, and
// the audit says so.
func (s *Service) proveOld(ctx context.Context, tx *db.Tx, w *work, e Enrollment, c ticket.Claims) error {
	if w.p.Fulfilment != "install" {
		return nil
	}
	if len(e.OldProof) == 0 {
		return unproved(ctx, tx, *w, "none given")
	}
	old, err := pki.ParseCertificate(e.OldCert)
	if err != nil {
		return fault.Wrap(fault.Invalid, "issuance.old_cert", err)
	}
	known, err := s.find(ctx, tx, w.item.OldCertificate)
	if err != nil {
		return err
	}
	// what the page sends is not believed: anybody can make a certificate with that serial number for a key of his own
	if known != nil && (known.Certificate.SPKISHA256() != old.SPKISHA256() || known.Certificate.Serial() != old.Serial()) {
		return fault.New(fault.Conflict, "issuance.wrong_key")
	}
	if err := ticket.VerifyProof(e.Origin, c.Nonce, old.X509().PublicKey, e.OldProof); err != nil {
		return fault.Wrap(fault.Invalid, "issuance.old_proof", err)
	}
	if known != nil {
		return nil
	}
	return s.adopt(ctx, tx, w, old)
}

// unproved notes that no old key stands behind an enrollment.
func unproved(ctx context.Context, tx *db.Tx, w work, why string) error {
	return audit.Record(ctx, tx, audit.Entry{Action: "key.old_unproved", Resource: "order/" + w.order.ID.String(),
		Detail: map[string]any{"item": w.item.ID, "why": why}})
}

// adopt ties an item to the known certificate its key proved, so that it is superseded afterwards. One that was issued
// elsewhere, or taken back already, proves nothing.
func (s *Service) adopt(ctx context.Context, tx *db.Tx, w *work, old pki.Certificate) error {
	serial, err := hex.DecodeString(old.Serial())
	if err != nil {
		return fmt.Errorf("issuance: serial: %w", err)
	}
	var id uuid.UUID
	err = tx.QueryRow(ctx, `SELECT id FROM certificates WHERE tenant_id = $1 AND serial = $2 AND spki_sha256 = $3 AND state = 'active'`,
		tx.Tenant(), serial, sum(old.SPKISHA256())).Scan(&id)
	if errors.Is(err, db.ErrNoRows) {
		return unproved(ctx, tx, *w, "not a certificate in use")
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

// claimToken ties the device to the item. A new key is written for one order only; a key that is renewed serves one item of
// an order. Keys are told apart within a tenant.
func (s *Service) claimToken(ctx context.Context, tx *db.Tx, w work, serial string) error {
	if serial == "" {
		return nil
	}
	if len(serial) > 64 {
		return fault.New(fault.Invalid, "issuance.token_serial")
	}
	// two producers with the same key wait for each other here
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('token/' || $1 || '/' || $2, 0))`, tx.Tenant().String(), serial); err != nil {
		return fmt.Errorf("issuance: token: %w", err)
	}
	fresh := w.p.Fulfilment == "produce"
	var other string
	err := tx.QueryRow(ctx, `SELECT o.number FROM order_items i JOIN orders o ON o.tenant_id = i.tenant_id AND o.id = i.order_id
		WHERE i.tenant_id = $1 AND i.token_serial = $2 AND i.id <> $3 AND i.state <> 'withdrawn' AND ($4 OR i.order_id = $5) LIMIT 1`,
		tx.Tenant(), serial, w.item.ID, fresh, w.order.ID).Scan(&other)
	if err == nil {
		return fault.New(fault.Conflict, "issuance.token_taken", "Number", other)
	}
	if !errors.Is(err, db.ErrNoRows) {
		return fmt.Errorf("issuance: token: %w", err)
	}
	var used bool
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM certificates WHERE tenant_id = $1 AND token_serial = $2 AND state = 'active' AND order_id IS NULL)`,
		tx.Tenant(), serial).Scan(&used)
	if err != nil {
		return fmt.Errorf("issuance: token: %w", err)
	}
	if fresh && used {
		return fault.New(fault.Conflict, "issuance.token_in_use")
	}
	if _, err := tx.Exec(ctx, `UPDATE order_items SET token_serial = $3 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), w.item.ID, serial); err != nil {
		return fmt.Errorf("issuance: token: %w", err)
	}
	return nil
}

// AllowMore lets a key that used all its attempts up be certified again, after a person has looked (domain §6.5).
func (s *Service) AllowMore(ctx context.Context, tenantID, itemID uuid.UUID) error {
	return s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		var orderID uuid.UUID
		err := tx.QueryRow(ctx, `UPDATE order_items SET attempts_allowed = attempts + 3 WHERE tenant_id = $1 AND id = $2 RETURNING order_id`,
			tx.Tenant(), itemID).Scan(&orderID)
		if errors.Is(err, db.ErrNoRows) {
			return fault.New(fault.NotFound, "order.not_found")
		}
		if err != nil {
			return fmt.Errorf("issuance: attempts: %w", err)
		}
		o, err := s.Orders.Load(ctx, tx, orderID)
		if err != nil {
			return err
		}
		if err := s.Authz.Check(ctx, authz.KeyWrite, o.Resource(nil)); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "key.more_attempts", Resource: "order/" + orderID.String(), Detail: map[string]any{"item": itemID}})
	})
}
