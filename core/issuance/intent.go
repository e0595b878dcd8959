package issuance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/pki"
)

// intent is a certificate about to be signed, stored before it is.
type intent struct {
	id, item, order, authority uuid.UUID
	algorithm                  pki.Algorithm
	ticket                     pki.Ticket
}

// announce finds the intent that a crash left for this very key pair, or prepares a new one.
func (s *Service) announce(ctx context.Context, tx *db.Tx, w work, csr pki.CSR) (intent, error) {
	in := intent{item: w.item.ID, order: w.order.ID, algorithm: csr.Algorithm()}
	err := tx.QueryRow(ctx, `SELECT id, authority_id FROM issuance_intents WHERE tenant_id = $1 AND item_id = $2 AND state = 'prepared'
		AND spki_sha256 = $3`, tx.Tenant(), in.item, sum(csr.SPKISHA256())).Scan(&in.id, &in.authority)
	if errors.Is(err, db.ErrNoRows) {
		return s.prepare(ctx, tx, w, csr)
	}
	if err != nil {
		return intent{}, fmt.Errorf("issuance: intent: %w", err)
	}
	in.ticket, err = s.restore(ctx, tx, in)
	return in, err
}

// prepare stores the intent for a new key pair: the certificate's exact bytes, linted, and its serial number. An earlier
// certificate of the item that was never confirmed is superseded first, so that there is never a second live one.
func (s *Service) prepare(ctx context.Context, tx *db.Tx, w work, csr pki.CSR) (intent, error) {
	var allowed int
	err := tx.QueryRow(ctx, `SELECT attempts_allowed FROM order_items WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), w.item.ID).Scan(&allowed)
	if err != nil {
		return intent{}, fmt.Errorf("issuance: attempts: %w", err)
	}
	if w.item.Attempts >= allowed {
		return intent{}, fault.New(fault.Conflict, "issuance.too_many", "Max", allowed)
	}
	if err := s.withdraw(ctx, tx, w.item.ID); err != nil {
		return intent{}, err
	}
	is, err := s.CA.Issuer(csr.Algorithm())
	if err != nil {
		return intent{}, fault.Wrap(fault.Invalid, "issuance.csr", err, "Code", string(pki.CodeOf(err)))
	}
	t, prof, err := s.compose(ctx, tx, w, csr, is)
	if err != nil {
		return intent{}, err
	}
	in := intent{id: db.NewID(), item: w.item.ID, order: w.order.ID, authority: is.ID, algorithm: csr.Algorithm(), ticket: t}
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return intent{}, err
	}
	_, err = tx.Exec(ctx, `INSERT INTO issuance_intents (tenant_id, id, item_id, authority_id, serial, spki_sha256, profile, tbs_sealed, state, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'prepared', $9)`, tx.Tenant(), in.id, in.item, in.authority, t.Serial().Bytes(),
		sum(t.SPKISHA256()), prof, keys.Seal("issuance_intents.tbs", in.id, t.TBS()), tx.Now())
	if err != nil {
		return intent{}, fmt.Errorf("issuance: intent: %w", err)
	}
	_, err = tx.Exec(ctx, `UPDATE order_items SET attempts = attempts + 1 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), in.item)
	if err != nil {
		return intent{}, fmt.Errorf("issuance: attempts: %w", err)
	}
	return in, audit.Record(ctx, tx, audit.Entry{Action: "certificate.prepared", Resource: "order/" + w.order.ID.String(),
		Detail: map[string]any{"intent": in.id, "serial": pki.SerialText(t.Serial().Bytes()), "profile": prof}})
}

