package db_test

import (
	"context"
	"testing"

	"certsaas/core/clock"
	"certsaas/core/db"
)

// TestEmbeddedFromNothing goes the way of a first start, and of the second.
func TestEmbeddedFromNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tenant := db.NewID()
	for round := range 2 {
		server, at, err := db.StartEmbedded(t.Context(), dir, "")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Stop(context.Background()) })
		if err := db.Migrate(t.Context(), at.Owner); err != nil {
			t.Fatal(err)
		}
		d, err := db.Open(t.Context(), db.Options{AppURL: at.App, SystemURL: at.System, Clock: clock.System()})
		if err != nil {
			t.Fatal(err)
		}
		err = d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error {
			n, err := countCounters(ctx, tx)
			if n != round {
				t.Errorf("round %d: %d rows", round, n)
			}
			if err != nil {
				return err
			}
			return addCounter(ctx, tx, tenant, db.NewID().String())
		})
		if err != nil {
			t.Error(err)
		}
		if s, err := d.SchemaStatus(t.Context()); err != nil || s.Version != s.Latest || s.Dirty {
			t.Errorf("schema %+v, %v", s, err)
		}
		if err := d.Ping(t.Context()); err != nil {
			t.Error(err)
		}
		d.Close()
		if err := server.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	got, err := db.AddressesOf("postgres://certsaas_app:pw@db:5432/certsaas?sslmode=require", "", "postgres://o@db/certsaas")
	want := db.Addresses{
		App:    "postgres://certsaas_app:pw@db:5432/certsaas?sslmode=require",
		System: "postgres://certsaas_system:pw@db:5432/certsaas?sslmode=require",
		Owner:  "postgres://o@db/certsaas",
	}
	if err != nil || got != want {
		t.Errorf("addresses %+v, %v", got, err)
	}
	if _, err := db.AddressesOf("host=db user=x", "", ""); err == nil {
		t.Error("a connection string was taken for a URL")
	}
}
