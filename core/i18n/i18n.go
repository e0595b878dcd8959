// Package i18n turns message ids into sentences in the reader's language.
//
// In: the messages.<locale>.toml files that each package embeds, merged into
// one Bundle at start. Out: Bundle.T, which never fails and never panics: a
// message missing in the asked language is looked up in zh-CN, and an id
// nobody wrote is logged once and returned as it is. Text of tenant packs is
// Text, a sentence per language that is never parsed as a template.
package i18n

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"sync"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// The product's languages. ZH is complete and the fallback of every other.
const (
	ZH = "zh-CN"
	EN = "en"
)

// Default is the language of a reader who asked for none.
const Default = ZH

// Locales lists the languages the product itself is written in, the default first.
func Locales() []string { return []string{ZH, EN} }

// Bundle holds all messages of the program; it is immutable and safe for
// concurrent use.
type Bundle struct {
	localizers map[string]*i18n.Localizer
	ids        map[string]map[string]bool // locale → id → present
	plain      map[string]string          // "locale id" → a sentence without placeholders: most are, and need no template
	missing    sync.Map                   // "locale id" → struct{}: logged already
}

// New loads every messages.<locale>.toml found in the given file systems.
// A file that does not parse, a language outside Locales and an id written
// twice are errors.
func New(fsys ...fs.FS) (*Bundle, error) {
	raw := i18n.NewBundle(language.MustParse(Default))
	raw.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	b := &Bundle{localizers: map[string]*i18n.Localizer{}, ids: map[string]map[string]bool{}, plain: map[string]string{}}
	for _, l := range Locales() {
		b.ids[l] = map[string]bool{}
	}
	var errs []error
	for _, f := range fsys {
		errs = append(errs, walk(f, func(name, locale string, body []byte) error {
			return b.add(raw, name, locale, body)
		}))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, l := range Locales() {
		b.localizers[l] = i18n.NewLocalizer(raw, l)
	}
	return b, nil
}

// Must is New for program start and tests, where a broken message file is a
// programming error.
func Must(fsys ...fs.FS) *Bundle {
	b, err := New(fsys...)
	if err != nil {
		panic(err)
	}
	return b
}

func (b *Bundle) add(raw *i18n.Bundle, name, locale string, body []byte) error {
	seen, ok := b.ids[locale]
	if !ok {
		return fmt.Errorf("i18n: %s: language %q is none of %v", name, locale, Locales())
	}
	file, err := raw.ParseMessageFileBytes(body, "active."+locale+".toml")
	if err != nil {
		return fmt.Errorf("i18n: %s: %w", name, err)
	}
	for _, m := range file.Messages {
		if seen[m.ID] {
			return fmt.Errorf("i18n: %s: message %q is written twice", name, m.ID)
		}
		seen[m.ID] = true
		if m.Other != "" && !strings.Contains(m.Other, "{{") {
			b.plain[locale+" "+m.ID] = m.Other
		}
	}
	return nil
}

// walk calls fn for each message file below f.
func walk(f fs.FS, fn func(name, locale string, body []byte) error) error {
	return fs.WalkDir(f, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("i18n: %w", err)
		}
		base := path.Base(name)
		if d.IsDir() || !strings.HasPrefix(base, "messages.") || !strings.HasSuffix(base, ".toml") {
			return nil
		}
		body, err := fs.ReadFile(f, name)
		if err != nil {
			return fmt.Errorf("i18n: %w", err)
		}
		return fn(name, strings.TrimSuffix(strings.TrimPrefix(base, "messages."), ".toml"), body)
	})
}

// T is the sentence id in locale; kv are placeholder names and values in turn.
// The placeholder Count also chooses the plural form. The result is plain
// text: a page escapes it when it renders.
func (b *Bundle) T(locale, id string, kv ...any) string {
	var args map[string]any
	if len(kv) > 0 {
		args = make(map[string]any, len(kv)/2)
		for i := 0; i+1 < len(kv); i += 2 {
			args[fmt.Sprint(kv[i])] = kv[i+1]
		}
	}
	return b.Format(locale, id, args)
}

// Format is T with the placeholders in a map, as fault.Error carries them.
func (b *Bundle) Format(locale, id string, args map[string]any) string {
	locale = Match(locale)
	if !b.ids[locale][id] {
		b.note(locale, id)
		if locale = Default; !b.ids[locale][id] {
			return id
		}
	}
	n, counted := args["Count"]
	if text, ok := b.plain[locale+" "+id]; ok && !counted {
		return text
	}
	cfg := &i18n.LocalizeConfig{MessageID: id, TemplateData: args}
	if counted {
		cfg.PluralCount = n
	}
	// Localize may return text and an error together (nicksnyder/go-i18n#234); the text wins.
	text, err := b.localizers[locale].Localize(cfg)
	if err != nil {
		b.note(locale, id)
	}
	if text == "" {
		return id
	}
	return text
}

// Has reports whether id is written in the default language.
func (b *Bundle) Has(id string) bool { return b.ids[Default][id] }

func (b *Bundle) note(locale, id string) {
	if _, old := b.missing.LoadOrStore(locale+" "+id, struct{}{}); !old {
		slog.Warn("message missing", "locale", locale, "message_id", id)
	}
}

// For binds a language, for a page that speaks only one.
func (b *Bundle) For(locale string) Printer { return Printer{bundle: b, locale: Match(locale)} }

// Printer is a Bundle in one language. Its zero value prints ids.
type Printer struct {
	bundle *Bundle
	locale string
}

// Locale is the printer's language.
func (p Printer) Locale() string { return p.locale }

// T is Bundle.T in the printer's language.
func (p Printer) T(id string, kv ...any) string {
	if p.bundle == nil {
		return id
	}
	return p.bundle.T(p.locale, id, kv...)
}

// Format is Bundle.Format in the printer's language.
func (p Printer) Format(id string, args map[string]any) string {
	if p.bundle == nil {
		return id
	}
	return p.bundle.Format(p.locale, id, args)
}
