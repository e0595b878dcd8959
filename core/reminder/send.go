package reminder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/notify"
	"certsaas/core/tenant"
)

// senders is how many messages are on their way at once.
const senders = 4

const (
	firstPause   = 30 * time.Second // between tries at one contact
	longestPause = 2 * time.Hour
)

// SendReport is what a run of Send did.
type SendReport struct {
	Claimed, Sent int
	Retried       int // the provider was away
	NextContact   int // the contact cannot be reached: the next is tried
	Others        int // the holder was not reached, those who know him were told
	Dropped       int // nothing was left to say
	Dead          int // nobody could be reached: a task for people
}

// outcome is how one message ended.
type outcome int

const (
	sent outcome = iota
	retried
	nextContact
	others
	dropped
	dead
)

func (r *SendReport) count(o outcome) {
	switch o {
	case sent:
		r.Sent++
	case retried:
		r.Retried++
	case nextContact:
		r.NextContact++
	case others:
		r.Others++
	case dropped:
		r.Dropped++
	case dead:
		r.Dead++
	}
}

// Send hands due messages to their channels. What is said is looked at once more at the last moment: a certificate that was
// renewed, ordered, revoked or muted meanwhile is left out, and a message about nothing is not sent.
func (s *Service) Send(ctx context.Context, limit int) (SendReport, error) {
	ctx = authz.WithPrincipal(ctx, authz.System(component))
	list, err := s.claim(ctx, limit)
	report := SendReport{Claimed: len(list)}
	if err != nil {
		return report, err
	}
	work := make(chan notice)
	var mu sync.Mutex
	var errs []error
	var wg sync.WaitGroup
	for range min(senders, len(list)) {
		wg.Go(func() {
			for n := range work {
				o, err := s.deliver(ctx, n)
				mu.Lock()
				if err != nil {
					errs = append(errs, err)
				} else {
					report.count(o)
				}
				mu.Unlock()
			}
		})
	}
	for _, n := range list {
		if ctx.Err() != nil {
			break // the rest comes back when its lease ends
		}
		work <- n
	}
	close(work)
	wg.Wait()
	return report, errors.Join(append(errs, ctx.Err())...)
}

// said is one certificate of a message.
type said struct {
	certificate uuid.UUID
	offset      int
	notAfter    time.Time
	product     string
	order       uuid.UUID // that made it, Nil when it was imported
	account     uuid.UUID
}

// deliver sends one message and settles it.
func (s *Service) deliver(ctx context.Context, n notice) (outcome, error) {
	t, err := s.Tenants.ByID(ctx, n.tenant)
	if errors.Is(err, fault.NotFound) {
		return dropped, s.drop(ctx, n, "suspended")
	}
	if err != nil {
		return 0, err
	}
	var due []notify.Pending
	var end outcome
	var list []said
	var rungs []rung
	err = s.DB.WithTenant(ctx, n.tenant, func(ctx context.Context, tx *db.Tx) error {
		due, end = nil, sent
		var err error
		if list, err = s.still(ctx, tx, t, n); err != nil {
			return err
		}
		if len(list) == 0 {
			end = dropped
			return settle(ctx, tx, n, "dropped", "")
		}
		if rungs, err = s.ladder(ctx, tx, t, list, n.channel); err != nil {
			return err
		}
		if n.rung >= len(rungs) {
			end = dead
			return s.giveUp(ctx, tx, n, list, kindOf(rungs), kindOf(rungs))
		}
		if rungs[n.rung].who != holder {
			end = others
		}
		due, err = s.compose(ctx, tx, t, n, rungs[n.rung])
		return err
	})
	if err != nil || end != sent && end != others {
		if err != nil && (errors.Is(err, fault.Invalid) || errors.Is(err, fault.NotFound)) {
			return s.failed(ctx, n, err) // a text that lost a placeholder, a contact that is none
		}
		return end, err
	}
	if err := s.Notify.Deliver(ctx, n.tenant, due); err != nil {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return s.failed(ctx, n, err)
	}
	return end, s.DB.WithTenant(context.WithoutCancel(ctx), n.tenant, func(ctx context.Context, tx *db.Tx) error {
		if end == others { // the holder himself is still work for people
			return s.giveUp(ctx, tx, n, list, kindOf(rungs), toldOthers)
		}
		return settle(ctx, tx, n, "sent", "")
	})
}

