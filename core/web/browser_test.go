package web

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/chromedp/chromedp"
	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
	"certsaas/core/web/ui"
)

// around renders parent around children.
func around(parent templ.Component, children ...templ.Component) templ.Component {
	return templ.ComponentFunc(func(ctx context.Context, w io.Writer) error {
		return parent.Render(templ.WithChildren(ctx, templ.Join(children...)), w)
	})
}

func tile(p ui.UploadProps) templ.Component {
	p.Name, p.Label, p.URL, p.Phone = "licence", "营业执照", "/upload", "/phone"
	return ui.Upload(p)
}

// scriptedPage has one of everything that a script enhances.
func scriptedPage() templ.Component {
	price := ui.PriceProps{Title: "价格", Total: 20000}
	return around(ui.Portal(ui.PortalProps{Title: "脚本", Aside: ui.PriceSummary(price), Scripts: []string{"upload.js"}}),
		around(ui.Form(ui.FormProps{ID: "f", Price: "/price", Save: "/save", Facts: `{"old_key":"valid"}`}),
			ui.Field(ui.FieldProps{Kind: ui.RadioField, Name: "merged", Label: "三证合一", Options: []ui.Option{{Value: "yes", Label: "是"}, {Value: "no", Label: "否"}}}),
			ui.Field(ui.FieldProps{Name: "uscc", Label: "代码", When: `{"all":[{"field":"merged","is":"yes"},{"fact":"old_key","is":"valid"}]}`, Hidden: true}),
			ui.Field(ui.FieldProps{Name: "licence_no", Label: "执照号", When: `{"field":"merged","in":["no"]}`, Hidden: true}),
			ui.Field(ui.FieldProps{Name: "chained", Label: "其后", When: `{"field":"licence_no","filled":true}`, Hidden: true}),
			ui.Field(ui.FieldProps{Kind: ui.QuantityField, Name: "quantity", Label: "数量", Value: "1", Min: 1, Max: 3}),
			ui.Field(ui.FieldProps{Kind: ui.CodeField, Name: "code", Label: "验证码", Action: ui.Countdown(ui.CountdownProps{Label: "获取验证码", Name: "_step", Value: "send", URL: "/code"})}),
			tile(ui.UploadProps{}),
		),
		around(ui.Poll("/status", 1), templ.Raw(`<p id="waiting">waiting</p>`)),
	)
}

func scriptedRoutes(polls, phonePolls *atomic.Int32) []Route {
	return []Route{
		{Method: "GET", Path: "/", Handler: func(c *fiber.Ctx) error { return Render(c, 200, scriptedPage()) }},
		{Method: "POST", Path: "/price", Handler: func(c *fiber.Ctx) error {
			n := int64(len(c.FormValue("quantity"))) * 100 * int64(c.FormValue("quantity")[0]-'0')
			return Render(c, 200, ui.PriceLines(ui.PriceProps{Total: n}))
		}},
		{Method: "POST", Path: "/save", Handler: func(c *fiber.Ctx) error {
			c.Set("X-Saved", "%E5%B7%B2%E4%BF%9D%E5%AD%98")
			return c.SendStatus(204)
		}},
		{Method: "POST", Path: "/code", Handler: func(c *fiber.Ctx) error {
			if c.FormValue("merged") == "" {
				return fault.InvalidFields(fault.At("merged", "web.e422_text"))
			}
			return c.JSON(fiber.Map{"seconds": 60, "message": "sent"})
		}},
		{Method: "POST", Path: "/upload", Body: 3 << 20, Handler: func(c *fiber.Ctx) error {
			f, err := c.FormFile("file")
			if err != nil {
				return err
			}
			if f.Size > 1000 {
				return fault.InvalidFields(fault.At("licence", "web.e413_text"))
			}
			return Render(c, 200, tile(ui.UploadProps{Value: "file-1", Preview: "/favicon.svg", FileName: f.Filename}))
		}},
		{Method: "POST", Path: "/phone", Handler: func(c *fiber.Ctx) error {
			return Render(c, 200, tile(ui.UploadProps{PhoneURL: "http://a.localhost/u/1", Poll: "/phone-poll"}))
		}},
		{Method: "GET", Path: "/phone-poll", Handler: func(c *fiber.Ctx) error {
			if phonePolls.Add(1) < 2 {
				return c.SendStatus(204)
			}
			return Render(c, 200, tile(ui.UploadProps{Value: "file-2", Preview: "/favicon.svg", FileName: "phone.jpg"}))
		}},
		{Method: "GET", Path: "/status", Handler: func(c *fiber.Ctx) error {
			if polls.Add(1) < 2 {
				return c.SendStatus(204)
			}
			return Render(c, 200, templ.Raw(`<p id="paid">paid</p>`))
		}},
	}
}

