package payment

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/core/vault"
)

// Deps is what a Service stands on.
type Deps struct {
	DB       *db.DB
	Vault    *vault.Vault
	Orders   *order.Service
	Authz    *authz.Authorizer
	Gateways Gateways
	// NotifyURL is where a channel's notifications for a tenant arrive: the
	// tenant's host, path /notify/<channel>, no query string.
	NotifyURL func(t *tenant.Tenant, channel string) string
	Hooks     *Hooks // nil in production
}

// Service is the use cases of paying.
type Service struct {
	db        *db.DB
	vault     *vault.Vault
	orders    *order.Service
	authz     *authz.Authorizer
	gateways  Gateways
	notifyURL func(t *tenant.Tenant, channel string) string
	hooks     *Hooks
}

// New makes a Service.
func New(d Deps) *Service {
	return &Service{db: d.DB, vault: d.Vault, orders: d.Orders, authz: d.Authz,
		gateways: d.Gateways, notifyURL: d.NotifyURL, hooks: d.Hooks}
}

// Desk is what a payment page shows of one order.
type Desk struct {
	Order     order.Order
	Methods   []string     // channels on offer, in the pack's order; empty: nothing to pay
	PayLater  bool         // 稍后支付 is offered (req B53)
	Bank      *tenant.Bank // account to transfer to, when bank_transfer is on offer (req B49)
	Reference string       // what to write on the transfer: the order's number
	Attempt   *Payment     // the newest live attempt, to show its code again
	Voucher   *Voucher     // the newest voucher, its verdict included
	Paid      *Payment     // the attempt that settled the order
	Refunds   []Refund     // money on its way back
}

// Desk reads what the payment page of an order shows. Whoever may see the order may.
func (s *Service) Desk(ctx context.Context, tenantID, orderID uuid.UUID) (Desk, error) {
	var d Desk
	if err := s.hooks.at(ctx, DeskAsked); err != nil {
		return d, err
	}
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, err := s.orders.Load(ctx, tx, orderID)
		if err != nil {
			return err
		}
		if err := s.authz.Check(ctx, authz.OrderView, o.ResourceFor(ctx)); err != nil {
			return err
		}
		d, err = s.desk(ctx, tx, o)
		return err
	})
	return d, err
}

func (s *Service) desk(ctx context.Context, tx *db.Tx, o order.Order) (Desk, error) {
	t, p, err := s.orders.Product(ctx, o)
	if err != nil {
		return Desk{}, err
	}
	d := Desk{Order: o, Reference: o.Number, PayLater: p.Payment.PayLater}
	if !p.Free() && o.TotalFen > 0 {
		d.Methods = p.Payment.Methods
	}
	if slices.Contains(d.Methods, BankTransfer) {
		bank, ok := t.Bank(p.Payment.Bank)
		if !ok {
			return Desk{}, fmt.Errorf("payment: release %d has no bank account %q", o.Release, p.Payment.Bank)
		}
		d.Bank = &bank
	}
	if err := s.hooks.at(ctx, DeskRead); err != nil {
		return Desk{}, err
	}
	attempts, err := attemptsOf(ctx, tx, o.ID)
	if err != nil {
		return Desk{}, err
	}
	for i := range attempts {
		a := &attempts[i]
		if d.Attempt == nil && a.State == Pending && a.Channel != BankTransfer && a.Live(tx.Now()) {
			d.Attempt = a
		}
		if a.Settles {
			d.Paid = a
		}
	}
	if d.Paid != nil && o.PaidAt == nil { // it was paid between the two reads: show both as they are now
		if d.Order, err = s.orders.Load(ctx, tx, o.ID); err != nil {
			return Desk{}, err
		}
	}
	if d.Voucher, err = s.newestVoucher(ctx, tx, o.ID); err != nil {
		return Desk{}, err
	}
	d.Refunds, err = refundsOf(ctx, tx, o.ID)
	return d, err
}

// payable locks an order that its owner may pay now by a channel.
func (s *Service) payable(ctx context.Context, tx *db.Tx, orderID uuid.UUID, channel string) (order.Order, *tenant.Tenant, tenant.Product, error) {
	o, err := s.orders.LoadForUpdate(ctx, tx, orderID)
	if err != nil {
		return order.Order{}, nil, tenant.Product{}, err
	}
	if err := s.authz.Check(ctx, authz.OrderPay, o.ResourceFor(ctx)); err != nil {
		return order.Order{}, nil, tenant.Product{}, err
	}
	t, p, err := s.orders.Product(ctx, o)
	if err != nil {
		return order.Order{}, nil, tenant.Product{}, err
	}
	switch {
	case o.State != order.AwaitingPayment:
		err = fault.New(fault.Conflict, "payment.not_now", "State", string(o.State))
	case p.Free() || o.TotalFen <= 0:
		err = fault.New(fault.Conflict, "payment.nothing_to_pay")
	case !slices.Contains(p.Payment.Methods, channel):
		err = fault.InvalidFields(fault.At("channel", "payment.channel_not_offered"))
	}
	return o, t, p, err
}

// gateway finds the gateway of a tenant's channel.
func (s *Service) gateway(tenantID uuid.UUID, channel string) (Gateway, error) {
	g, ok := s.gateways.Gateway(tenantID, channel)
	if !ok {
		return nil, fault.New(fault.Unavailable, "payment.gateway_away")
	}
	return g, nil
}

// attempt is what gateways need to know of a stored attempt.
func (p Payment) attempt() Attempt {
	return Attempt{Tenant: p.Tenant, Order: p.Order, ID: p.ID, OutTradeNo: p.OutTradeNo, AmountFen: p.AmountFen, Payee: p.Payee, ExpiresAt: p.ExpiresAt}
}
