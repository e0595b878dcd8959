package payment

import (
	"context"
	"embed"
	"time"

	"github.com/google/uuid"
)

// Messages are the package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// State is how far an attempt is.
type State string

// The states of an attempt. Paid is terminal: what happens to the money
// afterwards is a refund.
const (
	StateNew State = "created" // stored, perhaps unknown to the gateway
	Pending  State = "pending" // can be paid
	Paid     State = "paid"    //
	Closed   State = "closed"  // ended unpaid; money that comes all the same is recorded
	Failed   State = "failed"  // the gateway refused it
)

// Payment is one attempt to pay an order.
type Payment struct {
	Tenant, ID, Order   uuid.UUID
	Channel, OutTradeNo string
	AmountFen           int64
	Payee               string
	State               State
	Code, URL           string // QR text and page to pay by
	TradeNo             string // the gateway's number, or the bank statement's line
	Settles             bool   // this is the attempt that paid the order
	CreatedAt           time.Time
	ExpiresAt           time.Time
	PaidAt, ClosedAt    *time.Time
}

// Live tells whether the attempt can be offered to a payer.
func (p Payment) Live(now time.Time) bool {
	return (p.State == StateNew || p.State == Pending) && now.Before(p.ExpiresAt)
}

// Point is a place where something may happen between a check and the act
// that trusts it.
type Point string

// The points.
const (
	BeginInserted  Point = "begin.inserted"  // the attempt is committed, the gateway knows nothing
	BeginCreated   Point = "begin.created"   // the gateway answered, nothing stored yet
	NotifyStored   Point = "notify.stored"   // raw notification committed, not verified
	NotifyVerified Point = "notify.verified" // believed, nothing looked up yet
	SettleLocked   Point = "settle.locked"   // order and attempt are locked and read
	SettleWritten  Point = "settle.written"  // attempt and order are written, not committed
	NotifyDone     Point = "notify.done"     // committed, not answered
	PollAsked      Point = "poll.asked"      // the gateway's answer is known, nothing locked yet
	DeskAsked      Point = "desk.asked"      // a page has seen the order, nothing of its payments
	DeskRead       Point = "desk.read"       // the order is read again, its attempts not yet
	RefundSent     Point = "refund.sent"     // the gateway answered a refund, nothing stored yet
)

// Hooks lets tests stand at every Point: to let another act come first, or to
// return an error there as if the program had died. Nil in production.
type Hooks struct {
	At func(ctx context.Context, p Point) error
}

func (h *Hooks) at(ctx context.Context, p Point) error {
	if h == nil || h.At == nil {
		return nil
	}
	return h.At(ctx, p)
}

const (
	attemptTTL = 30 * time.Minute // how long a code can be paid
	freshFor   = time.Minute      // an attempt nearer to its end is not offered again
	afterCare  = 30 * time.Minute // polling goes on so long after the end (domain §3.4)
	reopenDays = 30               // a lapsed order younger than this is opened again by its money
	maxNotice  = 64 << 10         // bytes of a notification
)

// pollSeconds is the wait before the n-th query; the last repeats (domain §3.4).
var pollSeconds = []int{5, 15, 30, 60, 120, 300, 600}
