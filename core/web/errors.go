package web

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/web/ui"
)

// statuses maps each kind to its one HTTP status.
var statuses = map[fault.Kind]int{
	fault.Invalid:         fiber.StatusUnprocessableEntity,
	fault.NotFound:        fiber.StatusNotFound,
	fault.Conflict:        fiber.StatusConflict,
	fault.Denied:          fiber.StatusForbidden,
	fault.Unauthenticated: fiber.StatusUnauthorized,
	fault.RateLimited:     fiber.StatusTooManyRequests,
	fault.Unavailable:     fiber.StatusServiceUnavailable,
	fault.Precondition:    fiber.StatusConflict,
	fault.TooLarge:        fiber.StatusRequestEntityTooLarge,
}

// retryAfter tells machines when to come again, in seconds (RFC 9110 §10.2.3); a database that was restarted is back within five.
var retryAfter = map[int]string{fiber.StatusTooManyRequests: "60", fiber.StatusServiceUnavailable: "5"}

// misdirected answers a host that is nobody's (RFC 9110 §15.5.20).
var misdirected = &fiber.Error{Code: fiber.StatusMisdirectedRequest, Message: "unknown host"}

// Status is the HTTP status of an error: its kind's, or 500.
func Status(err error) int {
	if f := fault.From(err); f != nil {
		if code, ok := statuses[f.Kind]; ok {
			return code
		}
		return fiber.StatusInternalServerError
	}
	var fe *fiber.Error
	switch {
	case errors.As(err, &fe):
		return fe.Code
	case errors.Is(err, context.DeadlineExceeded):
		return fiber.StatusServiceUnavailable
	}
	return fiber.StatusInternalServerError
}

// sentences is what the reader is told: the fault's own sentence, or the
// status's. Nothing internal reaches him.
func sentences(err error, status int, p i18n.Printer) (id, title, text string) {
	id = "web.e500"
	switch status {
	case 400, 401, 403, 404, 405, 409, 413, 421, 422, 429, 431, 503:
		id = "web.e" + strconv.Itoa(status)
	}
	title, text = p.T(id), p.T(id+"_text")
	if f := fault.From(err); f != nil && status != fiber.StatusInternalServerError {
		if own, ok := titles[f.ID]; ok {
			title = p.T(own)
		}
		return f.ID, title, p.Format(f.ID, f.Args)
	}
	return id, title, text
}

// titles are headings of refusals that are no lack of a right, whatever their status is called.
var titles = map[string]string{"web.stale_form": "web.stale_form_title", "web.cross_site": "web.cross_site_title"}

// handleError is fiber's single error handler: it logs once, maps the kind to a
// status and answers with a page, or with JSON where a script or a machine asks.
func (s *Server) handleError(c *fiber.Ctx, err error) error {
	if c.Locals(serverLocal) == nil { // the request never reached a handler: too large, malformed
		s.adopt(c)
	}
	status := Status(err)
	rid := RequestID(c.UserContext())
	level := slog.LevelInfo
	if status >= 500 {
		level = slog.LevelError
	}
	slog.Log(c.UserContext(), level, "request failed", "request_id", rid, "method", c.Method(), "route", template(c), "status", status, "error", err.Error())
	if after := retryAfter[status]; after != "" && len(c.Response().Header.Peek(fiber.HeaderRetryAfter)) == 0 {
		c.Set(fiber.HeaderRetryAfter, after)
	}
	if wantsJSON(c) {
		return s.errorJSON(c, err, status, rid)
	}
	if status == fiber.StatusUnauthorized && c.Method() == fiber.MethodGet {
		return c.Redirect("/login?next="+url.QueryEscape(c.OriginalURL()), fiber.StatusSeeOther)
	}
	return s.errorPage(c, err, status, rid)
}

// adopt gives a request that was refused before the first handler what the
// error page needs.
func (s *Server) adopt(c *fiber.Ctx) {
	id := requestID()
	c.SetUserContext(context.WithValue(c.UserContext(), requestIDKey{}, id))
	c.Locals(serverLocal, s)
	s.headers(c, id)
	if site, err := s.cfg.Hosts.Find(c.UserContext(), askedHost(c)); err == nil {
		c.Locals(siteLocal, site)
	}
}

