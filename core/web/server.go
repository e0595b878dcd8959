// Package web is the ground both the portal and the console stand on: one
// fiber application, its route table, sessions' cookies, cross-site protection,
// languages, pages and the one place where an error becomes a response.
//
// In: Routes from portal and console, a Hosts that knows whose host was asked,
// a way to open a session. Out: handlers that only do their work: the route
// table checks authorisation, cross-site tokens, body size and deadline before
// a handler runs, and handlers return errors instead of writing them.
package web

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"certsaas/core/authz"
	"certsaas/core/i18n"
)

// Messages are the package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// Limits that hold where a route says nothing else.
const (
	DefaultBody    = 256 << 10        // bytes of a request body
	DefaultTimeout = 20 * time.Second // of a handler's work
	headerBuffer   = 8 << 10          // bytes of a request's head
	headTime       = 15 * time.Second // for a request's head, and for a small body
	slowestLine    = 16 << 10         // bytes a second of the slowest line that a picture must come through (128 kbit/s)
	bodyTime       = 5 * time.Minute  // for the largest body
)

// readTime is how long a body of so many bytes may take: a picture of 2 MB needs more than a minute on a slow line.
func readTime(length int) time.Duration {
	return min(max(headTime, time.Duration(length/slowestLine)*time.Second), bodyTime)
}

// Session is what a session cookie stands for. Its zero value is a visitor's.
type Session struct {
	Principal authz.Principal
	Value     any // whatever the caller's package keeps with it
}

// Config is what a Server needs.
type Config struct {
	Secret         []byte                                                               // ≥ 32 random bytes, the same on every replica: signs tokens and flashes
	HTTPS          bool                                                                 // the public address is https: Secure cookies with __Host- names, HSTS
	TrustedProxies []string                                                             // addresses or CIDRs whose X-Forwarded-For is believed; none by default
	Hosts          Hosts                                                                //
	Bundle         *i18n.Bundle                                                         //
	Authorizer     *authz.Authorizer                                                    //
	Sessions       func(ctx context.Context, site *Site, token string) (Session, error) // fault.Unauthenticated or NotFound: no such session
	Now            func() time.Time                                                     // the clock, for durations and expiry
	Ready          map[string]func(context.Context) error                               // what /readyz asks
	Worries        func(ctx context.Context) ([]Worry, error)                           // what is late though the program serves; may be nil
}

// Server is the fiber application with what every route needs.
type Server struct {
	cfg     Config
	app     *fiber.App
	routes  []mounted
	metrics *Metrics
	drain   drain
}

// New builds the server: recovery, request ids, headers, hosts, static files and
// health are in place; Mount adds the routes and Seal ends them.
func New(cfg Config) (*Server, error) {
	switch {
	case len(cfg.Secret) < 32:
		return nil, errors.New("web: the secret has less than 32 bytes")
	case cfg.Bundle == nil || cfg.Authorizer == nil || cfg.Now == nil || cfg.Sessions == nil:
		return nil, errors.New("web: Bundle, Authorizer, Sessions and Now must be given")
	}
	s := &Server{cfg: cfg, metrics: NewMetrics()}
	s.app = fiber.New(fiber.Config{
		Immutable:               true, // else strings alias the request buffer
		ReadTimeout:             headTime,
		WriteTimeout:            60 * time.Second,
		IdleTimeout:             60 * time.Second,
		ReadBufferSize:          headerBuffer,
		BodyLimit:               DefaultBody,
		DisableStartupMessage:   true,
		EnableTrustedProxyCheck: true,
		TrustedProxies:          cfg.TrustedProxies,
		ProxyHeader:             proxyHeader(cfg.TrustedProxies),
		EnableIPValidation:      true,
		ErrorHandler:            s.handleError,
		AppName:                 "certsaas",
	})
	s.app.Server().HeaderReceived = func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
		return fasthttp.RequestConfig{MaxRequestBodySize: s.bodyLimit(string(h.Method()), string(h.RequestURI())), ReadTimeout: readTime(h.ContentLength())}
	}
	s.app.Use(s.recoverAndCount, s.identify)
	s.health()
	s.app.Use(s.resolveHost)
	s.static()
	return s, nil
}

// proxyHeader is believed only when somebody is trusted to set it.
func proxyHeader(trusted []string) string {
	if len(trusted) == 0 {
		return ""
	}
	return fiber.HeaderXForwardedFor
}

// App is the fiber application, for Listen and for tests.
func (s *Server) App() *fiber.App { return s.app }

// Metrics is the registry behind /metrics.
func (s *Server) Metrics() *Metrics { return s.metrics }

// Listen serves until Shutdown.
func (s *Server) Listen(addr string) error {
	if err := s.app.Listen(addr); err != nil {
		return fmt.Errorf("web: listen on %s: %w", addr, err)
	}
	return nil
}

// Shutdown stops taking requests and waits for those under way. From its first
// moment /readyz answers 503, so that a balancer looks elsewhere.
func (s *Server) Shutdown(wait time.Duration) error {
	s.drain.begin()
	if err := s.app.ShutdownWithTimeout(wait); err != nil {
		return fmt.Errorf("web: shutdown: %w", err)
	}
	return nil
}

// recoverAndCount turns a panic into an error, logs and counts the request. It
// is the outermost handler, so it also calls the error handler itself: what it
// counts is the status that was sent.
func (s *Server) recoverAndCount(c *fiber.Ctx) (err error) {
	start := s.cfg.Now()
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("web: panic: %v", r)
			slog.Error("panic", "request_id", RequestID(c.UserContext()), "panic", fmt.Sprint(r), "stack", stack())
		}
		if err != nil {
			err = s.handleError(c, err)
		}
		route, status, took := template(c), c.Response().StatusCode(), s.cfg.Now().Sub(start)
		s.metrics.observe(c.Method(), route, status, took)
		slog.Debug("request", "request_id", RequestID(c.UserContext()), "method", c.Method(), "route", route, "status", status, "ms", took.Milliseconds())
	}()
	return c.Next()
}
