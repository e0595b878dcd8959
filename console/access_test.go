package console_test

import (
	"net/url"
	"strings"
	"testing"

	"certsaas/core/authz"
	"certsaas/core/i18n"
	"certsaas/core/platform"
	"certsaas/core/staff"

	"certsaas/console"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(console.Messages) {
		t.Error(p)
	}
}

// filled is a route's path with something in place of its parameters.
func filled(path string) string {
	return strings.NewReplacer(":tenant", "byd", ":slug", "byd", ":desk", "review", ":number", "1", ":hash", "0", ":name", "desk.js",
		":id", "00000000-0000-7000-8000-000000000001", ":item", "00000000-0000-7000-8000-000000000001", ":person", "00000000-0000-7000-8000-000000000001",
		":field", "mobile", ":act", "roles").Replace(path)
}

// Every route but the log-in's own wants both factors: nobody, and who gave the password alone, is led to the log-in.
func TestBothFactors(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	public := map[string]bool{"/login": true, "/login/code": true, "/logout": true, "/scripts/:hash/:name": true}
	r.person(t, "admin")
	nobody, half := r.browser(t), r.browser(t)
	half.get("/login", 200)
	half.post("/login", url.Values{"login": {"admin"}, "password": {platform.DemoStaffPassword}}, 303)
	token := half.cookies["half"]
	must(t, token != "", "no half session")
	for name := range half.cookies { // the half session posing as a whole one
		if strings.Contains(name, "session") {
			t.Errorf("the first factor alone set %s", name)
		}
	}
	half.cookies["session"] = token
	seen := 0
	for _, m := range r.srv.Routes() {
		if public[m.Path] {
			continue
		}
		seen++
		for name, b := range map[string]*browser{"nobody": nobody, "half": half} {
			path := filled(m.Path)
			if m.Method == "GET" {
				p := b.get(path, 303)
				must(t, strings.HasPrefix(p.location, "/login?next="), "%s: %s %s leads to %s", name, m.Method, path, p.location)
				continue
			}
			b.post(path, nil, 401)
		}
	}
	must(t, seen > 40, "only %d routes", seen)
}

// Wrong password, wrong code, a code used twice.
func TestLogin(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.person(t, "admin")
	b := r.browser(t)
	p := b.get("/login?next=/orders", 200)
	must(t, strings.Contains(p.text(".notice"), "演示环境") && strings.Contains(p.text(".notice"), "reviewer"), "the demonstration's log-ins are not shown")
	wrong := b.post("/login", url.Values{"login": {"admin"}, "password": {"not-the-password"}}, 401)
	must(t, strings.Contains(wrong.body, "登录名或密码不正确"), "wrong password: %s", wrong.text("main"))
	sent := b.post("/login", url.Values{"login": {"admin"}, "password": {platform.DemoStaffPassword}, "next": {"/orders"}}, 303)
	code := b.get(sent.location, 200)
	now, err := staff.TOTPNow(platform.DemoSecret("admin"), r.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	must(t, code.text("[data-demo-code]") == now, "code shown %q, want %q", code.text("[data-demo-code]"), now)
	bad := "000000"
	if now == bad {
		bad = "111111"
	}
	b.post("/login/code", url.Values{"code": {bad}}, 422)
	in := b.post("/login/code", url.Values{"code": {now}, "next": {"/orders"}}, 303)
	must(t, in.location == "/orders", "led to %s", in.location)
	b.get("/orders", 200)
	b.post("/logout", nil, 303)
	b.get("/orders", 303)

	again := r.browser(t)
	again.get("/login", 200)
	again.post("/login", url.Values{"login": {"admin"}, "password": {platform.DemoStaffPassword}}, 303)
	again.get("/login/code", 200)
	again.post("/login/code", url.Values{"code": {now}}, 422)
	b.get("/login?next=https://evil.example/", 200)
}

// Each role reaches the routes of its actions and no others, and its rail shows only its own work.
func TestRoles(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	work := map[string][]string{
		"reviewer": {"/queue/review"}, "finance": {"/vouchers", "/invoices", "/refunds"}, "producer": {"/queue/awaiting_key", "/queue/production", "/queue/shipping", "/papers"},
		"onboarding": nil, "admin": nil, "auditor": nil,
	}
	for login, own := range work {
		b := r.login(t, login)
		p := authz.Principal{Kind: authz.Staff, ID: r.person(t, login).ID, Roles: []string{login}}
		ctx := r.As(p)
		home := b.get("/", 200)
		for _, href := range []string{"/vouchers", "/queue/review", "/queue/awaiting_key", "/queue/production", "/queue/shipping", "/papers", "/invoices", "/refunds"} {
			mine := false
			for _, o := range own {
				mine = mine || o == href
			}
			must(t, (home.Find(`.rail a[href="`+href+`"]`).Length() == 1) == mine, "%s: rail shows %s: %v", login, href, !mine)
			want := 403
			if mine {
				want = 200
			}
			b.get(href, want)
		}
		for _, m := range r.srv.Routes() {
			if m.Action == "" || m.Path == "/queue/:desk" || m.Path == "/queue/:desk/export" {
				continue
			}
			allowed := r.Authz.CheckRoute(ctx, m.Action, [16]byte{}) == nil
			var got page
			if m.Method == "GET" {
				got = b.do(request(m.Method, filled(m.Path), ""))
			} else {
				got = b.do(request(m.Method, filled(m.Path), "_csrf="+url.QueryEscape(b.csrf)))
			}
			must(t, (got.status == 403) == !allowed, "%s: %s %s: %d, allowed %v", login, m.Method, m.Path, got.status, allowed)
			must(t, got.status < 500, "%s: %s %s: %d", login, m.Method, m.Path, got.status)
		}
	}
}
