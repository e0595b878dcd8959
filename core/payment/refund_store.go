package payment

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/db"
	"certsaas/core/fault"
)

const refundColumns = `r.tenant_id, r.id, r.order_id, r.payment_id, p.channel, r.out_refund_no, r.amount_fen, r.cause, r.state, r.requested_by,
	r.approved_by, r.created_at, r.done_at, r.tries`

const refundFrom = ` FROM refunds r JOIN payments p ON p.tenant_id = r.tenant_id AND p.id = r.payment_id `

func scanRefund(row pgx.Row) (Refund, error) {
	var r Refund
	var approved *uuid.UUID
	err := row.Scan(&r.Tenant, &r.ID, &r.Order, &r.Payment, &r.Channel, &r.OutRefundNo, &r.AmountFen, &r.Cause, &r.State, &r.RequestedBy,
		&approved, &r.CreatedAt, &r.DoneAt, &r.Tries)
	if errors.Is(err, db.ErrNoRows) {
		return Refund{}, fault.New(fault.NotFound, "payment.refund_not_found")
	}
	if err != nil {
		return Refund{}, fmt.Errorf("payment: refund: %w", err)
	}
	if approved != nil {
		r.ApprovedBy = *approved
	}
	return r, nil
}

func collectRefunds(rows pgx.Rows, err error) ([]Refund, error) {
	if err != nil {
		return nil, fmt.Errorf("payment: refunds: %w", err)
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (Refund, error) { return scanRefund(r) })
}

