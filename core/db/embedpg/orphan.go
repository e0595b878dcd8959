package embedpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// awaitReady waits until the server accepts connections: line 8 of postmaster.pid says so, without any client.
func (s *Server) awaitReady(ctx context.Context) error {
	for {
		lines, err := pidFile(s.data)
		if err == nil && len(lines) >= 8 && lines[0] == strconv.Itoa(s.PID()) && strings.TrimSpace(lines[7]) == "ready" {
			return nil
		}
		select {
		case <-s.exited:
			return fmt.Errorf("embedpg: postgres ended while starting (%v): %s", s.exitErr, logTail(filepath.Dir(s.data)))
		case <-ctx.Done():
			return fmt.Errorf("embedpg: postgres is not ready: %w", ctx.Err())
		case <-time.After(pollEvery):
		}
	}
}

// stopOrphan stops a server that an earlier, killed program left running on the data directory. It is recognised by
// postmaster.pid and, since process ids are reused, by its working directory, which is the data directory.
func stopOrphan(ctx context.Context, data string) error {
	lines, err := pidFile(data)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("embedpg: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 1 {
		return nil // postgres itself judges a broken pid file
	}
	if parent := parentOf(pid); parent > 1 && parent != os.Getpid() && serves(pid, data) && isLiveProgram(parent) {
		return fmt.Errorf("embedpg: %s is in use by a running program (process %d): stop that first, or choose another data directory", data, parent)
	}
	for sig := syscall.SIGINT; serves(pid, data); {
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("embedpg: stop the server left on %s: %w", data, err)
		}
		for i := 0; i < 400 && serves(pid, data); i++ {
			select {
			case <-ctx.Done():
				return fmt.Errorf("embedpg: the server left on %s does not stop: %w", data, ctx.Err())
			case <-time.After(pollEvery):
			}
		}
		sig = syscall.SIGQUIT // two seconds were not enough
	}
	return nil
}

// serves reports whether pid is a live process that works in the data directory.
func serves(pid int, data string) bool {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err == nil && cwd == data
}

// parentOf is the parent process of pid, or 0.
func parentOf(pid int) int {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// "123 (postgres) S 1 …": the name may hold blanks, so read from the last parenthesis
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	if len(fields) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(fields[1])
	return parent
}

// isLiveProgram reports whether the server's parent is the program that started it. An orphan is handed to process 1 or to
// a "subreaper" (systemd --user, a container's init), which runs another executable than ours.
func isLiveProgram(pid int) bool {
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil {
		return false
	}
	ours, err := os.Executable()
	return err == nil && strings.TrimSuffix(theirs, " (deleted)") == ours
}

func pidFile(data string) ([]string, error) {
	raw, err := os.ReadFile(filepath.Join(data, "postmaster.pid"))
	if err != nil {
		return nil, err
	}
	return strings.Split(string(raw), "\n"), nil
}

// logTail is the end of the server's log, for an error message.
func logTail(dir string) string {
	raw, err := os.ReadFile(filepath.Join(dir, "postgres.log"))
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(raw[max(0, len(raw)-800):]))
}
