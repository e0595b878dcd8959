package i18n

import (
	"context"
	"slices"
	"strings"
	"sync"

	"golang.org/x/text/language"
)

// Text is one sentence of a tenant's pack per language, e.g. {"zh-CN": "数字证书"}.
// It is data, never a template.
type Text map[string]string

// In is the sentence in locale, else in zh-CN, else in any language there is
// (the first by name), else "".
func (t Text) In(locale string) string {
	for _, l := range []string{locale, Match(locale), Default} {
		if s := t[l]; s != "" {
			return s
		}
	}
	best := ""
	for l, s := range t {
		if s != "" && (best == "" || l < best) {
			best = l
		}
	}
	return t[best]
}

// Match is the product language nearest to a BCP 47 tag: any English is en,
// everything else zh-CN.
func Match(tag string) string {
	switch {
	case tag == ZH, tag == EN:
		return tag
	case strings.HasPrefix(strings.ToLower(tag), "en"):
		return EN
	}
	return Default
}

// Choose picks the reader's language among those offered (a tenant's declared
// ones; empty means all): the first wish that is offered exactly, then the
// Accept-Language header, then the first offered. Wishes are e.g. the ?lang=
// parameter and the cookie; unknown ones are passed over.
func Choose(offered []string, acceptLanguage string, wishes ...string) string {
	if len(offered) == 0 {
		offered = Locales()
	}
	for _, w := range wishes {
		if slices.Contains(offered, w) {
			return w
		}
	}
	if len(acceptLanguage) > 0 && len(acceptLanguage) <= 256 {
		if want, _, err := language.ParseAcceptLanguage(acceptLanguage); err == nil {
			if _, i, c := matcherOf(offered).Match(want...); c >= language.Low {
				return offered[i]
			}
		}
	}
	return offered[0]
}

// matchers are those made so far, by the languages offered: the few orders of the few languages there are.
var matchers sync.Map // string → language.Matcher

func matcherOf(offered []string) language.Matcher {
	key := strings.Join(offered, " ")
	if m, ok := matchers.Load(key); ok {
		return m.(language.Matcher)
	}
	tags := make([]language.Tag, len(offered))
	for i, l := range offered {
		tags[i] = language.Make(l)
	}
	m, _ := matchers.LoadOrStore(key, language.NewMatcher(tags))
	return m.(language.Matcher)
}

type localeKey struct{}

// WithLocale puts the reader's language into ctx.
func WithLocale(ctx context.Context, locale string) context.Context {
	return context.WithValue(ctx, localeKey{}, locale)
}

// Locale is the reader's language in ctx, or the default.
func Locale(ctx context.Context) string {
	if l, ok := ctx.Value(localeKey{}).(string); ok && l != "" {
		return l
	}
	return Default
}
