package db

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"time"

	"certsaas/core/fault"

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
	kind   kind
	begun  bool // PostgreSQL has been told BEGIN
	now    time.Time
	after  []func()
}

// kind is how a transaction begins: the pool it takes its connection from, and what goes ahead of its first statement, in
// the same message.
type kind struct {
	pool     func(*DB) *pgxpool.Pool
	lead     string // a statement that says for whom; $1 is who
	who      string // tenant's id, or component
	readOnly bool   // each statement is a transaction of its own
}

type txKey struct{}

// WithTenant runs fn in a transaction that sees and writes rows of one tenant only. It commits when fn returns nil, and rolls
// back on an error or panic. fn runs again, up to five times, when PostgreSQL asks for it (serialisation failure,
// deadlock): whatever it changes outside the database belongs into AfterCommit. Pass on the ctx fn is given.
func (d *DB) WithTenant(ctx context.Context, tenant uuid.UUID, fn func(ctx context.Context, tx *Tx) error) error {
	return d.run(ctx, tenant, kind{pool: appPool, lead: "SELECT set_config('app.tenant', $1, true)", who: tenant.String()}, fn)
}

// ReadTenant is WithTenant for looking only: each statement is its own transaction, asked and answered in one round trip, and
// PostgreSQL refuses it if it would change or lock anything. Two statements may see different states, as they may in WithTenant. It is for
// looking few rows up by key: a statement is planned once and for all values.
func (d *DB) ReadTenant(ctx context.Context, tenant uuid.UUID, fn func(ctx context.Context, tx *Tx) error) error {
	return d.run(ctx, tenant, kind{pool: appPool, readOnly: true, who: tenant.String(),
		lead: "SELECT set_config('app.tenant', $1, true), set_config('transaction_read_only', 'on', true), set_config('plan_cache_mode', 'force_generic_plan', true)"}, fn)
}

var componentName = regexp.MustCompile(`^[a-z0-9][a-z0-9/_.-]{0,40}$`)

// WithSystem runs fn in a transaction that crosses tenants, on behalf of a named component such as "scheduler/remind"; the
// name is shown in pg_stat_activity. Otherwise like WithTenant. Claim and scan here; work on each item in its own WithTenant.
func (d *DB) WithSystem(ctx context.Context, component string, fn func(ctx context.Context, tx *Tx) error) error {
	if !componentName.MatchString(component) {
		return fmt.Errorf("db: bad component name %q", component)
	}
	return d.run(ctx, uuid.Nil, kind{pool: systemPool, lead: "SELECT set_config('application_name', $1, true)", who: "certsaas " + component}, fn)
}

func appPool(d *DB) *pgxpool.Pool    { return d.app }
func systemPool(d *DB) *pgxpool.Pool { return d.system }

func (d *DB) run(ctx context.Context, tenant uuid.UUID, k kind, fn func(ctx context.Context, tx *Tx) error) error {
	if ctx.Value(txKey{}) != nil {
		return ErrNested
	}
	pool := k.pool(d)
	if pool == d.app && tenant == uuid.Nil {
		return errors.New("db: tenant transaction without a tenant")
	}
	for attempt := 1; ; attempt++ {
		tx := &Tx{tenant: tenant, kind: k, now: d.clock.Now().UTC().Truncate(time.Microsecond)}
		err := tx.attempt(context.WithValue(ctx, txKey{}, tx), pool, fn)
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

// attempt is one try: fn, whose first statement begins, and commit; rolled back in every other case, a panic included.
func (tx *Tx) attempt(ctx context.Context, pool *pgxpool.Pool, fn func(ctx context.Context, tx *Tx) error) (err error) {
	tx.conn, err = pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("db: connect: %w", err)
	}
	defer tx.conn.Release()
	defer func() { err = tx.lost(err) }()
	committed := false
	defer func() {
		if committed || !tx.begun {
			return
		}
		// the caller may be gone: roll back all the same, so that the connection can be used again
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), rollbackLimit)
		defer cancel()
		if _, rbErr := tx.end(ctx, "ROLLBACK"); rbErr != nil && !tx.conn.Conn().IsClosed() && err != nil {
			err = errors.Join(err, fmt.Errorf("db: rollback: %w", rbErr))
		}
	}()
	if err := fn(ctx, tx); err != nil || !tx.begun {
		return err
	}
	tag, err := tx.end(ctx, "COMMIT")
	if err != nil {
		return fmt.Errorf("db: commit: %w", err)
	}
	committed = true
	if tag != "COMMIT" { // PostgreSQL answers COMMIT of a failed transaction with ROLLBACK
		return errors.New("db: commit: an earlier statement failed and its error was ignored; nothing was saved")
	}
	return nil
}

