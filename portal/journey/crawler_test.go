package journey

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/google/uuid"

	"certsaas/core/web"
)

const (
	crawls    = 12000            // requests of one run
	crawlTime = 20 * time.Second // a slow machine stops here
	crawlSeed = 20260302
)

// hostile is what no form hopes for.
var hostile = []string{
	"", " ", "\x00", "a\x00b", strings.Repeat("名", 300), strings.Repeat("a", 3000), "\u202e演示\u202c\u200f", "😀👩‍👩‍👧‍👦", "\xff\xfe\xc3", "'; DROP TABLE orders;--", "%' OR '1'='1",
	"{{.}}${7*7}<%= 1 %>", `"><script>crawled()</script>`, "a\r\nSet-Cookie: crawled=1", "-1", "0", "1e309", "NaN", "99999999999999999999999999", "9223372036854775807", "-9223372036854775808", "2147483648",
	"0x10", "１２", "2026-02-30", "9999-12-31", "0000-00-00", "10000-01-01", "13800138000", "not-an-id", "00000000-0000-0000-0000-000000000000",
	"ffffffff-ffff-ffff-ffff-ffffffffffff", "../../etc/passwd", "//evil.example/", "https://evil.example", "[]", "{}", "null", "true", "yes", "next", "refresh", "upload", "send", "approve", "reject", "form", "realname", "byd",
}

