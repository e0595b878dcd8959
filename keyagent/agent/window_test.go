package agent

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"certsaas/core/token"
)

var nonceField = regexp.MustCompile(`name="nonce" value="([0-9a-f]{32})"`)

type form struct {
	t      *testing.T
	url    string
	origin string
}

func (f form) get() string {
	f.t.Helper()
	res := must(http.Get(f.url))(f.t)
	defer res.Body.Close()
	if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || !strings.Contains(csp, "default-src 'none'") || res.Header.Get("Access-Control-Allow-Origin") != "" {
		f.t.Fatalf("headers %v", res.Header)
	}
	return string(must(io.ReadAll(res.Body))(f.t))
}

func (f form) post(fields url.Values) (int, string) {
	f.t.Helper()
	req := must(http.NewRequest("POST", f.url, strings.NewReader(fields.Encode())))(f.t)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if f.origin != "" {
		req.Header.Set("Origin", f.origin)
	}
	res := must(http.DefaultClient.Do(req))(f.t)
	defer res.Body.Close()
	return res.StatusCode, string(must(io.ReadAll(res.Body))(f.t))
}

func nonceOf(t *testing.T, page string) string {
	t.Helper()
	m := nonceField.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no form:\n%s", page)
	}
	return m[1]
}

// The PIN goes from the agent's own page to the agent, and from nowhere else.
// req: B57
func TestPINWindow(t *testing.T) {
	w := newWorld(t, token.P256)
	w.serve(t, nil)
	p := w.dial(t, w.ticket(t, w.claims()))
	ok[selected](p, "select", none{})
	login := p.start("login", none{})
	e := <-p.events
	if e.Event != "pin_prompt" || !strings.HasPrefix(e.URL, "http://127.0.0.1:") || e.Opened {
		t.Fatalf("%+v", e)
	}
	f := form{t, e.URL, strings.SplitN(e.URL, "/pin/", 2)[0]}
	page := f.get()
	for _, want := range []string{origin, "示例公司", "更新证书", "演示KEY", "<strong>6</strong>", `type="password"`} {
		if !strings.Contains(page, want) {
			t.Fatalf("page lacks %q:\n%s", want, page)
		}
	}
	nonce := nonceOf(t, page)
	for _, foreign := range []string{"", origin, "null", "http://127.0.0.1:1"} {
		if status, _ := (form{t, e.URL, foreign}).post(url.Values{"nonce": {nonce}, "pin": {"000000"}}); status != http.StatusForbidden {
			t.Fatalf("origin %q: status %d", foreign, status)
		}
	}
	if _, page = f.post(url.Values{"nonce": {strings.Repeat("0", 32)}, "pin": {"000000"}}); !strings.Contains(page, "<strong>6</strong>") {
		t.Fatal("a forged nonce was tried")
	}
	_, page = f.post(url.Values{"nonce": {nonceOf(t, page)}, "pin": {""}, "do": {"ok"}})
	if !strings.Contains(page, "口令为空") {
		t.Fatalf("empty PIN:\n%s", page)
	}
	spent := nonceOf(t, page)
	_, page = f.post(url.Values{"nonce": {spent}, "pin": {"000000"}, "do": {"ok"}})
	if !strings.Contains(page, "口令错误") || !strings.Contains(page, "<strong>5</strong>") {
		t.Fatalf("after a wrong PIN:\n%s", page)
	}
	if _, page = f.post(url.Values{"nonce": {spent}, "pin": {"000000"}}); !strings.Contains(page, "<strong>5</strong>") {
		t.Fatal("a form sent twice was tried twice")
	}
	if e := <-p.events; e.Event != "pin_wrong" || *e.RetryLeft != 5 {
		t.Fatalf("%+v", e)
	}
	_, page = f.post(url.Values{"nonce": {nonceOf(t, page)}, "pin": {pin}, "do": {"ok"}})
	if !strings.Contains(page, "口令正确") {
		t.Fatalf("after the right PIN:\n%s", page)
	}
	if r := p.await(login); !r.OK {
		t.Fatalf("%+v", r.Error)
	}
	ok[csrResult](p, "csr", none{"alg": "p256", "new_container": true})
}

// The last try needs its own consent; cancel ends the operation.
func TestPINWindowLastTry(t *testing.T) {
	w := newWorld(t, token.P256)
	w.serve(t, nil)
	p := w.dial(t, w.ticket(t, w.claims()))
	ok[selected](p, "select", none{})
	login := p.start("login", none{})
	e := <-p.events
	f := form{t, e.URL, strings.SplitN(e.URL, "/pin/", 2)[0]}
	page := f.get()
	for range 5 {
		if strings.Contains(page, "最后一次机会") {
			t.Fatal("consent asked too early")
		}
		_, page = f.post(url.Values{"nonce": {nonceOf(t, page)}, "pin": {"000000"}})
	}
	if !strings.Contains(page, "最后一次机会") {
		t.Fatalf("no consent asked:\n%s", page)
	}
	_, page = f.post(url.Values{"nonce": {nonceOf(t, page)}, "pin": {"000000"}})
	if !strings.Contains(page, "请先勾选") {
		t.Fatalf("unconfirmed:\n%s", page)
	}
	_, page = f.post(url.Values{"nonce": {nonceOf(t, page)}, "do": {"cancel"}})
	if !strings.Contains(page, "未完成") {
		t.Fatalf("cancelled:\n%s", page)
	}
	if r := p.await(login); r.OK || r.Error.Code != token.CodeCancelled || *r.Error.RetryLeft != 1 {
		t.Fatalf("%+v", r)
	}
}
