package web

import (
	"context"
	"errors"
	"net"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"
	"golang.org/x/net/idna"

	"certsaas/core/fault"
	"certsaas/core/web/ui"
)

// Side is which of the three kinds of host was asked.
type Side string

// The sides.
const (
	Platform Side = "platform" // the platform's own host: short links lead on from it
	Console  Side = "console"  // staff
	Portal   Side = "portal"   // one tenant's dealers
)

// Site is the host that was asked.
type Site struct {
	Side   Side
	Tenant uuid.UUID // of a portal; Nil elsewhere
	Brand  *ui.Brand
	Value  any // the compiled tenant, for the portal's handlers; web does not look inside
}

// Hosts knows whose a host is. Names are compared in their normal form
// (NormalHost).
type Hosts struct {
	Platform map[string]*Site // host → site, few and fixed
	Console  map[string]*Site
	Portal   func(ctx context.Context, host string) (*Site, error) // fault.NotFound: nobody's
}

// Find gives the site of a normal host name, or fault.NotFound.
func (h Hosts) Find(ctx context.Context, host string) (*Site, error) {
	if s, ok := h.Console[host]; ok {
		return s, nil
	}
	if s, ok := h.Platform[host]; ok {
		return s, nil
	}
	if h.Portal == nil {
		return nil, fault.New(fault.NotFound, "web.host")
	}
	return h.Portal(ctx, host)
}

// NormalHost is a request's host in lower case ASCII without port and trailing
// dot; "" when it is no host name. IP addresses pass as they are.
func NormalHost(raw string) string {
	host := raw
	if h, _, err := net.SplitHostPort(raw); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if net.ParseIP(host) != nil {
		return host
	}
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil || ascii == "" || len(ascii) > 253 {
		return ""
	}
	return ascii
}

// askedHost is the one host that a request names, in its normal form. A request line with another host ("GET http://other/ HTTP/1.1", "GET
// //other/") and a user's name before the host ("a@other"), which fasthttp would follow, name nobody's: a proxy in front of us goes by the Host line.
func askedHost(c *fiber.Ctx) string {
	line := string(c.Request().Header.Host())
	if !strings.EqualFold(line, string(c.Context().Host())) {
		return ""
	}
	return NormalHost(line)
}

type localKey string

const (
	siteLocal    localKey = "site"
	pageLocal    localKey = "page"
	sessionLocal localKey = "session"
)

// resolveHost answers 421 to a host that is nobody's.
func (s *Server) resolveHost(c *fiber.Ctx) error {
	site, err := s.cfg.Hosts.Find(c.UserContext(), askedHost(c))
	switch {
	case errors.Is(err, fault.NotFound):
		return misdirected
	case err != nil:
		return err
	}
	c.Locals(siteLocal, site)
	s.chooseLocale(c, site)
	return c.Next()
}

// SiteOf is the site of the request; never nil within a mounted handler.
func SiteOf(c *fiber.Ctx) *Site {
	site, _ := c.Locals(siteLocal).(*Site)
	return site
}

// SessionOf is the caller's session; the zero value for a visitor.
func SessionOf(c *fiber.Ctx) Session {
	ses, _ := c.Locals(sessionLocal).(Session)
	return ses
}
