package order

import (
	"context"
	"errors"
	"fmt"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/outbox"
	"certsaas/core/tenant"
)

// Advance moves an order by one event: looks the edge up, asks whether the actor may, writes state, time line, audit
// and outbox in the caller's transaction. detail holds ids and, as
// "reason", words that a person wrote, which are sealed: they may name an account or another person.
//
// Errors: fault.Conflict when the state does not know the event, its guard forbids it, or somebody was faster;
// fault.Denied, NotFound or Unauthenticated as core/authz says. o is updated in place.
func (s *Service) Advance(ctx context.Context, tx *db.Tx, o *Order, ev Event, detail map[string]any) error {
	t, p, err := s.Product(ctx, *o)
	if err != nil {
		return err
	}
	facts, err := s.facts(ctx, tx, *o, p)
	if err != nil {
		return err
	}
	edge, ok := find(o.State, ev, facts)
	if !ok {
		// a stranger learns nothing about the order's state
		if err := s.authz.Check(ctx, authz.OrderView, o.Resource(visitorFrom(ctx))); err != nil {
			return err
		}
		return fault.New(fault.Conflict, "order.not_now", "State", string(o.State), "Event", string(ev))
	}
	if err := s.authz.Check(ctx, edge.Who, o.Resource(visitorFrom(ctx))); err != nil {
		return err
	}
	next := *o
	next.State = edge.To
	if err := s.stamp(ctx, tx, &next, edge, p, facts); err != nil {
		return err
	}
	if err := writeState(ctx, tx, *o, &next); err != nil {
		return err
	}
	*o = next
	if o.State == Cancelled || o.State == Refunded || (o.State == Completed && p.Fulfilment == "none") {
		if err := withdrawItems(ctx, tx, o.ID, 0); err != nil {
			return err
		}
	}
	return s.tell(ctx, tx, t, *o, edge, detail)
}

// Product finds the tenant release an order is pinned to, and its product there.
func (s *Service) Product(ctx context.Context, o Order) (*tenant.Tenant, tenant.Product, error) {
	t, err := s.tenants.At(ctx, o.Tenant, o.Release)
	if err != nil {
		return nil, tenant.Product{}, fmt.Errorf("order: release %d: %w", o.Release, err)
	}
	p, ok := t.Product(o.Product)
	if !ok {
		return nil, tenant.Product{}, fmt.Errorf("order: release %d has no product %s", o.Release, o.Product)
	}
	return t, p, nil
}

// facts gathers what the guards look at.
func (s *Service) facts(ctx context.Context, tx *db.Tx, o Order, p tenant.Product) (Facts, error) {
	f := Facts{
		Owes:       o.TotalFen > 0 && o.PaidAt == nil && !p.Free(),
		PayFirst:   p.Payment.When != "after_review",
		Reviewed:   o.ReviewedAt != nil,
		Paid:       o.PaidAt != nil && o.TotalFen > 0,
		Fulfilment: p.Fulfilment,
	}
	err := tx.QueryRow(ctx, `SELECT count(*) FILTER (WHERE i.state IN ('waiting', 'issued')),
		coalesce(bool_or(i.state IN ('issued', 'done')), false)
		FROM order_items i WHERE i.tenant_id = $1 AND i.order_id = $2`, tx.Tenant(), o.ID).Scan(&f.OpenItems, &f.Issued)
	if err != nil {
		return Facts{}, fmt.Errorf("order: facts: %w", err)
	}
	if o.State != Refunding {
		return f, nil
	}
	err = tx.QueryRow(ctx, `SELECT from_state FROM order_events WHERE tenant_id = $1 AND order_id = $2 AND event = $3
		ORDER BY at DESC, id DESC LIMIT 1`, tx.Tenant(), o.ID, RequestRefund).Scan(&f.Before)
	if err != nil {
		return Facts{}, fmt.Errorf("order: facts: before the refund: %w", err)
	}
	return f, nil
}

// stamp sets the times that belong to a step; f are the facts before it.
func (s *Service) stamp(ctx context.Context, tx *db.Tx, o *Order, e Edge, p tenant.Product, f Facts) error {
	now := tx.Now()
	switch e.Event {
	case Submit:
		o.SubmittedAt = ptr(now)
	case Paid:
		o.PaidAt = ptr(now)
	case Approve:
		o.ReviewedAt, o.OpenFields, o.ClaimedBy, o.ClaimedAt = ptr(now), nil, nilUUID, nil
	case Reject:
		o.ClaimedBy, o.ClaimedAt = nilUUID, nil
	case Resubmit:
		o.OpenFields = nil
	}
	o.ClosedAt = nil
	switch {
	case e.To == AwaitingPayment:
		o.LapsesAt = ptr(now.AddDate(0, 0, lapseDays(p)))
	case e.To.Final():
		o.ClosedAt = ptr(now)
		if e.To == Completed {
			o.CompletedAt = ptr(now)
		}
	}
	if applicantActs(e.To) {
		o.PausedAt = ptr(now)
	} else {
		o.PausedAt = nil
	}
	owes := f.Owes && e.Event != Paid
	if o.QualifiedAt == nil && o.SubmittedAt != nil && !owes && !e.To.Final() {
		o.QualifiedAt = ptr(now)
	}
	return s.due(ctx, tx, o, e, p)
}

