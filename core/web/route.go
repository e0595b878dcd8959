package web

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/authz"
	"certsaas/core/fault"
	"certsaas/core/i18n"
)

// Route is one line of the portal's or the console's route table.
type Route struct {
	Method  string        // "GET", "POST"; a GET answers HEAD too
	Path    string        // fiber pattern: "/orders/:id"
	Action  string        // authz action asked before the handler runs; "" = public
	Handler fiber.Handler //
	Body    int           // limit of the request body in bytes; 0 = DefaultBody
	Timeout time.Duration // of the handler; 0 = DefaultTimeout
	Connect []string      // further connect-src of the page's CSP: the key page's agent
	Machine bool          // called by a machine that signs its message (payment notification, the agent): no cookie, no token
}

// mounted is a route with the side it belongs to.
type mounted struct {
	Side Side
	Route
}

// Mount adds routes of one side. A path may exist on several sides; the
// request's host decides. Sides may be several: a public path of platform and
// portal.
func (s *Server) Mount(routes []Route, sides ...Side) error {
	for _, r := range routes {
		if r.Action != "" && !slices.Contains(authz.Actions(), r.Action) {
			return fmt.Errorf("web: route %s %s: %q is no action", r.Method, r.Path, r.Action)
		}
		if r.Handler == nil || r.Method == "" || !strings.HasPrefix(r.Path, "/") {
			return fmt.Errorf("web: route %s %s is incomplete", r.Method, r.Path)
		}
		for _, side := range sides {
			s.routes = append(s.routes, mounted{side, r})
			h := s.guard(side, r)
			s.app.Add(r.Method, r.Path, h)
			if r.Method == fiber.MethodGet {
				s.app.Add(fiber.MethodHead, r.Path, h)
			}
		}
	}
	return nil
}

// MountedRoute is a route with its side, for tests that walk the table.
type MountedRoute struct {
	Side Side
	Route
}

// Routes is the whole table, as mounted.
func (s *Server) Routes() []MountedRoute {
	out := make([]MountedRoute, len(s.routes))
	for i, m := range s.routes {
		out[i] = MountedRoute(m)
	}
	return out
}

// Seal ends the table: whatever no route answered does not exist.
func (s *Server) Seal() {
	s.app.Use(func(*fiber.Ctx) error { return fault.New(fault.NotFound, "web.not_found") })
}

// guard does for a handler what no handler may forget: session,
// deadline, authorisation, cross-site protection, headers.
func (s *Server) guard(side Side, r Route) fiber.Handler {
	timeout := r.Timeout
	if timeout == 0 {
		timeout = DefaultTimeout
	}
	return func(c *fiber.Ctx) error {
		site := SiteOf(c)
		if site == nil || site.Side != side {
			return c.Next()
		}
		ctx, cancel := context.WithTimeout(c.UserContext(), timeout)
		defer cancel()
		c.SetUserContext(ctx)
		if len(r.Connect) > 0 {
			c.Set(fiber.HeaderContentSecurityPolicy, policy(r.Connect...))
		}
		if !r.Machine {
			if err := s.openSession(c, site); err != nil {
				return err
			}
		}
		if r.Action != "" { // first, so that a session that has ended leads to the login
			if err := s.cfg.Authorizer.CheckRoute(c.UserContext(), r.Action, site.Tenant); err != nil {
				return err
			}
		}
		if !r.Machine {
			if err := s.checkCrossSite(c); err != nil {
				return err
			}
		}
		return r.Handler(c)
	}
}

// openSession puts the caller into the context. A session of another tenant is
// no session here (design §5: host and session must agree).
func (s *Server) openSession(c *fiber.Ctx, site *Site) error {
	p := authz.Principal{Kind: authz.Anonymous}
	if token := s.SessionToken(c); token != "" {
		ses, err := s.cfg.Sessions(c.UserContext(), site, token)
		switch {
		case err == nil && fits(ses.Principal, site):
			c.Locals(sessionLocal, ses)
			p = ses.Principal
		case err == nil:
			// another host's session: treat the caller as a visitor
		case isNoSession(err):
			s.ClearSession(c)
		default:
			return err
		}
	}
	c.SetUserContext(authz.WithPrincipal(c.UserContext(), p))
	return nil
}

func fits(p authz.Principal, site *Site) bool {
	switch p.Kind {
	case authz.Dealer:
		return site.Side == Portal && p.Tenant == site.Tenant
	case authz.Staff:
		return site.Side == Console
	}
	return false
}

// chooseLocale takes ?lang=, then the cookie, then Accept-Language, among the
// languages of the site.
func (s *Server) chooseLocale(c *fiber.Ctx, site *Site) {
	var offered []string
	if site.Brand != nil {
		offered = site.Brand.Languages
	}
	asked := c.Query("lang")
	locale := i18n.Choose(offered, c.Get(fiber.HeaderAcceptLanguage), asked, c.Cookies(s.cookieName(langCookie)))
	if asked == locale {
		s.setCookie(c, langCookie, locale, 365*24*time.Hour)
	}
	c.SetUserContext(i18n.WithLocale(c.UserContext(), locale))
}

// bodyLimit is the greatest body a request may have, found before the body is
// read: the route's own, or DefaultBody.
func (s *Server) bodyLimit(method, uri string) int {
	limit := DefaultBody
	path, _, _ := strings.Cut(uri, "?")
	for _, m := range s.routes {
		if m.Body > 0 && m.Method == method && matches(m.Path, path) {
			limit = max(limit, m.Body)
		}
	}
	return limit
}

// matches reports whether a path fits a pattern of literal segments, ":name"
// and a final "*".
func matches(pattern, path string) bool {
	ps, xs := strings.Split(strings.Trim(pattern, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	for i, p := range ps {
		if p == "*" {
			return true
		}
		if i >= len(xs) || (!strings.HasPrefix(p, ":") && !strings.EqualFold(p, xs[i])) {
			return false
		}
	}
	return len(ps) == len(xs)
}

// template is the route's pattern: a bounded label for metrics and logs.
func template(c *fiber.Ctx) string {
	if r := c.Route(); r != nil && r.Path != "" && r.Path != "/" {
		return r.Path
	}
	if c.Path() == "/" {
		return "/"
	}
	return "(none)"
}
