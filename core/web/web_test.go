package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/web/theme"
	"certsaas/core/web/ui"
)

var (
	tenantA = uuid.MustParse("0192f0c0-0000-7000-8000-00000000000a")
	tenantB = uuid.MustParse("0192f0c0-0000-7000-8000-00000000000b")
)

// rig is a server with one portal per tenant, a console and a few routes.
type rig struct {
	*Server
	t *testing.T
}

func newRig(t *testing.T, https bool, routes ...Route) *rig {
	t.Helper()
	a, err := authz.New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	brand := func(slug string) *ui.Brand {
		return &ui.Brand{Slug: slug, Name: i18n.Text{"zh-CN": slug}, Theme: theme.Must("#c8102e", theme.Square, theme.Bar), Languages: i18n.Locales(), Logo: []byte("<svg/>")}
	}
	portals := map[string]*Site{"a.test": {Side: Portal, Tenant: tenantA, Brand: brand("a")}, "b.test": {Side: Portal, Tenant: tenantB, Brand: brand("b")}, "a.localhost": {Side: Portal, Tenant: tenantA, Brand: brand("a")}}
	sessions := map[string]authz.Principal{
		"dealer-a": {Kind: authz.Dealer, ID: uuid.Max, Tenant: tenantA, Name: "A"},
		"dealer-b": {Kind: authz.Dealer, ID: uuid.Max, Tenant: tenantB, Name: "B"},
		"staff":    {Kind: authz.Staff, ID: uuid.Max, Roles: []string{authz.RoleReviewer}},
	}
	s, err := New(Config{
		Secret: []byte(strings.Repeat("k", 32)), HTTPS: https, Bundle: i18n.Must(Messages, ui.Messages, authz.Messages), Authorizer: a, Now: time.Now,
		Hosts: Hosts{
			Console:  map[string]*Site{"console.test": {Side: Console, Brand: brand("console")}},
			Platform: map[string]*Site{"test": {Side: Platform, Brand: brand("platform")}},
			Portal: func(_ context.Context, host string) (*Site, error) {
				if s, ok := portals[host]; ok {
					return s, nil
				}
				return nil, fault.New(fault.NotFound, "web.host")
			},
		},
		Sessions: func(_ context.Context, _ *Site, token string) (Session, error) {
			if p, ok := sessions[token]; ok {
				return Session{Principal: p}, nil
			}
			return Session{}, fault.New(fault.Unauthenticated, "authz.login")
		},
		Ready: map[string]func(context.Context) error{"database": func(context.Context) error { return nil }},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Mount(routes, Portal); err != nil {
		t.Fatal(err)
	}
	return &rig{s, t}
}

type call struct {
	method, url, cookie, body string
	header                    map[string]string
}

func (r *rig) do(c call) (*http.Response, string) {
	r.t.Helper()
	u, err := url.Parse(c.url)
	if err != nil {
		r.t.Fatal(err)
	}
	req := httptest.NewRequest(c.method, u.RequestURI(), strings.NewReader(c.body))
	req.Host = u.Host
	if c.body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if c.cookie != "" {
		req.Header.Set("Cookie", c.cookie)
	}
	for k, v := range c.header {
		req.Header.Set(k, v)
	}
	res, err := r.App().Test(req, -1)
	if err != nil {
		r.t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return res, string(body)
}

func say(text string) fiber.Handler {
	return func(c *fiber.Ctx) error { return c.SendString(text) }
}

var formPage = templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
	return ui.Portal(ui.PortalProps{Title: "表单"}).Render(templ.WithChildren(ctx, ui.Form(ui.FormProps{})), w)
})

func show(c *fiber.Ctx) error { return Render(c, 200, formPage) }

// TestErrorTable: each kind has its status, on a page and as JSON; nothing
// internal reaches either.
func TestErrorTable(t *testing.T) {
	t.Parallel()
	secret := errors.New("pq: relation customers, secret detail")
	cases := map[string]struct {
		err    error
		status int
	}{
		"invalid": {fault.InvalidFields(fault.At("org", "web.e422")), 422}, "notfound": {fault.New(fault.NotFound, "web.not_found"), 404},
		"conflict": {fault.New(fault.Conflict, "web.e409"), 409}, "denied": {fault.New(fault.Denied, "authz.denied"), 403},
		"rate": {fault.New(fault.RateLimited, "web.e429"), 429}, "away": {fault.Wrap(fault.Unavailable, "web.e503", secret), 503},
		"pre": {fault.New(fault.Precondition, "web.e409"), 409}, "large": {fault.New(fault.TooLarge, "web.e413"), 413},
		"internal": {secret, 500}, "late": {context.DeadlineExceeded, 503}, "unauth": {fault.New(fault.Unauthenticated, "authz.login"), 401},
	}
	var routes []Route
	for name, tt := range cases {
		routes = append(routes, Route{Method: "GET", Path: "/" + name, Handler: func(*fiber.Ctx) error { return tt.err }})
	}
	r := newRig(t, false, routes...)
	r.Seal()
	for name, tt := range cases {
		res, body := r.do(call{method: "GET", url: "http://a.test/" + name})
		want := tt.status
		if name == "unauth" {
			want = 303 // a page leads to the login instead
		}
		if res.StatusCode != want {
			t.Errorf("%s: page status %d, want %d", name, res.StatusCode, want)
		}
		res, js := r.do(call{method: "GET", url: "http://a.test/" + name, header: map[string]string{"X-Requested-With": "fetch"}})
		var p Problem
		if err := json.Unmarshal([]byte(js), &p); err != nil || res.StatusCode != tt.status || p.Status != tt.status || p.RequestID == "" {
			t.Errorf("%s: JSON %d %s %v", name, res.StatusCode, js, err)
		}
		if strings.Contains(body+js, "secret detail") {
			t.Errorf("%s: an internal detail reached the reader", name)
		}
		if name == "invalid" && p.Fields["org"] == "" {
			t.Errorf("field problems are missing: %s", js)
		}
	}
}

func TestPanicLeavesServerAlive(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, Route{Method: "GET", Path: "/boom", Handler: func(*fiber.Ctx) error { panic("boom") }}, Route{Method: "GET", Path: "/fine", Handler: say("fine")})
	if res, body := r.do(call{method: "GET", url: "http://a.test/boom"}); res.StatusCode != 500 || strings.Contains(body, "boom<") {
		t.Errorf("panic: %d", res.StatusCode)
	}
	if res, body := r.do(call{method: "GET", url: "http://a.test/fine"}); res.StatusCode != 200 || body != "fine" {
		t.Errorf("afterwards: %d %s", res.StatusCode, body)
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, Route{Method: "GET", Path: "/", Handler: say("portal")})
	if err := r.Mount([]Route{{Method: "GET", Path: "/", Handler: say("console")}}, Console); err != nil {
		t.Fatal(err)
	}
	r.Seal()
	tests := []struct {
		host   string
		status int
		body   string
	}{
		{"a.test", 200, "portal"}, {"A.Test:8080", 200, "portal"}, {"a.test.", 200, "portal"}, {"console.test", 200, "console"},
		{"test", 404, ""}, {"evil.test", 421, ""}, {"127.0.0.1", 421, ""}, {"a.test.evil.com", 421, ""}, {"xn--80ak6aa92e.com", 421, ""},
	}
	for _, tt := range tests {
		req := httptest.NewRequest("GET", "/", nil)
		req.Host = tt.host
		req.Header.Set("X-Forwarded-Host", "console.test") // nobody is trusted to say so
		res, err := r.App().Test(req, -1)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		if res.StatusCode != tt.status || (tt.body != "" && string(body) != tt.body) {
			t.Errorf("%s: %d %.40s, want %d %s", tt.host, res.StatusCode, body, tt.status, tt.body)
		}
	}
}

