package journey

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"

	"certsaas/console"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/platform/platformtest"
	"certsaas/core/web"
	"certsaas/portal"
	"certsaas/portal/aftertext"
	"certsaas/scheduler"
)

// caller is who asks.
type caller struct {
	name      string
	principal authz.Principal
	session   string
}

// matrix is every mounted route with the people who might ask for it.
type matrix struct {
	*platformtest.World
	srv     *web.Server
	byName  map[string]caller
	callers []caller
	order   order.Order // of dealer "owner", at BYD
}

// newMatrix mounts portal and console as main.go does. Sessions are looked up in a table: what is tested is who may do what.
func newMatrix(t *testing.T) *matrix {
	t.Helper()
	w := platformtest.New(t, portal.Messages, aftertext.Messages, console.Messages)
	m := &matrix{World: w, byName: map[string]caller{}}
	m.srv = m.mount(t, false)
	m.people(t)
	return m
}

// mount is the table on a server of its own, whose public address is https or not.
func (m *matrix) mount(t *testing.T, https bool) *web.Server {
	t.Helper()
	w := m.World
	srv, err := web.New(web.Config{HTTPS: https, Secret: bytes.Repeat([]byte{7}, 32), Hosts: w.Sites.Hosts(), Bundle: w.Bundle, Authorizer: w.Authz, Now: w.Clock.Now,
		Sessions: func(_ context.Context, _ *web.Site, token string) (web.Session, error) {
			for _, c := range m.callers {
				if c.session == token {
					return web.Session{Principal: c.principal}, nil
				}
			}
			return web.Session{}, fault.New(fault.Unauthenticated, "web.login")
		}})
	if err != nil {
		t.Fatal(err)
	}
	before, shop := w.Config, w.DemoPay
	defer func() { w.Config, w.DemoPay = before, shop }()
	w.DemoPay = nil // another party's pages
	if https {
		w.Config.Web.PublicURL = "https://localhost:8080"
	}
	watch := scheduler.NewWatch(w.Platform, scheduler.Jobs(w.Platform))
	if err := errors.Join(portal.Mount(srv, w.Platform), console.Mount(srv, w.Platform, watch)); err != nil {
		t.Fatal(err)
	}
	srv.Seal()
	return srv
}

// people are all who might knock: nobody, two dealers of BYD, one of King Long, one member of staff for each role.
func (m *matrix) people(t *testing.T) {
	t.Helper()
	add := func(name string, p authz.Principal) {
		c := caller{name: name, principal: p, session: "session-of-" + name}
		if p.Kind == authz.Anonymous {
			c.session = ""
		}
		m.callers, m.byName[name] = append(m.callers, c), c
	}
	add("nobody", authz.Principal{Kind: authz.Anonymous})
	byd, kinglong := m.Tenant("byd"), m.Tenant("kinglong")
	dealer := func(mobile string, tenant uuid.UUID) authz.Principal {
		a, err := m.Accounts.Provision(m.As(authz.System("test/matrix")), tenant, mobile, "correct horse 7")
		if err != nil {
			t.Fatal(err)
		}
		return a.Principal()
	}
	add("owner", dealer("13800138000", byd.ID()))
	add("colleague", dealer("13800138001", byd.ID()))
	add("stranger", dealer("13800138002", kinglong.ID()))
	for _, role := range authz.Roles() {
		add(role, authz.Principal{Kind: authz.Staff, ID: db.NewID(), Name: "演示", Roles: []string{role}})
	}
	owner := m.byName["owner"].principal
	o, err := m.Orders.Start(m.As(owner), order.Begin{Tenant: byd, Product: byd.Products()[0], Account: owner.ID, Source: form.SampleEnv().Source})
	if err != nil {
		t.Fatal(err)
	}
	m.order = o
}

// ask sends one request as somebody, on the host of a side, with the token of a form unless it is withheld.
func (m *matrix) ask(t *testing.T, c caller, r web.MountedRoute, path string, token bool) int {
	t.Helper()
	host := map[web.Side]string{web.Portal: "byd.localhost:8080", web.Console: "console.localhost:8080", web.Platform: "localhost:8080"}[r.Side]
	send := func(method, path string, header map[string]string) (*http.Response, string) {
		req := httptest.NewRequest(method, path, strings.NewReader(body(header)))
		req.Host = host
		if c.session != "" {
			req.AddCookie(&http.Cookie{Name: "session", Value: c.session})
		}
		for name, value := range header {
			req.Header.Set(name, value)
		}
		res, err := m.srv.App().Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, string(raw)
	}
	header := map[string]string{}
	if r.Body > 0 { // pages that take pictures look at whose they are only when there is one
		header["Content-Type"] = "multipart/form-data; boundary=" + boundary
	}
	if token && r.Method != "GET" && !r.Machine {
		res, page := send("GET", "/login", nil) // any page carries the token
		_, after, _ := strings.Cut(page, `name="csrf" content="`)
		header["X-CSRF-Token"], _, _ = strings.Cut(after, `"`)
		cookies := []string{"session=" + c.session}
		for _, ck := range res.Cookies() { // a visitor's half of the token
			cookies = append(cookies, ck.Name+"="+ck.Value)
		}
		header["Cookie"] = strings.Join(cookies, "; ")
	}
	res, _ := send(r.Method, path, header)
	return res.StatusCode
}

const boundary = "matrix"

// body is a form with a picture that is none.
func body(header map[string]string) string {
	if header["Content-Type"] == "" {
		return ""
	}
	part := func(name string) string {
		return "--" + boundary + "\r\nContent-Disposition: form-data; name=\"" + name + "\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\nno picture\r\n"
	}
	return part("file") + part("picture") + "--" + boundary + "--\r\n"
}

