package vault_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/vault"

	"github.com/google/uuid"
)

// cell is something sealed for a tenant.
type cell struct {
	tenant, row uuid.UUID
	sealed      []byte
}

// crowd reads and writes sealed cells with several processes' vaults until it is told to stop.
type crowd struct {
	t     *testing.T
	d     *db.DB
	mu    sync.Mutex
	cells []cell
	done  atomic.Int64
	tick  chan struct{} // one for each read
}

// seal writes one cell of a tenant, whose key is made if it is the first.
func (c *crowd) seal(v *vault.Vault, tenant uuid.UUID) error {
	x := cell{tenant: tenant, row: db.NewID()}
	err := c.d.WithTenant(c.t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error {
		k, err := v.Keys(ctx, tx, tenant)
		if err == nil {
			x.sealed = k.Seal("c", x.row, x.row[:])
		}
		return err
	})
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cells = append(c.cells, x)
	return nil
}

// read opens a cell.
func (c *crowd) read(v *vault.Vault, x cell) error {
	return c.d.WithTenant(c.t.Context(), x.tenant, func(ctx context.Context, tx *db.Tx) error {
		k, err := v.Keys(ctx, tx, x.tenant)
		if err != nil {
			return err
		}
		plain, err := k.Open("c", x.row, x.sealed)
		if err == nil && !bytes.Equal(plain, x.row[:]) {
			err = errors.New("opened as something else")
		}
		return err
	})
}

// work reads with a process that was there before and, at times, with one that has just started; makers also bring new tenants.
func (c *crowd) work(old *vault.Vault, conf vault.Config, maker bool, stop <-chan struct{}) {
	for n := 0; ; n++ {
		select {
		case <-stop:
			return
		default:
		}
		v := old
		if n%8 == 0 {
			fresh, err := vault.Open(c.t.Context(), conf, c.d)
			if err != nil {
				c.t.Errorf("a process does not start: %v", err)
				return
			}
			v = fresh
		}
		if maker {
			if err := c.seal(v, db.NewID()); err != nil {
				c.t.Errorf("a new tenant: %v", err)
				return
			}
			continue
		}
		c.mu.Lock()
		x := c.cells[rand.IntN(len(c.cells))]
		c.mu.Unlock()
		if err := errors.Join(c.read(v, x), c.seal(v, x.tenant)); err != nil {
			c.t.Errorf("a tenant of old: %v", err)
			return
		}
		c.done.Add(1)
		select {
		case c.tick <- struct{}{}:
		case <-stop:
			return
		}
	}
}

var errKilled = errors.New("killed")

// TestRotateWhileServing is K3: a rotation goes through while processes read, write and take new tenants on, is cut off several
// times between two tenants, run again and again, and the key before is dropped: no error, everything opens.
func TestRotateWhileServing(t *testing.T) {
	t.Parallel()
	d, dir := coretest.DB(t), t.TempDir()
	conf := vault.Config{DataDir: dir}
	first := open(t, d, vault.Config{DataDir: dir, Create: true})
	before := open(t, d, conf) // knows the old key alone, and has no tenant's key in memory
	c := &crowd{t: t, d: d, tick: make(chan struct{})}
	for range coretest.Size(20, 2000) {
		if err := c.seal(first, db.NewID()); err != nil {
			t.Fatal(err)
		}
	}
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for i := range 3 {
		workers.Go(func() { c.work(before, conf, i == 0, stop) })
	}
	from, seen := generations(t, first), map[uuid.UUID]string{}
	for _, cut := range []int{0, 3, 7, 1 << 30} {
		n := 0
		r, err := open(t, d, conf).Rotate(t.Context(), func(_ context.Context, _ *db.Tx, r vault.Rewrapped) error {
			if n == cut {
				return errKilled // rolls this tenant back
			}
			n++
			<-c.tick // the others are at work meanwhile
			<-c.tick
			if seen[r.Tenant] != "" || r.From != from.Current {
				t.Errorf("%s is wrapped anew twice: %+v", r.Tenant, r)
			}
			seen[r.Tenant] = r.To
			return nil
		})
		if cut < 1<<30 {
			if !errors.Is(err, errKilled) || r.Rewrapped != cut {
				t.Fatalf("cut after %d: %+v, %v", cut, r, err)
			}
			continue
		}
		if err != nil || r.To == from.Current || filepath.Base(r.Retired) != "kek-"+from.Current {
			t.Fatalf("to the end: %+v, %v", r, err)
		}
		if err := os.Remove(r.Retired); err != nil { // the old key is gone
			t.Fatal(err)
		}
	}
	for range 20 { // and they are still at work, when the old key is gone
		<-c.tick
	}
	close(stop)
	workers.Wait()
	if len(seen) < coretest.Size(20, 2000)+1 {
		t.Errorf("%d data keys were wrapped anew", len(seen))
	}
	c.aftermath(before, conf)
	t.Logf("%d data keys wrapped anew during %d reads and writes", len(seen), c.done.Load())
}