func TestNormalHost(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"BYD.localhost:8080": "byd.localhost", "byd.localhost.": "byd.localhost", "例子.测试": "xn--fsqu00a.xn--0zwm56d", "[::1]:80": "::1",
		"127.0.0.1:80": "127.0.0.1", "": "", "a b": "", "a/b": "", "a\x00b": "",
	} {
		if got := NormalHost(in); got != want {
			t.Errorf("NormalHost(%q) = %q, want %q", in, got, want)
		}
	}
}

// TestHeaders: what every response carries, whatever it is.
func TestHeaders(t *testing.T) {
	t.Parallel()
	r := newRig(t, true, Route{Method: "GET", Path: "/", Handler: show}, Route{Method: "GET", Path: "/key", Handler: show, Connect: AgentOrigins()})
	r.Seal()
	for _, u := range []string{"https://a.test/", "https://a.test/nowhere", "https://nobody.test/", "https://a.test/livez"} {
		res, _ := r.do(call{method: "GET", url: u})
		csp := res.Header.Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
			if !strings.Contains(csp, part) {
				t.Errorf("%s: CSP lacks %s: %s", u, part, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "127.0.0.1") {
			t.Errorf("%s: CSP is too wide: %s", u, csp)
		}
		for h, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cross-Origin-Opener-Policy": "same-origin", "Referrer-Policy": "same-origin", "Cache-Control": "no-store"} {
			if got := res.Header.Get(h); got != want {
				t.Errorf("%s: %s = %q", u, h, got)
			}
		}
		if res.Header.Get("Strict-Transport-Security") == "" || res.Header.Get("Permissions-Policy") == "" || len(res.Header.Get("X-Request-Id")) != 16 {
			t.Errorf("%s: headers %v", u, res.Header)
		}
	}
	res, _ := r.do(call{method: "GET", url: "https://a.test/key"})
	if !strings.Contains(res.Header.Get("Content-Security-Policy"), "ws://127.0.0.1:17631") {
		t.Error("the key page may not speak to the agent")
	}
	for _, c := range res.Header.Values("Set-Cookie") {
		if !strings.HasPrefix(c, "__Host-") || !strings.Contains(strings.ToLower(c), "; secure") || !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Lax") {
			t.Errorf("cookie %s", c)
		}
	}
}

