package web

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"runtime/debug"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// AgentOrigins is what the key page may speak to besides its own host: the key
// agent on the reader's own computer, on one of its three ports.
func AgentOrigins() []string {
	return []string{
		"http://127.0.0.1:17631", "ws://127.0.0.1:17631",
		"http://127.0.0.1:27631", "ws://127.0.0.1:27631",
		"http://127.0.0.1:37631", "ws://127.0.0.1:37631",
	}
}

// policy is the content security policy of a page: nothing but the host's own
// files, no inline script or style, no frame around us.
func policy(connect ...string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; font-src 'self'; " +
		"connect-src " + strings.Join(append([]string{"'self'"}, connect...), " ") +
		"; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
}

// identify gives the request its id and the response the headers every
// response has.
func (s *Server) identify(c *fiber.Ctx) error {
	id := requestID()
	c.SetUserContext(context.WithValue(c.UserContext(), requestIDKey{}, id))
	c.Locals(serverLocal, s)
	s.headers(c, id)
	return c.Next()
}

func (s *Server) headers(c *fiber.Ctx, id string) {
	c.Set(fiber.HeaderXRequestID, id)
	c.Set(fiber.HeaderContentSecurityPolicy, policy())
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderXFrameOptions, "DENY")
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	c.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=(), payment=(), usb=(), browsing-topics=()")
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set(fiber.HeaderCacheControl, "no-store")
	if s.cfg.HTTPS {
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=63072000; includeSubDomains")
	}
}

// requestID is 80 random bits, easy to read over the phone.
func requestID() string {
	b := make([]byte, 10)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the program instead
	return base32.StdEncoding.EncodeToString(b)
}

func stack() string { return string(debug.Stack()) }
