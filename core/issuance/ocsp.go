package issuance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/google/uuid"

	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/pki"
)

// A responder's certificate cannot be revoked (RFC 6960 §4.2.2.2.1), so it is short-lived; each process has one of its own and
// makes the next when a day of it is left. Answers hold for a day, but nobody keeps one for more than the five minutes that
// a revocation may go unseen (domain §6.7; the page says so to caches).
const (
	responderLife  = 7 * 24 * time.Hour
	responderSpare = 24 * time.Hour
	answerLife     = 24 * time.Hour
)

// OCSP answers a DER request (RFC 6960) whether a certificate of one of the local authorities still holds. Requests that
// cannot be read, or are about another authority, get an unsigned answer that says so. fault.NotFound for an authority that
// is not ours.
func (s *Service) OCSP(ctx context.Context, local *Local, authority uuid.UUID, request []byte) ([]byte, error) {
	for _, alg := range local.Algorithms() {
		is, err := local.issuer(alg)
		if err != nil {
			return nil, err
		}
		if is.ID != authority {
			continue
		}
		var answer []byte
		err = s.DB.WithSystem(ctx, "issuance/ocsp", func(ctx context.Context, tx *db.Tx) error {
			by, err := local.responder(alg, tx.Now())
			if err != nil {
				return err
			}
			now := tx.Now().Truncate(time.Second)
			var failed error
			answer, err = pki.AnswerOCSP(request, is.Certificate, by, func(serial *big.Int) (st pki.Standing) {
				st, failed = standing(ctx, tx, authority, serial)
				return st
			}, now, now.Add(answerLife))
			return errors.Join(failed, err)
		})
		return answer, err
	}
	return nil, fault.New(fault.NotFound, "web.not_found")
}

// standing looks a serial number up. One that was perhaps signed but never handed out is revoked, as in the list.
func standing(ctx context.Context, tx *db.Tx, authority uuid.UUID, serial *big.Int) (pki.Standing, error) {
	st := pki.Standing{Issued: true}
	var at *time.Time
	var reason int
	err := tx.QueryRow(ctx, `SELECT revoked_at, coalesce(revocation_reason, 0) FROM certificates WHERE authority_id = $1 AND serial = $2
		UNION ALL SELECT settled_at, 0 FROM issuance_intents WHERE authority_id = $1 AND state = 'abandoned' AND serial = $2`, authority, serial.Bytes()).Scan(&at, &reason)
	if errors.Is(err, db.ErrNoRows) {
		return pki.Standing{}, nil
	}
	if err != nil {
		return pki.Standing{}, fmt.Errorf("issuance: standing: %w", err)
	}
	if at != nil {
		st.Revoked, st.RevokedAt, st.Reason = true, *at, pki.Reason(reason)
	}
	return st, nil
}

// responder is who signs answers for an issuer.
func (l *Local) responder(alg pki.Algorithm, now time.Time) (pki.Authority, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if by, ok := l.responders[alg]; ok && by.Certificate.NotAfter().Sub(now) > responderSpare {
		return by, nil
	}
	is, err := l.issuer(alg)
	if err != nil {
		return pki.Authority{}, err
	}
	serial, err := pki.NewSerial(rand.Reader)
	if err != nil {
		return pki.Authority{}, err
	}
	name := is.Certificate.X509().Subject
	subject := pki.Subject{Country: "CN", CommonName: name.CommonName + " OCSP"}
	if len(name.Organization) > 0 {
		subject.Organization = name.Organization[0]
	}
	from := now.Add(-5 * time.Minute).Truncate(time.Second) // clocks of relying parties differ
	by, err := pki.NewResponder(pki.Authority{Certificate: is.Certificate, Key: is.key}, subject, alg, serial, from, from.Add(responderLife))
	if err != nil {
		return pki.Authority{}, fmt.Errorf("issuance: responder: %w", err)
	}
	l.responders[alg] = by
	return by, nil
}
