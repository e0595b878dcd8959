package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/web/ui"
)

// overWire posts so many bytes through a real connection, chunked, because the
// limit is set before the body is read.
func overWire(t *testing.T, r *rig, path string, n int) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	app := fiber.New(fiber.Config{Immutable: true, BodyLimit: DefaultBody, ErrorHandler: r.handleError, DisableStartupMessage: true})
	app.Server().HeaderReceived = r.App().Server().HeaderReceived
	app.Use(func(c *fiber.Ctx) error { return c.SendString("taken") })
	go func() { defer close(done); _ = app.Listener(ln) }()
	defer func() { _ = app.ShutdownWithTimeout(time.Second); <-done }()
	body := struct{ *bytes.Reader }{bytes.NewReader(make([]byte, n))} // a type of its own: sent chunked
	req, err := http.NewRequestWithContext(t.Context(), "POST", "http://"+ln.Addr().String()+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "a.test"
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 413 // the server closed while we were still writing
	}
	defer res.Body.Close()
	return res.StatusCode
}

func TestRetryAndFlash(t *testing.T) {
	t.Parallel()
	r := newRig(t, false,
		Route{Method: "GET", Path: "/", Handler: show},
		Route{Method: "POST", Path: "/bad", Handler: func(c *fiber.Ctx) error {
			return Retry(c, fmt.Errorf("order: create: %w", fault.InvalidFields(fault.At("org", "web.e413_text"))), formPage)
		}},
		Route{Method: "POST", Path: "/worse", Handler: func(c *fiber.Ctx) error { return Retry(c, errors.New("broken"), formPage) }},
		Route{Method: "POST", Path: "/good", Handler: func(c *fiber.Ctx) error {
			Flash(c, ui.Good, "web.e404_text")
			return Redirect(c, "//evil.test/x")
		}})
	token, jar := r.visit("http://a.test/", "")
	form := url.Values{"_csrf": {token}}.Encode()
	res, body := r.do(call{method: "POST", url: "http://a.test/bad", cookie: jar, body: form})
	if res.StatusCode != 422 || !strings.Contains(body, "data-error-summary") || !strings.Contains(body, `href="#f-org"`) || !strings.Contains(body, "<title>错误：") {
		t.Errorf("retry: %d %s", res.StatusCode, body)
	}
	if res, _ := r.do(call{method: "POST", url: "http://a.test/worse", cookie: jar, body: form}); res.StatusCode != 500 {
		t.Errorf("an internal error: %d", res.StatusCode)
	}
	res, _ = r.do(call{method: "POST", url: "http://a.test/good", cookie: jar, body: form})
	if res.StatusCode != 303 || res.Header.Get("Location") != "/" {
		t.Fatalf("redirect: %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	var flash string
	for _, c := range res.Cookies() {
		if c.Name == "flash" {
			flash = c.Value
		}
	}
	if _, body = r.do(call{method: "GET", url: "http://a.test/", cookie: "flash=" + flash}); !strings.Contains(body, "没有找到您要的内容") {
		t.Error("the message did not arrive")
	}
	if _, body = r.do(call{method: "GET", url: "http://a.test/", cookie: "flash=x" + flash}); strings.Contains(body, "没有找到您要的内容") {
		t.Error("a forged message was shown")
	}
	res, _ = r.do(call{method: "POST", url: "http://a.test/good", cookie: jar, body: form, header: map[string]string{"X-Requested-With": "fetch"}})
	if res.StatusCode != 200 || res.Header.Get("X-Location") != "/" {
		t.Errorf("a script is told %d %q", res.StatusCode, res.Header.Get("X-Location"))
	}
}

func TestLocalPath(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"/orders?x=1": "/orders?x=1", "//evil": "/d", "https://evil": "/d", "/\\evil": "/d", "": "/d", "orders": "/d", "/a\r\nX: y": "/d", "javascript:alert(1)": "/d",
	} {
		if got := LocalPath(in, "/d"); got != want {
			t.Errorf("LocalPath(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, Route{Method: "GET", Path: "/", Handler: show})
	r.Seal()
	tests := []struct {
		name, query, accept, cookie, want string
	}{
		{"default", "", "", "", `lang="zh-CN"`}, {"asked", "?lang=en", "", "", `lang="en"`}, {"kept", "", "", "lang=en", `lang="en"`},
		{"browser", "", "en-GB", "", `lang="en"`}, {"asked beats browser", "?lang=zh-CN", "en", "lang=en", `lang="zh-CN"`}, {"not offered", "?lang=fr", "", "", `lang="zh-CN"`},
	}
	for _, tt := range tests {
		res, body := r.do(call{method: "GET", url: "http://a.test/" + tt.query, cookie: tt.cookie, header: map[string]string{"Accept-Language": tt.accept}})
		if !strings.Contains(body, tt.want) {
			t.Errorf("%s: %d %.80s", tt.name, res.StatusCode, body)
		}
		if set := strings.Contains(strings.Join(res.Header.Values("Set-Cookie"), ""), "lang="); set != (tt.query == "?lang=en" || tt.query == "?lang=zh-CN") {
			t.Errorf("%s: language cookie set = %v", tt.name, set)
		}
	}
	if _, body := r.do(call{method: "GET", url: "http://a.test/nowhere?lang=en"}); !strings.Contains(body, "Not found") {
		t.Error("the error page does not speak English")
	}
}

func TestStaticAndHealth(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, Route{Method: "GET", Path: "/", Handler: show})
	r.Seal()
	brand := r.cfg.Hosts.Console["console.test"].Brand
	tests := []struct {
		url, typ, cache string
		status          int
	}{
		{"http://a.test" + brand.Theme.URL(), "text/css", "immutable", 200}, {"http://a.test/theme/0123456789ab.css", "text/css", "no-store", 200},
		{"http://a.test" + brand.LogoURL(), "image/svg+xml", "immutable", 200}, {"http://a.test/brand/0123456789ab.svg", "text/html", "no-store", 404},
		{"http://a.test/favicon.svg", "image/svg+xml", "max-age", 200}, {"http://a.test/assets/../go.mod", "text/html", "no-store", 404},
		{"http://127.0.0.1/livez", "text/plain", "no-store", 200}, {"http://127.0.0.1/readyz", "application/json", "no-store", 200}, {"http://127.0.0.1/metrics", "text/plain", "no-store", 200},
	}
	for _, tt := range tests {
		res, _ := r.do(call{method: "GET", url: tt.url})
		if res.StatusCode != tt.status || !strings.HasPrefix(res.Header.Get("Content-Type"), tt.typ) || !strings.Contains(res.Header.Get("Cache-Control"), tt.cache) {
			t.Errorf("%s: %d %s %s", tt.url, res.StatusCode, res.Header.Get("Content-Type"), res.Header.Get("Cache-Control"))
		}
	}
	r.Metrics().Gauge("certsaas_outbox_waiting", "", func() map[string]float64 { return map[string]float64{"": 3} })
	r.Metrics().Gauge("certsaas_job_late", "job", func() map[string]float64 { return map[string]float64{"crl": 1, "refund": 0} })
	r.Metrics().Gauge("certsaas_unknown", "", func() map[string]float64 { return nil })
	for _, h := range []string{"X-Forwarded-For", "Forwarded"} {
		if res, _ := r.do(call{method: "GET", url: "http://a.test/metrics", header: map[string]string{h: "for=192.0.2.9"}}); res.StatusCode != 404 {
			t.Errorf("metrics through a proxy (%s): %d", h, res.StatusCode)
		}
	}
	_, text := r.do(call{method: "GET", url: "http://a.test/metrics"})
	for _, want := range []string{`certsaas_http_seconds_count{method="GET",route="/theme/:file",status="2xx"} 2`, "certsaas_outbox_waiting 3\n", "certsaas_job_late{job=\"crl\"} 1\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("metrics lack %s:\n%s", want, text)
		}
	}
	if strings.Contains(text, "certsaas_unknown") {
		t.Error("a gauge that says nothing is shown")
	}
	readyz(t, r)
}

// readyz is 200 while the program can serve: a late job is told, and no balancer turns away because of it (issue 4 §3).
func readyz(t *testing.T, r *rig) {
	t.Helper()
	ask := func(status int, want string) {
		t.Helper()
		if res, body := r.do(call{method: "GET", url: "http://a.test/readyz"}); res.StatusCode != status || body != want {
			t.Errorf("readyz: %d %s, want %d %s", res.StatusCode, body, status, want)
		}
	}
	r.cfg.Ready["database"] = func(context.Context) error { return nil }
	ask(200, `{"state":"ready","checks":{"database":"ok"}}`)
	worries, failure := []Worry{{Kind: JobLate, Name: "crl", Since: time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)}, {Kind: DeadLetters, Count: 2}}, error(nil)
	r.cfg.Worries = func(context.Context) ([]Worry, error) { return worries, failure }
	ask(200, `{"state":"degraded","checks":{"database":"ok"},"worries":[{"kind":"job_late","name":"crl","since":"2026-11-30T02:00:00Z"},{"kind":"dead_letters","count":2}]}`)
	worries, failure = nil, errors.New("password=secret")
	ask(200, `{"state":"degraded","checks":{"database":"ok","watch":"failing"}}`)
	r.cfg.Ready["database"] = func(context.Context) error { return errors.New("password=secret") }
	ask(503, `{"state":"failing","checks":{"database":"failing"}}`)
	r.drain.begin()
	ask(503, `{"state":"draining"}`)
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	r := newRig(t, false, Route{Method: "GET", Path: "/slow", Timeout: 20 * time.Millisecond, Handler: func(c *fiber.Ctx) error {
		select {
		case <-c.UserContext().Done():
			return c.UserContext().Err()
		case <-time.After(5 * time.Second):
			return c.SendString("late")
		}
	}})
	if res, _ := r.do(call{method: "GET", url: "http://a.test/slow"}); res.StatusCode != 503 {
		t.Errorf("a handler over its deadline: %d", res.StatusCode)
	}
}

func TestFormErrors(t *testing.T) {
	t.Parallel()
	p := i18n.Must(Messages).For("zh-CN")
	if got := FormErrors(errors.New("x"), p); got != nil {
		t.Errorf("internal: %v", got)
	}
	got := FormErrors(fault.New(fault.Conflict, "web.e409"), p)
	if len(got) != 1 || got[0].Name != "" || got[0].Text != "情况已有变化" {
		t.Errorf("conflict: %v", got)
	}
}
