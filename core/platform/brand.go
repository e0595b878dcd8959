package platform

import (
	"bytes"
	"fmt"
	"strings"

	"certsaas/core/i18n"
	"certsaas/core/tenant"
	"certsaas/core/web/theme"
	"certsaas/core/web/ui"
)

// corners and shapes of tenants' themes in the words of core/web/theme.
var (
	corners = map[string]theme.Corner{"square": theme.Square, "soft": theme.Soft}
	shapes  = map[string]theme.Shape{"bar": theme.Bar, "split": theme.Split, "hero": theme.Hero}
)

// brandOf is how a tenant's portal looks, built once per release.
func brandOf(t *tenant.Tenant) (*ui.Brand, error) {
	th := t.Theme()
	look, err := theme.New(th.Brand, corners[th.Corner], shapes[th.Header])
	if err != nil {
		return nil, fmt.Errorf("platform: theme of %s: %w", t.Slug(), err)
	}
	logo, _ := t.Asset(th.Wordmark)
	key, _ := t.Asset(th.Illustration)
	b := &ui.Brand{
		Slug: t.Slug(), Name: t.Names().Platform, Greeting: th.Greeting, Operator: th.ServedBy, Theme: look,
		Logo: tinted(logo, th.Brand), LogoOnDeep: tinted(logo, "#ffffff"), KeyArt: tinted(key, th.Brand),
		Languages: t.Languages(), Contacts: contacts(t.Contact()), Hours: t.Contact().Hours,
		Nav: nav, Footer: footer,
		Legal: legal(t),
	}
	return b, nil
}

// nav and footer lead to the pages that every portal has.
var (
	nav = []ui.BrandLink{
		{Label: text("首页", "Home"), Href: "/"},
		{Label: text("我的订单", "My orders"), Href: "/orders"},
		{Label: text("我的证书", "My certificates"), Href: "/certificates"},
		{Label: text("办理须知", "Guide"), Href: "/guide"},
	}
	footer = []ui.BrandLink{{Label: text("办理须知", "Guide"), Href: "/guide"}, {Label: text("证书助手", "Key agent"), Href: "/keyagent"}}
)

func text(zh, en string) i18n.Text { return i18n.Text{i18n.ZH: zh, i18n.EN: en} }

// contacts lists the ways to get help in the tenant's order (req B60–B62 K55–K59).
func contacts(c tenant.Contact) []ui.Contact {
	all := map[string]ui.Contact{
		"hotline": {Label: text("服务电话", "Phone"), Value: c.Hotline, Href: "tel:" + c.Hotline},
		"qq":      {Label: text("QQ公众号", "QQ"), Value: c.QQ},
		"email":   {Label: text("电子邮件", "E-mail"), Value: c.Email, Href: "mailto:" + c.Email},
	}
	order := c.Order
	if len(order) == 0 {
		order = []string{"hotline", "qq", "email"}
	}
	var out []ui.Contact
	for _, k := range order {
		if x := all[k]; x.Value != "" {
			out = append(out, x)
		}
	}
	return out
}

// legal is the last line of the foot: operator and address (req K58–K60).
func legal(t *tenant.Tenant) i18n.Text {
	out := i18n.Text{}
	for _, l := range t.Languages() {
		parts := []string{t.Operator().In(l)}
		if a := t.Contact().Address.In(l); a != "" {
			parts = append(parts, a)
		}
		out[l] = strings.Join(parts, " · ")
	}
	return out
}

// ownBrand is how the platform's own host and the console look.
func ownBrand(languages []string) (*ui.Brand, error) {
	look, err := theme.New("#2a4d7c", theme.Soft, theme.Bar)
	if err != nil {
		return nil, err
	}
	return &ui.Brand{
		Slug: "platform", Name: text("USBKEY 证书服务平台", "USBKEY certificate services"), Theme: look, Languages: languages,
		Logo: tinted([]byte(wordmark), "#2a4d7c"), LogoOnDeep: tinted([]byte(wordmark), "#ffffff"),
		Operator: text(operator, "Beijing Tianwei Chengxin E-Commerce Service Co., Ltd."),
		Contacts: contacts(tenant.Contact{QQ: "400-666-3999", Hotline: "010-50947500", Email: "customer-service@itrus.com.cn", Order: []string{"qq", "hotline", "email"}}),
		Hours:    text("服务时间 9:00-17:30", "Service hours 9:00-17:30"),
		Legal:    text(operator, "Beijing Tianwei Chengxin E-Commerce Service Co., Ltd."),
	}, nil
}

// tinted fills the one colour of a drawing that leaves it open.
func tinted(svg []byte, colour string) []byte {
	return bytes.ReplaceAll(svg, []byte("currentColor"), []byte(colour))
}

// wordmark is the platform's own, drawn for it.
const wordmark = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 150 32" role="img" aria-label="certsaas"><g fill="none" stroke="currentColor" stroke-width="2.4" stroke-linejoin="round"><rect x="3" y="10" width="16" height="12" rx="2.5"/><path d="M19 13h8v6h-8"/><path d="M8 16l2.5 2.5L15 14"/></g><text x="38" y="22" font-family="-apple-system,'Segoe UI',Roboto,sans-serif" font-size="18" font-weight="600" fill="currentColor">certsaas</text></svg>`
