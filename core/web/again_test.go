package web

import (
	"html"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
)

// A page for a database that is away says when to come again, and sends the same form once more at a press: nothing that was
// typed is lost. A password is not said back.
func TestUnavailableOffersTheSameAgain(t *testing.T) {
	t.Parallel()
	away := func(*fiber.Ctx) error { return fault.New(fault.Unavailable, "web.e503") }
	r := newRig(t, false, Route{Method: "GET", Path: "/away", Handler: away}, Route{Method: "POST", Path: "/away", Handler: away, Machine: true})
	res, page := r.do(call{method: "GET", url: "http://a.test/away?tab=1"})
	if res.StatusCode != 503 || res.Header.Get("Retry-After") != "5" || !strings.Contains(page, `href="/away?tab=1"`) {
		t.Errorf("GET: %d, Retry-After %q\n%s", res.StatusCode, res.Header.Get("Retry-After"), page)
	}
	res, page = r.do(call{method: "POST", url: "http://a.test/away?x=1", body: "name=%E7%8E%8B%22%3Cb%3E&many=1&many=2"})
	page = html.UnescapeString(page)
	for _, want := range []string{`action="/away?x=1"`, `name="name" value="王"<b>"`, `name="many" value="1"`, `name="many" value="2"`, "再试一次"} {
		if res.StatusCode != 503 || !strings.Contains(page, want) {
			t.Errorf("POST: %d, no %s in\n%s", res.StatusCode, want, page)
		}
	}
	multipart := "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\n王\r\n--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\n\r\nbytes\r\n--b--\r\n"
	_, page = r.do(call{method: "POST", url: "http://a.test/away", body: multipart, header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"}})
	if !strings.Contains(page, `name="name" value="王"`) || strings.Contains(page, "bytes") {
		t.Errorf("a form with a file:\n%s", page)
	}
	_, page = r.do(call{method: "GET", url: "http://a.test//elsewhere.test/away"})
	if strings.Contains(page, "elsewhere") {
		t.Errorf("the page leads to another host:\n%s", page)
	}
	_, page = r.do(call{method: "POST", url: "http://a.test/away", body: "mobile=13800138000&password=secret-word"})
	if strings.Contains(page, "secret-word") || strings.Contains(page, "再试一次") {
		t.Errorf("a password is said back:\n%s", page)
	}
}
