// Package alipay speaks to Alipay's open gateway: pay by scanning (precreate),
// query, close, refund, and the notifications of paid trades.
//
// In: attempts to pay. Out: codes, trade states, verified notifications. Every
// request is signed and every answer verified with RSA2 (SHA256withRSA), over
// the bytes as they travelled (domain §3.1). No SDK, no global state.
package alipay

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"certsaas/core/clock"
	"certsaas/core/fault"
	"certsaas/core/payment"
)

// Config is one application at Alipay.
type Config struct {
	GatewayURL string // https://openapi.alipay.com/gateway.do
	AppID      string
	SellerID   string          // PID, 2088…: the payee
	PrivateKey *rsa.PrivateKey // ours
	AlipayKey  *rsa.PublicKey  // Alipay's, not the application's own
	HTTP       *http.Client    // nil: ten seconds' patience
	Clock      clock.Clock
}

// Gateway is a payment.Gateway over Alipay.
type Gateway struct{ cfg Config }

var _ payment.Gateway = (*Gateway)(nil)

// New checks the configuration.
func New(cfg Config) (*Gateway, error) {
	switch {
	case cfg.GatewayURL == "", cfg.AppID == "", cfg.SellerID == "":
		return nil, errors.New("alipay: gateway URL, application and seller must be set")
	case cfg.PrivateKey == nil, cfg.AlipayKey == nil:
		return nil, errors.New("alipay: our private key and Alipay's public key must be set")
	case cfg.Clock == nil:
		return nil, errors.New("alipay: clock must be set")
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: 10 * time.Second}
	}
	return &Gateway{cfg: cfg}, nil
}

// Payee is the seller's PID.
func (g *Gateway) Payee() string { return g.cfg.SellerID }

// timeLayout is how Alipay writes an instant, in China's time.
const timeLayout = "2006-01-02 15:04:05"

// Create opens a trade to be paid by scanning; the code lives until the
// attempt's expiry, which must be said because an unscanned code has no trade
// that could be closed.
func (g *Gateway) Create(ctx context.Context, a payment.Attempt) (payment.Created, error) {
	biz := map[string]any{
		"out_trade_no":            a.OutTradeNo,
		"total_amount":            Yuan(a.AmountFen),
		"subject":                 a.Subject,
		"seller_id":               g.cfg.SellerID,
		"qr_code_timeout_express": minutes(a.ExpiresAt.Sub(g.cfg.Clock.Now())),
		"timeout_express":         minutes(a.ExpiresAt.Sub(g.cfg.Clock.Now())),
	}
	var out struct {
		QR         string `json:"qr_code"`
		OutTradeNo string `json:"out_trade_no"`
	}
	if err := g.call(ctx, "alipay.trade.precreate", a.NotifyURL, biz, &out); err != nil {
		return payment.Created{}, err
	}
	if out.OutTradeNo != a.OutTradeNo || out.QR == "" {
		return payment.Created{}, away(fmt.Errorf("alipay: precreate: %w: answer is about another trade", payment.ErrMalformed))
	}
	return payment.Created{Code: out.QR, ExpiresAt: a.ExpiresAt}, nil
}

func minutes(d time.Duration) string { return fmt.Sprintf("%dm", max(1, int(d/time.Minute))) }

// tradeAnswer is what query, and partly refund, say of a trade.
type tradeAnswer struct {
	OutTradeNo  string `json:"out_trade_no"`
	TradeNo     string `json:"trade_no"`
	TradeStatus string `json:"trade_status"`
	TotalAmount string `json:"total_amount"`
	SendPayDate string `json:"send_pay_date"`
}

