package journey

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"certsaas/core/coretest"
	"certsaas/core/coretest/program"
	"certsaas/core/db"
	"certsaas/core/db/embedpg"
)

// recovery is how long after PostgreSQL is back everything must work again (reliability F2).
const recovery = 5 * time.Second

// TestDatabaseOutages restarts PostgreSQL without asking anybody, ends all its connections and lets it hang, while visitors
// fill in orders: /livez stays 200, /readyz says 503 meanwhile, visitors are told to come again and nothing worse, what they
// typed can be sent again as it is, and within five seconds of PostgreSQL's return all works. Every order that was
// acknowledged is there. (issue 3 §1, reliability F2)
func TestDatabaseOutages(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the program")
	}
	s := newServer(t)
	p := program.Start(t, program.Options{Env: []string{"CERTSAAS_DATABASE_URL=" + s.URL(db.RoleApp, "certsaas"), "CERTSAAS_VAULT_KEK=" + strings.Repeat("c3", 32)}})
	s.crowd = gather(t, p, 8)
	watch := observe(t, p)
	restarts, hang := coretest.Size(1, 10), time.Duration(coretest.Size(3, 30))*time.Second
	for i := range restarts {
		t.Logf("restart %d: all well again %s after PostgreSQL was", i+1, s.outage(t, watch, func() {
			s.restart(t, time.Duration(300+rand.IntN(900))*time.Millisecond)
		}))
		t.Logf("connections ended %d: all well again %s after", i+1, s.outage(t, nil, func() { s.disconnect(t) }))
	}
	t.Logf("hanging for %s: all well again %s after", hang, s.outage(t, watch, func() { s.hang(t, hang) }))
	s.crowd.home()
	watch.end()
	s.crowd.allThere()
	s.pools(t)
	p.Sound(t, 20*time.Second)
	if log := p.Log(); strings.Contains(log, "panic") {
		t.Error(log)
	}
}

// server is a PostgreSQL of the test's own.
type server struct {
	*embedpg.Server
	dir   string
	crowd *crowd
}

func newServer(t *testing.T) *server {
	t.Helper()
	dir, err := os.MkdirTemp("", "cspg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil { // as root the database runs as another user
		t.Fatal(err)
	}
	s := &server{dir: dir}
	s.start(t)
	t.Cleanup(func() { _ = s.Stop(context.Background()) })
	if err := db.Bootstrap(t.Context(), s.URL(embedpg.Superuser, "postgres"), "certsaas"); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), s.URL(db.RoleOwner, "certsaas")); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *server) start(t *testing.T) {
	t.Helper()
	var err error
	if s.Server, err = embedpg.Start(t.Context(), s.dir, embedpg.Options{}); err != nil {
		t.Fatal(err)
	}
}

// restart is `pg_ctl restart -m immediate` with a pause: no goodbye, recovery at the start.
func (s *server) restart(t *testing.T, away time.Duration) {
	t.Helper()
	if err := syscall.Kill(s.PID(), syscall.SIGQUIT); err != nil {
		t.Fatal(err)
	}
	<-s.Exited()
	time.Sleep(away)
	s.start(t)
}

// disconnect ends every connection of the program.
func (s *server) disconnect(t *testing.T) {
	t.Helper()
	if n := s.count(t, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename LIKE 'certsaas%'`); n == 0 {
		t.Error("nobody was connected")
	}
}

// hang stops the server and all its processes for a while, as an overloaded disk or host would.
func (s *server) hang(t *testing.T, for_ time.Duration) {
	t.Helper()
	all := append(children(t, s.PID()), s.PID())
	signal := func(sig syscall.Signal) {
		for _, pid := range all {
			if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
				t.Error(err)
			}
		}
	}
	signal(syscall.SIGSTOP)
	time.Sleep(for_)
	signal(syscall.SIGCONT)
}

// children are the processes of a parent.
func children(t *testing.T, parent int) (out []int) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range all {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it ended
		}
		_, rest, _ := strings.Cut(string(raw), ") ")
		if f := strings.Fields(rest); len(f) > 1 && f[1] == strconv.Itoa(parent) {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			out = append(out, pid)
		}
	}
	return out
}

func (s *server) count(t *testing.T, sql string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL(embedpg.Superuser, "certsaas"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// pools checks that no connection was lost to the pools, and none is left in a transaction.
func (s *server) pools(t *testing.T) {
	t.Helper()
	if n := s.count(t, `SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'certsaas%'`); n > 2*16 {
		t.Errorf("%d connections, two pools of 16", n)
	}
	if n := s.count(t, `SELECT count(*) FROM pg_stat_activity WHERE usename LIKE 'certsaas%' AND state LIKE 'idle in%' AND state_change < now() - interval '2 seconds'`); n != 0 {
		t.Errorf("%d connections idle in a transaction", n)
	}
}

// outage does something to the database and tells how long after it everybody in the crowd was served again by a request of
// afterwards. With a watch, /readyz must have said 503 meanwhile.
func (s *server) outage(t *testing.T, w *watchman, do func()) time.Duration {
	t.Helper()
	var before int64
	if w != nil {
		before = w.unready.Load()
	}
	do()
	begin := time.Now()
	for !s.crowd.allServedSince(begin) {
		if time.Sleep(5 * time.Millisecond); time.Since(begin) > recovery {
			t.Errorf("not everybody is served %s after PostgreSQL was back", recovery)
			break
		}
	}
	if w != nil && w.unready.Load() == before {
		t.Error("/readyz did not say that the database is away")
	}
	return time.Since(begin).Round(time.Millisecond)
}

// watchman asks /livez and /readyz all the time.
type watchman struct {
	unready atomic.Int64
	stop    chan struct{}
	done    sync.WaitGroup
}

func observe(t *testing.T, p *program.Program) *watchman {
	t.Helper()
	w := &watchman{stop: make(chan struct{})}
	ask := func(path string, verdict func(status int)) {
		c := &http.Client{Timeout: 10 * time.Second}
		for {
			select {
			case <-w.stop:
				return
			case <-time.After(30 * time.Millisecond):
			}
			res, err := c.Get(p.URL("", path))
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return
			}
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			verdict(res.StatusCode)
		}
	}
	w.done.Go(func() {
		ask("/livez", func(status int) {
			if status != http.StatusOK {
				t.Errorf("/livez: %d", status)
			}
		})
	})
	w.done.Go(func() {
		ask("/readyz", func(status int) {
			switch status {
			case http.StatusOK:
			case http.StatusServiceUnavailable:
				w.unready.Add(1)
			default:
				t.Errorf("/readyz: %d", status)
			}
		})
	})
	return w
}

func (w *watchman) end() {
	close(w.stop)
	w.done.Wait()
}
