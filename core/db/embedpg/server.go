// Package embedpg runs a private PostgreSQL server from the system's own programs.
//
// In: a directory to keep the database in. Out: a running server that listens on a Unix socket only
// (no port, no password, reachable by nobody but us and root), and a URL to reach it. It survives kill -9 of
// the program or of the server: the next Start finds an orphan, stops it, and lets PostgreSQL recover.
package embedpg

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Superuser is the owner of the whole private server.
const Superuser = "postgres"

const (
	port          = 5432 // names the socket file only; nothing listens on the network
	lockName      = ".s.PGSQL.5432.lock"
	maxSocketPath = 107 // sockaddr_un on Linux, without the final zero
	pollEvery     = 5 * time.Millisecond
	startLimit    = 60 * time.Second // crash recovery of a large WAL takes a while
	stopLimit     = 20 * time.Second
)

// Options tune a server. The zero value is right for production use of the private server.
type Options struct {
	BinDir string            // directory of initdb and postgres; "" searches PG_BIN_DIR, /usr/lib/postgresql, PATH
	Unsafe bool              // no fsync: for tests only, data does not survive a machine crash
	Params map[string]string // further server settings, e.g. "max_connections": "400"
}

// Server is a running private PostgreSQL.
type Server struct {
	data, socket string
	cmd          *exec.Cmd
	exited       chan struct{} // closed when the server process ends
	exitErr      error         // valid after exited is closed
	lock         *os.File      // held while this program runs the server; the kernel lets it go with the program
}

// Start starts the server that keeps its files in dir, making it first when new. It returns when the server answers.
// Errors name what to install or change. The context bounds the start only.
func Start(ctx context.Context, dir string, opts Options) (*Server, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("embedpg: %w", err)
	}
	acc, err := serverAccount()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o711); err != nil {
		return nil, fmt.Errorf("embedpg: %w", err)
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, fmt.Errorf("embedpg: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	data := filepath.Join(dir, "data")
	lock, err := claim(dir)
	if err != nil {
		return nil, err
	}
	s, err := start(ctx, dir, data, acc, opts, lock)
	if err != nil {
		_ = lock.Close()
	}
	return s, err
}

// start does what Start says on a directory that is ours.
func start(ctx context.Context, dir, data string, acc account, opts Options, lock *os.File) (*Server, error) {
	if err := stopOrphan(ctx, data); err != nil {
		return nil, err
	}
	major, err := dataVersion(data)
	if err != nil {
		return nil, err
	}
	bins, err := findBinaries(opts.BinDir, major)
	if err != nil {
		return nil, err
	}
	if major == 0 {
		if err := initialise(ctx, bins, acc, dir, opts.Unsafe); err != nil {
			return nil, err
		}
	}
	socket, err := socketDir(dir, acc)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(filepath.Join(socket, lockName)); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a killed server; like its pid file
		return nil, fmt.Errorf("embedpg: %w", err)
	}
	s := &Server{data: data, socket: socket, exited: make(chan struct{}), lock: lock}
	if err := s.launch(bins, acc, opts); err != nil {
		return nil, err
	}
	if err := s.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, s.Stop(context.WithoutCancel(ctx)))
	}
	return s, nil
}

// URL is the address of a database for a role, for pgx and libpq.
func (s *Server) URL(role, database string) string { return Socket(s.socket).URL(role, database) }

// Socket is the directory of a running server's socket.
type Socket string

// URL is the address of a database for a role, for pgx and libpq.
func (s Socket) URL(role, database string) string {
	u := url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database}
	u.RawQuery = url.Values{"host": {string(s)}, "port": {strconv.Itoa(port)}, "sslmode": {"disable"}}.Encode()
	return u.String()
}

// PID is the process id of the postmaster.
func (s *Server) PID() int { return s.cmd.Process.Pid }

// Exited is closed when the server process has ended, by Stop or by itself; Err then says how.
func (s *Server) Exited() <-chan struct{} { return s.exited }

// Err is how the server process ended; nil while it runs or after a clean stop.
func (s *Server) Err() error {
	select {
	case <-s.exited:
		return s.exitErr
	default:
		return nil
	}
}

// Stop ends the server: open transactions are rolled back, and it shuts down cleanly ("fast"). When that takes too long, or ctx ends, it is killed;
// the next Start recovers. Stopping twice is harmless.
func (s *Server) Stop(ctx context.Context) error {
	defer func() { _ = os.Remove(s.socket) }() // empty now, and made anew by Start
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	_ = s.cmd.Process.Signal(syscall.SIGINT) // it may have ended already
	select {
	case <-s.exited:
		return nil
	case <-ctx.Done():
	}
	_ = s.cmd.Process.Signal(syscall.SIGQUIT) // "immediate": as after a crash, the next start recovers
	select {
	case <-s.exited:
	case <-time.After(5 * time.Second):
		_ = s.cmd.Process.Kill()
		<-s.exited
	}
	return fmt.Errorf("embedpg: stop: %w", ctx.Err())
}

