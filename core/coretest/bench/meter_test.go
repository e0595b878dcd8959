package bench

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tick is the unit of processor times in /proc; 100 a second on every Linux that Go runs on.
const tick = time.Second / 100

// cost is what a piece of work took: wall time, and processor time of the program and of PostgreSQL.
type cost struct{ wall, server, database time.Duration }

// measure runs work and says what it took.
func (h *house) measure(work func()) cost {
	h.t.Helper()
	server, database, begin := spent(h.t, h.server.Process.Pid), family(h.t, h.pg.PID()), time.Now()
	work()
	return cost{wall: time.Since(begin), server: spent(h.t, h.server.Process.Pid) - server, database: family(h.t, h.pg.PID()) - database}
}

// status are the fields of /proc/<pid>/stat after the name; nil when the process is gone.
func status(pid int) []string {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
}

func ticks(fields []string, at ...int) (sum time.Duration) {
	for _, i := range at {
		n, _ := strconv.Atoi(fields[i]) // the kernel's own numbers
		sum += time.Duration(n) * tick
	}
	return sum
}

// Places in status: 1 parent, 11 and 12 own user and system time, 13 and 14 those of children that ended.
func spent(t *testing.T, pid int) time.Duration {
	t.Helper()
	f := status(pid)
	if f == nil {
		t.Fatalf("process %d is gone", pid)
	}
	return ticks(f, 11, 12)
}

// family is the processor time of a process and all its children, ended ones included.
func family(t *testing.T, pid int) time.Duration {
	t.Helper()
	sum := ticks(status(pid), 11, 12, 13, 14)
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		n, _ := strconv.Atoi(filepath.Base(p))
		if f := status(n); f != nil && f[1] == strconv.Itoa(pid) {
			sum += ticks(f, 11, 12)
		}
	}
	return sum
}

// own is this process's processor time so far.
func own(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// each runs f for about d on one goroutine and gives processor time per call.
func each(t *testing.T, d time.Duration, f func()) time.Duration {
	t.Helper()
	n, begin, cpu := 0, time.Now(), own(t)
	for n == 0 || time.Since(begin) < d { // once at least: a loaded machine may sleep that long
		for range 8 {
			f()
			n++
		}
	}
	return (own(t) - cpu) / time.Duration(n)
}

// resident is the memory of a process that is in use, by its name in /proc: all, or what is mapped from files; MB (10⁶ bytes).
func resident(t *testing.T, pid int, name string) float64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				t.Fatal(err)
			}
			return kb * 1024 / 1e6
		}
	}
	t.Fatalf("no %s", name)
	return 0
}
