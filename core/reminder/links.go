package reminder

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"certsaas/core/db"
	"certsaas/core/fault"
)

// linkDays is how long after the certificate's end its links work.
const linkDays = 30

// newLink makes a link for one certificate: 128 random bits, of which only the hash is kept.
func newLink(ctx context.Context, tx *db.Tx, certificate, noticeID uuid.UUID, notAfter time.Time) (string, error) {
	raw := make([]byte, 16)
	rand.Read(raw) // never fails
	token := base64.RawURLEncoding.EncodeToString(raw)
	var of *uuid.UUID
	if noticeID != uuid.Nil {
		of = &noticeID
	}
	_, err := tx.Exec(ctx, `INSERT INTO reminder_links (tenant_id, token_hash, certificate_id, notice_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		tx.Tenant(), hashToken(token), certificate, of, tx.Now(), latest(notAfter, tx.Now()).AddDate(0, 0, linkDays))
	if err != nil {
		return "", fmt.Errorf("reminder: link: %w", err)
	}
	return token, nil
}

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte("reminder link " + token))
	return sum[:]
}

// Why a link does not lead on.
const (
	LinkUsed    = "used"    // the renewal was handed in
	LinkExpired = "expired" //
	LinkRenewed = "renewed" // the certificate was renewed, replaced or ordered otherwise
	LinkRevoked = "revoked" //
	LinkGone    = "gone"    // the product is not sold any more
)

// Link is what a link's page may show before its reader has proved anything: a masked name and whether it leads on.
type Link struct {
	Certificate uuid.UUID
	Company     string // masked
	NotAfter    time.Time
	Closed      string    // "" or why it does not lead on
	Account     uuid.UUID // whose certificate it is

	mobile string
}

// Mobile is the number that the code goes to. It is not for the page.
func (l Link) Mobile() string { return l.mobile }

// OpenLink reads a link. A token that is unknown, altered or another tenant's is fault.NotFound.
func (s *Service) OpenLink(ctx context.Context, tenantID uuid.UUID, token string) (Link, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != 16 {
		return Link{}, fault.New(fault.NotFound, "reminder.no_link")
	}
	t, err := s.Tenants.ByID(ctx, tenantID)
	if err != nil {
		return Link{}, err
	}
	var l Link
	err = s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		l = Link{}
		var x said
		var ord, acc *uuid.UUID
		var expires time.Time
		var used *time.Time
		var state string
		var ordered bool
		err := tx.QueryRow(ctx, `SELECT l.certificate_id, l.expires_at, l.used_at, c.not_after, c.product, c.order_id, c.account_id, c.state, `+sqlOrdered+`
			FROM reminder_links l JOIN certificates c ON c.tenant_id = l.tenant_id AND c.id = l.certificate_id
			WHERE l.tenant_id = $1 AND l.token_hash = $2`, tenantID, hashToken(token)).
			Scan(&x.certificate, &expires, &used, &x.notAfter, &x.product, &ord, &acc, &state, &ordered)
		if errors.Is(err, db.ErrNoRows) {
			return fault.New(fault.NotFound, "reminder.no_link")
		}
		if err != nil {
			return fmt.Errorf("reminder: link: %w", err)
		}
		x.order, x.account = value(ord), value(acc)
		company, err := s.company(ctx, tx, x)
		if err != nil {
			return err
		}
		o, login, err := s.holder(ctx, tx, x)
		if err != nil {
			return err
		}
		l = Link{Certificate: x.certificate, Company: Masked(company), NotAfter: x.notAfter, Account: x.account, mobile: login}
		if l.mobile == "" {
			l.mobile = o.Mobile()
		}
		_, renews := renewedBy(t, x.product)
		switch {
		case state == "superseded" || ordered:
			l.Closed = LinkRenewed
		case state != "active":
			l.Closed = LinkRevoked
		case used != nil:
			l.Closed = LinkUsed
		case !tx.Now().Before(expires):
			l.Closed = LinkExpired
		case !renews:
			l.Closed = LinkGone
		}
		_, err = tx.Exec(ctx, `UPDATE reminder_links SET opened_at = $3 WHERE tenant_id = $1 AND token_hash = $2 AND opened_at IS NULL`, tenantID, hashToken(token), tx.Now())
		return err
	})
	return l, err
}

// endLinks closes every link of a certificate whose renewal was handed in.
func endLinks(ctx context.Context, tx *db.Tx, certificate uuid.UUID) error {
	_, err := tx.Exec(ctx, `UPDATE reminder_links SET used_at = $3 WHERE tenant_id = $1 AND certificate_id = $2 AND used_at IS NULL`,
		tx.Tenant(), certificate, tx.Now())
	if err != nil {
		return fmt.Errorf("reminder: links: %w", err)
	}
	return nil
}
