package payment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"

	"github.com/google/uuid"

	"certsaas/core/db"
	"certsaas/core/fault"
)

// Verdicts on notifications beside the outcomes of settle.
const (
	received       = "received" // stored, not judged: the program stopped in between, the gateway will repeat it
	badSignature   = "bad_signature"
	malformed      = "malformed"
	stale          = "stale"
	tooLarge       = "too_large"
	wrongApp       = "wrong_app"
	wrongPayee     = "wrong_payee"
	wrongAmount    = "wrong_amount"
	wrongCurrency  = "wrong_currency"
	unknownAttempt = "unknown_attempt"
	refundNotice   = "refund_notice"
	closedNotice   = "closed_notice"
	noted          = "noted"
)

// HandleNotification takes a notification that was posted to a tenant's notify
// address and returns the answer to send. It is stored as it came before it is
// believed; only after the commit of what it changed is the gateway told to
// stop repeating it. Duplicates are answered like the first.
func (s *Service) HandleNotification(ctx context.Context, tenantID uuid.UUID, channel string, headers http.Header, body []byte) (reply string, status int) {
	g, ok := s.gateways.Gateway(tenantID, channel)
	if !ok {
		return "", http.StatusNotFound
	}
	ctx = asSystem(ctx, "payment/notify")
	verdict, err := s.take(ctx, g, tenantID, channel, headers, body)
	if err != nil {
		slog.ErrorContext(ctx, "payment: notification", "channel", channel, "tenant", tenantID, "error", err)
		return g.Reply(false)
	}
	return g.Reply(good(verdict))
}

// good tells whether a verdict ends the matter for the gateway.
func good(verdict string) bool {
	switch verdict {
	case string(accepted), string(duplicate), string(late), refundNotice, closedNotice, noted:
		return true
	}
	return false
}

func (s *Service) take(ctx context.Context, g Gateway, tenantID uuid.UUID, channel string, headers http.Header, body []byte) (string, error) {
	id := db.NewID()
	verdict := received
	if len(body) > maxNotice {
		verdict = tooLarge
	}
	if err := s.storeEvent(ctx, tenantID, id, channel, verdict, body); err != nil {
		return "", err
	}
	if verdict == tooLarge {
		s.alarm(ctx, tenantID, "payment.notification", map[string]any{"event": id.String(), "verdict": verdict})
		return verdict, nil
	}
	if err := s.hooks.at(ctx, NotifyStored); err != nil {
		return "", err
	}
	n, err := g.ParseNotification(ctx, headers, body)
	if err != nil {
		return s.refuse(ctx, tenantID, id, verdictOf(err))
	}
	if err := s.hooks.at(ctx, NotifyVerified); err != nil {
		return "", err
	}
	verdict, err = s.believe(ctx, g, tenantID, id, channel, n)
	if err != nil {
		return "", err
	}
	if !good(verdict) {
		s.alarm(ctx, tenantID, "payment.notification", map[string]any{"event": id.String(), "verdict": verdict})
	}
	return verdict, s.hooks.at(ctx, NotifyDone)
}

// storeEvent keeps the notification; of one that is too large, the beginning.
func (s *Service) storeEvent(ctx context.Context, tenantID, id uuid.UUID, channel, verdict string, body []byte) error {
	sum := sha256.Sum256(body)
	return s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		keys, err := s.vault.Keys(ctx, tx, tenantID)
		if err != nil {
			return err
		}
		return insertEvent(ctx, tx, keys, id, channel, hex.EncodeToString(sum[:]), verdict, body[:min(len(body), maxNotice)])
	})
}

func verdictOf(err error) string {
	switch {
	case errors.Is(err, ErrStale):
		return stale
	case errors.Is(err, ErrWrongApp):
		return wrongApp
	case errors.Is(err, ErrMalformed):
		return malformed
	default:
		return badSignature
	}
}

func (s *Service) refuse(ctx context.Context, tenantID, id uuid.UUID, verdict string) (string, error) {
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		return judgeEvent(ctx, tx, id, "", verdict, uuid.Nil)
	})
	s.alarm(ctx, tenantID, "payment.notification", map[string]any{"event": id.String(), "verdict": verdict})
	return verdict, err
}

// believe acts on a verified notification: attempt of this tenant, payee,
// amount, currency, then state, all in one transaction with the verdict.
func (s *Service) believe(ctx context.Context, g Gateway, tenantID, id uuid.UUID, channel string, n Notification) (string, error) {
	var verdict string
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		p, err := byOutTradeNo(ctx, tx, channel, n.OutTradeNo)
		switch {
		case errors.Is(err, fault.NotFound):
			verdict = unknownAttempt
		case err != nil:
			return err
		case n.Payee != p.Payee || n.Payee != g.Payee():
			verdict = wrongPayee
		case n.Currency != "CNY":
			verdict = wrongCurrency
		case n.AmountFen != p.AmountFen:
			verdict = wrongAmount
		default:
			if verdict, err = s.act(ctx, tx, p, n); err != nil {
				return err
			}
		}
		return judgeEvent(ctx, tx, id, n.EventID, verdict, p.ID)
	})
	return verdict, err
}

// act applies a believed notification to its attempt.
func (s *Service) act(ctx context.Context, tx *db.Tx, p Payment, n Notification) (string, error) {
	o, p, err := s.lockBoth(ctx, tx, p.Order, p.ID)
	if err != nil {
		return "", err
	}
	switch n.Kind {
	case NotePaid:
		out, err := s.settle(ctx, tx, &o, p, receipt{TradeNo: n.TradeNo, PaidAt: n.PaidAt})
		return string(out), err
	case NoteRefund:
		// Not a payment, even if its status says success; what really
		// happened is asked for.
		return refundNotice, refundNow(ctx, tx, p)
	case NoteClosed:
		if p.State == Paid { // out of order: paid is terminal
			return noted, nil
		}
		return closedNotice, markClosed(ctx, tx, p.ID, Closed, false)
	default:
		return noted, nil
	}
}
