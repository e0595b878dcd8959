package order

import "certsaas/core/authz"

// State is where an order stands. The labels are the database's order_state.
type State string

// The states. Each says what it means, who moves the order on, and how it ends.
const (
	// Draft: the applicant is filling in the form. He submits it; untouched for the product's lapse time it lapses.
	Draft State = "draft"
	// AwaitingPayment: complete, the price is owed. The applicant pays, or hands in a transfer voucher; unpaid it lapses.
	AwaitingPayment State = "awaiting_payment"
	// PaymentCheck (待核款): a transfer voucher was handed in. Finance finds the money, or sends the voucher back with a reason.
	PaymentCheck State = "payment_check"
	// InReview (待审核): a reviewer judges data and documents, or an automatic check does where the product says so.
	InReview State = "in_review"
	// Rejected: some fields or files were refused, each with a reason; only those are open. The applicant corrects and resubmits.
	Rejected State = "rejected"
	// AwaitingKey: the applicant must send his key in (unlock). The producer notes its arrival.
	AwaitingKey State = "awaiting_key"
	// InProduction (待制证): the producer writes certificates into new keys, or works on the key that was sent in.
	InProduction State = "in_production"
	// ReadyToInstall (下载证书): approved; the applicant installs the certificate into the key he holds.
	ReadyToInstall State = "ready_to_install"
	// ToDeliver (待发货): the key is written. The producer ships it, or hands it over the counter.
	ToDeliver State = "to_deliver"
	// Completed: nothing is left to do for either side. Final.
	Completed State = "completed"
	// Cancelled: ended by the applicant before payment. Final.
	Cancelled State = "cancelled"
	// Lapsed: ended by itself, unpaid. A late payment that is still valid opens it again.
	Lapsed State = "lapsed"
	// Refunding: money is on its way back, or a refund waits for a second person. Finance or the gateway moves it on.
	Refunding State = "refunding"
	// Refunded: the money went back. Final.
	Refunded State = "refunded"
)

// States lists all states in the order of the database type.
func States() []State {
	return []State{
		Draft, AwaitingPayment, PaymentCheck, InReview, Rejected, AwaitingKey,
		InProduction, ReadyToInstall, ToDeliver, Completed, Cancelled, Lapsed, Refunding, Refunded,
	}
}

// Final tells whether an order in this state is over. A lapsed order is over unless a late payment arrives.
func (s State) Final() bool {
	switch s {
	case Completed, Cancelled, Lapsed, Refunded:
		return true
	}
	return false
}

// Event is what happens to an order.
type Event string

// The events. Message templates and outbox kinds are named after them ("order.approve").
const (
	Submit        Event = "submit"         // the applicant hands the order in
	SubmitVoucher Event = "submit_voucher" // … a transfer voucher
	RejectVoucher Event = "reject_voucher" // finance sends the voucher back
	Paid          Event = "paid"           // the money is there, or nothing is owed any more
	Approve       Event = "approve"        // the review passed
	Reject        Event = "reject"         // the review refused fields or files
	Resubmit      Event = "resubmit"       // the applicant corrected them
	ReceiveKey    Event = "receive_key"    // the applicant's key arrived
	KeyWritten    Event = "key_written"    // every key of the order is written
	Installed     Event = "installed"      // every certificate is in its key and proved
	Ship          Event = "shipped"        // sent off, or handed over
	Cancel        Event = "cancel"         //
	Lapse         Event = "lapse"          // unpaid or untouched for too long
	RequestRefund Event = "request_refund" //
	Refund        Event = "refunded"       // the money went back
	Keep          Event = "keep"           // the refund was declined
)

// Facts are what guards look at: the product's settings and how far the order is.
type Facts struct {
	Owes       bool   // the applicant has a price to pay and has not paid it
	PayFirst   bool   // payment comes before review
	Reviewed   bool   // the review has passed
	Paid       bool   // money was received
	Fulfilment string // install | produce | unlock | none
	OpenItems  int    // keys not done yet
	Issued     bool   // a certificate was issued
	Before     State  // where an order stood when its refund was asked for
}

// Guard is a named condition on an edge.
type Guard struct {
	Name  string
	Holds func(Facts) bool
}

