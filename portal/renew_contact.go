package portal

import (
	"errors"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/account"
	"certsaas/core/authz"
	"certsaas/core/fault"
	"certsaas/core/identifier"
	"certsaas/core/reminder"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// routesContact is how a certificate is given over to another mobile: by its holder with a code to each, or from the link that the
// new mobile was sent after the staff had seen a sealed paper.
func (p *Portal) routesContact() []web.Route {
	if p.Reminders == nil {
		return nil
	}
	return []web.Route{
		{Method: fiber.MethodGet, Path: "/certificates/:certificate/contact", Action: authz.OrderEdit, Handler: p.showContact},
		{Method: fiber.MethodPost, Path: "/certificates/:certificate/contact", Action: authz.OrderEdit, Handler: p.giveOver},
		{Method: fiber.MethodPost, Path: "/certificates/:certificate/contact/code", Action: authz.OrderEdit, Handler: p.contactCode},
		{Method: fiber.MethodGet, Path: "/c/:token", Handler: p.showInvitation},
		{Method: fiber.MethodPost, Path: "/c/:token", Handler: p.acceptInvitation},
		{Method: fiber.MethodPost, Path: "/c/:token/code", Handler: p.invitationCode},
	}
}

// contactView is the page on which a holder gives a certificate over, one step at a time.
type contactView struct {
	URL      string
	Facts    []ui.Datum
	Proved   bool   // the old mobile's code was right: the new one is asked for
	Old      string // masked
	Mobile   string // typed
	Sent     bool
	Seconds  int
	Invited  bool   // from the link of the new mobile
	Company  string // masked, when invited
	LoggedIn bool
}

func (p *Portal) contact(c *fiber.Ctx) (reminder.Holding, contactView, error) {
	id, err := uuid.Parse(c.Params("certificate"))
	if err != nil {
		return reminder.Holding{}, contactView{}, fault.New(fault.NotFound, "reminder.no_certificate")
	}
	h, err := p.Reminders.Holding(c.UserContext(), web.SiteOf(c).Tenant, id)
	say := web.Printer(c)
	v := contactView{URL: "/certificates/" + id.String() + "/contact", Proved: h.Proved, Old: identifier.MaskMobile(h.Mobile), Mobile: c.FormValue("mobile"),
		Facts: []ui.Datum{{Label: say.T("renew.contact_company"), Value: h.Company}, {Label: say.T("renew.contact_ends"), Value: ui.Date(h.NotAfter)}, {Label: say.T("renew.contact_now"), Value: identifier.MaskMobile(h.Mobile)}}}
	return h, v, err
}

func (p *Portal) showContact(c *fiber.Ctx) error {
	_, v, err := p.contact(c)
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, contactPage(v))
}

// sendContactCode sends the code of the step: to the old mobile until it has proved itself, then to the new one.
func (p *Portal) sendContactCode(c *fiber.Ctx, h reminder.Holding) (int, error) {
	to := h.Mobile
	if h.Proved {
		to = c.FormValue("mobile")
	}
	return p.sendCode(c, account.PurposeContact, to, uuid.Nil, nil)
}

func (p *Portal) contactCode(c *fiber.Ctx) error {
	h, _, err := p.contact(c)
	if err != nil {
		return err
	}
	seconds, err := p.sendContactCode(c, h)
	if err != nil {
		return err
	}
	return codeSent(c, seconds)
}

// giveOver takes the code of the step.
func (p *Portal) giveOver(c *fiber.Ctx) error {
	h, v, err := p.contact(c)
	if err != nil {
		return err
	}
	if c.FormValue("_step") == "send" {
		if v.Seconds, err = p.sendContactCode(c, h); err != nil {
			return web.Retry(c, err, contactPage(v))
		}
		v.Sent = true
		return web.Render(c, fiber.StatusOK, contactPage(v))
	}
	tenantID, code := web.SiteOf(c).Tenant, c.FormValue("code")
	if !h.Proved {
		err = p.Reminders.ProveOld(c.UserContext(), tenantID, h.Certificate, code, p.client(c))
	} else {
		err = p.Reminders.GiveOver(c.UserContext(), tenantID, h.Certificate, v.Mobile, code, p.client(c))
	}
	switch {
	case errors.Is(err, fault.Precondition): // the quarter of an hour is over
		web.Flash(c, ui.Warn, "reminder.not_proved")
		return web.Redirect(c, v.URL)
	case err != nil:
		return web.Retry(c, err, contactPage(v))
	case !h.Proved:
		return web.Redirect(c, v.URL)
	}
	web.Flash(c, ui.Good, "renew.contact_done", "Mobile", identifier.MaskMobile(v.Mobile))
	return web.Redirect(c, "/certificates")
}

// invitation reads the link of a new mobile.
func (p *Portal) invitation(c *fiber.Ctx) (reminder.Invitation, contactView, error) {
	i, err := p.Reminders.OpenInvitation(c.UserContext(), web.SiteOf(c).Tenant, c.Params("token"))
	return i, contactView{URL: "/c/" + c.Params("token"), Invited: true, Company: i.Company, Proved: true}, err
}

func (p *Portal) showInvitation(c *fiber.Ctx) error {
	_, v, err := p.invitation(c)
	if err != nil {
		return unknown(c, err)
	}
	return web.Render(c, fiber.StatusOK, invitationPage(v))
}

func (p *Portal) invitationCode(c *fiber.Ctx) error {
	i, _, err := p.invitation(c)
	if err != nil {
		return err
	}
	seconds, err := p.sendCode(c, account.PurposeContact, i.Mobile(), uuid.Nil, nil)
	if err != nil {
		return err
	}
	return codeSent(c, seconds)
}

// acceptInvitation takes the new mobile's code; the certificate is its login's from then on.
func (p *Portal) acceptInvitation(c *fiber.Ctx) error {
	i, v, err := p.invitation(c)
	if err != nil {
		return unknown(c, err)
	}
	if c.FormValue("_step") == "send" {
		if v.Seconds, err = p.sendCode(c, account.PurposeContact, i.Mobile(), uuid.Nil, nil); err != nil {
			return web.Retry(c, err, invitationPage(v))
		}
		v.Sent = true
		return web.Render(c, fiber.StatusOK, invitationPage(v))
	}
	if err := p.Reminders.Accept(c.UserContext(), web.SiteOf(c).Tenant, c.Params("token"), c.FormValue("code"), p.client(c)); err != nil {
		return web.Retry(c, err, invitationPage(v))
	}
	return web.Render(c, fiber.StatusOK, invitedPage())
}
