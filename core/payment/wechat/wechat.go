// Package wechat speaks to WeChat Pay, version 3: pay by scanning (native),
// query, close, refund, and encrypted notifications.
//
// In: attempts to pay. Out: codes, trade states, verified notifications. Every
// request is signed, every answer and notification is verified over its raw
// bytes with the key its serial number names, before anything in it is read
// (domain §3.2). No SDK, no global state.
package wechat

import (
	"context"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"certsaas/core/clock"
	"certsaas/core/fault"
	"certsaas/core/payment"
)

// Config is one merchant at WeChat Pay.
type Config struct {
	BaseURL    string // https://api.mch.weixin.qq.com
	AppID      string
	MchID      string          // the payee
	SerialNo   string          // of our merchant certificate
	PrivateKey *rsa.PrivateKey // ours
	APIv3Key   []byte          // 32 bytes
	// Keys are WeChat's keys by serial number: platform certificates and
	// "PUB_KEY_ID_…". Both kinds sign during a migration, so hold both.
	Keys  map[string]*rsa.PublicKey
	HTTP  *http.Client // nil: ten seconds' patience
	Clock clock.Clock
}

// Gateway is a payment.Gateway over WeChat Pay.
type Gateway struct{ cfg Config }

var _ payment.Gateway = (*Gateway)(nil)

// New checks the configuration.
func New(cfg Config) (*Gateway, error) {
	switch {
	case cfg.BaseURL == "", cfg.AppID == "", cfg.MchID == "", cfg.SerialNo == "":
		return nil, errors.New("wechat: base URL, application, merchant and serial number must be set")
	case cfg.PrivateKey == nil, len(cfg.Keys) == 0:
		return nil, errors.New("wechat: our private key and WeChat's public keys must be set")
	case len(cfg.APIv3Key) != 32:
		return nil, errors.New("wechat: the APIv3 key must have 32 bytes")
	case cfg.Clock == nil:
		return nil, errors.New("wechat: clock must be set")
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: 10 * time.Second}
	}
	return &Gateway{cfg: cfg}, nil
}

// Payee is the merchant number.
func (g *Gateway) Payee() string { return g.cfg.MchID }

type amount struct {
	Total    int64  `json:"total"`
	Refund   int64  `json:"refund,omitempty"`
	Currency string `json:"currency"`
}

// Create opens a native trade. Repeated with the same number it gives a fresh code.
func (g *Gateway) Create(ctx context.Context, a payment.Attempt) (payment.Created, error) {
	var out struct {
		CodeURL string `json:"code_url"`
	}
	err := g.call(ctx, http.MethodPost, "/v3/pay/transactions/native", map[string]any{
		"appid": g.cfg.AppID, "mchid": g.cfg.MchID, "description": short(a.Subject), "out_trade_no": a.OutTradeNo,
		"time_expire": a.ExpiresAt.In(clock.Shanghai).Format(time.RFC3339), "notify_url": a.NotifyURL,
		"amount": amount{Total: a.AmountFen, Currency: "CNY"},
	}, &out)
	if err != nil {
		return payment.Created{}, err
	}
	if out.CodeURL == "" {
		return payment.Created{}, away(fmt.Errorf("wechat: native: %w: no code", payment.ErrMalformed))
	}
	return payment.Created{Code: out.CodeURL, ExpiresAt: a.ExpiresAt}, nil
}

// short cuts a description at 127 bytes, never inside a character.
func short(s string) string {
	end := 0
	for i, r := range s {
		if i+len(string(r)) > 127 {
			break
		}
		end = i + len(string(r))
	}
	return s[:end]
}

// transaction is WeChat's view of a trade, in answers and notifications.
type transaction struct {
	AppID         string `json:"appid"`
	MchID         string `json:"mchid"`
	OutTradeNo    string `json:"out_trade_no"`
	TransactionID string `json:"transaction_id"`
	TradeState    string `json:"trade_state"`
	SuccessTime   string `json:"success_time"`
	Amount        amount `json:"amount"`
}

func (g *Gateway) path(a payment.Attempt, tail string) string {
	return "/v3/pay/transactions/out-trade-no/" + url.PathEscape(a.OutTradeNo) + tail
}

