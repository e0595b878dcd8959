package web

import (
	"context"
	"log/slog"
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
		return c.JSON(body)
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

// What worries.
const (
	JobLate     = "job_late"         // Name: the job; Since: its last success, zero for never
	DeadLetters = "dead_letters"     // Count: messages of the outbox that were given up
	OutboxLate  = "outbox_late"      // Count: messages that are due; Since: when the oldest was
	NoCalendar  = "calendar_missing" // Name: the year whose holiday notice is not known
)

// Worry is something that is not well and does not keep the program from serving.
type Worry struct {
	Kind  string    `json:"kind"`
	Name  string    `json:"name,omitempty"`
	Since time.Time `json:"since,omitzero"`
	Count int       `json:"count,omitempty"`
}

// Readiness is what /readyz says: ready, degraded (it serves, something is late), failing (what it needs is not there) or draining.
type Readiness struct {
	State   string            `json:"state"`
	Checks  map[string]string `json:"checks,omitempty"` // ok | failing; never why
	Worries []Worry           `json:"worries,omitempty"`
}

// readiness asks each dependency, and then what worries, for at most two seconds in all; false when a balancer should look
// elsewhere. A late job is no reason: every other process would have it, too.
func (s *Server) readiness(ctx context.Context) (Readiness, bool) {
	if s.drain.on.Load() {
		return Readiness{State: "draining"}, false
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r := Readiness{State: "ready", Checks: map[string]string{}}
	for name, check := range s.cfg.Ready {
		r.Checks[name] = "ok"
		if err := check(ctx); err != nil {
			r.Checks[name], r.State = "failing", "failing"
		}
	}
	if r.State == "failing" {
		return r, false
	}
	if s.cfg.Worries == nil {
		return r, true
	}
	var err error
	if r.Worries, err = s.cfg.Worries(ctx); err != nil {
		slog.WarnContext(ctx, "what is late cannot be told", "error", err)
		r.Checks["watch"], r.State = "failing", "degraded"
	}
	if len(r.Worries) > 0 {
		r.State = "degraded"
	}
	return r, true
}
