package platform

import (
	"context"
	"net"
	"strings"
	"sync"

	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// Sites knows the hosts: the platform's own, the console's, and one per tenant.
type Sites struct {
	scheme, base, port string
	tenants            *tenant.Registry
	own                *ui.Brand
	mu                 sync.Mutex
	portals            map[string]*web.Site // tenant slug and digest → site
}

func newSites(scheme, base, listen string, reg *tenant.Registry) (*Sites, error) {
	own, err := ownBrand([]string{"zh-CN", "en"})
	if err != nil {
		return nil, err
	}
	s := &Sites{scheme: scheme, base: base, tenants: reg, own: own, portals: map[string]*web.Site{}}
	if _, port, err := net.SplitHostPort(listen); err == nil && scheme == "http" {
		s.port = ":" + port
	}
	return s, nil
}

// Platform, Console and Portal are origins: scheme, host and port, without a slash at the end.
func (s *Sites) Platform() string { return s.scheme + "://" + s.base + s.port }

// Console is the staff's origin.
func (s *Sites) Console() string { return s.scheme + "://console." + s.base + s.port }

// Portal is a tenant's origin: its first own host, or <slug>.<base domain>.
func (s *Sites) Portal(t *tenant.Tenant) string {
	if h := t.Hosts(); len(h) > 0 {
		return s.scheme + "://" + h[0] + s.port
	}
	return s.scheme + "://" + t.Slug() + "." + s.base + s.port
}

// Hosts is the table for the web layer. An unknown host is nobody's (421).
func (s *Sites) Hosts() web.Hosts {
	return web.Hosts{
		Platform: map[string]*web.Site{
			s.base:      {Side: web.Platform, Brand: s.own},
			"127.0.0.1": {Side: web.Platform, Brand: s.own},
		},
		Console: map[string]*web.Site{"console." + s.base: {Side: web.Console, Brand: s.own}},
		Portal:  s.portal,
	}
}

func (s *Sites) portal(ctx context.Context, host string) (*web.Site, error) {
	t, err := s.tenants.ByHost(ctx, host)
	if err != nil {
		return nil, err
	}
	key := t.Slug() + " " + t.Digest()
	s.mu.Lock()
	defer s.mu.Unlock()
	if site, ok := s.portals[key]; ok {
		return site, nil
	}
	brand, err := brandOf(t)
	if err != nil {
		return nil, err
	}
	site := &web.Site{Side: web.Portal, Tenant: t.ID(), Brand: brand, Value: t}
	for k := range s.portals { // one site per tenant: a new release takes the old one's place
		if strings.HasPrefix(k, t.Slug()+" ") {
			delete(s.portals, k)
		}
	}
	s.portals[key] = site
	return site, nil
}
