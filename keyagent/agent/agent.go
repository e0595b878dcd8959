// Package agent is the key agent: a server on the loopback interface of the PC
// that holds the USBKEY. Pages of allowed origins ask over a WebSocket, with a
// signed ticket for everything; device facts, key requests and proofs come out.
// The PIN is typed in the agent's own window and never passes through a page.
package agent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"certsaas/core/clock"
	"certsaas/core/token"
	"certsaas/core/token/ticket"

	"golang.org/x/time/rate"
)

// Ports are tried in turn, by the agent and by pages.
var Ports = []int{17631, 27631, 37631}

const (
	maxSessions = 8
	idleLimit   = 5 * time.Minute
	pinLimit    = 3 * time.Minute
)

// Config is what an Agent needs; every field but Prompter and OpenURL is required.
type Config struct {
	Driver   token.Driver
	Trust    TrustSource
	Clock    clock.Clock
	Log      *slog.Logger
	Version  string
	Prompter Prompter           // nil: the agent's own page
	OpenURL  func(string) error // opens the PIN page; nil: the portal page shows a link
}

// TrustSource gives the current trust; it is asked at every connection and
// ticket, so a platform may add origins while the agent runs.
type TrustSource func() (ticket.Trust, error)

// Agent serves pages. It is safe for concurrent use.
type Agent struct {
	cfg     Config
	windows *windows
	hello   *rate.Limiter
	connect *rate.Limiter

	mu       sync.Mutex
	used     map[string]time.Time // jti → its ticket's exp
	owners   map[string]*session  // device serial number → the session that selected it
	sessions map[*session]bool
	present  map[string]bool // devices seen by the watcher
	port     int
}

// New makes an Agent.
func New(cfg Config) *Agent {
	a := &Agent{cfg: cfg, windows: newWindows(cfg.Clock), hello: rate.NewLimiter(10, 30), connect: rate.NewLimiter(2, 10),
		used: map[string]time.Time{}, owners: map[string]*session{}, sessions: map[*session]bool{}}
	if a.cfg.Prompter == nil {
		a.cfg.Prompter = &windowPrompter{a.windows, a.base, cfg.OpenURL}
	}
	return a
}

func (a *Agent) base() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return fmt.Sprintf("http://127.0.0.1:%d", a.port)
}

// Listen opens the first free of the ports on 127.0.0.1, and on ::1 where there
// is one. No other address is ever listened on.
func Listen(ports []int) ([]net.Listener, int, error) {
	var errs []error
	for _, port := range ports {
		v4, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		got := v4.Addr().(*net.TCPAddr).Port
		if v6, err := net.Listen("tcp6", fmt.Sprintf("[::1]:%d", got)); err == nil {
			return []net.Listener{v4, v6}, got, nil
		}
		return []net.Listener{v4}, got, nil
	}
	return nil, 0, fmt.Errorf("keyagent: no free port: %w", errors.Join(errs...))
}

// Serve answers on the listeners until ctx ends. port is theirs.
func (a *Agent) Serve(ctx context.Context, listeners []net.Listener, port int) error {
	a.mu.Lock()
	a.port = port
	a.mu.Unlock()
	srv := &http.Server{
		Handler: a.handler(port), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second,
		IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog:    slog.NewLogLogger(a.cfg.Log.Handler(), slog.LevelDebug),
	}
	go a.watch(ctx)
	done := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { done <- srv.Serve(l) }()
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-done:
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if shutErr := srv.Shutdown(stop); shutErr != nil {
		err = errors.Join(err, srv.Close())
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

func (a *Agent) handler(port int) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/hello", a.guarded(a.serveHello))
	mux.HandleFunc("OPTIONS /v1/hello", a.guarded(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	mux.HandleFunc("GET /v1/ws", a.guarded(a.serveWS))
	a.windows.routes(mux)
	hosts := []string{fmt.Sprintf("127.0.0.1:%d", port), fmt.Sprintf("[::1]:%d", port), fmt.Sprintf("localhost:%d", port)}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// DNS rebinding: a foreign name that leads to 127.0.0.1 shows in Host.
		if !slices.Contains(hosts, r.Host) {
			refuse(w, http.StatusForbidden, codeOrigin)
			return
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		mux.ServeHTTP(w, r)
	})
}

// guarded lets in allowed origins only; a missing Origin is not allowed.
func (a *Agent) guarded(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		origins := r.Header.Values("Origin")
		trust, err := a.cfg.Trust()
		if err != nil {
			a.cfg.Log.Error("trust cannot be read", "err", err)
		}
		if err != nil || len(origins) != 1 || !trust.AllowsOrigin(origins[0]) {
			refuse(w, http.StatusForbidden, codeOrigin)
			return
		}
		w.Header().Set("Access-Control-Allow-Origin", origins[0])
		w.Header().Set("Vary", "Origin")
		next(w, r)
	}
}

func refuse(w http.ResponseWriter, status int, code token.Code) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"error": fail(code, nil)}) // the client may be gone
}

func (a *Agent) serveHello(w http.ResponseWriter, _ *http.Request) {
	if !a.hello.AllowN(a.cfg.Clock.Now(), 1) {
		refuse(w, http.StatusTooManyRequests, codeRate)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(map[string]any{ // no device data: any allowed page may ask
		"agent": "ukagent", "version": a.cfg.Version, "proto": Proto, "drivers": []string{a.cfg.Driver.Name()}, "os": osName,
	})
}

// redeem checks a ticket for a page's origin and marks it used. A ticket serves
// one session: shown in another one it is a replay.
func (a *Agent) redeem(raw, origin string) (ticket.Claims, error) {
	trust, err := a.cfg.Trust()
	if err != nil {
		return ticket.Claims{}, fail(codeTicket, err)
	}
	now := a.cfg.Clock.Now()
	c, err := ticket.Verify(raw, trust, now)
	if err != nil {
		return ticket.Claims{}, fail(codeTicket, err)
	}
	if c.Origin != origin {
		return ticket.Claims{}, fail(codeTicket, errors.New("ticket is for another origin"))
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for jti, exp := range a.used {
		if now.After(exp) {
			delete(a.used, jti)
		}
	}
	key := c.Iss + "\x00" + c.JTI
	if _, replay := a.used[key]; replay {
		return ticket.Claims{}, fail(codeTicket, errors.New("ticket was used in another session"))
	}
	a.used[key] = time.Unix(c.Exp, 0)
	return c, nil
}
