package web

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
	"certsaas/core/web/assets"
)

const immutable = "public, max-age=31536000, immutable"

// svgPolicy lets a drawing be a picture and nothing else, even when opened alone.
const svgPolicy = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"

// static serves assets, the host's theme and the host's drawings; all their
// addresses change with their content.
func (s *Server) static() {
	s.app.Get(assets.Prefix+"*", func(c *fiber.Ctx) error {
		f, ok := assets.Open(c.Path())
		if !ok {
			return fault.New(fault.NotFound, "web.not_found")
		}
		c.Set(fiber.HeaderContentType, f.Type)
		c.Set(fiber.HeaderCacheControl, immutable)
		c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
		if c.AcceptsEncodings("gzip", "identity") == "gzip" {
			c.Set(fiber.HeaderContentEncoding, "gzip")
			return c.Send(f.Gzip)
		}
		return c.Send(f.Body)
	})
	s.app.Get("/theme/:file", func(c *fiber.Ctx) error {
		t := s.brand(c).Theme
		hash, ok := strings.CutSuffix(c.Params("file"), ".css")
		if !ok {
			return fault.New(fault.NotFound, "web.not_found")
		}
		c.Set(fiber.HeaderContentType, "text/css; charset=utf-8")
		if hash == t.Hash() {
			c.Set(fiber.HeaderCacheControl, immutable)
		} // a page of the release before gets today's colours, uncached
		return c.Send(t.CSS())
	})
	s.app.Get("/brand/:file", func(c *fiber.Ctx) error {
		svg, ok := s.brand(c).SVG(c.Path())
		if !ok {
			return fault.New(fault.NotFound, "web.not_found")
		}
		c.Set(fiber.HeaderContentType, "image/svg+xml")
		c.Set(fiber.HeaderContentSecurityPolicy, svgPolicy)
		c.Set(fiber.HeaderCacheControl, immutable)
		return c.Send(svg)
	})
	s.app.Get("/favicon.svg", func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, "image/svg+xml")
		c.Set(fiber.HeaderContentSecurityPolicy, svgPolicy)
		c.Set(fiber.HeaderCacheControl, "public, max-age=86400")
		return c.SendString(favicon(s.brand(c).Theme.Color("fill")))
	})
}

// favicon is a key in the brand's colour.
func favicon(colour string) string {
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect x="1" y="9" width="19" height="14" rx="3" fill="` + colour +
		`"/><rect x="20" y="12" width="11" height="8" fill="#8a8f98"/><circle cx="7" cy="16" r="2.5" fill="#fff"/></svg>`
}
