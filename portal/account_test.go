package portal_test

import (
	"net/url"
	"strings"
	"testing"
)

// Register by mobile, code and password with consent; then 立即登录; then mobile and password.
// req: B13 B14 B15
func TestRegisterThenLogIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.byd()
	p := b.open("/register?next=%2Fs%2Fbyd-gqgx")
	p.has("main", "真实有效的手机号")
	if p.Find(`input[autocomplete="one-time-code"]`).Length() != 1 || p.Find(`a[href="/agreements/privacy"]`).Length() != 1 {
		t.Error("code field or agreement is missing")
	}
	b.open("/agreements/service").has("main", "申请人保证所填信息")
	bad := b.submit(p, "main form", "send", map[string]string{"mobile": "12345"})
	if bad.Status != 422 || bad.errors()["mobile"] == "" {
		t.Errorf("bad mobile: %d %v", bad.Status, bad.errors())
	}
	typed := map[string]string{"mobile": "13800138000", "password": "correct horse 7"}
	p = b.submit(p, "main form", "send", typed)
	p.has(".notice", "验证码已发送")
	equal(t, "mobile kept", "13800138000", p.value("mobile"))
	typed["code"] = w.code("13800138000")
	bad = b.submit(p, "main form", "", typed)
	if bad.Status != 422 || !strings.Contains(bad.errors()["agree"], "协议") {
		t.Errorf("without consent: %d %v", bad.Status, bad.errors())
	}
	typed["agree"] = "yes"
	p = b.submit(p, "main form", "", typed)
	p.has("h1", "注册成功")
	login := p.Find(`main a:contains("立即登录")`).AttrOr("href", "")
	p = b.open(login)
	bad = b.submit(p, "main form", "", map[string]string{"mobile": "13800138000", "password": "wrong horse 7"})
	if bad.Status != 422 || !strings.Contains(bad.errors()["password"], "不正确") {
		t.Errorf("wrong password: %d %v", bad.Status, bad.errors())
	}
	p = b.submit(p, "main form", "", map[string]string{"mobile": "138 0013 8000", "password": "correct horse 7"})
	if p.Status != 303 || p.Header.Get("Location") != "/s/byd-gqgx" {
		t.Fatalf("login: %d → %s %v", p.Status, p.Header.Get("Location"), p.errors())
	}
	b.open("/").has(".account", "138****8000")
	out := b.submit(b.open("/"), `form[action="/logout"]`, "", nil)
	equal(t, "logout", 303, out.Status)
	b.open("/").has(".account", "登录")
}

// King Long knows no passwords: mobile and code; unknown numbers get the same first answer.
// req: K42
func TestLogInByCode(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.kinglong()
	p := b.open("/login")
	if p.Find(`input[type="password"]`).Length() != 0 {
		t.Error("a password is asked for")
	}
	sent := b.script(p, "/code", url.Values{"purpose": {"login"}, "mobile": {"13900139000"}})
	if sent.Status != 200 || !strings.Contains(string(sent.Body), "seconds") {
		t.Fatalf("code: %d %s", sent.Status, sent.Body)
	}
	p = b.submit(p, "main form", "", map[string]string{"mobile": "13900139000", "code": w.code("13900139000")})
	if p.Status != 422 || !strings.Contains(p.errors()["mobile"], "尚未注册") {
		t.Errorf("unknown number: %d %v", p.Status, p.errors())
	}
	equal(t, "registration", 303, b.get("/register").Status)
}

// A forgotten password is set anew by a code; a login leads to paths of this host only.
func TestForgottenPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.registered("byd.localhost:8080", "13800138000")
	w.Clock.Shift(2 * 60e9)
	b := w.byd()
	p := b.submit(b.open("/password"), "main form", "send", map[string]string{"mobile": "13800138000"})
	p = b.submit(p, "main form", "", map[string]string{"mobile": "13800138000", "code": w.code("13800138000"), "password": "another horse 8"})
	p = b.follow(p)
	p.has(".notice", "新密码已设置")
	evil := b.open("/login?next=" + url.QueryEscape("//evil.example/"))
	p = b.submit(evil, "main form", "", map[string]string{"mobile": "13800138000", "password": "another horse 8"})
	equal(t, "leads to", "/orders", p.Header.Get("Location"))
}