// still lists what a message still has to say, the most urgent first, and cancels the rest of it.
func (s *Service) still(ctx context.Context, tx *db.Tx, t *tenant.Tenant, n notice) ([]said, error) {
	rows, err := tx.Query(ctx, `SELECT r.certificate_id, r.offset_days, c.not_after, c.product, c.order_id, c.account_id,
		CASE WHEN c.state <> 'active' THEN 'revoked' WHEN `+sqlOrdered+` THEN 'ordered' WHEN `+sqlMuted+` THEN 'muted'
			WHEN r.superseded_on <= $3::date THEN 'overtaken' ELSE '' END
		FROM reminders r JOIN certificates c ON c.tenant_id = r.tenant_id AND c.id = r.certificate_id
		WHERE r.tenant_id = $2 AND r.notice_id = $4 AND r.state = 'pending' ORDER BY r.offset_days, c.not_after, r.certificate_id FOR UPDATE OF r`,
		tx.Now(), n.tenant, clock.CivilDate(tx.Now(), t.Zone()).String(), n.id)
	if err != nil {
		return nil, fmt.Errorf("reminder: message: %w", err)
	}
	gone := map[string][]uuid.UUID{}
	var list []said
	var x said
	var ord, acc *uuid.UUID
	var why string
	_, err = pgx.ForEachRow(rows, []any{&x.certificate, &x.offset, &x.notAfter, &x.product, &ord, &acc, &why}, func() error {
		x.order, x.account = value(ord), value(acc)
		if _, sold := t.Product(x.product); why == "" && !sold {
			why = "product_gone"
		}
		if why != "" {
			gone[why] = append(gone[why], x.certificate)
			return nil
		}
		for _, have := range list {
			if have.certificate == x.certificate {
				return nil // two offsets of one certificate: the more urgent one speaks
			}
		}
		list = append(list, x)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reminder: message: %w", err)
	}
	if t.Roster().Enabled {
		if list, err = s.listed(ctx, tx, t, list, gone); err != nil {
			return nil, err
		}
	}
	for why, ids := range gone {
		state := "cancelled"
		if why == "overtaken" {
			state = "skipped"
		}
		if _, err := tx.Exec(ctx, `UPDATE reminders SET state = $5, reason = $4, settled_at = $6
			WHERE tenant_id = $1 AND notice_id = $2 AND certificate_id = ANY ($3) AND state = 'pending'
			AND ($5 <> 'skipped' OR superseded_on <= $7::date)`, n.tenant, n.id, ids, why, state, tx.Now(),
			clock.CivilDate(tx.Now(), t.Zone()).String()); err != nil {
			return nil, fmt.Errorf("reminder: message: %w", err)
		}
	}
	return list, nil
}

// listed leaves out holders who are no longer on the tenant's list of dealers.
func (s *Service) listed(ctx context.Context, tx *db.Tx, t *tenant.Tenant, list []said, gone map[string][]uuid.UUID) ([]said, error) {
	var out []said
	for _, x := range list {
		o, _, err := s.holder(ctx, tx, x)
		if err != nil {
			return nil, err
		}
		if x.order != uuid.Nil && !t.Listed(o.Answers[t.Roster().By]) {
			gone["unlisted"] = append(gone["unlisted"], x.certificate)
			continue
		}
		out = append(out, x)
	}
	return out, nil
}

func value(id *uuid.UUID) uuid.UUID {
	if id == nil {
		return uuid.Nil
	}
	return *id
}

// settle ends a message and what it said.
func settle(ctx context.Context, tx *db.Tx, n notice, state, reason string) error {
	tag, err := tx.Exec(ctx, `UPDATE reminder_notices SET state = $3, error = $4, leased_until = NULL, settled_at = $5
		WHERE tenant_id = $1 AND id = $2 AND state = 'pending'`, n.tenant, n.id, state, reason, tx.Now())
	if err != nil {
		return fmt.Errorf("reminder: settle: %w", err)
	}
	if tag.RowsAffected() == 0 {
		return nil
	}
	to, ok := map[string]string{"sent": "sent", "failed": "undeliverable", "dropped": "cancelled"}[state]
	if !ok {
		return fmt.Errorf("reminder: settle: no state %q", state)
	}
	_, err = tx.Exec(ctx, `UPDATE reminders SET state = $3, reason = $4, settled_at = $5 WHERE tenant_id = $1 AND notice_id = $2 AND state = 'pending'`,
		n.tenant, n.id, to, reason, tx.Now())
	if err != nil {
		return fmt.Errorf("reminder: settle: %w", err)
	}
	return nil
}

func (s *Service) drop(ctx context.Context, n notice, why string) error {
	return s.DB.WithTenant(ctx, n.tenant, func(ctx context.Context, tx *db.Tx) error { return settle(ctx, tx, n, "dropped", why) })
}

// failed notes that a try came to nothing: another one later, or the next contact when this one cannot be reached.
func (s *Service) failed(ctx context.Context, n notice, cause error) (outcome, error) {
	end := retried
	if errors.Is(cause, fault.Invalid) || errors.Is(cause, fault.NotFound) || n.attempts >= s.Limits.Attempts {
		end = nextContact
	}
	code := "error"
	if f := fault.From(cause); f != nil {
		code = f.ID
	}
	slog.WarnContext(ctx, "reminder not sent", "notice", n.id, "tenant", n.tenant, "attempt", n.attempts, "contact", n.rung, "error", code)
	err := s.DB.WithTenant(context.WithoutCancel(ctx), n.tenant, func(ctx context.Context, tx *db.Tx) error {
		due, rung, attempts := tx.Now().Add(pause(n.attempts)), n.rung, n.attempts
		if end == nextContact {
			due, rung, attempts = tx.Now(), n.rung+1, 0
		}
		_, err := tx.Exec(ctx, `UPDATE reminder_notices SET leased_until = NULL, error = $3, due_at = $4, rung = $5, attempts = $6
			WHERE tenant_id = $1 AND id = $2 AND state = 'pending' AND rung = $7`, n.tenant, n.id, code, due, rung, attempts, n.rung)
		return err
	})
	return end, err
}

func pause(attempt int) time.Duration {
	if attempt > 10 {
		return longestPause
	}
	return min(longestPause, firstPause<<(attempt-1))
}
