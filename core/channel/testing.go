package channel

import (
	"context"
	"strconv"
	"sync"

	"certsaas/core/fault"
)

// Failing is a Sender whose provider is away. It is for tests.
type Failing struct{}

// Send always fails with fault.Unavailable.
func (Failing) Send(context.Context, Message) (string, error) {
	return "", fault.New(fault.Unavailable, "channel.failed")
}

// Recording is a Sender that keeps what it was given, and fails the next n
// sends when told to. It is for tests; safe for concurrent use.
type Recording struct {
	mu   sync.Mutex
	sent []Message
	fail int
}

// Send keeps m.
func (r *Recording) Send(_ context.Context, m Message) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fail > 0 {
		r.fail--
		return "", fault.New(fault.Unavailable, "channel.failed")
	}
	r.sent = append(r.sent, m)
	return strconv.Itoa(len(r.sent)), nil
}

// FailNext makes the next n sends fail.
func (r *Recording) FailNext(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fail = n
}

// Sent is a copy of everything sent so far.
func (r *Recording) Sent() []Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Message(nil), r.sent...)
}

// Last is the newest message to the receiver, and whether there is one.
func (r *Recording) Last(to string) (Message, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.sent) - 1; i >= 0; i-- {
		if r.sent[i].To == to {
			return r.sent[i], true
		}
	}
	return Message{}, false
}
