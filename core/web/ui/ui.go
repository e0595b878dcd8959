// Package ui is the component kit of every page, the dealer's and the staff's.
//
// In: typed props, one struct per component, and the Page that the web layer
// puts into the rendering context (brand, language, caller, token, errors).
// Out: templ components that work without JavaScript, read only theme tokens,
// and escape everything they are given. Words of the kit itself come from the
// message files here; words of a page are passed in, already in its language
// (T helps).
package ui

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"strings"

	"certsaas/core/authz"
	"certsaas/core/i18n"
	"certsaas/core/web/theme"
)

// Messages are the kit's own sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// Brand is what a layout needs to know of whose page it is: a tenant's, or the
// platform's own. It is built once per tenant release and never changed.
type Brand struct {
	Slug       string       // "byd"; also a class of <body>
	Name       i18n.Text    // "比亚迪代理商证书服务"
	Greeting   i18n.Text    // one sentence under the name on the entry page
	Operator   i18n.Text    // "由天威诚信提供服务", small
	Theme      *theme.Theme // colours, corners, header shape
	Logo       []byte       // SVG wordmark for a light ground
	LogoOnDeep []byte       // the same for a dark ground; nil: Logo on a light plate
	KeyArt     []byte       // SVG drawing of the tenant's key; nil: the kit's
	Languages  []string     // offered, the default first
	Contacts   []Contact    // in the order in which help should be sought
	Hours      i18n.Text    // "工作日 9:00–17:30"
	Nav        []BrandLink  // services at the head: 我的订单, 办理指南, …
	Footer     []BrandLink  // at the foot
	Legal      i18n.Text    // last line of the foot
}

// Contact is one way to get help.
type Contact struct {
	Label i18n.Text // "QQ公众号"
	Value string    // "400-666-3999"
	Href  string    // "tel:…", "mailto:…" or ""
}

// BrandLink is a link whose words depend on the language.
type BrandLink struct {
	Label i18n.Text
	Href  string
}

// SVG addresses: /brand/<hash>.svg, served by web from the host's own brand.

// LogoURL is the address of the wordmark, "" when there is none.
func (b *Brand) LogoURL() string { return svgURL(b.Logo) }

// LogoOnDeepURL is the address of the wordmark for dark grounds, or "".
func (b *Brand) LogoOnDeepURL() string { return svgURL(b.LogoOnDeep) }

// KeyArtURL is the address of the drawing of the key, or "".
func (b *Brand) KeyArtURL() string { return svgURL(b.KeyArt) }

// SVG finds one of the brand's drawings by its address.
func (b *Brand) SVG(path string) ([]byte, bool) {
	for _, s := range [][]byte{b.Logo, b.LogoOnDeep, b.KeyArt} {
		if len(s) > 0 && svgURL(s) == path {
			return s, true
		}
	}
	return nil, false
}

func svgURL(s []byte) string {
	if len(s) == 0 {
		return ""
	}
	sum := sha256.Sum256(s)
	return "/brand/" + hex.EncodeToString(sum[:])[:12] + ".svg"
}

// Flash is a message carried over one redirect.
type Flash struct {
	Tone Tone   // Good, Warn, Danger, Info
	Text string // already in the reader's language
}

// FieldError is a problem at one field, in the reader's language.
type FieldError struct {
	Name string // field name; "" for one that belongs to the whole form
	Text string
}

// Errors are the problems of a form, in the order of the page.
type Errors []FieldError

// Of is the sentence for a field, or "".
func (e Errors) Of(name string) string {
	for _, f := range e {
		if f.Name == name {
			return f.Text
		}
	}
	return ""
}

// Page is what every component may ask about the page it stands on. The web
// layer makes one per request; a handler may set Title and Errors before it
// renders.
type Page struct {
	Brand     *Brand
	Print     i18n.Printer // sentences in the reader's language
	Title     string       // set by the layout's props if empty here
	Path      string       // path of the request, without query
	CSRF      string       // token for the hidden field
	Principal authz.Principal
	Flash     []Flash
	Errors    Errors
	RequestID string
	Public    string // public base of the host, "https://byd.example.com", without slash
}

// Locale is the reader's language.
func (p *Page) Locale() string {
	if l := p.Print.Locale(); l != "" {
		return l
	}
	return i18n.Default
}

// SignedIn reports whether a dealer or a member of staff is logged in.
func (p *Page) SignedIn() bool { return p.Principal.Authenticated() }

type pageKey struct{}

// With puts the page into the rendering context.
func With(ctx context.Context, p *Page) context.Context {
	return context.WithValue(ctx, pageKey{}, p)
}

// noPage stands in where nobody put a page, as in a unit test.
var noPage = &Page{Brand: &Brand{Theme: theme.Console()}}

// PageOf is the page being rendered; never nil.
func PageOf(ctx context.Context) *Page {
	if p, ok := ctx.Value(pageKey{}).(*Page); ok && p != nil {
		return p
	}
	return noPage
}

// T is a sentence in the reader's language; kv are placeholders and values in turn.
func T(ctx context.Context, id string, kv ...any) string { return PageOf(ctx).Print.T(id, kv...) }

// In picks the reader's language out of a tenant's text.
func In(ctx context.Context, t i18n.Text) string { return t.In(PageOf(ctx).Locale()) }

// Tone colours a message; the words carry the meaning, never the colour alone.
type Tone string

// The tones.
const (
	Plain  Tone = ""
	Info   Tone = "info"
	Good   Tone = "good"
	Warn   Tone = "warn"
	Danger Tone = "danger"
	Accent Tone = "accent" // the brand's colour
)

// Link is a link with its words.
type Link struct{ Label, Href string }

// domID makes a field name fit for id="": letters, digits, - and _.
func domID(prefix, name string) string {
	return prefix + strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		}
		return '-'
	}, name)
}

// FieldID is the id of a field's input, the target of the error summary.
func FieldID(name string) string { return domID("f-", name) }

// classes joins the non-empty ones.
func classes(c ...string) string {
	var out []string
	for _, s := range c {
		if s != "" && !strings.HasSuffix(s, "-") {
			out = append(out, s)
		}
	}
	return strings.Join(out, " ")
}
