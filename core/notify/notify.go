// Package notify tells applicants what happened to their orders.
//
// In: outbox events "order.<event>", the order and the tenant's own texts for
// the event. Out: one message per event and channel, stored sealed, sent through
// core/channel, and marked. It reads what the slices left of it know
// (reasons, waybills, dates) and is told by the outbox; nothing waits for it.
package notify

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/channel"
	"certsaas/core/db"
	"certsaas/core/delivery"
	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/order"
	"certsaas/core/outbox"
	"certsaas/core/review"
	"certsaas/core/tenant"
	"certsaas/core/vault"
)

// Messages are this package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// Sender and Message are those of core/channel.
type (
	Sender  = channel.Sender
	Message = channel.Message
)

const prefix = "order."

const (
	bodyColumn = "messages.body"
)

// Orders, Reviews and Shipments are what messages tell of.
type (
	Orders interface {
		Load(ctx context.Context, tx *db.Tx, id uuid.UUID) (order.Order, error)
		Product(ctx context.Context, o order.Order) (*tenant.Tenant, tenant.Product, error)
	}
	Reviews interface {
		Remarks(ctx context.Context, tx *db.Tx, orderID uuid.UUID) ([]review.Remark, error)
	}
	Shipments interface {
		List(ctx context.Context, tx *db.Tx, orderID uuid.UUID) ([]delivery.Shipment, error)
	}
)

// Deps is what a Service stands on.
type Deps struct {
	DB        *db.DB
	Vault     *vault.Vault
	Orders    Orders
	Reviews   Reviews
	Shipments Shipments
	Texts     *i18n.Bundle                  // holds this package's Messages
	Sender    Sender                        // of all channels
	Site      func(t *tenant.Tenant) string // address of the tenant's portal, for {site}
	Signature func(t *tenant.Tenant) string // SMS signature; nil = the sender's own
}

// Service renders and sends.
type Service struct{ Deps }

// New makes a Service.
func New(d Deps) *Service { return &Service{d} }

// Kinds are the outbox kinds that Handle answers, for the worker's table.
func Kinds() []string {
	var kinds []string
	for event := range tenant.Events {
		if event != "code" && !strings.HasPrefix(event, "remind_") {
			kinds = append(kinds, prefix+event)
		}
	}
	slices.Sort(kinds)
	return kinds
}

// Handle answers one outbox event about an order. It may be called again for
// the same event: what was sent is not sent again. An error asks for another try;
// outbox.Permanent says that none would help.
func (s *Service) Handle(ctx context.Context, item outbox.Item) error {
	event, ok := strings.CutPrefix(item.Kind, prefix)
	if !ok {
		return outbox.Permanent(fmt.Errorf("notify: %s is no order event", item.Kind))
	}
	var due []Pending
	err := s.DB.WithTenant(ctx, item.Tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		due, err = s.prepare(ctx, tx, event, item)
		return err
	})
	if err != nil {
		if errors.Is(err, fault.NotFound) || errors.Is(err, fault.Invalid) {
			return outbox.Permanent(err)
		}
		return err
	}
	return s.Deliver(ctx, item.Tenant, due)
}

// prepare stores the event's messages that are not stored yet and returns those still to be sent.
func (s *Service) prepare(ctx context.Context, tx *db.Tx, event string, item outbox.Item) ([]Pending, error) {
	o, err := s.Orders.Load(ctx, tx, item.Ref)
	if err != nil {
		return nil, err
	}
	t, p, err := s.Orders.Product(ctx, o)
	if err != nil {
		return nil, err
	}
	var channels []string
	for _, c := range tenant.Channels {
		if p.Notifies(event, c) {
			channels = append(channels, c)
		}
	}
	if len(channels) == 0 {
		return nil, nil
	}
	locale := t.Languages()[0]
	params, err := s.params(ctx, tx, t, p, o, event, locale)
	if err != nil {
		return nil, err
	}
	return s.Store(ctx, tx, Notice{
		Tenant: t, Event: event, Locale: locale, Key: item.ID, Order: o.ID, Channels: channels, Params: params,
		To: map[string]string{channel.SMS: o.Mobile(), channel.Email: o.Answers["email"]},
	})
}

// Notice is one thing to say over one or more channels. Reminders make theirs themselves.
type Notice struct {
	Tenant   *tenant.Tenant
	Event    string // a name of tenant.Events
	Locale   string
	Key      uuid.UUID // what it answers: stored once per key and channel
	Order    uuid.UUID // Nil: about no order
	Channels []string
	To       map[string]string // by channel; a channel without an address is left out
	Params   map[string]string
}

// Pending is a stored message that is still to be sent.
type Pending struct {
	id      uuid.UUID
	message Message
}

// body is what messages.body_sealed holds.
type body struct {
	To        string            `json:"to"`
	Text      string            `json:"text"`
	Subject   string            `json:"subject,omitempty"`
	Params    map[string]string `json:"params"`
	Signature string            `json:"signature,omitempty"`
}

