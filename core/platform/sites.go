package platform

import (
	"context"
	"strings"

	"certsaas/config"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// Sites knows the hosts: the platform's own, the console's, and one per tenant.
type Sites struct {
	config  config.Config
	tenants *tenant.Registry
	own     *ui.Brand
}

func newSites(c config.Config, reg *tenant.Registry) (*Sites, error) {
	own, err := ownBrand([]string{"zh-CN", "en"})
	if err != nil {
		return nil, err
	}
	return &Sites{config: c, tenants: reg, own: own}, nil
}

// Platform is the platform's own origin: scheme, host and port, without a slash at the end.
func (s *Sites) Platform() string { return s.config.URL("") }

// Plain is where those who check certificates fetch what they need: the platform's host, http.
func (s *Sites) Plain() string { return s.config.Plain() }

// Console is the staff's origin.
func (s *Sites) Console() string { return s.config.URL("console") }

// Portal is a tenant's origin: its first own host, or <slug>.<base domain>.
func (s *Sites) Portal(t *tenant.Tenant) string {
	return s.at(tenant.Address{Slug: t.Slug(), Hosts: t.Hosts()})
}

func (s *Sites) at(a tenant.Address) string {
	if len(a.Hosts) == 0 {
		return s.config.URL(a.Slug)
	}
	return strings.Replace(s.config.URL(""), "://"+s.config.Web.BaseDomain, "://"+a.Hosts[0], 1)
}

// Hosts is the table for the web layer. An unknown host is nobody's (421).
func (s *Sites) Hosts() web.Hosts {
	return web.Hosts{
		Platform: map[string]*web.Site{
			s.config.Web.BaseDomain: {Side: web.Platform, Brand: s.own},
			"127.0.0.1":             {Side: web.Platform, Brand: s.own},
		},
		Console: map[string]*web.Site{"console." + s.config.Web.BaseDomain: {Side: web.Console, Brand: s.own}},
		Portal:  s.portal,
	}
}

func (s *Sites) portal(ctx context.Context, host string) (*web.Site, error) {
	t, err := s.tenants.ByHost(ctx, host)
	if err != nil {
		return nil, err
	}
	return tenant.Derive(t, "platform/site", func() (*web.Site, error) {
		brand, err := brandOf(t)
		if err != nil {
			return nil, err
		}
		return &web.Site{Side: web.Portal, Tenant: t.ID(), Brand: brand, Value: t}, nil
	})
}
