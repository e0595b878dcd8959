package migrations_test

import (
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"certsaas/core/coretest"
	"certsaas/core/db"
)

var update = flag.Bool("update", false, "write schema.sql anew")

const file = "schema.sql"

// schema.sql, which people read, is what the migrations make; taken down and put up again they make the same.
func TestSchemaFile(t *testing.T) {
	t.Parallel()
	dumper := pgDump(t)
	url := coretest.DatabaseURL(t, "postgres")
	got := dump(t, dumper, url)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); d != "" {
		t.Errorf("schema.sql is old, run `go test ./migrations -update`:\n%s", d)
	}
	owner, err := db.AsRole(url, db.RoleOwner)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.MigrateDown(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(dump(t, dumper, url), "\n") {
		if strings.HasPrefix(line, "CREATE ") && !strings.Contains(line, "schema_migrations") {
			t.Errorf("left after down: %s", line)
		}
	}
	if err := db.Migrate(t.Context(), owner); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(strings.Split(got, "\n"), strings.Split(dump(t, dumper, url), "\n")); d != "" {
		t.Errorf("down and up again is another schema (-first +again):\n%s", d)
	}
}

// pgDump finds the program beside the server's.
func pgDump(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("PG_BIN_DIR"); dir != "" {
		return filepath.Join(dir, "pg_dump")
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/pg_dump")
	if err == nil && len(found) > 0 {
		slices.Sort(found)
		return found[len(found)-1]
	}
	path, err := exec.LookPath("pg_dump")
	if err != nil {
		t.Fatal("no pg_dump on this machine: apt-get install postgresql")
	}
	return path
}

// Lines of a dump that tell of the program that made it, or of the moment.
var passing = regexp.MustCompile(`^(--.*|SET .*|SELECT pg_catalog\.set_config.*|\\(un)?restrict .*|)$`)

// dump is the schema in words, without what differs from server to server. Statements stay in pg_dump's order, which is
// that of kinds and names.
func dump(t *testing.T, program, url string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), program, "--schema-only", "--no-owner", "--dbname", url).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = errors.Join(err, errors.New(string(exit.Stderr)))
		}
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("-- The database as the migrations make it, for people to read. Written by `go test ./migrations -update`; never applied.\n\n")
	open := false // inside a statement of several lines
	for _, line := range strings.Split(string(out), "\n") {
		if !open && passing.MatchString(line) {
			continue
		}
		b.WriteString(line + "\n")
		open = !strings.HasSuffix(line, ";")
		if !open && strings.HasPrefix(line, ")") {
			b.WriteString("\n")
		}
	}
	return b.String()
}
