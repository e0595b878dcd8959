package reminder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"certsaas/core/account"
	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/identifier"
	"certsaas/core/notify"
	"certsaas/core/order"
	"certsaas/core/tenant"
)

// A certificate is given over to another mobile as a whole: reminders, links and the renewal itself are the new mobile's login's
// from then on. The new mobile proves itself by a code each time. That the certificate may be given over is proved by the
// holder, logged in, with a code to the old mobile; or, when that is lost, by a sealed paper that two persons of the staff saw.

const (
	proofLasts = 15 * time.Minute    // from the old mobile's code to the new one's
	paperLasts = 14 * 24 * time.Hour // from the sealed paper to the new mobile's code
)

const contactColumn, paperColumn = "contact_changes.mobile", "contact_changes.paper"

// Holding is what a holder sees before he gives a certificate over.
type Holding struct {
	Certificate uuid.UUID
	Company     string
	NotAfter    time.Time
	Mobile      string // of the login, where the first code goes. Mask it
	Proved      bool   // the first code was right a moment ago
}

// Holding reads a certificate for its holder, the principal. fault.NotFound for anybody else and for one that is not in use.
func (s *Service) Holding(ctx context.Context, tenantID, certificate uuid.UUID) (Holding, error) {
	var h Holding
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		h, err = s.holding(ctx, tx, certificate)
		return err
	})
	return h, err
}

func (s *Service) holding(ctx context.Context, tx *db.Tx, certificate uuid.UUID) (Holding, error) {
	h := Holding{Certificate: certificate}
	x := said{certificate: certificate}
	me := authz.From(ctx)
	var ord *uuid.UUID
	err := tx.QueryRow(ctx, `SELECT c.order_id, c.account_id, c.not_after, EXISTS (SELECT FROM contact_changes p WHERE p.tenant_id = c.tenant_id AND p.certificate_id = c.id
			AND p.how = 'codes' AND p.state = 'proved' AND p.asked_by = c.account_id AND p.expires_at > $4)
		FROM certificates c WHERE c.tenant_id = $1 AND c.id = $2 AND c.account_id = $3 AND c.state = 'active'`, tx.Tenant(), certificate, me.ID, tx.Now()).
		Scan(&ord, &x.account, &h.NotAfter, &h.Proved)
	if errors.Is(err, db.ErrNoRows) || me.Kind != authz.Dealer {
		return h, fault.New(fault.NotFound, "reminder.no_certificate")
	}
	if err != nil {
		return h, fmt.Errorf("reminder: holding: %w", err)
	}
	x.order = value(ord)
	if h.Company, err = s.company(ctx, tx, x); err != nil {
		return h, err
	}
	_, h.Mobile, err = s.holder(ctx, tx, said{account: x.account})
	return h, err
}