// TestScripts drives every script of the dealer's pages in a real browser under
// the real policy.
// req: B19 B36
func TestScripts(t *testing.T) {
	t.Parallel()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed: apt-get install chromium")
	}
	var polls, phonePolls atomic.Int32
	r := newRig(t, false, scriptedRoutes(&polls, &phonePolls)...)
	r.Seal()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = r.App().Listener(ln) }()
	defer func() { _ = r.Shutdown(time.Second) }()

	opts := append([]chromedp.ExecAllocatorOption{}, chromedp.DefaultExecAllocatorOptions[:]...)
	opts = append(opts, chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))
	alloc, stopAlloc := chromedp.NewExecAllocator(t.Context(), opts...)
	defer stopAlloc()
	browser, stop := chromedp.NewContext(alloc)
	defer stop()
	b := &tab{t: t, ctx: browser}
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	if err := chromedp.Do(browser, chromedp.Navigate("http://a.localhost:"+port+"/?lang=zh-CN")); err != nil {
		t.Fatal(err)
	}
	b.run(`window.__csp = 0; new ReportingObserver((x) => { window.__csp += x.filter((r) => r.type === "csp-violation").length; }, { buffered: true }).observe()`)

	b.is("hidden at first", `document.querySelector('[data-field=uscc]').hidden && document.querySelector('#f-uscc').disabled`)
	b.run(`document.querySelector('input[value=yes]').click()`)
	b.is("shown by an answer and a fact", `!document.querySelector('[data-field=uscc]').hidden && !document.querySelector('#f-uscc').disabled`)
	b.run(`document.querySelector('input[name=merged][value=no]').click()`)
	b.is("the other branch", `document.querySelector('[data-field=uscc]').hidden && !document.querySelector('[data-field=licence_no]').hidden`)
	b.run(`(() => { const e = document.querySelector('#f-licence_no'); e.value = '1'; e.dispatchEvent(new Event('input', {bubbles: true})) })()`)
	b.is("a chain of conditions", `!document.querySelector('[data-field=chained]').hidden`)
	b.run(`document.querySelector('input[value=yes]').click()`)
	b.is("the chain falls with its first link", `document.querySelector('[data-field=chained]').hidden`)

	b.run(`document.querySelector('[data-by="1"]').click(); document.querySelector('[data-by="1"]').click()`)
	b.is("+ stops at the limit", `document.querySelector('#f-quantity').value === '3' && document.querySelector('[data-by="1"]').disabled`)
	b.is("the price follows", `document.querySelector('[data-price-target]').innerText.includes('¥3.00')`)
	b.is("the draft is saved", `document.querySelector('[data-saved]').innerText === '已保存'`)

	b.run(`document.querySelector('[data-countdown]').click()`)
	b.is("the code button waits", `document.querySelector('[data-countdown]').disabled && /^\d+ 秒/.test(document.querySelector('[data-countdown]').textContent)`)

	choose := func(size, name string) string {
		return `(() => { const d = new DataTransfer(); d.items.add(new File([new Uint8Array(` + size + `)], '` + name + `', {type: 'image/jpeg'})); const i = document.querySelector('.upload input[type=file]'); i.files = d.files; i.dispatchEvent(new Event('change')) })()`
	}
	said := `document.querySelector('.upload .field-error').innerText`
	b.run(choose("0", "a.jpg"))
	b.is("an empty picture", said+`.includes('空')`)
	b.run(strings.ReplaceAll(choose("9", "a.pdf"), "image/jpeg", "application/pdf"))
	b.is("no picture", said+`.includes('JPG')`)
	b.run(choose("5000", "a.jpg"))
	b.is("the server's refusal", said+`.includes('2 MB')`)
	b.run(choose("500", "ok.jpg"))
	b.is("the tile comes back filled", `document.querySelector('input[name=licence]').value === 'file-1' && document.querySelector('.upload').innerText.includes('ok.jpg')`)
	b.run(`document.querySelector('[data-phone]').click()`)
	b.is("the phone's code", `!!document.querySelector('.tile-phone svg path')`)
	b.is("the phone's picture appears", `document.querySelector('input[name=licence]').value === 'file-2'`)
	b.is("the poll's answer", `!!document.querySelector('#paid') && !document.querySelector('#waiting')`)
	b.is("nothing broke the policy", `window.__csp === 0`)
	b.run(`document.body.setAttribute('style', 'color:red')`)
	b.is("the watch sees a breach", `window.__csp === 1`)
}

// tab is a page under test.
type tab struct {
	t   *testing.T
	ctx context.Context
}

func (b *tab) run(js string) {
	b.t.Helper()
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](`(() => { `+js+`; return true })()`)); err != nil {
		b.t.Fatalf("%s: %v", js, err)
	}
}

// is waits up to ten seconds for js to be true.
func (b *tab) is(what, js string) {
	b.t.Helper()
	var ok bool
	var err error
	for range 100 {
		if ok, err = chromedp.Run(b.ctx, chromedp.Evaluate[bool](`!!(`+js+`)`)); ok && err == nil {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	text, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.querySelector("main").innerText`))
	b.t.Errorf("%s: never true: %s (%v)\n%s", what, js, err, text)
	if dir := os.Getenv("CERTSAAS_TEST_SHOTS"); dir != "" {
		html, _ := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.documentElement.outerHTML`))
		_ = os.WriteFile(filepath.Join(dir, "failed.html"), []byte(html), 0o600)
	}
}
