package scheduler_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/scheduler"
)

// A job that takes long keeps its lease by renewing it; the lease itself is short, so that a killed process lets its jobs go
// within seconds and not only after the job's limit.
func TestLeaseIsShortAndRenewed(t *testing.T) {
	t.Parallel()
	clk := clock.NewFake(time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC))
	d := coretest.DBAt(t, clk)
	var runs atomic.Int32
	entered, leave := make(chan struct{}), make(chan struct{})
	long := scheduler.Job{Name: "long", Every: time.Second, Limit: 10 * time.Minute, Run: func(context.Context) (map[string]int, error) {
		if runs.Add(1) == 1 {
			close(entered)
			<-leave
		}
		return map[string]int{"done": 1}, nil
	}}
	one, two := open(t, d, long), open(t, d, long)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := one.RunOnce(t.Context(), long); err != nil {
			t.Error(err)
		}
	})
	<-entered
	until := func() (at time.Time) {
		coretest.OwnerRow(t, d, []any{&at}, `SELECT leased_until FROM job_runs WHERE name = 'long'`)
		return at
	}
	if left := until().Sub(clk.Now()); left > 5*time.Second {
		t.Errorf("a killed process would hold the job for %s", left)
	}
	clk.Advance(4 * time.Second)
	for end := time.Now().Add(20 * time.Second); until().Sub(clk.Now()) < 4*time.Second; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the lease is not renewed")
		}
	}
	clk.Advance(4 * time.Second) // the first lease would be over
	if err := two.RunOnce(t.Context(), long); err != nil || runs.Load() != 1 {
		t.Errorf("%v, %d runs at once", err, runs.Load())
	}
	close(leave)
	wg.Wait()
	if err := two.RunOnce(t.Context(), long); err != nil || runs.Load() != 2 {
		t.Errorf("after it was given back: %v, %d runs", err, runs.Load())
	}
	if h := health(t, d, clk.Now(), long); h.Report["done"] != 1 || h.LastError != "" {
		t.Errorf("%+v", h)
	}
}
