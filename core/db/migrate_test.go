package db_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"certsaas/core/coretest"
	"certsaas/core/db"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

func TestMigrateAtOnce(t *testing.T) {
	t.Parallel()
	owner := coretest.EmptyDatabaseURL(t, db.RoleOwner)
	if s, err := db.MigrationStatus(t.Context(), owner); err != nil || s.Version != 0 || s.Latest == 0 {
		t.Errorf("before: %+v, %v", s, err)
	}
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			if err := db.Migrate(t.Context(), owner); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	s, err := db.MigrationStatus(t.Context(), owner)
	if err != nil || s.Version != s.Latest || s.Dirty {
		t.Errorf("after: %+v, %v", s, err)
	}
}

func TestDirtyStateNamesTheRemedy(t *testing.T) {
	t.Parallel()
	owner := coretest.DatabaseURL(t, db.RoleOwner)
	conn := connect(t, owner)
	if _, err := conn.Exec(t.Context(), "UPDATE schema_migrations SET dirty = true"); err != nil {
		t.Fatal(err)
	}
	err := db.Migrate(t.Context(), owner)
	if err == nil || !strings.Contains(err.Error(), "SET dirty = false") {
		t.Errorf("error %v does not name the remedy", err)
	}
	if _, err := conn.Exec(t.Context(), "UPDATE schema_migrations SET dirty = false"); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), owner); err != nil {
		t.Errorf("after the remedy: %v", err)
	}
}

// TestMigrationsGoDownAndUp takes all migrations back and applies them again: the schema is the same.
func TestMigrationsGoDownAndUp(t *testing.T) {
	t.Parallel()
	owner := coretest.DatabaseURL(t, db.RoleOwner)
	before := schema(t, owner)
	if err := db.MigrateDown(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	for _, line := range schema(t, owner) {
		if !strings.HasPrefix(line, "schema_migrations") {
			t.Errorf("left after down: %s", line)
		}
	}
	if err := db.Migrate(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(before, schema(t, owner)); diff != "" {
		t.Errorf("schema (-first +again):\n%s", diff)
	}
}

func schema(t *testing.T, url string) []string {
	t.Helper()
	rows, err := connect(t, url).Query(t.Context(), `
		SELECT c.relname || ' ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull FROM pg_class c
			JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped WHERE c.relnamespace = 'public'::regnamespace
		UNION ALL SELECT conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
		UNION ALL SELECT tablename || ' ' || policyname || ' ' || roles::text || coalesce(qual, '') || coalesce(with_check, '') FROM pg_policies
		UNION ALL SELECT relname || ' ' || coalesce(relacl::text, '') FROM pg_class WHERE relnamespace = 'public'::regnamespace
		UNION ALL SELECT typname || ' ' || string_agg(enumlabel, ',' ORDER BY enumsortorder) FROM pg_enum JOIN pg_type ON pg_type.oid = enumtypid GROUP BY typname
		ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}