// compose builds and lints the certificate of an item.
func (s *Service) compose(ctx context.Context, tx *db.Tx, w work, csr pki.CSR, is Issuer) (pki.Ticket, string, error) {
	prof, err := profile(w.p, w.order.TermYears, addressesOf(s.Plain, is.ID))
	if err != nil {
		return pki.Ticket{}, "", err
	}
	name, err := subject(prof, w.t, w.order, w.item.Seq)
	if err != nil {
		return pki.Ticket{}, "", err
	}
	var oldEnd time.Time
	if old, err := s.find(ctx, tx, w.item.OldCertificate); err != nil {
		return pki.Ticket{}, "", err
	} else if old != nil && old.State != Superseded { // another order's certificate has its days already
		oldEnd = old.NotAfter
	}
	from, to, err := validity(w.p, w.order.TermYears, tx.Now(), oldEnd)
	if err != nil {
		return pki.Ticket{}, "", err
	}
	serial, err := pki.NewSerial(rand.Reader)
	if err != nil {
		return pki.Ticket{}, "", err
	}
	t, err := pki.Prepare(prof, name, csr, is.Certificate.X509(), serial, from, to)
	if err != nil {
		return pki.Ticket{}, "", fault.Wrap(fault.Invalid, "issuance.refused", err, "Code", string(pki.CodeOf(err)))
	}
	return t, prof.Name(), nil
}

// withdraw ends what an item has so far: an intent nobody signed, a certificate nobody confirmed.
func (s *Service) withdraw(ctx context.Context, tx *db.Tx, itemID uuid.UUID) error {
	_, err := tx.Exec(ctx, `UPDATE issuance_intents SET state = 'abandoned', settled_at = $3 WHERE tenant_id = $1 AND item_id = $2 AND state = 'prepared'`,
		tx.Tenant(), itemID, tx.Now())
	if err != nil {
		return fmt.Errorf("issuance: abandon: %w", err)
	}
	live, err := s.live(ctx, tx, itemID)
	if err != nil || live == nil {
		return err
	}
	return s.Revoke(ctx, tx, live.ID, pki.Superseded)
}

// sign has the CA sign a stored intent, outside any transaction, and stores the certificate. A crash in between leaves
// the intent, which Sweep completes.
func (s *Service) sign(ctx context.Context, tenantID uuid.UUID, in intent) (Enrolled, error) {
	cert, err := s.CA.Sign(ctx, in.algorithm, in.ticket)
	if err != nil {
		return Enrolled{}, fault.Wrap(fault.Unavailable, "issuance.ca_away", err)
	}
	is, err := s.CA.Issuer(in.algorithm)
	if err != nil {
		return Enrolled{}, err
	}
	out := Enrolled{Certificate: cert, Chain: []pki.Certificate{is.Certificate, is.Root}}
	stored := false
	err = s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		stored, err = s.settle(ctx, tx, in, cert)
		return err
	})
	if err != nil || stored {
		return out, err
	}
	// somebody was faster: he settled this very intent, took another key, or the order has ended
	err = s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		live, err := s.live(ctx, tx, in.item)
		if err != nil {
			return err
		}
		if live == nil || live.Certificate.SPKISHA256() != cert.SPKISHA256() {
			return fault.New(fault.Conflict, "order.taken")
		}
		out.Certificate, out.Again = live.Certificate, true
		return nil
	})
	if err != nil {
		return Enrolled{}, err
	}
	return out, nil
}

