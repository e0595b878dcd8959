package issuance

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/pki"
)

// schedule is how long a revocation list may be used, and how often a new one is made without a reason.
type schedule struct{ life, every time.Duration }

var (
	issuingLists = schedule{7 * 24 * time.Hour, 24 * time.Hour}        // domain §6.7
	rootLists    = schedule{180 * 24 * time.Hour, 60 * 24 * time.Hour} // of the issuing authorities' own certificates
)

// RefreshCRLs makes new revocation lists where something is revoked that the last one does not hold, or it is old. It
// returns how many it made. Run every few seconds, it brings a revocation out within the minute.
func (s *Service) RefreshCRLs(ctx context.Context, local *Local) (int, error) {
	made := 0
	ctx = authz.WithPrincipal(ctx, authz.System("issuance/crl"))
	for _, alg := range local.Algorithms() {
		var n int
		err := s.DB.WithSystem(ctx, "issuance/crl", func(ctx context.Context, tx *db.Tx) (err error) {
			n, err = local.refresh(ctx, tx, alg)
			return err
		})
		if err != nil {
			return made, err
		}
		made += n
	}
	return made, nil
}

// refresh makes the lists of an issuing authority and of its root if they are due.
func (l *Local) refresh(ctx context.Context, tx *db.Tx, alg pki.Algorithm) (int, error) {
	is, err := l.issuer(alg)
	if err != nil {
		return 0, err
	}
	// one process at a time: numbers rise
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('certsaas/crl/' || $1, 0))`, string(alg)); err != nil {
		return 0, fmt.Errorf("issuance: lock: %w", err)
	}
	issuing := func() (pki.Authority, error) { return pki.Authority{Certificate: is.Certificate, Key: is.key}, nil }
	n, err := publish(ctx, tx, is.ID, issuingLists, issuing)
	if err != nil {
		return 0, err
	}
	m, err := publish(ctx, tx, is.root, rootLists, func() (pki.Authority, error) { return l.rootOf(ctx, tx, is) })
	return n + m, err
}

// rootOf opens the root's key, which is not kept in memory.
func (l *Local) rootOf(ctx context.Context, tx *db.Tx, is localIssuer) (pki.Authority, error) {
	var sealed []byte
	if err := tx.QueryRow(ctx, `SELECT key_sealed FROM authorities WHERE id = $1`, is.root).Scan(&sealed); err != nil {
		return pki.Authority{}, fmt.Errorf("issuance: root key: %w", err)
	}
	plain, err := l.vault.PlatformKeys().Open("authorities.key", is.root, sealed)
	if err != nil {
		return pki.Authority{}, fmt.Errorf("issuance: root key: %w", err)
	}
	key, err := pki.ParseKey(plain)
	return pki.Authority{Certificate: is.Root, Key: key}, err
}

// publish signs and stores a new list of an authority if one is due; it returns how many it made. What is revoked is
// compared by number, not by time: a revocation may be committed after a list that is younger than it.
func publish(ctx context.Context, tx *db.Tx, authority uuid.UUID, sch schedule, by func() (pki.Authority, error)) (int, error) {
	var number, had int64
	var last time.Time
	err := tx.QueryRow(ctx, `SELECT number, entries, this_update FROM crls WHERE authority_id = $1 ORDER BY number DESC LIMIT 1`, authority).
		Scan(&number, &had, &last)
	if err != nil && !errors.Is(err, db.ErrNoRows) {
		return 0, fmt.Errorf("issuance: last CRL: %w", err)
	}
	this := tx.Now().Truncate(time.Second)
	var have int64
	err = tx.QueryRow(ctx, `SELECT count(*) FROM (`+revoked+`) x`, authority, this).Scan(&have)
	if err != nil {
		return 0, fmt.Errorf("issuance: revocations: %w", err)
	}
	if number > 0 && have == had && this.Sub(last) < sch.every {
		return 0, nil
	}
	entries, err := revocations(ctx, tx, authority, this)
	if err != nil {
		return 0, err
	}
	signer, err := by()
	if err != nil {
		return 0, err
	}
	der, err := pki.CreateCRL(entries, big.NewInt(number+1), this, this.Add(sch.life), signer)
	if err != nil {
		return 0, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO crls (authority_id, number, entries, der, this_update, next_update) VALUES ($1, $2, $3, $4, $5, $6)`,
		authority, number+1, len(entries), der, this, this.Add(sch.life))
	if err != nil {
		return 0, fmt.Errorf("issuance: store CRL: %w", err)
	}
	return 1, nil
}

// revoked selects the certificates of an authority that are taken back at a moment, and the serial numbers that were
// perhaps signed but never handed out.
const revoked = `SELECT serial, revoked_at AS at, coalesce(revocation_reason, 0) AS reason FROM certificates
	WHERE authority_id = $1 AND revoked_at <= $2
	UNION ALL SELECT serial, settled_at, 0 FROM issuance_intents WHERE authority_id = $1 AND state = 'abandoned' AND settled_at <= $2`

func revocations(ctx context.Context, tx *db.Tx, authority uuid.UUID, at time.Time) ([]pki.Revocation, error) {
	rows, err := tx.Query(ctx, revoked, authority, at)
	if err != nil {
		return nil, fmt.Errorf("issuance: revocations: %w", err)
	}
	defer rows.Close()
	var out []pki.Revocation
	for rows.Next() {
		var serial []byte
		var r pki.Revocation
		var reason int
		if err := rows.Scan(&serial, &r.RevokedAt, &reason); err != nil {
			return nil, fmt.Errorf("issuance: revocations: %w", err)
		}
		r.Serial, r.Reason = new(big.Int).SetBytes(serial), pki.Reason(reason)
		out = append(out, r)
	}
	return out, rows.Err()
}

// CRL is the newest revocation list of an authority, DER; nil when there is none.
func (s *Service) CRL(ctx context.Context, authority uuid.UUID) ([]byte, error) {
	var der []byte
	err := s.DB.WithSystem(ctx, "issuance/crl", func(ctx context.Context, tx *db.Tx) error {
		err := tx.QueryRow(ctx, `SELECT der FROM crls WHERE authority_id = $1 ORDER BY number DESC LIMIT 1`, authority).Scan(&der)
		if errors.Is(err, db.ErrNoRows) {
			return nil
		}
		return err
	})
	return der, err
}