var (
	always     = Guard{"", func(Facts) bool { return true }}
	payFirst   = Guard{"pays first", func(f Facts) bool { return f.Owes && f.PayFirst }}
	owes       = Guard{"owes", func(f Facts) bool { return f.Owes }}
	unreviewed = Guard{"not reviewed", func(f Facts) bool { return !f.Reviewed }}
	install    = Guard{"own key", func(f Facts) bool { return f.Fulfilment == "install" }}
	produce    = Guard{"new key", func(f Facts) bool { return f.Fulfilment == "produce" }}
	unlock     = Guard{"key sent in", func(f Facts) bool { return f.Fulfilment == "unlock" }}
	nothing    = Guard{"nothing to make", func(f Facts) bool { return f.Fulfilment == "none" }}
	itemsDone  = Guard{"all keys done", func(f Facts) bool { return f.OpenItems == 0 }}
	unpaid     = Guard{"unpaid", func(f Facts) bool { return !f.Paid }}
	refundable = Guard{"paid, not issued", func(f Facts) bool { return f.Paid && !f.Issued }}
)

// Edge is one allowed step. Who is the authz action its actor must be allowed.
type Edge struct {
	From  State
	Event Event
	To    State
	Who   string
	Guard Guard
}

// edges is the whole life of an order. For one state and event the first edge whose guard holds is taken.
var edges = concat(
	[]Edge{
		{Draft, Submit, AwaitingPayment, authz.OrderEdit, payFirst},
		{Draft, Submit, InReview, authz.OrderEdit, always},
		{Draft, Cancel, Cancelled, authz.OrderCancel, always},
		{Draft, Lapse, Lapsed, authz.OrderCancel, always},

		{AwaitingPayment, SubmitVoucher, PaymentCheck, authz.OrderPay, always},
		{AwaitingPayment, Cancel, Cancelled, authz.OrderCancel, always},
		{AwaitingPayment, Lapse, Lapsed, authz.OrderCancel, always},
		{PaymentCheck, RejectVoucher, AwaitingPayment, authz.PaymentConfirm, always},
	},
	payment(AwaitingPayment), payment(PaymentCheck), payment(Lapsed),
	[]Edge{
		{InReview, Approve, AwaitingPayment, authz.OrderReview, owes},
	},
	fulfilment(InReview, Approve, authz.OrderReview),
	[]Edge{
		{InReview, Reject, Rejected, authz.OrderReview, always},
		{InReview, Cancel, Cancelled, authz.OrderCancel, unpaid},
		{Rejected, Resubmit, InReview, authz.OrderEdit, always},
		{Rejected, Cancel, Cancelled, authz.OrderCancel, unpaid},

		{AwaitingKey, ReceiveKey, InProduction, authz.KeyWrite, always},
		{InProduction, KeyWritten, ToDeliver, authz.KeyWrite, itemsDone},
		{ReadyToInstall, Installed, Completed, authz.CertInstall, itemsDone},
		{ToDeliver, Ship, Completed, authz.ShipmentCreate, always},

		{Refunding, Refund, Refunded, authz.PaymentConfirm, always},
	},
	refund(InReview), refund(Rejected), refund(AwaitingKey), refund(InProduction), refund(ReadyToInstall),
)

// refund gives the edges by which a refund is asked for in a state, and declined: then the order stands where it stood.
func refund(from State) []Edge {
	before := Guard{"was " + string(from), func(f Facts) bool { return f.Before == from }}
	return []Edge{
		{from, RequestRefund, Refunding, authz.RefundRequest, refundable},
		{Refunding, Keep, from, authz.RefundApprove, before},
	}
}

// payment gives the edges by which money moves an order on from a state.
func payment(from State) []Edge {
	return append([]Edge{{from, Paid, InReview, authz.PaymentConfirm, unreviewed}}, fulfilment(from, Paid, authz.PaymentConfirm)...)
}

// fulfilment gives the edges into what the product makes.
func fulfilment(from State, ev Event, who string) []Edge {
	return []Edge{
		{from, ev, ReadyToInstall, who, install},
		{from, ev, InProduction, who, produce},
		{from, ev, AwaitingKey, who, unlock},
		{from, ev, Completed, who, nothing},
	}
}

func concat(parts ...[]Edge) []Edge {
	var all []Edge
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// Edges lists every allowed step, for pages, pictures and tests.
func Edges() []Edge { return concat(edges) }

// find gives the edge an event takes, or false when the state does not know it or its guard forbids it.
func find(from State, ev Event, f Facts) (Edge, bool) {
	for _, e := range edges {
		if e.From == from && e.Event == ev && e.Guard.Holds(f) {
			return e, true
		}
	}
	return Edge{}, false
}
