package demopay

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"net/url"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/clock"
	"certsaas/core/i18n"
)

// Messages are the sentences of the pay page.
//
//go:embed messages.*.toml
var Messages embed.FS

//go:embed page.html
var pageHTML string

//go:embed pay.css
var payCSS string

// prefix is where the company answers on the platform's host.
const prefix = "/demo-pay/"

// Route is one address of the company.
type Route struct {
	Method, Path string
	Handler      fiber.Handler
}

var (
	page      = template.Must(template.New("page").Parse(pageHTML))
	sentences = i18n.Must(Messages)
)

// Routes are the company's own pages; they need no session and no token of the
// platform. Mount them on the platform's host.
func (p *Provider) Routes() []Route {
	return []Route{
		{fiber.MethodGet, prefix + "pay.css", serveCSS},
		{fiber.MethodGet, prefix + "t/:code", p.show},
		{fiber.MethodPost, prefix + "t/:code/pay", p.tap(p.Pay)},
		{fiber.MethodPost, prefix + "t/:code/cancel", p.tap(p.Cancel)},
	}
}

func serveCSS(c *fiber.Ctx) error {
	c.Set(fiber.HeaderContentType, "text/css; charset=utf-8")
	c.Set(fiber.HeaderCacheControl, "public, max-age=3600")
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	return c.SendString(payCSS)
}

// view is what the page shows.
type view struct {
	Lang, State, Code string
	Alipay            bool
	Amount            string
	Rows              []row
	T                 func(id string) string
}

type row struct{ Label, Value string }

func (p *Provider) show(c *fiber.Ctx) error {
	p.mu.Lock()
	t, ok := p.trades[c.Params("code")]
	var snapshot trade
	if ok {
		snapshot = *t
	}
	p.mu.Unlock()
	lang := i18n.Choose(nil, c.Get(fiber.HeaderAcceptLanguage))
	if !ok {
		return render(c, fiber.StatusNotFound, view{Lang: lang, State: "unknown", T: speak(lang)})
	}
	return render(c, fiber.StatusOK, p.viewOf(snapshot, lang))
}

func speak(lang string) func(string) string {
	return func(id string) string { return sentences.T(lang, "demopay."+id) }
}

func (p *Provider) viewOf(t trade, lang string) view {
	say := speak(lang)
	v := view{Lang: lang, State: t.State, Code: t.Code, Alipay: t.Channel == "alipay", Amount: fmt.Sprintf("%d.%02d", t.AmountFen/100, t.AmountFen%100), T: say}
	if t.expired(p.now()) {
		v.State = "expired"
	}
	v.Rows = []row{{say("payee"), t.MerchantName}, {say("subject"), t.Subject}, {say("channel"), say("channel_" + t.Channel)}, {say("number"), t.OutTradeNo}}
	if t.State == paid {
		v.Rows = append(v.Rows, row{say("paid_at"), t.PaidAt.In(clock.Shanghai).Format("2006-01-02 15:04:05")})
	}
	return v
}

// tap is a button of the page; it answers with the page again.
func (p *Provider) tap(act func(code string) error) fiber.Handler {
	return func(c *fiber.Ctx) error {
		if !sameOrigin(c) {
			return c.SendStatus(fiber.StatusForbidden)
		}
		code := string([]byte(c.Params("code"))) // fiber reuses its buffers
		if err := act(code); err != nil && !errors.Is(err, errNotOpen) && !errors.Is(err, errPaidOnce) && !errors.Is(err, errNoTrade) {
			return err
		}
		return c.Redirect(prefix+"t/"+url.PathEscape(code), fiber.StatusSeeOther)
	}
}

// sameOrigin refuses a tap that another site's page makes for the payer.
func sameOrigin(c *fiber.Ctx) bool {
	if s := c.Get("Sec-Fetch-Site"); s != "" && s != "same-origin" && s != "none" {
		return false
	}
	origin := c.Get(fiber.HeaderOrigin)
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == string(c.Request().Host())
}

func render(c *fiber.Ctx, status int, v view) error {
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		return fmt.Errorf("demopay: page: %w", err)
	}
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderReferrerPolicy, "same-origin") // no-referrer would blank the Origin of the taps
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderContentLanguage, v.Lang)
	return c.Status(status).Send(b.Bytes())
}
