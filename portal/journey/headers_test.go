package journey

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"certsaas/core/web"
)

// directives reads a content security policy (CSP Level 3 §2.2).
func directives(policy string) map[string]string {
	out := map[string]string{}
	for d := range strings.SplitSeq(policy, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(d), " ")
		out[name] = value
	}
	return out
}

// secure names what an answer's headers lack.
func secure(h http.Header, r web.MountedRoute, https bool) []string {
	var lacks []string
	need := func(what string, ok bool) {
		if !ok {
			lacks = append(lacks, what)
		}
	}
	raw := h.Values("Content-Security-Policy")
	need("one Content-Security-Policy", len(raw) == 1)
	policy := directives(strings.Join(raw, ";"))
	want := map[string]string{"default-src": "'none'", "script-src": "'self'", "style-src": "'self'", "img-src": "'self' data: blob:", "font-src": "'self'", "form-action": "'self'",
		"frame-ancestors": "'none'", "base-uri": "'none'", "connect-src": strings.Join(append([]string{"'self'"}, r.Connect...), " ")}
	switch kind := h.Get("Content-Type"); {
	case kind == "image/svg+xml": // opened alone it may style itself, and is nobody's page
		want = map[string]string{"default-src": "'none'", "style-src": "'unsafe-inline'", "sandbox": "", "frame-ancestors": "'none'"}
	case kind == "application/pdf": // the browser's viewer styles itself
		want = map[string]string{"default-src": "'none'", "style-src": "'unsafe-inline'", "frame-ancestors": "'none'"}
	}
	if diff := cmp.Diff(want, policy); diff != "" {
		lacks = append(lacks, "its policy: "+diff)
	}
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin"} {
		need(name+": "+want, h.Get(name) == want)
	}
	need("Permissions-Policy", strings.Contains(h.Get("Permissions-Policy"), "usb=()"))
	need("X-Request-Id", h.Get("X-Request-Id") != "")
	need("no Server", h.Get("Server") == "")
	need("a type with its charset", !strings.HasPrefix(h.Get("Content-Type"), "text/") || strings.Contains(h.Get("Content-Type"), "charset=utf-8"))
	need("HSTS exactly with https", strings.Contains(h.Get("Strict-Transport-Security"), "max-age=63072000") == https)
	return lacks
}

// cached are the answers that may be kept: the same for everybody, or a picture that its owner's browser alone keeps.
var cached = map[string]string{"/crl/:name": "public, max-age=300", "/keyagent/client.js": "public, max-age=3600", "/scripts/:hash/:name": "public, max-age=31536000, immutable",
	"/samples/:name": "max-age=86400"}

// cookies names what the cookies of an answer lack.
func cookies(res *http.Response, https bool) []string {
	var lacks []string
	for _, c := range res.Cookies() {
		if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode && c.SameSite != http.SameSiteStrictMode || c.Path != "/" || c.Domain != "" || c.Secure != https || strings.HasPrefix(c.Name, "__Host-") != https {
			lacks = append(lacks, "a careful cookie: "+c.Raw)
		}
	}
	return lacks
}

// TestHeadersOfEveryRoute opens every page of the table as each kind of caller, over http and over https: the policy
// without unsafe-*, no frame around it, no sniffing, no copy kept of what is personal, and cookies that scripts, other sites and
// subdomains cannot reach (OWASP ASVS 5.0 §3.3, §3.4).
func TestHeadersOfEveryRoute(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	for _, https := range []bool{false, true} {
		t.Run(map[bool]string{false: "http", true: "https"}[https], func(t *testing.T) {
			srv, session := m.srv, "session"
			if https {
				srv, session = m.mount(t, true), "__Host-session"
			}
			pages, set, keeps := 0, map[string]bool{}, map[string]bool{}
			for _, r := range srv.Routes() {
				if r.Method != "GET" {
					continue
				}
				for _, who := range m.callers {
					host := map[web.Side]string{web.Portal: "byd.localhost:8080", web.Console: "console.localhost:8080", web.Platform: "localhost:8080"}[r.Side]
					path := fill(r.Path, map[string]string{"id": m.order.ID.String(), "step": "form", "field": "licence_image", "tenant": "byd", "slug": "byd", "name": "sample-licence.svg", "desk": "review", "number": "1"}, uuid.Nil.String())
					req := httptest.NewRequest("GET", path, nil)
					req.Host = host
					if who.session != "" {
						req.AddCookie(&http.Cookie{Name: session, Value: who.session})
					}
					res, err := srv.App().Test(req, -1)
					if err != nil {
						t.Fatal(err)
					}
					res.Body.Close()
					if res.StatusCode == http.StatusOK {
						pages++
					}
					lacks := append(secure(res.Header, r, https), cookies(res, https)...)
					if kept := res.Header.Get("Cache-Control"); kept != "no-store" && (res.StatusCode != http.StatusOK || kept != cached[r.Path]) {
						lacks = append(lacks, "Cache-Control: no-store, not "+kept)
					} else if kept != "no-store" {
						keeps[r.Path] = true
					}
					for _, c := range res.Cookies() {
						set[strings.TrimPrefix(c.Name, "__Host-")] = true
					}
					if len(lacks) > 0 {
						t.Errorf("%s %s as %s (%d) lacks %s", r.Side, path, who.name, res.StatusCode, strings.Join(lacks, ", "))
					}
				}
			}
			if pages < 150 || !set["visit"] || len(keeps) < 2 {
				t.Errorf("only %d pages opened, cookies %v, cached %v: the table is not what it was", pages, set, keeps)
			}
		})
	}
}
