package portal

import (
	"errors"
	"net/url"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/account"
	"certsaas/core/fault"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// sendCode sends a code for a purpose and says how long to wait for the next. item is the product whose times hold; nil:
// the platform's.
func (p *Portal) sendCode(c *fiber.Ctx, purpose account.Purpose, mobile string, orderID uuid.UUID, item *tenant.Product) (seconds int, err error) {
	t, say := tenantOf(web.SiteOf(c)), web.Printer(c)
	r := account.CodeRequest{Purpose: purpose, Mobile: mobile, Client: p.client(c), Order: orderID, Locale: say.Locale(),
		Org: t.Names().Short.In(say.Locale())}
	if m, ok := t.Message("code"); ok {
		r.Text = m.SMS.In(say.Locale())
	}
	if item != nil {
		r.Lifetime, r.Resend = item.Confirm.CodeTTL, item.Confirm.ResendWait
	}
	sent, err := p.Accounts.SendCode(c.UserContext(), t.ID(), r)
	if err != nil {
		return 0, err
	}
	return max(1, int(sent.ResendAt.Sub(p.Clock.Now()).Round(time.Second).Seconds())), nil
}

var purposes = map[string]account.Purpose{
	"register": account.PurposeRegister, "login": account.PurposeLogin, "password": account.PurposePassword,
}

// codeByMobile answers the button that sends a code: for registration, login and a forgotten password.
func (p *Portal) codeByMobile(c *fiber.Ctx) error {
	purpose, ok := purposes[c.FormValue("purpose")]
	if !ok {
		return fault.New(fault.Invalid, "portal.no_purpose")
	}
	seconds, err := p.sendCode(c, purpose, c.FormValue("mobile"), uuid.Nil, nil)
	if err != nil {
		return err
	}
	return codeSent(c, seconds)
}

func codeSent(c *fiber.Ctx, seconds int) error {
	return c.JSON(fiber.Map{"seconds": seconds, "message": web.Printer(c).T("portal.code_sent")})
}

// accountView is a page around a mobile and a proof: registration, login, forgotten password.
type accountView struct {
	Purpose    string
	Mobile     string
	Next       string
	Seconds    int  // wait before the next code
	Sent       bool // a code is on its way (pages without scripts)
	Agreed     bool
	Agreements []ui.Link
	ByCode     bool // login by code
	Passwords  bool // the tenant knows passwords
	Registers  bool // the tenant registers accounts before orders
}

func (p *Portal) accountView(c *fiber.Ctx, purpose string) accountView {
	t, say := tenantOf(web.SiteOf(c)), web.Printer(c)
	next := c.FormValue("next")
	v := accountView{Purpose: purpose, Mobile: c.FormValue("mobile"), Next: web.LocalPath(next, ""), Agreed: c.FormValue("agree") == "yes"}
	for _, item := range t.Products() {
		v.Passwords = v.Passwords || item.Login == "password"
		v.Registers = v.Registers || item.Account == "register_first"
	}
	for _, id := range t.Accounts().Agreements {
		if a, ok := t.Agreement(id); ok {
			v.Agreements = append(v.Agreements, ui.Link{Label: "《" + a.Title.In(say.Locale()) + "》", Href: "/agreements/" + id})
		}
	}
	v.ByCode = !v.Passwords || c.FormValue("by") == "code"
	return v
}

// next is the query that carries on where to go after the login.
func (v accountView) next(path string, more ...string) string {
	q := url.Values{}
	if v.Next != "" {
		q.Set("next", v.Next)
	}
	for i := 0; i+1 < len(more); i += 2 {
		q.Set(more[i], more[i+1])
	}
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}

// resend sends a code for a page without scripts and shows the page again.
func (p *Portal) resend(c *fiber.Ctx, v accountView) error {
	seconds, err := p.sendCode(c, purposes[v.Purpose], v.Mobile, uuid.Nil, nil)
	if err != nil {
		return web.Retry(c, err, accountPage(v))
	}
	v.Seconds, v.Sent = seconds, true
	return web.Render(c, fiber.StatusOK, accountPage(v))
}

func (p *Portal) proof(c *fiber.Ctx, purpose account.Purpose) account.Proof {
	return account.Proof{Purpose: purpose, Mobile: c.FormValue("mobile"), Code: c.FormValue("code"), Client: p.client(c)}
}

func (p *Portal) showRegister(c *fiber.Ctx) error {
	v := p.accountView(c, "register")
	if !v.Registers {
		return web.Redirect(c, v.next("/login"))
	}
	return web.Render(c, fiber.StatusOK, accountPage(v))
}

// register makes an account: mobile, code, password, consent (req B13 B14).
func (p *Portal) register(c *fiber.Ctx) error {
	v := p.accountView(c, "register")
	if !v.Registers {
		return fault.New(fault.NotFound, "web.not_found")
	}
	if c.FormValue("_step") == "send" {
		return p.resend(c, v)
	}
	if len(v.Agreements) > 0 && !v.Agreed {
		return web.Retry(c, fault.InvalidFields(fault.At("agree", "portal.must_agree")), accountPage(v))
	}
	_, err := p.Accounts.Register(c.UserContext(), web.SiteOf(c).Tenant, p.proof(c, account.PurposeRegister), c.FormValue("password"))
	if err != nil {
		return web.Retry(c, err, accountPage(v))
	}
	return web.Render(c, fiber.StatusOK, registeredPage(v))
}

func (p *Portal) showLogin(c *fiber.Ctx) error {
	return web.Render(c, fiber.StatusOK, accountPage(p.accountView(c, "login")))
}

// login begins a session by password (req B15) or by code (req K42).
func (p *Portal) login(c *fiber.Ctx) error {
	v := p.accountView(c, "login")
	if c.FormValue("_step") == "send" {
		v.ByCode = true
		return p.resend(c, v)
	}
	var ses account.Session
	var err error
	tenantID, old := web.SiteOf(c).Tenant, p.Server.SessionToken(c)
	if v.ByCode {
		ses, err = p.Accounts.LoginByCode(c.UserContext(), tenantID, p.proof(c, account.PurposeLogin), old)
		if errors.Is(err, fault.NotFound) {
			err = fault.InvalidFields(fault.At("mobile", "account.none"))
		}
	} else {
		ses, err = p.Accounts.LoginByPassword(c.UserContext(), tenantID, c.FormValue("mobile"), c.FormValue("password"), p.client(c), old)
		if errors.Is(err, fault.Unauthenticated) {
			err = fault.InvalidFields(fault.At("password", "account.login_wrong"))
		}
	}
	if err != nil {
		return web.Retry(c, err, accountPage(v))
	}
	p.Server.SetSession(c, ses.Token, account.AbsoluteLimit)
	next := v.Next
	if next == "" {
		next = "/orders"
	}
	return web.Redirect(c, next)
}

func (p *Portal) logout(c *fiber.Ctx) error {
	if err := p.Accounts.Logout(c.UserContext(), web.SiteOf(c).Tenant, p.Server.SessionToken(c)); err != nil {
		return err
	}
	p.Server.ClearSession(c)
	return web.Redirect(c, "/")
}

func (p *Portal) showPassword(c *fiber.Ctx) error {
	return web.Render(c, fiber.StatusOK, accountPage(p.accountView(c, "password")))
}

// changePassword sets a new password by a code and leads to the login.
func (p *Portal) changePassword(c *fiber.Ctx) error {
	v := p.accountView(c, "password")
	if c.FormValue("_step") == "send" {
		return p.resend(c, v)
	}
	err := p.Accounts.ChangePassword(c.UserContext(), web.SiteOf(c).Tenant, p.proof(c, account.PurposePassword), c.FormValue("password"))
	if errors.Is(err, fault.NotFound) {
		err = fault.InvalidFields(fault.At("mobile", "account.none"))
	}
	if err != nil {
		return web.Retry(c, err, accountPage(v))
	}
	web.Flash(c, ui.Good, "portal.password_changed")
	return web.Redirect(c, v.next("/login"))
}

// agreement is the text of an agreement on a page of its own.
func (p *Portal) agreement(c *fiber.Ctx) error {
	a, ok := tenantOf(web.SiteOf(c)).Agreement(c.Params("agreement"))
	if !ok {
		return fault.New(fault.NotFound, "web.not_found")
	}
	l := web.Printer(c).Locale()
	v := agreementView{Title: a.Title.In(l), Version: a.Version}
	for _, par := range a.Body {
		v.Body = append(v.Body, par.In(l))
	}
	return web.Render(c, fiber.StatusOK, agreementPage(v))
}
