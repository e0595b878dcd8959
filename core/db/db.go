// Package db is the only way to the database.
//
// In: two connection addresses, for the roles certsaas_app and certsaas_system, and a clock. Out: transactions. A
// tenant transaction sees and writes the rows of one tenant only, since PostgreSQL's row-level security is bound to
// it; a system transaction crosses tenants and names the component it works for. The pools are not exported: no SQL
// runs outside a transaction. Errors come back with a kind of core/fault where the reader can do something about them.
package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"certsaas/core/clock"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// The roles of the database. Only RoleOwner owns tables, and only migrations use it.
const (
	RoleOwner  = "certsaas_owner"
	RoleApp    = "certsaas_app"
	RoleSystem = "certsaas_system"
	RoleRead   = "certsaas_ro"
)

// Server-side limits of every connection: a stuck statement or a forgotten transaction ends by itself.
const (
	statementTimeout = "30s"
	lockTimeout      = "5s"
	idleTxTimeout    = "30s"
)

// Options say where the database is.
type Options struct {
	AppURL    string // address for role certsaas_app
	SystemURL string // address for role certsaas_system
	MaxConns  int32  // per pool; 0 = 16
	Clock     clock.Clock
}

// DB is the pair of pools. It is safe for concurrent use.
type DB struct {
	app, system *pgxpool.Pool
	clock       clock.Clock
}

// Open connects and checks that both roles are as harmless as isolation needs: no superuser, no BYPASSRLS, owner of
// nothing. Anything else is an error, and the program must not start.
func Open(ctx context.Context, o Options) (*DB, error) {
	if o.Clock == nil {
		return nil, errors.New("db: open: no clock")
	}
	app, err := openPool(ctx, o.AppURL, o.MaxConns)
	if err != nil {
		return nil, err
	}
	system, err := openPool(ctx, o.SystemURL, o.MaxConns)
	if err != nil {
		app.Close()
		return nil, err
	}
	d := &DB{app: app, system: system, clock: o.Clock}
	for _, pool := range []*pgxpool.Pool{app, system} {
		if err := checkRole(ctx, pool); err != nil {
			d.Close()
			return nil, err
		}
	}
	return d, nil
}

// Close ends all connections; it waits for transactions under way.
func (d *DB) Close() {
	d.app.Close()
	d.system.Close()
}

// Ping reports whether the database answers, as fault.Unavailable otherwise.
func (d *DB) Ping(ctx context.Context) error {
	for _, pool := range []*pgxpool.Pool{d.app, d.system} {
		if err := pool.Ping(ctx); err != nil {
			return fmt.Errorf("db: ping: %w", Fault(err))
		}
	}
	return nil
}

// NewID makes an id: a UUID of version 7, whose first bits are the time, so that new rows lie together in an index.
func NewID() uuid.UUID { return uuid.Must(uuid.NewV7()) }

// ErrNoRows is what QueryRow(…).Scan answers when there is no row.
var ErrNoRows = pgx.ErrNoRows

func openPool(ctx context.Context, address string, maxConns int32) (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("db: address: %w", err)
	}
	cfg.MaxConns = 16
	if maxConns > 0 {
		cfg.MaxConns = maxConns
	}
	cfg.AfterConnect = speakUUID
	cfg.MaxConnLifetime = time.Hour
	cfg.MaxConnLifetimeJitter = 10 * time.Minute
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = 10 * time.Second
	}
	cfg.ConnConfig.RuntimeParams["statement_timeout"] = statementTimeout
	cfg.ConnConfig.RuntimeParams["lock_timeout"] = lockTimeout
	cfg.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = idleTxTimeout
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	cfg.ConnConfig.RuntimeParams["application_name"] = "certsaas"
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("db: pool: %w", err)
	}
	return pool, nil
}

// checkRole refuses a role that row-level security does not bind, and a server with known holes in it.
func checkRole(ctx context.Context, pool *pgxpool.Pool) error {
	var (
		role            string
		version, tables int
		super, bypass   bool
	)
	err := pool.QueryRow(ctx, `
		SELECT current_user, current_setting('server_version_num')::int, r.rolsuper, r.rolbypassrls,
		       (SELECT count(*) FROM pg_class c WHERE pg_has_role(current_user, c.relowner, 'USAGE') AND c.relkind IN ('r', 'p', 'v', 'm'))
		FROM pg_roles r WHERE r.rolname = current_user`).Scan(&role, &version, &super, &bypass, &tables)
	if err != nil {
		return fmt.Errorf("db: role: %w", Fault(err))
	}
	if super || bypass || tables > 0 {
		return fmt.Errorf("db: role %s must not be superuser (%t), bypass row-level security (%t), or own tables (%d): tenants would not be kept apart; connect as %s and %s",
			role, super, bypass, tables, RoleApp, RoleSystem)
	}
	return checkServerVersion(version)
}