// insertRefund proposes a refund. There is one row per payment: a declined one is proposed anew.
func insertRefund(ctx context.Context, tx *db.Tx, r Refund) error {
	tag, err := tx.Exec(ctx, `INSERT INTO refunds (tenant_id, id, order_id, payment_id, out_refund_no, amount_fen, cause, state, requested_by, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 'proposed', $8, $9)
		ON CONFLICT ON CONSTRAINT refunds_payment_key DO UPDATE SET state = 'proposed', cause = excluded.cause, requested_by = excluded.requested_by,
			approved_by = NULL WHERE refunds.state = 'declined'`,
		tx.Tenant(), r.ID, r.Order, r.Payment, hex.EncodeToString(r.ID[:]), r.AmountFen, r.Cause, r.RequestedBy, tx.Now())
	if err != nil {
		return fmt.Errorf("payment: insert refund: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return fault.New(fault.Conflict, "payment.refund_decided")
	}
	return nil
}

func refundByID(ctx context.Context, tx *db.Tx, id uuid.UUID, lock string) (Refund, error) {
	return scanRefund(tx.QueryRow(ctx, `SELECT `+refundColumns+refundFrom+`WHERE r.tenant_id = $1 AND r.id = $2`+lock, tx.Tenant(), id))
}

func refundOf(ctx context.Context, tx *db.Tx, paymentID uuid.UUID) (Refund, error) {
	return scanRefund(tx.QueryRow(ctx, `SELECT `+refundColumns+refundFrom+`WHERE r.tenant_id = $1 AND r.payment_id = $2`, tx.Tenant(), paymentID))
}

func refundsOf(ctx context.Context, tx *db.Tx, orderID uuid.UUID) ([]Refund, error) {
	return collectRefunds(tx.Query(ctx, `SELECT `+refundColumns+refundFrom+`WHERE r.tenant_id = $1 AND r.order_id = $2 ORDER BY r.created_at, r.id`,
		tx.Tenant(), orderID))
}

func refundsIn(ctx context.Context, tx *db.Tx, only uuid.UUID, steps []RefundStep, limit int) ([]Refund, error) {
	labels := make([]string, len(steps))
	for i, s := range steps {
		labels[i] = string(s)
	}
	return collectRefunds(tx.Query(ctx, `SELECT `+refundColumns+refundFrom+`WHERE r.state = ANY($1::text[]) AND ($2::uuid IS NULL OR r.tenant_id = $2)
		ORDER BY r.created_at, r.id LIMIT $3`, labels, optional(only), limit))
}

// approveRefund lets a refund go; try says whether a gateway will be asked.
func approveRefund(ctx context.Context, tx *db.Tx, id, by uuid.UUID, try bool) error {
	_, err := tx.Exec(ctx, `UPDATE refunds SET state = 'approved', approved_by = $3,
		next_try_at = CASE WHEN $4 THEN $5::timestamptz + interval '30 seconds' END WHERE tenant_id = $1 AND id = $2`,
		tx.Tenant(), id, by, try, tx.Now())
	if err != nil {
		return fmt.Errorf("payment: approve refund: %w", err)
	}
	return nil
}

// closeRefund ends a refund one way or the other.
func closeRefund(ctx context.Context, tx *db.Tx, id uuid.UUID, step RefundStep, by uuid.UUID) error {
	_, err := tx.Exec(ctx, `UPDATE refunds SET state = $3, approved_by = $4, next_try_at = NULL,
		done_at = CASE WHEN $3 = 'done' THEN $5::timestamptz END WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), id, string(step), optional(by), tx.Now())
	if err != nil {
		return fmt.Errorf("payment: close refund: %w", err)
	}
	return nil
}

// claimRefunds takes approved refunds whose try is due and puts the next off: one minute, doubling to an hour.
func claimRefunds(ctx context.Context, tx *db.Tx, batch int) ([]Refund, error) {
	return collectRefunds(tx.Query(ctx, `UPDATE refunds r SET tries = r.tries + 1,
		next_try_at = $1::timestamptz + least(interval '1 hour', interval '1 minute' * power(2, least(r.tries, 6)))
		FROM (SELECT tenant_id, id FROM refunds WHERE state = 'approved' AND next_try_at <= $1
			ORDER BY next_try_at LIMIT $2 FOR UPDATE SKIP LOCKED) due, payments p
		WHERE r.tenant_id = due.tenant_id AND r.id = due.id AND p.tenant_id = r.tenant_id AND p.id = r.payment_id
		RETURNING `+refundColumns, tx.Now(), batch))
}

// refundNow makes what we know of an attempt's money be asked for at once.
func refundNow(ctx context.Context, tx *db.Tx, p Payment) error {
	if _, err := tx.Exec(ctx, `UPDATE refunds SET next_try_at = $3 WHERE tenant_id = $1 AND payment_id = $2 AND state = 'approved'
		AND next_try_at IS NOT NULL`, tx.Tenant(), p.ID, tx.Now()); err != nil {
		return fmt.Errorf("payment: refund notice: %w", err)
	}
	if _, err := tx.Exec(ctx, `UPDATE payments SET next_poll_at = $3 WHERE tenant_id = $1 AND id = $2 AND state IN ('created', 'pending', 'closed')`,
		tx.Tenant(), p.ID, tx.Now()); err != nil {
		return fmt.Errorf("payment: refund notice: %w", err)
	}
	return nil
}

// approver is the id of whoever approved the order's review last, "" for none or an automatic check.
func approver(ctx context.Context, tx *db.Tx, orderID uuid.UUID) (string, error) {
	var id *uuid.UUID
	err := tx.QueryRow(ctx, `SELECT actor_id FROM order_events WHERE tenant_id = $1 AND order_id = $2 AND event = 'approve'
		ORDER BY at DESC, id DESC LIMIT 1`, tx.Tenant(), orderID).Scan(&id)
	if errors.Is(err, db.ErrNoRows) || (err == nil && id == nil) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("payment: reviewer: %w", err)
	}
	return id.String(), nil
}

func settledOf(ctx context.Context, tx *db.Tx, orderID uuid.UUID) (Payment, error) {
	return scanPayment(tx.QueryRow(ctx, `SELECT `+paymentColumns+` FROM payments p WHERE p.tenant_id = $1 AND p.order_id = $2 AND p.settles FOR UPDATE`,
		tx.Tenant(), orderID))
}

func paymentByID(ctx context.Context, tx *db.Tx, id uuid.UUID) (Payment, error) {
	return scanPayment(tx.QueryRow(ctx, `SELECT `+paymentColumns+` FROM payments p WHERE p.tenant_id = $1 AND p.id = $2`, tx.Tenant(), id))
}
