package outbox_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/outbox"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func setup(t *testing.T) (*db.DB, *clock.Fake) {
	t.Helper()
	c := clock.NewFake(time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC))
	return coretest.DBAt(t, c), c
}

func enqueue(t *testing.T, d *db.DB, tenant uuid.UUID, events ...outbox.Event) {
	t.Helper()
	err := d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error {
		for _, e := range events {
			if err := outbox.Enqueue(ctx, tx, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, w *outbox.Worker, want outbox.Report) {
	t.Helper()
	got, err := w.RunOnce(t.Context(), 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("report (-want +got):\n%s", diff)
	}
}

func TestHandledAsSystemOfItsTenant(t *testing.T) {
	t.Parallel()
	d, _ := setup(t)
	tenant, ref := db.NewID(), db.NewID()
	enqueue(t, d, tenant, outbox.Event{Kind: "order.approved", Ref: ref, Data: map[string]string{"round": "2"}}, outbox.Event{Kind: "unknown"})
	var got []outbox.Item
	var who authz.Principal
	w := &outbox.Worker{DB: d, Handlers: map[string]outbox.Handler{"order.approved": func(ctx context.Context, i outbox.Item) error {
		got, who = append(got, i), authz.From(ctx)
		return d.WithTenant(ctx, i.Tenant, func(context.Context, *db.Tx) error { return nil }) // no transaction is open
	}}}
	run(t, w, outbox.Report{Claimed: 1, Done: 1})
	run(t, w, outbox.Report{})
	if len(got) != 1 || got[0].Tenant != tenant || got[0].Ref != ref || got[0].Data["round"] != "2" || got[0].Attempt != 1 {
		t.Errorf("handled %+v", got)
	}
	if who.Kind != authz.SystemKind || who.Name != "outbox/order.approved" {
		t.Errorf("handled as %+v", who)
	}
}

func TestRolledBackEventNeverHappened(t *testing.T) {
	t.Parallel()
	d, _ := setup(t)
	boom := errors.New("boom")
	err := d.WithTenant(t.Context(), db.NewID(), func(ctx context.Context, tx *db.Tx) error {
		return errors.Join(outbox.Enqueue(ctx, tx, outbox.Event{Kind: "x"}), boom)
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	run(t, &outbox.Worker{DB: d, Handlers: map[string]outbox.Handler{"": nil}}, outbox.Report{})
}

func TestRetriesThenDies(t *testing.T) {
	t.Parallel()
	d, c := setup(t)
	enqueue(t, d, db.NewID(), outbox.Event{Kind: "flaky"})
	calls := 0
	w := &outbox.Worker{DB: d, MaxAttempts: 3, Handlers: map[string]outbox.Handler{"flaky": func(context.Context, outbox.Item) error {
		calls++
		if calls == 2 {
			panic("out of paper")
		}
		return errors.New("still down")
	}}}
	run(t, w, outbox.Report{Claimed: 1, Retried: 1})
	run(t, w, outbox.Report{}) // not before its pause is over
	c.Advance(time.Minute)
	run(t, w, outbox.Report{Claimed: 1, Retried: 1})
	c.Advance(time.Minute)
	run(t, w, outbox.Report{Claimed: 1, Dead: 1})
	c.Advance(24 * time.Hour)
	run(t, w, outbox.Report{})
	enqueue(t, d, db.NewID(), outbox.Event{Kind: "hopeless"})
	w.Handlers["hopeless"] = func(context.Context, outbox.Item) error { return outbox.Permanent(errors.New("no such order")) }
	run(t, w, outbox.Report{Claimed: 1, Dead: 1})
}

func TestLeaseOfDeadWorkerEnds(t *testing.T) {
	t.Parallel()
	d, c := setup(t)
	enqueue(t, d, db.NewID(), outbox.Event{Kind: "x"})
	ctx, die := context.WithCancel(t.Context())
	first := &outbox.Worker{DB: d, Handlers: map[string]outbox.Handler{"x": func(context.Context, outbox.Item) error {
		die() // the worker ends before it can write the outcome
		return nil
	}}}
	if _, err := first.RunOnce(ctx, 10); err == nil {
		t.Fatal("the dying worker reports success")
	}
	second := &outbox.Worker{DB: d, Handlers: map[string]outbox.Handler{"x": func(_ context.Context, i outbox.Item) error {
		if i.Attempt != 2 {
			t.Errorf("attempt %d, want 2", i.Attempt)
		}
		return nil
	}}}
	run(t, second, outbox.Report{})
	c.Advance(outbox.DefaultLease)
	run(t, second, outbox.Report{Claimed: 1, Done: 1})
	if n, err := second.Purge(t.Context(), -time.Second); err != nil || n != 1 {
		t.Errorf("purged %d, %v; want 1", n, err)
	}
}

func TestWorkersShare(t *testing.T) {
	t.Parallel()
	d, _ := setup(t)
	const events = 60 // as many as sixty makes
	enqueue(t, d, db.NewID(), sixty()...)
	var mu sync.Mutex
	seen := map[uuid.UUID]int{}
	handle := func(_ context.Context, i outbox.Item) error {
		mu.Lock()
		defer mu.Unlock()
		seen[i.ID]++
		return nil
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			w := &outbox.Worker{DB: d, Handlers: map[string]outbox.Handler{"": handle}}
			for {
				r, err := w.RunOnce(t.Context(), 7)
				if err != nil || r.Claimed == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	wg.Wait()
	if len(seen) != events {
		t.Errorf("%d of %d events handled", len(seen), events)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s handled %d times", id, n)
		}
	}
}

func sixty() []outbox.Event {
	events := make([]outbox.Event, 60)
	for i := range events {
		events[i] = outbox.Event{Kind: "x"}
	}
	return events
}
