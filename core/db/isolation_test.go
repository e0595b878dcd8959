package db_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"

	"github.com/google/uuid"
)

// addCounter writes one row of a tenant table that needs no others.
func addCounter(ctx context.Context, tx *db.Tx, tenant uuid.UUID, name string) error {
	_, err := tx.Exec(ctx, "INSERT INTO counters (tenant_id, name, value) VALUES ($1, $2, 1)", tenant, name)
	return err
}

// countCounters deliberately leaves out tenant_id: row-level security alone must do.
func countCounters(ctx context.Context, tx *db.Tx) (n int, err error) {
	err = tx.QueryRow(ctx, "SELECT count(*) FROM counters").Scan(&n)
	return n, err
}

// TestNoTenantLeaks is T2: two connections, eight goroutines, two tenants, random work with cancellations, panics and time-outs; every row that is
// read belongs to the caller.
func TestNoTenantLeaks(t *testing.T) {
	t.Parallel()
	url := coretest.DatabaseURL(t, db.RoleApp)
	system, err := db.AsRole(url, db.RoleSystem)
	if err != nil {
		t.Fatal(err)
	}
	d, err := db.Open(t.Context(), db.Options{AppURL: url, SystemURL: system, MaxConns: 2, Clock: clock.System()})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	tenants := []uuid.UUID{db.NewID(), db.NewID()}
	for _, tenant := range tenants {
		if err := d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error { return addCounter(ctx, tx, tenant, "seed") }); err != nil {
			t.Fatal(err)
		}
	}
	rounds := 400
	if testing.Short() {
		rounds = 50
	}
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range rounds {
				disturb(t, d, tenants[n%2], fmt.Sprintf("%d-%d", n, i))
			}
		})
	}
	wg.Wait()
}

