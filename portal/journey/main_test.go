package journey

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"certsaas/core/coretest/program"
	"certsaas/core/coretest/program/chromium"
)

// The house is one running program and one browser for all journeys: each journey has its own people. Its log, at debug level,
// and its temporary directory are kept for TestK1Canaries.
var (
	house  = sync.OnceValues(openHouse)
	traces string // what the house leaves behind beside its data: log and temporary files
	motor  = sync.OnceValues(chromium.Open)

	mu     sync.Mutex
	opened []interface{ Close() error } // to close at the end, last first
)

func openHouse() (*program.Program, error) {
	dir, err := os.MkdirTemp("", "house-")
	if err != nil {
		return nil, err
	}
	traces = dir
	if err := os.Mkdir(filepath.Join(dir, "tmp"), 0o700); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "certsaas.log"))
	if err != nil {
		return nil, err
	}
	mu.Lock()
	opened = append(opened, log)
	mu.Unlock()
	return program.Open(program.Options{Env: []string{"CERTSAAS_LOG_LEVEL=debug", "TMPDIR=" + filepath.Join(dir, "tmp")}, Log: log})
}

// abreast is how many journeys go on at the same time: people wait for codes, clocks and one another most of the time, so more
// than there are processors.
const abreast = "4"

func TestMain(m *testing.M) {
	flag.Parse()
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		_ = flag.Set("test.parallel", abreast) // a number: never fails
	}
	slog.SetLogLoggerLevel(slog.LevelError) // refusals are what the matrix asks for
	code := m.Run()
	for i := len(opened) - 1; i >= 0; i-- {
		if err := opened[i].Close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	_ = os.RemoveAll(traces)
	os.Exit(code)
}

// shared opens a thing once and has it closed at the end. Who waits for one thing, the house's place for instance, keeps nobody
// from another: a test with a program of its own needs the browser meanwhile.
func shared[T interface{ Close() error }](t *testing.T, open func() (T, error)) T {
	t.Helper()
	v, err := open()
	if err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	defer mu.Unlock()
	for _, o := range opened {
		if o == interface{ Close() error }(v) {
			return v
		}
	}
	opened = append(opened, v)
	return v
}

// town is the running program as a journey sees it.
type town struct {
	*program.Program
	t *testing.T
}

func visit(t *testing.T) town { return town{shared(t, house), t} }

// person is somebody new with a browser.
func (w town) person(size chromium.Size) *chromium.Tab {
	w.t.Helper()
	return shared(w.t, motor).Person(w.t, size)
}

// save puts a picture where a browser can choose it.
func (w town) save(name string, data []byte) string {
	w.t.Helper()
	path := filepath.Join(w.t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// read is a file.
func (w town) read(path string) []byte {
	w.t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return raw
}

// now is a little before this moment: what comes after it is newer.
func now() time.Time { return time.Now().Add(-time.Second) }

// equal fails unless a thing is as it should be.
func equal[T comparable](t *testing.T, what string, want, got T) {
	t.Helper()
	if want != got {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
