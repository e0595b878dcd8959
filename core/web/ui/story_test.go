package ui

import (
	"bytes"
	"context"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"
	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/i18n"
	"certsaas/core/web/assets"
	"certsaas/core/web/theme"
)

// storyDir receives every story as a file, to look at or to photograph:
//
//	go test ./core/web/ui -run TestStories -story /tmp/story
var storyDir = flag.String("story", "", "write the stories into this directory")

var bundle = i18n.Must(Messages)

func wordmark(text, fill, accent string) []byte {
	return []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 40" width="200" height="40"><rect x="0" y="8" width="24" height="24" fill="` + accent +
		`"/><text x="34" y="29" font-family="sans-serif" font-size="24" font-weight="700" fill="` + fill + `">` + text + `</text></svg>`)
}

var contacts = []Contact{
	{Label: i18n.Text{"zh-CN": "电话"}, Value: "400-000-0000", Href: "tel:4000000000"},
	{Label: i18n.Text{"zh-CN": "QQ公众号"}, Value: "400-000-0000"},
	{Label: i18n.Text{"zh-CN": "邮箱"}, Value: "service@example.com", Href: "mailto:service@example.com"},
}

func storyBrands() map[string]*Brand {
	zh := func(s string) i18n.Text { return i18n.Text{"zh-CN": s} }
	nav := []BrandLink{{zh("我的订单"), "/orders"}, {zh("办理指南"), "/guide"}, {zh("常见问题"), "/faq"}}
	mk := func(slug, name, colour string, c theme.Corner, s theme.Shape) *Brand {
		return &Brand{
			Slug: slug, Name: zh(name), Operator: zh("由天威诚信提供服务"), Theme: theme.Must(colour, c, s),
			Logo: wordmark(strings.ToUpper(slug), colour, colour), LogoOnDeep: wordmark(strings.ToUpper(slug), "#ffffff", colour),
			Languages: []string{"zh-CN", "en"}, Contacts: contacts, Hours: zh("工作日 9:00–17:30"), Nav: nav,
			Footer: []BrandLink{{zh("服务协议"), "/terms"}, {zh("隐私政策"), "/privacy"}},
			Legal:  zh("演示环境：价格、账户与证书均为演示用途。"),
		}
	}
	console := mk("console", "证书服务控制台", "#2f5d8a", theme.Square, theme.Bar)
	console.Theme, console.Logo, console.LogoOnDeep, console.Languages = theme.Console(), nil, nil, nil
	return map[string]*Brand{
		"square":  mk("northstar", "北辰代理商证书服务", "#c8102e", theme.Square, theme.Bar),
		"soft":    mk("riverline", "河汉供应商证书服务", "#00857c", theme.Soft, theme.Hero),
		"split":   mk("lakeside", "Lakeside Certificates", "#5b3fa8", theme.Soft, theme.Split),
		"console": console,
	}
}

func stories() map[string]templ.Component {
	return map[string]templ.Component{
		"entry": storyEntry(), "form": storyForm(), "order": storyOrder(), "pay": storyPay(), "login": storyLogin(), "orders": storyOrders(),
		"queue": storyQueue(), "review": storyReview(), "error": ErrorPage(ErrorProps{Status: 404, Title: "没有找到", Text: "没有找到您要的内容，请核对链接，或从首页重新进入。", RequestID: "ABCDEF", Home: "/"}),
		"staff": storyStaff(),
	}
}

func storyPage(name string, b *Brand) *Page {
	p := &Page{Brand: b, Print: bundle.For("zh-CN"), Path: "/orders", CSRF: "token", Public: "http://byd.localhost"}
	switch name {
	case "form":
		p.Errors = Errors{{"org_name", "请填写企业名称，与营业执照一致。"}, {"merged", "请选择是否已三证合一。"}, {"licence", "图片不清晰，请重新拍摄。"}}
	case "login":
		p.Errors = Errors{{"code", "验证码不正确，还可以再试 2 次。"}}
	case "order":
		p.Flash = []Flash{{Good, "订单已提交。"}}
	}
	if name != "login" && name != "entry" {
		p.Principal = authz.Principal{Kind: authz.Dealer, ID: uuid.Max, Name: "138****8000"}
	}
	if b.Slug == "console" {
		p.Principal = authz.Principal{Kind: authz.Staff, ID: uuid.Max, Name: "演示审核员"}
	}
	return p
}

