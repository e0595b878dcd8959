package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"certsaas/config"
	"certsaas/core/authz"
	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/db/embedpg"
	"certsaas/core/payment/demopay"
	"certsaas/core/platform"
	"certsaas/core/tenant"
	"certsaas/tenants"
)

// kek is the measured installation's key-encryption key.
var kek = strings.Repeat("b7", 32)

// house is the measured installation: a private PostgreSQL with its usual durability, and the program.
type house struct {
	t      *testing.T
	bin    string
	dir    string // DATA_DIR
	pg     *embedpg.Server
	url    string // certsaas_app's
	port   string
	server *exec.Cmd
	log    bytes.Buffer
	ended  chan struct{}

	inside *platform.Platform // the same services over the same database, in this process
	mail   mailbox
}

// build links certsaas alone: without the key agent beside it, whose ports belong to one program on a machine.
func build(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "certsaas")
	cmd := exec.Command("go", "build", "-o", bin, ".")
	cmd.Dir = filepath.Join("..", "..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return bin
}

// open starts everything and installs the measured product as tenant "bench".
func open(t *testing.T) *house {
	t.Helper()
	h := &house{t: t, bin: build(t)}
	var err error
	if h.dir, err = os.MkdirTemp("", "csb"); err != nil { // short: a socket's path is at most 107 bytes
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(h.dir) })
	if err := os.Chmod(h.dir, 0o711); err != nil { // as root the database runs as another user
		t.Fatal(err)
	}
	h.pg, err = embedpg.Start(t.Context(), filepath.Join(h.dir, "pg"), embedpg.Options{Params: map[string]string{
		"max_connections": "120", "logging_collector": "on", "log_destination": "jsonlog", "log_directory": "statements",
		"log_rotation_size": "0", "log_file_mode": "0644", "log_min_messages": "log",
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.pg.Stop(context.Background()) })
	if err := db.Bootstrap(t.Context(), h.pg.URL(embedpg.Superuser, "postgres"), "certsaas"); err != nil {
		t.Fatal(err)
	}
	h.url = h.pg.URL(db.RoleApp, "certsaas")
	if err := db.Migrate(t.Context(), h.pg.URL(db.RoleOwner, "certsaas")); err != nil {
		t.Fatal(err)
	}
	h.port = freePort(t)
	h.mail.path = filepath.Join(h.dir, "messages.jsonl")
	h.start("--demo")
	t.Cleanup(h.stop)
	h.moveIn()
	return h
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// env is the configuration of the demonstration, whose messages go into a file.
func (h *house) env() []string {
	return append(os.Environ(), "CERTSAAS_DATA_DIR="+h.dir, "CERTSAAS_LISTEN=127.0.0.1:"+h.port, "CERTSAAS_BASE_DOMAIN=localhost",
		"CERTSAAS_LOG_LEVEL=error", "CERTSAAS_DATABASE_URL="+h.url, "CERTSAAS_VAULT_KEK="+kek, "CERTSAAS_TRUSTED_PROXIES=127.0.0.1")
}

// inService is what a configuration in service has besides: a mail server, which nothing is sent to here.
var inService = []string{"CERTSAAS_MAIL_ADDRESS=127.0.0.1:25", "CERTSAAS_MAIL_FROM=bench@example.com"}

// start runs `certsaas serve` and returns how long it took until it was ready.
func (h *house) start(args ...string) time.Duration {
	h.t.Helper()
	h.server = exec.Command(h.bin, append([]string{"serve"}, args...)...)
	h.server.Env = h.env()
	if len(args) == 0 {
		h.server.Env = append(h.server.Env, inService...)
	}
	h.log.Reset()
	h.server.Stderr = &h.log
	h.server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	h.ended = make(chan struct{})
	begin := time.Now()
	if err := h.server.Start(); err != nil {
		h.t.Fatal(err)
	}
	go func(cmd *exec.Cmd, gone chan struct{}) { _ = cmd.Wait(); close(gone) }(h.server, h.ended)
	for time.Since(begin) < time.Minute {
		res, err := http.Get("http://127.0.0.1:" + h.port + "/readyz")
		if err == nil {
			_, _ = io.Copy(io.Discard, res.Body)
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return time.Since(begin)
			}
		}
		select {
		case <-h.ended:
			h.t.Fatalf("certsaas ended at its start: %s", h.log.String())
		case <-time.After(2 * time.Millisecond):
		}
	}
	h.t.Fatalf("certsaas is not ready: %s", h.log.String())
	return 0
}

