package payment

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/vault"
)

const paymentColumns = `p.tenant_id, p.id, p.order_id, p.channel, p.out_trade_no, p.amount_fen, p.payee, p.state, p.code, p.pay_url,
	coalesce(p.trade_no, ''), p.settles, p.created_at, p.expires_at, p.paid_at, p.closed_at`

func scanPayment(row pgx.Row) (Payment, error) {
	var p Payment
	err := row.Scan(&p.Tenant, &p.ID, &p.Order, &p.Channel, &p.OutTradeNo, &p.AmountFen, &p.Payee, &p.State, &p.Code, &p.URL,
		&p.TradeNo, &p.Settles, &p.CreatedAt, &p.ExpiresAt, &p.PaidAt, &p.ClosedAt)
	if errors.Is(err, db.ErrNoRows) {
		return Payment{}, fault.New(fault.NotFound, "payment.not_found")
	}
	if err != nil {
		return Payment{}, fmt.Errorf("payment: read: %w", err)
	}
	return p, nil
}

func collectPayments(rows pgx.Rows, err error) ([]Payment, error) {
	if err != nil {
		return nil, fmt.Errorf("payment: list: %w", err)
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (Payment, error) { return scanPayment(r) })
}

// insertPayment stores a new attempt before the gateway hears of it.
func insertPayment(ctx context.Context, tx *db.Tx, p Payment, nextPoll *time.Time) error {
	_, err := tx.Exec(ctx, `INSERT INTO payments (tenant_id, id, order_id, channel, out_trade_no, amount_fen, payee, state, created_at, expires_at, next_poll_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		tx.Tenant(), p.ID, p.Order, p.Channel, p.OutTradeNo, p.AmountFen, p.Payee, p.State, tx.Now(), p.ExpiresAt, nextPoll)
	if err != nil {
		return fmt.Errorf("payment: insert: %w", err)
	}
	return nil
}

// attemptsOf lists an order's attempts, newest first.
func attemptsOf(ctx context.Context, tx *db.Tx, orderID uuid.UUID) ([]Payment, error) {
	return collectPayments(tx.Query(ctx, `SELECT `+paymentColumns+` FROM payments p WHERE p.tenant_id = $1 AND p.order_id = $2
		ORDER BY p.created_at DESC, p.id DESC`, tx.Tenant(), orderID))
}

// byOutTradeNo finds an attempt of this tenant, unlocked: its order is locked first.
func byOutTradeNo(ctx context.Context, tx *db.Tx, channel, no string) (Payment, error) {
	return scanPayment(tx.QueryRow(ctx, `SELECT `+paymentColumns+` FROM payments p WHERE p.tenant_id = $1 AND p.channel = $2 AND p.out_trade_no = $3`,
		tx.Tenant(), channel, no))
}

// lockPayment reads an attempt and keeps it; the order is locked already.
func lockPayment(ctx context.Context, tx *db.Tx, id uuid.UUID) (Payment, error) {
	return scanPayment(tx.QueryRow(ctx, `SELECT `+paymentColumns+` FROM payments p WHERE p.tenant_id = $1 AND p.id = $2 FOR UPDATE`, tx.Tenant(), id))
}

// writeCode keeps what the gateway answered to Create. An attempt that was
// paid or closed meanwhile keeps its state.
func writeCode(ctx context.Context, tx *db.Tx, id uuid.UUID, c Created) (Payment, error) {
	return scanPayment(tx.QueryRow(ctx, `UPDATE payments p SET code = $3, pay_url = $4, expires_at = $5,
		state = CASE WHEN p.state = 'created' THEN 'pending' ELSE p.state END,
		next_poll_at = CASE WHEN p.state = 'paid' THEN NULL ELSE $6::timestamptz END
		WHERE p.tenant_id = $1 AND p.id = $2 RETURNING `+paymentColumns,
		tx.Tenant(), id, c.Code, c.URL, c.ExpiresAt, tx.Now().Add(time.Duration(pollSeconds[0])*time.Second)))
}

// markClosed ends an unpaid attempt; it is polled on, until its time is over for good.
func markClosed(ctx context.Context, tx *db.Tx, id uuid.UUID, state State, forGood bool) error {
	_, err := tx.Exec(ctx, `UPDATE payments SET state = $3, closed_at = coalesce(closed_at, $4),
		next_poll_at = CASE WHEN $5 THEN NULL ELSE next_poll_at END
		WHERE tenant_id = $1 AND id = $2 AND state IN ('created', 'pending', 'closed')`, tx.Tenant(), id, state, tx.Now(), forGood)
	if err != nil {
		return fmt.Errorf("payment: close: %w", err)
	}
	return nil
}

// pollNow brings the next query of an order's unpaid attempts forward.
func pollNow(ctx context.Context, tx *db.Tx, orderID, except uuid.UUID) error {
	_, err := tx.Exec(ctx, `UPDATE payments SET next_poll_at = $4 WHERE tenant_id = $1 AND order_id = $2 AND id <> $3
		AND state IN ('created', 'pending') AND next_poll_at IS NOT NULL`, tx.Tenant(), orderID, except, tx.Now())
	if err != nil {
		return fmt.Errorf("payment: poll now: %w", err)
	}
	return nil
}

// markPaid records money on an attempt. It reports false when the attempt was paid before.
func markPaid(ctx context.Context, tx *db.Tx, id uuid.UUID, tradeNo string, at time.Time, settles bool) error {
	var no *string
	if tradeNo != "" {
		no = &tradeNo
	}
	tag, err := tx.Exec(ctx, `UPDATE payments SET state = 'paid', trade_no = $3, paid_at = $4, settles = $5, closed_at = NULL, next_poll_at = NULL
		WHERE tenant_id = $1 AND id = $2 AND state <> 'paid'`, tx.Tenant(), id, no, at, settles)
	if err != nil {
		return fmt.Errorf("payment: paid: %w", err)
	}
	if tag.RowsAffected() != 1 {
		return fmt.Errorf("payment: attempt %s was paid under our lock", id)
	}
	return nil
}

// claimDue takes attempts whose query is due and puts the next one off, so
// that no other poller asks as well.
func claimDue(ctx context.Context, tx *db.Tx, batch int) ([]Payment, error) {
	return collectPayments(tx.Query(ctx, `UPDATE payments p SET polls = p.polls + 1,
		next_poll_at = $1::timestamptz + make_interval(secs => ($3::int[])[least(p.polls + 2, cardinality($3::int[]))])
		FROM (SELECT tenant_id, id FROM payments WHERE next_poll_at <= $1 AND state IN ('created', 'pending', 'closed')
			ORDER BY next_poll_at LIMIT $2 FOR UPDATE SKIP LOCKED) due
		WHERE p.tenant_id = due.tenant_id AND p.id = due.id RETURNING `+paymentColumns, tx.Now(), batch, pollSeconds))
}

// insertEvent stores a notification as it came.
func insertEvent(ctx context.Context, tx *db.Tx, keys *vault.Keys, id uuid.UUID, channel, eventID, verdict string, body []byte) error {
	// its commit does not wait for the disk: that of the verdict, which the gateway's answer waits for, makes both durable
	_, err := tx.Exec(ctx, `INSERT INTO payment_events (tenant_id, id, channel, event_id, body_sealed, received_at, verdict)
		SELECT $1, $2, $3, $4, $5, $6, $7 FROM set_config('synchronous_commit', 'off', true)`,
		tx.Tenant(), id, channel, eventID, keys.Seal("payment_events.body", id, body), tx.Now(), verdict)
	if err != nil {
		return fmt.Errorf("payment: store notification: %w", err)
	}
	return nil
}

// judgeEvent writes down what became of a notification.
func judgeEvent(ctx context.Context, tx *db.Tx, id uuid.UUID, eventID, verdict string, paymentID uuid.UUID) error {
	var p *uuid.UUID
	if paymentID != uuid.Nil {
		p = &paymentID
	}
	if verdict == string(duplicate) { // changes nothing that must last
		if _, err := tx.Exec(ctx, `SET LOCAL synchronous_commit TO off`); err != nil {
			return fmt.Errorf("payment: judge notification: %w", err)
		}
	}
	_, err := tx.Exec(ctx, `UPDATE payment_events SET verdict = $3, payment_id = $4, event_id = CASE WHEN $5 = '' THEN event_id ELSE $5 END
		WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id, verdict, p, eventID)
	if err != nil {
		return fmt.Errorf("payment: judge notification: %w", err)
	}
	return nil
}