// TestStories renders every component in canned states for every brand and
// checks what each page must hold to.
func TestStories(t *testing.T) {
	t.Parallel()
	for brandName, b := range storyBrands() {
		for name, story := range stories() {
			inConsole := name == "queue" || name == "review" || name == "staff"
			if inConsole != (brandName == "console") {
				continue
			}
			var out bytes.Buffer
			if err := story.Render(With(context.Background(), storyPage(name, b)), &out); err != nil {
				t.Fatalf("%s/%s: %v", brandName, name, err)
			}
			checkPage(t, brandName+"/"+name, out.Bytes())
			if *storyDir != "" {
				writeStory(t, brandName, name, b, out.String())
			}
		}
	}
}

// checkPage: no inline script or style, unique ids, every control named, every
// reference resolved, one h1, one main.
func checkPage(t *testing.T, name string, html []byte) {
	t.Helper()
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader(html))
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	doc.Find("[id]").Each(func(_ int, s *goquery.Selection) { ids[s.AttrOr("id", "")]++ })
	for id, n := range ids {
		if n > 1 {
			t.Errorf("%s: id %q is given %d times", name, id, n)
		}
	}
	doc.Find("*").Each(func(_ int, s *goquery.Selection) {
		for _, a := range s.Nodes[0].Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("%s: <%s> has the inline attribute %s", name, s.Nodes[0].Data, a.Key)
			}
		}
	})
	doc.Find("script").Each(func(_ int, s *goquery.Selection) {
		if s.AttrOr("src", "") == "" {
			t.Errorf("%s: inline script", name)
		}
	})
	doc.Find("style").Each(func(_ int, s *goquery.Selection) { t.Errorf("%s: inline style", name) })
	doc.Find("input:not([type=hidden]), select, textarea").Each(func(_ int, s *goquery.Selection) {
		id := s.AttrOr("id", "-")
		if doc.Find(`label[for="`+id+`"]`).Length() == 0 && s.Closest("label").Length() == 0 && s.AttrOr("aria-label", "") == "" && s.AttrOr("placeholder", "") == "" {
			t.Errorf("%s: control %q has no label", name, s.AttrOr("name", id))
		}
	})
	doc.Find("[aria-describedby]").Each(func(_ int, s *goquery.Selection) {
		found := 0
		for _, id := range strings.Fields(s.AttrOr("aria-describedby", "")) {
			found += ids[id]
		}
		if found == 0 {
			t.Errorf("%s: aria-describedby %q leads nowhere", name, s.AttrOr("aria-describedby", ""))
		}
	})
	doc.Find("[data-error-summary] a").Each(func(_ int, s *goquery.Selection) {
		if ids[strings.TrimPrefix(s.AttrOr("href", ""), "#")] == 0 {
			t.Errorf("%s: the error summary leads to %s, which is not there", name, s.AttrOr("href", ""))
		}
	})
	for sel, want := range map[string]int{"h1": 1, "main#main": 1, ".btn-primary": 1} {
		if n := doc.Find(sel).Length(); n > want || (n == 0 && sel != ".btn-primary") {
			t.Errorf("%s: %d of %s", name, n, sel)
		}
	}
	doc.Find("form[method=post]").Each(func(_ int, s *goquery.Selection) {
		if s.Find(`input[name="_csrf"]`).Length() != 1 {
			t.Errorf("%s: a form without its token", name)
		}
	})
	if strings.Contains(doc.Text(), "ui.") {
		t.Errorf("%s: a message id shows on the page", name)
	}
}

