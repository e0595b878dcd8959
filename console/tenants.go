package console

import (
	"sort"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

func (k *Console) tenantRoutes() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/tenants", Action: authz.TenantView, Handler: k.tenantList},
		{Method: "GET", Path: "/tenants/:slug", Action: authz.TenantView, Handler: k.showTenant},
		{Method: "GET", Path: "/tenants/:slug/releases/:number", Action: authz.TenantView, Handler: k.showRelease},
		{Method: "POST", Path: "/tenants/:slug/releases/:number/publish", Action: authz.TenantPublish, Handler: k.publish},
	}
}

func (k *Console) tenantList(c *fiber.Ctx) error {
	list, err := k.Releases.List(c.UserContext())
	if err != nil {
		return err
	}
	all, err := k.houses(c)
	if err != nil {
		return err
	}
	p := web.Printer(c)
	var rows []ui.Row
	for _, s := range list {
		h := houseByID(all, s.ID)
		if h.Tenant == nil {
			h.Name = s.Slug
		}
		state := ui.Tag(ui.Good, p.T("console.tenant."+s.State))
		if s.State != "active" {
			state = ui.Tag(ui.Warn, p.T("console.tenant."+s.State))
		}
		pending := ui.Cell{Text: "–"}
		if s.Latest > s.Published {
			pending = ui.Cell{Body: ui.Tag(ui.Warn, p.T("console.tenant.unpublished", "Number", s.Latest))}
		}
		at := ""
		if s.At != nil {
			at = ui.DateTime(*s.At)
		}
		rows = append(rows, ui.Row{Href: "/tenants/" + s.Slug, Cells: []ui.Cell{{Body: mark(h)}, {Text: s.Slug, Mono: true}, {Body: state}, {Text: strconv.Itoa(s.Published), Sub: at}, pending}})
	}
	f, err := k.frame(c, p.T("console.nav.tenants"), "/tenants")
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, tenantsPage(f, rows))
}

// tenantView is a tenant: what it sells now, and its releases.
type tenantView struct {
	Slug     string
	ID       uuid.UUID
	Summary  []ui.Datum
	Products []ui.Row
	Releases []ui.Row
}

func (k *Console) tenantID(c *fiber.Ctx) (tenant.Summary, error) {
	list, err := k.Releases.List(c.UserContext())
	if err != nil {
		return tenant.Summary{}, err
	}
	for _, s := range list {
		if s.Slug == c.Params("slug") {
			return s, nil
		}
	}
	return tenant.Summary{}, fault.New(fault.NotFound, "web.not_found")
}

func (k *Console) showTenant(c *fiber.Ctx) error {
	s, err := k.tenantID(c)
	if err != nil {
		return err
	}
	p, locale := web.Printer(c), web.PageOf(c).Locale()
	v := tenantView{Slug: s.Slug, ID: s.ID}
	if t, err := k.Tenants.ByID(c.UserContext(), s.ID); err == nil {
		portal := ""
		if k.Site != nil {
			portal = k.Site(t)
		}
		v.Summary = []ui.Datum{
			{Label: p.T("console.tenant.slug"), Value: s.Slug, Mono: true}, {Label: p.T("console.tenant.full"), Value: t.Names().Full.In(locale)},
			{Label: p.T("console.tenant.platform"), Value: t.Names().Platform.In(locale)}, {Label: p.T("console.tenant.portal"), Value: portal, Copy: portal != ""},
			{Label: p.T("console.tenant.languages"), Value: languages(p, t.Languages())},
		}
		for _, x := range t.Products() {
			v.Products = append(v.Products, ui.Row{Cells: []ui.Cell{{Text: x.Code, Mono: true}, {Text: x.Name.In(locale), Sub: "/s/" + x.Slug}, {Text: p.T("console.service." + x.Service)}, {Text: p.T("console.fulfilment." + x.Fulfilment)}}})
		}
	}
	list, err := k.Releases.Releases(c.UserContext(), s.ID, 50)
	if err != nil {
		return err
	}
	who, err := k.names(c.UserContext())
	if err != nil {
		return err
	}
	for _, r := range list {
		state := ui.Tag(ui.Warn, p.T("console.tenant.not_published"))
		switch {
		case r.Number == s.Published:
			state = ui.Tag(ui.Good, p.T("console.tenant.in_force"))
		case r.Published != nil:
			state = ui.Tag(ui.Plain, p.T("console.tenant.past"))
		}
		v.Releases = append(v.Releases, ui.Row{Href: releasePath(s.Slug, r.Number), Cells: []ui.Cell{
			{Text: strconv.Itoa(r.Number)}, {Body: state}, {Text: ui.DateTime(r.CreatedAt)}, {Text: by(who, r.CreatedBy)}, {Text: firstOf(dateTime(r.Published), "–")},
		}})
	}
	f, err := k.frame(c, k.houseName(c, s), "/tenants")
	if err != nil {
		return err
	}
	f.Crumbs = []ui.Link{{Label: p.T("console.nav.tenants"), Href: "/tenants"}}
	if k.Reminders != nil && len(v.Summary) > 0 {
		f.Actions = ui.Button(ui.ButtonProps{Label: p.T("remind.contacts"), Href: "/tenants/" + s.Slug + "/contacts"})
	}
	return web.Render(c, fiber.StatusOK, tenantPage(f, v))
}

