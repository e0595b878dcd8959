package platform_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"certsaas/config"
	"certsaas/core/clock"
	"certsaas/core/platform"
)

// The private database that was killed is started again, and what was committed is there; stopped in order, it stays stopped
// and is not missed. (reliability F2)
func TestPrivateDatabaseComesBack(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "csdb") // short: a socket's path is at most 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil { // as root the database runs as another user
		t.Fatal(err)
	}
	c := config.Default()
	c.DataDir = dir
	d, err := platform.OpenDatabase(t.Context(), c, clock.System(), false)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		old := postmaster(t, dir)
		if err := syscall.Kill(old, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		for postmaster(t, dir) == old || d.Ping(t.Context()) != nil {
			if time.Sleep(20 * time.Millisecond); time.Since(begin) > 30*time.Second {
				t.Fatal("the private database does not come back")
			}
		}
		t.Logf("back after %s", time.Since(begin).Round(time.Millisecond))
	}
	select {
	case <-d.Lost():
		t.Error("given up")
	default:
	}
	last := postmaster(t, dir)
	d.Stop(context.Background())
	select {
	case <-d.Lost():
	case <-time.After(10 * time.Second):
		t.Error("the end is not told")
	}
	if err := syscall.Kill(last, 0); err == nil {
		t.Error("it runs on after Stop")
	}
}

// postmaster is the process id of the server in a data directory; it may just be starting.
func postmaster(t *testing.T, dir string) int {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		raw, err := os.ReadFile(filepath.Join(dir, "postgres", "data", "postmaster.pid"))
		if err != nil {
			continue
		}
		first, _, _ := strings.Cut(string(raw), "\n")
		if pid, err := strconv.Atoi(strings.TrimSpace(first)); err == nil {
			return pid
		}
	}
	t.Fatal("no postmaster")
	return 0
}