// listen has the table answer at an address, and gives a client that finds every host there: what is cut off or malformed
// is refused before any handler, by the server itself.
func (m *matrix) listen(t *testing.T) *http.Client {
	t.Helper()
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = m.srv.App().Listener(at) }() // ends with Shutdown
	transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, at.Addr().String())
	}}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		if err := m.srv.App().Shutdown(); err != nil {
			t.Error(err)
		}
	})
	return &http.Client{Transport: transport, Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// crawler is one person who sends rubbish.
type crawler struct {
	m       *matrix
	client  *http.Client
	who     caller
	host    string
	side    web.Side
	cookies map[string]string
	token   string
	ids     map[string]string
}

// send asks for one thing and keeps the cookies that come back.
func (k *crawler) send(t *testing.T, method, target, kind string, body []byte) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+k.host+target, bytes.NewReader(body))
	if err != nil {
		t.Fatalf("%s %.200q: %v", method, target, err)
	}
	if kind != "" {
		req.Header.Set("Content-Type", kind)
	}
	if k.token != "" {
		req.Header.Set("X-CSRF-Token", k.token)
	}
	for name, value := range k.cookies {
		req.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := k.client.Do(req)
	if err != nil {
		t.Fatalf("%s %.200q %s %.200q: %v", method, target, kind, body, err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, raw}
}

var token = regexp.MustCompile(`name="csrf" content="([^"]+)"`)

// newCrawler opens a page for its token, and a visitor's draft if products allow one.
func newCrawler(t *testing.T, m *matrix, client *http.Client, who caller, side web.Side, host string) *crawler {
	t.Helper()
	k := &crawler{m: m, client: client, who: who, host: host, side: side, cookies: map[string]string{}, ids: map[string]string{"tenant": "byd", "slug": "byd", "id": m.order.ID.String()}}
	if who.session != "" {
		k.cookies["session"] = who.session
	}
	page := k.send(t, "GET", "/login", "", nil)
	for _, c := range (&http.Response{Header: page.header}).Cookies() {
		k.cookies[c.Name] = c.Value
	}
	if found := token.FindSubmatch(page.body); found != nil {
		k.token = string(found[1])
	}
	if host == "kinglong.localhost:8080" {
		a := k.send(t, "POST", "/orders", "application/x-www-form-urlencoded", []byte("product="+m.Tenant("kinglong").Products()[0].Code))
		for _, c := range (&http.Response{Header: a.header}).Cookies() {
			k.cookies[c.Name] = c.Value
		}
		parts := strings.Split(a.header.Get("Location"), "/")
		if len(parts) < 3 || parts[1] != "orders" {
			t.Fatalf("%s has no draft: %d %s", who.name, a.status, a.header.Get("Location"))
		}
		k.ids["id"] = parts[2]
	}
	return k
}

// TestCrawler sends generated requests over all mounted routes as everybody, with valid tokens: names of fields are those
// of the pages themselves, values are hostile or what the pages offer. No answer is a fault of the program, none takes
// long, none gives back what was sent as markup or as a head line. The seed is fixed: a failure repeats.
func TestCrawler(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	client := m.listen(t)
	var crawlers []*crawler
	for _, c := range m.callers {
		switch {
		case c.name == "nobody":
			crawlers = append(crawlers, newCrawler(t, m, client, c, web.Portal, "byd.localhost:8080"), newCrawler(t, m, client, c, web.Portal, "kinglong.localhost:8080"),
				newCrawler(t, m, client, c, web.Platform, "localhost:8080"), newCrawler(t, m, client, c, web.Console, "console.localhost:8080"))
		case c.name == "stranger":
			crawlers = append(crawlers, newCrawler(t, m, client, c, web.Portal, "kinglong.localhost:8080"))
		case c.principal.Tenant != uuid.Nil:
			crawlers = append(crawlers, newCrawler(t, m, client, c, web.Portal, "byd.localhost:8080"))
		default:
			crawlers = append(crawlers, newCrawler(t, m, client, c, web.Console, "console.localhost:8080"))
		}
	}
	g := &garbage{Rand: rand.New(rand.NewPCG(crawlSeed, 1)), names: []string{"page", "lang", "next", "from", "until"}, offered: map[string][]string{}, byPath: map[string][]string{}}
	for _, k := range crawlers {
		g.learn(t, k)
	}
	if len(g.names) < 50 {
		t.Fatalf("the pages show only %d fields: %v", len(g.names), g.names)
	}
	began, sent, statuses := time.Now(), 0, map[int]int{}
	for ; sent < crawls && time.Since(began) < crawlTime; sent++ {
		k := crawlers[g.IntN(len(crawlers))]
		statuses[g.crawl(t, k)]++
	}
	t.Logf("%d requests in %v: %v", sent, time.Since(began).Round(time.Millisecond), statuses)
	if sent < 1000 || statuses[http.StatusForbidden] > sent/2 || statuses[http.StatusUnprocessableEntity] < sent/100 {
		t.Errorf("%d requests, %v: the crawl does not reach the pages", sent, statuses)
	}
}

// garbage makes requests.
type garbage struct {
	*rand.Rand
	names   []string            // of fields, as pages show them
	byPath  map[string][]string // those of one page
	offered map[string][]string // what pages offer for a field
}

// pick is one of several.
func pick[T any](g *garbage, of []T) T { return of[g.IntN(len(of))] }

// routes are those of a crawler's side.
func (k *crawler) routes() []web.MountedRoute {
	var out []web.MountedRoute
	for _, r := range k.m.srv.Routes() {
		if r.Side == k.side && r.Path != "/logout" {
			out = append(out, r)
		}
	}
	return out
}

// learn reads the names and choices of every form a crawler can open.
func (g *garbage) learn(t *testing.T, k *crawler) {
	t.Helper()
	for _, r := range k.routes() {
		if r.Method != "GET" {
			continue
		}
		for _, step := range []string{"form", "realname"} {
			ids := map[string]string{"step": step, "desk": "review"}
			for name, id := range k.ids {
				ids[name] = id
			}
			page := k.send(t, "GET", fill(r.Path, ids, "x"), "", nil)
			k.sane(t, "GET "+r.Path, page, 0)
			doc, err := goquery.NewDocumentFromReader(bytes.NewReader(page.body))
			if err != nil {
				t.Fatal(err)
			}
			doc.Find("[name]").Each(func(_ int, e *goquery.Selection) {
				name := e.AttrOr("name", "")
				if goquery.NodeName(e) == "meta" || name == "_csrf" {
					return
				}
				if !slices.Contains(g.byPath[r.Path], name) {
					g.byPath[r.Path] = append(g.byPath[r.Path], name)
				}
				if !slices.Contains(g.names, name) {
					g.names = append(g.names, name)
				}
				values := e.Find("option").Map(func(_ int, o *goquery.Selection) string { return o.AttrOr("value", "") })
				for _, v := range append(values, e.AttrOr("value", "")) {
					if len(g.offered[name]) < 12 && !slices.Contains(g.offered[name], v) {
						g.offered[name] = append(g.offered[name], v)
					}
				}
			})
			if !strings.Contains(r.Path, ":step") {
				break
			}
		}
	}
}

// value is what a field is given.
func (g *garbage) value(name string) string {
	if own := g.offered[name]; len(own) > 0 && g.IntN(3) > 0 {
		return pick(g, own)
	}
	return pick(g, hostile)
}

// crawl sends one request and looks at its answer.
func (g *garbage) crawl(t *testing.T, k *crawler) int {
	t.Helper()
	r := pick(g, k.routes())
	for range 3 { // mostly what he may do: a refusal shows little
		if k.m.allowed(k.who, r) {
			break
		}
		r = pick(g, k.routes())
	}
	target := g.path(k, r)
	for len(target) > 6000 { // longer heads are refused before any handler
		target = g.path(k, r)
	}
	method, kind, body := r.Method, "", []byte(nil)
	if method == "POST" {
		kind, body = g.body(r)
	}
	if g.IntN(4) == 0 {
		if query := g.fields(r.Path).Encode(); len(query) < 4000 && len(target) < 3000 {
			target += "?" + query
		}
	}
	if g.IntN(50) == 0 {
		method = pick(g, []string{"PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"})
	}
	began := time.Now()
	a := k.send(t, method, target, kind, body)
	k.sane(t, fmt.Sprintf("%s %.300q as %s at %s, %s %.600q", method, target, k.who.name, k.host, kind, body), a, time.Since(began))
	return a.status
}

// sane fails for an answer that no input may cause.
func (k *crawler) sane(t *testing.T, what string, a answer, took time.Duration) {
	t.Helper()
	if a.status >= 500 {
		t.Errorf("%s: %d", what, a.status)
	}
	if took > 5*time.Second {
		t.Errorf("%s: took %v", what, took)
	}
	if bytes.Contains(a.body, []byte("<script>crawled")) && strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		t.Errorf("%s: the answer holds a script that was sent", what)
	}
	for _, c := range a.header.Values("Set-Cookie") {
		if strings.HasPrefix(c, "crawled") {
			t.Errorf("%s: the answer sets a cookie that was sent", what)
		}
	}
	for _, c := range cookies(&http.Response{Header: a.header}, false) { // forms set the words of the next page, too
		t.Errorf("%s: lacks %s", what, c)
	}
	if at := a.header.Get("Location"); strings.HasPrefix(at, "//") || strings.Contains(at, "://evil") {
		t.Errorf("%s: leads away to %s", what, at)
	}
}
