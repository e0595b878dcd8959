package order

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/rules"
	"certsaas/core/vault"
)

// sealedColumn is the vault's name of the answers.
const sealedColumn = "orders.answers"

const columns = `o.tenant_id, o.id, o.number, o.release, o.product, o.service, o.state, o.version, o.account_id, o.visitor_hash,
	o.term_years, o.quantity, o.answers_sealed, o.old_certificate_id, o.open_fields, o.price, o.total_fen, o.saved_step, o.agreed,
	o.created_at, o.updated_at, o.submitted_at, o.paid_at, o.qualified_at, o.paused_at, o.due_at, o.reviewed_at, o.completed_at,
	o.closed_at, o.lapses_at, o.claimed_by, o.claimed_at`

// scan reads one row of columns; the answers come out sealed.
func scan(row pgx.Row) (Order, []byte, error) {
	var (
		o                       Order
		sealed, price           []byte
		account, oldCert, claim *uuid.UUID
	)
	err := row.Scan(&o.Tenant, &o.ID, &o.Number, &o.Release, &o.Product, &o.Service, &o.State, &o.Version, &account, &o.Visitor,
		&o.TermYears, &o.Quantity, &sealed, &oldCert, &o.OpenFields, &price, &o.TotalFen, &o.SavedStep, &o.Agreed,
		&o.CreatedAt, &o.UpdatedAt, &o.SubmittedAt, &o.PaidAt, &o.QualifiedAt, &o.PausedAt, &o.DueAt, &o.ReviewedAt, &o.CompletedAt,
		&o.ClosedAt, &o.LapsesAt, &claim, &o.ClaimedAt)
	if err != nil {
		return Order{}, nil, err
	}
	o.Account, o.OldCertificate, o.ClaimedBy = value(account), value(oldCert), value(claim)
	if err := json.Unmarshal(price, &o.Lines); err != nil {
		return Order{}, nil, fmt.Errorf("order: price of %s: %w", o.Number, err)
	}
	return o, sealed, nil
}

func value(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

func nullable(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// unseal opens the answers of a scanned order.
func unseal(keys *vault.Keys, o *Order, sealed []byte) error {
	o.Answers = form.Answers{}
	if sealed == nil {
		return nil
	}
	plain, err := keys.Open(sealedColumn, o.ID, sealed)
	if err != nil {
		return fmt.Errorf("order: open answers of %s: %w", o.Number, err)
	}
	if err := json.Unmarshal(plain, &o.Answers); err != nil {
		return fmt.Errorf("order: answers of %s: %w", o.Number, err)
	}
	return nil
}

// Load reads an order of the transaction's tenant; fault.NotFound when there is none.
func (s *Service) Load(ctx context.Context, tx *db.Tx, id uuid.UUID) (Order, error) {
	return s.load(ctx, tx, id, "")
}

// LoadForUpdate is Load with the row locked until the transaction ends.
func (s *Service) LoadForUpdate(ctx context.Context, tx *db.Tx, id uuid.UUID) (Order, error) {
	return s.load(ctx, tx, id, " FOR UPDATE")
}

func (s *Service) load(ctx context.Context, tx *db.Tx, id uuid.UUID, lock string) (Order, error) {
	row := tx.QueryRow(ctx, `SELECT `+columns+` FROM orders o WHERE o.tenant_id = $1 AND o.id = $2`+lock, tx.Tenant(), id)
	o, sealed, err := scan(row)
	if errors.Is(err, db.ErrNoRows) {
		return Order{}, fault.New(fault.NotFound, "order.not_found")
	}
	if err != nil {
		return Order{}, fmt.Errorf("order: find: %w", err)
	}
	keys, err := s.vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return Order{}, err
	}
	return o, unseal(keys, &o, sealed)
}

// number draws the next order number: tenant letters, Shanghai date, counter of the day.
func number(ctx context.Context, tx *db.Tx, prefix, day string) (string, error) {
	var n int64
	err := tx.QueryRow(ctx, `INSERT INTO counters (tenant_id, name, value) VALUES ($1, $2, 1)
		ON CONFLICT (tenant_id, name) DO UPDATE SET value = counters.value + 1 RETURNING value`,
		tx.Tenant(), "order/"+day).Scan(&n)
	if err != nil {
		return "", fmt.Errorf("order: number: %w", err)
	}
	return fmt.Sprintf("%s%s%06d", prefix, day, n), nil
}

func insert(ctx context.Context, tx *db.Tx, o Order) error {
	_, err := tx.Exec(ctx, `INSERT INTO orders (tenant_id, id, number, release, product, service, state, account_id, visitor_hash,
		old_certificate_id, created_at, updated_at, lapses_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, $12)`,
		tx.Tenant(), o.ID, o.Number, o.Release, o.Product, o.Service, o.State, nullable(o.Account), o.Visitor,
		nullable(o.OldCertificate), tx.Now(), o.LapsesAt)
	if err != nil {
		return fmt.Errorf("order: insert: %w", err)
	}
	return nil
}

// save writes what the applicant may change, if nobody was faster.
func (s *Service) save(ctx context.Context, tx *db.Tx, o *Order) error {
	keys, err := s.vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return err
	}
	plain, err := json.Marshal(o.Answers)
	if err != nil {
		return fmt.Errorf("order: answers: %w", err)
	}
	price, err := json.Marshal(nonNil(o.Lines))
	if err != nil {
		return fmt.Errorf("order: price: %w", err)
	}
	var version int
	err = tx.QueryRow(ctx, `UPDATE orders SET answers_sealed = $4, term_years = $5, quantity = $6, mobile_index = $7, org_index = $8,
		code_index = $9, dealer_index = $10, price = $11, total_fen = $12, saved_step = $13, agreed = $14, account_id = $15,
		lapses_at = $16, updated_at = $17, version = version + 1
		WHERE tenant_id = $1 AND id = $2 AND version = $3 RETURNING version`,
		tx.Tenant(), o.ID, o.Version, keys.Seal(sealedColumn, o.ID, plain), o.TermYears, o.Quantity,
		index(keys, "mobile", o.Mobile()), index(keys, "org", o.Organisation()), index(keys, "code", o.Code()), index(keys, "dealer", o.Answers[keyDealer]),
		price, o.TotalFen, o.SavedStep, o.Agreed, nullable(o.Account), o.LapsesAt, tx.Now()).Scan(&version)
	if errors.Is(err, db.ErrNoRows) {
		return fault.New(fault.Conflict, "order.taken")
	}
	if err != nil {
		return fmt.Errorf("order: save: %w", err)
	}
	o.Version = version
	return nil
}

