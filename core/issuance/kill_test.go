package issuance_test

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/platform/platformtest"
	"certsaas/core/token/softtoken"
)

// What a worker process is told; see work.
const (
	workerURL    = "ISSUANCE_TEST_URL"
	workerData   = "ISSUANCE_TEST_DATA"   // DATA_DIR
	workerTokens = "ISSUANCE_TEST_TOKENS" // directory of the keys
	workerDealer = "ISSUANCE_TEST_DEALER" // tenant and account
	workerClock  = "ISSUANCE_TEST_CLOCK"  // how far the test's clock is ahead of the machine's
)

// hands is how many keys are written at the same time.
const hands = 16

func TestMain(m *testing.M) {
	if address := os.Getenv(workerURL); address != "" {
		fmt.Fprintln(os.Stderr, "worker:", work(context.Background(), address))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestWorkerKilled writes certificates into SoftHSM keys, sixteen at a time, by a process that holds the whole platform and
// the keys' driver and is killed (-9) ten times: no serial number twice, no item with two live certificates, nothing that was
// acknowledged is lost, no signature that the platform does not know, and the next process goes on within five seconds
// (reliability C2).
func TestWorkerKilled(t *testing.T) {
	t.Parallel()
	if _, err := softtoken.FindModule(); err != nil {
		t.Fatal(err)
	}
	orders, kills := coretest.Size(8, 400), coretest.Size(2, 10)
	b := platformtest.NewBench(t)
	var items []order.Item
	for range orders {
		items = append(items, b.Items(b.Approved(platformtest.Renew, uuid.Nil, form.Answers{"quantity": "5"}))...)
	}
	f := &factory{b: b, tokens: t.TempDir(), acked: map[string]string{}}
	begin := time.Now()
	for n := 1; n <= kills; n++ {
		f.run(n*len(items)/(kills+1), true)
	}
	f.run(len(items), false)
	took := time.Since(begin)
	if n, err := b.Issuance.Sweep(t.Context(), 0, 100); err != nil {
		t.Errorf("sweep: %d, %v", n, err)
	}
	f.check(items)
	t.Logf("%d certificates in %d keys at a time, worker killed %d times: %.1f/s; the next one went on after at most %s",
		len(items), hands, kills, float64(len(items))/took.Seconds(), f.slowest.Round(time.Millisecond))
	if coretest.Size(0, 1) == 1 && f.slowest > 5*time.Second {
		t.Errorf("a new worker went on after %s", f.slowest)
	}
}

// factory runs workers one after the other.
type factory struct {
	b       *platformtest.Bench
	tokens  string
	acked   map[string]string // item → serial number, as a worker was told that it is done
	slowest time.Duration     // from a kill to the next certificate
	killed  time.Time
}

// run starts a worker and waits until so many items are done; then it is killed, a moment later, or ends by itself.
func (f *factory) run(until int, kill bool) {
	f.b.T.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), workerURL+"="+coretest.Address(f.b.T, f.b.DB, db.RoleApp), workerData+"="+f.b.DataDir, workerTokens+"="+f.tokens,
		workerDealer+"="+f.b.ID.String()+" "+f.b.Account.String(), workerClock+"="+time.Until(f.b.Clock.Now()).String())
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		f.b.T.Fatal(err)
	}
	lines, armed := bufio.NewScanner(out), false
	for lines.Scan() {
		item, serial, ok := strings.Cut(lines.Text(), " ")
		if !ok {
			continue
		}
		if _, again := f.acked[item]; again {
			f.b.T.Errorf("item %s was done twice", item)
		}
		if f.acked[item] = serial; !f.killed.IsZero() {
			f.slowest, f.killed = max(f.slowest, time.Since(f.killed)), time.Time{}
		}
		if kill && !armed && len(f.acked) >= until {
			armed = true
			time.AfterFunc(time.Duration(rand.IntN(50))*time.Millisecond, func() { _ = cmd.Process.Kill() })
		}
	}
	_ = cmd.Wait()
	switch status := cmd.ProcessState.Sys().(syscall.WaitStatus); {
	case kill && !status.Signaled():
		f.b.T.Fatalf("the worker ended by itself: %v", cmd.ProcessState)
	case !kill && len(f.acked) < until/2:
		f.b.T.Fatalf("the last worker did %d of %d", len(f.acked), until)
	}
	f.killed = time.Now()
}

// check compares what workers were told with what the platform knows.
func (f *factory) check(items []order.Item) {
	b := f.b
	b.T.Helper()
	for what, sql := range map[string]string{
		"active certificates":                     `SELECT count(*) FROM certificates WHERE state = 'active' AND item_id IS NOT NULL`,
		"items with exactly one live certificate": `SELECT count(*) FROM (SELECT item_id FROM certificates WHERE state IN ('issued', 'active') GROUP BY item_id HAVING count(*) = 1) x`,
		"items done":                              `SELECT count(*) FROM order_items WHERE state = 'done'`,
	} {
		if n := b.Count(sql); n != len(items) {
			b.T.Errorf("%s: %d, want %d", what, n, len(items))
		}
	}
	for what, sql := range map[string]string{
		"serial numbers given twice":              `SELECT count(*) - count(DISTINCT serial) FROM certificates`,
		"serial numbers announced twice":          `SELECT count(*) - count(DISTINCT serial) FROM issuance_intents`,
		"items with two live certificates":        `SELECT count(*) FROM (SELECT 1 FROM certificates WHERE state IN ('issued', 'active') GROUP BY item_id HAVING count(*) > 1) x`,
		"announced, and neither issued nor taken": `SELECT count(*) FROM issuance_intents WHERE state = 'prepared'`,
	} {
		if n := b.Count(sql); n != 0 {
			b.T.Errorf("%s: %d", what, n)
		}
	}
	for item, serial := range f.acked {
		if n := b.Count(`SELECT count(*) FROM certificates WHERE item_id = $1 AND state = 'active' AND upper(encode(serial, 'hex')) = upper($2)`, uuid.MustParse(item), serial); n != 1 {
			b.T.Errorf("item %s: its key holds %s, which is not its live certificate", item, serial)
		}
	}
}

// keyID names the container of an item in its key: the same after any crash, as the key agent's.
func keyID(item uuid.UUID) []byte {
	sum := sha256.Sum256([]byte("container " + item.String()))
	return sum[:16]
}

// tokenDir is the directory of one hand's key.
func tokenDir(base string) string { return filepath.Join(base, "keys") }
