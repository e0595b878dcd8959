package reminder

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/notify"
)

// Mute keeps a certificate's holder from being reminded until a time, at most a year from now. Pending reminders are taken
// back at once; the renewal order goes with the next run of Withdraw. fault.Invalid at "reason" or "until".
func (s *Service) Mute(ctx context.Context, tenantID, certificate uuid.UUID, until time.Time, reason string) error {
	if err := s.Authz.Check(ctx, authz.OrderReview, authz.Resource{Kind: "certificate", Tenant: tenantID}); err != nil {
		return err
	}
	reason = strings.TrimSpace(reason)
	if reason == "" || len(reason) > 600 {
		return fault.InvalidFields(fault.At("reason", "reminder.mute_reason"))
	}
	return s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		if !until.After(tx.Now()) || until.After(tx.Now().AddDate(1, 0, 1)) {
			return fault.InvalidFields(fault.At("until", "reminder.mute_until"))
		}
		if err := exists(ctx, tx, certificate); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO reminder_mutes (tenant_id, certificate_id, until, reason, set_by, set_at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (tenant_id, certificate_id) DO UPDATE SET until = excluded.until, reason = excluded.reason, set_by = excluded.set_by, set_at = excluded.set_at`,
			tenantID, certificate, until, reason, authz.From(ctx).Name, tx.Now())
		if err != nil {
			return fmt.Errorf("reminder: mute: %w", err)
		}
		_, err = tx.Exec(ctx, `UPDATE reminders SET state = 'cancelled', reason = 'muted', settled_at = $3
			WHERE tenant_id = $1 AND certificate_id = $2 AND state = 'pending'`, tenantID, certificate, tx.Now())
		if err != nil {
			return fmt.Errorf("reminder: mute: %w", err)
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "reminder.mute", Resource: "certificate/" + certificate.String(),
			Detail: map[string]any{"until": until.UTC().Format(time.RFC3339), "reason": reason}})
	})
}

// Unmute ends a silence now.
func (s *Service) Unmute(ctx context.Context, tenantID, certificate uuid.UUID) error {
	if err := s.Authz.Check(ctx, authz.OrderReview, authz.Resource{Kind: "certificate", Tenant: tenantID}); err != nil {
		return err
	}
	return s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE reminder_mutes SET until = $3 WHERE tenant_id = $1 AND certificate_id = $2 AND until > $3`, tenantID, certificate, tx.Now())
		if err != nil {
			return fmt.Errorf("reminder: unmute: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return nil
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "reminder.unmute", Resource: "certificate/" + certificate.String()})
	})
}

func exists(ctx context.Context, tx *db.Tx, certificate uuid.UUID) error {
	var there bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM certificates WHERE tenant_id = $1 AND id = $2)`, tx.Tenant(), certificate).Scan(&there); err != nil {
		return fmt.Errorf("reminder: certificate: %w", err)
	}
	if !there {
		return fault.New(fault.NotFound, "reminder.no_certificate")
	}
	return nil
}

// TestSend sends a certificate's message for an offset to an address of the caller's choice, so that somebody sees what
// holders will see. It is no reminder: nothing is noted about the certificate, and its link leads nowhere.
func (s *Service) TestSend(ctx context.Context, tenantID, certificate uuid.UUID, offset int, channel, address string) error {
	if err := s.Authz.Check(ctx, authz.OrderReview, authz.Resource{Kind: "certificate", Tenant: tenantID}); err != nil {
		return err
	}
	t, err := s.Tenants.ByID(ctx, tenantID)
	if err != nil {
		return err
	}
	if !hasText(t, event(offset), channel) {
		return fault.New(fault.Invalid, "reminder.no_text")
	}
	var due []notify.Pending
	err = s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		c, err := s.Issuance.Certificate(ctx, tx, certificate)
		if err != nil {
			return err
		}
		if c == nil {
			return fault.New(fault.NotFound, "reminder.no_certificate")
		}
		params, err := s.params(ctx, tx, t, []said{{certificate: c.ID, offset: offset, notAfter: c.NotAfter, product: c.Product, order: c.Order, account: c.Account}}, "test")
		if err != nil {
			return err
		}
		if due, err = s.Notify.Store(ctx, tx, notify.Notice{Tenant: t, Event: event(offset), Locale: t.Languages()[0], Key: db.NewID(),
			Channels: []string{channel}, To: map[string]string{channel: address}, Params: params}); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "reminder.test", Resource: "certificate/" + certificate.String(), Detail: map[string]any{"offset": offset, "channel": channel}})
	})
	if err != nil {
		return err
	}
	return s.Notify.Deliver(ctx, tenantID, due)
}
