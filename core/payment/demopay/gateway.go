package demopay

import (
	"context"
	"crypto/rsa"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"

	"certsaas/core/fault"
	"certsaas/core/payment"
)

// gateway is the platform's side of one merchant and channel: it knows the
// company's public key, never its private one.
type gateway struct {
	p                 *Provider
	channel, merchant string
	name              string
	key               *rsa.PublicKey
}

// Gateway opens a merchant's account for a channel. name is what payers read
// as the payee.
func (p *Provider) Gateway(channel, merchant, name string) payment.Gateway {
	return &gateway{p: p, channel: channel, merchant: merchant, name: name, key: &p.key.PublicKey}
}

// Gateways gives every tenant a merchant of its own for alipay and wechat; the
// payee's name comes with each attempt.
func (p *Provider) Gateways() payment.Gateways {
	return payment.GatewaysFunc(func(tenant uuid.UUID, channel string) (payment.Gateway, bool) {
		if channel != payment.Alipay && channel != payment.WeChat {
			return nil, false
		}
		return p.Gateway(channel, Merchant(tenant), ""), true
	})
}

// Merchant is the merchant number of a tenant's account.
func Merchant(tenant uuid.UUID) string { return "DEMO-" + tenant.String() }

var errFailing = errors.New("demopay: ordered to fail")

// reach locks the books, unless the company is ordered to be away.
func (g *gateway) reach() error {
	g.p.mu.Lock()
	if g.p.test.fail > 0 {
		g.p.test.fail--
		g.p.mu.Unlock()
		return fault.Wrap(fault.Unavailable, "payment.gateway_away", errFailing)
	}
	return nil
}

func (g *gateway) find(no string) (*trade, bool) {
	t, ok := g.p.byNo[number(g.merchant, g.channel, no)]
	return t, ok
}

func (g *gateway) Payee() string { return g.merchant }

func (g *gateway) Create(_ context.Context, a payment.Attempt) (payment.Created, error) {
	if err := g.reach(); err != nil {
		return payment.Created{}, err
	}
	defer g.p.mu.Unlock()
	t, ok := g.find(a.OutTradeNo)
	if !ok {
		name := a.PayeeName
		if name == "" {
			name = g.name
		}
		t = &trade{Code: newID(), Channel: g.channel, Merchant: g.merchant, MerchantName: name, OutTradeNo: a.OutTradeNo,
			TradeNo: "D" + newID(), AmountFen: a.AmountFen, Subject: a.Subject, NotifyURL: a.NotifyURL, State: waiting, ExpiresAt: a.ExpiresAt}
		if err := g.p.save(t); err != nil {
			return payment.Created{}, err
		}
	}
	if t.AmountFen != a.AmountFen {
		return payment.Created{}, fault.New(fault.Conflict, "payment.amount_changed")
	}
	link := g.p.opts.BaseURL + prefix + "t/" + t.Code
	return payment.Created{Code: link, URL: link, ExpiresAt: t.ExpiresAt}, nil
}

func (g *gateway) Query(_ context.Context, a payment.Attempt) (payment.Trade, error) {
	if err := g.reach(); err != nil {
		return payment.Trade{}, err
	}
	defer g.p.mu.Unlock()
	t, ok := g.find(a.OutTradeNo)
	if !ok {
		return payment.Trade{State: payment.TradeUnknown}, nil
	}
	out := payment.Trade{State: payment.TradeWaiting, TradeNo: t.TradeNo, AmountFen: t.AmountFen, PaidAt: t.PaidAt}
	switch {
	case t.State == paid && len(t.Refunds) > 0:
		out.State = payment.TradeRefunded
	case t.State == paid:
		out.State = payment.TradePaid
	case t.State == closed || t.expired(g.p.now()):
		out.State = payment.TradeClosed
	}
	return out, nil
}

