package platform_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

var (
	pressed = regexp.MustCompile(`\*\*([^*\n]+)\*\*`)                      // **下一步**: a button or link to press
	desk    = regexp.MustCompile(`待\p{Han}{2}`)                            // 待审核: a queue of the console
	address = regexp.MustCompile(`<http://[a-z.]*localhost:8080(/[^>]*)>`) // where the newcomer is sent
)

// What the README tells a newcomer to press is what pages say, word for word, and the queues are called so.
func TestReadmeNamesWhatPagesSay(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, walk, _ := strings.Cut(string(raw), "## Five minutes")
	walk, _, _ = strings.Cut(walk, "\n## ")
	said := chinese(t)
	product, err := os.ReadFile("../../tenants/byd/products/gqgx.yaml") // its steps have buttons of their own
	if err != nil {
		t.Fatal(err)
	}
	words := append(pressed.FindAllStringSubmatch(walk, -1), desk.FindAllStringSubmatch(walk, -1)...)
	if len(words) < 10 {
		t.Fatalf("the walk presses %d things only: %v", len(words), words)
	}
	for _, m := range words {
		if word := m[len(m)-1]; !said[word] && !strings.Contains(string(product), "zh-CN: "+word+",") {
			t.Errorf("no page says %q", word)
		}
	}
	if len(address.FindAllString(walk, -1)) < 3 {
		t.Error("the walk names no addresses")
	}
}

// chinese is every Chinese sentence of the program.
func chinese(t *testing.T) map[string]bool {
	t.Helper()
	out := map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "messages.zh-CN.toml" {
			return err
		}
		var file map[string]any
		if _, err := toml.DecodeFile(path, &file); err != nil {
			return err
		}
		for _, v := range file {
			if text, ok := v.(string); ok {
				out[text] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}
