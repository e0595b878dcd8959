package i18n

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
)

func files(zh, en string) fstest.MapFS {
	return fstest.MapFS{
		"messages.zh-CN.toml": {Data: []byte(zh)},
		"messages.en.toml":    {Data: []byte(en)},
	}
}

func TestT(t *testing.T) {
	t.Parallel()
	b, err := New(
		files(`"order.taken" = "此订单已被{{.Who}}处理"
"order.only_zh" = "只有中文"
"order.items" = "{{.Count}} 件"`,
			`"order.taken" = "Taken by {{.Who}}"
["order.items"]
one = "{{.Count}} item"
other = "{{.Count}} items"`),
		files(`"letter.title" = "申请表"`, `"letter.title" = "Application"`),
	)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, locale, id string
		kv               []any
		want             string
	}{
		{"default language", ZH, "order.taken", []any{"Who", "他人"}, "此订单已被他人处理"},
		{"english", EN, "order.taken", []any{"Who", "Ann"}, "Taken by Ann"},
		{"regional english", "en-GB", "letter.title", nil, "Application"},
		{"unknown language", "fr", "letter.title", nil, "申请表"},
		{"plural one", EN, "order.items", []any{"Count", 1}, "1 item"},
		{"plural other", EN, "order.items", []any{"Count", 3}, "3 items"},
		{"no plural in Chinese", ZH, "order.items", []any{"Count", 1}, "1 件"},
		{"falls back to Chinese", EN, "order.only_zh", nil, "只有中文"},
		{"missing everywhere", EN, "order.nowhere", nil, "order.nowhere"},
		{"value is never a template", ZH, "order.taken", []any{"Who", "{{.Who}}"}, "此订单已被{{.Who}}处理"},
		{"odd arguments", ZH, "letter.title", []any{"x"}, "申请表"},
	}
	for _, tt := range tests {
		if got := b.T(tt.locale, tt.id, tt.kv...); got != tt.want {
			t.Errorf("%s: T(%s, %s) = %q, want %q", tt.name, tt.locale, tt.id, got, tt.want)
		}
	}
	if got := (Printer{}).T("a.b"); got != "a.b" {
		t.Errorf("zero printer = %q", got)
	}
	if got := b.For("en-US").T("letter.title"); got != "Application" {
		t.Errorf("printer = %q", got)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, zh, en, want string }{
		{"twice in one language", `"a.b" = "1"`, ``, "written twice"},
		{"broken file", `"a.b" = `, ``, "messages.zh-CN.toml"},
	}
	for _, tt := range tests {
		_, err := New(files(tt.zh, tt.en), files(tt.zh, tt.en))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := New(fstest.MapFS{"messages.fr.toml": {Data: []byte(`"a.b" = "x"`)}}); err == nil {
		t.Error("a language the product does not speak was accepted")
	}
}

func TestLint(t *testing.T) {
	t.Parallel()
	got := Lint(files(`"a.same" = "{{.X}} 一"
"a.zh" = "中"
"a.differ" = "{{.X}}"
nodot = "x"`, `"a.same" = "{{ .X }} one"
"a.differ" = "{{.Y}}"
"a.en" = "e"
nodot = "x"`))
	want := []string{
		"a.differ: placeholders differ: zh-CN has [{{.X}}], en has [{{.Y}}]",
		"a.en: missing in zh-CN",
		"a.zh: missing in en",
		"nodot: an id reads <package>.<thing>",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	both := []string{ZH, EN}
	tests := []struct {
		name    string
		offered []string
		accept  string
		wishes  []string
		want    string
	}{
		{"nothing said", both, "", nil, ZH},
		{"wish", both, "zh", []string{"en"}, EN},
		{"unoffered wish is passed over", []string{ZH}, "", []string{"en"}, ZH},
		{"second wish", both, "", []string{"xx", EN}, EN},
		{"header", both, "en-GB,en;q=0.9", nil, EN},
		{"header prefers Chinese", both, "zh-TW,zh;q=0.9,en;q=0.1", nil, ZH},
		{"foreign header", both, "fr", nil, ZH},
		{"english first tenant", []string{EN, ZH}, "", nil, EN},
		{"overlong header", both, strings.Repeat("en,", 200), nil, ZH},
		{"broken header", both, ";;;q=", nil, ZH},
		{"all offered", nil, "en", nil, EN},
	}
	for _, tt := range tests {
		if got := Choose(tt.offered, tt.accept, tt.wishes...); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text   Text
		locale string
		want   string
	}{
		{Text{"zh-CN": "中", "en": "E"}, EN, "E"},
		{Text{"zh-CN": "中"}, EN, "中"},
		{Text{"en": "E"}, ZH, "E"},
		{Text{"en": "E", "zh-CN": "中"}, "en-US", "E"},
		{nil, ZH, ""},
		{Text{"zh-CN": "{{.X}}"}, ZH, "{{.X}}"},
	}
	for _, tt := range tests {
		if got := tt.text.In(tt.locale); got != tt.want {
			t.Errorf("%v.In(%s) = %q, want %q", tt.text, tt.locale, got, tt.want)
		}
	}
}

func TestLocaleInContext(t *testing.T) {
	t.Parallel()
	if got := Locale(t.Context()); got != Default {
		t.Errorf("empty context: %q", got)
	}
	if got := Locale(WithLocale(t.Context(), EN)); got != EN {
		t.Errorf("got %q", got)
	}
}
