package embedpg

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrNoBinaries says that this machine has no usable PostgreSQL server programs; its text names the remedies.
var ErrNoBinaries = errors.New("no PostgreSQL server programs found: " +
	"run `apt-get install -y --no-install-recommends postgresql`, or set PG_BIN_DIR to the directory that holds initdb and postgres, " +
	"or set CERTSAAS_DATABASE_URL to use a server of your own")

// binaries is one directory with initdb and postgres of one major version.
type binaries struct {
	dir   string
	major int
}

// findBinaries picks the server programs. want is the major version an existing data directory needs, or 0 for
// the newest one. Searched: explicit (or PG_BIN_DIR), Debian's /usr/lib/postgresql/*/bin, PATH with symbolic links followed.
func findBinaries(explicit string, want int) (binaries, error) {
	var found []binaries
	if explicit == "" {
		explicit = os.Getenv("PG_BIN_DIR")
	}
	if explicit != "" {
		b, err := inspect(explicit)
		if err != nil {
			return binaries{}, fmt.Errorf("embedpg: PG_BIN_DIR %s: %w", explicit, err)
		}
		found = append(found, b)
	} else {
		for _, dir := range candidateDirs() {
			if b, err := inspect(dir); err == nil {
				found = append(found, b)
			}
		}
	}
	if len(found) == 0 {
		return binaries{}, fmt.Errorf("embedpg: %w", ErrNoBinaries)
	}
	if want == 0 {
		return slices.MaxFunc(found, func(a, b binaries) int { return a.major - b.major }), nil
	}
	for _, b := range found {
		if b.major == want {
			return b, nil
		}
	}
	return binaries{}, fmt.Errorf("embedpg: the data directory was made by PostgreSQL %d, but only %s is installed: "+
		"run `apt-get install -y --no-install-recommends postgresql-%d`, or dump and reload the data", want, versions(found), want)
}

func candidateDirs() []string {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is a constant and well formed
	if path, err := exec.LookPath("postgres"); err == nil {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			dirs = append(dirs, filepath.Dir(real))
		}
	}
	return dirs
}

// inspect asks the postgres of dir for its major version, and checks that initdb stands beside it.
func inspect(dir string) (binaries, error) {
	if _, err := exec.LookPath(filepath.Join(dir, "initdb")); err != nil {
		return binaries{}, err
	}
	out, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output()
	if err != nil {
		return binaries{}, err
	}
	// "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"
	_, rest, ok := strings.Cut(string(out), "(PostgreSQL) ")
	if !ok {
		return binaries{}, fmt.Errorf("cannot read version %q", out)
	}
	digits, _, _ := strings.Cut(rest, ".")
	major, err := strconv.Atoi(strings.TrimSpace(digits))
	if err != nil {
		return binaries{}, fmt.Errorf("cannot read version %q", out)
	}
	return binaries{dir: dir, major: major}, nil
}

func versions(found []binaries) string {
	names := make([]string, len(found))
	for i, b := range found {
		names[i] = strconv.Itoa(b.major)
	}
	return strings.Join(names, ", ")
}
