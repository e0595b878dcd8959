package scheduler_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/platform/platformtest"
	"certsaas/scheduler"
)

func job(name string, run func(ctx context.Context) (map[string]int, error)) scheduler.Job {
	return scheduler.Job{Name: name, Every: time.Second, Run: run}
}

// One process at a time runs a job; a lease that ran out is taken over, and its late owner leaves it alone.
func TestLease(t *testing.T) {
	t.Parallel()
	clk := clock.NewFake(time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC))
	d := coretest.DBAt(t, clk)
	var runs atomic.Int32
	entered, leave := make(chan struct{}), make(chan struct{})
	slow := job("slow", func(ctx context.Context) (map[string]int, error) {
		if n := runs.Add(1); n == 1 {
			if who := authz.From(ctx); who.Kind != authz.SystemKind || who.Name != "scheduler/slow" {
				t.Errorf("runs as %+v", who)
			}
			close(entered)
			<-leave
			return map[string]int{"late": 1}, nil
		}
		return map[string]int{"done": 7}, nil
	})
	one, two := open(t, d, slow), open(t, d, slow)
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := one.RunOnce(t.Context(), slow); err != nil {
			t.Error(err)
		}
	})
	<-entered
	if err := two.RunOnce(t.Context(), slow); err != nil || runs.Load() != 1 {
		t.Errorf("%v, %d runs at once", err, runs.Load())
	}
	clk.Advance(2 * time.Minute)
	if err := two.RunOnce(t.Context(), slow); err != nil || runs.Load() != 2 {
		t.Errorf("after the lease ran out: %v, %d runs", err, runs.Load())
	}
	close(leave)
	wg.Wait()
	h := health(t, d, clk.Now(), slow)
	if h.Report["done"] != 7 || h.Report["late"] != 0 || h.LastError != "" {
		t.Errorf("the late one wrote over its successor: %+v", h)
	}
}

func open(t *testing.T, d *db.DB, jobs ...scheduler.Job) *scheduler.Scheduler {
	t.Helper()
	s, err := scheduler.New(d, jobs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func health(t *testing.T, d *db.DB, now time.Time, j scheduler.Job) scheduler.Health {
	t.Helper()
	all, err := scheduler.Healths(t.Context(), d, []scheduler.Job{j}, now, time.Time{})
	if err != nil || len(all) != 1 {
		t.Fatalf("%v, %d", err, len(all))
	}
	return all[0]
}

// A job that fails or panics says so, gives its lease back, and succeeds the next time; health tells when it is late.
func TestFailure(t *testing.T) {
	t.Parallel()
	clk := clock.NewFake(time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC))
	d := coretest.DBAt(t, clk)
	n := 0
	j := job("moody", func(context.Context) (map[string]int, error) {
		n++
		switch n {
		case 1:
			panic("out of paper")
		case 2:
			return nil, errors.New("no ink")
		}
		return map[string]int{"done": n}, nil
	})
	s := open(t, d, j)
	if h := health(t, d, clk.Now(), j); !h.Late || h.LastStart != nil {
		t.Errorf("never run: %+v", h)
	}
	for _, want := range []string{"out of paper", "no ink", ""} {
		err := s.RunOnce(t.Context(), j)
		h := health(t, d, clk.Now(), j)
		if (want == "") != (err == nil) || !strings.Contains(h.LastError, want) || (want == "") != (h.LastSuccess != nil) {
			t.Errorf("want %q: %v, %+v", want, err, h)
		}
		clk.Advance(time.Second)
	}
	if h := health(t, d, clk.Now(), j); h.Late || h.Report["done"] != 3 {
		t.Errorf("%+v", h)
	}
	clk.Advance(2 * time.Minute)
	if h := health(t, d, clk.Now(), j); !h.Late {
		t.Error("not late after two minutes")
	}
}

// Two schedulers tick; every tick of a job is one process's.
func TestTwoSchedulers(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	var at, most, runs atomic.Int32
	j := scheduler.Job{Name: "alone", Every: 30 * time.Millisecond, Run: func(context.Context) (map[string]int, error) {
		most.Store(max(most.Load(), at.Add(1)))
		time.Sleep(10 * time.Millisecond)
		at.Add(-1)
		runs.Add(1)
		return nil, nil
	}}
	for range 2 {
		s := open(t, d, j)
		s.Start()
		t.Cleanup(func() {
			if err := s.Shutdown(); err != nil {
				t.Error(err)
			}
		})
	}
	for deadline := time.Now().Add(20 * time.Second); runs.Load() < 10 && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	if most.Load() != 1 || runs.Load() < 10 {
		t.Errorf("%d runs, %d at once", runs.Load(), most.Load())
	}
}

// What one job brought about is gone on with at once, though the next tick of the job that does is far away; a run that did
// nothing wakes nobody. A follower that there is not is a mistake.
func TestNextIsWoken(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	var runs atomic.Int32
	found, woken := make(chan int, 10), make(chan struct{}, 10)
	find := scheduler.Job{Name: "find", Every: 20 * time.Millisecond, Next: "go-on", Run: func(context.Context) (map[string]int, error) {
		select {
		case n := <-found:
			return map[string]int{"seen": 1, "nothing": 0}, map[bool]error{true: errors.New("half done")}[n > 1]
		default:
			return map[string]int{"seen": 0}, nil
		}
	}}
	goOn := scheduler.Job{Name: "go-on", Every: time.Hour, Run: func(context.Context) (map[string]int, error) {
		runs.Add(1)
		woken <- struct{}{}
		return nil, nil
	}}
	if _, err := scheduler.New(d, []scheduler.Job{find}); err == nil {
		t.Error("a job is followed by nobody")
	}
	s := open(t, d, find, goOn)
	s.Start()
	t.Cleanup(func() {
		if err := s.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	<-woken // the tick of the start
	for i := range 3 {
		found <- i
		select {
		case <-woken:
		case <-time.After(10 * time.Second):
			t.Fatalf("not woken by find %d", i+1)
		}
	}
	if n := runs.Load(); n != 4 {
		t.Errorf("%d runs for a start and three finds", n)
	}
}

// The platform's own jobs run on an empty and on a busy platform, twice, and say what they did.
func TestJobs(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	b.Approved(platformtest.Renew, uuid.Nil, nil)
	jobs := scheduler.Jobs(b.Platform)
	s := open(t, b.DB, jobs...)
	for range 2 {
		for _, j := range jobs {
			if err := s.RunOnce(t.Context(), j); err != nil {
				t.Errorf("%s: %v", j.Name, err)
			}
		}
	}
	names := map[string]bool{}
	all, err := scheduler.Healths(t.Context(), b.DB, jobs, b.Clock.Now(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range all {
		if names[h.Name] || h.Late || h.LastError != "" {
			t.Errorf("%+v", h)
		}
		names[h.Name] = true
	}
	if n := b.Count(`SELECT count(*) FROM outbox WHERE done_at IS NULL`); n != 0 {
		t.Errorf("%d messages left in the outbox", n)
	}
}
