// Package program builds and runs the real certsaas for a test: its own data directory with a private PostgreSQL, the
// demonstration's tenants, staff, payment company and key agent, on a free port.
//
// In: the source tree. Out: a running process that answers at http://localhost:<port>, http://byd.localhost:<port> and so
// on, its messages, an HTTP client that reaches those names, a reader of pages that fills in forms without JavaScript
// (Visitor), and, in chromium, a browser. A machine has two places for programs, and a lock on each: one for those of a
// package's whole run (Open), one for those of a single test (Start). Who waits for a place holds at most the other one, and
// in that order only, so nobody waits for ever. Key agents have three ports; a page finds its own, the others refuse it.
package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"certsaas/core/clock"
)

// startLimit bounds the time until /readyz answers: initdb, migrations, two packs, four soft keys.
const startLimit = 90 * time.Second

// stopLimit bounds an orderly end.
const stopLimit = 30 * time.Second

// Options of a program. The zero value is a demonstration.
type Options struct {
	Ahead time.Duration // of the program's clock at its first start
	Env   []string      // further NAME=value
	Log   io.Writer
}

// Program is one running certsaas.
type Program struct {
	Dir  string // DATA_DIR
	Port int

	opts  Options
	ahead time.Duration // of the program's clock, see Move
	bin   string
	lock  *os.File
	log   tail
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process is gone
}

// Start runs a program until the test ends, in the place of those that come and go.
func Start(t testing.TB, o Options) *Program {
	t.Helper()
	p, err := open("guest", o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// Open builds, prepares a data directory and starts, in the place of those that stay. The caller closes.
func Open(o Options) (*Program, error) { return open("one", o) }

func open(place string, o Options) (*Program, error) {
	bin, err := build()
	if err != nil {
		return nil, err
	}
	p := &Program{opts: o, ahead: o.Ahead, bin: bin}
	if p.lock, err = lockFile(place); err != nil {
		return nil, err
	}
	if p.Dir, err = os.MkdirTemp("", "cs"); err != nil { // short: a socket's path is at most 107 bytes
		return nil, errors.Join(err, p.lock.Close())
	}
	if err = os.Chmod(p.Dir, 0o711); err == nil { // as root the database runs as another user
		p.Port, err = freePort()
	}
	if err == nil {
		err = p.Launch()
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// freePort is a port that nobody has, and that no key agent may want.
func freePort() (int, error) {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, fmt.Errorf("program: %w", err)
		}
		a, _ := l.Addr().(*net.TCPAddr)
		if err := l.Close(); err != nil {
			return 0, fmt.Errorf("program: %w", err)
		}
		if !slices.Contains(agentPorts, a.Port) {
			return a.Port, nil
		}
	}
}

// env is the configuration of this program.
func (p *Program) env(more ...string) []string {
	env := append(os.Environ(),
		"CERTSAAS_DATA_DIR="+p.Dir, "CERTSAAS_LISTEN=127.0.0.1:"+strconv.Itoa(p.Port), "CERTSAAS_BASE_DOMAIN=localhost",
		"CERTSAAS_LOG_LEVEL=warn", "CERTSAAS_LOG_FORMAT=text",
		"CERTSAAS_TRUSTED_PROXIES=127.0.0.1", // so that each visitor of a test may come from an address of his own
	)
	return append(append(env, p.opts.Env...), more...)
}

// Launch starts the process and waits until it is ready.
func (p *Program) Launch() error {
	cmd := exec.Command(filepath.Join(p.bin, "certsaas"), "serve", "--demo", "--ahead", clock.FormatSpan(p.ahead))
	cmd.Env = p.env()
	cmd.Stdout, cmd.Stderr = &p.log, &p.log
	if p.opts.Log != nil {
		cmd.Stderr = io.MultiWriter(&p.log, p.opts.Log)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("program: %w", err)
	}
	p.cmd, p.ended = cmd, make(chan struct{})
	go func(gone chan struct{}) { _ = cmd.Wait(); close(gone) }(p.ended)
	deadline := time.After(startLimit)
	for {
		res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", p.Port))
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-p.ended:
			return fmt.Errorf("program: ended at its start: %s\n%s", cmd.ProcessState, p.log.String())
		case <-deadline:
			return fmt.Errorf("program: not ready after %s\n%s", startLimit, p.log.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop ends the process in order, as a service manager would.
func (p *Program) Stop() error {
	if p.cmd == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("program: %w", err)
	}
	select {
	case <-p.ended:
	case <-time.After(stopLimit):
		_ = p.Kill()
		return fmt.Errorf("program: did not stop within %s\n%s", stopLimit, p.log.String())
	}
	code := p.cmd.ProcessState.ExitCode()
	p.cmd = nil
	if code != 0 {
		return fmt.Errorf("program: exit code %d\n%s", code, p.log.String())
	}
	return nil
}

// Kill ends the process and its key agent at once, as a power cut would; its private database is left running, alone, and
// ended by the next Launch (KillDatabase ends it at once, too).
func (p *Program) Kill() error {
	if p.cmd == nil {
		return nil
	}
	if err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("program: kill: %w", err)
	}
	<-p.ended
	p.cmd = nil
	return nil
}

// Restart stops the process if it runs, and starts it over the same data.
func (p *Program) Restart() error {
	if err := p.Stop(); err != nil {
		return err
	}
	return p.Launch()
}

// Close stops the program and removes its data.
func (p *Program) Close() error {
	err := p.Stop()
	if p.Dir != "" {
		err = errors.Join(err, os.RemoveAll(p.Dir))
	}
	return errors.Join(err, p.lock.Close())
}

// Log is the end of what the program has written.
func (p *Program) Log() string { return p.log.String() }

// URL is the address of a path on the host of a subdomain: "byd", "console", "" for the platform's own.
func (p *Program) URL(sub, path string) string {
	host := "localhost"
	if sub != "" {
		host = sub + "." + host
	}
	return fmt.Sprintf("http://%s:%d%s", host, p.Port, path)
}

// Command runs certsaas with arguments over the data of this program, beside it while it runs, and gives its output and
// exit code.
func (p *Program) Command(ctx context.Context, args ...string) (string, int, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(p.bin, "certsaas"), args...)
	cmd.Env = p.env()
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(out), exit.ExitCode(), nil
	}
	return string(out), 0, err
}

// tail keeps the end of a log.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 64 << 10

func (l *tail) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, b...)
	if n := len(l.buf) - tailSize; n > 0 {
		l.buf = bytes.Clone(l.buf[n:])
	}
	return len(b), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.buf)
}