// fill puts ids into a pattern: ids["id"], and so on; anything else gets rest.
func fill(pattern string, ids map[string]string, rest string) string {
	parts := strings.Split(pattern, "/")
	for i, p := range parts {
		if name, ok := strings.CutPrefix(p, ":"); ok {
			ext := ""
			if cut, after, found := strings.Cut(name, "."); found {
				name, ext = cut, "."+after
			}
			parts[i] = rest + ext
			if id, ok := ids[name]; ok {
				parts[i] = id + ext
			}
		}
	}
	return strings.Join(parts, "/")
}

// allowed is what the policy says of a caller and a page.
func (m *matrix) allowed(c caller, r web.MountedRoute) bool {
	if r.Action == "" {
		return true
	}
	tenant := uuid.Nil
	if r.Side == web.Portal {
		tenant = m.Tenant("byd").ID()
	}
	return m.Authz.CheckRoute(m.As(effective(c, r.Side)), r.Action, tenant) == nil
}

// effective is whom a side takes a caller for: sessions of another tenant or of the other side count for nothing there.
func effective(c caller, side web.Side) authz.Principal {
	if (side == web.Portal && c.name != "owner" && c.name != "colleague") || (side == web.Console && c.principal.Kind != authz.Staff) || side == web.Platform {
		return authz.Principal{Kind: authz.Anonymous}
	}
	return c.principal
}

// TestEveryRouteEveryCaller asks for each route of the table as each kind of caller. What the policy denies is refused
// before its handler runs; what it allows on principle is still nobody else's thing. A new route is covered by being mounted.
func TestEveryRouteEveryCaller(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	own := map[string]string{"id": m.order.ID.String(), "step": "form", "field": "licence_image", "tenant": "byd"}
	denied, foreign := 0, 0
	for _, r := range m.srv.Routes() {
		for _, c := range m.callers {
			name := fmt.Sprintf("%s %s %s as %s", r.Side, r.Method, r.Path, c.name)
			if r.Path == "/logout" {
				continue // ends nothing here, and redirects whoever comes
			}
			got := m.ask(t, c, r, fill(r.Path, own, uuid.NewString()), true)
			if got >= 500 {
				t.Errorf("%s: %d", name, got)
			}
			if !m.allowed(c, r) {
				denied++
				if want := refusal(effective(c, r.Side), r); got != want {
					t.Errorf("%s: %d, want %d", name, got, want)
				}
				continue
			}
			// somebody else's order: for dealers and visitors it does not exist
			if r.Side == web.Portal && strings.HasPrefix(r.Path, "/orders/:id") && c.name != "owner" {
				foreign++
				if got != http.StatusNotFound && got != http.StatusUnauthorized && !(r.Method == "GET" && got == http.StatusSeeOther) {
					t.Errorf("%s: %d for somebody else's order", name, got)
				}
			}
		}
	}
	if denied < 200 || foreign < 30 {
		t.Errorf("only %d refusals and %d foreign orders were tried: the table is not what it was", denied, foreign)
	}
}

// refusal is how a page is refused: whoever is not logged in is led to the log-in, or told so; whoever is, is denied.
func refusal(p authz.Principal, r web.MountedRoute) int {
	switch {
	case p.Authenticated():
		return http.StatusForbidden
	case r.Method == "GET":
		return http.StatusSeeOther
	}
	return http.StatusUnauthorized
}

// TestEveryChangeNeedsItsToken leaves the form's token out of every request that changes something.
func TestEveryChangeNeedsItsToken(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	tried := 0
	for _, r := range m.srv.Routes() {
		if r.Method == "GET" || r.Machine {
			continue
		}
		for _, c := range m.callers {
			if !m.allowed(c, r) {
				continue // refused before the token matters
			}
			tried++
			if got := m.ask(t, c, r, fill(r.Path, map[string]string{"id": m.order.ID.String(), "tenant": "byd"}, "x"), false); got != http.StatusForbidden {
				t.Errorf("%s %s %s as %s without a token: %d", r.Side, r.Method, r.Path, c.name, got)
			}
		}
	}
	if tried < 100 {
		t.Errorf("only %d changes were tried", tried)
	}
}

// TestGarbageInPaths puts what is no id where ids belong, as everybody.
func TestGarbageInPaths(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	for _, rubbish := range []string{"%00", "..%2f..%2fetc%2fpasswd", "'%20OR%201=1--", "00000000-0000-0000-0000-000000000000", strings.Repeat("9", 300), "%E4%BD%A0%E5%A5%BD"} {
		for _, r := range m.srv.Routes() {
			if !strings.Contains(r.Path, ":") {
				continue
			}
			for _, c := range m.callers {
				if got := m.ask(t, c, r, fill(r.Path, nil, rubbish), true); got >= 500 || got < 300 && r.Action != "" {
					t.Errorf("%s %s as %s with %s: %d", r.Side, r.Path, c.name, rubbish, got)
				}
			}
		}
	}
}

// TestUnknownHost answers 421 to a host that is nobody's (RFC 9110 §15.5.20).
func TestUnknownHost(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	for _, host := range []string{"evil.example", "nobody.localhost", "byd.localhost.evil.example", "xn--bd-uka.localhost"} {
		req := httptest.NewRequest("GET", "/orders", nil)
		req.Host = host
		res, err := m.srv.App().Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s: %d", host, res.StatusCode)
		}
	}
}