// launch starts postgres as our direct child (not through pg_ctl), so that we learn when it ends.
func (s *Server) launch(bins binaries, acc account, opts Options) error {
	logFile, err := os.OpenFile(filepath.Join(filepath.Dir(s.data), "postgres.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("embedpg: %w", err)
	}
	defer logFile.Close()
	path, extra, err := reachable(s.data, acc)
	if err != nil {
		return err
	}
	if extra != nil {
		defer extra.Close()
	}
	args := []string{"-D", path, "-k", s.socket, "-p", strconv.Itoa(port)}
	params := map[string]string{"listen_addresses": "", "logging_collector": "off", "log_min_messages": "warning"}
	if opts.Unsafe {
		maps.Copy(params, map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum": "off"})
	}
	maps.Copy(params, opts.Params)
	for _, name := range slices.Sorted(maps.Keys(params)) {
		args = append(args, "-c", name+"="+params[name])
	}
	s.cmd = command(bins, acc, extra, "postgres", args...)
	s.cmd.Stdout, s.cmd.Stderr = logFile, logFile
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("embedpg: start postgres: %w", err)
	}
	go func() {
		s.exitErr = s.cmd.Wait()
		_ = s.lock.Close()
		close(s.exited)
	}()
	return nil
}

// command prepares one of the server programs. Its working directory is /, since ours may be closed to the account.
func command(bins binaries, acc account, extra *os.File, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bins.dir, name), args...)
	cmd.Dir = "/"
	cmd.SysProcAttr = acc.sysProcAttr()
	cmd.Env = []string{"PATH=" + bins.dir + ":/usr/bin:/bin", "LC_ALL=C.UTF-8", "TZ=UTC"}
	if extra != nil {
		cmd.ExtraFiles = []*os.File{extra}
	}
	return cmd
}

// reachable is the path by which the account reaches the data directory. When a parent is closed to it (a checkout
// below /root, say) we hand it the open directory instead, as descriptor 3, which the kernel lets it walk into.
func reachable(data string, acc account) (string, *os.File, error) {
	if acc.canReach(data) {
		return data, nil, nil
	}
	open, err := os.Open(data)
	if err != nil {
		return "", nil, fmt.Errorf("embedpg: %w", err)
	}
	return "/proc/self/fd/3", open, nil
}

// initialise makes a database cluster. It is made under another name and renamed when whole, so that a directory
// "data" is never half done.
func initialise(ctx context.Context, bins binaries, acc account, dir string, unsafe bool) error {
	part := filepath.Join(dir, "data.part")
	if err := os.RemoveAll(part); err != nil { // what an interrupted initdb left
		return fmt.Errorf("embedpg: %w", err)
	}
	if err := acc.ownDir(part, 0o700); err != nil {
		return fmt.Errorf("embedpg: %w", err)
	}
	path, extra, err := reachable(part, acc)
	if err != nil {
		return err
	}
	if extra != nil {
		defer extra.Close()
	}
	args := []string{"-D", path, "-U", Superuser, "-A", "trust", "--locale=C.UTF-8", "-E", "UTF8"}
	if unsafe {
		args = append(args, "--no-sync")
	}
	cmd := command(bins, acc, extra, "initdb", args...)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("embedpg: start initdb: %w", err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case err = <-done:
	case <-ctx.Done():
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // the whole group: initdb runs postgres below it
		<-done
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("embedpg: initdb: %w: %s", err, strings.TrimSpace(out.String()))
	}
	if err := os.Rename(part, filepath.Join(dir, "data")); err != nil {
		return fmt.Errorf("embedpg: %w", err)
	}
	return nil
}

// dataVersion is the major version that made the data directory; 0 when there is none yet.
func dataVersion(data string) (int, error) {
	raw, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(data); err == nil {
			return 0, fmt.Errorf("embedpg: %s exists but holds no database: move it away and start again", data)
		}
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("embedpg: %w", err)
	}
	major, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 0, fmt.Errorf("embedpg: %s: unreadable version %q", data, raw)
	}
	return major, nil
}

// socketDir makes the directory of the socket: beside the data, or below the temporary directory when that path is too long for a
// socket or closed to the account. It is open to its owner only, since whoever reaches the socket is believed.
func socketDir(dir string, acc account) (string, error) {
	socket := filepath.Join(dir, "run")
	if len(socket)+len("/"+lockName) > maxSocketPath || !acc.canReach(socket) {
		sum := sha256.Sum256([]byte(dir))
		socket = filepath.Join("/tmp", fmt.Sprintf("certsaas-pg-%d-%s", acc.uid, hex.EncodeToString(sum[:6])))
	}
	if err := acc.ownDir(socket, 0o700); err != nil {
		return "", fmt.Errorf("embedpg: %w", err)
	}
	info, err := os.Lstat(socket)
	if err != nil {
		return "", fmt.Errorf("embedpg: %w", err)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != acc.uid || info.Mode().Perm() != 0o700 {
		return "", fmt.Errorf("embedpg: %s must be a directory of the database's own user, mode 0700: remove it and start again", socket)
	}
	return socket, nil
}