// disturb does one transaction, which may end in any of the ways transactions end.
func disturb(t *testing.T, d *db.DB, tenant uuid.UUID, name string) {
	defer func() {
		if p := recover(); p != nil && p != "on purpose" {
			panic(p)
		}
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	how, begin := rand.N(6), d.WithTenant
	if how != 2 && rand.N(3) == 0 { // a statement time-out needs a transaction of several statements
		begin = d.ReadTenant
	}
	_ = begin(ctx, tenant, func(ctx context.Context, tx *db.Tx) error { // the errors are the point
		rows, err := tx.Query(ctx, "SELECT tenant_id FROM counters LIMIT 20")
		if err != nil {
			return err
		}
		for rows.Next() {
			var owner uuid.UUID
			if err := rows.Scan(&owner); err != nil {
				return err
			}
			if owner != tenant {
				t.Errorf("tenant %s reads a row of %s", tenant, owner)
			}
			if how == 0 {
				panic("on purpose") // with rows still open
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		switch how {
		case 1:
			cancel()
			_, err = tx.Exec(ctx, "SELECT 1")
			return err
		case 2:
			if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 1"); err != nil {
				return err
			}
			_, err = tx.Exec(ctx, "SELECT pg_sleep(1)")
			return err
		case 3:
			return errors.New("rolled back")
		}
		return addCounter(ctx, tx, tenant, name)
	})
}

// Looking only: the tenant's own rows, statement by statement; whatever would change or lock something is refused.
func TestReadTenant(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	mine, other := db.NewID(), db.NewID()
	for _, tenant := range []uuid.UUID{mine, other} {
		if err := d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error { return addCounter(ctx, tx, tenant, "seed") }); err != nil {
			t.Fatal(err)
		}
	}
	err := d.ReadTenant(t.Context(), mine, func(ctx context.Context, tx *db.Tx) error {
		for range 2 {
			if n, err := countCounters(ctx, tx); err != nil || n != 1 {
				t.Errorf("%d rows, %v; want the tenant's one", n, err)
			}
		}
		for _, sql := range []string{"UPDATE counters SET value = 2", "DELETE FROM counters", "SELECT FROM counters FOR UPDATE", "INSERT INTO counters (tenant_id, name, value) SELECT tenant_id, 'x', 1 FROM counters"} {
			if _, err := tx.Exec(ctx, sql); err == nil || !strings.Contains(err.Error(), "read-only transaction") {
				t.Errorf("%s: %v", sql, err)
			}
		}
		if n, err := countCounters(ctx, tx); err != nil || n != 1 { // a refused statement spoils nothing
			t.Errorf("afterwards %d rows, %v", n, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := d.ReadTenant(t.Context(), uuid.Nil, func(context.Context, *db.Tx) error { return nil }); err == nil {
		t.Error("looked without a tenant")
	}
	err = d.WithTenant(t.Context(), mine, func(ctx context.Context, tx *db.Tx) error { return addCounter(ctx, tx, mine, "later") })
	if err != nil {
		t.Errorf("the connection stayed read-only: %v", err)
	}
}

// TestWithoutTenant is T3: without a tenant there are no rows and no writes, on a fresh connection and on a used one.
func TestWithoutTenant(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	tenant := db.NewID()
	if err := d.WithTenant(t.Context(), uuid.Nil, func(context.Context, *db.Tx) error { return nil }); err == nil {
		t.Error("a tenant transaction without a tenant began")
	}
	look := func(how string) {
		t.Helper()
		err := d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error {
			if how != "" {
				if _, err := tx.Exec(ctx, how); err != nil {
					return err
				}
			}
			if n, err := countCounters(ctx, tx); err != nil || n != 0 {
				t.Errorf("after %q: %d rows, %v", how, n, err)
			}
			return addCounter(ctx, tx, tenant, "x")
		})
		if err == nil || !strings.Contains(err.Error(), "row-level security") {
			t.Errorf("after %q: a write succeeded or failed otherwise: %v", how, err)
		}
	}
	if err := d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error { return addCounter(ctx, tx, tenant, "seed") }); err != nil {
		t.Fatal(err)
	}
	look("SET LOCAL app.tenant = ''") // what a used connection has
	look("RESET app.tenant")          // a fresh one
	other := db.NewID()
	err := d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error { return addCounter(ctx, tx, other, "x") })
	if err == nil || !strings.Contains(err.Error(), "row-level security") {
		t.Errorf("a row of another tenant was written: %v", err)
	}
	err = d.WithSystem(t.Context(), "test", func(ctx context.Context, tx *db.Tx) error {
		if n, err := countCounters(ctx, tx); err != nil || n != 1 {
			t.Errorf("the system role sees %d rows, %v; want 1", n, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// TestForeignKeysStayInTenant is T5, shown on one foreign key; TestCatalog makes sure that all have this form.
func TestForeignKeysStayInTenant(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	one, other, account := db.NewID(), db.NewID(), db.NewID()
	for _, tenant := range []uuid.UUID{one, other} {
		coretest.OwnerExec(t, d, "INSERT INTO tenants (id, slug, created_at) VALUES ($1, $2, now())", tenant, tenant.String())
		coretest.OwnerExec(t, d, "INSERT INTO tenant_releases (tenant_id, number, definition, digest, created_at, created_by) VALUES ($1, 1, '{}', '', now(), 'test')", tenant)
	}
	err := d.WithTenant(t.Context(), one, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, "INSERT INTO accounts (tenant_id, id, mobile_index, mobile_sealed, created_at) VALUES ($1, $2, '', '', $3)", one, account, tx.Now())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	session := func(tenant uuid.UUID) error {
		return d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error {
			_, err := tx.Exec(ctx, "INSERT INTO sessions (tenant_id, id_hash, account_id, created_at, seen_at, expires_at) VALUES ($1, '', $2, $3, $3, $3)", tenant, account, tx.Now())
			return err
		})
	}
	if err := session(other); err == nil || !strings.Contains(err.Error(), "sessions_account_fkey") {
		t.Errorf("a session of another tenant's account: %v", err)
	}
	if err := session(one); err != nil {
		t.Errorf("a session of the own account: %v", err)
	}
}

// TestCatalog is T1, T4–T8 on the real migrations: no holes.
func TestCatalog(t *testing.T) {
	t.Parallel()
	findings, err := coretest.DB(t).CatalogFindings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		t.Error(f)
	}
}

// TestCatalogSeesHoles makes each hole and expects it to be found.
func TestCatalogSeesHoles(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	const table = "CREATE TABLE hole (tenant_id uuid NOT NULL, id uuid NOT NULL, order_id uuid, PRIMARY KEY (tenant_id, id));"
	holes := map[string]string{
		"hole":                            table,
		"bare":                            "CREATE TABLE bare (id uuid)",
		"counters.loose":                  "CREATE POLICY loose ON counters TO certsaas_app USING (true) WITH CHECK (true)",
		"counters.public":                 "CREATE POLICY public ON counters USING (true) WITH CHECK (true)",
		"leak":                            "CREATE VIEW leak AS SELECT * FROM orders",
		"stale":                           "CREATE MATERIALIZED VIEW stale AS SELECT * FROM orders",
		"god":                             "CREATE FUNCTION god() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
		"oracle":                          "CREATE UNIQUE INDEX oracle ON orders (number)",
		"seq":                             "CREATE SEQUENCE seq",
		"across":                          "CREATE UNIQUE INDEX blind ON orders (id); ALTER TABLE files ADD CONSTRAINT across FOREIGN KEY (order_id) REFERENCES orders (id)",
		"orders TRUNCATE to certsaas_app": "GRANT TRUNCATE ON orders TO certsaas_app",
		"orders SELECT to PUBLIC":         "GRANT SELECT ON orders TO PUBLIC",
		"audit_entries UPDATE to certsaas_system": "GRANT UPDATE ON audit_entries TO certsaas_system",
		"owned": "CREATE TABLE owned (id uuid); ALTER TABLE owned OWNER TO certsaas_app",
	}
	for _, sql := range holes {
		coretest.OwnerExec(t, d, sql)
	}
	findings, err := d.CatalogFindings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range findings {
		found[f.Object] = true
	}
	for object := range holes {
		if !found[object] {
			t.Errorf("%s was not found", object)
		}
	}
}

// TestHarmfulRolesAreRefused is the rest of T1: the program does not start as a role that row security does not bind.
func TestHarmfulRolesAreRefused(t *testing.T) {
	t.Parallel()
	url := coretest.DatabaseURL(t, db.RoleApp)
	system, err := db.AsRole(url, db.RoleSystem)
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []string{"postgres", db.RoleOwner} {
		bad, err := db.AsRole(url, role)
		if err != nil {
			t.Fatal(err)
		}
		d, err := db.Open(t.Context(), db.Options{AppURL: bad, SystemURL: system, Clock: clock.System()})
		if err == nil {
			d.Close()
			t.Errorf("started as %s", role)
		} else if errors.Is(err, fault.Unavailable) {
			t.Errorf("as %s: refused for another reason: %v", role, err)
		}
	}
}
