package portal

import (
	"errors"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
	"certsaas/core/tenant"
	"certsaas/core/web"
)

// landing is the platform's own first page: whose portal is looked for.
func (p *Portal) landing(c *fiber.Ctx) error {
	v := landingView{Lead: "portal.landing_link"}
	if p.Demo {
		v.Lead = "portal.landing_lead"
		all, err := p.Tenants.All(c.UserContext())
		if err != nil {
			return err
		}
		l := web.Printer(c).Locale()
		for _, t := range all {
			v.Tenants = append(v.Tenants, p.landingTenant(t, l))
		}
	}
	return web.Render(c, fiber.StatusOK, landingPage(v))
}

func (p *Portal) landingTenant(t *tenant.Tenant, locale string) landingTenant {
	x := landingTenant{Name: t.Names().Full.In(locale), Applicant: t.Names().Applicant.In(locale), Href: p.Site(t) + "/", Orders: p.Site(t) + "/orders"}
	for _, item := range t.Products() {
		x.Products = append(x.Products, landingProduct{Name: item.Name.In(locale), Href: p.Site(t) + entryPath(item)})
	}
	return x
}

// forward leads a printed short link on to the tenant that owns it (req B12).
func (p *Portal) forward(c *fiber.Ctx) error {
	t, err := p.Tenants.ByLink(c.UserContext(), c.Params("slug"))
	if err != nil {
		return noProduct(err)
	}
	item, _ := t.ShortLink(c.Params("slug"))
	return c.Redirect(p.Site(t)+entryPath(item), fiber.StatusFound)
}

// forwardCode leads a product code on to the tenant that sells it (req K4).
func (p *Portal) forwardCode(c *fiber.Ctx) error {
	t, err := p.Tenants.ByProduct(c.UserContext(), c.Query("productCode"))
	if err != nil {
		return noProduct(err)
	}
	item, _ := t.Product(c.Query("productCode"))
	return c.Redirect(p.Site(t)+entryPath(item), fiber.StatusFound)
}

// noProduct says in the portal's words that nobody sells what was asked for.
func noProduct(err error) error {
	if errors.Is(err, fault.NotFound) {
		return fault.New(fault.NotFound, "portal.no_product")
	}
	return err
}

// oldPortal stands at the address of the portal before this one. What it was asked for is behind the "#", which only a
// script sees; without scripts the reader says it himself.
func (p *Portal) oldPortal(c *fiber.Ctx) error {
	return web.Render(c, fiber.StatusOK, oldPortalPage())
}

// oldConsole stands at the address where orders were looked up before (req K29): it asks which enterprise, and leads to
// that portal's login.
func (p *Portal) oldConsole(c *fiber.Ctx) error {
	all, err := p.Tenants.All(c.UserContext())
	if err != nil {
		return err
	}
	l := web.Printer(c).Locale()
	v := landingView{Lead: "portal.old_console_lead", Orders: true}
	for _, t := range all {
		v.Tenants = append(v.Tenants, p.landingTenant(t, l))
	}
	return web.Render(c, fiber.StatusOK, landingPage(v))
}
