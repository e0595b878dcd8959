package assets

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// composed begin the class names that pages put together from a value.
var composed = []string{"btn-", "corner-", "shape-", "field-", "key-", "step-", "tone-", "w-"}

// TestEveryRuleIsUsed: a class that a style sheet names is written somewhere in a page, a script or a view. What nobody
// wears any more goes out with it.
func TestEveryRuleIsUsed(t *testing.T) {
	t.Parallel()
	word := regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9_-]*`)
	worn := map[string]bool{}
	root := filepath.Join("..", "..", "..")
	for _, dir := range []string{"core/web", "portal", "console"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") || !(strings.HasSuffix(path, ".templ") || strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".js")) {
				return err
			}
			body, err := os.ReadFile(path)
			for _, w := range word.FindAllString(string(body), -1) {
				worn[w] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	class := regexp.MustCompile(`\.([a-zA-Z][a-zA-Z0-9_-]*)`)
	for u, f := range load().files {
		if !strings.HasSuffix(u, ".css") {
			continue
		}
		for _, m := range class.FindAllStringSubmatch(string(f.Body), -1) {
			if !worn[m[1]] && !startsWithAny(m[1], composed) {
				t.Errorf("%s has a rule for .%s, which no page has", u, m[1])
				worn[m[1]] = true // once is enough
			}
		}
	}
}

func startsWithAny(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// TestScales: sizes of type and the gaps of layout stand on their scales; what is drawn (dots, lines, ticks) is free.
func TestScales(t *testing.T) {
	t.Parallel()
	type scale struct {
		what *regexp.Regexp
		ok   string
	}
	for _, s := range []scale{
		{regexp.MustCompile(`font-size: (\d+)px`), " 12 14 16 20 24 32 48 7 11 40 "},                // 48: amounts; 7, 11, 40: the letter's small picture
		{regexp.MustCompile(`margin-(?:top|bottom): (\d+)px`), " 1 2 3 4 5 6 8 12 16 20 24 32 48 "}, // below 8: an icon beside its line
		{regexp.MustCompile(`gap: (?:\d+px )?(\d+)px`), " 2 4 6 8 12 16 20 24 32 48 "},
	} {
		for u, f := range load().files {
			for _, m := range s.what.FindAllStringSubmatch(string(f.Body), -1) {
				if strings.HasSuffix(u, ".css") && !strings.Contains(s.ok, " "+m[1]+" ") {
					t.Errorf("%s: %s is off the scale", u, m[0])
				}
			}
		}
	}
}
