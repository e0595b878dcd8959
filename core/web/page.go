package web

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"certsaas/core/authz"
	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/web/theme"
	"certsaas/core/web/ui"
)

const serverLocal localKey = "server"

// PageOf is the page of this request, made once. A handler may set Title and
// Errors before it renders.
func PageOf(c *fiber.Ctx) *ui.Page {
	if p, ok := c.Locals(pageLocal).(*ui.Page); ok {
		return p
	}
	s := c.Locals(serverLocal).(*Server)
	p := &ui.Page{
		Brand: s.brand(c), Print: s.cfg.Bundle.For(i18n.Locale(c.UserContext())), Path: LocalPath(c.Path(), "/"),
		CSRF: s.csrfToken(c), Principal: authz.From(c.UserContext()), RequestID: RequestID(c.UserContext()), Public: s.public(c),
	}
	c.Locals(pageLocal, p)
	return p
}

// lastPage is further than anybody turns; an offset behind it still fits the database.
const lastPage = 1_000_000

// PageNumber is which page of a list the address asks for with ?page=: 1 to 1,000,000, 1 for whatever is no number.
func PageNumber(c *fiber.Ctx) int { return min(max(c.QueryInt("page", 1), 1), lastPage) }

// platformBrand stands in where no site is known: the error page of a host
// that is nobody's.
var platformBrand = &ui.Brand{Slug: "platform", Theme: theme.Console()}

func (s *Server) brand(c *fiber.Ctx) *ui.Brand {
	if site := SiteOf(c); site != nil && site.Brand != nil && site.Brand.Theme != nil {
		return site.Brand
	}
	return platformBrand
}

func (s *Server) public(c *fiber.Ctx) string {
	scheme := "http://"
	if s.cfg.HTTPS {
		scheme = "https://"
	}
	return scheme + string(c.Context().Host())
}

// Printer speaks the reader's language.
func Printer(c *fiber.Ctx) i18n.Printer { return PageOf(c).Print }

// Render writes a whole page, or the error it met: nothing is sent before
// everything is there.
func Render(c *fiber.Ctx, status int, component templ.Component) error {
	s := c.Locals(serverLocal).(*Server)
	p := PageOf(c)
	if !partial(c) {
		p.Flash = append(p.Flash, s.takeFlash(c)...)
	}
	if err := component.Render(ui.With(c.UserContext(), p), c.Response().BodyWriter()); err != nil {
		c.Response().ResetBody()
		return fmt.Errorf("web: render: %w", err)
	}
	c.Status(status)
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return nil
}

// partial reports whether a script asked for a part of a page.
func partial(c *fiber.Ctx) bool { return c.Get(fiber.HeaderXRequestedWith) != "" }

// Partial reports whether a script of ours asked (X-Requested-With: fetch): the
// handler answers with the fragment alone.
func Partial(c *fiber.Ctx) bool { return partial(c) }

// Retry shows a form again after an error that its reader can mend (Invalid,
// Conflict, Precondition, RateLimited; Unavailable when it names a field: one
// thing could not be stored just now): the page with the problems beside its
// fields and the status of the kind. Any other error is returned, for the error
// handler. Scripts get the error handler's JSON.
func Retry(c *fiber.Ctx, err error, component templ.Component) error {
	f := fault.From(err)
	if f == nil || partial(c) {
		return err
	}
	if !Mendable(f) {
		return err
	}
	p := PageOf(c)
	p.Errors = FormErrors(err, p.Print)
	return Render(c, Status(err), component)
}

// Mendable reports whether the reader of a form can do something about a fault; see Retry.
func Mendable(f *fault.Error) bool {
	switch f.Kind {
	case fault.Invalid, fault.Conflict, fault.Precondition, fault.RateLimited:
		return true
	case fault.Unavailable:
		return len(f.Fields) > 0
	}
	return false
}

// FormErrors is an error as the problems of a form, in the reader's language:
// one per field, or one for the whole.
func FormErrors(err error, p i18n.Printer) ui.Errors {
	f := fault.From(err)
	if f == nil {
		return nil
	}
	var out ui.Errors
	for _, x := range f.Fields {
		out = append(out, ui.FieldError{Name: x.Name, Text: p.Format(x.ID, x.Args)})
	}
	if len(out) == 0 {
		out = ui.Errors{{Text: p.Format(f.ID, f.Args)}}
	}
	return out
}

// Redirect leads on after a POST (303) to a path of this host; a script is told
// by the header X-Location.
func Redirect(c *fiber.Ctx, path string) error {
	path = LocalPath(path, "/")
	if partial(c) {
		c.Set("X-Location", path)
		return c.SendStatus(fiber.StatusOK)
	}
	return c.Redirect(path, fiber.StatusSeeOther)
}

// LocalPath is path when it is a path of this host and nothing else, or def: a
// ?next= parameter must not lead away.
func LocalPath(path, def string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t\x00") || len(path) > 1024 {
		return def
	}
	return path
}

// Flash carries a message over the next redirect; kv as in i18n.T.
func Flash(c *fiber.Ctx, tone ui.Tone, id string, kv ...any) {
	s := c.Locals(serverLocal).(*Server)
	list, _ := c.Locals(flashCookie).([]flash)
	list = append(list, flash{Tone: tone, ID: id, Args: fault.Args(kv...)})
	c.Locals(flashCookie, list)
	body, err := json.Marshal(list)
	if err != nil || len(body) > 2048 {
		return // a message that cannot be carried is not worth failing for
	}
	text := base64.RawURLEncoding.EncodeToString(body)
	s.setCookie(c, flashCookie, text+"."+s.sign("flash", text), 5*time.Minute)
}

type flash struct {
	Tone ui.Tone        `json:"t"`
	ID   string         `json:"i"`
	Args map[string]any `json:"a,omitempty"`
}

// takeFlash reads and ends what the last response left for this page.
func (s *Server) takeFlash(c *fiber.Ctx) []ui.Flash {
	raw := c.Cookies(s.cookieName(flashCookie))
	if raw == "" {
		return nil
	}
	s.setCookie(c, flashCookie, "", -1)
	text, mac, ok := strings.Cut(raw, ".")
	if !ok || s.sign("flash", text) != mac {
		return nil
	}
	body, err := base64.RawURLEncoding.DecodeString(text)
	var list []flash
	if err != nil || json.Unmarshal(body, &list) != nil {
		return nil
	}
	p := s.cfg.Bundle.For(i18n.Locale(c.UserContext()))
	out := make([]ui.Flash, len(list))
	for i, f := range list {
		out[i] = ui.Flash{Tone: f.Tone, Text: p.Format(f.ID, f.Args)}
	}
	return out
}

type requestIDKey struct{}

// RequestID identifies the request in ctx in logs and on error pages.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}
