package portal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/gofiber/fiber/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/letter"
	"certsaas/core/order"
	"certsaas/core/platform/platformtest"
	"certsaas/core/web"
	"certsaas/portal"
	"certsaas/portal/aftertext"
	"certsaas/portal/renewtext"
)

// world is a running portal and what a test knows of the outside.
type world struct {
	*platformtest.World
	app *fiber.App
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return openPortal(t, platformtest.New(t, portal.Messages, aftertext.Messages, renewtext.Messages))
}

// openPortal puts the pages before a platform.
func openPortal(t *testing.T, w *platformtest.World) *world {
	t.Helper()
	srv, err := web.New(web.Config{Secret: bytes.Repeat([]byte{7}, 32), Hosts: w.Sites.Hosts(), Bundle: w.Bundle, Authorizer: w.Authz, Sessions: w.Sessions, Now: w.Clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	if err := portal.Mount(srv, w.Platform); err != nil {
		t.Fatal(err)
	}
	srv.Seal()
	return &world{World: w, app: srv.App()}
}

// browser is one reader without scripts: it keeps cookies and sends the forms of the pages as they are.
type browser struct {
	t    *testing.T
	w    *world
	host string
	jar  map[string]string
}

func (w *world) browser(host string) *browser {
	return &browser{t: w.T, w: w, host: host, jar: map[string]string{}}
}

// byd and kinglong open the two tenants' portals.
func (w *world) byd() *browser      { return w.browser("byd.localhost:8080") }
func (w *world) kinglong() *browser { return w.browser("kinglong.localhost:8080") }

// page is an answer.
type page struct {
	*goquery.Document
	t      *testing.T
	Status int
	Header http.Header
	Body   []byte
	Path   string
}

func (b *browser) do(method, path string, header map[string]string, body io.Reader) page {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, "http://"+b.host+path, body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, k := range slices.Sorted(maps.Keys(b.jar)) {
		req.AddCookie(&http.Cookie{Name: k, Value: b.jar[k]})
	}
	if method == http.MethodPost {
		req.Header.Set("Origin", "http://"+b.host)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := b.w.app.Test(req, -1)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer func() { _ = res.Body.Close() }()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, ck := range res.Cookies() {
		if ck.MaxAge < 0 || ck.Value == "" {
			delete(b.jar, ck.Name)
			continue
		}
		b.jar[ck.Name] = ck.Value
	}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(raw))
	if err != nil {
		b.t.Fatal(err)
	}
	return page{Document: doc, t: b.t, Status: res.StatusCode, Header: res.Header, Body: raw, Path: path}
}

func (b *browser) get(path string) page { b.t.Helper(); return b.do("GET", path, nil, nil) }

// open is get for a page that must be there.
func (b *browser) open(path string) page {
	b.t.Helper()
	p := b.get(path)
	if p.Status != 200 {
		b.t.Fatalf("GET %s = %d → %s\n%s", path, p.Status, p.Header.Get("Location"), p.text("main"))
	}
	return p
}

// file is a picture for a file input.
type file struct {
	name string
	data []byte
}

// submit sends a page's form as a browser without scripts would: all its successful controls, then what is typed over
// them, and the pressed button. Values "" empty a field.
func (b *browser) submit(p page, form, step string, typed map[string]string, files ...map[string]file) page {
	b.t.Helper()
	f := p.Find(form).First()
	if f.Length() == 0 {
		b.t.Fatalf("no form %q on %s:\n%s", form, p.Path, p.text("main"))
	}
	values := controls(f)
	for k, v := range typed {
		values.Set(k, v)
	}
	action := f.AttrOr("action", p.Path)
	if step != "" {
		values.Set("_step", step)
		if to, ok := f.Find(fmt.Sprintf(`button[value=%q]`, step)).Attr("formaction"); ok {
			action = to
		}
	}
	if f.AttrOr("enctype", "") != "multipart/form-data" {
		return b.do("POST", action, map[string]string{"Content-Type": "application/x-www-form-urlencoded"}, strings.NewReader(values.Encode()))
	}
	body, kind := multi(b.t, values, files...)
	return b.do("POST", action, map[string]string{"Content-Type": kind}, body)
}

// controls are the values a form would send.
func controls(f *goquery.Selection) url.Values {
	values := url.Values{}
	f.Find("input, select, textarea").Each(func(_ int, s *goquery.Selection) {
		name, ok := s.Attr("name")
		if _, off := s.Attr("disabled"); !ok || off {
			return
		}
		_, checked := s.Attr("checked")
		switch kind := s.AttrOr("type", ""); {
		case goquery.NodeName(s) == "select":
			values.Set(name, s.Find("option[selected]").AttrOr("value", ""))
		case goquery.NodeName(s) == "textarea":
			values.Set(name, s.Text())
		case kind == "radio" || kind == "checkbox":
			if checked {
				values.Set(name, s.AttrOr("value", "on"))
			}
		case kind != "file" && kind != "submit":
			values.Set(name, s.AttrOr("value", ""))
		}
	})
	return values
}

func multi(t *testing.T, values url.Values, files ...map[string]file) (io.Reader, string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for k := range values {
		if err := m.WriteField(k, values.Get(k)); err != nil {
			t.Fatal(err)
		}
	}
	for _, set := range files {
		for k, f := range set {
			h := textproto.MIMEHeader{"Content-Disposition": {fmt.Sprintf(`form-data; name=%q; filename=%q`, k, f.name)}, "Content-Type": {"image/jpeg"}}
			part, err := m.CreatePart(h)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := part.Write(f.data); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	return &b, m.FormDataContentType()
}

// script posts fields as a page's script does.
func (b *browser) script(p page, path string, values url.Values) page {
	b.t.Helper()
	return b.do("POST", path, map[string]string{"Content-Type": "application/x-www-form-urlencoded", "X-Requested-With": "fetch",
		"X-CSRF-Token": p.Find(`meta[name="csrf"]`).AttrOr("content", "")}, strings.NewReader(values.Encode()))
}

// follow opens where a redirect leads.
func (b *browser) follow(p page) page {
	b.t.Helper()
	if p.Status != 303 && p.Status != 302 {
		b.t.Fatalf("%s = %d, not a redirect:\n%s", p.Path, p.Status, p.text("main"))
	}
	return b.open(p.Header.Get("Location"))
}

// text is a part's words, blanks squeezed.
func (p page) text(sel string) string { return strings.Join(strings.Fields(p.Find(sel).Text()), " ") }

// has fails unless a part says all of the words.
func (p page) has(sel string, words ...string) {
	p.t.Helper()
	got := p.text(sel)
	for _, w := range words {
		if !strings.Contains(got, w) {
			p.t.Errorf("%s: %q does not say %q:\n%s", p.Path, sel, w, got)
		}
	}
}

// hasNot fails when a part says one of the words.
func (p page) hasNot(sel string, words ...string) {
	p.t.Helper()
	got := p.text(sel)
	for _, w := range words {
		if strings.Contains(got, w) {
			p.t.Errorf("%s: %q says %q:\n%s", p.Path, sel, w, got)
		}
	}
}

// errors are the sentences beside the fields, by field.
func (p page) errors() map[string]string {
	out := map[string]string{}
	p.Find(".field").Each(func(_ int, s *goquery.Selection) {
		if e := strings.TrimSpace(s.Find(".field-error:not([hidden])").Text()); e != "" {
			out[s.AttrOr("data-field", "")] = e
		}
	})
	return out
}

// shown tells whether a field is asked for.
func (p page) shown(field string) bool {
	s := p.Find(fmt.Sprintf(`[data-field=%q]`, field))
	if s.Length() == 0 {
		return false
	}
	_, hidden := s.Attr("hidden")
	return !hidden && s.ParentsFiltered("[hidden]").Length() == 0
}

func (p page) value(field string) string {
	s := p.Find(fmt.Sprintf(`[name=%q]`, field))
	if s.AttrOr("type", "") == "radio" || s.AttrOr("type", "") == "checkbox" {
		return s.Filter("[checked]").AttrOr("value", "")
	}
	if goquery.NodeName(s) == "select" {
		return s.Find("option[selected]").AttrOr("value", "")
	}
	return s.AttrOr("value", "")
}

func equal(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

var codeIn = regexp.MustCompile(`\b(\d{6})\b`)

// code is the newest code sent to a mobile.
func (w *world) code(mobile string) string {
	w.T.Helper()
	sent := w.SMS.Sent()
	for i := len(sent) - 1; i >= 0; i-- {
		if m := codeIn.FindStringSubmatch(sent[i].Text); sent[i].To == mobile && m != nil {
			return m[1]
		}
	}
	w.T.Fatalf("no code went to %s", mobile)
	return ""
}

// registered is a browser whose reader has an account and is logged in.
func (w *world) registered(host, mobile string) *browser {
	w.T.Helper()
	b := w.browser(host)
	p := b.submit(b.open("/register"), "main form", "send", map[string]string{"mobile": mobile})
	p = b.submit(p, "main form", "", map[string]string{"mobile": mobile, "code": w.code(mobile), "password": "correct horse 7", "agree": "yes"})
	if p.Status != 200 {
		w.T.Fatalf("register = %d: %v", p.Status, p.text("main"))
	}
	p = b.submit(b.open("/login"), "main form", "", map[string]string{"mobile": mobile, "password": "correct horse 7"})
	if p.Status != 303 {
		w.T.Fatalf("login = %d: %v", p.Status, p.text("main"))
	}
	return b
}

// as is the context of this browser's reader for the services: his account, or the browser alone.
func (b *browser) as(account, tenant uuid.UUID) context.Context {
	sum := sha256.Sum256([]byte("visitor " + b.jar["browser"]))
	pr := authz.Principal{Kind: authz.Anonymous}
	if account != uuid.Nil {
		pr = authz.Principal{Kind: authz.Dealer, ID: account, Tenant: tenant}
	}
	return order.WithVisitor(authz.WithPrincipal(b.t.Context(), pr), sum[:])
}

// order reads the order of a path /orders/<id>/… past the pages.
func (w *world) order(slug, path string) order.Order {
	w.T.Helper()
	id, err := uuid.Parse(strings.Split(path, "/")[2])
	if err != nil {
		w.T.Fatal(err)
	}
	var o order.Order
	err = w.DB.WithTenant(w.T.Context(), w.Tenant(slug).ID(), func(ctx context.Context, tx *db.Tx) (err error) {
		o, err = w.Orders.Load(ctx, tx, id)
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return o
}

// letterOf is the letter of an order as its owner has it.
func (b *browser) letterOf(slug string, o order.Order) letter.Letter {
	b.t.Helper()
	l, err := b.w.Letters.Current(b.as(o.Account, b.w.Tenant(slug).ID()), o.Tenant, o.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}
