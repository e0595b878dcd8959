package reminder

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"

	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/notify"
	"certsaas/core/tenant"
)

// compose stores a message to one contact, with a link, and returns what is to be sent. A message that was stored before is
// said again word for word, so that a provider that knows its id does not send it twice.
func (s *Service) compose(ctx context.Context, tx *db.Tx, t *tenant.Tenant, n notice, list []said, to contact) ([]notify.Pending, error) {
	main, key := list[0], noticeKey(n.id, n.rung)
	var known bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM messages WHERE tenant_id = $1 AND outbox_id = $2)`, n.tenant, key).Scan(&known); err != nil {
		return nil, fmt.Errorf("reminder: compose: %w", err)
	}
	link := ""
	if !known {
		var err error
		if link, err = newLink(ctx, tx, main.certificate, n.id, main.notAfter); err != nil {
			return nil, err
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE renewals r SET told_fen = o.total_fen FROM orders o
		WHERE r.tenant_id = $1 AND r.certificate_id = $2 AND o.tenant_id = r.tenant_id AND o.id = r.order_id`, n.tenant, main.certificate); err != nil {
		return nil, fmt.Errorf("reminder: compose: %w", err)
	}
	params, err := s.params(ctx, tx, t, list, link)
	if err != nil {
		return nil, err
	}
	var about *uuid.UUID
	if main.order != uuid.Nil {
		about = &main.order
	}
	return s.Notify.Store(ctx, tx, notify.Notice{
		Tenant: t, Event: event(main.offset), Locale: t.Languages()[0], Key: key, Order: value(about),
		Channels: []string{to.channel}, To: map[string]string{to.channel: to.address}, Params: params,
	})
}

// noticeKey names a message to one contact: stable over tries, different for each contact.
func noticeKey(id uuid.UUID, rung int) uuid.UUID {
	if rung == 0 {
		return id
	}
	return uuid.NewSHA1(id, []byte(strconv.Itoa(rung)))
}

// params are the values of the tenant's placeholders. One message speaks of all the person's certificates; date and days are
// those of the most urgent one.
func (s *Service) params(ctx context.Context, tx *db.Tx, t *tenant.Tenant, list []said, link string) (map[string]string, error) {
	locale, main := t.Languages()[0], list[0]
	p, ok := t.Product(main.product)
	if !ok {
		return nil, fault.New(fault.NotFound, "reminder.product_gone")
	}
	company, err := s.company(ctx, tx, main)
	if err != nil {
		return nil, err
	}
	if len(list) > 1 {
		company = s.Texts.T(locale, "reminder.several", "Company", company, "N", len(list))
	}
	ends := clock.CivilDate(main.notAfter, t.Zone())
	days := clock.DaysBetween(clock.CivilDate(tx.Now(), t.Zone()), ends)
	if days < 0 {
		days = -days
	}
	site := s.Site(t)
	return map[string]string{
		"date": ends.String(), "days": strconv.Itoa(days), "product": p.Name.In(locale), "company": company,
		"org": t.Names().Short.In(locale), "site": site, "link": site + "/r/" + link,
	}, nil
}

// company is whose certificate it is.
func (s *Service) company(ctx context.Context, tx *db.Tx, x said) (string, error) {
	if x.order != uuid.Nil {
		o, err := s.Orders.Load(ctx, tx, x.order)
		if err != nil {
			return "", err
		}
		if name := o.Organisation(); name != "" {
			return name, nil
		}
	}
	c, err := s.Issuance.Certificate(ctx, tx, x.certificate)
	if err != nil {
		return "", err
	}
	if c == nil {
		return "", fault.New(fault.NotFound, "reminder.no_certificate")
	}
	subject := c.Certificate.X509().Subject
	if len(subject.Organization) > 0 && subject.Organization[0] != "" {
		return subject.Organization[0], nil
	}
	return subject.CommonName, nil
}

// Masked shows a company's name as far as its own people recognise it: 深圳市******限公司.
func Masked(company string) string {
	r := []rune(company)
	head, tail := 2, 2
	if len(r) < 7 {
		head, tail = 1, 0
	}
	for i := range r {
		if i >= head && i < len(r)-tail {
			r[i] = '*'
		}
	}
	return string(r)
}
