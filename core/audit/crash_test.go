package audit_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"certsaas/core/audit"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/vault"

	"github.com/google/uuid"
)

// The test binary plays a program with nothing but a sealer in it when these are set.
const (
	sealerURL  = "AUDIT_TEST_SEALER_URL"
	sealerFile = "AUDIT_TEST_SEALER_FILE"
)

func TestMain(m *testing.M) {
	if address := os.Getenv(sealerURL); address != "" {
		fmt.Fprintln(os.Stderr, sealForEver(context.Background(), address, os.Getenv(sealerFile)))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// sealForEver seals until somebody kills it.
func sealForEver(ctx context.Context, address, file string) error {
	d, err := coretest.Connect(ctx, address, clock.System())
	if err != nil {
		return err
	}
	v, err := vault.Open(ctx, vault.Config{KEK: strings.Repeat("a1", 32)}, d)
	if err != nil {
		return err
	}
	s := audit.NewSealer(audit.SealerConfig{DB: d, Keys: audit.NewKeys(v.PlatformKeys()), CheckpointFile: file})
	for {
		n, err := s.RunOnce(ctx, 1000)
		if err != nil {
			return err
		}
		if n < 1000 {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

// TestSealerKilled has sixteen writers record entries, a tenth of their transactions rolled back, while the process that
// seals is killed (-9) five times: every committed entry is in its tenant's chain once, without a gap, none that was rolled
// back, the chain and its checkpoints hold, and it keeps up with a thousand entries a second (reliability L2).
func TestSealerKilled(t *testing.T) {
	t.Parallel()
	const writers, kills, tenants = 16, 5, 4
	each := coretest.Size(400, 10_000)
	address := coretest.DatabaseURL(t, db.RoleApp)
	d, err := coretest.Connect(t.Context(), address, clock.System())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	v, err := vault.Open(t.Context(), vault.Config{KEK: strings.Repeat("a1", 32)}, d)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "audit-checkpoints.jsonl")
	w := &scribes{t: t, db: d}
	for range tenants {
		w.tenants = append(w.tenants, db.NewID())
	}
	begin := time.Now()
	w.write(writers, each)
	last := killed(t, address, file, kills, func(n int) bool { return w.sealed() >= n*writers*each/(kills+1) })
	w.done.Wait()
	committed := int(w.committed.Load())
	for end := time.Now().Add(5 * time.Minute); w.sealed() < committed && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	took := time.Since(begin)
	last()
	w.whole(committed)
	findings, err := audit.Verify(t.Context(), d, audit.NewKeys(v.PlatformKeys()), file)
	if err != nil || len(findings) > 0 {
		t.Errorf("the chain: %v %v", findings, err)
	}
	rate := float64(committed) / took.Seconds()
	t.Logf("%d entries of %d writers, %d rolled back, sealer killed %d times: all sealed %.0f/s", committed, writers, w.undone.Load(), kills, rate)
	if coretest.Size(0, 1) == 1 && rate < 1000 { // at normal size the five starts weigh too much
		t.Errorf("%.0f entries a second", rate)
	}
}

// killed runs sealers one after the other: each is killed when its time has come; stop kills the last.
func killed(t *testing.T, address, file string, kills int, due func(n int) bool) (stop func()) {
	t.Helper()
	for n := 1; ; n++ {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), sealerURL+"="+address, sealerFile+"="+file)
		cmd.Stderr = os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		end := func() {
			_ = cmd.Process.Kill()
			if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
				t.Errorf("sealer %d ended by itself: %v", n, cmd.ProcessState)
			}
		}
		if n > kills {
			return end
		}
		for limit := time.Now().Add(2 * time.Minute); !due(n) && time.Now().Before(limit); {
			time.Sleep(time.Duration(rand.IntN(5)) * time.Millisecond)
		}
		end()
	}
}

// scribes record entries for several tenants.
type scribes struct {
	t                 *testing.T
	db                *db.DB
	tenants           []uuid.UUID
	done              sync.WaitGroup
	committed, undone atomic.Int64
}

var errUndo = errors.New("rolled back on purpose")

// write has n writers commit so many entries each, one to five a transaction; every tenth transaction is rolled back.
func (w *scribes) write(n, each int) {
	for i := range n {
		w.done.Go(func() {
			tenant := w.tenants[i%len(w.tenants)]
			for left := each; left > 0; {
				batch, undo := min(left, 1+rand.IntN(5)), rand.IntN(10) == 0
				err := w.db.WithTenant(staff(w.t.Context()), tenant, func(ctx context.Context, tx *db.Tx) error {
					for range batch {
						if err := audit.Record(ctx, tx, audit.Entry{Action: "order.review", Resource: "order/1", Detail: map[string]any{"undo": undo}}); err != nil {
							return err
						}
					}
					if undo {
						return errUndo
					}
					return nil
				})
				switch {
				case err == nil:
					left -= batch
					w.committed.Add(int64(batch))
				case errors.Is(err, errUndo):
					w.undone.Add(int64(batch))
				default:
					w.t.Error(err)
					return
				}
			}
		})
	}
}

// ask reads a number across tenants.
func (w *scribes) ask(sql string) (n int) {
	w.t.Helper()
	err := w.db.WithSystem(w.t.Context(), "test/audit", func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRow(ctx, sql).Scan(&n)
	})
	if err != nil {
		w.t.Error(err)
	}
	return n
}

