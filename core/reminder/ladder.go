package reminder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/identifier"
	"certsaas/core/order"
	"certsaas/core/tenant"
)

// Who a rung of the ladder speaks to.
const (
	holder = "holder" // the certificate's own contacts: the message has a link
	roster = "roster" // the contact that the enterprise keeps of its dealer: no link
	admin  = "admin"  // the enterprise's administrator: no link
)

// Why a reminder counts as undeliverable.
const (
	undeliverable = "undeliverable" // no contact took it
	noContact     = "no_contact"    // there is none
	toldOthers    = "told_others"   // the holder's contacts did not take it; who knows him was told
)

// contact is one way to reach somebody.
type contact struct {
	channel string
	address string
}

// usable tells whether an address can be one: what an old order or an import brought is not handed to a provider unseen.
func (c contact) usable() bool {
	if c.channel == "sms" {
		return identifier.Mobile(c.address).Accepted()
	}
	return identifier.Email(c.address).Accepted()
}

// rung is one step of the ladder: who is told, and what. To those who are not the holder each dealer is a message of its own,
// because one dealer's contact must not read of another's keys.
type rung struct {
	who   string
	parts []part
}

type part struct {
	to   contact
	list []said // the most urgent first
}

// ladder is whom a message goes to, one after the other while the contact before cannot be reached: the contact of its order
// over the message's channel, its login's mobile, the other channel; then the enterprise's contact of the dealer, then the
// enterprise's administrator, on the days that the product says. Beyond the last rung it is the staff's task.
func (s *Service) ladder(ctx context.Context, tx *db.Tx, t *tenant.Tenant, list []said, channel string) ([]rung, error) {
	var out []rung
	own, err := s.contacts(ctx, tx, t, list[0], channel)
	if err != nil {
		return nil, err
	}
	for _, c := range own {
		out = append(out, rung{holder, []part{{c, list}}})
	}
	dealers, err := s.dealers(ctx, tx, t, list)
	if err != nil {
		return nil, err
	}
	var first, last rung
	first.who, last.who = roster, admin
	known := false
	for _, d := range dealers {
		top := administrator(t)
		to := d.contact(t, channel)
		known = known || to.address != ""
		if to.address == "" {
			to = top
		}
		if to.address != "" {
			first.parts = append(first.parts, part{to, d.list})
		}
		if top.address != "" {
			last.parts = append(last.parts, part{top, d.list})
		}
	}
	if known {
		out = append(out, first)
	}
	if len(last.parts) > 0 {
		out = append(out, last)
	}
	return out, nil
}

// administrator is how the enterprise's administrator is reached; without an address when nobody is declared.
func administrator(t *tenant.Tenant) contact {
	if mail := t.Administrator().Email; mail != "" && hasText(t, "remind_admin", "email") {
		return contact{"email", mail}
	}
	return contact{}
}

// dealer is one company's part of a message.
type dealer struct {
	list  []said
	known RosterContact
}

// contact is how the enterprise's contact of the dealer is reached, over the message's channel if it can be.
func (d dealer) contact(t *tenant.Tenant, channel string) contact {
	ways := []contact{{"sms", d.known.Mobile}, {"email", d.known.Email}}
	if channel == "email" {
		slices.Reverse(ways)
	}
	for _, c := range ways {
		if c.address != "" && hasText(t, "remind_roster", c.channel) {
			return c
		}
	}
	return contact{}
}

// dealers parts what a message says by the code that the enterprise knows its dealers by, as far as others are told of it
// today. What came without an order is a dealer of its own.
func (s *Service) dealers(ctx context.Context, tx *db.Tx, t *tenant.Tenant, list []said) ([]dealer, error) {
	var out []dealer
	at := map[string]int{}
	for _, x := range list {
		p, ok := t.Product(x.product)
		if !ok || !slices.Contains(p.Reminder.Others, x.offset) {
			continue
		}
		o, _, err := s.holder(ctx, tx, x)
		if err != nil {
			return nil, err
		}
		code := o.Answers[t.Roster().By]
		if i, there := at[code]; there && code != "" {
			out[i].list = append(out[i].list, x)
			continue
		}
		d := dealer{list: []said{x}}
		if code != "" {
			at[code] = len(out)
			if d.known, err = s.rosterContact(ctx, tx, code); err != nil {
				return nil, err
			}
		}
		out = append(out, d)
	}
	return out, nil
}

// contacts are the certificate's own.
func (s *Service) contacts(ctx context.Context, tx *db.Tx, t *tenant.Tenant, x said, channel string) ([]contact, error) {
	o, login, err := s.holder(ctx, tx, x)
	if err != nil {
		return nil, err
	}
	moved, err := given(ctx, tx, x.certificate)
	if err != nil {
		return nil, err
	}
	if moved { // what its order says is somebody else by now
		o = order.Order{}
	}
	sms := []contact{{"sms", o.Mobile()}}
	if login != o.Mobile() {
		sms = append(sms, contact{"sms", login})
	}
	mail := []contact{{"email", o.Answers["email"]}}
	all := append(sms, mail...)
	if channel == "email" {
		all = append(mail, sms...)
	}
	out := all[:0]
	for _, c := range all {
		if c.usable() && hasText(t, event(x.offset), c.channel) {
			out = append(out, c)
		}
	}
	return out, nil
}

// given tells whether a certificate was given over to another contact since its order.
func given(ctx context.Context, tx *db.Tx, certificate uuid.UUID) (moved bool, err error) {
	if err := tx.QueryRow(ctx, `SELECT contact_at IS NOT NULL FROM certificates WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), certificate).Scan(&moved); err != nil {
		return false, fmt.Errorf("reminder: contact: %w", err)
	}
	return moved, nil
}

// holder is the order that made a certificate (zero when it was imported) and the mobile of the login it belongs to.
func (s *Service) holder(ctx context.Context, tx *db.Tx, x said) (o order.Order, login string, err error) {
	if x.order != uuid.Nil {
		if o, err = s.Orders.Load(ctx, tx, x.order); err != nil {
			return o, "", err
		}
	}
	if x.account != uuid.Nil {
		a, err := s.Accounts.Load(ctx, tx, x.account)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return o, "", err
		}
		login = a.Mobile
	}
	return o, login, nil
}

// kindOf is what people must see to when the holder was not reached.
func kindOf(rungs []rung) string {
	if len(rungs) == 0 || rungs[0].who != holder {
		return noContact
	}
	return undeliverable
}

// giveUp ends a message that did not reach its holder: people see to it.
func (s *Service) giveUp(ctx context.Context, tx *db.Tx, n notice, list []said, kind, why string) error {
	for _, x := range list {
		if err := addTask(ctx, tx, x.certificate, kind, fmt.Sprintf("%s %d", n.channel, x.offset)); err != nil {
			return err
		}
	}
	slog.ErrorContext(ctx, "reminder did not reach its holder", "notice", n.id, "tenant", n.tenant, "certificates", len(list), "why", why)
	if err := settle(ctx, tx, n, "failed", why); err != nil {
		return err
	}
	return audit.Record(ctx, tx, audit.Entry{Action: "reminder.undeliverable", Resource: "certificate/" + list[0].certificate.String(),
		Detail: map[string]any{"notice": n.id, "kind": why, "certificates": len(list)}})
}
