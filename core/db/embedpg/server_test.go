package embedpg_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"certsaas/core/db/embedpg"

	"github.com/jackc/pgx/v5"
)

// TestMain lets the test binary play a program that starts a server and is then killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("EMBEDPG_VICTIM"); dir != "" {
		if _, err := embedpg.Start(context.Background(), dir, embedpg.Options{}); err != nil {
			os.Exit(3)
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	}
	os.Exit(m.Run())
}

func start(t *testing.T, dir string) *embedpg.Server {
	t.Helper()
	s, err := embedpg.Start(t.Context(), dir, embedpg.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

func query(t *testing.T, s *embedpg.Server, sql string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL(embedpg.Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if err := conn.QueryRow(t.Context(), sql).Scan(&n); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// serverDir is a directory that the server's user can reach, unlike t.TempDir as root, and short.
func serverDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "embedpg")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRowsSurviveKillOfTheServer(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	first := start(t, dir)
	run(t, first, "create table kept (n int); insert into kept values (1), (2)")
	if err := syscall.Kill(first.PID(), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-first.Exited()
	if first.Err() == nil {
		t.Error("a killed server reports no error")
	}
	second := start(t, dir)
	if n := query(t, second, "select count(*) from kept"); n != 2 {
		t.Errorf("%d rows survived, want 2", n)
	}
}

func TestHalfDoneInitdbIsRedone(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "data.part", "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	if n := query(t, start(t, dir), "select 1"); n != 1 {
		t.Errorf("select 1 = %d", n)
	}
	if _, err := os.Stat(filepath.Join(dir, "data.part")); err == nil {
		t.Error("the half-done directory is still there")
	}
}

func TestSecondProgramIsRefused(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	first := start(t, dir)
	rival := exec.Command(os.Args[0])
	rival.Env = append(os.Environ(), "EMBEDPG_VICTIM="+dir)
	var exit *exec.ExitError
	if err := rival.Run(); !errors.As(err, &exit) || exit.ExitCode() != 3 {
		t.Errorf("a second program on the same directory ended with %v, want refusal", err)
	}
	if n := query(t, first, "select 1"); n != 1 {
		t.Errorf("the first server is gone")
	}
}

func TestVersionOfDataDirectoryDecides(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "PG_VERSION"), []byte("9\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := embedpg.Start(t.Context(), dir, embedpg.Options{})
	if err == nil || !strings.Contains(err.Error(), "postgresql-9") {
		t.Errorf("error %v does not name the package to install", err)
	}
}

// TestClosedParent starts a server below a directory that only we may enter, as below /root.
func TestClosedParent(t *testing.T) {
	t.Parallel()
	closed := serverDir(t)
	if err := os.Chmod(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(closed, strings.Repeat("long", 25))
	for range 2 { // made, then restarted
		s := start(t, dir)
		run(t, s, "checkpoint; create table if not exists kept (n int); insert into kept values (1)")
		if err := s.Stop(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if n := query(t, start(t, dir), "select count(*) from kept"); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

func run(t *testing.T, s *embedpg.Server, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL(embedpg.Superuser, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func TestOrphanIsRecovered(t *testing.T) {
	t.Parallel()
	dir := serverDir(t)
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), "EMBEDPG_VICTIM="+dir)
	err := victim.Run()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("the victim ended with %v, want killed", err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, "data", "postmaster.pid"))
	if err != nil {
		t.Fatal(err)
	}
	orphan, _, _ := strings.Cut(string(raw), "\n")
	if err := exec.Command("kill", "-0", orphan).Run(); err != nil {
		t.Fatalf("no orphan %s is running: %v", orphan, err)
	}
	s := start(t, dir)
	if n := query(t, s, "select 1"); n != 1 {
		t.Errorf("select 1 = %d", n)
	}
	// where nobody reaps, a dead orphan stays as a zombie, which has no working directory
	if cwd, err := os.Readlink("/proc/" + orphan + "/cwd"); err == nil {
		t.Errorf("orphan %s still runs in %s", orphan, cwd)
	}
}
