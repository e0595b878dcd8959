package reminder

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/notify"
	"certsaas/core/tenant"
)

// Row is one reminder as staff see it.
type Row struct {
	Offset        int
	Channel       string
	Due           clock.Date
	State, Reason string
	At            time.Time // when it was settled, or written
}

// Next is the next reminder of a certificate.
type Next struct {
	Offset int
	On     clock.Date
}

// Silence is a mute in force.
type Silence struct {
	Until         time.Time
	Reason, SetBy string
}

// Told is everything that was said about one certificate, and what comes next.
type Told struct {
	Certificate uuid.UUID
	Tenant      *tenant.Tenant
	Product     string
	Company     string
	NotAfter    time.Time
	State       string // of the certificate
	Ordered     bool   // something ordered stands in its place
	Rows        []Row
	Messages    []notify.Told // to whom, by what, delivered or failed; addresses are personal data: mask them
	Next        *Next         // nil: nothing comes any more
	Silence     *Silence
	Renewal     string    // state of the renewal order: wanted, open, ordered, withdrawn, failed, "" for none
	Why         string    // its reason
	OrderID     uuid.UUID // the renewal order, Nil when none was opened
}

// Told reads what was said about a certificate, for staff.
func (s *Service) Told(ctx context.Context, tenantID, certificate uuid.UUID) (Told, error) {
	if err := s.Authz.Check(ctx, authz.OrderView, authz.Resource{Kind: "certificate", Tenant: tenantID}); err != nil {
		return Told{}, err
	}
	t, err := s.Tenants.ByID(ctx, tenantID)
	if err != nil {
		return Told{}, err
	}
	var out Told
	err = s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		out = Told{Certificate: certificate, Tenant: t}
		x := said{certificate: certificate}
		var ord, acc *uuid.UUID
		err := tx.QueryRow(ctx, `SELECT c.product, c.not_after, c.state, c.order_id, c.account_id, `+sqlOrdered+` FROM certificates c WHERE c.tenant_id = $1 AND c.id = $2`,
			tenantID, certificate).Scan(&out.Product, &out.NotAfter, &out.State, &ord, &acc, &out.Ordered)
		if errors.Is(err, db.ErrNoRows) {
			return fault.New(fault.NotFound, "reminder.no_certificate")
		}
		if err != nil {
			return fmt.Errorf("reminder: told: %w", err)
		}
		x.order, x.account = value(ord), value(acc)
		if out.Company, err = s.company(ctx, tx, x); err != nil {
			return err
		}
		if err := out.read(ctx, tx); err != nil {
			return err
		}
		if out.Messages, err = s.messages(ctx, tx, certificate); err != nil {
			return err
		}
		out.next(tx.Now())
		return nil
	})
	return out, err
}

// read fills in rows, silence and renewal.
func (o *Told) read(ctx context.Context, tx *db.Tx) error {
	rows, err := tx.Query(ctx, `SELECT offset_days, channel, due_on, state, reason, coalesce(settled_at, created_at) FROM reminders
		WHERE tenant_id = $1 AND certificate_id = $2 ORDER BY due_on, channel`, tx.Tenant(), o.Certificate)
	if err != nil {
		return fmt.Errorf("reminder: told: %w", err)
	}
	o.Rows, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Row, err error) {
		var due time.Time
		err = row.Scan(&r.Offset, &r.Channel, &due, &r.State, &r.Reason, &r.At)
		r.Due = clock.CivilDate(due, time.UTC)
		return r, err
	})
	if err != nil {
		return fmt.Errorf("reminder: told: %w", err)
	}
	var m Silence
	err = tx.QueryRow(ctx, `SELECT until, reason, set_by FROM reminder_mutes WHERE tenant_id = $1 AND certificate_id = $2 AND until > $3`,
		tx.Tenant(), o.Certificate, tx.Now()).Scan(&m.Until, &m.Reason, &m.SetBy)
	if err == nil {
		o.Silence = &m
	} else if !errors.Is(err, db.ErrNoRows) {
		return fmt.Errorf("reminder: told: %w", err)
	}
	var id *uuid.UUID
	err = tx.QueryRow(ctx, `SELECT state, reason, order_id FROM renewals WHERE tenant_id = $1 AND certificate_id = $2`, tx.Tenant(), o.Certificate).Scan(&o.Renewal, &o.Why, &id)
	if err != nil && !errors.Is(err, db.ErrNoRows) {
		return fmt.Errorf("reminder: told: %w", err)
	}
	o.OrderID = value(id)
	return nil
}

