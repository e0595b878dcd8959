package clock_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// askers are the ways past a Clock: Go's, and PostgreSQL's.
var askers = regexp.MustCompile(`\btime\.(Now|Since|Until)\(|(^|[^.\w])(now|clock_timestamp|statement_timestamp|transaction_timestamp|age)\(\)|\b(CURRENT_DATE|CURRENT_TIMESTAMP|LOCALTIMESTAMP)\b`)

// What a demonstration or a test that moves the clock must be able to trust: nothing but this package asks the machine for the
// time, and no statement asks the database. Helpers of tests measure real time.
func TestNothingElseAsksForTheTime(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"x := time.Now()", "SELECT now()", "created_at timestamptz DEFAULT now()", "time.Until(end)", "d < CURRENT_DATE"} {
		if !askers.MatchString(line) {
			t.Fatalf("%q is not seen", line)
		}
	}
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() {
			if path != root && (strings.HasPrefix(name, ".") || name == "coretest" || strings.HasSuffix(name, "test") || name == "bin" || name == "data" || path == filepath.Join(root, "core", "clock")) {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(name, "_test.go") || filepath.Ext(name) != ".go" && filepath.Ext(name) != ".sql" {
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		files++
		for n, line := range strings.Split(string(raw), "\n") {
			line = strings.TrimSpace(line)
			harmless := strings.HasPrefix(line, "//") || strings.HasPrefix(line, "func ") || strings.Contains(line, ".ModTime()") // files carry the machine's time
			if askers.MatchString(line) && !harmless {
				t.Errorf("%s:%d asks for the time: take the Clock that is there, or clock.System() where the machine's own time is meant: %s", path, n+1, line)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files < 200 {
		t.Errorf("only %d files seen", files)
	}
}