func (g *gateway) Close(_ context.Context, a payment.Attempt) error {
	if err := g.reach(); err != nil {
		return err
	}
	defer g.p.mu.Unlock()
	t, ok := g.find(a.OutTradeNo)
	switch {
	case !ok || t.State == closed:
		return nil
	case t.State == paid:
		return payment.ErrAlreadyPaid
	}
	t.State = closed
	return g.p.save(t)
}

func (g *gateway) Refund(_ context.Context, a payment.Attempt, r payment.Refunding) (payment.RefundState, error) {
	if err := g.reach(); err != nil {
		return payment.RefundPending, err
	}
	defer g.p.mu.Unlock()
	t, ok := g.find(a.OutTradeNo)
	if !ok || t.State != paid {
		return payment.RefundFailed, nil
	}
	var given int64
	for _, old := range t.Refunds {
		if old.OutRefundNo == r.OutRefundNo {
			return payment.RefundDone, nil
		}
		given += old.AmountFen
	}
	if r.AmountFen <= 0 || given+r.AmountFen > t.AmountFen {
		return payment.RefundFailed, nil
	}
	t.Refunds = append(t.Refunds, refund{OutRefundNo: r.OutRefundNo, AmountFen: r.AmountFen, At: g.p.now()})
	g.p.announce(t, "REFUND", r.AmountFen)
	return payment.RefundDone, g.p.save(t)
}

func (g *gateway) QueryRefund(_ context.Context, a payment.Attempt, r payment.Refunding) (payment.RefundState, error) {
	if err := g.reach(); err != nil {
		return payment.RefundPending, err
	}
	defer g.p.mu.Unlock()
	if t, ok := g.find(a.OutTradeNo); ok {
		for _, x := range t.Refunds {
			if x.OutRefundNo == r.OutRefundNo {
				return payment.RefundDone, nil
			}
		}
	}
	return payment.RefundPending, nil
}

func (g *gateway) Reply(ok bool) (string, int) {
	if ok {
		return "success", http.StatusOK
	}
	return "fail", http.StatusBadRequest
}

// Errors of a payer's tap.
var (
	errNoTrade  = errors.New("demopay: no such trade")
	errNotOpen  = errors.New("demopay: trade is closed or expired")
	errPaidOnce = errors.New("demopay: trade is paid already")
)

// Pay is the payer's tap on 确认付款 at the page of a code. Paying twice is
// one payment.
func (p *Provider) Pay(code string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.trades[code]
	switch {
	case !ok:
		return errNoTrade
	case t.State == paid:
		return nil
	case t.State == closed || t.expired(p.now()):
		return errNotOpen
	}
	t.State, t.PaidAt = paid, p.now()
	p.announce(t, "PAID", 0)
	return p.save(t)
}

// Cancel is the payer's tap on 取消: the trade is closed unpaid.
func (p *Provider) Cancel(code string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.trades[code]
	switch {
	case !ok:
		return errNoTrade
	case t.State == paid:
		return errPaidOnce
	}
	t.State = closed
	return p.save(t)
}

// Code finds the code of a trade by the platform's number, for tests.
func (p *Provider) Code(merchant, channel, outTradeNo string) (string, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.byNo[number(merchant, channel, outTradeNo)]
	if !ok {
		return "", false
	}
	return t.Code, true
}

// Statement sums a merchant's books in fen: what was paid in, what went back.
func (p *Provider) Statement(merchant string) (in, out int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.trades {
		if t.Merchant != merchant || t.State != paid {
			continue
		}
		in += t.AmountFen
		for _, r := range t.Refunds {
			out += r.AmountFen
		}
	}
	return in, out
}

// announce queues a notification; the caller holds mu and saves the trade.
func (p *Provider) announce(t *trade, status string, refundFen int64) {
	t.Notices = append(t.Notices, notice{ID: newID(), Status: status, RefundFen: refundFen, NextAt: p.now().Add(p.test.delay), Done: p.test.drop})
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// at reads an instant of a notification.
func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
