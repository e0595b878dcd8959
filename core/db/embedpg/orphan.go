package embedpg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
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

// ErrInUse says that another program runs the server; Running finds it.
var ErrInUse = errors.New("in use by a running program")

// claim takes the directory for this program, as long as it runs. A program that was killed has let it go, whatever became
// of its server.
func claim(dir string) (*os.File, error) {
	lock, err := os.OpenFile(filepath.Join(dir, "program.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedpg: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("embedpg: %s is %w: stop that first, or choose another data directory", dir, ErrInUse)
	}
	return lock, nil
}

// Running finds the server that another, running program keeps on dir: a command beside a serving program is its guest.
func Running(dir string) (Socket, error) {
	lines, err := pidFile(filepath.Join(dir, "data"))
	if err != nil {
		return "", fmt.Errorf("embedpg: %w", err)
	}
	const socketLine = 4 // of postmaster.pid: pid, data directory, start, port, socket directory, …
	if len(lines) <= socketLine || lines[socketLine] == "" {
		return "", fmt.Errorf("embedpg: the server on %s is still starting", dir)
	}
	return Socket(lines[socketLine]), nil
}

// stopOrphan stops a server that an earlier, killed program left running on the data directory. It is recognised by
// postmaster.pid and, since process ids are reused, by its working directory, which is the data directory.
func stopOrphan(ctx context.Context, data string) error {
	lines, err := pidFile(data)
	for errors.Is(err, fs.ErrNotExist) && used(data) && ctx.Err() == nil { // one that was just started has not written it yet
		time.Sleep(pollEvery)
		lines, err = pidFile(data)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("embedpg: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(lines[0]))
	if err != nil || pid <= 1 {
		return nil // postgres itself judges a broken pid file
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
	return forget(ctx, data)
}

// forget waits until no process of a killed server works in the data directory any more, and removes the pid file it left:
// postgres takes whatever process has that id, a killed postmaster that nobody has reaped yet among them, for a running server
// and would not start.
func forget(ctx context.Context, data string) error {
	for used(data) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("embedpg: processes of the server left on %s do not end: %w", data, ctx.Err())
		case <-time.After(pollEvery):
		}
	}
	if err := os.Remove(filepath.Join(data, "postmaster.pid")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("embedpg: %w", err)
	}
	return nil
}

// used reports whether any process works in the data directory.
func used(data string) bool {
	all, err := filepath.Glob("/proc/[0-9]*")
	return err == nil && slices.ContainsFunc(all, func(proc string) bool {
		cwd, err := os.Readlink(proc + "/cwd")
		return err == nil && cwd == data
	})
}

// serves reports whether pid is a live process that works in the data directory.
func serves(pid int, data string) bool {
	cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err == nil && cwd == data
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
