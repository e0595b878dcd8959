package db

import (
	"context"
	"errors"

	"certsaas/core/db/embedpg"
)

// embeddedName is the database of the private server.
const embeddedName = "certsaas"

// Addresses are those of one database in the roles that the program uses.
type Addresses struct {
	App    string // certsaas_app, for Open
	System string // certsaas_system, for Open
	Owner  string // certsaas_owner, for Migrate only
}

// AddressesOf completes the addresses of a server of your own: an empty one is app's with its role replaced.
func AddressesOf(app, system, owner string) (a Addresses, err error) {
	a = Addresses{App: app, System: system, Owner: owner}
	if a.System == "" {
		if a.System, err = AsRole(app, RoleSystem); err != nil {
			return Addresses{}, err
		}
	}
	if a.Owner == "" {
		if a.Owner, err = AsRole(app, RoleOwner); err != nil {
			return Addresses{}, err
		}
	}
	return a, nil
}

// StartEmbedded starts the private server that keeps its files in dir (DATA_DIR/postgres), with roles and database made; migrate next. The
// caller stops it, after closing everything that uses it.
func StartEmbedded(ctx context.Context, dir, binDir string) (*embedpg.Server, Addresses, error) {
	server, err := embedpg.Start(ctx, dir, embedpg.Options{BinDir: binDir})
	if err != nil {
		return nil, Addresses{}, err
	}
	if err := Bootstrap(ctx, server.URL(embedpg.Superuser, "postgres"), embeddedName); err != nil {
		return nil, Addresses{}, errors.Join(err, server.Stop(context.WithoutCancel(ctx)))
	}
	return server, addressesAt(server.URL), nil
}

// JoinEmbedded gives the addresses of the private server that a running program keeps in dir.
func JoinEmbedded(dir string) (Addresses, error) {
	socket, err := embedpg.Running(dir)
	if err != nil {
		return Addresses{}, err
	}
	return addressesAt(socket.URL), nil
}

func addressesAt(url func(role, database string) string) Addresses {
	return Addresses{App: url(RoleApp, embeddedName), System: url(RoleSystem, embeddedName), Owner: url(RoleOwner, embeddedName)}
}