// Query asks alipay.trade.query.
func (g *Gateway) Query(ctx context.Context, a payment.Attempt) (payment.Trade, error) {
	var out tradeAnswer
	err := g.call(ctx, "alipay.trade.query", "", map[string]any{"out_trade_no": a.OutTradeNo}, &out)
	if notExist(err) {
		return payment.Trade{State: payment.TradeUnknown}, nil
	}
	if err != nil {
		return payment.Trade{}, err
	}
	if out.OutTradeNo != a.OutTradeNo {
		return payment.Trade{}, away(fmt.Errorf("alipay: query: %w: answer is about another trade", payment.ErrMalformed))
	}
	fen, err := Fen(out.TotalAmount)
	if err != nil {
		return payment.Trade{}, away(fmt.Errorf("alipay: query: %w", err))
	}
	t := payment.Trade{TradeNo: out.TradeNo, AmountFen: fen, PaidAt: g.instant(out.SendPayDate)}
	switch out.TradeStatus {
	case "TRADE_SUCCESS", "TRADE_FINISHED":
		t.State = payment.TradePaid
	case "TRADE_CLOSED":
		t.State = payment.TradeClosed
		if out.SendPayDate != "" { // paid once, wholly refunded since
			t.State = payment.TradeRefunded
		}
	default:
		t.State = payment.TradeWaiting
	}
	return t, nil
}

// Close ends an unpaid trade. Alipay answers TRADE_NOT_EXIST for a code nobody
// scanned, which stays payable until its own expiry: the caller keeps asking.
func (g *Gateway) Close(ctx context.Context, a payment.Attempt) error {
	err := g.call(ctx, "alipay.trade.close", "", map[string]any{"out_trade_no": a.OutTradeNo}, nil)
	var biz *bizError
	switch {
	case err == nil, notExist(err):
		return nil
	case errors.As(err, &biz) && (biz.SubCode == "ACQ.TRADE_STATUS_ERROR" || biz.SubCode == "ACQ.REASON_TRADE_STATUS_INVALID"):
		return payment.ErrAlreadyPaid
	default:
		return err
	}
}

// Refund calls alipay.trade.refund. Code 10000 alone is no success: only
// fund_change=Y says that money moved (domain §3.1).
func (g *Gateway) Refund(ctx context.Context, a payment.Attempt, r payment.Refunding) (payment.RefundState, error) {
	var out struct {
		FundChange string `json:"fund_change"`
	}
	err := g.call(ctx, "alipay.trade.refund", "", map[string]any{
		"out_trade_no": a.OutTradeNo, "refund_amount": Yuan(r.AmountFen),
		"out_request_no": r.OutRefundNo, "refund_reason": r.Reason,
	}, &out)
	var biz *bizError
	if errors.As(err, &biz) && biz.Code == "40004" && biz.SubCode != "ACQ.SYSTEM_ERROR" {
		return payment.RefundFailed, nil
	}
	if err != nil {
		return payment.RefundPending, err
	}
	if out.FundChange == "Y" {
		return payment.RefundDone, nil
	}
	return g.QueryRefund(ctx, a, r)
}

// QueryRefund calls alipay.trade.fastpay.refund.query.
func (g *Gateway) QueryRefund(ctx context.Context, a payment.Attempt, r payment.Refunding) (payment.RefundState, error) {
	var out struct {
		Status    string `json:"refund_status"`
		RequestNo string `json:"out_request_no"`
		Amount    string `json:"refund_amount"`
	}
	err := g.call(ctx, "alipay.trade.fastpay.refund.query", "", map[string]any{
		"out_trade_no": a.OutTradeNo, "out_request_no": r.OutRefundNo,
	}, &out)
	if notExist(err) {
		return payment.RefundPending, nil
	}
	if err != nil {
		return payment.RefundPending, err
	}
	if out.Status == "REFUND_SUCCESS" && out.RequestNo == r.OutRefundNo {
		return payment.RefundDone, nil
	}
	return payment.RefundPending, nil
}

// Reply is the seven letters Alipay waits for; anything else makes it repeat.
func (g *Gateway) Reply(ok bool) (string, int) {
	if ok {
		return "success", http.StatusOK
	}
	return "fail", http.StatusOK
}

func (g *Gateway) instant(s string) time.Time {
	t, err := time.ParseInLocation(timeLayout, s, clock.Shanghai)
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// bizError is an answer whose code is not 10000.
type bizError struct{ Method, Code, SubCode, SubMsg string }

func (e *bizError) Error() string {
	return fmt.Sprintf("alipay: %s: %s %s %s", e.Method, e.Code, e.SubCode, e.SubMsg)
}

func notExist(err error) bool {
	var biz *bizError
	return errors.As(err, &biz) && strings.HasSuffix(biz.SubCode, "TRADE_NOT_EXIST")
}

func away(err error) error { return fault.Wrap(fault.Unavailable, "payment.gateway_away", err) }
