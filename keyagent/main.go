// Command keyagent runs on the PC that holds the USBKEY: a loopback server that
// lets allowed web pages renew the certificate inside the key. The PIN is typed in
// its own window. It needs no administrator rights and stores nothing.
//
//	keyagent --trust keyagent-trust.json --module /usr/lib/vendor/libp11.so
//	keyagent --trust keyagent-trust.json --demo data/demo-token
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"

	"certsaas/core/clock"
	"certsaas/core/token"
	"certsaas/core/token/softtoken"
	"certsaas/core/token/ticket"
	"certsaas/keyagent/agent"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "keyagent:", err)
		os.Exit(1)
	}
}

type options struct {
	module, trust, origins, listen, demo, prompt string
	open, verbose                                bool
	ahead                                        time.Duration // of the clock; with a demonstration token only
}

func parse(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("keyagent", flag.ContinueOnError)
	fs.StringVar(&o.module, "module", "", "absolute path of the USBKEY's PKCS #11 library")
	fs.StringVar(&o.trust, "trust", "", "file with the platform's ticket keys and page origins (keyagent-trust.json)")
	fs.StringVar(&o.origins, "origins", "", "narrow the trusted page origins to these: comma-separated, or a file with one a line")
	fs.StringVar(&o.listen, "listen", "", "127.0.0.1:PORT; default: the first free of 17631, 27631, 37631")
	fs.StringVar(&o.demo, "demo", "", "directory of a demonstration token (SoftHSM) instead of --module")
	ahead := fs.String("ahead", "0s", "with --demo: how far the demonstration's clock is ahead, as in 335d")
	fs.StringVar(&o.prompt, "prompt", "window", "where the PIN is typed: window or terminal")
	fs.BoolVar(&o.open, "open", false, "open the PIN window in the default browser; otherwise the page shows a link to it")
	fs.BoolVar(&o.verbose, "verbose", false, "log every operation (never a PIN)")
	err := fs.Parse(args)
	if err == nil {
		o.ahead, err = clock.ParseSpan(*ahead)
	}
	if err != nil {
		return o, err
	}
	switch {
	case fs.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", fs.Arg(0))
	case o.trust == "":
		return o, errors.New("--trust is required: the platform writes keyagent-trust.json into its data directory")
	case (o.module == "") == (o.demo == ""):
		return o, errors.New("give either --module or --demo")
	case o.module != "" && !filepath.IsAbs(o.module):
		return o, errors.New("--module must be an absolute path")
	case o.ahead != 0 && o.demo == "":
		return o, errors.New("--ahead is for demonstrations alone: real keys live in the present")
	case o.prompt != "window" && o.prompt != "terminal":
		return o, errors.New("--prompt must be window or terminal")
	}
	return o, nil
}

func run(ctx context.Context, args []string) error {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	trust, err := trustSource(o)
	if err != nil {
		return err
	}
	driver, err := openDriver(o)
	if err != nil {
		return err
	}
	defer driver.Close()
	listeners, port, err := listen(o.listen)
	if err != nil {
		return err
	}
	level := slog.LevelInfo
	if o.verbose {
		level = slog.LevelDebug
	}
	clk := clock.NewShifted(nil)
	clk.SetOffset(o.ahead)
	cfg := agent.Config{
		Driver: driver, Trust: trust, Clock: clk, Version: version(),
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
	}
	if o.open {
		cfg.OpenURL = openURL
	}
	if o.prompt == "terminal" {
		cfg.Prompter = agent.Terminal{Out: os.Stderr, FD: int(os.Stdin.Fd())}
	}
	fmt.Printf("keyagent %s: http://127.0.0.1:%d (%s)\n", cfg.Version, port, driver.Name())
	return agent.New(cfg).Serve(ctx, listeners, port)
}

// trustSource reads the trust file now, to fail early, and again at every use, so
// that a platform can add origins and keys while the agent runs.
func trustSource(o options) (agent.TrustSource, error) {
	only, err := originList(o.origins)
	if err != nil {
		return nil, err
	}
	read := func() (ticket.Trust, error) {
		t, err := ticket.ReadTrust(o.trust)
		if err != nil || only == nil {
			return t, err
		}
		for i, issuer := range t.Issuers {
			t.Issuers[i].Origins = nil
			for _, origin := range issuer.Origins {
				if only[origin] {
					t.Issuers[i].Origins = append(t.Issuers[i].Origins, origin)
				}
			}
		}
		return t, nil
	}
	_, err = read()
	return read, err
}

// originList reads --origins; nil means no narrowing.
func originList(arg string) (map[string]bool, error) {
	if arg == "" {
		return nil, nil
	}
	text := strings.ReplaceAll(arg, ",", "\n")
	if !strings.Contains(arg, "://") {
		data, err := os.ReadFile(arg)
		if err != nil {
			return nil, fmt.Errorf("--origins: %w", err)
		}
		text = string(data)
	}
	only := map[string]bool{}
	for _, line := range strings.Fields(text) {
		only[line] = true
	}
	return only, nil
}

func openDriver(o options) (token.Driver, error) {
	if o.demo != "" {
		return softtoken.Open(o.demo)
	}
	return token.Open(o.module)
}

// listen takes loopback addresses only, whatever the flag says.
func listen(addr string) ([]net.Listener, int, error) {
	if addr == "" {
		return agent.Listen(agent.Ports)
	}
	host, portText, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, 0, fmt.Errorf("--listen: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil || (host != "127.0.0.1" && host != "localhost" && host != "::1") {
		return nil, 0, errors.New("--listen must be 127.0.0.1:PORT: the agent is for this computer alone")
	}
	return agent.Listen([]int{port})
}

// openURL opens the system's browser on one of the agent's own pages.
func openURL(url string) error {
	name, args := "xdg-open", []string{url}
	switch runtime.GOOS {
	case "windows":
		name, args = "rundll32", []string{"url.dll,FileProtocolHandler", url}
	case "darwin":
		name = "open"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return err
	}
	cmd := exec.Command(path, args...)
	if err := cmd.Start(); err != nil {
		return err
	}
	go cmd.Wait() // reaped; its outcome shows in the window
	return nil
}

func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "1.0.0"
}
