package console

import (
	"net/netip"
	"time"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
	"certsaas/core/staff"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

func (k *Console) loginRoutes() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/login", Handler: k.showLogin},
		{Method: "POST", Path: "/login", Handler: k.login},
		{Method: "GET", Path: "/login/code", Handler: k.showCode},
		{Method: "POST", Path: "/login/code", Handler: k.loginCode},
		{Method: "POST", Path: "/logout", Handler: k.logout},
	}
}

// loginView is the page of the first step.
type loginView struct {
	Login, Next string
	Hints       []Hint
}

// codeView is the page of the second step.
type codeView struct {
	Name, Next string
	DemoCode   string // what the demonstration's authenticator shows; "" elsewhere
	DemoLeft   int    // seconds it will do so
	Secret     string
}

func (k *Console) loginView(c *fiber.Ctx) loginView {
	v := loginView{Login: c.FormValue("login"), Next: web.LocalPath(firstOf(c.FormValue("next"), c.Query("next")), "/")}
	if k.Demo {
		v.Hints = k.DemoHints
	}
	return v
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func (k *Console) showLogin(c *fiber.Ctx) error {
	v := k.loginView(c)
	if web.PageOf(c).SignedIn() {
		return web.Redirect(c, v.Next)
	}
	return web.Render(c, fiber.StatusOK, loginPage(v))
}

func (k *Console) login(c *fiber.Ctx) error {
	v := k.loginView(c)
	ip, err := netip.ParseAddr(c.IP())
	if err != nil {
		ip = netip.IPv6Unspecified()
	}
	half, err := k.Staff.LoginPassword(c.UserContext(), v.Login, c.FormValue("password"), ip)
	if f := fault.From(err); f != nil && (f.Kind == fault.Unauthenticated || f.Kind == fault.RateLimited) {
		p := web.PageOf(c)
		p.Errors = ui.Errors{{Name: "password", Text: p.Print.Format(f.ID, f.Args)}}
		return web.Render(c, web.Status(err), loginPage(v))
	}
	if err != nil {
		return err
	}
	k.setHalf(c, half.Token, staff.HalfLimit)
	return web.Redirect(c, "/login/code?next="+escape(v.Next))
}

// halfCookie holds the session between the two steps apart from the real one, which it can thus never be mistaken for.
func (k *Console) halfCookie() string {
	if k.HTTPS {
		return "__Host-half"
	}
	return "half"
}

func (k *Console) setHalf(c *fiber.Ctx, token string, life time.Duration) {
	c.Cookie(&fiber.Cookie{Name: k.halfCookie(), Value: token, Path: "/", HTTPOnly: true, Secure: k.HTTPS,
		SameSite: fiber.CookieSameSiteStrictMode, MaxAge: int(life / time.Second)})
}

// half is the session between the two steps, and what its page shows.
func (k *Console) half(c *fiber.Ctx) (string, codeView, error) {
	token := c.Cookies(k.halfCookie())
	s, err := k.Staff.HalfSession(c.UserContext(), token)
	v := codeView{Name: s.Person.Name, Next: web.LocalPath(firstOf(c.FormValue("next"), c.Query("next")), "/")}
	if err != nil || !k.Demo {
		return token, v, err
	}
	for _, h := range k.DemoHints {
		if h.Login == s.Person.Login && h.Secret != "" {
			now := k.Clock.Now()
			if v.DemoCode, err = staff.TOTPNow(h.Secret, now); err != nil {
				return token, v, err
			}
			v.DemoLeft, v.Secret = 30-int(now.Unix()%30), h.Secret
		}
	}
	return token, v, nil
}

func (k *Console) showCode(c *fiber.Ctx) error {
	_, v, err := k.half(c)
	if f := fault.From(err); f != nil && f.Kind == fault.Unauthenticated {
		return web.Redirect(c, "/login?next="+escape(v.Next))
	}
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, codePage(v))
}

func (k *Console) loginCode(c *fiber.Ctx) error {
	token, v, err := k.half(c)
	if err == nil {
		var s staff.Session
		if s, err = k.Staff.LoginCode(c.UserContext(), token, c.FormValue("code")); err == nil {
			k.setHalf(c, "", -time.Second)
			k.Server.SetSession(c, s.Token, staff.AbsoluteLimit)
			return web.Redirect(c, v.Next)
		}
	}
	if f := fault.From(err); f != nil && f.Kind == fault.Unauthenticated {
		web.Flash(c, ui.Warn, "console.login.again")
		return web.Redirect(c, "/login?next="+escape(v.Next))
	}
	return web.Retry(c, err, codePage(v))
}

func (k *Console) logout(c *fiber.Ctx) error {
	if token := k.Server.SessionToken(c); token != "" {
		if err := k.Staff.Logout(c.UserContext(), token); err != nil {
			return err
		}
	}
	k.Server.ClearSession(c)
	web.Flash(c, ui.Info, "console.login.bye")
	return web.Redirect(c, "/login")
}
