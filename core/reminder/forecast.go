package reminder

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/tenant"
)

// Day is what is coming on one day.
type Day struct {
	On           clock.Date
	Certificates int // reminders that become due
	Messages     int // after merging
	People       int
}

// Forecast counts what the coming days will bring by the published releases, today not included.
func (s *Service) Forecast(ctx context.Context, days int) ([]Day, error) {
	if err := s.Authz.CheckRoute(ctx, authz.QueueView, uuid.Nil); err != nil {
		return nil, err
	}
	all, err := s.Tenants.All(ctx)
	if err != nil {
		return nil, err
	}
	var out []Day
	err = s.DB.WithSystem(ctx, "console/reminders", func(ctx context.Context, tx *db.Tx) (err error) {
		out, err = s.coming(ctx, tx, days, all)
		return err
	})
	return out, err
}

// coming counts what is due on each of the coming days by the given releases.
func (s *Service) coming(ctx context.Context, tx *db.Tx, days int, releases []*tenant.Tenant) ([]Day, error) {
	var out []Day
	for n := 1; n <= days; n++ {
		day := Day{On: clock.CivilDate(tx.Now(), clock.Shanghai).AddDays(n)}
		b := batch{}
		for _, t := range releases {
			on := clock.CivilDate(tx.Now(), t.Zone()).AddDays(n)
			b.add(t, on.AddDays(-1), on)
		}
		err := s.due(ctx, tx, b, `SELECT count(*), count(DISTINCT (tenant_id, person, channel)), count(DISTINCT (tenant_id, person)) FROM (`+dueSQL+`) due`,
			nil, &day.Certificates, &day.Messages, &day.People)
		if err != nil {
			return nil, fmt.Errorf("reminder: forecast: %w", err)
		}
		out = append(out, day)
	}
	return out, nil
}

// Preview is what a release that waits for its publication would change about reminders.
type Preview struct {
	Same   bool  // its rules are those in force; the rest is empty
	Now    []Day // the coming days by the rules in force …
	Next   []Day // … and by the new ones, the same days
	AtOnce Day   // what the new rules make due at the moment of publication; of each certificate the most urgent alone
	Past   int   // reminders whose day has passed by the new rules and a more urgent one's, too: noted and not sent
}

// Preview compares the rules of a release with the published ones over the coming days. Nothing is changed. A tenant that has
// no published release yet has no rules in force.
func (s *Service) Preview(ctx context.Context, next *tenant.Tenant, days int) (Preview, error) {
	if err := s.Authz.Check(ctx, authz.TenantView, authz.Resource{Kind: "tenant", Tenant: next.ID()}); err != nil {
		return Preview{}, err
	}
	var current []*tenant.Tenant
	now, err := s.Tenants.ByID(ctx, next.ID())
	switch {
	case errors.Is(err, fault.NotFound):
	case err != nil:
		return Preview{}, err
	default:
		current = append(current, now)
		if planned(now).digest == planned(next).digest {
			return Preview{Same: true}, nil
		}
	}
	var p Preview
	err = s.DB.WithSystem(ctx, "console/reminders", func(ctx context.Context, tx *db.Tx) (err error) {
		p = Preview{}
		if p.Now, err = s.coming(ctx, tx, days, current); err != nil {
			return err
		}
		if p.Next, err = s.coming(ctx, tx, days, []*tenant.Tenant{next}); err != nil {
			return err
		}
		return s.atOnce(ctx, tx, next, &p)
	})
	return p, err
}

// atOnce counts what the first sweep after the publication would write: everything of the last days that has no row yet.
func (s *Service) atOnce(ctx context.Context, tx *db.Tx, next *tenant.Tenant, p *Preview) error {
	today := clock.CivilDate(tx.Now(), next.Zone())
	b := batch{}
	b.add(next, today.AddDays(-catchUp), today)
	p.AtOnce.On = today
	err := s.due(ctx, tx, b, `SELECT count(DISTINCT id) FILTER (WHERE send), count(DISTINCT (person, channel)) FILTER (WHERE send), count(DISTINCT person) FILTER (WHERE send), count(*) FILTER (WHERE NOT send)
		FROM (SELECT due.*, superseded_on IS NULL OR superseded_on > today AS send FROM (`+dueSQL+`) due
			WHERE NOT EXISTS (SELECT FROM reminders r WHERE r.tenant_id = due.tenant_id AND r.certificate_id = due.id AND r.offset_days = due.offset_days AND r.channel = due.channel)) fresh`,
		nil, &p.AtOnce.Certificates, &p.AtOnce.Messages, &p.AtOnce.People, &p.Past)
	if err != nil {
		return fmt.Errorf("reminder: preview: %w", err)
	}
	return nil
}