// Query asks by our own number.
func (g *Gateway) Query(ctx context.Context, a payment.Attempt) (payment.Trade, error) {
	var t transaction
	err := g.call(ctx, http.MethodGet, g.path(a, "?mchid="+url.QueryEscape(g.cfg.MchID)), nil, &t)
	var api *apiError
	if errors.As(err, &api) && api.Status == http.StatusNotFound {
		return payment.Trade{State: payment.TradeUnknown}, nil
	}
	if err != nil {
		return payment.Trade{}, err
	}
	if t.OutTradeNo != a.OutTradeNo || t.MchID != g.cfg.MchID {
		return payment.Trade{}, away(fmt.Errorf("wechat: query: %w: answer is about another trade", payment.ErrMalformed))
	}
	out := payment.Trade{State: payment.TradeWaiting, TradeNo: t.TransactionID, AmountFen: t.Amount.Total, PaidAt: instant(t.SuccessTime)}
	switch t.TradeState {
	case "SUCCESS":
		out.State = payment.TradePaid
	case "REFUND":
		out.State = payment.TradeRefunded
	case "CLOSED", "REVOKED":
		out.State = payment.TradeClosed
	}
	return out, nil
}

// Close ends an unpaid trade; passing the expiry alone does not.
func (g *Gateway) Close(ctx context.Context, a payment.Attempt) error {
	err := g.call(ctx, http.MethodPost, g.path(a, "/close"), map[string]any{"mchid": g.cfg.MchID}, nil)
	var api *apiError
	if errors.As(err, &api) {
		switch {
		case api.Code == "ORDERPAID" || api.Code == "ORDER_PAID":
			return payment.ErrAlreadyPaid
		case api.Status == http.StatusNotFound || api.Code == "ORDER_CLOSED":
			return nil
		}
	}
	return err
}

type refundAnswer struct {
	OutRefundNo string `json:"out_refund_no"`
	Status      string `json:"status"`
}

func (r refundAnswer) state(no string) payment.RefundState {
	switch {
	case r.OutRefundNo != no:
		return payment.RefundPending
	case r.Status == "SUCCESS":
		return payment.RefundDone
	case r.Status == "CLOSED", r.Status == "ABNORMAL":
		return payment.RefundFailed
	default:
		return payment.RefundPending
	}
}

// Refund asks for the money to go back; always with the same number for one refund.
func (g *Gateway) Refund(ctx context.Context, a payment.Attempt, r payment.Refunding) (payment.RefundState, error) {
	var out refundAnswer
	err := g.call(ctx, http.MethodPost, "/v3/refund/domestic/refunds", map[string]any{
		"out_trade_no": a.OutTradeNo, "out_refund_no": r.OutRefundNo, "reason": short(r.Reason),
		"amount": amount{Total: a.AmountFen, Refund: r.AmountFen, Currency: "CNY"},
	}, &out)
	if err != nil {
		return payment.RefundPending, err
	}
	return out.state(r.OutRefundNo), nil
}

// QueryRefund asks how a refund stands.
func (g *Gateway) QueryRefund(ctx context.Context, _ payment.Attempt, r payment.Refunding) (payment.RefundState, error) {
	var out refundAnswer
	err := g.call(ctx, http.MethodGet, "/v3/refund/domestic/refunds/"+url.PathEscape(r.OutRefundNo), nil, &out)
	if err != nil {
		return payment.RefundPending, err
	}
	return out.state(r.OutRefundNo), nil
}

// Reply: WeChat looks at the status alone; 4xx and 5xx make it repeat.
func (g *Gateway) Reply(ok bool) (string, int) {
	if ok {
		return "", http.StatusNoContent
	}
	body, _ := json.Marshal(map[string]string{"code": "FAIL", "message": "not accepted"})
	return string(body), http.StatusBadRequest
}

func instant(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// apiError is an answer outside 2xx.
type apiError struct {
	Status        int
	Code, Message string
}

func (e *apiError) Error() string {
	return fmt.Sprintf("wechat: answer %d %s %s", e.Status, e.Code, e.Message)
}

func away(err error) error { return fault.Wrap(fault.Unavailable, "payment.gateway_away", err) }
