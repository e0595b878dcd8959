package db

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"certsaas/migrations"

	"github.com/golang-migrate/migrate/v4"
	migratepgx "github.com/golang-migrate/migrate/v4/database/pgx/v5"
	"github.com/golang-migrate/migrate/v4/source/iofs"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	migrateLock = 7236471025 // any number, but the same in every version of the program
	lockPoll    = 100 * time.Millisecond
)

// Status is how far a database's schema is.
type Status struct {
	Version uint // last migration applied; 0 = none
	Latest  uint // last migration this program knows
	Dirty   bool // Version failed half-way; see Migrate's error for the remedy
}

// Migrate brings the schema to this program's version, as role certsaas_owner. Several programs may call it at once: one works, the others
// wait, until ctx ends. A migration that failed earlier is never guessed at: the error says what to look at and what to type.
func Migrate(ctx context.Context, ownerURL string) error {
	return migrateFS(ctx, ownerURL, migrations.FS, func(m *migrate.Migrate) error { return m.Up() })
}

// MigrateDown takes all migrations back. Everything is lost: it is for tests of the migrations themselves.
func MigrateDown(ctx context.Context, ownerURL string) error {
	return migrateFS(ctx, ownerURL, migrations.FS, func(m *migrate.Migrate) error { return m.Down() })
}

// MigrationStatus reads how far the schema is, without changing anything.
func MigrationStatus(ctx context.Context, ownerURL string) (Status, error) {
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return Status{}, fmt.Errorf("db: migration status: %w", Fault(err))
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	s := Status{}
	if s.Latest, err = latest(migrations.FS); err != nil {
		return Status{}, err
	}
	var known bool
	if err := conn.QueryRow(ctx, "SELECT to_regclass('public.schema_migrations') IS NOT NULL").Scan(&known); err != nil {
		return Status{}, fmt.Errorf("db: migration status: %w", Fault(err))
	}
	if !known {
		return s, nil
	}
	err = conn.QueryRow(ctx, "SELECT version, dirty FROM public.schema_migrations").Scan(&s.Version, &s.Dirty)
	if err != nil && !errors.Is(err, ErrNoRows) {
		return Status{}, fmt.Errorf("db: migration status: %w", Fault(err))
	}
	return s, nil
}

// SchemaStatus is MigrationStatus for a running program, asked as role certsaas_system.
func (d *DB) SchemaStatus(ctx context.Context) (Status, error) {
	s := Status{}
	var err error
	if s.Latest, err = latest(migrations.FS); err != nil {
		return Status{}, err
	}
	err = d.WithSystem(ctx, "db/schema", func(ctx context.Context, tx *Tx) error {
		return tx.QueryRow(ctx, "SELECT version, dirty FROM schema_migrations").Scan(&s.Version, &s.Dirty)
	})
	if err != nil {
		return Status{}, fmt.Errorf("db: schema status: %w", err)
	}
	return s, nil
}

// migrateFS runs step under a lock of our own. golang-migrate's lock waits inside PostgreSQL, where it dead-locks with
// CREATE INDEX CONCURRENTLY and ignores our context; ours is polled, so waiting holds nothing.
func migrateFS(ctx context.Context, ownerURL string, files fs.FS, step func(*migrate.Migrate) error) error {
	conn, err := pgx.Connect(ctx, ownerURL)
	if err != nil {
		return fmt.Errorf("db: migrate: %w", Fault(err))
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }() // frees the lock as well
	if err := pollLock(ctx, conn, migrateLock); err != nil {
		return fmt.Errorf("db: migrate: wait for another program's migration: %w", err)
	}
	cfg := conn.Config().Copy()
	cfg.RuntimeParams["lock_timeout"] = "3s" // do not stand in a queue that everybody else then joins
	cfg.RuntimeParams["application_name"] = "certsaas migrate"
	pool := stdlib.OpenDB(*cfg)
	defer pool.Close()
	source, err := iofs.New(files, ".")
	if err != nil {
		return fmt.Errorf("db: migrate: %w", err)
	}
	driver, err := migratepgx.WithInstance(pool, &migratepgx.Config{MigrationsTable: "schema_migrations", SchemaName: "public"})
	if err != nil {
		return fmt.Errorf("db: migrate: %w", err)
	}
	m, err := migrate.NewWithInstance("iofs", source, "pgx5", driver)
	if err != nil {
		return fmt.Errorf("db: migrate: %w", err)
	}
	defer func() { _, _ = m.Close() }()                               // gives back the driver's connection
	stop := context.AfterFunc(ctx, func() { m.GracefulStop <- true }) // ends after the running file
	defer stop()
	if err := explain(step(m)); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "GRANT SELECT ON public.schema_migrations TO "+RoleApp+", "+RoleSystem+", "+RoleRead)
	if err != nil {
		return fmt.Errorf("db: migrate: %w", err)
	}
	return nil
}

// explain turns a dirty state into what a human has to do.
func explain(err error) error {
	var dirty migrate.ErrDirty
	switch {
	case err == nil || errors.Is(err, migrate.ErrNoChange):
		return nil
	case errors.As(err, &dirty):
		return fmt.Errorf("db: migrate: migration %[1]d failed half-way earlier. Look at the database: the files run in one transaction each, so usually nothing of it is left; "+
			"then, as %[3]s, run `UPDATE schema_migrations SET version = %[2]d, dirty = false` (for version 0: `DELETE FROM schema_migrations`) and migrate again. "+
			"If all of it is there, run `UPDATE schema_migrations SET dirty = false` instead: %[4]w", dirty.Version, max(dirty.Version-1, 0), RoleOwner, err)
	}
	return fmt.Errorf("db: migrate: %w", err)
}

func pollLock(ctx context.Context, conn *pgx.Conn, key int64) error {
	for {
		var got bool
		if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", key).Scan(&got); err != nil {
			return Fault(err)
		}
		if got {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lockPoll):
		}
	}
}

// latest is the number of the last up file.
func latest(files fs.FS) (uint, error) {
	source, err := iofs.New(files, ".")
	if err != nil {
		return 0, fmt.Errorf("db: migrations: %w", err)
	}
	defer source.Close()
	version, err := source.First()
	for err == nil {
		var next uint
		if next, err = source.Next(version); err == nil {
			version = next
		}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("db: migrations: %w", err)
	}
	return version, nil
}