var tokenField = regexp.MustCompile(`name="_csrf" value="([^"]+)"`)

// visit opens a page and gives back its token and the cookies it set.
func (r *rig) visit(u, cookie string) (token, cookies string) {
	r.t.Helper()
	res, body := r.do(call{method: "GET", url: u, cookie: cookie})
	m := tokenField.FindStringSubmatch(body)
	if m == nil {
		r.t.Fatalf("no token on %s: %d %s", u, res.StatusCode, body)
	}
	parts := []string{}
	if cookie != "" {
		parts = append(parts, cookie)
	}
	for _, c := range res.Cookies() {
		parts = append(parts, c.Name+"="+c.Value)
	}
	return m[1], strings.Join(parts, "; ")
}

// TestCrossSite covers ASVS 3.5.1: every unsafe request needs the token of its
// own session or visit, and must come from its own host.
func TestCrossSite(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, Route{Method: "GET", Path: "/", Handler: show}, Route{Method: "POST", Path: "/", Handler: say("done")},
		Route{Method: "POST", Path: "/notify", Handler: say("taken"), Machine: true})
	visitor, jar := r.visit("http://a.test/", "")
	other, _ := r.visit("http://a.test/", "")
	dealer, dealerJar := r.visit("http://a.test/", "session=dealer-a")
	form := func(token string) string { return url.Values{"_csrf": {token}}.Encode() }
	tests := []struct {
		name   string
		c      call
		status int
	}{
		{"visitor", call{cookie: jar, body: form(visitor)}, 200},
		{"in a header", call{cookie: jar, body: "x=1", header: map[string]string{"X-CSRF-Token": visitor}}, 200},
		{"dealer", call{cookie: dealerJar, body: form(dealer)}, 200},
		{"same origin said", call{cookie: jar, body: form(visitor), header: map[string]string{"Origin": "http://a.test", "Sec-Fetch-Site": "same-origin"}}, 200},
		{"no token", call{cookie: jar, body: "x=1"}, 403},
		{"another visitor's", call{cookie: jar, body: form(other)}, 403},
		{"a visitor's in a session (login CSRF)", call{cookie: "session=dealer-a; " + jar, body: form(visitor)}, 403},
		{"a session's for a visitor", call{cookie: jar, body: form(dealer)}, 403},
		{"no cookie", call{body: form(visitor)}, 403},
		{"other origin", call{cookie: jar, body: form(visitor), header: map[string]string{"Origin": "http://b.test"}}, 403},
		{"opaque origin", call{cookie: jar, body: form(visitor), header: map[string]string{"Origin": "null"}}, 403},
		{"cross-site", call{cookie: jar, body: form(visitor), header: map[string]string{"Sec-Fetch-Site": "cross-site"}}, 403},
		{"sibling subdomain", call{cookie: jar, body: form(visitor), header: map[string]string{"Sec-Fetch-Site": "same-site"}}, 403},
	}
	for _, tt := range tests {
		tt.c.method, tt.c.url = "POST", "http://a.test/"
		if res, _ := r.do(tt.c); res.StatusCode != tt.status {
			t.Errorf("%s: %d, want %d", tt.name, res.StatusCode, tt.status)
		}
	}
	if res, body := r.do(call{method: "POST", url: "http://a.test/notify", body: "x=1", header: map[string]string{"Origin": "http://gateway.test"}}); res.StatusCode != 200 {
		t.Errorf("a machine's message: %d %s", res.StatusCode, body)
	}
}

