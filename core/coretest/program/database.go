package program

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"certsaas/core/db/embedpg"
)

// Postmaster is the process id of the private database's server.
func (p *Program) Postmaster() (int, error) {
	raw, err := os.ReadFile(filepath.Join(p.Dir, "postgres", "data", "postmaster.pid"))
	if err != nil {
		return 0, fmt.Errorf("program: %w", err)
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil {
		return 0, fmt.Errorf("program: postmaster.pid: %w", err)
	}
	return pid, nil
}

// KillDatabase ends the private database's server at once; its processes notice and end, too.
func (p *Program) KillDatabase() error {
	pid, err := p.Postmaster()
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("program: kill database: %w", err)
	}
	return nil
}

// Row reads one row of the private database as its superuser, past row-level security, into dest.
func (p *Program) Row(t testing.TB, dest []any, sql string, args ...any) {
	t.Helper()
	socket, err := embedpg.Running(filepath.Join(p.Dir, "postgres"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, socket.URL(embedpg.Superuser, "certsaas"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	if err := conn.QueryRow(ctx, sql, args...).Scan(dest...); err != nil {
		t.Fatal(err)
	}
}

// Sound runs `certsaas fsck` until it finds nothing: outbox and sealer take a moment after a start. It fails with the last
// findings when that takes longer than within.
func (p *Program) Sound(t testing.TB, within time.Duration) {
	t.Helper()
	for end := time.Now().Add(within); ; time.Sleep(200 * time.Millisecond) {
		said, code, err := p.Command(t.Context(), "fsck")
		if err == nil && code == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("fsck: exit %d, %v\n%s", code, err, said)
		}
	}
}
