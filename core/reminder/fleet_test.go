package reminder_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"certsaas/config"
	"certsaas/core/channel"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/platform"
)

// replicaEnv makes the test binary a machine that runs the reminders' jobs, so that it can be killed.
const replicaEnv = "CERTSAAS_REMINDER_REPLICA"

func TestMain(m *testing.M) {
	if spec := os.Getenv(replicaEnv); spec != "" {
		if err := replica(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// orders of a replica: its database, the keys' folder, the provider's book, how wrong its clock goes, its luck with the provider.
type orders struct {
	Address, Dir, Book string
	Skew               time.Duration
	Seed               uint64
	Machine            int // every start is another one
}

// told is a clock that is set from outside, and goes wrong by a constant.
type told struct {
	at   atomic.Int64 // Unix nanoseconds
	skew time.Duration
}

func (c *told) Now() time.Time { return time.Unix(0, c.at.Load()).Add(c.skew) }

// entry is a line of the provider's book: something was handed over.
type entry struct {
	ID, To, Org string
	At          time.Time // by the clock of the machine
	Late        bool      // the machine was not told that it worked
	By          hand
}

// hand is a machine at one time it was told.
type hand struct{ Machine, Time int }

// book is a provider that writes down what it is given, whatever becomes of the machine. Of a hundred messages it fails three
// before they are taken and three after.
type book struct {
	mu   sync.Mutex
	rnd  *rand.Rand
	file *os.File // O_APPEND: a line is one write
	now  func() time.Time
	by   func() hand
}

func (b *book) Send(_ context.Context, m channel.Message) (string, error) {
	b.mu.Lock()
	luck := b.rnd.IntN(100)
	b.mu.Unlock()
	if luck < 3 {
		return "", fault.New(fault.Unavailable, "channel.failed")
	}
	line, err := json.Marshal(entry{ID: m.ID, To: m.To, Org: m.Params["org"], At: b.now(), Late: luck < 6, By: b.by()})
	if err != nil {
		return "", err
	}
	if _, err := b.file.Write(append(line, '\n')); err != nil {
		return "", err
	}
	if luck < 6 {
		return "", context.DeadlineExceeded
	}
	return "", nil
}

// replica is one machine: it reads times from standard input, does at each what the scheduler does, and says so. The
// scheduler's leases are left out: they spare work, and what must hold holds without them.
func replica(spec string) error {
	var o orders
	if err := json.Unmarshal([]byte(spec), &o); err != nil {
		return err
	}
	clk := &told{skew: o.Skew}
	in := bufio.NewScanner(os.Stdin)
	var told atomic.Int64
	next := func() (n int, ok bool) {
		var at int64
		if !in.Scan() {
			return 0, false
		}
		_, err := fmt.Sscan(in.Text(), &n, &at)
		clk.at.Store(at)
		told.Store(int64(n))
		return n, err == nil
	}
	if _, ok := next(); !ok {
		return errors.New("replica: no time")
	}
	file, err := os.OpenFile(o.Book, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	d, err := coretest.Connect(context.Background(), o.Address, clk)
	if err != nil {
		return err
	}
	bundle, err := platform.Sentences()
	if err != nil {
		return err
	}
	p, err := platform.Open(context.Background(), platform.Options{DB: d, DataDir: o.Dir, Clock: clk, Config: config.Default(), Bundle: bundle,
		Sender: &book{rnd: rand.New(rand.NewPCG(o.Seed, 7)), file: file, now: clk.Now, by: func() hand { return hand{o.Machine, int(told.Load())} }}})
	if err != nil {
		return err
	}
	w := &world{Platform: p}
	fmt.Println("ready")
	for {
		n, ok := next()
		if !ok {
			return nil
		}
		if err := w.tick(context.Background()); err != nil && !errors.Is(err, fault.Unavailable) {
			return err
		}
		fmt.Println("done", n)
	}
}

// machine is a replica as its operator sees it.
type machine struct {
	n     int
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string // closed when it has ended
	errs  strings.Builder
	ready bool
}

// fleet are three machines on one database.
type fleet struct {
	t     *testing.T
	w     *world
	rnd   *rand.Rand
	book  string
	all   [3]*machine
	n     int           // times told
	made  int           // machines started
	usual time.Duration // a tick takes

	kills int           // machines killed
	cut   map[hand]bool // those that were at it
}

func newFleet(t *testing.T, w *world, rnd *rand.Rand, book string) *fleet {
	t.Helper()
	f := &fleet{t: t, w: w, rnd: rnd, book: book, usual: 50 * time.Millisecond, cut: map[hand]bool{}}
	t.Cleanup(func() {
		for _, m := range f.all {
			if m != nil {
				_ = m.cmd.Process.Kill()
				for range m.lines {
				}
			}
		}
	})
	for i := range f.all {
		f.start(i)
	}
	for i := range f.all {
		f.awake(i, true)
	}
	return f
}

// start starts a machine; its clock is wrong by up to five minutes.
func (f *fleet) start(i int) {
	f.t.Helper()
	f.made++
	spec, err := json.Marshal(orders{Machine: f.made, Address: coretest.Address(f.t, f.w.DB, db.RoleApp), Dir: f.w.DataDir, Book: f.book,
		Skew: time.Duration(f.rnd.Int64N(int64(10*time.Minute))) - 5*time.Minute, Seed: f.rnd.Uint64()})
	if err != nil {
		f.t.Fatal(err)
	}
	m := &machine{n: f.made, cmd: exec.Command(os.Args[0]), lines: make(chan string, 4)}
	m.cmd.Env = append(os.Environ(), replicaEnv+"="+string(spec))
	m.cmd.Stderr = &m.errs
	out, err := m.cmd.StdoutPipe()
	if err == nil {
		m.in, err = m.cmd.StdinPipe()
	}
	if err == nil {
		err = m.cmd.Start()
	}
	if err != nil {
		f.t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
			m.lines <- s.Text()
		}
		_ = m.cmd.Wait()
		close(m.lines)
	}()
	f.all[i] = m
	f.tell(m)
}

// tell gives a machine the time.
func (f *fleet) tell(m *machine) {
	_, _ = fmt.Fprintln(m.in, f.n, f.w.clock.Now().UnixNano()) // one that has been killed does not listen
}

// awake tells whether a machine has started; with wait it waits for that.
func (f *fleet) awake(i int, wait bool) bool {
	f.t.Helper()
	m := f.all[i]
	for !m.ready {
		select {
		case line, ok := <-m.lines:
			if !ok {
				f.t.Fatalf("machine %d ended at its start: %s", i, m.errs.String())
			}
			m.ready = line == "ready"
		default:
			if !wait {
				return false
			}
			time.Sleep(time.Millisecond)
		}
	}
	return true
}

// step tells so many machines the time, or those that are awake; one of them may be killed in the middle. It ends when all
// others have done their work, and at least one has.
func (f *fleet) step(machines int, kill bool) {
	f.t.Helper()
	for done := false; !done; kill = false {
		f.n++
		var at []int
		for _, i := range f.rnd.Perm(len(f.all)) {
			if len(at) < machines && f.awake(i, len(at) == 0) {
				at = append(at, i)
			}
		}
		begin := time.Now()
		for _, i := range at {
			f.tell(f.all[i])
		}
		if kill {
			f.kills++
			time.Sleep(time.Duration(f.rnd.Int64N(int64(f.usual * 5 / 4))))
			_ = f.all[at[0]].cmd.Process.Kill()
		}
		for k, i := range at {
			ended := f.await(i, kill && k == 0)
			done = done || ended
			if ended {
				f.usual = (9*f.usual + time.Since(begin)) / 10
			}
			if kill && k == 0 {
				if !ended {
					f.cut[hand{f.all[i].n, f.n}] = true
				}
				f.start(i)
			}
		}
	}
}

// await waits for a machine; false when it was killed before it was done. Nobody else may end.
func (f *fleet) await(i int, killed bool) (done bool) {
	f.t.Helper()
	m := f.all[i]
	for line := range m.lines {
		if line == fmt.Sprint("done ", f.n) {
			if done = true; !killed {
				return true
			}
		}
	}
	if !killed {
		f.t.Fatalf("machine %d ended by itself: %s", i, m.errs.String())
	}
	return done
}

// handed reads the provider's book.
func (f *fleet) handed() (out []entry) {
	f.t.Helper()
	raw, err := os.ReadFile(f.book)
	if err != nil {
		f.t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		var e entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			f.t.Fatalf("the book: %q: %v", line, err)
		}
		out = append(out, e)
	}
	return out
}
