package reminder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/issuance"
	"certsaas/core/order"
	"certsaas/core/tenant"
)

// maxTries of opening an order before people are asked to look.
const maxTries = 6

// renewedBy is the product of today's release that renews certificates of a product.
func renewedBy(t *tenant.Tenant, product string) (tenant.Product, bool) {
	p, ok := t.Product(product)
	if !ok || p.RenewedBy == "" {
		return tenant.Product{}, false
	}
	return t.Product(p.RenewedBy)
}

// policy is when a product renews.
func policy(p tenant.Product) clock.RenewalPolicy {
	years := p.Term.Default
	if years == 0 {
		years = 1
	}
	return clock.RenewalPolicy{OpenDays: p.Window.OpenDays, LateDays: p.Window.LateDays,
		CarryOver: p.Window.CarryOver && p.Certificate.Validity == "carry_over", TermYears: years}
}

type key struct{ tenant, certificate uuid.UUID }

// OpenOrders opens the renewal orders that are wanted, at most limit, each in a transaction of its own. The row of the
// certificate is locked meanwhile, and its key allows one: a certificate never has two. A holder who is at it already keeps
// his own order.
func (s *Service) OpenOrders(ctx context.Context, limit int) (int, error) {
	ctx = authz.WithPrincipal(ctx, authz.System(component))
	var list []key
	err := s.DB.WithSystem(ctx, component, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT r.tenant_id, r.certificate_id FROM renewals r JOIN tenants t ON t.id = r.tenant_id AND t.state = 'active'
			WHERE r.state = 'wanted' AND r.due_at <= $1 ORDER BY r.due_at LIMIT $2`, tx.Now(), limit)
		if err != nil {
			return fmt.Errorf("reminder: wanted: %w", err)
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (k key, err error) { return k, row.Scan(&k.tenant, &k.certificate) })
		return err
	})
	if err != nil {
		return 0, err
	}
	opened := 0
	for _, k := range list {
		if ctx.Err() != nil {
			return opened, ctx.Err()
		}
		ok, err := s.openOrder(ctx, k)
		if err != nil {
			if err := s.tryLater(ctx, k, err); err != nil {
				return opened, err
			}
			continue
		}
		if ok {
			opened++
		}
	}
	return opened, nil
}

// openOrder opens one; false when there is nothing to open (any more, or yet).
func (s *Service) openOrder(ctx context.Context, k key) (bool, error) {
	t, err := s.Tenants.ByID(ctx, k.tenant)
	if errors.Is(err, fault.NotFound) {
		return false, nil // suspended just now: looked at again when it is back
	}
	if err != nil {
		return false, err
	}
	opened := false
	var made opening
	err = s.DB.WithTenant(ctx, k.tenant, func(ctx context.Context, tx *db.Tx) error {
		opened = false
		var state string
		err := tx.QueryRow(ctx, `SELECT state FROM renewals WHERE tenant_id = $1 AND certificate_id = $2 FOR UPDATE SKIP LOCKED`, k.tenant, k.certificate).Scan(&state)
		if errors.Is(err, db.ErrNoRows) || err == nil && state != "wanted" {
			return nil // another process has it, or had it
		}
		if err != nil {
			return fmt.Errorf("reminder: renewal: %w", err)
		}
		c, why, err := s.renewable(ctx, tx, t, k.certificate)
		if err != nil {
			return err
		}
		if why != "" {
			return setRenewal(ctx, tx, k.certificate, "withdrawn", why)
		}
		p, ok := renewedBy(t, c.Product)
		if !ok {
			return setRenewal(ctx, tx, k.certificate, "withdrawn", "product_gone")
		}
		if opens := clock.RenewalOpensAt(c.NotAfter, policy(p)); tx.Now().Before(opens) {
			_, err := tx.Exec(ctx, `UPDATE renewals SET due_at = $3, updated_at = $4 WHERE tenant_id = $1 AND certificate_id = $2`, k.tenant, k.certificate, opens, tx.Now())
			return err
		}
		opened = true
		made, err = s.open(ctx, tx, t, p, c)
		return err
	})
	if err != nil || !opened {
		return false, err
	}
	s.documents(ctx, made)
	return true, nil
}

// renewable reads a certificate and says why it is not to be renewed, "" when it is.
func (s *Service) renewable(ctx context.Context, tx *db.Tx, t *tenant.Tenant, id uuid.UUID) (*issuance.Certificate, string, error) {
	var state string
	var ordered, muted bool
	err := tx.QueryRow(ctx, `SELECT c.state, `+sqlOrdered+`, `+sqlMuted+` FROM certificates c WHERE c.tenant_id = $2 AND c.id = $3`,
		tx.Now(), tx.Tenant(), id).Scan(&state, &ordered, &muted)
	if err != nil {
		return nil, "", fmt.Errorf("reminder: certificate: %w", err)
	}
	switch {
	case state != "active":
		return nil, "revoked", nil
	case ordered:
		return nil, "ordered", nil
	case muted:
		return nil, "muted", nil
	}
	c, err := s.Issuance.Certificate(ctx, tx, id)
	return c, "", err
}

// open opens the order of a certificate in the transaction that holds its renewal's row, or takes over the draft that its
// holder began himself.
func (s *Service) open(ctx context.Context, tx *db.Tx, t *tenant.Tenant, p tenant.Product, c *issuance.Certificate) (made opening, err error) {
	var own uuid.UUID
	err = tx.QueryRow(ctx, `SELECT id FROM orders WHERE tenant_id = $1 AND old_certificate_id = $2 AND product = $3 AND state = 'draft' AND account_id IS NOT NULL
		ORDER BY updated_at DESC LIMIT 1`, tx.Tenant(), c.ID, p.Code).Scan(&own)
	if err == nil {
		return made, openRenewal(ctx, tx, c.ID, own)
	}
	if !errors.Is(err, db.ErrNoRows) {
		return made, fmt.Errorf("reminder: draft: %w", err)
	}
	r := order.Renewal{Tenant: t, Product: p, Account: c.Account, Certificate: c.ID}
	if r.Account == uuid.Nil {
		return made, setRenewal(ctx, tx, c.ID, "failed", "no login")
	}
	last, login, err := s.holder(ctx, tx, said{order: c.Order, account: c.Account})
	if err != nil {
		return made, err
	}
	if c.Order != uuid.Nil {
		r.Last = &last
		moved, err := given(ctx, tx, c.ID)
		if err != nil {
			return made, err
		}
		if moved {
			last.Answers["mobile"] = login
			delete(last.Answers, "email")
			delete(last.Answers, "agent_name")
		}
	}
	r.Source = sourceOf(login, c)
	o, err := s.Orders.OpenRenewal(ctx, tx, r)
	if err != nil {
		return made, err
	}
	return opening{o, p, r.Last}, openRenewal(ctx, tx, c.ID, o.ID)
}

// sourceOf is where a renewal's first values come from: the login and the certificate.
func sourceOf(login string, c *issuance.Certificate) func(string) string {
	subject := c.Certificate.X509().Subject
	return func(path string) string {
		switch path {
		case "account.mobile":
			return login
		case "cert.subject", "cert.common_name":
			return subject.CommonName
		case "cert.organization":
			return strings.Join(subject.Organization, " ")
		case "cert.serial":
			return strings.ToUpper(c.Certificate.X509().SerialNumber.Text(16))
		case "cert.token_serial", "order.old_key_serial":
			return c.TokenSerial
		case "cert.not_after":
			return clock.CivilDate(c.NotAfter, clock.Shanghai).String()
		}
		return ""
	}
}

func openRenewal(ctx context.Context, tx *db.Tx, certificate, orderID uuid.UUID) error {
	_, err := tx.Exec(ctx, `UPDATE renewals SET state = 'open', reason = '', order_id = $3, updated_at = $4 WHERE tenant_id = $1 AND certificate_id = $2`,
		tx.Tenant(), certificate, orderID, tx.Now())
	if err != nil {
		return fmt.Errorf("reminder: open: %w", err)
	}
	return nil
}

func setRenewal(ctx context.Context, tx *db.Tx, certificate uuid.UUID, state, reason string) error {
	_, err := tx.Exec(ctx, `UPDATE renewals SET state = $3, reason = $4, updated_at = $5 WHERE tenant_id = $1 AND certificate_id = $2`,
		tx.Tenant(), certificate, state, reason, tx.Now())
	if err != nil {
		return fmt.Errorf("reminder: renewal: %w", err)
	}
	return nil
}

// tryLater notes a failure; after the last try it is a task for people.
func (s *Service) tryLater(ctx context.Context, k key, cause error) error {
	if errors.Is(cause, context.Canceled) {
		return cause
	}
	slog.ErrorContext(ctx, "renewal order not opened", "certificate", k.certificate, "tenant", k.tenant, "error", cause)
	return s.DB.WithTenant(context.WithoutCancel(ctx), k.tenant, func(ctx context.Context, tx *db.Tx) error {
		var tries int
		err := tx.QueryRow(ctx, `UPDATE renewals SET tries = tries + 1, due_at = $3, updated_at = $4,
			state = CASE WHEN tries + 1 >= $5 THEN 'failed' ELSE state END, reason = 'error'
			WHERE tenant_id = $1 AND certificate_id = $2 AND state = 'wanted' RETURNING tries`,
			k.tenant, k.certificate, tx.Now().Add(pause(4)), tx.Now(), maxTries).Scan(&tries)
		if errors.Is(err, db.ErrNoRows) {
			return nil
		}
		if err == nil && tries >= maxTries {
			err = addTask(ctx, tx, k.certificate, "order_failed", "error")
		}
		return err
	})
}

// Withdrawn is what a run of Withdraw did.
type Withdrawn struct{ Ordered, Withdrawn int }

// Withdraw looks after the orders that were opened: those handed in are the holder's now and end the links; those that no
// longer apply, because the certificate was revoked or renewed otherwise or muted, its product or its time is gone, are cancelled.
func (s *Service) Withdraw(ctx context.Context, limit int) (Withdrawn, error) {
	ctx = authz.WithPrincipal(ctx, authz.System(component))
	var done Withdrawn
	var list []key
	err := s.DB.WithSystem(ctx, component, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT r.tenant_id, r.certificate_id FROM renewals r
			JOIN orders o ON o.tenant_id = r.tenant_id AND o.id = r.order_id JOIN certificates c ON c.tenant_id = r.tenant_id AND c.id = r.certificate_id
			WHERE r.state = 'open' AND (o.state <> 'draft' OR c.state <> 'active' OR r.not_after < $2 OR `+sqlOrdered+` OR `+sqlMuted+`)
			ORDER BY r.not_after LIMIT $3`, tx.Now(), tx.Now().AddDate(0, 0, -linkDays), limit)
		if err != nil {
			return fmt.Errorf("reminder: open orders: %w", err)
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (k key, err error) { return k, row.Scan(&k.tenant, &k.certificate) })
		return err
	})
	if err != nil {
		return done, err
	}
	for _, k := range list {
		ordered, err := s.withdraw(ctx, k)
		if err != nil {
			return done, err
		}
		if ordered {
			done.Ordered++
		} else {
			done.Withdrawn++
		}
	}
	return done, nil
}

