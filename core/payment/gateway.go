package payment

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// The channels money can come by. A tenant's product names the ones it offers.
const (
	Alipay       = "alipay"
	WeChat       = "wechat"
	BankTransfer = "bank_transfer" // no gateway: a voucher and a person of finance
)

// Gateway is an outside party that takes money: one value per tenant and
// channel. Its methods speak to the network and are never called inside a
// transaction; all of them may be repeated safely. A gateway that cannot be
// reached answers a fault of kind Unavailable.
type Gateway interface {
	// Payee is the merchant number the money must reach.
	Payee() string
	// Create opens the trade of an attempt. Repeated with the same
	// OutTradeNo it is the same trade, perhaps with a fresh code.
	Create(ctx context.Context, a Attempt) (Created, error)
	// Query asks how the trade of an attempt stands.
	Query(ctx context.Context, a Attempt) (Trade, error)
	// Close ends a trade nobody has paid; ErrAlreadyPaid when somebody has.
	// A trade the gateway has never heard of counts as closed.
	Close(ctx context.Context, a Attempt) error
	// Refund gives money of a paid attempt back. Accepted is not done:
	// look at the state.
	Refund(ctx context.Context, a Attempt, r Refunding) (RefundState, error)
	// QueryRefund asks how a refund stands.
	QueryRefund(ctx context.Context, a Attempt, r Refunding) (RefundState, error)
	// ParseNotification verifies a notification over the bytes as they came
	// and reads it. Nothing of an unverified notification is returned; the
	// error is one of the Err… of this package.
	ParseNotification(ctx context.Context, headers http.Header, body []byte) (Notification, error)
	// Reply is the answer this gateway understands: ok stops it from
	// sending the notification again, not ok makes it try later.
	Reply(ok bool) (body string, status int)
}

// Why a notification or an answer of a gateway is not believed, and what Close
// may find.
var (
	ErrBadSignature = errors.New("payment: signature does not verify")
	ErrMalformed    = errors.New("payment: malformed message")
	ErrStale        = errors.New("payment: message is too old or from the future")
	ErrWrongApp     = errors.New("payment: message is for another merchant or application")
	ErrAlreadyPaid  = errors.New("payment: trade is paid already")
)

// Attempt is what a gateway needs to know of one try to pay.
type Attempt struct {
	Tenant, Order, ID uuid.UUID
	OutTradeNo        string    // 6–32 characters [0-9A-Za-z], unique per channel
	AmountFen         int64     // frozen at creation
	Payee             string    // merchant number it was created for
	PayeeName         string    // as the payer shall read it
	Subject           string    // what is bought, short, no personal data
	NotifyURL         string    // where notifications go; no query string
	ExpiresAt         time.Time // the gateway must refuse payment afterwards
}

// Created is an opened trade: how to pay it.
type Created struct {
	Code      string    // text of the QR
	URL       string    // page to open on a phone; may be ""
	ExpiresAt time.Time // as the gateway understood it
}

// TradeState is how a trade stands at the gateway.
type TradeState string

// The states of a trade.
const (
	TradeUnknown  TradeState = "unknown"  // the gateway has no such trade (a code nobody has scanned may be so)
	TradeWaiting  TradeState = "waiting"  // open, not paid
	TradePaid     TradeState = "paid"     //
	TradeClosed   TradeState = "closed"   // ended unpaid
	TradeRefunded TradeState = "refunded" // paid once, given back in whole or part
)

// Trade is a gateway's view of an attempt.
type Trade struct {
	State     TradeState
	TradeNo   string // the gateway's own number
	AmountFen int64  // what the payer was asked for
	PaidAt    time.Time
}

// Refunding is one request to give money back.
type Refunding struct {
	OutRefundNo string // the same on every repetition
	AmountFen   int64
	Reason      string
}

// RefundState is how a refund stands at the gateway.
type RefundState string

// The states of a refund.
const (
	RefundPending RefundState = "pending" // accepted or unknown: ask again
	RefundDone    RefundState = "done"    // the money has left
	RefundFailed  RefundState = "failed"  // the gateway will not do it
)

// NotificationKind says what a notification is about.
type NotificationKind string

// The kinds of notification. Only NotePaid can pay an order.
const (
	NotePaid   NotificationKind = "paid"
	NoteClosed NotificationKind = "closed" // ended unpaid
	NoteRefund NotificationKind = "refund" // money went back; not a payment, whatever its trade status says
	NoteOther  NotificationKind = "other"  // recorded, nothing else
)

// Notification is a verified message of a gateway.
type Notification struct {
	EventID    string // the gateway's id of this message
	Kind       NotificationKind
	OutTradeNo string
	TradeNo    string
	AmountFen  int64
	Currency   string // ISO 4217, "CNY"
	Payee      string // merchant number the money went to
	PaidAt     time.Time
}

// Gateways finds the gateway that serves a tenant's channel; false when that
// channel has none.
type Gateways interface {
	Gateway(tenant uuid.UUID, channel string) (Gateway, bool)
}

// GatewaysFunc makes a function a Gateways.
type GatewaysFunc func(tenant uuid.UUID, channel string) (Gateway, bool)

// Gateway calls f.
func (f GatewaysFunc) Gateway(tenant uuid.UUID, channel string) (Gateway, bool) {
	return f(tenant, channel)
}
