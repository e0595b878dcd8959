package platform

import (
	"context"
	"fmt"
	"log/slog"

	"certsaas/config"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/db/embedpg"
)

// Database is an open database and, when the program runs a private one, its server.
type Database struct {
	*db.DB
	OwnerURL string
	server   *embedpg.Server // nil with an address of one's own
}

// databaseName is the private server's database.
const databaseName = "certsaas"

// OpenDatabase starts the private server if the configuration names no other, brings the schema up to date, and connects
// as the two roles the program works as. It refuses a role that could bypass the isolation of tenants.
func OpenDatabase(ctx context.Context, c config.Config, clk clock.Clock) (*Database, error) {
	d := &Database{}
	app, system, err := d.addresses(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx, d.OwnerURL); err != nil {
		d.stop(ctx)
		return nil, err
	}
	d.DB, err = db.Open(ctx, db.Options{AppURL: app, SystemURL: system, MaxConns: c.Database.MaxConns, Clock: clk})
	if err != nil {
		d.stop(ctx)
		return nil, err
	}
	return d, nil
}

// addresses gives the addresses for both roles, starting the private server first when there is no other.
func (d *Database) addresses(ctx context.Context, c config.Config) (app, system string, err error) {
	if c.Embedded() {
		if d.server, err = embedpg.Start(ctx, c.Path("postgres"), embedpg.Options{BinDir: c.Database.BinDir}); err != nil {
			return "", "", err
		}
		if err := db.Bootstrap(ctx, d.server.URL(embedpg.Superuser, "postgres"), databaseName); err != nil {
			d.stop(ctx)
			return "", "", err
		}
		d.OwnerURL = d.server.URL(db.RoleOwner, databaseName)
		return d.server.URL(db.RoleApp, databaseName), d.server.URL(db.RoleSystem, databaseName), nil
	}
	system, d.OwnerURL = c.Database.SystemURL, c.Database.OwnerURL
	if system == "" {
		if system, err = db.AsRole(c.Database.URL, db.RoleSystem); err != nil {
			return "", "", fmt.Errorf("platform: system address: %w", err)
		}
	}
	if d.OwnerURL == "" {
		if d.OwnerURL, err = db.AsRole(c.Database.URL, db.RoleOwner); err != nil {
			return "", "", fmt.Errorf("platform: owner address: %w", err)
		}
	}
	return c.Database.URL, system, nil
}

// Lost is closed when the private server has ended; nil, which never is, without one.
func (d *Database) Lost() <-chan struct{} {
	if d.server == nil {
		return nil
	}
	return d.server.Exited()
}

// Stop closes the connections and stops the private server.
func (d *Database) Stop(ctx context.Context) {
	d.DB.Close()
	d.stop(ctx)
}

func (d *Database) stop(ctx context.Context) {
	if d.server == nil {
		return
	}
	if err := d.server.Stop(ctx); err != nil {
		slog.Error("private database did not stop", "error", err)
	}
}
