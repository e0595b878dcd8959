package i18n

import (
	"fmt"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

var placeholder = regexp.MustCompile(`\{\{[^}]*\}\}`)

// Lint compares the languages of the message files in fsys and says what is
// wrong, one line per problem: an id that one language lacks, placeholders
// that differ, an empty sentence, a broken file, an id without a dot. Every package that owns
// messages calls it in a test.
func Lint(fsys fs.FS) []string {
	var problems []string
	ids := map[string]map[string]string{} // locale → id → placeholders
	err := walk(fsys, func(name, locale string, body []byte) error {
		msgs, err := placeholders(locale, body)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if ids[locale] == nil {
			ids[locale] = map[string]string{}
		}
		maps.Copy(ids[locale], msgs)
		return nil
	})
	if err != nil {
		problems = append(problems, err.Error())
	}
	all := map[string]bool{}
	for _, m := range ids {
		for id := range m {
			all[id] = true
		}
	}
	for _, id := range slices.Sorted(maps.Keys(all)) {
		if !strings.Contains(id, ".") {
			problems = append(problems, fmt.Sprintf("%s: an id reads <package>.<thing>", id))
		}
		for _, l := range Locales() {
			got, ok := ids[l][id]
			want, inDefault := ids[Default][id]
			switch {
			case !ok:
				problems = append(problems, fmt.Sprintf("%s: missing in %s", id, l))
			case got == "empty":
				problems = append(problems, fmt.Sprintf("%s: empty in %s", id, l))
			case inDefault && got != want:
				problems = append(problems, fmt.Sprintf("%s: placeholders differ: %s has %s, %s has %s", id, Default, want, l, got))
			}
		}
	}
	return problems
}

// placeholders maps each message of a file to the sorted placeholders it uses
// in all its plural forms.
func placeholders(locale string, body []byte) (map[string]string, error) {
	raw := i18n.NewBundle(language.MustParse(Default))
	raw.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	file, err := raw.ParseMessageFileBytes(body, "active."+locale+".toml")
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, m := range file.Messages {
		if m.Other == "" {
			out[m.ID] = "empty"
			continue
		}
		found := map[string]bool{}
		for _, form := range []string{m.Zero, m.One, m.Two, m.Few, m.Many, m.Other} {
			for _, p := range placeholder.FindAllString(form, -1) {
				found[strings.ReplaceAll(p, " ", "")] = true
			}
		}
		out[m.ID] = "[" + strings.Join(slices.Sorted(maps.Keys(found)), " ") + "]"
	}
	return out, nil
}
