package web

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
)

// drain remembers that the program is about to stop.
type drain struct{ on atomic.Bool }

func (d *drain) begin() { d.on.Store(true) }

// health answers /livez (the process runs) and /readyz (what it needs is there) on every host, and /metrics to this machine.
func (s *Server) health() {
	s.app.Get("/livez", func(c *fiber.Ctx) error { return c.SendString("ok\n") })
	s.app.Get("/readyz", func(c *fiber.Ctx) error {
		body, ok := s.readiness(c.UserContext())
		if !ok {
			c.Status(fiber.StatusServiceUnavailable)
		}
		return c.SendString(body)
	})
	s.app.Get("/metrics", func(c *fiber.Ctx) error {
		if !fromHere(c) {
			return fiber.ErrNotFound
		}
		c.Set(fiber.HeaderContentType, "text/plain; version=0.0.4; charset=utf-8")
		return c.SendString(s.metrics.Text())
	})
}

// fromHere tells whether a request comes from this machine itself and not through a proxy on it. A request without an
// address was made inside the process.
func fromHere(c *fiber.Ctx) bool {
	ip := c.Context().RemoteIP()
	return (ip.IsLoopback() || ip.IsUnspecified()) && c.Get(fiber.HeaderXForwardedFor) == "" && c.Get("Forwarded") == ""
}

// ListenMetrics serves /metrics, and nothing else, on an address of its own until ctx ends: for a collector on another machine.
func (s *Server) ListenMetrics(ctx context.Context, addr string) error {
	app := fiber.New(fiber.Config{DisableStartupMessage: true, ReadTimeout: 15 * time.Second, WriteTimeout: 15 * time.Second})
	app.Get("/metrics", func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, "text/plain; version=0.0.4; charset=utf-8")
		return c.SendString(s.metrics.Text())
	})
	stop := context.AfterFunc(ctx, func() { _ = app.Shutdown() })
	defer stop()
	return app.Listen(addr)
}

// readiness asks each dependency for at most two seconds in all; the answer
// names what is missing, never why.
func (s *Server) readiness(ctx context.Context) (string, bool) {
	if s.drain.on.Load() {
		return "draining\n", false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	var b strings.Builder
	ok := true
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Ready)) {
		state := "ok"
		if err := s.cfg.Ready[name](ctx); err != nil {
			state, ok = "failing", false
		}
		b.WriteString(name + " " + state + "\n")
	}
	if ok {
		b.WriteString("ready\n")
	}
	return b.String(), ok
}
