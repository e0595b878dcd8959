package portal

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/account"
	"certsaas/core/authz"
	"certsaas/core/order"
	"certsaas/core/web"
)

// browserLife is how long a browser is known: longer than the oldest draft it may own.
const browserLife = 90 * 24 * time.Hour

// known puts the browser's secret, if it has one, into the context, so that its order-first drafts are its own.
func (p *Portal) known(h fiber.Handler) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if secret := c.Cookies(p.browserCookie()); len(secret) == 43 {
			c.SetUserContext(order.WithVisitor(c.UserContext(), visitorHash(secret)))
		}
		return h(c)
	}
}

func visitorHash(secret string) []byte {
	sum := sha256.Sum256([]byte("visitor " + secret))
	return sum[:]
}

// browserCookie names the cookie; over https no subdomain can set it.
func (p *Portal) browserCookie() string {
	if p.HTTPS {
		return "__Host-browser"
	}
	return "browser"
}

// browser is the secret of the reader's browser: 32 random bytes, made when it is first needed. It owns order-first
// drafts, and codes are bound to it.
func (p *Portal) browser(c *fiber.Ctx) string {
	if secret := c.Cookies(p.browserCookie()); len(secret) == 43 {
		return secret
	}
	if made, ok := c.Locals(browserLocal).(string); ok {
		return made
	}
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	secret := base64.RawURLEncoding.EncodeToString(raw)
	c.Cookie(&fiber.Cookie{Name: p.browserCookie(), Value: secret, Path: "/", HTTPOnly: true, Secure: p.HTTPS,
		SameSite: fiber.CookieSameSiteLaxMode, MaxAge: int(browserLife / time.Second)})
	c.Locals(browserLocal, secret)
	c.SetUserContext(order.WithVisitor(c.UserContext(), visitorHash(secret)))
	return secret
}

type local string

const browserLocal local = "browser"

// client is where a request comes from, for limits on codes and logins.
func (p *Portal) client(c *fiber.Ctx) account.Client {
	ip, err := netip.ParseAddr(c.IP())
	if err != nil {
		ip = netip.IPv6Unspecified()
	}
	return account.Client{IP: ip, Browser: p.browser(c)}
}

// who is the account of the caller, Nil for a visitor.
func who(c *fiber.Ctx) uuid.UUID {
	if pr := authz.From(c.UserContext()); pr.Kind == authz.Dealer {
		return pr.ID
	}
	return uuid.Nil
}

// orderID is the order a path names; what is no id is nobody's order.
func orderID(c *fiber.Ctx) uuid.UUID {
	id, err := uuid.Parse(c.Params("id"))
	if err != nil {
		return uuid.Nil
	}
	return id
}

// knowing wraps every route that a browser opens.
func (p *Portal) knowing(routes []web.Route) []web.Route {
	for i := range routes {
		if !routes[i].Machine {
			routes[i].Handler = p.known(routes[i].Handler)
		}
	}
	return routes
}
