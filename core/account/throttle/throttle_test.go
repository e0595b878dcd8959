package throttle_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"certsaas/core/account/throttle"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/i18n"
)

var start = time.Date(2026, 11, 28, 2, 0, 7, 0, time.UTC)

func take(t *testing.T, d *db.DB, rules ...throttle.Rule) (throttle.Grant, error) {
	t.Helper()
	var g throttle.Grant
	err := d.WithSystem(t.Context(), "test", func(ctx context.Context, tx *db.Tx) error {
		var err error
		g, err = throttle.Take(ctx, tx, rules...)
		return err
	})
	return g, err
}

func TestWindowRolls(t *testing.T) {
	t.Parallel()
	now := clock.NewFake(start)
	d := coretest.DBAt(t, now)
	hour := throttle.Rule{Scope: "test/hour", Key: []byte("a"), Limit: 3, Window: time.Hour}
	for i := range 3 {
		if _, err := take(t, d, hour); err != nil {
			t.Fatalf("take %d: %v", i, err)
		}
		now.Advance(15 * time.Minute)
	}
	_, err := take(t, d, hour) // 45 minutes after the first
	f := fault.From(err)
	if !errors.Is(err, fault.RateLimited) || f.Args["Minutes"].(int) < 15 || f.Args["Minutes"].(int) > 25 {
		t.Fatalf("fourth within the hour: %v; want a wait of 15 to 25 minutes", err)
	}
	if _, err := take(t, d, throttle.Rule{Scope: "test/hour", Key: []byte("b"), Limit: 3, Window: time.Hour}); err != nil {
		t.Errorf("another key: %v", err)
	}
	now.Advance(time.Duration(f.Args["Seconds"].(int)) * time.Second)
	if _, err := take(t, d, hour); err != nil {
		t.Errorf("after the wait that was asked for: %v", err)
	}
	if _, err := take(t, d, hour); !errors.Is(err, fault.RateLimited) {
		t.Errorf("only one place was free, got %v", err)
	}
}

// A refusal by one rule counts for none.
func TestRefusalCountsNothing(t *testing.T) {
	t.Parallel()
	d := coretest.DBAt(t, clock.NewFake(start))
	wide := throttle.Rule{Scope: "test/a-wide", Limit: 2, Window: time.Hour}
	narrow := throttle.Rule{Scope: "test/b-narrow", Limit: 0, Window: time.Hour}
	for range 5 {
		if _, err := take(t, d, wide, narrow); !errors.Is(err, fault.RateLimited) {
			t.Fatalf("narrow: %v", err)
		}
	}
	g, err := take(t, d, wide)
	if err != nil || g.Counts["test/a-wide"] != 1 {
		t.Errorf("wide counted the refused tries: %v %v", g.Counts, err)
	}
}

// Fifty parallel guesses from one address, limit five: five are looked at.
func TestGuardIsExactInParallel(t *testing.T) {
	t.Parallel()
	d := coretest.DBAt(t, clock.NewFake(start))
	var looked, alarms atomic.Int64
	g := throttle.Guard{
		DB: d, Component: "test", All: throttle.Rule{Scope: "test/all", Limit: 4, Window: time.Hour},
		Rules: func(tight bool) []throttle.Rule {
			limit := int64(5)
			if tight {
				limit = 1
			}
			return []throttle.Rule{{Scope: "test/ip", Key: []byte("x"), Limit: limit, Window: time.Hour}}
		},
		Alarm: func(context.Context, string, int64) { alarms.Add(1) },
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			err := g.Try(t.Context(), func(context.Context) (bool, error) { looked.Add(1); return true, errors.New("wrong") })
			if err == nil {
				t.Error("no error for a bad try")
			}
		}()
	}
	wg.Wait()
	if n := looked.Load(); n < 4 || n > 5 {
		t.Errorf("%d tries were looked at, want 5 (or 4, when the tight mode came first)", n)
	}
	if alarms.Load() != 1 {
		t.Errorf("%d alarms, want 1", alarms.Load())
	}
}

// Good tries do not add up; a bad one per address is still allowed in tight mode, the next is not.
func TestGuardGivesBackAndTightens(t *testing.T) {
	t.Parallel()
	d := coretest.DBAt(t, clock.NewFake(start))
	try := func(ip string, bad bool) error {
		return throttle.Guard{
			DB: d, Component: "test", All: throttle.Rule{Scope: "test/all", Limit: 6, Window: time.Hour},
			Rules: func(tight bool) []throttle.Rule {
				limit := int64(3)
				if tight {
					limit = 1
				}
				return []throttle.Rule{{Scope: "test/ip", Key: []byte(ip), Limit: limit, Window: time.Hour}}
			},
		}.Try(t.Context(), func(context.Context) (bool, error) { return bad, nil })
	}
	for range 10 {
		if err := try("honest", false); err != nil {
			t.Fatalf("good try: %v", err)
		}
	}
	for _, ip := range []string{"1", "2", "3"} {
		for range 2 {
			if err := try(ip, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := try("4", true); err != nil {
		t.Errorf("first try of an address in tight mode: %v", err)
	}
	if err := try("4", true); !errors.Is(err, fault.RateLimited) {
		t.Errorf("second bad try in tight mode: %v", err)
	}
	if err := try("honest", false); err != nil {
		t.Errorf("honest person in tight mode: %v", err)
	}
}

func TestSweep(t *testing.T) {
	t.Parallel()
	now := clock.NewFake(start)
	d := coretest.DBAt(t, now)
	if _, err := take(t, d, throttle.Rule{Scope: "test/x", Limit: 9, Window: time.Hour}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int64{0, 1, 0} {
		if n, err := throttle.Sweep(t.Context(), d, 48*time.Hour); err != nil || n != want {
			t.Errorf("Sweep = %d %v, want %d", n, err, want)
		}
		now.Advance(72 * time.Hour)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(throttle.Messages) {
		t.Error(p)
	}
}
