package coretest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"certsaas/core/db/embedpg"

	"github.com/jackc/pgx/v5"
)

// The test cluster is one private PostgreSQL per machine and user, shared by all test binaries that run at the moment.
//
//	users       every test binary holds a shared lock on it while it lives; the kernel drops it, however the binary ends
//	start       exclusive lock of the one who starts the server
//	url         superuser's address, written once the server answers
//	pg/         the server
//
// The server is watched by a detached copy of the test binary that started it. When nobody has held "users" for
// idleLimit, that copy stops the server and removes the directory.
const (
	superviseEnv = "CERTSAAS_TEST_SUPERVISE"
	idleLimit    = 30 * time.Second
	idleEvery    = 500 * time.Millisecond
	startWait    = 90 * time.Second
)

func init() {
	if dir := os.Getenv(superviseEnv); dir != "" {
		if err := supervise(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// memoryWanted is what many databases at once may need; containers often have 64 MB only.
const memoryWanted = 2 << 30

// clusterDir is in memory where there is enough of it: nothing in it outlives the tests.
func clusterDir() string {
	base := os.TempDir()
	var fs syscall.Statfs_t
	if syscall.Access("/dev/shm", 0o3) == nil && syscall.Statfs("/dev/shm", &fs) == nil && fs.Blocks*uint64(fs.Bsize) >= memoryWanted {
		base = "/dev/shm"
	}
	return filepath.Join(base, fmt.Sprintf("certsaas-test-%d", os.Geteuid()))
}

// users is the lock of this process. The variable keeps it: an *os.File nobody refers to is closed by the garbage collector, the
// lock would go with it, and the supervisor would stop the server under running tests.
var users struct{ held *os.File }

// joinCluster makes sure the cluster runs for as long as this process does, and returns the superuser's address.
func joinCluster(ctx context.Context) (string, error) {
	dir := clusterDir()
	held, err := lockFile(dir, "users", syscall.LOCK_SH)
	if err != nil {
		return "", err
	}
	users.held = held // until this process ends
	start, err := lockFile(dir, "start", syscall.LOCK_EX)
	if err != nil {
		return "", err
	}
	defer start.Close()
	if address, err := answers(ctx, dir); err == nil {
		return address, nil
	}
	if err := spawnSupervisor(dir); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	for {
		address, err := answers(ctx, dir)
		if err == nil {
			return address, nil
		}
		select {
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(dir, "supervisor.log"))
			return "", fmt.Errorf("coretest: the test database does not start: %w: %s", err, log)
		case <-time.After(20 * time.Millisecond):
		}
		if log, _ := os.ReadFile(filepath.Join(dir, "supervisor.log")); len(log) > 0 {
			return "", fmt.Errorf("coretest: the test database does not start: %s", log)
		}
	}
}

// answers reads the address and tries it.
func answers(ctx context.Context, dir string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(dir, "url"))
	if err != nil {
		return "", err
	}
	conn, err := pgx.Connect(ctx, string(raw))
	if err != nil {
		return "", err
	}
	return string(raw), conn.Close(ctx)
}

// lockFile opens and locks dir/name. The supervisor removes the directory while it holds the lock: then the file we waited for is
// no longer the one at that path, and we start over.
func lockFile(dir, name string, how int) (*os.File, error) {
	path := filepath.Join(dir, name)
	for {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return nil, fmt.Errorf("coretest: %w", err)
		}
		file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		if errors.Is(err, os.ErrNotExist) {
			continue // removed between the two calls
		}
		if err != nil {
			return nil, fmt.Errorf("coretest: %w", err)
		}
		if err := flock(file, how); err != nil {
			file.Close()
			return nil, fmt.Errorf("coretest: lock %s: %w", path, err)
		}
		ours, err1 := file.Stat()
		there, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(ours, there) {
			return file, nil
		}
		file.Close()
	}
}

func flock(file *os.File, how int) error {
	for {
		err := syscall.Flock(int(file.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// spawnSupervisor starts a detached copy of this test binary; see init.
func spawnSupervisor(dir string) error {
	log, err := os.Create(filepath.Join(dir, "supervisor.log"))
	if err != nil {
		return fmt.Errorf("coretest: %w", err)
	}
	defer log.Close()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("coretest: %w", err)
	}
	cmd := exec.Command(self)
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), superviseEnv+"="+dir)
	cmd.Stderr = log // and nothing else of ours, or go test would wait for it
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("coretest: %w", err)
	}
	return cmd.Process.Release()
}

// supervise runs the server until nobody needs it any more.
func supervise(dir string) error {
	if err := os.Remove(filepath.Join(dir, "url")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	server, err := embedpg.Start(context.Background(), filepath.Join(dir, "pg"), embedpg.Options{
		Unsafe: true,
		Params: map[string]string{"max_connections": "500", "log_min_messages": "panic", "max_wal_size": "256MB", "min_wal_size": "32MB"},
	})
	if err != nil {
		return err
	}
	defer func() { _ = server.Stop(context.Background()) }()
	part := filepath.Join(dir, "url.part")
	if err := os.WriteFile(part, []byte(server.URL(embedpg.Superuser, "postgres")), 0o600); err != nil {
		return err
	}
	if err := os.Rename(part, filepath.Join(dir, "url")); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "users"), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer lock.Close()
	for idle := time.Duration(0); ; idle += idleEvery {
		select {
		case <-server.Exited():
			return fmt.Errorf("the server ended: %w", server.Err())
		case <-time.After(idleEvery):
		}
		if flock(lock, syscall.LOCK_EX|syscall.LOCK_NB) != nil {
			idle = 0
			continue
		}
		if idle >= idleLimit { // keep the lock: newcomers wait until all is gone
			stopErr := server.Stop(context.Background())
			return errors.Join(stopErr, removeCluster(dir))
		}
		if err := flock(lock, syscall.LOCK_UN); err != nil {
			return err
		}
	}
}

func removeCluster(dir string) error {
	if !strings.Contains(filepath.Base(dir), "certsaas-test-") {
		return fmt.Errorf("coretest: %s is not a test directory", dir)
	}
	return os.RemoveAll(dir)
}