func (w *scribes) sealed() int {
	return w.ask(`SELECT coalesce(sum(last), 0)::int FROM (SELECT max(seq) AS last FROM audit_seals GROUP BY tenant_id) x`)
}

// whole checks that the chains hold each committed entry once, without gaps.
func (w *scribes) whole(committed int) {
	w.t.Helper()
	for what, sql := range map[string]string{
		"entries":              `SELECT count(*)::int FROM audit_entries`,
		"seals":                `SELECT count(*)::int FROM audit_seals`,
		"entries in the chain": `SELECT count(DISTINCT (tenant_id, entry_id))::int FROM audit_seals s WHERE EXISTS (SELECT FROM audit_entries e WHERE e.tenant_id = s.tenant_id AND e.id = s.entry_id)`,
		"numbers in a row":     `SELECT sum(n)::int FROM (SELECT count(DISTINCT seq) AS n FROM audit_seals GROUP BY tenant_id HAVING min(seq) = 1 AND max(seq) = count(*)) x`,
	} {
		if n := w.ask(sql); n != committed {
			w.t.Errorf("%s: %d, want %d", what, n, committed)
		}
	}
	if n := w.ask(`SELECT count(*)::int FROM audit_entries WHERE detail->>'undo' = 'true'`); n != 0 {
		w.t.Errorf("%d entries of rolled-back transactions", n)
	}
}

// Half a line at the end of the checkpoint file, as a power cut leaves it, is neither a finding nor in the way of the next.
func TestHalfACheckpoint(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.record(t, b.tenant, 3)
	settled(t, b.db)
	seal(t, b.sealer, 3)
	whole, err := os.ReadFile(b.file)
	if err != nil || len(whole) == 0 {
		t.Fatalf("no checkpoint: %v", err)
	}
	if err := os.WriteFile(b.file, append(whole, whole[:len(whole)/2]...), 0o600); err != nil {
		t.Fatal(err)
	}
	if f := b.verify(t); len(f) != 0 {
		t.Errorf("half a line: %v", f)
	}
	b.clock.Advance(2 * time.Minute)
	b.record(t, b.tenant, 2)
	settled(t, b.db)
	seal(t, b.newSealer(b.file), 2)
	if f := b.verify(t); len(f) != 0 {
		t.Errorf("after the next checkpoint: %v", f)
	}
	if now, err := os.ReadFile(b.file); err != nil || strings.Count(string(now), "\n") != 2 || !strings.HasPrefix(string(now), string(whole)) {
		t.Errorf("the file: %v\n%s", err, now)
	}
}