func generations(t *testing.T, v *vault.Vault) vault.Generations {
	t.Helper()
	g, err := v.Generations(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// aftermath opens every cell with the new key alone, in a process of before and in a new one, and looks for traces of the old one.
func (c *crowd) aftermath(before *vault.Vault, conf vault.Config) {
	after := open(c.t, c.d, conf)
	for _, x := range c.cells {
		if err := errors.Join(c.read(after, x), c.read(before, x)); err != nil {
			c.t.Fatal(err)
		}
	}
	if g := generations(c.t, after); g.Given != 1 || len(g.Old) != 0 {
		c.t.Errorf("an old key is in use: %+v", g)
	}
	left, err := os.ReadDir(filepath.Join(conf.DataDir, "keys"))
	if err != nil {
		c.t.Fatal(err)
	}
	for _, f := range left {
		if info, err := f.Info(); err != nil || info.Mode().Perm() != 0o600 || f.Name() != "kek" && f.Name() != "kek.lock" {
			c.t.Errorf("left behind: %s %v %v", f.Name(), info.Mode(), err)
		}
	}
}

// A rotation that died when nothing was left to wrap is finished by the next, without a third key; two at once are not let in.
func TestRotateAgain(t *testing.T) {
	t.Parallel()
	d, dir := coretest.DB(t), t.TempDir()
	conf := vault.Config{DataDir: dir}
	v := open(t, d, vault.Config{DataDir: dir, Create: true})
	path := filepath.Join(dir, "keys", "kek")
	old := read(t, path)
	r, err := v.Rotate(t.Context(), func(ctx context.Context, _ *db.Tx, _ vault.Rewrapped) error {
		if _, err := open(t, d, conf).Rotate(ctx, nil); err == nil || !strings.Contains(err.Error(), "another rotation") {
			t.Errorf("a second rotation beside the first: %v", err)
		}
		return nil
	})
	if err != nil || r.Rewrapped != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	now := read(t, path)
	if err := os.WriteFile(path, []byte(now+","+old), 0o600); err != nil {
		t.Fatal(err)
	}
	if g := generations(t, open(t, d, conf)); g.Given != 2 {
		t.Errorf("%+v", g)
	}
	again, err := open(t, d, conf).Rotate(t.Context(), nil)
	if err != nil || again.To != r.To || again.Rewrapped != 0 || read(t, path) != now {
		t.Errorf("finished: %+v, %v", again, err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(raw))
}

// A key in the variable is the operator's to change: without a new one nothing happens, with one the old is not needed afterwards.
func TestRotateKeyOfTheOperator(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	tenant, row := db.NewID(), db.NewID()
	v := open(t, d, vault.Config{KEK: kekA})
	sealed := keys(t, d, v, tenant).Seal("c", row, []byte("x"))
	if _, err := v.Rotate(t.Context(), nil); !errors.Is(err, vault.ErrOneKEK) {
		t.Fatalf("with one key: %v", err)
	}
	both := open(t, d, vault.Config{KEK: kekB + "," + kekA})
	if g := generations(t, both); g.Old[generations(t, v).Current] != 2 {
		t.Errorf("before: %+v", g)
	}
	r, err := both.Rotate(t.Context(), func(context.Context, *db.Tx, vault.Rewrapped) error { return nil })
	if err != nil || r.Rewrapped != 2 || r.Retired != "" {
		t.Fatalf("%+v (%v), want the tenant's and the platform's", r, err)
	}
	k := keys(t, d, open(t, d, vault.Config{KEK: kekB}), tenant)
	if got, err := k.Open("c", row, sealed); err != nil || string(got) != "x" {
		t.Errorf("after rotation: %q, %v", got, err)
	}
}

// Who makes a data key while a rotation begins is waited for, and who slept through the rotation wraps with the new key: nothing
// is left that the old key alone opens.
func TestRotateMissesNoNewTenant(t *testing.T) {
	t.Parallel()
	d, dir := coretest.DB(t), t.TempDir()
	conf := vault.Config{DataDir: dir}
	open(t, d, vault.Config{DataDir: dir, Create: true})
	asleep, slow := open(t, d, conf), open(t, d, conf)
	made, release, ended := make(chan struct{}), make(chan struct{}), make(chan error, 2)
	go func() {
		ended <- d.WithTenant(t.Context(), uuid.Max, func(ctx context.Context, tx *db.Tx) error {
			_, err := slow.Keys(ctx, tx, uuid.Max) // wrapped by the old key, and not committed
			close(made)
			<-release
			return err
		})
	}()
	<-made
	rotated := make(chan vault.Rotation)
	go func() {
		r, err := open(t, d, conf).Rotate(t.Context(), func(context.Context, *db.Tx, vault.Rewrapped) error { return nil })
		if err != nil {
			t.Error(err)
		}
		rotated <- r
	}()
	for waiting := false; !waiting; {
		select {
		case r := <-rotated:
			close(release)
			t.Fatalf("did not wait for the tenant that was being made: %+v", r)
		default:
			coretest.OwnerRow(t, d, []any{&waiting}, `SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
				AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`)
		}
	}
	close(release)
	if r, err := <-rotated, <-ended; err != nil || r.Rewrapped != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	keys(t, d, asleep, db.NewID())
	if g := generations(t, open(t, d, conf)); g.Given != 1 || len(g.Old) != 0 {
		t.Errorf("an old key is in use: %+v", g)
	}
}