func (h *house) stop() {
	if h.server == nil {
		return
	}
	_ = h.server.Process.Signal(syscall.SIGTERM)
	select {
	case <-h.ended:
	case <-time.After(20 * time.Second):
		_ = h.server.Process.Kill()
		<-h.ended
	}
	h.server = nil
}

// moveIn opens the services in this process as well, and publishes the measured product.
func (h *house) moveIn() {
	h.t.Helper()
	cfg := config.Default()
	cfg.DataDir, cfg.Web.BaseDomain, cfg.Vault.KEK, cfg.Web.Listen = h.dir, "localhost", kek, "127.0.0.1:"+h.port
	d, err := db.Open(h.t.Context(), db.Options{AppURL: h.url, SystemURL: h.pg.URL(db.RoleSystem, "certsaas"), MaxConns: 4, Clock: clock.System()})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(d.Close)
	bundle, err := platform.Sentences()
	if err != nil {
		h.t.Fatal(err)
	}
	h.inside, err = platform.Open(h.t.Context(), platform.Options{DB: d, DataDir: h.dir, Clock: clock.System(), Config: cfg, Sender: &channel.Recording{}, Bundle: bundle})
	if err != nil {
		h.t.Fatal(err)
	}
	h.install("bench")
}

// install publishes the measured product under a name.
func (h *house) install(slug string) {
	h.t.Helper()
	if _, err := h.inside.Releases.Install(asSystem(h.t.Context()), measured(h.t, slug)); err != nil {
		h.t.Fatal(err)
	}
}

func asSystem(ctx context.Context) context.Context {
	return authz.WithPrincipal(ctx, authz.System("platform/bench"))
}

// measured is King Long's pack under another name with the one product of testdata.
func measured(t *testing.T, slug string) tenant.Definition {
	t.Helper()
	product, err := os.ReadFile(filepath.Join("testdata", "bench.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	def, problems := tenant.Load(tenants.Base(), tenants.Pack("kinglong"))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	maps.DeleteFunc(def.Files, func(path, _ string) bool {
		return strings.HasPrefix(path, "products/") || strings.HasPrefix(path, "letters/")
	})
	def.Files["tenant.yaml"] = strings.NewReplacer("slug: kinglong", "slug: "+slug, "products: [chugou, gengxin]", "products: [bench]").Replace(def.Files["tenant.yaml"])
	def.Slug, def.Files["products/bench.yaml"] = slug, string(product)
	if _, problems := tenant.Compile(def); problems.Err() != nil {
		t.Fatalf("the measured pack: %v", problems)
	}
	return def
}

// company is the demonstration's payment company with a copy of its books: it signs what the real one would.
func (h *house) company() *demopay.Provider {
	h.t.Helper()
	dir := h.t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(h.dir, "demopay"))); err != nil {
		h.t.Fatal(err)
	}
	p, err := demopay.Open(demopay.Options{Dir: dir, BaseURL: h.at("", ""), Clock: clock.System()})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = p.Close() })
	return p
}

// at is the address of a path on the host of a subdomain.
func (h *house) at(sub, path string) string {
	host := "localhost"
	if sub != "" {
		host = sub + "." + host
	}
	return fmt.Sprintf("http://%s:%s%s", host, h.port, path)
}