// next works out what comes next by today's release.
func (o *Told) next(now time.Time) {
	if o.State != "active" || o.Ordered || o.Silence != nil {
		return
	}
	for _, r := range o.Rows {
		if r.State == "pending" {
			o.Next = &Next{Offset: r.Offset, On: r.Due}
		}
	}
	if o.Next != nil {
		return
	}
	today := clock.CivilDate(now, o.Tenant.Zone())
	for _, p := range planned(o.Tenant).plans {
		for _, st := range p.steps {
			on := clock.CivilDate(o.NotAfter, o.Tenant.Zone()).AddDays(-st.offset)
			if p.product == o.Product && on.After(today) {
				o.Next = &Next{Offset: st.offset, On: on}
				return
			}
		}
	}
}

// messages reads what was sent about a certificate, contact by contact.
func (s *Service) messages(ctx context.Context, tx *db.Tx, certificate uuid.UUID) ([]notify.Told, error) {
	rows, err := tx.Query(ctx, `SELECT DISTINCT n.id, n.rung, a.certificate_id FROM reminders r JOIN reminder_notices n ON n.tenant_id = r.tenant_id AND n.id = r.notice_id
		JOIN reminders a ON a.tenant_id = n.tenant_id AND a.notice_id = n.id
		WHERE r.tenant_id = $1 AND r.certificate_id = $2`, tx.Tenant(), certificate)
	if err != nil {
		return nil, fmt.Errorf("reminder: messages: %w", err)
	}
	var keys []uuid.UUID
	var id, about uuid.UUID
	var rung int
	if _, err := pgx.ForEachRow(rows, []any{&id, &rung, &about}, func() error {
		for i := range rung + 1 {
			keys = append(keys, noticeKey(id, i), partKey(noticeKey(id, i), about))
		}
		return nil
	}); err != nil {
		return nil, fmt.Errorf("reminder: messages: %w", err)
	}
	return s.Notify.ByKeys(ctx, tx, keys)
}

// Ending is a certificate that ends soon, or ended lately, in the list of staff.
type Ending struct {
	Tenant, Certificate uuid.UUID
	Company, Product    string
	NotAfter            time.Time
	State               string // of the last reminder: pending, sent, …; "" for none
	Renewal             string // state of the renewal order
	Muted               bool
}

// Endings lists the certificates in use that end from a month ago on, the first to end first; of one tenant, or of all with Nil.
func (s *Service) Endings(ctx context.Context, tenantID uuid.UUID, limit, offset int) ([]Ending, error) {
	if err := s.Authz.CheckRoute(ctx, authz.QueueView, uuid.Nil); err != nil {
		return nil, err
	}
	var list []Ending
	var from []said
	err := s.DB.WithSystem(ctx, "console/reminders", func(ctx context.Context, tx *db.Tx) error {
		list, from = nil, nil
		rows, err := tx.Query(ctx, `SELECT c.tenant_id, c.id, c.product, c.not_after, c.order_id, coalesce(
				(SELECT r.state FROM reminders r WHERE r.tenant_id = c.tenant_id AND r.certificate_id = c.id ORDER BY r.offset_days, r.channel LIMIT 1), ''),
				coalesce((SELECT n.state FROM renewals n WHERE n.tenant_id = c.tenant_id AND n.certificate_id = c.id), ''),`+sqlMuted+`
			FROM certificates c WHERE c.state = 'active' AND c.not_after >= $1::timestamptz - interval '31 days' AND ($2::uuid IS NULL OR c.tenant_id = $2)
			ORDER BY c.not_after, c.id LIMIT $3 OFFSET $4`, tx.Now(), null(tenantID), limit, offset)
		if err != nil {
			return fmt.Errorf("reminder: endings: %w", err)
		}
		var e Ending
		var ord *uuid.UUID
		_, err = pgx.ForEachRow(rows, []any{&e.Tenant, &e.Certificate, &e.Product, &e.NotAfter, &ord, &e.State, &e.Renewal, &e.Muted}, func() error {
			list, from = append(list, e), append(from, said{certificate: e.Certificate, order: value(ord)})
			return nil
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range list {
		err := s.DB.WithTenant(ctx, list[i].Tenant, func(ctx context.Context, tx *db.Tx) (err error) {
			list[i].Company, err = s.company(ctx, tx, from[i])
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return list, nil
}

func null(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}
