package db

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	maxAttempts   = 5               // of one transaction that collides with others
	rollbackLimit = 5 * time.Second // for the rollback itself, when the caller's context is gone
	backoffBase   = 10 * time.Millisecond
)

// ErrNested says that a transaction was opened inside another one; pass the *Tx instead.
var ErrNested = errors.New("db: transaction inside a transaction")

// Tx is one transaction. It belongs to the goroutine that runs its function, and ends with it.
type Tx struct {
	conn   *pgxpool.Conn
	tenant uuid.UUID
	now    time.Time
	after  []func()
}

type txKey struct{}

// WithTenant runs fn in a transaction that sees and writes rows of one tenant only. It commits when fn returns nil, and rolls
// back on an error or panic. fn runs again, up to five times, when PostgreSQL asks for it (serialisation failure,
// deadlock): whatever it changes outside the database belongs into AfterCommit. Pass on the ctx fn is given.
func (d *DB) WithTenant(ctx context.Context, tenant uuid.UUID, fn func(ctx context.Context, tx *Tx) error) error {
	if tenant == uuid.Nil {
		return errors.New("db: tenant transaction without a tenant")
	}
	// SET takes no parameters; uuid.String yields hexadecimal digits and hyphens only.
	return d.run(ctx, d.app, tenant, "BEGIN; SET LOCAL app.tenant = '"+tenant.String()+"'", fn)
}

var componentName = regexp.MustCompile(`^[a-z0-9][a-z0-9/_.-]{0,40}$`)

// WithSystem runs fn in a transaction that crosses tenants, on behalf of a named component such as "scheduler/remind"; the
// name is shown in pg_stat_activity. Otherwise like WithTenant. Claim and scan here; work on each item in its own WithTenant.
func (d *DB) WithSystem(ctx context.Context, component string, fn func(ctx context.Context, tx *Tx) error) error {
	if !componentName.MatchString(component) {
		return fmt.Errorf("db: bad component name %q", component)
	}
	return d.run(ctx, d.system, uuid.Nil, "BEGIN; SET LOCAL application_name = 'certsaas "+component+"'", fn)
}

func (d *DB) run(ctx context.Context, pool *pgxpool.Pool, tenant uuid.UUID, begin string, fn func(ctx context.Context, tx *Tx) error) error {
	if ctx.Value(txKey{}) != nil {
		return ErrNested
	}
	for attempt := 1; ; attempt++ {
		tx := &Tx{tenant: tenant, now: d.clock.Now().UTC().Truncate(time.Microsecond)}
		err := tx.attempt(context.WithValue(ctx, txKey{}, tx), pool, begin, fn)
		if err == nil {
			for _, f := range tx.after {
				f()
			}
			return nil
		}
		if attempt == maxAttempts || !collides(err) {
			return Fault(err)
		}
		wait := backoffBase << (attempt - 1)
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
			return Fault(errors.Join(ctx.Err(), err))
		}
	}
}

// attempt is one try: begin, fn, commit; rolled back in every other case, a panic included.
func (tx *Tx) attempt(ctx context.Context, pool *pgxpool.Pool, begin string, fn func(ctx context.Context, tx *Tx) error) (err error) {
	tx.conn, err = pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("db: connect: %w", err)
	}
	defer tx.conn.Release()
	if err := tx.simple(ctx, begin); err != nil {
		return fmt.Errorf("db: begin: %w", err)
	}
	committed := false
	defer func() {
		if committed {
			return
		}
		// the caller may be gone: roll back all the same, so that the connection can be used again
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackLimit)
		defer cancel()
		if rbErr := tx.simple(ctx, "ROLLBACK"); rbErr != nil && !tx.conn.Conn().IsClosed() && err != nil {
			err = errors.Join(err, fmt.Errorf("db: rollback: %w", rbErr))
		}
	}()
	if err := fn(ctx, tx); err != nil {
		return err
	}
	tag, err := tx.commit(ctx)
	if err != nil {
		return fmt.Errorf("db: commit: %w", err)
	}
	committed = true
	if tag != "COMMIT" { // PostgreSQL answers COMMIT of a failed transaction with ROLLBACK
		return errors.New("db: commit: an earlier statement failed and its error was ignored; nothing was saved")
	}
	return nil
}

// simple sends statements without parameters in one message, one round trip.
func (tx *Tx) simple(ctx context.Context, sql string) error {
	_, err := tx.conn.Conn().PgConn().Exec(ctx, sql).ReadAll()
	return err
}

func (tx *Tx) commit(ctx context.Context) (string, error) {
	results, err := tx.conn.Conn().PgConn().Exec(ctx, "COMMIT").ReadAll()
	if err != nil {
		return "", err
	}
	return results[0].CommandTag.String(), nil
}

// Exec runs a statement.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	tag, err := tx.conn.Exec(ctx, sql, args...)
	return tag, Fault(err)
}

// Query runs a statement that answers rows; close them, or read them to the end, before the next statement.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	got, err := tx.conn.Query(ctx, sql, args...)
	return rows{got}, Fault(err)
}

// QueryRow runs a statement that answers at most one row; Scan answers ErrNoRows when there is none.
func (tx *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return row{tx.conn.QueryRow(ctx, sql, args...)}
}

// Now is the time of this transaction, UTC, in whole microseconds as PostgreSQL keeps it: the same for everything it writes.
func (tx *Tx) Now() time.Time { return tx.now }

// Tenant is the tenant of the transaction, or uuid.Nil in a system transaction.
func (tx *Tx) Tenant() uuid.UUID { return tx.tenant }

// AfterCommit has f run once, after a successful commit only, in the caller's goroutine.
func (tx *Tx) AfterCommit(f func()) { tx.after = append(tx.after, f) }

// rows and row give errors that show late the same faults as Exec.
type rows struct{ pgx.Rows }

func (r rows) Err() error             { return Fault(r.Rows.Err()) }
func (r rows) Scan(dest ...any) error { return Fault(r.Rows.Scan(dest...)) }

type row struct{ inner pgx.Row }

func (r row) Scan(dest ...any) error { return Fault(r.inner.Scan(dest...)) }

// collides reports whether PostgreSQL undid the transaction because of others and it may simply be tried again: a serialisation failure, a
// deadlock, or a statement prepared before somebody migrated the schema.
func collides(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	return pg.Code == "40001" || pg.Code == "40P01" ||
		pg.Code == "0A000" && strings.Contains(pg.Message, "cached plan")
}