func wantsJSON(c *fiber.Ctx) bool {
	accept := c.Get(fiber.HeaderAccept)
	return partial(c) || (strings.Contains(accept, "json") && !strings.Contains(accept, "text/html"))
}

// Problem is the JSON of an error (RFC 9457).
type Problem struct {
	Status    int               `json:"status"`
	Code      string            `json:"code"`  // stable message id
	Title     string            `json:"title"` // the sentence, in the reader's language
	Fields    map[string]string `json:"fields,omitempty"`
	RequestID string            `json:"request_id"`
}

func (s *Server) errorJSON(c *fiber.Ctx, err error, status int, rid string) error {
	p := s.cfg.Bundle.For(i18n.Locale(c.UserContext()))
	id, _, text := sentences(err, status, p)
	out := Problem{Status: status, Code: id, Title: text, RequestID: rid}
	if f := fault.From(err); f != nil && len(f.Fields) > 0 {
		out.Fields = map[string]string{}
		for _, x := range f.Fields {
			out.Fields[x.Name] = p.Format(x.ID, x.Args)
		}
	}
	if e := c.Status(status).JSON(out); e != nil {
		return e
	}
	c.Set(fiber.HeaderContentType, "application/problem+json; charset=utf-8")
	return nil
}

func (s *Server) errorPage(c *fiber.Ctx, err error, status int, rid string) error {
	c.Locals(pageLocal, nil) // the failed page's title and errors are not this one's
	p := PageOf(c)
	_, title, text := sentences(err, status, p.Print)
	var b bytes.Buffer
	props := ui.ErrorProps{Status: status, Title: title, Text: text, RequestID: rid, Home: "/", Login: status == fiber.StatusUnauthorized, Console: SiteOf(c) != nil && SiteOf(c).Side == Console}
	switch {
	case status == fiber.StatusServiceUnavailable:
		props.Again = again(c)
	case c.Method() == fiber.MethodPost && ownOrigin(c) && (props.Login || errors.Is(err, staleForm)):
		if props.Again = again(c); props.Again != nil && props.Login {
			props.Title, props.Text = p.Print.T("web.login_ended_title"), p.Print.T("web.login_ended")
		}
	}
	view := ui.ErrorPage(props)
	if e := view.Render(ui.With(context.WithoutCancel(c.UserContext()), p), &b); e != nil { // the handler's deadline has ended with it
		slog.Error("error page failed", "request_id", rid, "error", e.Error())
		b.Reset()
		b.WriteString(fallback)
	}
	c.Status(status)
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.Send(b.Bytes())
}

// again is the request as the reader sent it, so that nothing he typed is lost; files the page asks for again. A password is not
// said back: nil, he goes back and types it once more.
func again(c *fiber.Ctx) *ui.Again {
	a := &ui.Again{Action: LocalPath(c.OriginalURL(), "/"), Post: c.Method() == fiber.MethodPost}
	if !a.Post {
		return a
	}
	a.Fields = slices.DeleteFunc(typed(c), func(f [2]string) bool { return f[0] == "_csrf" }) // the page puts its own
	if slices.ContainsFunc(a.Fields, func(f [2]string) bool { return f[0] == "password" }) {
		return nil
	}
	return a
}

// typed are the names and values of a form's body.
func typed(c *fiber.Ctx) (out [][2]string) {
	body, err := c.MultipartForm()
	if err != nil { // not a form with files
		for name, value := range c.Request().PostArgs().All() {
			out = append(out, [2]string{string(name), string(value)})
		}
		return out
	}
	for _, name := range slices.Sorted(maps.Keys(body.Value)) {
		for _, value := range body.Value[name] {
			out = append(out, [2]string{name, value})
		}
	}
	return out
}

// fallback is the page for when even the error page fails.
const fallback = `<!DOCTYPE html><html lang="zh-CN"><meta charset="utf-8"><title>暂时无法打开 / Unavailable</title>` +
	`<h1>暂时无法打开此页面</h1><p>请稍后重试。已填写的内容不会丢失。</p><p lang="en">This page cannot be shown just now. Please try again later.</p></html>`
