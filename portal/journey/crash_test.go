package journey

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"certsaas/core/coretest"
	"certsaas/core/coretest/program"
	"certsaas/core/platform"
)

var crashSeed = flag.Uint64("crash.seed", 0, "seed of the moments at which the crash tests kill the server; 0: another one each time")

// TestKillAtEveryStep kills the server (-9) at each step of both journeys, while the request of the step is under way or
// just answered, every third time its PostgreSQL, too; starts it again, and goes on as a person would: reloads, and presses
// again what was not done. What was acknowledged before the kill is there after it, fsck finds nothing, each journey comes
// to its end with one payment, and one live certificate for each key. (issue 3 §1 crash, reliability P6 F1)
func TestKillAtEveryStep(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the program many times")
	}
	t.Parallel()
	seed := *crashSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-crash.seed=%d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	usual := map[string]time.Duration{}
	var sum tally
	for round := range coretest.Size(1, 5) {
		t.Run(fmt.Sprintf("round-%d", round+1), func(t *testing.T) {
			p := program.Start(t, program.Options{})
			w := &walk{town: town{p, t}, rng: rng, usual: usual, sum: &sum, staff: map[string]*program.Visitor{}, full: coretest.Size(0, 1) == 1, nth: round}
			w.through(w.bydStrides())
			w.through(w.kingLongStrides())
			p.Sound(t, 20*time.Second)
			if log := p.Log(); strings.Contains(log, "panic") {
				t.Error(log)
			}
		})
	}
	t.Log(sum.String())
	t.Logf("how long the requests took: %v", usual)
}

// tally counts what the kills hit.
type tally struct {
	kills, withDatabase, before, after, undone int
	longest                                    time.Duration // from the kill until the program was ready again
}

func (s tally) String() string {
	return fmt.Sprintf("%d kills (%d with PostgreSQL): %d before the answer (%d of these steps were not done and were repeated), %d after it; ready again after at most %s",
		s.kills, s.withDatabase, s.before, s.undone, s.after, s.longest.Round(time.Millisecond))
}

// stride is one step of a journey, as a person takes it.
type stride struct {
	name string
	at   string                        // what the path of the interrupted request contains
	do   func(v *program.Visitor)      // opens the page and does it, to its answer
	done func(v *program.Visitor) bool // what a reload shows
	who  string                        // log-in of the staff; "" is the applicant
	rare bool                          // killed at full size only: a repetition may have to wait for the next code
}

// walk is one town whose power is cut again and again.
type walk struct {
	town
	rng     *rand.Rand
	usual   map[string]time.Duration // how long a step's request takes
	sum     *tally
	fuse    fuse
	visitor *program.Visitor // the applicant
	staff   map[string]*program.Visitor
	full    bool
	nth     int // round; in normal runs every second step of a journey is killed, the others in its neighbour
}

// through walks the strides; each is killed once.
func (w *walk) through(strides []stride) {
	w.t.Helper()
	for i, s := range strides {
		kill := w.full || !s.rare && i%2 == (w.nth+len(strides))%2
		w.step(s, kill)
	}
}

// step takes one stride, with or without a cut.
func (w *walk) step(s stride, kill bool) {
	w.t.Helper()
	v := w.person(s.who)
	if !kill {
		s.do(v)
		return
	}
	usual, known := w.usual[s.name]
	if !known {
		usual = 40 * time.Millisecond
	}
	withDatabase := w.rng.IntN(3) == 0
	w.fuse.lay(s.at, time.Duration(w.rng.Int64N(int64(usual*5/4)+1)), func() { w.cut(withDatabase) })
	acked := w.dare(v, s.do)
	took := w.fuse.blown(w.t, s.name)
	begin := time.Now()
	if err := w.Launch(); err != nil {
		w.t.Fatalf("%s: after the kill: %v", s.name, err)
	}
	w.note(withDatabase, acked, time.Since(begin))
	if acked {
		w.usual[s.name] = (usual + took) / 2
	}
	w.repair(s, v, acked)
	if w.full {
		w.Sound(w.t, 20*time.Second)
	}
}