// Store writes a notice's messages in the caller's tenant transaction and
// returns those not sent yet, old ones of the same key included, for Deliver.
func (s *Service) Store(ctx context.Context, tx *db.Tx, n Notice) ([]Pending, error) {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	for _, c := range n.Channels {
		if n.To[c] == "" {
			continue // the applicant gave no such address, or none yet
		}
		b, err := s.render(n, c)
		if err != nil {
			return nil, err
		}
		plain, err := json.Marshal(b)
		if err != nil {
			return nil, fmt.Errorf("notify: body: %w", err)
		}
		id := db.NewID()
		var about *uuid.UUID
		if n.Order != uuid.Nil {
			about = &n.Order
		}
		if _, err := tx.Exec(ctx, `INSERT INTO messages (tenant_id, id, order_id, outbox_id, channel, template, body_sealed, state, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, 'pending', $8) ON CONFLICT (tenant_id, outbox_id, channel) DO NOTHING`,
			tx.Tenant(), id, about, n.Key, c, n.Event, keys.Seal(bodyColumn, id, plain), tx.Now()); err != nil {
			return nil, fmt.Errorf("notify: store: %w", err)
		}
	}
	return unsent(ctx, tx, keys, n.Key)
}

// render fills the tenant's text of a channel.
func (s *Service) render(n Notice, c string) (body, error) {
	m, ok := n.Tenant.Message(n.Event)
	text, subject := m.SMS, i18n.Text(nil)
	if c == channel.Email {
		text, subject = m.Email.Body, m.Email.Subject
	}
	if !ok || text.In(n.Locale) == "" {
		return body{}, fmt.Errorf("notify: tenant %s has no text for %s over %s", n.Tenant.Slug(), n.Event, c)
	}
	b := body{To: n.To[c], Params: n.Params}
	if c == channel.SMS && s.Signature != nil {
		b.Signature = s.Signature(n.Tenant)
	}
	var err error
	if b.Text, err = channel.Fill(text.In(n.Locale), n.Params); err != nil {
		return body{}, fmt.Errorf("notify: %s: %w", n.Event, err)
	}
	if b.Subject, err = channel.Fill(subject.In(n.Locale), n.Params); err != nil {
		return body{}, fmt.Errorf("notify: %s: %w", n.Event, err)
	}
	return b, nil
}

// unsent reads the messages of a key that were not sent yet.
func unsent(ctx context.Context, tx *db.Tx, keys *vault.Keys, key uuid.UUID) ([]Pending, error) {
	rows, err := tx.Query(ctx, `SELECT id, channel, template, body_sealed FROM messages
		WHERE tenant_id = $1 AND outbox_id = $2 AND state <> 'sent' ORDER BY channel DESC`, tx.Tenant(), key)
	if err != nil {
		return nil, fmt.Errorf("notify: unsent: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Pending, error) {
		var p Pending
		var sealed []byte
		if err := row.Scan(&p.id, &p.message.Channel, &p.message.Template, &sealed); err != nil {
			return p, err
		}
		b, err := openBody(keys, p.id, sealed)
		p.message.ID, p.message.To, p.message.Text, p.message.Subject = p.id.String(), b.To, b.Text, b.Subject
		p.message.Params, p.message.Signature = b.Params, b.Signature
		return p, err
	})
	if err != nil {
		return nil, fmt.Errorf("notify: unsent: %w", err)
	}
	return list, nil
}

func openBody(keys *vault.Keys, id uuid.UUID, sealed []byte) (body, error) {
	var b body
	plain, err := keys.Open(bodyColumn, id, sealed)
	if err != nil {
		return b, err
	}
	return b, json.Unmarshal(plain, &b)
}

// Deliver sends what Store returned, outside any transaction, and marks each message.
func (s *Service) Deliver(ctx context.Context, tenantID uuid.UUID, due []Pending) error {
	var errs []error
	hopeless := true
	for _, p := range due {
		_, sendErr := s.Sender.Send(ctx, p.message)
		state, note := "sent", ""
		if sendErr != nil {
			state, note = "failed", "channel.failed"
			if f := fault.From(sendErr); f != nil {
				note = f.ID
			}
			hopeless = hopeless && errors.Is(sendErr, fault.Invalid)
			errs = append(errs, fmt.Errorf("notify: send %s: %w", p.message.Channel, sendErr))
		}
		err := s.DB.WithTenant(context.WithoutCancel(ctx), tenantID, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE messages SET state = $3, error = $4, sent_at = CASE WHEN $3 = 'sent' THEN $5::timestamptz END
				WHERE tenant_id = $1 AND id = $2 AND state <> 'sent'`, tenantID, p.id, state, note, tx.Now())
			return err
		})
		if err != nil {
			hopeless = false
			errs = append(errs, fmt.Errorf("notify: mark: %w", err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		if hopeless {
			return outbox.Permanent(err)
		}
		return err
	}
	return nil
}
