package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
)

// Cookie names, without the __Host- prefix that https adds.
const (
	sessionCookie = "session"
	visitCookie   = "visit" // a visitor's half of the cross-site token
	langCookie    = "lang"
	flashCookie   = "flash"
)

// cookieName adds __Host- where the public address is https: such a cookie is
// Secure, bound to the one host, and no subdomain can set it.
func (s *Server) cookieName(name string) string {
	if s.cfg.HTTPS {
		return "__Host-" + name
	}
	return name
}

func (s *Server) setCookie(c *fiber.Ctx, name, value string, life time.Duration) {
	ck := &fiber.Cookie{
		Name: s.cookieName(name), Value: value, Path: "/", HTTPOnly: true, Secure: s.cfg.HTTPS,
		SameSite: fiber.CookieSameSiteLaxMode,
	}
	switch {
	case life < 0:
		ck.Expires = time.Unix(1, 0)
		ck.MaxAge = -1
	case life > 0:
		ck.MaxAge = int(life / time.Second)
	}
	c.Cookie(ck)
}

// SessionToken is the caller's session token, "" when he has none.
func (s *Server) SessionToken(c *fiber.Ctx) string { return c.Cookies(s.cookieName(sessionCookie)) }

// SetSession gives the caller a session token that lives so long; 0 ends with
// the browser. A new token at each login (ASVS 7.2.4) is the caller's duty.
func (s *Server) SetSession(c *fiber.Ctx, token string, life time.Duration) {
	s.setCookie(c, sessionCookie, token, life)
	s.setCookie(c, visitCookie, "", -1)
}

// ClearSession takes the caller's token away.
func (s *Server) ClearSession(c *fiber.Ctx) { s.setCookie(c, sessionCookie, "", -1) }

func isNoSession(err error) bool {
	return errors.Is(err, fault.Unauthenticated) || errors.Is(err, fault.NotFound)
}

// sign is a MAC over parts for one purpose.
func (s *Server) sign(purpose string, parts ...string) string {
	m := hmac.New(sha256.New, s.cfg.Secret)
	m.Write([]byte(purpose))
	for _, p := range parts {
		m.Write([]byte{0})
		m.Write([]byte(p))
	}
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

const csrfLocal localKey = "csrf"

// csrfToken is the token of the page's forms: bound to the session, or for a
// visitor to a random cookie that only this host can set. It never changes
// while they last, so that several tabs work.
func (s *Server) csrfToken(c *fiber.Ctx) string {
	if t, ok := c.Locals(csrfLocal).(string); ok {
		return t
	}
	var t string
	if token := s.SessionToken(c); token != "" && SessionOf(c).Principal.Authenticated() {
		t = s.sign("csrf session", token)
	} else {
		visit := c.Cookies(s.cookieName(visitCookie))
		if len(visit) != 43 {
			visit = random()
			s.setCookie(c, visitCookie, visit, 0)
		}
		t = s.sign("csrf visit", visit)
	}
	c.Locals(csrfLocal, t)
	return t
}

// checkCrossSite refuses an unsafe request that another site made a browser
// send: by Sec-Fetch-Site, by Origin, and by the token.
func (s *Server) checkCrossSite(c *fiber.Ctx) error {
	switch c.Method() {
	case fiber.MethodGet, fiber.MethodHead, fiber.MethodOptions:
		return nil
	}
	refused := fault.New(fault.Denied, "web.cross_site")
	if f := c.Get("Sec-Fetch-Site"); f != "" && f != "same-origin" && f != "none" {
		return refused
	}
	if o := c.Get(fiber.HeaderOrigin); o != "" {
		u, err := url.Parse(o)
		if err != nil || !strings.EqualFold(u.Host, string(c.Context().Host())) {
			return refused
		}
	}
	given := c.Get("X-CSRF-Token")
	if given == "" {
		given = c.FormValue("_csrf")
	}
	if given == "" {
		return refused
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(given), []byte(s.csrfToken(c))) == 1:
		return nil
	case c.Get("Sec-Fetch-Site") == "same-origin": // a page of ours from before a login or its end; no other site can say so
		return nil
	}
	return staleForm
}

// staleForm refuses a form whose token is of an earlier session, or none of ours.
var staleForm = fault.New(fault.Denied, "web.stale_form")

// ownOrigin tells whether the reader's browser says that a page of this host sent the request.
func ownOrigin(c *fiber.Ctx) bool {
	u, err := url.Parse(c.Get(fiber.HeaderOrigin))
	return err == nil && u.Host != "" && strings.EqualFold(u.Host, string(c.Context().Host()))
}