// applicantActs tells whether nothing can be done in a state before the applicant acts: the service-level clock stands still.
func applicantActs(s State) bool {
	switch s {
	case Rejected, AwaitingKey, ReadyToInstall:
		return true
	}
	return false
}

// lapseDays is how long an order waits for its money (decision 9: 15 days by default).
func lapseDays(p tenant.Product) int {
	if p.Payment.LapseDays > 0 {
		return p.Payment.LapseDays
	}
	return 15
}

// due keeps the service-level time: so many working days from qualification, which is when an order is paid and complete,
// standing still while the applicant must act (req K39, decision 8).
func (s *Service) due(ctx context.Context, tx *db.Tx, o *Order, e Edge, p tenant.Product) error {
	if o.QualifiedAt == nil || p.Review.SLAWorkdays == 0 || e.To.Final() {
		return nil
	}
	policy := clock.PolicyA
	if p.Review.Policy == "B" {
		policy = clock.PolicyB
	}
	past, err := s.Timeline(ctx, tx, o.ID)
	if err != nil {
		return err
	}
	due := s.calendar.Due(*o.QualifiedAt, pauses(append(past, TimelineEntry{At: tx.Now(), To: e.To})), p.Review.SLAWorkdays, policy)
	if !due.Paused {
		o.DueAt = ptr(due.At.UTC())
	}
	return nil
}

// pauses lists when the applicant had to act.
func pauses(past []TimelineEntry) []clock.Interval {
	var out []clock.Interval
	open := false
	for _, x := range past {
		acts := applicantActs(x.To)
		switch {
		case acts && !open:
			out = append(out, clock.Interval{From: x.At})
		case !acts && open:
			out[len(out)-1].To = x.At
		}
		open = acts
	}
	return out
}

// writeState is the guarded update: it changes the row only if state and version are what the caller saw.
func writeState(ctx context.Context, tx *db.Tx, seen Order, o *Order) error {
	err := tx.QueryRow(ctx, `UPDATE orders SET state = $5, submitted_at = $6, paid_at = $7, qualified_at = $8, paused_at = $9, due_at = $10,
		reviewed_at = $11, completed_at = $12, closed_at = $13, lapses_at = $14, open_fields = $15, claimed_by = $16, claimed_at = $17,
		updated_at = $18, version = version + 1
		WHERE tenant_id = $1 AND id = $2 AND state = $3 AND version = $4 RETURNING version`,
		tx.Tenant(), o.ID, seen.State, seen.Version, o.State, o.SubmittedAt, o.PaidAt, o.QualifiedAt, o.PausedAt, o.DueAt,
		o.ReviewedAt, o.CompletedAt, o.ClosedAt, o.LapsesAt, o.OpenFields, nullable(o.ClaimedBy), o.ClaimedAt, tx.Now()).Scan(&o.Version)
	if errors.Is(err, db.ErrNoRows) {
		return fault.New(fault.Conflict, "order.taken")
	}
	if err != nil {
		return fmt.Errorf("order: advance: %w", err)
	}
	o.UpdatedAt = tx.Now()
	return nil
}

// tell writes the time line, the audit entry and the outbox message of a step.
func (s *Service) tell(ctx context.Context, tx *db.Tx, t *tenant.Tenant, o Order, e Edge, detail map[string]any) error {
	who := authz.From(ctx)
	id, detail, err := s.sealReason(ctx, tx, detail)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO order_events (tenant_id, id, order_id, at, event, from_state, to_state, actor_kind, actor_id, actor_name, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		tx.Tenant(), id, o.ID, tx.Now(), e.Event, e.From, e.To, string(who.Kind), nullable(who.ID), who.Name, detail)
	if err != nil {
		return fmt.Errorf("order: event: %w", err)
	}
	entry := audit.Entry{Action: "order." + string(e.Event), Resource: "order/" + o.ID.String(), Detail: map[string]any{
		"number": o.Number, "from": e.From, "to": e.To, "version": o.Version, "release": t.Release(),
	}}
	if err := audit.Record(ctx, tx, entry); err != nil {
		return err
	}
	return outbox.Enqueue(ctx, tx, outbox.Event{Kind: "order." + string(e.Event), Ref: o.ID})
}
