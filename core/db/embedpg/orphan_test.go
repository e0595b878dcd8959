package embedpg_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// A server that was killed, and whose process id is still taken (by itself, until somebody reaps it, or by whoever got it
// since), does not keep the next one from starting.
func TestKilledServerThatNobodyReaped(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	first := start(t, dir)
	run(t, first, "create table kept (n int); insert into kept values (1), (2)")
	if err := syscall.Kill(first.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-first.Exited()
	nobody := unreaped(t, filepath.Join(dir, "data"))
	for _, path := range []string{filepath.Join(dir, "data", "postmaster.pid"), filepath.Join(dir, "run", ".s.PGSQL.5432.lock")} {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(raw), "\n")
		if err := os.WriteFile(path, []byte(strconv.Itoa(nobody)+"\n"+rest), 0o600); err != nil { // the owner of the file stays
			t.Fatal(err)
		}
	}
	if n := query(t, start(t, dir), "select count(*) from kept"); n != 2 {
		t.Errorf("%d rows survived, want 2", n)
	}
}

// unreaped is the id of an ended process of the server's user that stays a zombie until the test ends.
func unreaped(t *testing.T, data string) int {
	t.Helper()
	info, err := os.Stat(data)
	if err != nil {
		t.Fatal(err)
	}
	owner := info.Sys().(*syscall.Stat_t)
	cmd := exec.Command("/bin/true")
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: owner.Uid, Gid: owner.Gid}}
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	return cmd.Process.Pid
}