// writeStory writes one page beside its assets, with addresses a file can have.
func writeStory(t *testing.T, brand, name string, b *Brand, html string) {
	t.Helper()
	write := func(file string, body []byte) {
		if err := os.WriteFile(filepath.Join(*storyDir, file), body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(*storyDir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, a := range []string{"app.css", "console.css", "app.js", "upload.js", "console.js"} {
		f, _ := assets.Open(assets.URL(a))
		write(a, f.Body)
		html = strings.ReplaceAll(html, assets.URL(a), a)
	}
	write(brand+".theme.css", b.Theme.CSS())
	html = strings.ReplaceAll(html, b.Theme.URL(), brand+".theme.css")
	for u, svg := range map[string][]byte{b.LogoURL(): b.Logo, b.LogoOnDeepURL(): b.LogoOnDeep} {
		if u != "" {
			write(filepath.Base(u), svg)
			html = strings.ReplaceAll(html, u, filepath.Base(u))
		}
	}
	write("doc1.svg", sampleDoc("营业执照"))
	write("doc2.svg", sampleDoc("授权书"))
	html = strings.ReplaceAll(html, "/story/", "")
	write(brand+"-"+name+".html", []byte(html))
}

func sampleDoc(title string) []byte {
	return []byte(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 420 300"><rect width="420" height="300" fill="#fdfcf7"/><rect x="10" y="10" width="400" height="280" fill="none" stroke="#b9ad8c"/>` +
		`<text x="210" y="60" text-anchor="middle" font-size="26" font-family="sans-serif" fill="#333">` + title + `</text><path d="M50 100h240M50 130h200M50 160h260M50 190h180" stroke="#bbb" stroke-width="6"/>` +
		`<circle cx="330" cy="220" r="42" fill="none" stroke="#d22" stroke-width="4"/></svg>`)
}

var storyTime = time.Date(2026, 11, 22, 7, 4, 0, 0, time.UTC)

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(Messages) {
		t.Error(p)
	}
}

func TestMoney(t *testing.T) {
	t.Parallel()
	for fen, want := range map[int64]string{0: "¥0.00", 5: "¥0.05", 20000: "¥200.00", 123450: "¥1,234.50", 123456789012: "¥1,234,567,890.12", -2000: "−¥20.00"} {
		if got := Money(fen); got != want {
			t.Errorf("Money(%d) = %s, want %s", fen, got, want)
		}
	}
	if got := DateTime(storyTime); got != "2026-11-22 15:04" {
		t.Errorf("DateTime = %s", got)
	}
}

func TestPagerWindow(t *testing.T) {
	t.Parallel()
	got := PagerProps{Page: 10, Pages: 20}.window()
	want := []int{1, 0, 8, 9, 10, 11, 12, 0, 20}
	if len(got) != len(want) {
		t.Fatalf("got %v, want %v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}

// TestEscaping: nothing a component is given becomes markup.
func TestEscaping(t *testing.T) {
	t.Parallel()
	evil := `"><script>alert(1)</script>`
	page := &Page{Brand: storyBrands()["square"], Print: bundle.For("zh-CN"), Errors: Errors{{evil, evil}, {"x", evil}}}
	for name, c := range map[string]templ.Component{
		"field":  Field(FieldProps{Name: "x", Label: evil, Value: evil, Help: evil, Placeholder: evil, When: evil, Note: evil}),
		"radio":  Field(FieldProps{Kind: RadioField, Name: "x", Label: evil, Options: []Option{{Value: evil, Label: evil, Help: evil}}}),
		"upload": Upload(UploadProps{Name: "x", Label: evil, Preview: "/p", FileName: evil, Checks: []CheckItem{{Text: evil}}}),
		"list":   List([]Datum{{Label: evil, Value: evil, Note: evil}, {Label: evil, Value: evil, Copy: true}}),
		"errors": ErrorSummary(),
		"link":   Button(ButtonProps{Label: evil, Href: "javascript:alert(1)"}),
	} {
		var b bytes.Buffer
		if err := c.Render(With(context.Background(), page), &b); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(b.String(), "<script") {
			t.Errorf("%s lets markup through: %s", name, b.String())
		}
	}
}
