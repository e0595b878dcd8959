package platform

import (
	"context"
	"errors"
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

// OpenDatabase starts the private server if the configuration names no other, brings the schema up to date, and connects
// as the two roles the program works as. It refuses a role that could bypass the isolation of tenants. When another program
// runs the private server already, a guest (a command beside a serving program) joins it, anybody else is refused.
func OpenDatabase(ctx context.Context, c config.Config, clk clock.Clock, guest bool) (*Database, error) {
	d := &Database{}
	at, err := d.locate(ctx, c, guest)
	if err != nil {
		return nil, err
	}
	d.OwnerURL = at.Owner
	if err := db.Migrate(ctx, at.Owner); err != nil {
		d.stop(ctx)
		return nil, err
	}
	d.DB, err = db.Open(ctx, db.Options{AppURL: at.App, SystemURL: at.System, MaxConns: c.Database.MaxConns, Clock: clk})
	if err != nil {
		d.stop(ctx)
		return nil, err
	}
	return d, nil
}

// locate gives the addresses for the roles, starting the private server first when there is no other.
func (d *Database) locate(ctx context.Context, c config.Config, guest bool) (at db.Addresses, err error) {
	if !c.Embedded() {
		return db.AddressesOf(c.Database.URL, c.Database.SystemURL, c.Database.OwnerURL)
	}
	d.server, at, err = db.StartEmbedded(ctx, c.Path("postgres"), c.Database.BinDir)
	if guest && errors.Is(err, embedpg.ErrInUse) {
		return db.JoinEmbedded(c.Path("postgres"))
	}
	return at, err
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