// TestAuthorisationByTable: the route table refuses before a handler runs, and
// a session counts only at its own host.
func TestAuthorisationByTable(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, Route{Method: "GET", Path: "/orders/:id/pay", Action: authz.OrderPay, Handler: say("order")})
	if err := r.Mount([]Route{{Method: "GET", Path: "/queue", Action: authz.QueueView, Handler: say("queue")}, {Method: "GET", Path: "/money", Action: authz.PaymentConfirm, Handler: say("money")}}, Console); err != nil {
		t.Fatal(err)
	}
	r.Seal()
	tests := []struct {
		url, session string
		status       int
	}{
		{"http://a.test/orders/1/pay", "dealer-a", 200}, {"http://a.test/orders/1/pay", "", 303}, {"http://a.test/orders/1/pay", "dealer-b", 303},
		{"http://a.test/orders/1/pay", "staff", 303}, {"http://a.test/orders/1/pay", "forged", 303}, {"http://console.test/queue", "staff", 200},
		{"http://console.test/money", "staff", 403}, {"http://console.test/queue", "dealer-a", 303}, {"http://a.test/queue", "staff", 404},
		{"http://console.test/orders/1/pay", "staff", 404},
	}
	for _, tt := range tests {
		cookie := ""
		if tt.session != "" {
			cookie = "session=" + tt.session
		}
		res, _ := r.do(call{method: "GET", url: tt.url, cookie: cookie})
		if res.StatusCode != tt.status {
			t.Errorf("%s as %q: %d, want %d", tt.url, tt.session, res.StatusCode, tt.status)
		}
		if tt.status == 303 && !strings.HasPrefix(res.Header.Get("Location"), "/login?next=%2F") {
			t.Errorf("%s leads to %s", tt.url, res.Header.Get("Location"))
		}
	}
	if err := r.Mount([]Route{{Method: "GET", Path: "/x", Action: "order.destroy", Handler: say("x")}}, Portal); err == nil {
		t.Error("an unknown action was mounted")
	}
	if n := len(r.Routes()); n != 3 {
		t.Errorf("the table has %d routes", n)
	}
}

func TestBodyLimits(t *testing.T) {
	t.Parallel()
	size := func(c *fiber.Ctx) error { return c.SendString("taken") }
	r := newRig(t, false, Route{Method: "POST", Path: "/small", Handler: size, Machine: true}, Route{Method: "POST", Path: "/orders/:id/file", Handler: size, Machine: true, Body: 1 << 20})
	r.Seal()
	for path, want := range map[string]int{"/small": DefaultBody, "/orders/7/file?x=1": 1 << 20, "/orders/7/file/": 1 << 20, "/orders/7/8/file": DefaultBody, "/nowhere": DefaultBody} {
		if got := r.bodyLimit("POST", path); got != want {
			t.Errorf("%s: limit %d, want %d", path, got, want)
		}
	}
	if got := r.bodyLimit("GET", "/orders/7/file"); got != DefaultBody {
		t.Errorf("another method has the limit %d", got)
	}
	tests := []struct {
		path   string
		bytes  int
		status int
	}{{"/small", DefaultBody, 200}, {"/small", DefaultBody + 1, 413}, {"/orders/7/file", 1 << 20, 200}, {"/orders/7/file", 1<<20 + 1, 413}}
	for _, tt := range tests {
		if got := overWire(t, r, tt.path, tt.bytes); got != tt.status {
			t.Errorf("%s with %d bytes: %d, want %d", tt.path, tt.bytes, got, tt.status)
		}
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(Messages) {
		t.Error(p)
	}
}
