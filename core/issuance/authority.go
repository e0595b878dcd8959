package issuance

import (
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
	"math/big"
	"sync"
	"time"

	"github.com/google/uuid"

	"certsaas/core/db"
	"certsaas/core/pki"
	"certsaas/core/vault"
)

// CA signs certificates. Local is the platform's own; the registration interface of a licensed CA would be another.
type CA interface {
	// Issuer is the authority that signs for keys of an algorithm.
	Issuer(alg pki.Algorithm) (Issuer, error)
	// Sign redeems a ticket prepared for that issuer.
	Sign(ctx context.Context, alg pki.Algorithm, t pki.Ticket) (pki.Certificate, error)
}

// Issuer is an issuing authority as others see it.
type Issuer struct {
	ID          uuid.UUID
	Certificate pki.Certificate
	Root        pki.Certificate
}

// Lifetimes of the platform's own authorities.
const (
	rootYears    = 20
	issuingYears = 10
)

// Local is the platform's own CA: one root and one issuing authority per key algorithm, made at first start, keys sealed in the database.
type Local struct {
	mu      sync.RWMutex
	issuers map[pki.Algorithm]localIssuer
}

type localIssuer struct {
	Issuer
	key crypto.Signer
}

// OpenLocal loads the authorities, making those that are missing. name is the operator's company name; baseURL is where
// revocation lists and CA certificates are served ("http://host/crl"). New authorities are valid from since, which lies
// in the past where a demonstration issues certificates that are due for renewal already.
func OpenLocal(ctx context.Context, d *db.DB, v *vault.Vault, name, baseURL string, since time.Time) (*Local, error) {
	ca := &Local{issuers: map[pki.Algorithm]localIssuer{}}
	err := d.WithSystem(ctx, "ca/open", func(ctx context.Context, tx *db.Tx) error {
		// one process makes the authorities, the others find them
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtext('certsaas/authorities'))`); err != nil {
			return fmt.Errorf("issuance: lock: %w", err)
		}
		for _, alg := range []pki.Algorithm{pki.RSA2048, pki.P256} {
			is, err := load(ctx, tx, v, alg)
			if err != nil {
				return err
			}
			if is == nil {
				if is, err = create(ctx, tx, v, alg, name, baseURL, since); err != nil {
					return err
				}
			}
			ca.issuers[alg] = *is
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return ca, nil
}

type authorityRow struct {
	id        uuid.UUID
	der, seal []byte
}

func load(ctx context.Context, tx *db.Tx, v *vault.Vault, alg pki.Algorithm) (*localIssuer, error) {
	rows, err := tx.Query(ctx, `SELECT id, kind, certificate, key_sealed FROM authorities WHERE algorithm = $1`, string(alg))
	if err != nil {
		return nil, fmt.Errorf("issuance: authorities: %w", err)
	}
	defer rows.Close()
	found := map[string]authorityRow{}
	for rows.Next() {
		var a authorityRow
		var kind string
		if err := rows.Scan(&a.id, &kind, &a.der, &a.seal); err != nil {
			return nil, fmt.Errorf("issuance: authorities: %w", err)
		}
		found[kind] = a
	}
	if err := rows.Err(); err != nil || len(found) < 2 {
		return nil, err
	}
	root, err := pki.ParseCertificate(found["root"].der)
	if err != nil {
		return nil, err
	}
	cert, err := pki.ParseCertificate(found["issuing"].der)
	if err != nil {
		return nil, err
	}
	plain, err := v.PlatformKeys().Open("authorities.key", found["issuing"].id, found["issuing"].seal)
	if err != nil {
		return nil, fmt.Errorf("issuance: issuing key: %w", err)
	}
	key, err := pki.ParseKey(plain)
	if err != nil {
		return nil, err
	}
	return &localIssuer{Issuer{found["issuing"].id, cert, root}, key}, nil
}

func create(ctx context.Context, tx *db.Tx, v *vault.Vault, alg pki.Algorithm, name, baseURL string, since time.Time) (*localIssuer, error) {
	label := map[pki.Algorithm]string{pki.RSA2048: "RSA", pki.P256: "P-256"}[alg]
	now := tx.Now()
	subject := func(kind string) pki.Subject {
		return pki.Subject{Country: "CN", Organization: name, CommonName: name + " " + kind + " " + label}
	}
	serial, err := pki.NewSerial(rand.Reader)
	if err != nil {
		return nil, err
	}
	root, err := pki.NewRoot(subject("Root CA"), alg, serial, since, pki.AddYears(now, rootYears))
	if err != nil {
		return nil, err
	}
	rootID, issuingID := db.NewID(), db.NewID()
	if serial, err = pki.NewSerial(rand.Reader); err != nil {
		return nil, err
	}
	urls := pki.IssuingURLs{CRL: []string{baseURL + "/" + rootID.String() + ".crl"}, Issuer: []string{baseURL + "/" + rootID.String() + ".cer"}}
	issuing, err := pki.NewIssuing(root, subject("Issuing CA"), alg, urls, serial, since, pki.AddYears(now, issuingYears))
	if err != nil {
		return nil, err
	}
	if err := store(ctx, tx, v, "root", alg, rootID, nil, root); err != nil {
		return nil, err
	}
	if err := store(ctx, tx, v, "issuing", alg, issuingID, &rootID, issuing); err != nil {
		return nil, err
	}
	return &localIssuer{Issuer{issuingID, issuing.Certificate, root.Certificate}, issuing.Key}, nil
}

func store(ctx context.Context, tx *db.Tx, v *vault.Vault, kind string, alg pki.Algorithm, id uuid.UUID, parent *uuid.UUID, a pki.Authority) error {
	pkcs8, err := pki.MarshalKey(a.Key)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO authorities (id, kind, algorithm, certificate, key_sealed, parent_id, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, id, kind, string(alg), a.Certificate.DER(),
		v.PlatformKeys().Seal("authorities.key", id, pkcs8), parent, tx.Now())
	if err != nil {
		return fmt.Errorf("issuance: store authority: %w", err)
	}
	return nil
}

// Issuer implements CA.
func (l *Local) Issuer(alg pki.Algorithm) (Issuer, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	is, ok := l.issuers[alg]
	if !ok {
		return Issuer{}, &pki.Error{Code: pki.CodeNotOffered, Detail: string(alg)}
	}
	return is.Issuer, nil
}

// Sign implements CA.
func (l *Local) Sign(_ context.Context, alg pki.Algorithm, t pki.Ticket) (pki.Certificate, error) {
	l.mu.RLock()
	is, ok := l.issuers[alg]
	l.mu.RUnlock()
	if !ok {
		return pki.Certificate{}, &pki.Error{Code: pki.CodeNotOffered, Detail: string(alg)}
	}
	return pki.Issue(t, is.key)
}

// crlLife is how long a revocation list may be used; a new one is made daily and at each revocation.
const crlLife = 7 * 24 * time.Hour

// PublishCRL signs a new list of everything this issuer revoked and stores it.
func (l *Local) PublishCRL(ctx context.Context, tx *db.Tx, alg pki.Algorithm) error {
	l.mu.RLock()
	is, ok := l.issuers[alg]
	l.mu.RUnlock()
	if !ok {
		return &pki.Error{Code: pki.CodeNotOffered, Detail: string(alg)}
	}
	entries, err := revocations(ctx, tx, is.ID)
	if err != nil {
		return err
	}
	var last int64
	if err := tx.QueryRow(ctx, `SELECT coalesce(max(number), 0) FROM crls WHERE authority_id = $1`, is.ID).Scan(&last); err != nil {
		return fmt.Errorf("issuance: CRL number: %w", err)
	}
	this := tx.Now().Truncate(time.Second)
	der, err := pki.CreateCRL(entries, big.NewInt(last+1), this, this.Add(crlLife), pki.Authority{Certificate: is.Certificate, Key: is.key})
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO crls (authority_id, number, der, this_update, next_update) VALUES ($1, $2, $3, $4, $5)`,
		is.ID, last+1, der, this, this.Add(crlLife))
	if err != nil {
		return fmt.Errorf("issuance: store CRL: %w", err)
	}
	return nil
}

// revocations lists revoked certificates of an issuer, and serials that were signed perhaps but never handed out.
func revocations(ctx context.Context, tx *db.Tx, authority uuid.UUID) ([]pki.Revocation, error) {
	rows, err := tx.Query(ctx, `SELECT serial, revoked_at, coalesce(revocation_reason, 0) FROM certificates
		WHERE authority_id = $1 AND revoked_at IS NOT NULL AND revoked_at <= $2
		UNION ALL SELECT serial, settled_at, 0 FROM issuance_intents WHERE authority_id = $1 AND state = 'abandoned' AND settled_at <= $2`,
		authority, tx.Now())
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

// Algorithms lists what the local CA issues for.
func (l *Local) Algorithms() []pki.Algorithm { return []pki.Algorithm{pki.RSA2048, pki.P256} }
