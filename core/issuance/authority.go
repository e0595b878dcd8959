package issuance

import (
	"context"
	"crypto"
	"crypto/rand"
	"fmt"
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
	issuers map[pki.Algorithm]localIssuer // never changes after OpenLocal
	vault   *vault.Vault

	mu         sync.Mutex
	responders map[pki.Algorithm]pki.Authority // who answers for an issuer, see responder
}

type localIssuer struct {
	Issuer
	root uuid.UUID
	key  crypto.Signer
}

// OpenLocal loads the authorities, making those that are missing. name is the operator's company name; plain is where
// revocation lists and CA certificates are served ("http://host"). New authorities are valid from since, which lies
// in the past where a demonstration issues certificates that are due for renewal already.
func OpenLocal(ctx context.Context, d *db.DB, v *vault.Vault, name, plain string, since time.Time) (*Local, error) {
	ca := &Local{issuers: map[pki.Algorithm]localIssuer{}, vault: v, responders: map[pki.Algorithm]pki.Authority{}}
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
				if is, err = create(ctx, tx, v, alg, name, plain, since); err != nil {
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
	return &localIssuer{Issuer{found["issuing"].id, cert, root}, found["root"].id, key}, nil
}

func create(ctx context.Context, tx *db.Tx, v *vault.Vault, alg pki.Algorithm, name, plain string, since time.Time) (*localIssuer, error) {
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
	at := addressesOf(plain, rootID)
	urls := pki.IssuingURLs{CRL: []string{at.crl}, Issuer: []string{at.cer}}
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
	return &localIssuer{Issuer{issuingID, issuing.Certificate, root.Certificate}, rootID, issuing.Key}, nil
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
	is, err := l.issuer(alg)
	return is.Issuer, err
}

func (l *Local) issuer(alg pki.Algorithm) (localIssuer, error) {
	is, ok := l.issuers[alg]
	if !ok {
		return localIssuer{}, &pki.Error{Code: pki.CodeNotOffered, Detail: string(alg)}
	}
	return is, nil
}

// Sign implements CA.
func (l *Local) Sign(_ context.Context, alg pki.Algorithm, t pki.Ticket) (pki.Certificate, error) {
	is, err := l.issuer(alg)
	if err != nil {
		return pki.Certificate{}, err
	}
	return pki.Issue(t, is.key)
}

// Algorithms lists what the local CA issues for.
func (l *Local) Algorithms() []pki.Algorithm { return []pki.Algorithm{pki.RSA2048, pki.P256} }