func (s *Service) withdraw(ctx context.Context, k key) (ordered bool, err error) {
	err = s.DB.WithTenant(ctx, k.tenant, func(ctx context.Context, tx *db.Tx) error {
		ordered = false
		var id uuid.UUID
		err := tx.QueryRow(ctx, `SELECT order_id FROM renewals WHERE tenant_id = $1 AND certificate_id = $2 AND state = 'open' FOR UPDATE`, k.tenant, k.certificate).Scan(&id)
		if errors.Is(err, db.ErrNoRows) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reminder: withdraw: %w", err)
		}
		o, err := s.Orders.LoadForUpdate(ctx, tx, id)
		if err != nil {
			return err
		}
		switch {
		case o.State == order.Cancelled || o.State == order.Lapsed || o.State == order.Refunded:
			return setRenewal(ctx, tx, k.certificate, "withdrawn", string(o.State))
		case o.State != order.Draft:
			ordered = true
			if err := endLinks(ctx, tx, k.certificate); err != nil {
				return err
			}
			return setRenewal(ctx, tx, k.certificate, "ordered", "")
		}
		if err := s.Orders.Advance(ctx, tx, &o, order.Cancel, map[string]any{"why": "renewal no longer applies"}); err != nil {
			return err
		}
		return setRenewal(ctx, tx, k.certificate, "withdrawn", "no longer applies")
	})
	return ordered, err
}
