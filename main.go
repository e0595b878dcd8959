// Command certsaas sells and renews USBKEY certificates for many enterprises. This file only wires; see README.md.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"certsaas/config"
	"certsaas/console"
	"certsaas/console/remindtext"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/platform"
	"certsaas/core/staff"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/portal"
	"certsaas/portal/aftertext"
	"certsaas/portal/renewtext"
	"certsaas/scheduler"
	"certsaas/tenants"
)

const usage = `certsaas: USBKEY certificates for many enterprises

  certsaas serve [--demo [--ahead 335d]] [--only portal,console,scheduler]
  certsaas migrate up|status
  certsaas tenant validate|plan|apply|export|list …
  certsaas staff add --login L --name N --roles reviewer,finance   (password on standard input)
  certsaas vault rotate   a new key-encryption key, while the program serves
  certsaas doctor      what is wrong with this installation, and how to mend it
  certsaas fsck        the invariants of the data; exit 1 on any violation
  certsaas config      the configuration in force, secrets masked
  certsaas version

Configuration: --config FILE (YAML) under CERTSAAS_… environment variables; see config/config.go.
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

// run does one command and answers the exit code.
func run(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("certsaas", flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	file := flags.String("config", os.Getenv("CERTSAAS_CONFIG"), "configuration file")
	if err := flags.Parse(args); err != nil || flags.NArg() == 0 {
		flags.Usage()
		return 2
	}
	cfg, err := config.Load(*file, os.LookupEnv)
	if err != nil {
		fmt.Fprintln(os.Stderr, "certsaas:", err)
		return 1
	}
	logTo(os.Stderr, cfg.Log)
	p := &program{cfg: cfg}
	code, err := p.command(ctx, flags.Arg(0), flags.Args()[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "certsaas:", err)
		return max(code, 1)
	}
	return code
}

// logTo sends the program's log to w.
func logTo(w io.Writer, c config.Log) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil { // Validate has seen it
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	var h slog.Handler = slog.NewJSONHandler(w, opts)
	if c.Format == "text" {
		h = slog.NewTextHandler(w, opts)
	}
	slog.SetDefault(slog.New(h))
}

// program is one run of a command.
type program struct {
	cfg     config.Config
	demo    bool
	ahead   time.Duration // of the platform's clock; a demonstration's only
	serving bool          // a command is a guest beside a serving program
	data    *platform.Database
	all     *platform.Platform
}

func (p *program) command(ctx context.Context, name string, args []string) (int, error) {
	ctx = authz.WithPrincipal(ctx, authz.System("cli/"+name))
	switch name {
	case "serve":
		return 0, p.serve(ctx, args)
	case "migrate":
		return 0, p.migrate(ctx, args)
	case "tenant":
		defer p.close()
		c := tenant.Command{Base: tenants.Base(), Out: os.Stdout, Err: os.Stderr, Open: p.releases}
		return c.Run(ctx, args), nil
	case "staff":
		defer p.close()
		return 0, p.addStaff(ctx, args)
	case "vault":
		defer p.close()
		return 0, p.rotate(ctx, args)
	case "doctor", "fsck":
		if err := p.open(ctx); err != nil {
			return 1, err
		}
		defer p.close()
		return p.examine(ctx, name)
	case "config":
		fmt.Print(p.cfg.String())
		return 0, nil
	case "version":
		fmt.Println(version())
		return 0, nil
	}
	fmt.Fprint(os.Stderr, usage)
	return 2, fmt.Errorf("no command %q", name)
}

// open connects to the database and wires every service.
func (p *program) open(ctx context.Context) error {
	clk := clock.NewShifted(nil)
	clk.SetOffset(p.ahead)
	var err error
	if p.data, err = platform.OpenDatabase(ctx, p.cfg, clk, !p.serving); err != nil {
		return err
	}
	pages := []fs.FS{portal.Messages, aftertext.Messages, renewtext.Messages, console.Messages, remindtext.Messages}
	bundle, err := platform.Sentences(pages...)
	if err != nil {
		return err
	}
	sender, err := platform.Sender(p.cfg)
	if err != nil {
		return err
	}
	p.all, err = platform.Open(ctx, platform.Options{
		DB: p.data.DB, DataDir: p.cfg.DataDir, Clock: clk, Config: p.cfg,
		CreateKEK: p.cfg.Embedded(), Demo: p.demo, Bundle: bundle, Sender: sender,
	})
	return err
}

// releases opens the store of tenants' definitions.
func (p *program) releases(ctx context.Context) (*tenant.Store, error) {
	if err := p.open(ctx); err != nil {
		return nil, err
	}
	return p.all.Releases, nil
}

// close stops what open started.
func (p *program) close() {
	if p.data != nil {
		p.data.Stop(context.Background())
	}
}

// softMemory is what the program keeps to where it can, unless GOMEMLIMIT says otherwise: many large uploads at once must not
// let the collector wait for twice their size (reliability U3).
const softMemory = 400 << 20

// serve runs portal, console and scheduler, or those named by --only, until a signal comes.
func (p *program) serve(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("serve", flag.ContinueOnError)
	flags.BoolVar(&p.demo, "demo", false, "demonstration: local payments, messages into a file, demonstration data and key agent")
	only := flags.String("only", "portal,console,scheduler", "parts to run")
	ahead := flags.String("ahead", "", "with --demo: put the platform's clock so far ahead, as in 335d or 335d7h30m: certificates come to their end, reminders go out")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if err := p.move(*ahead); err != nil {
		return err
	}
	parts := strings.Split(*only, ",")
	p.serving = true
	if err := p.open(ctx); err != nil {
		p.close()
		return err
	}
	defer p.close()
	if err := p.all.Equipped(); err != nil {
		return err
	}
	if err := p.prepare(ctx); err != nil {
		return err
	}
	work := scheduler.Jobs(p.all)
	srv, err := p.server(parts, scheduler.NewWatch(p.all, work))
	if err != nil {
		return err
	}
	jobs, err := scheduler.New(p.data.DB, work)
	if err != nil {
		return err
	}
	if slices.Contains(parts, "scheduler") {
		jobs.Start()
	}
	if p.demo {
		go p.all.DemoPay.Run(ctx)
		p.startAgent(ctx)
		p.welcome()
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softMemory)
	}
	go debug.FreeOSMemory() // a start compiles packs and policies: most of that memory is not wanted again
	failed := make(chan error, 2)
	go func() { failed <- srv.Listen(p.cfg.Web.Listen) }()
	if addr := p.cfg.Web.MetricsListen; addr != "" {
		go func() { failed <- srv.ListenMetrics(ctx, addr) }()
	}
	select {
	case err = <-failed:
	case <-ctx.Done():
	case <-p.data.Lost():
		err = errors.New("the private database has ended")
	}
	return errors.Join(err, srv.Shutdown(10*time.Second), jobs.Shutdown())
}

// move puts a demonstration's clock ahead. A platform in service lives in the present.
func (p *program) move(span string) (err error) {
	if span == "" {
		return nil
	}
	if !p.demo {
		return errors.New("--ahead is for demonstrations alone: give --demo, too")
	}
	if p.ahead, err = clock.ParseSpan(span); err != nil {
		return fmt.Errorf("--ahead: %w", err)
	}
	return nil
}

// server mounts the pages of the parts.
func (p *program) server(parts []string, watch *scheduler.Watch) (*web.Server, error) {
	a := p.all
	srv, err := web.New(web.Config{
		Secret: a.Vault.PlatformKeys().MAC("web", []byte("secret")), HTTPS: p.cfg.Secure(), TrustedProxies: p.cfg.Web.TrustedProxies,
		Hosts: a.Sites.Hosts(), Bundle: a.Bundle, Authorizer: a.Authz, Sessions: a.Sessions, Now: a.Clock.Now,
		Ready: map[string]func(context.Context) error{"database": platform.Ready(p.data.DB)}, Worries: watch.Worries,
	})
	if err != nil {
		return nil, err
	}
	watch.Export(srv.Metrics())
	if slices.Contains(parts, "portal") {
		err = portal.Mount(srv, a)
	}
	if slices.Contains(parts, "console") {
		err = errors.Join(err, console.Mount(srv, a, watch))
	}
	srv.Seal()
	return srv, err
}

// prepare brings in the packs and the demonstration's data, and tells key agents whom to trust.
func (p *program) prepare(ctx context.Context) error {
	if p.demo {
		if err := p.all.Lived(ctx); err != nil {
			return err
		}
		if err := p.all.InstallPacks(ctx); err != nil {
			return err
		}
		if err := p.all.SeedDemo(ctx); err != nil {
			return err
		}
	}
	return p.all.WriteTrust(ctx)
}

// startAgent starts the demonstration's key agent: the second program, built beside this one.
func (p *program) startAgent(ctx context.Context) {
	self, err := os.Executable()
	if err == nil {
		err = p.all.StartDemoAgent(ctx, filepath.Join(filepath.Dir(self), "keyagent"), p.ahead)
	}
	if err != nil {
		slog.Warn("the demonstration's key agent does not run; build it beside certsaas with `make build`", "error", err)
	}
}

// welcome prints where to go and who to be.
func (p *program) welcome() {
	fmt.Printf("\ncertsaas %s, demonstration data in %s\n\n", version(), p.cfg.DataDir)
	if p.ahead > 0 {
		fmt.Printf("  The clock of this demonstration is %s ahead: it is %s in Shanghai.\n  With these data it cannot go back.\n\n",
			clock.FormatSpan(p.ahead), p.all.Clock.Now().In(clock.Shanghai).Format(time.DateTime))
	}
	p.all.Welcome(os.Stdout)
}

// migrate brings the schema up to date, or tells where it stands.
func (p *program) migrate(ctx context.Context, args []string) error {
	if len(args) != 1 || (args[0] != "up" && args[0] != "status") {
		return errors.New("usage: certsaas migrate up|status")
	}
	owner, stop, err := platform.OwnerAddress(ctx, p.cfg)
	if err != nil {
		return err
	}
	defer stop()
	if args[0] == "up" {
		if err := db.Migrate(ctx, owner); err != nil {
			return err
		}
	}
	status, err := db.MigrationStatus(ctx, owner)
	if err != nil {
		return err
	}
	fmt.Printf("schema version %d of %d, half-way: %t\n", status.Version, status.Latest, status.Dirty)
	return nil
}

// addStaff makes a log-in for a member of the CA's staff and shows its second factor once.
func (p *program) addStaff(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] != "add" {
		return errors.New("usage: certsaas staff add --login L --name N --roles R,…")
	}
	flags := flag.NewFlagSet("staff add", flag.ContinueOnError)
	login, name := flags.String("login", "", "log-in"), flags.String("name", "", "name shown to colleagues")
	roles := flags.String("roles", "", "of "+strings.Join(authz.Roles(), ", "))
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	password, err := io.ReadAll(io.LimitReader(os.Stdin, 1024))
	if err != nil {
		return err
	}
	if err := p.open(ctx); err != nil {
		return err
	}
	e, err := p.all.Staff.Add(ctx, staff.NewPerson{Login: *login, Name: *name, Password: strings.TrimRight(string(password), "\r\n"), Roles: strings.Split(*roles, ",")})
	if err != nil {
		return err
	}
	fmt.Printf("second factor, shown once: %s\n%s\n", e.Secret, e.URL)
	return nil
}

// rotate goes to a new key-encryption key.
func (p *program) rotate(ctx context.Context, args []string) error {
	if len(args) != 1 || args[0] != "rotate" {
		return errors.New("usage: certsaas vault rotate")
	}
	if err := p.open(ctx); err != nil {
		return err
	}
	said, err := p.all.RotateKEK(ctx)
	if err != nil {
		return err
	}
	fmt.Println(said)
	return nil
}

// examine prints what doctor or fsck found; any finding gives exit code 1.
func (p *program) examine(ctx context.Context, name string) (int, error) {
	look := p.all.Doctor
	if name == "fsck" {
		look = p.all.Fsck
	}
	findings, err := look(ctx)
	if err != nil {
		return 1, err
	}
	for _, f := range findings {
		fmt.Println(f)
	}
	if len(findings) > 0 {
		return 1, nil
	}
	fmt.Println(name + ": nothing found")
	return 0, nil
}

// version is the build's.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value[:min(12, len(s.Value))]
		}
	}
	return info.Main.Version
}
