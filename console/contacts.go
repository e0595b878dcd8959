package console

import (
	"github.com/gofiber/fiber/v2"

	"certsaas/core/authz"
	"certsaas/core/identifier"
	"certsaas/core/reminder"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

func (k *Console) contactRoutes() []web.Route {
	if k.Reminders == nil {
		return nil
	}
	return []web.Route{
		{Method: "GET", Path: "/tenants/:slug/contacts", Action: authz.TenantView, Handler: k.rosterContacts},
		{Method: "POST", Path: "/tenants/:slug/contacts", Action: authz.TenantPublish, Handler: k.setRosterContacts, Body: 2 << 20},
	}
}

// shownContacts is how many lines of a list a page shows.
const shownContacts = 100

// contactsView is whom an enterprise knows at its dealers.
type contactsView struct {
	Slug, Administrator, By string
	Rows                    []ui.Row
	Nobody                  bool // the enterprise has no administrator either
	Total                   int
	At                      string
	May                     bool
	Text                    string // typed, when it was wrong
}

func (k *Console) rosterContacts(c *fiber.Ctx) error {
	s, err := k.tenantID(c)
	if err != nil {
		return err
	}
	f, v, err := k.contactsView(c, s)
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, contactsPage(f, v))
}

func (k *Console) contactsView(c *fiber.Ctx, s tenant.Summary) (ui.ConsoleProps, contactsView, error) {
	ctx, p := c.UserContext(), web.Printer(c)
	v := contactsView{Slug: s.Slug, May: k.may(ctx, authz.TenantPublish), Text: c.FormValue("list")}
	t, err := k.Tenants.ByID(ctx, s.ID)
	if err != nil {
		return ui.ConsoleProps{}, v, err
	}
	v.Nobody = t.Administrator().Email == ""
	v.Administrator = firstOf(t.Administrator().Email, p.T("remind.none_declared"))
	v.By = t.Roster().By
	if v.By != "" {
		v.By = fieldLabel(t, v.By, p.Locale())
	}
	list, total, at, err := k.Reminders.Roster(ctx, s.ID, shownContacts)
	if err != nil {
		return ui.ConsoleProps{}, v, err
	}
	v.Total, v.At = total, dateTime(at)
	for _, x := range list {
		v.Rows = append(v.Rows, ui.Row{Cells: []ui.Cell{{Text: x.Code, Mono: true}, {Text: identifier.MaskName(x.Name)}, {Text: maskedIf("sms", x.Mobile), Mono: true}, {Text: maskedIf("email", x.Email)}}})
	}
	f, err := k.frame(c, p.T("remind.contacts"), "/tenants")
	f.Crumbs = []ui.Link{{Label: p.T("console.nav.tenants"), Href: "/tenants"}, {Label: k.houseName(c, s), Href: "/tenants/" + s.Slug}}
	return f, v, err
}

// fieldLabel is what a tenant's applicants read beside a field.
func fieldLabel(t *tenant.Tenant, key, locale string) string {
	for _, p := range t.Products() {
		if fd, ok := p.Form.Field(key); ok {
			return fd.Label.In(locale)
		}
	}
	return key
}

func maskedIf(channel, to string) string {
	if to == "" {
		return "–"
	}
	return maskedAddress(channel, to)
}

// setRosterContacts replaces the list by what was pasted. A wrong line is named and nothing is changed or lost.
func (k *Console) setRosterContacts(c *fiber.Ctx) error {
	s, err := k.tenantID(c)
	if err != nil {
		return err
	}
	list, err := reminder.ParseRoster(c.FormValue("list"))
	if err == nil {
		err = k.Reminders.SetRoster(c.UserContext(), s.ID, list)
	}
	if err != nil {
		f, v, viewErr := k.contactsView(c, s)
		if viewErr != nil {
			return viewErr
		}
		return web.Retry(c, err, contactsPage(f, v))
	}
	web.Flash(c, ui.Good, "remind.contacts_saved", "Count", len(list))
	return web.Redirect(c, "/tenants/"+s.Slug+"/contacts")
}