// index is the blind index of a value, nil for none.
func index(keys *vault.Keys, column, v string) []byte {
	if v == "" {
		return nil
	}
	return keys.Index(column, v)
}

func nonNil(lines []rules.Line) []rules.Line {
	if lines == nil {
		return []rules.Line{}
	}
	return lines
}

// Items lists the keys of an order.
func Items(ctx context.Context, tx *db.Tx, id uuid.UUID) ([]Item, error) {
	rows, err := tx.Query(ctx, `SELECT id, seq, old_certificate_id, coalesce(token_serial, ''), state, attempts, attempts_allowed
		FROM order_items WHERE tenant_id = $1 AND order_id = $2 ORDER BY seq`, tx.Tenant(), id)
	if err != nil {
		return nil, fmt.Errorf("order: items: %w", err)
	}
	items, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Item, error) {
		var it Item
		var old *uuid.UUID
		err := row.Scan(&it.ID, &it.Seq, &old, &it.TokenSerial, &it.State, &it.Attempts, &it.Allowed)
		it.OldCertificate = value(old)
		return it, err
	})
	if err != nil {
		return nil, fmt.Errorf("order: items: %w", err)
	}
	return items, nil
}

// fitItems gives an order one item per key; the first holds the order's old certificate. Items that a corrected order asks
// for no more are withdrawn.
func fitItems(ctx context.Context, tx *db.Tx, o *Order) error {
	for seq := 1; seq <= o.Quantity; seq++ {
		var old *uuid.UUID
		if seq == 1 {
			old = nullable(o.OldCertificate)
		}
		_, err := tx.Exec(ctx, `INSERT INTO order_items AS i (tenant_id, id, order_id, seq, old_certificate_id) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (tenant_id, order_id, seq) DO UPDATE SET state = 'waiting' WHERE i.state = 'withdrawn'`,
			tx.Tenant(), db.NewID(), o.ID, seq, old)
		if err != nil {
			return fmt.Errorf("order: insert item: %w", err)
		}
	}
	return withdrawItems(ctx, tx, o.ID, o.Quantity)
}

// withdrawItems ends the items after the first keep ones that wait for a certificate.
func withdrawItems(ctx context.Context, tx *db.Tx, id uuid.UUID, keep int) error {
	_, err := tx.Exec(ctx, `UPDATE order_items SET state = 'withdrawn' WHERE tenant_id = $1 AND order_id = $2 AND seq > $3 AND state = 'waiting'`,
		tx.Tenant(), id, keep)
	if err != nil {
		return fmt.Errorf("order: withdraw items: %w", err)
	}
	return nil
}

// reasonColumn is the vault's name of the words in a time line.
const reasonColumn = "order_events.reason"

// sealReason gives a new line of the time line its id and its detail, with the words of a person sealed.
func (s *Service) sealReason(ctx context.Context, tx *db.Tx, detail map[string]any) (uuid.UUID, map[string]any, error) {
	id, out := db.NewID(), map[string]any{}
	maps.Copy(out, detail)
	if words, ok := out["reason"].(string); ok {
		keys, err := s.vault.Keys(ctx, tx, tx.Tenant())
		if err != nil {
			return id, nil, err
		}
		out["reason"] = keys.SealText(reasonColumn, id, words)
	}
	return id, out, nil
}

// Timeline reads what happened to an order, oldest first.
func (s *Service) Timeline(ctx context.Context, tx *db.Tx, order uuid.UUID) ([]TimelineEntry, error) {
	keys, err := s.vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT id, at, event, from_state, to_state, actor_kind, actor_name, detail FROM order_events
		WHERE tenant_id = $1 AND order_id = $2 ORDER BY at, id`, tx.Tenant(), order)
	if err != nil {
		return nil, fmt.Errorf("order: time line: %w", err)
	}
	entries, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (TimelineEntry, error) {
		var e TimelineEntry
		var id uuid.UUID
		err := row.Scan(&id, &e.At, &e.Event, &e.From, &e.To, &e.ActorKind, &e.ActorName, &e.Detail)
		if words, ok := e.Detail["reason"].(string); ok && err == nil {
			e.Detail["reason"], err = keys.OpenText(reasonColumn, id, words)
		}
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("order: time line: %w", err)
	}
	return entries, nil
}

// ptr is for columns that are null until something happened.
func ptr(t time.Time) *time.Time { return &t }