// languages are a portal's languages by their own names.
func languages(p i18n.Printer, codes []string) string {
	names := map[string]string{"zh-CN": "中文", "en": "English"}
	var out []string
	for _, l := range codes {
		out = append(out, firstOf(names[l], l))
	}
	return strings.Join(out, p.T("console.list.comma"))
}

// releasePath is where a release is read.
func releasePath(slug string, number int) string {
	return "/tenants/" + slug + "/releases/" + strconv.Itoa(number)
}

// houseName is what people call a tenant; one that was never published has its slug alone.
func (k *Console) houseName(c *fiber.Ctx, s tenant.Summary) string {
	t, err := k.Tenants.ByID(c.UserContext(), s.ID)
	if err != nil {
		return s.Slug
	}
	return t.Names().Short.In(web.PageOf(c).Locale())
}

// by is who made a release: a person by name, a component as it is called.
func by(who names, s string) string {
	kind, rest, _ := strings.Cut(s, "/")
	if id, err := uuid.Parse(rest); err == nil && kind == string(authz.Staff) {
		return who.of(id)
	}
	return rest
}

// releaseView is one release to be read: its files, and what it changes.
type releaseView struct {
	tenant.Stored
	Slug, Name string
	Files      []releaseFile
	Changes    []tenant.Delta // against the published one
	Published  bool           // some time
	Live       bool           // it is the one in force
	MayPublish bool
	Preview    *previewView // of its reminders, while it waits
}

type releaseFile struct{ Name, Text string }

// releaseNumber is the release a path names; what is no number of the database's is nobody's release.
func releaseNumber(c *fiber.Ctx) (int, error) {
	n, err := strconv.ParseInt(c.Params("number"), 10, 32)
	if err != nil || n < 1 {
		return 0, fault.New(fault.NotFound, "web.not_found")
	}
	return int(n), nil
}

func (k *Console) showRelease(c *fiber.Ctx) error {
	s, err := k.tenantID(c)
	if err != nil {
		return err
	}
	number, err := releaseNumber(c)
	if err != nil {
		return err
	}
	r, err := k.Releases.Release(c.UserContext(), s.ID, number)
	if err != nil {
		return err
	}
	v := releaseView{Stored: r, Slug: s.Slug, Published: r.Published != nil, Live: number == s.Published}
	for name, text := range r.Definition.Files {
		v.Files = append(v.Files, releaseFile{name, text})
	}
	sort.Slice(v.Files, func(i, j int) bool { return v.Files[i].Name < v.Files[j].Name })
	if s.Published > 0 && s.Published != number {
		live, err := k.Releases.Release(c.UserContext(), s.ID, s.Published)
		if err != nil {
			return err
		}
		v.Changes = tenant.Diff(live.Definition, r.Definition)
	}
	if number > s.Published {
		if v.Preview, err = k.preview(c.UserContext(), web.Printer(c), r.Definition); err != nil {
			return err
		}
		v.MayPublish = k.may(c.UserContext(), authz.TenantPublish)
	}
	v.Name = k.houseName(c, s)
	return k.renderRelease(c, v)
}

func (k *Console) renderRelease(c *fiber.Ctx, v releaseView) error {
	p := web.Printer(c)
	f, err := k.frame(c, p.T("console.tenant.release", "Number", v.Number), "/tenants")
	if err != nil {
		return err
	}
	f.Crumbs = []ui.Link{{Label: p.T("console.nav.tenants"), Href: "/tenants"}, {Label: v.Name, Href: "/tenants/" + v.Slug}}
	return web.Render(c, fiber.StatusOK, releasePage(f, v))
}

// publish makes a release the one that new orders are made under.
func (k *Console) publish(c *fiber.Ctx) error {
	s, err := k.tenantID(c)
	if err != nil {
		return err
	}
	number, err := releaseNumber(c)
	if err != nil {
		return err
	}
	if err := k.Releases.Publish(c.UserContext(), s.ID, number); err != nil {
		return err
	}
	web.Flash(c, ui.Good, "console.tenant.published", "Number", number)
	return web.Redirect(c, "/tenants/"+s.Slug)
}