// settle stores a signed certificate and closes its intent; false when the intent is not open any more. If the order was
// refunded meanwhile, or the item ended, the intent is abandoned: its serial number goes on the revocation list.
func (s *Service) settle(ctx context.Context, tx *db.Tx, in intent, cert pki.Certificate) (bool, error) {
	w, err := s.load(ctx, tx, in.order, in.item) // the right was checked when the intent was stored
	if err != nil {
		return false, err
	}
	state := "issued"
	if !w.inHand() {
		state = "abandoned"
	}
	tag, err := tx.Exec(ctx, `UPDATE issuance_intents SET state = $3, settled_at = $4 WHERE tenant_id = $1 AND id = $2 AND state = 'prepared'`,
		tx.Tenant(), in.id, state, tx.Now())
	if err != nil {
		return false, fmt.Errorf("issuance: settle: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return false, nil
	}
	o := w.order
	if state == "abandoned" {
		return false, audit.Record(ctx, tx, audit.Entry{Action: "certificate.abandoned", Resource: "order/" + o.ID.String(),
			Detail: map[string]any{"intent": in.id, "serial": cert.Serial()}})
	}
	c := Certificate{ID: db.NewID(), Order: o.ID, Item: in.item, Intent: in.id, Account: o.Account, Authority: in.authority,
		Certificate: cert, Product: o.Product, State: Issued, Organisation: o.Organisation(), Mobile: o.Mobile()}
	if err := s.insert(ctx, tx, c); err != nil {
		return false, err
	}
	if _, err := tx.Exec(ctx, `UPDATE order_items SET state = 'issued' WHERE tenant_id = $1 AND id = $2 AND state = 'waiting'`, tx.Tenant(), in.item); err != nil {
		return false, fmt.Errorf("issuance: item issued: %w", err)
	}
	return true, audit.Record(ctx, tx, audit.Entry{Action: "certificate.issued", Resource: "order/" + o.ID.String(),
		Detail: map[string]any{"intent": in.id, "certificate": c.ID, "serial": cert.Serial()}})
}

// Sweep completes intents that a crash left between storing and signing, at most batch that are older than age. One that
// fails does not hold the others up; its error is among those returned.
func (s *Service) Sweep(ctx context.Context, age time.Duration, batch int) (int, error) {
	type stale struct {
		tenant uuid.UUID
		in     intent
		alg    string
	}
	var found []stale
	err := s.DB.WithSystem(ctx, "issuance/sweep", func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT i.tenant_id, i.id, i.item_id, it.order_id, i.authority_id, a.algorithm FROM issuance_intents i
			JOIN authorities a ON a.id = i.authority_id JOIN order_items it ON it.tenant_id = i.tenant_id AND it.id = i.item_id
			WHERE i.state = 'prepared' AND i.created_at < $1 ORDER BY i.created_at LIMIT $2`, tx.Now().Add(-age), batch)
		if err != nil {
			return fmt.Errorf("issuance: sweep: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var st stale
			if err := rows.Scan(&st.tenant, &st.in.id, &st.in.item, &st.in.order, &st.in.authority, &st.alg); err != nil {
				return fmt.Errorf("issuance: sweep: %w", err)
			}
			found = append(found, st)
		}
		return rows.Err()
	})
	if err != nil {
		return 0, err
	}
	ctx = authz.WithPrincipal(ctx, authz.System("issuance/sweep"))
	done := 0
	var errs []error
	for _, st := range found {
		st.in.algorithm = pki.Algorithm(st.alg)
		switch err := s.resume(ctx, st.tenant, st.in); {
		case err == nil, errors.Is(err, fault.Conflict): // completed, or not needed any more
			done++
		default:
			errs = append(errs, fmt.Errorf("issuance: sweep %s: %w", st.in.id, err))
		}
	}
	return done, errors.Join(errs...)
}

// resume makes the ticket of a stored intent again and signs it.
func (s *Service) resume(ctx context.Context, tenantID uuid.UUID, in intent) error {
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		in.ticket, err = s.restore(ctx, tx, in)
		return err
	})
	if err != nil {
		return err
	}
	_, err = s.sign(ctx, tenantID, in)
	return err
}

// restore makes the ticket of a stored intent again.
func (s *Service) restore(ctx context.Context, tx *db.Tx, in intent) (pki.Ticket, error) {
	is, err := s.CA.Issuer(in.algorithm)
	if err != nil {
		return pki.Ticket{}, fault.Wrap(fault.Invalid, "issuance.csr", err, "Code", string(pki.CodeOf(err)))
	}
	var sealed []byte
	err = tx.QueryRow(ctx, `SELECT tbs_sealed FROM issuance_intents WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), in.id).Scan(&sealed)
	if err != nil {
		return pki.Ticket{}, fmt.Errorf("issuance: restore: %w", err)
	}
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return pki.Ticket{}, err
	}
	tbs, err := keys.Open("issuance_intents.tbs", in.id, sealed)
	if err != nil {
		return pki.Ticket{}, err
	}
	return pki.Restore(tbs, is.Certificate.X509())
}
