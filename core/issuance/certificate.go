package issuance

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/audit"
	"certsaas/core/db"
	"certsaas/core/order"
	"certsaas/core/pki"
	"certsaas/core/vault"
)

// CertState is where a certificate stands.
type CertState string

// The states of a certificate.
const (
	Issued     CertState = "issued"     // signed, not yet proved in its key
	Active     CertState = "active"     // in its key and in use
	Superseded CertState = "superseded" // revoked because another took its place
	Revoked    CertState = "revoked"    // revoked for another reason
)

// Certificate is one certificate the platform knows.
type Certificate struct {
	ID                   uuid.UUID
	Order, Item, Intent  uuid.UUID // Nil for imported ones
	Account              uuid.UUID // the holder's login, Nil when unknown
	Authority            uuid.UUID // Nil: issued elsewhere
	Certificate          pki.Certificate
	Serial               []byte
	NotBefore, NotAfter  time.Time
	Product              string
	TokenSerial          string
	State                CertState
	RevokedAt            *time.Time
	Organisation, Mobile string // written only: they become blind indexes
}

// reasons maps what a product says about the old certificate to RFC 5280 §5.3.1.
var reasons = map[string]pki.Reason{
	"superseded": pki.Superseded, "key_compromise": pki.KeyCompromise,
	"affiliation_changed": pki.AffiliationChanged, "cessation_of_operation": pki.CessationOfOperation,
}

const certColumns = `id, order_id, item_id, account_id, authority_id, serial, der_sealed, product, coalesce(token_serial, ''), not_before, not_after, state, revoked_at`

func scanCertificate(keys *vault.Keys, row pgx.Row) (*Certificate, error) {
	var c Certificate
	var sealed []byte
	var ord, item, account, authority *uuid.UUID
	err := row.Scan(&c.ID, &ord, &item, &account, &authority, &c.Serial, &sealed, &c.Product, &c.TokenSerial, &c.NotBefore, &c.NotAfter, &c.State, &c.RevokedAt)
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("issuance: certificate: %w", err)
	}
	for dst, src := range map[*uuid.UUID]*uuid.UUID{&c.Order: ord, &c.Item: item, &c.Account: account, &c.Authority: authority} {
		if src != nil {
			*dst = *src
		}
	}
	der, err := keys.Open("certificates.der", c.ID, sealed)
	if err != nil {
		return nil, fmt.Errorf("issuance: open certificate: %w", err)
	}
	c.Certificate, err = pki.ParseCertificate(der)
	return &c, err
}

// find reads a certificate; nil when id is Nil or unknown.
func (s *Service) find(ctx context.Context, tx *db.Tx, id uuid.UUID) (*Certificate, error) {
	if id == uuid.Nil {
		return nil, nil
	}
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	return scanCertificate(keys, tx.QueryRow(ctx, `SELECT `+certColumns+` FROM certificates WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id))
}

// live is the certificate of an item that is neither superseded nor revoked; nil when there is none.
func (s *Service) live(ctx context.Context, tx *db.Tx, itemID uuid.UUID) (*Certificate, error) {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	return scanCertificate(keys, tx.QueryRow(ctx, `SELECT `+certColumns+` FROM certificates
		WHERE tenant_id = $1 AND item_id = $2 AND state IN ('issued', 'active')`, tx.Tenant(), itemID))
}

// Of lists the certificates of an order, item by item, superseded ones included.
func (s *Service) Of(ctx context.Context, tx *db.Tx, orderID uuid.UUID) ([]Certificate, error) {
	return s.list(ctx, tx, `order_id = $2 ORDER BY created_at`, orderID)
}

// Held lists the certificates that belong to an account and are in use or past their end, the first to expire first: what he may renew, replace or have unlocked.
func (s *Service) Held(ctx context.Context, tx *db.Tx, account uuid.UUID) ([]Certificate, error) {
	return s.list(ctx, tx, `account_id = $2 AND state = 'active' ORDER BY not_after`, account)
}

// HeldByMobile lists active certificates that were issued or imported for a mobile, before its owner had a login.
func (s *Service) HeldByMobile(ctx context.Context, tx *db.Tx, mobile string) ([]Certificate, error) {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	return s.list(ctx, tx, `mobile_index = $2 AND state = 'active' ORDER BY not_after`, keys.Index("mobile", mobile))
}

func (s *Service) list(ctx context.Context, tx *db.Tx, where string, arg any) ([]Certificate, error) {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT `+certColumns+` FROM certificates WHERE tenant_id = $1 AND `+where, tx.Tenant(), arg)
	if err != nil {
		return nil, fmt.Errorf("issuance: certificates: %w", err)
	}
	defer rows.Close()
	var out []Certificate
	for rows.Next() {
		c, err := scanCertificate(keys, rows)
		if err != nil {
			return nil, err
		}
		out = append(out, *c)
	}
	return out, rows.Err()
}

// insert stores a certificate.
func (s *Service) insert(ctx context.Context, tx *db.Tx, c Certificate) error {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return err
	}
	var mobile []byte
	if c.Mobile != "" {
		mobile = keys.Index("mobile", c.Mobile)
	}
	x := c.Certificate.X509()
	_, err = tx.Exec(ctx, `INSERT INTO certificates (tenant_id, id, order_id, item_id, intent_id, account_id, authority_id, serial, spki_sha256,
		der_sealed, org_index, mobile_index, product, token_serial, not_before, not_after, state, created_at, installed_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, nullif($14, ''), $15, $16, $17, $18, $19)`,
		tx.Tenant(), c.ID, null(c.Order), null(c.Item), null(c.Intent), null(c.Account), null(c.Authority), x.SerialNumber.Bytes(),
		sum(c.Certificate.SPKISHA256()), keys.Seal("certificates.der", c.ID, c.Certificate.DER()), keys.Index("org", c.Organisation), mobile,
		c.Product, c.TokenSerial, x.NotBefore, x.NotAfter, c.State, tx.Now(), installedAt(c, tx.Now()))
	if err != nil {
		return fmt.Errorf("issuance: insert certificate: %w", err)
	}
	return nil
}

