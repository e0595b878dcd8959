// Package coretest gives tests what the program runs on.
//
// Out: a real PostgreSQL database per test, migrated, empty, and dropped afterwards, reached as the program's own
// roles, never as owner: a superuser skips row-level security and such a test would prove nothing. The server is started on
// first use, shared by the test binaries that run, and stops by itself.
package coretest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/url"
	"sync"
	"testing"

	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/migrations"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const testConns = 8 // per pool and test

// admin is this process's connection to the cluster, as superuser.
type admin struct {
	pool     *pgxpool.Pool
	url      string
	template string
}

var cluster = sync.OnceValues(func() (*admin, error) {
	ctx := context.Background()
	address, err := joinCluster(ctx)
	if err != nil {
		return nil, err
	}
	cfg, err := pgxpool.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("coretest: %w", err)
	}
	cfg.MaxConns = 4
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("coretest: %w", err)
	}
	a := &admin{pool: pool, url: address}
	return a, a.makeTemplate(ctx)
})

// owners remembers how to look behind each database.
var owners sync.Map // *db.DB → superuser's address

// DB is a database of the test's own, with the machine's clock.
func DB(t testing.TB) *db.DB {
	t.Helper()
	return DBAt(t, clock.System())
}

// DBAt is DB with a clock of the test's own.
func DBAt(t testing.TB, c clock.Clock) *db.DB {
	t.Helper()
	address := DatabaseURL(t, db.RoleApp)
	d, err := Connect(t.Context(), address, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	owner, err := db.AsRole(address, "postgres")
	if err != nil {
		t.Fatal(err)
	}
	owners.Store(d, owner)
	t.Cleanup(func() { owners.Delete(d) })
	return d
}

// Connect opens a database as the program does, given its address in any role.
func Connect(ctx context.Context, address string, c clock.Clock) (*db.DB, error) {
	app, err := db.AsRole(address, db.RoleApp)
	if err != nil {
		return nil, err
	}
	system, err := db.AsRole(address, db.RoleSystem)
	if err != nil {
		return nil, err
	}
	return db.Open(ctx, db.Options{AppURL: app, SystemURL: system, MaxConns: testConns, Clock: c})
}

// DatabaseURL makes a migrated database of the test's own and returns its address for a role; db.AsRole makes those of the
// others. It is dropped when the test ends.
func DatabaseURL(t testing.TB, role string) string {
	t.Helper()
	a, err := cluster()
	if err != nil {
		t.Fatal(err)
	}
	return a.create(t, role, "OWNER "+db.RoleOwner+" TEMPLATE "+a.template+" STRATEGY FILE_COPY")
}

// Address is where a database made by DB is, for a role: another process may go there.
func Address(t testing.TB, d *db.DB, role string) string {
	t.Helper()
	owner, ok := owners.Load(d)
	if !ok {
		t.Fatal("coretest: not a database made by coretest.DB")
	}
	address, err := db.AsRole(owner.(string), role)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// EmptyDatabaseURL is DatabaseURL without migrations; the roles are there.
func EmptyDatabaseURL(t testing.TB, role string) string {
	t.Helper()
	a, err := cluster()
	if err != nil {
		t.Fatal(err)
	}
	return a.create(t, role, "OWNER "+db.RoleOwner+" TEMPLATE template0 STRATEGY FILE_COPY")
}

// OwnerExec runs SQL behind the program's back, as superuser, on the database of d: to tamper, or to set up what no
// role of the program may write. Several statements may stand in sql when there are no args.
func OwnerExec(t testing.TB, d *db.DB, sql string, args ...any) {
	t.Helper()
	withOwner(t, d, func(conn *pgx.Conn) error {
		if len(args) == 0 {
			_, err := conn.PgConn().Exec(t.Context(), sql).ReadAll()
			return err
		}
		_, err := conn.Exec(t.Context(), sql, args...)
		return err
	})
}

// OwnerRow reads one row of the database of d as superuser, past row-level security, into dest.
func OwnerRow(t testing.TB, d *db.DB, dest []any, sql string, args ...any) {
	t.Helper()
	withOwner(t, d, func(conn *pgx.Conn) error {
		return conn.QueryRow(t.Context(), sql, args...).Scan(dest...)
	})
}

func withOwner(t testing.TB, d *db.DB, f func(conn *pgx.Conn) error) {
	t.Helper()
	address, ok := owners.Load(d)
	if !ok {
		t.Fatal("coretest: not a database made by coretest.DB")
	}
	conn, err := pgx.Connect(t.Context(), address.(string))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if err := f(conn); err != nil {
		t.Fatal(err)
	}
}

func (a *admin) create(t testing.TB, role, how string) string {
	t.Helper()
	id := db.NewID()
	name := "t_" + hex.EncodeToString(id[:])
	if _, err := a.pool.Exec(t.Context(), "CREATE DATABASE "+name+" "+how); err != nil {
		t.Fatalf("coretest: create database: %v", err)
	}
	t.Cleanup(func() {
		if _, err := a.pool.Exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Errorf("coretest: drop database: %v", err)
		}
	})
	return a.address(role, name)
}

func (a *admin) address(role, database string) string {
	u, err := url.Parse(a.url)
	if err != nil {
		panic(err) // it connected before
	}
	u.User, u.Path = url.User(role), "/"+database
	return u.String()
}

// makeTemplate migrates one database per content of the migrations, whoever comes first; tests copy it.
func (a *admin) makeTemplate(ctx context.Context) error {
	sum, err := migrationsHash()
	if err != nil {
		return err
	}
	a.template = "tpl_" + sum
	conn, err := a.pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("coretest: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock(hashtext($1))", a.template); err != nil {
		return fmt.Errorf("coretest: %w", err)
	}
	defer func() { _, _ = conn.Exec(ctx, "SELECT pg_advisory_unlock(hashtext($1))", a.template) }()
	var done bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", a.template).Scan(&done); err != nil {
		return fmt.Errorf("coretest: %w", err)
	}
	if done {
		return nil
	}
	part := a.template + "_part"
	if _, err := conn.Exec(ctx, "DROP DATABASE IF EXISTS "+part+" WITH (FORCE)"); err != nil {
		return fmt.Errorf("coretest: %w", err)
	}
	if err := db.Bootstrap(ctx, a.url, part); err != nil {
		return err
	}
	if err := db.Migrate(ctx, a.address(db.RoleOwner, part)); err != nil {
		return err
	}
	// a closed connection's server process takes a moment to end, and nobody may be connected now
	for try := 0; ; try++ {
		_, err := conn.Exec(ctx, "ALTER DATABASE "+part+" RENAME TO "+a.template)
		if err == nil {
			return nil
		}
		if try == 3 { // PostgreSQL itself waits 5 s each time
			return fmt.Errorf("coretest: %w", err)
		}
	}
}

func migrationsHash() (string, error) {
	h := sha256.New()
	err := fs.WalkDir(migrations.FS, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(migrations.FS, path)
		fmt.Fprintf(h, "%s\x00%d\x00%s", path, len(raw), raw)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("coretest: migrations: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)[:8]), nil
}