// repair goes on as a person would after the lights are back.
func (w *walk) repair(s stride, v *program.Visitor, acked bool) {
	w.t.Helper()
	if s.done(v) {
		return
	}
	if acked {
		w.t.Fatalf("%s: was acknowledged and is lost:\n%s (%d)\n%s", s.name, v.URL, v.Status, v.Text())
	}
	w.sum.undone++
	s.do(v)
	if !s.done(v) {
		w.t.Fatalf("%s: repeated, and not done:\n%s (%d)\n%s", s.name, v.URL, v.Status, v.Text())
	}
}

func (w *walk) note(withDatabase, acked bool, ready time.Duration) {
	w.sum.kills++
	w.sum.longest = max(w.sum.longest, ready)
	if withDatabase {
		w.sum.withDatabase++
	}
	if acked {
		w.sum.after++
	} else {
		w.sum.before++
	}
}

// cut is the power cut.
func (w *walk) cut(withDatabase bool) {
	if withDatabase {
		if err := w.KillDatabase(); err != nil {
			w.t.Error(err)
		}
	}
	if err := w.Kill(); err != nil {
		w.t.Error(err)
	}
}

// lost is how a visitor's step ends whose server has gone.
type lost struct{ why string }

// daring is a test that a visitor may fail without failing.
type daring struct{ testing.TB }

func (daring) Fatal(args ...any)            { panic(lost{fmt.Sprint(args...)}) }
func (daring) Fatalf(f string, args ...any) { panic(lost{fmt.Sprintf(f, args...)}) }

// dare does a step whose server may go away meanwhile; it tells whether the step was answered.
func (w *walk) dare(v *program.Visitor, do func(*program.Visitor)) (acked bool) {
	w.t.Helper()
	defer func() {
		switch r := recover().(type) {
		case nil:
		case lost:
			if !w.fuse.burning() { // nothing was cut: the step itself is wrong
				w.t.Fatal(r.why)
			}
		default:
			panic(r)
		}
	}()
	was := v.T
	v.T = daring{was}
	defer func() { v.T = was }()
	do(v)
	return true
}

// fuse is a client's way to the server; once laid, the request it was laid for lights it.
type fuse struct {
	next http.RoundTripper

	mu    sync.Mutex
	path  string // of the request that lights it; "" when not laid
	delay time.Duration
	cut   func()
	gone  chan struct{} // closed after the cut; nil before it is lit
	took  time.Duration // of the request that lit it
}

func (f *fuse) lay(path string, delay time.Duration, cut func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.path, f.delay, f.cut, f.gone, f.took = path, delay, cut, nil, 0
}

// RoundTrip sends a request; the one the fuse was laid for starts its time.
func (f *fuse) RoundTrip(r *http.Request) (*http.Response, error) {
	f.mu.Lock()
	lit := f.path != "" && r.Method == http.MethodPost && strings.Contains(r.URL.Path, f.path)
	if lit {
		f.path, f.gone = "", make(chan struct{})
		time.AfterFunc(f.delay, func() { f.cut(); close(f.gone) })
	}
	f.mu.Unlock()
	begin := time.Now()
	res, err := f.next.RoundTrip(r)
	if lit {
		f.mu.Lock()
		f.took = time.Since(begin)
		f.mu.Unlock()
	}
	return res, err
}

func (f *fuse) burning() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.gone != nil
}

// blown waits for the cut and tells how long the request took.
func (f *fuse) blown(t *testing.T, name string) time.Duration {
	t.Helper()
	if !f.burning() {
		t.Fatalf("%s: no request lit the fuse %q", name, f.path)
	}
	<-f.gone
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.took
}

// newcomer is somebody whose requests may light the fuse.
func (w *walk) newcomer() *program.Visitor {
	v := w.NewVisitor(w.t)
	if w.fuse.next == nil {
		w.fuse.next = v.Client.Transport
	}
	v.Client.Transport = &w.fuse
	return v
}

// person is the applicant, or a member of the staff, who is logged in when first asked for.
func (w *walk) person(login string) *program.Visitor {
	w.t.Helper()
	if login == "" {
		return w.visitor
	}
	v := w.staff[login]
	if v == nil {
		v = w.newcomer()
		v.Open(w.URL("console", "/login"))
		v.Form("password").Set("login", login).Set("password", platform.DemoStaffPassword).Press("")
		w.factor(login, func(code string) { v.Form("code").Set("code", code).Press("").Sees("待办") })
		w.staff[login] = v
	}
	return v
}