func installedAt(c Certificate, now time.Time) *time.Time {
	if c.State == Active {
		return &now
	}
	return nil
}

func null(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// Import takes in a certificate that was issued before the platform knew its holder, as active.
func (s *Service) Import(ctx context.Context, tx *db.Tx, c Certificate) (uuid.UUID, error) {
	c.ID, c.State = db.NewID(), Active
	if err := s.insert(ctx, tx, c); err != nil {
		return uuid.Nil, err
	}
	return c.ID, audit.Record(ctx, tx, audit.Entry{Action: "certificate.imported", Resource: "certificate/" + c.ID.String(),
		Detail: map[string]any{"serial": c.Certificate.Serial()}})
}

// Revoke takes a certificate back in the caller's transaction; RefreshCRLs puts it on a revocation list within a minute.
// Revoking twice changes nothing.
func (s *Service) Revoke(ctx context.Context, tx *db.Tx, id uuid.UUID, reason pki.Reason) error {
	state := Revoked
	if reason == pki.Superseded {
		state = Superseded
	}
	tag, err := tx.Exec(ctx, `UPDATE certificates SET state = $3, revoked_at = $4, revocation_reason = $5
		WHERE tenant_id = $1 AND id = $2 AND revoked_at IS NULL`, tx.Tenant(), id, state, tx.Now().Truncate(time.Second), int(reason))
	if err != nil {
		return fmt.Errorf("issuance: revoke: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return nil
	}
	return audit.Record(ctx, tx, audit.Entry{Action: "certificate.revoked", Resource: "certificate/" + id.String(), Detail: map[string]any{"reason": int(reason)}})
}

// Approved does what approval and payment alone bring about, told by the outbox (order.approve, order.paid): a revocation
// order, or a replacement of a lost key, takes the old certificate back at once.
func (s *Service) Approved(ctx context.Context, tenantID, orderID uuid.UUID) error {
	return s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, err := s.Orders.Load(ctx, tx, orderID)
		if err != nil || o.OldCertificate == uuid.Nil || !carriedOut(o) {
			return err
		}
		t, err := s.Tenants.At(ctx, o.Tenant, o.Release)
		if err != nil {
			return err
		}
		p, _ := t.Product(o.Product)
		reason, ok := reasons[p.Certificate.RevokeOld]
		if !ok || (reason == pki.Superseded && p.Issues()) {
			return nil
		}
		return s.Revoke(ctx, tx, o.OldCertificate, reason)
	})
}

// carriedOut tells whether an order is approved, paid if it costs something, and not on its way back.
func carriedOut(o order.Order) bool {
	switch o.State {
	case order.AwaitingKey, order.InProduction, order.ReadyToInstall, order.ToDeliver, order.Completed:
		return o.ReviewedAt != nil
	}
	return false
}

// OldKey tells the rules how the certificate stands that an order is about: none, valid, expired or revoked, and whether
// it expired longer ago than the product's renewal window.
func (s *Service) OldKey(ctx context.Context, tx *db.Tx, o order.Order) (map[string]string, error) {
	c, err := s.find(ctx, tx, o.OldCertificate)
	if err != nil {
		return nil, err
	}
	facts := map[string]string{"old_key": "none", "old_key_late": "no"}
	switch {
	case c == nil:
		return facts, nil
	case c.RevokedAt != nil:
		facts["old_key"] = "revoked"
	case c.NotAfter.Before(tx.Now()):
		facts["old_key"] = "expired"
	default:
		facts["old_key"] = "valid"
	}
	t, err := s.Tenants.At(ctx, o.Tenant, o.Release)
	if err != nil {
		return nil, err
	}
	if p, ok := t.Product(o.Product); ok && p.Window.LateDays > 0 && tx.Now().After(c.NotAfter.AddDate(0, 0, p.Window.LateDays)) {
		facts["old_key_late"] = "yes"
	}
	return facts, nil
}

// SerialOf gives a stored serial number in the form that people read.
func SerialOf(octets []byte) string { return pki.SerialText(new(big.Int).SetBytes(octets).Bytes()) }
