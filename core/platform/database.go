package platform

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"certsaas/config"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/db/embedpg"
)

// Database is an open database and, when the program runs a private one, its server.
type Database struct {
	*db.DB
	OwnerURL string
	dir, bin string        // of the private server
	lost     chan struct{} // closed when the private server has ended for good

	mu       sync.Mutex
	server   *embedpg.Server // nil with an address of one's own
	stopping bool
}

// OpenDatabase starts the private server if the configuration names no other, brings the schema up to date, and connects
// as the two roles the program works as. It refuses a role that could bypass the isolation of tenants. When another program
// runs the private server already, a guest (a command beside a serving program) joins it, anybody else is refused.
func OpenDatabase(ctx context.Context, c config.Config, clk clock.Clock, guest bool) (*Database, error) {
	d := &Database{dir: c.Path("postgres"), bin: c.Database.BinDir, lost: make(chan struct{})}
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
	if d.server != nil {
		go d.keep(context.WithoutCancel(ctx), d.server)
	}
	return d, nil
}

// How often the private server is started again within a while before the program gives up, and how long one start is tried.
const (
	keepTimes  = 5
	keepWithin = time.Minute
	keepTrying = time.Minute
)

// keep starts the private server again when it ends by itself: killed, or out of memory. Nobody else would, and the connections
// find it at the same place. Lost is closed when that fails, or when it ends again and again.
func (d *Database) keep(ctx context.Context, server *embedpg.Server) {
	defer close(d.lost)
	var ended []time.Time
	for {
		<-server.Exited()
		now := clock.System().Now()
		ended = slices.DeleteFunc(append(ended, now), func(t time.Time) bool { return now.Sub(t) > keepWithin })
		if len(ended) > keepTimes {
			return
		}
		if server = d.restart(ctx, server); server == nil {
			return
		}
	}
}

// restart is one start after an end; nil when the end was ours, or the server does not come back. A command may have taken the
// directory meanwhile, and serves us until it is done.
func (d *Database) restart(ctx context.Context, ended *embedpg.Server) *embedpg.Server {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopping {
		return nil
	}
	slog.Error("the private database has ended and is started again", "error", ended.Err())
	for limit := clock.System().Now().Add(keepTrying); ; time.Sleep(200 * time.Millisecond) {
		server, err := embedpg.Start(ctx, d.dir, embedpg.Options{BinDir: d.bin})
		if err == nil {
			d.server = server
			return server
		}
		if !errors.Is(err, embedpg.ErrInUse) || clock.System().Now().After(limit) {
			slog.Error("the private database does not start again", "error", err)
			return nil
		}
	}
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

// Lost is closed when the private server has ended and could not be started again.
func (d *Database) Lost() <-chan struct{} { return d.lost }

// Stop closes the connections and stops the private server.
func (d *Database) Stop(ctx context.Context) {
	d.DB.Close()
	d.stop(ctx)
}

func (d *Database) stop(ctx context.Context) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopping = true; d.server == nil {
		return
	}
	if err := d.server.Stop(ctx); err != nil {
		slog.Error("private database did not stop", "error", err)
	}
}
