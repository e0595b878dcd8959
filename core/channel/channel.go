// Package channel carries one message to one person: by SMS or by e-mail.
//
// In: a Message whose text is already rendered. Out: the provider's own id of
// it, or an error with a fault.Kind. It knows no order, tenant or template
// text, so that account (login codes) and notify (an order's messages) share it.
// Errors and logs never name the receiver or the text.
package channel

import (
	"context"

	"certsaas/core/fault"
)

// The channels a message can take.
const (
	SMS   = "sms"
	Email = "email"
)

// Message is one text to one receiver.
type Message struct {
	ID        string            // our id of the message; the provider gets it where it accepts one
	Channel   string            // SMS or Email
	To        string            // 11-digit mobile, or an e-mail address
	Template  string            // our name of the text, e.g. "code" or "order.approve"; a provider's template id is found by it
	Params    map[string]string // the text's placeholders
	Subject   string            // e-mail only
	Signature string            // SMS signature 【…】 without the brackets; "" = the sender's own
	Text      string            // the rendered text
}

// Sender hands a message to a provider. The id is the provider's and may be
// empty. Errors: fault.Unavailable (try again), fault.RateLimited (try later),
// fault.Invalid (never going to work: unknown template, bad address).
type Sender interface {
	Send(ctx context.Context, m Message) (providerID string, err error)
}

// ByChannel sends each message by the sender of its channel.
type ByChannel map[string]Sender

// Send picks the sender; a channel nobody serves is fault.Unavailable, because
// configuration can still mend it.
func (b ByChannel) Send(ctx context.Context, m Message) (string, error) {
	s, ok := b[m.Channel]
	if !ok || s == nil {
		return "", fault.New(fault.Unavailable, "channel.none", "Channel", m.Channel)
	}
	return s.Send(ctx, m)
}
