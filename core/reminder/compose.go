package reminder

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/notify"
	"certsaas/core/tenant"
)

// compose stores the messages of one rung and returns what is to be sent. A message that was stored before is said again word
// for word, so that a provider that knows its id does not send it twice. Only the holder's has a link.
func (s *Service) compose(ctx context.Context, tx *db.Tx, t *tenant.Tenant, n notice, r rung) ([]notify.Pending, error) {
	var due []notify.Pending
	for _, p := range r.parts {
		main, key, link := p.list[0], noticeKey(n.id, n.rung), ""
		what := "remind_" + r.who
		if r.who == holder {
			what = event(main.offset)
			var err error
			if link, err = s.lead(ctx, tx, n, main, key); err != nil {
				return nil, err
			}
		} else {
			key = partKey(key, main.certificate)
		}
		params, err := s.params(ctx, tx, t, p.list, link)
		if err == nil && r.who != holder {
			delete(params, "link")
			params["key"], err = s.keyTail(ctx, tx, main.certificate)
		}
		if err != nil {
			return nil, err
		}
		some, err := s.Notify.Store(ctx, tx, notify.Notice{
			Tenant: t, Event: what, Locale: t.Languages()[0], Key: key, Order: main.order,
			Channels: []string{p.to.channel}, To: map[string]string{p.to.channel: p.to.address}, Params: params,
		})
		if err != nil {
			return nil, err
		}
		due = append(due, some...)
	}
	return due, nil
}

// lead makes the link of a message that is not stored yet, and notes the price that it leads to.
func (s *Service) lead(ctx context.Context, tx *db.Tx, n notice, main said, key uuid.UUID) (link string, err error) {
	var known bool
	if err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM messages WHERE tenant_id = $1 AND outbox_id = $2)`, n.tenant, key).Scan(&known); err != nil {
		return "", fmt.Errorf("reminder: compose: %w", err)
	}
	if !known {
		if link, err = newLink(ctx, tx, main.certificate, n.id, main.notAfter); err != nil {
			return "", err
		}
	}
	if _, err := tx.Exec(ctx, `UPDATE renewals r SET told_fen = o.total_fen FROM orders o
		WHERE r.tenant_id = $1 AND r.certificate_id = $2 AND o.tenant_id = r.tenant_id AND o.id = r.order_id`, n.tenant, main.certificate); err != nil {
		return "", fmt.Errorf("reminder: compose: %w", err)
	}
	return link, nil
}

// noticeKey names a message to one contact: stable over tries, different for each contact.
func noticeKey(id uuid.UUID, rung int) uuid.UUID {
	if rung == 0 {
		return id
	}
	return uuid.NewSHA1(id, []byte(strconv.Itoa(rung)))
}

// partKey names the message of a rung about one dealer.
func partKey(key, certificate uuid.UUID) uuid.UUID { return uuid.NewSHA1(key, certificate[:]) }

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

// keyTail is as much of a key's number as its people recognise it by: the last four characters of the number on the key, of the
// certificate's serial number where the key's is not known.
func (s *Service) keyTail(ctx context.Context, tx *db.Tx, certificate uuid.UUID) (string, error) {
	var token string
	var serial []byte
	if err := tx.QueryRow(ctx, `SELECT coalesce(token_serial, ''), serial FROM certificates WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), certificate).Scan(&token, &serial); err != nil {
		return "", fmt.Errorf("reminder: key: %w", err)
	}
	if token == "" {
		token = strings.ToUpper(hex.EncodeToString(serial))
	}
	return token[max(0, len(token)-4):], nil
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
