package db_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"

	"github.com/jackc/pgx/v5/pgconn"
)

func TestCommitAndRollback(t *testing.T) {
	t.Parallel()
	c := clock.NewFake(time.Date(2026, 11, 28, 2, 0, 0, 123456789, time.UTC))
	d := coretest.DBAt(t, c)
	tenant := db.NewID()
	boom := errors.New("boom")
	after := 0
	count := func() (n int) {
		err := d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) (err error) {
			n, err = countCounters(ctx, tx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	write := func(name string, end func(ctx context.Context, tx *db.Tx) error) error {
		return d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error {
			tx.AfterCommit(func() { after++ })
			if err := addCounter(ctx, tx, tenant, name); err != nil {
				return err
			}
			return end(ctx, tx)
		})
	}
	if err := write("kept", func(_ context.Context, tx *db.Tx) error {
		c.Advance(time.Second)
		if want := time.Date(2026, 11, 28, 2, 0, 0, 123456000, time.UTC); tx.Now() != want || tx.Tenant() != tenant {
			t.Errorf("now %v, tenant %s", tx.Now(), tx.Tenant())
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := write("failed", func(context.Context, *db.Tx) error { return boom }); !errors.Is(err, boom) {
		t.Errorf("error %v, want the function's own", err)
	}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = write("panicked", func(context.Context, *db.Tx) error { panic("x") })
	}()
	if err := write("ignored", func(ctx context.Context, tx *db.Tx) error {
		_, _ = tx.Exec(ctx, "SELECT 1/0") // a careless caller
		return nil
	}); err == nil {
		t.Error("a transaction with an ignored error reports success")
	}
	nested := write("nested", func(ctx context.Context, _ *db.Tx) error {
		return d.WithSystem(ctx, "test", func(context.Context, *db.Tx) error { return nil })
	})
	if !errors.Is(nested, db.ErrNested) {
		t.Errorf("nested transaction: %v", nested)
	}
	if n := count(); n != 1 || after != 1 {
		t.Errorf("%d rows, %d hooks after commit; want one each", n, after)
	}
}

func TestCollisionsAreRetried(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	for code, wantCalls := range map[string]int{"40001": 3, "40P01": 3, "23505": 1} {
		calls, after := 0, 0
		err := d.WithSystem(t.Context(), "test", func(ctx context.Context, tx *db.Tx) error {
			calls++
			tx.AfterCommit(func() { after++ })
			if calls < 3 {
				return &pgconn.PgError{Code: code}
			}
			return nil
		})
		if calls != wantCalls || (err == nil) != (wantCalls == 3) || (err == nil) != (after == 1) {
			t.Errorf("%s: %d calls, %d hooks, error %v", code, calls, after, err)
		}
	}
	calls := 0
	err := d.WithSystem(t.Context(), "test", func(context.Context, *db.Tx) error {
		calls++
		return &pgconn.PgError{Code: "40001"}
	})
	if calls != 5 || !errors.Is(err, fault.Unavailable) {
		t.Errorf("%d calls, %v; want 5 and unavailable", calls, err)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	tenant := db.NewID()
	run := func(f func(ctx context.Context, tx *db.Tx) error) error { return d.WithTenant(t.Context(), tenant, f) }
	twice := run(func(ctx context.Context, tx *db.Tx) error {
		return errors.Join(addCounter(ctx, tx, tenant, "x"), addCounter(ctx, tx, tenant, "x"))
	})
	if !errors.Is(twice, fault.Conflict) {
		t.Errorf("unique violation: %v", twice)
	}
	slow := run(func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 10")
		if err == nil {
			_, err = tx.Exec(ctx, "SELECT pg_sleep(5)")
		}
		return err
	})
	if !errors.Is(slow, fault.Unavailable) {
		t.Errorf("time-out: %v", slow)
	}
	none := run(func(ctx context.Context, tx *db.Tx) error {
		var n int
		return tx.QueryRow(ctx, "SELECT value FROM counters").Scan(&n)
	})
	if !errors.Is(none, db.ErrNoRows) || fault.From(none) != nil {
		t.Errorf("no rows: %v", none)
	}
	bug := run(func(ctx context.Context, tx *db.Tx) error { _, err := tx.Exec(ctx, "SELECT nonsense"); return err })
	if bug == nil || fault.From(bug) != nil {
		t.Errorf("a bug must stay internal: %v", bug)
	}
	_, err := db.Open(t.Context(), db.Options{AppURL: "postgres://x@/x?host=/nowhere", SystemURL: "postgres://x@/x?host=/nowhere", Clock: clock.System()})
	if !errors.Is(err, fault.Unavailable) {
		t.Errorf("server away: %v", err)
	}
}

// TestSchemaChangesUnderneath changes a table's columns while the statement that reads them is prepared (a migration under a running program).
func TestSchemaChangesUnderneath(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	tenant := db.NewID()
	read := func() error {
		return d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error {
			rows, err := tx.Query(ctx, "SELECT * FROM counters WHERE tenant_id = $1", tenant)
			if err != nil {
				return err
			}
			rows.Close()
			return rows.Err()
		})
	}
	for range 2 {
		if err := read(); err != nil {
			t.Fatal(err)
		}
		coretest.OwnerExec(t, d, "ALTER TABLE counters ADD COLUMN c"+db.NewID().String()[28:]+" int")
	}
	if err := read(); err != nil {
		t.Errorf("after the change: %v", err)
	}
}

// TestAbandonedCaller has the caller's context end in the middle: the work is undone and the connection still serves.
func TestAbandonedCaller(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	tenant := db.NewID()
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		err := d.WithTenant(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
			err := addCounter(ctx, tx, tenant, "x")
			cancel()
			return err
		})
		if err == nil {
			t.Fatal("committed for a caller who had left")
		}
	}
	err := d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error { return addCounter(ctx, tx, tenant, "x") })
	if err != nil {
		t.Error(err)
	}
}