// lost names the error of a transaction whose connection broke under it: the database was restarted, or ended the connection.
// What the driver says then (an unexpected end of input, a closed connection) is no bug, and the caller may try again.
func (tx *Tx) lost(err error) error {
	if err == nil || fault.From(err) != nil || !tx.conn.Conn().IsClosed() {
		return err
	}
	return fault.Wrap(fault.Unavailable, "db.unavailable", err)
}

// end sends COMMIT or ROLLBACK and returns what PostgreSQL made of it.
func (tx *Tx) end(ctx context.Context, sql string) (string, error) {
	results, err := tx.conn.Conn().PgConn().Exec(ctx, sql).ReadAll()
	if err != nil {
		return "", err
	}
	return results[0].CommandTag.String(), nil
}

// ahead sends a statement with what must go ahead of it, in one message, and reads the answers to the latter; nil when
// nothing must. The statement's own answer is read from the result, which the caller closes.
func (tx *Tx) ahead(ctx context.Context, sql string, args []any) (pgx.BatchResults, error) {
	if tx.begun {
		return nil, nil
	}
	b := &pgx.Batch{}
	if !tx.kind.readOnly {
		b.Queue("BEGIN")
		tx.begun = true
	}
	b.Queue(tx.kind.lead, tx.kind.who)
	lead := b.Len()
	b.Queue(sql, args...)
	sent := tx.conn.SendBatch(ctx, b)
	for range lead {
		if _, err := sent.Exec(); err != nil {
			return nil, errors.Join(err, sent.Close())
		}
	}
	return sent, nil
}

// Exec runs a statement.
func (tx *Tx) Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error) {
	sent, err := tx.ahead(ctx, sql, args)
	switch {
	case err != nil:
		return pgconn.CommandTag{}, Fault(err)
	case sent == nil:
		tag, err := tx.conn.Exec(ctx, sql, args...)
		return tag, Fault(err)
	}
	tag, err := sent.Exec()
	return tag, Fault(errors.Join(err, sent.Close()))
}

// Query runs a statement that answers rows; close them, or read them to the end, before the next statement.
func (tx *Tx) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	sent, err := tx.ahead(ctx, sql, args)
	switch {
	case err != nil:
		return nil, Fault(err)
	case sent == nil:
		got, err := tx.conn.Query(ctx, sql, args...)
		return &rows{Rows: got}, Fault(err)
	}
	got, err := sent.Query()
	r := &rows{Rows: got, sent: sent}
	if err != nil {
		r.Close()
	}
	return r, Fault(err)
}

// QueryRow runs a statement that answers at most one row; Scan answers ErrNoRows when there is none.
func (tx *Tx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	got, err := tx.Query(ctx, sql, args...)
	return row{got, err}
}

// Now is the time of this transaction, UTC, in whole microseconds as PostgreSQL keeps it: the same for everything it writes.
func (tx *Tx) Now() time.Time { return tx.now }

// Tenant is the tenant of the transaction, or uuid.Nil in a system transaction.
func (tx *Tx) Tenant() uuid.UUID { return tx.tenant }

// AfterCommit has f run once, after a successful commit only, in the caller's goroutine.
func (tx *Tx) AfterCommit(f func()) { tx.after = append(tx.after, f) }

// rows and row give errors that show late the same faults as Exec. The first statement's rows end the message they came in.
type rows struct {
	pgx.Rows
	sent   pgx.BatchResults
	failed error // from closing sent
}

func (r *rows) Next() bool {
	if r.Rows.Next() {
		return true
	}
	r.Close()
	return false
}

func (r *rows) Close() {
	r.Rows.Close()
	if r.sent != nil {
		r.failed, r.sent = r.sent.Close(), nil
	}
}

func (r *rows) Err() error {
	if err := r.Rows.Err(); err != nil {
		return Fault(err)
	}
	return Fault(r.failed)
}

func (r *rows) Scan(dest ...any) error { return Fault(r.Rows.Scan(dest...)) }

type row struct {
	rows pgx.Rows
	err  error
}

func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	defer r.rows.Close()
	if !r.rows.Next() {
		if err := r.rows.Err(); err != nil {
			return err
		}
		return ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return err
	}
	r.rows.Close()
	return r.rows.Err()
}

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
