package account

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

// How long sessions last (ASVS 7.3.1, 7.3.2).
const (
	IdleLimit     = 12 * time.Hour     // without a request
	AbsoluteLimit = 7 * 24 * time.Hour // from the login
	seenEvery     = time.Minute        // how exactly the last request is remembered
)

// Session is a logged-in browser.
type Session struct {
	Account   Account
	Token     string // goes into the cookie; set only when the session begins
	CreatedAt time.Time
	ExpiresAt time.Time // absolute end
}

// newToken is 32 random bytes for the cookie, and the hash that is stored.
func newToken() (token string, hash []byte, err error) {
	raw := make([]byte, 32)
	if _, err := rand.Read(raw); err != nil {
		return "", nil, fmt.Errorf("account: token: %w", err)
	}
	token = base64.RawURLEncoding.EncodeToString(raw)
	return token, hashToken(token), nil
}

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

// Begin starts a session of the account in the caller's tenant transaction,
// after its owner was proved, and ends the browser's session so far (old, "" if
// none). The token is new whatever the browser brought.
func (s *Service) Begin(ctx context.Context, tx *db.Tx, a Account, old string) (Session, error) {
	if old != "" {
		if err := end(ctx, tx, old); err != nil {
			return Session{}, err
		}
	}
	token, hash, err := newToken()
	if err != nil {
		return Session{}, err
	}
	expires := tx.Now().Add(AbsoluteLimit)
	if _, err := tx.Exec(ctx, `INSERT INTO sessions (tenant_id, id_hash, account_id, created_at, seen_at, expires_at) VALUES ($1, $2, $3, $4, $4, $5)`,
		tx.Tenant(), hash, a.ID, tx.Now(), expires); err != nil {
		return Session{}, fmt.Errorf("account: begin session: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE accounts SET last_login_at = $3 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), a.ID, tx.Now()); err != nil {
		return Session{}, fmt.Errorf("account: last login: %w", err)
	}
	if err := record(ctx, tx, a, "account.login", nil); err != nil {
		return Session{}, err
	}
	return Session{Account: a, Token: token, CreatedAt: tx.Now(), ExpiresAt: expires}, nil
}

// Authenticate is the session of a token at this tenant, or
// fault.Unauthenticated. A token of another tenant is as unknown as any other.
func (s *Service) Authenticate(ctx context.Context, tenant uuid.UUID, token string) (Session, error) {
	if token == "" || len(token) > 64 {
		return Session{}, unknownSession()
	}
	var out Session
	var seen, now time.Time
	err := s.db.ReadTenant(ctx, tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		now = tx.Now()
		var r row
		err = tx.QueryRow(ctx, `SELECT s.created_at, s.seen_at, s.expires_at, `+columns+`
			FROM sessions s JOIN accounts a ON a.tenant_id = s.tenant_id AND a.id = s.account_id
			WHERE s.tenant_id = $1 AND s.id_hash = $2 AND s.revoked_at IS NULL AND s.expires_at > $3 AND s.seen_at > $4`,
			tenant, hashToken(token), now, now.Add(-IdleLimit)).Scan(append([]any{&out.CreatedAt, &seen, &out.ExpiresAt}, r.cells()...)...)
		if errors.Is(err, db.ErrNoRows) {
			return unknownSession()
		}
		if err != nil {
			return fmt.Errorf("account: session: %w", err)
		}
		out.Account, err = s.unseal(ctx, tx, r)
		return err
	})
	if err != nil {
		return Session{}, err
	}
	if now.Sub(seen) >= seenEvery {
		err = s.see(ctx, tenant, token)
	}
	return out, err
}

// see notes that a session was used.
func (s *Service) see(ctx context.Context, tenant uuid.UUID, token string) error {
	return s.db.WithTenant(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE sessions SET seen_at = $3 WHERE tenant_id = $1 AND id_hash = $2 AND seen_at < $3`, tenant, hashToken(token), tx.Now()); err != nil {
			return fmt.Errorf("account: session: %w", err)
		}
		return nil
	})
}

func unknownSession() error { return fault.New(fault.Unauthenticated, "account.needs_login") }

// Logout ends one session; an unknown token is nothing to complain about.
func (s *Service) Logout(ctx context.Context, tenant uuid.UUID, token string) error {
	return s.db.WithTenant(ctx, tenant, func(ctx context.Context, tx *db.Tx) error { return end(ctx, tx, token) })
}

func end(ctx context.Context, tx *db.Tx, token string) error {
	if _, err := tx.Exec(ctx, `UPDATE sessions SET revoked_at = $3 WHERE tenant_id = $1 AND id_hash = $2 AND revoked_at IS NULL`,
		tx.Tenant(), hashToken(token), tx.Now()); err != nil {
		return fmt.Errorf("account: end session: %w", err)
	}
	return nil
}

func endAll(ctx context.Context, tx *db.Tx, account uuid.UUID) error {
	if _, err := tx.Exec(ctx, `UPDATE sessions SET revoked_at = $3 WHERE tenant_id = $1 AND account_id = $2 AND revoked_at IS NULL`,
		tx.Tenant(), account, tx.Now()); err != nil {
		return fmt.Errorf("account: end sessions: %w", err)
	}
	return nil
}
