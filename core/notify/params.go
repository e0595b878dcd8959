package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/delivery"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/tenant"
)

// longestReason keeps a message within two or three SMS; the page shows the whole reason.
const longestReason = 80 // characters

// params are the values of an order event's placeholders (tenant.Events).
func (s *Service) params(ctx context.Context, tx *db.Tx, t *tenant.Tenant, p tenant.Product, o order.Order, event, locale string) (map[string]string, error) {
	v := map[string]string{
		"no": o.Number, "product": p.Name.In(locale), "org": t.Names().Short.In(locale), "site": s.Site(t), "amount": yuan(o.TotalFen),
	}
	var err error
	switch order.Event(event) {
	case order.Reject:
		v["reason"], err = s.reviewReason(ctx, tx, p, o, locale)
	case order.RejectVoucher:
		v["reason"], err = s.voucherReason(ctx, tx, o)
	case order.Ship:
		err = s.waybill(ctx, tx, o, locale, v)
	case order.Installed:
		v["date"], err = lastDay(ctx, tx, o)
	case order.Refund:
		v["amount"], err = refunded(ctx, tx, o)
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

// reviewReason names each refused field with its reason, as far as a message has room.
func (s *Service) reviewReason(ctx context.Context, tx *db.Tx, p tenant.Product, o order.Order, locale string) (string, error) {
	remarks, err := s.Reviews.Remarks(ctx, tx, o.ID)
	if err != nil {
		return "", err
	}
	var parts []string
	for _, r := range remarks {
		label := r.Target
		if f, ok := p.Form.Field(r.Target); ok {
			label = f.Label.In(locale)
		}
		parts = append(parts, s.Texts.T(locale, "notify.remark", "Field", label, "Reason", r.Reason))
	}
	return cut(strings.Join(parts, s.Texts.T(locale, "notify.between")), longestReason), nil
}

func cut(text string, max int) string {
	r := []rune(text)
	if len(r) <= max {
		return text
	}
	return string(r[:max-1]) + "…"
}

func (s *Service) voucherReason(ctx context.Context, tx *db.Tx, o order.Order) (string, error) {
	var id uuid.UUID
	var reason string
	err := tx.QueryRow(ctx, `SELECT id, reason FROM vouchers WHERE tenant_id = $1 AND order_id = $2 AND state = 'rejected'
		ORDER BY decided_at DESC LIMIT 1`, tx.Tenant(), o.ID).Scan(&id, &reason)
	if errors.Is(err, db.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("notify: voucher: %w", err)
	}
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err == nil {
		reason, err = keys.OpenText(payment.ReasonColumn, id, reason)
	}
	if err != nil {
		return "", fmt.Errorf("notify: voucher: %w", err)
	}
	return cut(reason, longestReason), nil
}

// waybill tells how the key travels; a message is sent about the newest one out. (req K41 K47)
func (s *Service) waybill(ctx context.Context, tx *db.Tx, o order.Order, locale string, v map[string]string) error {
	list, err := s.Shipments.List(ctx, tx, o.ID)
	if err != nil {
		return err
	}
	for _, sh := range list {
		if sh.Direction != delivery.Out || sh.Purpose != delivery.Key {
			continue
		}
		v["waybill"] = sh.Waybill
		v["carrier"] = sh.Carrier
		if id := "notify.carrier_" + sh.Carrier; s.Texts.Has(id) {
			v["carrier"] = s.Texts.T(locale, id)
		}
	}
	return nil
}

// lastDay is the civil day on which the order's certificates end.
func lastDay(ctx context.Context, tx *db.Tx, o order.Order) (string, error) {
	var end *time.Time
	err := tx.QueryRow(ctx, `SELECT max(not_after) FROM certificates WHERE tenant_id = $1 AND order_id = $2 AND state IN ('issued', 'active')`,
		tx.Tenant(), o.ID).Scan(&end)
	if err != nil {
		return "", fmt.Errorf("notify: certificate: %w", err)
	}
	if end == nil {
		return "", fmt.Errorf("notify: order %s is installed and has no certificate", o.ID)
	}
	return clock.CivilDate(*end, clock.Shanghai).String(), nil
}

func refunded(ctx context.Context, tx *db.Tx, o order.Order) (string, error) {
	var fen int64
	err := tx.QueryRow(ctx, `SELECT coalesce(sum(amount_fen), 0)::bigint FROM refunds WHERE tenant_id = $1 AND order_id = $2 AND state = 'done'`,
		tx.Tenant(), o.ID).Scan(&fen)
	if err != nil {
		return "", fmt.Errorf("notify: refund: %w", err)
	}
	return yuan(fen), nil
}

// yuan is an amount without its sign: 350.00; the tenant's text says 元.
func yuan(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }
