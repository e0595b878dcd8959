package console_test

import (
	"bytes"
	"context"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"certsaas/console"
	"certsaas/console/remindtext"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/platform"
	"certsaas/core/platform/platformtest"
	"certsaas/core/staff"
	"certsaas/core/web"
	"certsaas/scheduler"
)

const consoleHost = "console.localhost:8080"

// rig is a platform with its console, and the staff that were asked for.
type rig struct {
	*platformtest.World
	srv    *web.Server
	people map[string]staff.Enrolment // by log-in
}

// newRig opens a platform with its console.
func newRig(t *testing.T) *rig {
	t.Helper()
	w := platformtest.New(t, console.Messages, remindtext.Messages)
	r := &rig{World: w, people: map[string]staff.Enrolment{}}
	r.serve(t)
	return r
}

// cast are the persons of the tests: one of each role, two where two persons must act.
var cast = map[string]struct{ name, role string }{
	"reviewer": {"演示审核员", authz.RoleReviewer}, "reviewer2": {"演示审核员乙", authz.RoleReviewer}, "finance": {"演示财务", authz.RoleFinance},
	"finance2": {"演示财务乙", authz.RoleFinance}, "producer": {"演示制证员", authz.RoleProducer}, "onboarding": {"演示接入员", authz.RoleOnboarding},
	"admin": {"演示管理员", authz.RoleAdmin}, "auditor": {"演示审计员", authz.RoleAuditor},
}

// person is a member of the cast, added when first asked for.
func (r *rig) person(t *testing.T, login string) staff.Enrolment {
	t.Helper()
	if e, ok := r.people[login]; ok {
		return e
	}
	e, err := r.Staff.Add(authz.WithPrincipal(t.Context(), authz.System("test/staff")), staff.NewPerson{Login: login, Name: cast[login].name,
		Password: platform.DemoStaffPassword, Roles: []string{cast[login].role}, Secret: platform.DemoSecret(login)})
	if err != nil {
		t.Fatal(err)
	}
	r.people[login] = e
	return e
}

// serve mounts the console on a server of its own.
func (r *rig) serve(t *testing.T) {
	a := r.Platform
	srv, err := web.New(web.Config{Secret: bytes.Repeat([]byte{7}, 32), Hosts: a.Sites.Hosts(), Bundle: a.Bundle, Authorizer: a.Authz, Sessions: a.Sessions, Now: r.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	watch := scheduler.NewWatch(a, scheduler.Jobs(a))
	if err := console.Mount(srv, a, watch); err != nil {
		t.Fatal(err)
	}
	srv.Seal()
	r.srv = srv
}

// browser is one person's browser.
type browser struct {
	t       *testing.T
	r       *rig
	cookies map[string]string
	csrf    string
}

func (r *rig) browser(t *testing.T) *browser {
	return &browser{t: t, r: r, cookies: map[string]string{}}
}

// staff is a browser in which a person is logged in by both factors.
func (r *rig) login(t *testing.T, login string) *browser {
	t.Helper()
	r.person(t, login)
	b := r.browser(t)
	b.get("/login", 200)
	b.post("/login", url.Values{"login": {login}, "password": {platform.DemoStaffPassword}}, 303)
	r.Clock.Shift(31e9) // the code of a step is good once
	code, err := staff.TOTPNow(platform.DemoSecret(login), r.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	b.get("/login/code", 200)
	b.post("/login/code", url.Values{"code": {code}}, 303)
	return b
}

// page is an answer.
type page struct {
	*goquery.Document
	status   int
	location string
	body     string
	header   http.Header
}

func (b *browser) do(req *http.Request) page {
	b.t.Helper()
	req.Host = consoleHost
	for name, value := range b.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := b.r.srv.App().Test(req, -1)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 || c.Value == "" {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c.Value
	}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if token, ok := doc.Find("meta[name=csrf]").Attr("content"); ok {
		b.csrf = token
	}
	return page{Document: doc, status: res.StatusCode, location: res.Header.Get("Location"), body: string(body), header: res.Header}
}

func (b *browser) get(path string, want int) page {
	b.t.Helper()
	p := b.do(httptest.NewRequest(http.MethodGet, path, nil))
	return b.expect("GET "+path, p, want)
}

func (b *browser) post(path string, form url.Values, want int) page {
	b.t.Helper()
	if form == nil {
		form = url.Values{}
	}
	form.Set("_csrf", b.csrf)
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.expect("POST "+path, b.do(req), want)
}

// json posts as our scripts do.
func (b *browser) json(path, body string, want int) page {
	b.t.Helper()
	req := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-CSRF-Token", b.csrf)
	req.Header.Set("X-Requested-With", "fetch")
	return b.expect("POST "+path, b.do(req), want)
}

func (b *browser) upload(path string, form map[string]string, file []byte, want int) page {
	b.t.Helper()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	form["_csrf"] = b.csrf
	for k, v := range form {
		_ = w.WriteField(k, v)
	}
	if file != nil {
		f, _ := w.CreateFormFile("file", "invoice.pdf")
		_, _ = f.Write(file)
	}
	_ = w.Close()
	req := httptest.NewRequest(http.MethodPost, path, &body)
	req.Header.Set("Content-Type", w.FormDataContentType())
	return b.expect("POST "+path, b.do(req), want)
}

func (b *browser) expect(what string, p page, want int) page {
	b.t.Helper()
	if p.status != want {
		text := strings.Join(strings.Fields(p.Find("main, .error-page, body").First().Text()), " ")
		b.t.Fatalf("%s: %d (→ %s), want %d: %.600s", what, p.status, p.location, want, text)
	}
	return p
}

// text is the text of what a selector finds, blanks folded.
func (p page) text(selector string) string {
	return strings.Join(strings.Fields(p.Find(selector).Text()), " ")
}

// audited counts the trail's entries of an action about an order.
func (r *rig) audited(t *testing.T, action string, id uuid.UUID) int {
	t.Helper()
	var n int
	err := r.DB.WithSystem(r.As(authz.System("test/audit")), "test/audit", func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM audit_entries WHERE action = $1 AND resource = $2`, action, "order/"+id.String()).Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// checks are the checklist of a desk, all ticked.
func checks(p page) url.Values {
	v := url.Values{"version": {p.Find("#verdict input[name=version]").AttrOr("value", "")}}
	p.Find("input[name=check]").Each(func(_ int, s *goquery.Selection) { v.Add("check", s.AttrOr("value", "")) })
	return v
}

func must(t *testing.T, ok bool, format string, args ...any) {
	t.Helper()
	if !ok {
		t.Errorf(format, args...)
	}
}

// request is a bare request with a form.
func request(method, path, form string) *http.Request {
	req := httptest.NewRequest(method, path, strings.NewReader(form))
	if form != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req
}