// ProveOld takes the code that went to the holder's own mobile. What it proves lasts a quarter of an hour.
func (s *Service) ProveOld(ctx context.Context, tenantID, certificate uuid.UUID, code string, client account.Client) error {
	h, err := s.Holding(ctx, tenantID, certificate)
	if err != nil {
		return err
	}
	proof := account.Proof{Purpose: account.PurposeContact, Mobile: h.Mobile, Code: code, Client: client}
	return s.Accounts.WithCode(ctx, tenantID, proof, func(ctx context.Context, tx *db.Tx, _ string) error {
		if _, err := s.holding(ctx, tx, certificate); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO contact_changes (tenant_id, id, certificate_id, how, state, asked_by, asked_name, asked_at, expires_at)
			VALUES ($1, $2, $3, 'codes', 'proved', $4, '', $5, $6)`, tenantID, db.NewID(), certificate, authz.From(ctx).ID, tx.Now(), tx.Now().Add(proofLasts))
		if err != nil {
			return fmt.Errorf("reminder: prove: %w", err)
		}
		return nil
	})
}

// GiveOver takes the code that went to the new mobile and gives the certificate over to it. Errors: fault.Invalid at "mobile"
// (it is the old one) or "code"; fault.Precondition when the old mobile was not proved, or too long ago.
func (s *Service) GiveOver(ctx context.Context, tenantID, certificate uuid.UUID, mobile, code string, client account.Client) error {
	t, err := s.Tenants.ByID(ctx, tenantID)
	if err != nil {
		return err
	}
	var due []notify.Pending
	proof := account.Proof{Purpose: account.PurposeContact, Mobile: mobile, Code: code, Client: client}
	err = s.Accounts.WithCode(ctx, tenantID, proof, func(ctx context.Context, tx *db.Tx, mobile string) error {
		h, err := s.holding(ctx, tx, certificate)
		if err != nil {
			return err
		}
		if mobile == h.Mobile {
			return fault.InvalidFields(fault.At("mobile", "reminder.same_mobile"))
		}
		var id uuid.UUID
		err = tx.QueryRow(ctx, `UPDATE contact_changes SET state = 'done', expires_at = $4 WHERE tenant_id = $1 AND certificate_id = $2 AND asked_by = $3
			AND how = 'codes' AND state = 'proved' AND expires_at > $4 RETURNING id`, tenantID, certificate, authz.From(ctx).ID, tx.Now()).Scan(&id)
		if errors.Is(err, db.ErrNoRows) {
			return fault.New(fault.Precondition, "reminder.not_proved")
		}
		if err != nil {
			return fmt.Errorf("reminder: give over: %w", err)
		}
		due, err = s.give(ctx, tx, t, id, certificate, mobile, "codes")
		return err
	})
	if err != nil {
		return err
	}
	s.tellOld(ctx, tenantID, due)
	return nil
}

// give moves a certificate to a mobile's login in the caller's transaction: what is still to be said goes to the new mobile, links
// to the old one end, the open renewal is opened anew for the new login. It returns the message to the old mobile.
func (s *Service) give(ctx context.Context, tx *db.Tx, t *tenant.Tenant, change, certificate uuid.UUID, mobile, how string) ([]notify.Pending, error) {
	x := said{certificate: certificate}
	var ord, acc *uuid.UUID
	if err := tx.QueryRow(ctx, `SELECT order_id, account_id, product, not_after FROM certificates WHERE tenant_id = $1 AND id = $2 AND state = 'active' FOR UPDATE`,
		tx.Tenant(), certificate).Scan(&ord, &acc, &x.product, &x.notAfter); err != nil {
		return nil, fault.Wrap(fault.NotFound, "reminder.no_certificate", err)
	}
	x.order, x.account = value(ord), value(acc)
	old, err := s.contacts(ctx, tx, t, x, "sms")
	if err != nil {
		return nil, err
	}
	next, _, err := s.Accounts.FindOrCreate(ctx, tx, mobile)
	if err != nil {
		return nil, err
	}
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	person := keys.Index("mobile", mobile)
	if err := s.Issuance.GiveOver(ctx, tx, certificate, next.ID, person); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, `UPDATE reminders SET person = $3, notice_id = NULL WHERE tenant_id = $1 AND certificate_id = $2 AND state = 'pending'`,
		tx.Tenant(), certificate, person); err != nil {
		return nil, fmt.Errorf("reminder: give: %w", err)
	}
	for _, sql := range []string{
		`UPDATE reminder_tasks SET done_at = $3, done_by = 'contact' WHERE tenant_id = $1 AND certificate_id = $2 AND done_at IS NULL AND kind IN ('undeliverable', 'no_contact')`,
		`UPDATE reminder_links SET expires_at = least(expires_at, $3) WHERE tenant_id = $1 AND certificate_id = $2 AND used_at IS NULL`,
	} {
		if _, err := tx.Exec(ctx, sql, tx.Tenant(), certificate, tx.Now()); err != nil {
			return nil, fmt.Errorf("reminder: give: %w", err)
		}
	}
	if err := s.reopen(ctx, tx, certificate); err != nil {
		return nil, err
	}
	if err := audit.Record(ctx, tx, audit.Entry{Action: "reminder.contact_changed", Resource: "certificate/" + certificate.String(), Detail: map[string]any{"change": change, "how": how}}); err != nil {
		return nil, err
	}
	return s.farewell(ctx, tx, t, change, x, old, mobile)
}

// farewell stores the message that tells the old contact where the certificate went.
func (s *Service) farewell(ctx context.Context, tx *db.Tx, t *tenant.Tenant, change uuid.UUID, x said, old []contact, mobile string) ([]notify.Pending, error) {
	if len(old) == 0 || !hasText(t, "remind_old", old[0].channel) {
		return nil, nil
	}
	params, err := s.params(ctx, tx, t, []said{x}, "")
	if err != nil {
		return nil, err
	}
	delete(params, "link")
	params["mobile"] = identifier.MaskMobile(mobile)
	return s.Notify.Store(ctx, tx, notify.Notice{Tenant: t, Event: "remind_old", Locale: t.Languages()[0], Key: change, Order: x.order,
		Channels: []string{old[0].channel}, To: map[string]string{old[0].channel: old[0].address}, Params: params})
}

// reopen cancels the renewal that was opened for the old login and asks for one for the new.
func (s *Service) reopen(ctx context.Context, tx *db.Tx, certificate uuid.UUID) error {
	var id *uuid.UUID
	var state string
	err := tx.QueryRow(ctx, `SELECT state, order_id FROM renewals WHERE tenant_id = $1 AND certificate_id = $2 FOR UPDATE`, tx.Tenant(), certificate).Scan(&state, &id)
	if errors.Is(err, db.ErrNoRows) || err == nil && (state == "withdrawn" || state == "ordered") {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reminder: reopen: %w", err)
	}
	if id != nil {
		o, err := s.Orders.LoadForUpdate(ctx, tx, *id)
		if err != nil {
			return err
		}
		if o.State != order.Draft {
			return nil // handed in: it is the old contact's to the end
		}
		if err := s.Orders.Advance(authz.WithPrincipal(ctx, authz.System(component)), tx, &o, order.Cancel, map[string]any{"why": "contact changed"}); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, `UPDATE renewals SET state = 'wanted', reason = '', order_id = NULL, tries = 0, due_at = $3, updated_at = $3 WHERE tenant_id = $1 AND certificate_id = $2`,
		tx.Tenant(), certificate, tx.Now())
	if err != nil {
		return fmt.Errorf("reminder: reopen: %w", err)
	}
	return nil
}
