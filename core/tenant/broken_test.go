package tenant

import (
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"certsaas/tenants"
)

// mistake is one fault in a pack: old text becomes wrong text in a file; the
// message must name the file and the line of the wrong text, what, and the remedy.
type mistake struct {
	file, old, wrong string
	at               string // text on the line that must be named; "" = wrong
	what, remedy     string
}

// mistakes are all in different places of the harbour pack, so that they can be made at once.
var mistakes = []mistake{
	// what the decoder finds
	{"tenant.yaml", "hotline: 0592-6216688", "hotlin: 0592-6216688", "", `unknown key "hotlin"`, `did you mean "hotline"?`},
	{"tenant.yaml", "header: hero", "header: heroic", "", `"heroic" is not possible here`, `did you mean "hero"?`},
	{"tenant.yaml", "languages: [en, zh-CN]", "languages: [en, zh-CN, fr]", "", `"fr" is not possible here`, "use one of: en, zh-CN"},
	{"tenant.yaml", "greeting: {en: Keys for the port, zh-CN: 口岸电子钥匙}", "greeting: {en: Keys for the port}", "", `the text has no "zh-CN"`, "add zh-CN: …"},
	{"products/member.yaml", "max: 1, default: 1", "max: one, default: 1", "", `"one" is not a whole number`, "write digits only"},
	{"products/member.yaml", "service: first_issue", "service: first_isue", "", `"first_isue" is not possible here`, `did you mean "first_issue"?`},
	{"products/member.yaml", "summary: {en: The port gives each member a key for three years., zh-CN: 口岸为每位会员提供三年期钥匙。}", "sumary: {en: The port gives each member a key., zh-CN: 口岸提供钥匙。}", "", `unknown key "sumary"`, `did you mean "summary"?`},
	{"products/member.yaml", "roster: true, roster_by", "roster: maybe, roster_by", "", `"maybe" is neither true nor false`, "write true or false"},
	{"letters/authority.yaml", "authorises {agent_name} to", "authorises {agent_nam} to", "", "the languages fill different blanks", "use the same {placeholders}"},
	// what the rules of meaning find
	{"products/unlock.yaml", "unit: 30.00", "unit: 30", "", `"30" is not an amount of money`, "write yuan with two decimals"},
	{"products/replacement.yaml", "validator: full_name", "validator: ful_name", "", `there is no validator "ful_name"`, `did you mean "full_name"?`},
	{"products/replacement.yaml", "visible_when: {field: signer, is: other}\n      fields", "visible_when: {field: signer, is: somebody}\n      fields", "visible_when: {field: signer, is: somebody}", `"signer" can never be "somebody"`, "use one of: legal, other"},
	{"products/replacement.yaml", "methods: [bank_transfer]", "methods: [alipay, bank_transfer]", "", "only a transfer reaches the enterprise's own account", "say methods: [bank_transfer]"},
	{"products/replacement.yaml", "bank: group", "bank: grup", "", `there is no bank account "grup"`, `did you mean "group"?`},
	{"products/replacement.yaml", "letter: authority, when: {field: signer, is: other}", "letter: autority, when: {field: signer, is: other}", "", `there is no letter "autority"`, `did you mean "authority"?`},
	{"products/replacement.yaml", "step: details\n      title: {en: Applicant", "step: detail\n      title: {en: Applicant", "step: detail\n", `there is no step "detail"`, `did you mean "details"?`},
	{"products/replacement.yaml", "fact: old_key, is: valid}}\n    - {code: anew", "fact: old_kee, is: valid}}\n    - {code: anew", "fact: old_kee", `there is no fact "old_kee"`, `did you mean "old_key"?`},
	{"products/replacement.yaml", "ask_when: after_approval", "ask_when: with_order", "", "no field invoice_wanted is asked on a step with when: order", "add the group of the invoice"},
	{"fields.yaml", "HB-[0-9]{4}", "HB-[0-9{4}", "", "the pattern does not compile", "correct the RE2 expression"},
	{"products/replacement.yaml", "{value: broken,", "{value: lost, ", "value: lost,  label", `option "lost" is written twice`, "give each option its own value"},
	{"theme/mark.svg", `<text x="42"`, `<text onclick="x()" x="42"`, "", `the drawing holds the attribute onclick`, "draw with plain shapes"},
	{"rules.rego", "unit_fen\": 1000", "unit_fen\": time.now_ns()", "", "undefined function time.now_ns", "network, time and other packages are not available"},
}

func harbour(t *testing.T) fstest.MapFS {
	t.Helper()
	out := fstest.MapFS{}
	root := os.DirFS("testdata/packs/harbour")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := fs.ReadFile(root, name)
		out[name] = &fstest.MapFile{Data: b}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (m mistake) make(t *testing.T, pack fstest.MapFS) {
	t.Helper()
	text := string(pack[m.file].Data)
	if strings.Count(text, m.old) != 1 {
		t.Fatalf("%s: %q is there %d times", m.file, m.old, strings.Count(text, m.old))
	}
	pack[m.file] = &fstest.MapFile{Data: []byte(strings.Replace(text, m.old, m.wrong, 1))}
}

// line is where the message must point.
func (m mistake) line(pack fstest.MapFS) int {
	at := m.at
	if at == "" {
		at = m.wrong
	}
	before, _, _ := strings.Cut(string(pack[m.file].Data), at)
	return strings.Count(before, "\n") + 1
}

func (m mistake) matches(p Problem, pack fstest.MapFS) bool {
	return p.File == m.file && p.Line == m.line(pack) && strings.Contains(p.What, m.what) && strings.Contains(p.Remedy, m.remedy)
}

func TestEachMistakeIsNamed(t *testing.T) {
	t.Parallel()
	for i, m := range mistakes {
		t.Run(fmt.Sprint(i, " ", m.what), func(t *testing.T) {
			t.Parallel()
			pack := harbour(t)
			m.make(t, pack)
			_, ps := Load(tenants.Base(), pack)
			for _, p := range ps {
				if m.matches(p, pack) {
					return
				}
			}
			t.Errorf("want %s:%d %s; %s\ngot:\n%s", m.file, m.line(pack), m.what, m.remedy, ps.Error())
		})
	}
}

func TestTwentyMistakesGiveTwentyMessages(t *testing.T) {
	t.Parallel()
	pack := harbour(t)
	for _, m := range mistakes {
		m.make(t, pack)
	}
	_, ps := Load(tenants.Base(), pack)
	for _, m := range mistakes {
		found := 0
		for _, p := range ps {
			if m.matches(p, pack) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%d messages say %s:%d %s", found, m.file, m.line(pack), m.what)
		}
	}
	if len(mistakes) < 20 || len(ps) != len(mistakes) {
		t.Errorf("%d mistakes, %d messages:\n%s", len(mistakes), len(ps), ps.Error())
	}
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ file, text, want string }{
		"syntax":        {"products/unlock.yaml", "code: HB\n  slug: [", "products/unlock.yaml:2: "},
		"twice":         {"messages.yaml", "code:\n  sms: {en: \"{code}\", zh-CN: \"{code}\"}\ncode: {}\n", `messages.yaml:3: code: key "code" is written twice; keep one of the two`},
		"anchor":        {"options.yaml", "a: &x []\nb: *x\n", "options.yaml:2: anchors and aliases are not supported"},
		"empty":         {"fields.yaml", "# nothing\n", "fields.yaml:1: the file holds no keys"},
		"unknown file":  {"tenant.yml", "x: 1\n", "tenant.yml: a pack has no such file"},
		"a list":        {"groups.yaml", "- a\n", "groups.yaml:1: the file holds no keys"},
		"binary":        {"theme/photo.svg", "<svg\x00", "theme/photo.svg: the file is not text in UTF-8"},
		"unknown event": {"messages.yaml", "aprove: {sms: {en: x, zh-CN: x}}\n", `messages.yaml:1: aprove: there is no event "aprove"; did you mean "approve"?`},
		"wrong blank":   {"messages.yaml", "approve: {sms: {en: \"{waybil}\", zh-CN: \"{waybil}\"}}\n", `messages.yaml:1: approve.sms: there is no placeholder "waybil"`},
	} {
		pack := harbour(t)
		pack[tc.file] = &fstest.MapFile{Data: []byte(tc.text)}
		if _, ps := Load(tenants.Base(), pack); !strings.Contains(ps.Error(), tc.want) || tc.want != "" && len(ps) == 0 {
			t.Errorf("%s: want %s, got:\n%s", name, tc.want, ps.Error())
		}
	}
}

// TestDamagedPacksNeverPanic takes lines away at random: whatever is left either compiles or is explained.
func TestDamagedPacksNeverPanic(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewSource(7))
	names := []string{"tenant.yaml", "product.yaml", "fields.yaml", "products/replacement.yaml", "products/unlock.yaml", "products/member.yaml", "letters/authority.yaml"}
	for range 150 {
		pack := harbour(t)
		name := names[r.Intn(len(names))]
		lines := strings.Split(string(pack[name].Data), "\n")
		at := r.Intn(len(lines))
		end := min(len(lines), at+1+r.Intn(6))
		pack[name] = &fstest.MapFile{Data: []byte(strings.Join(append(lines[:at:at], lines[end:]...), "\n"))}
		def, ps := Load(tenants.Base(), pack)
		for _, p := range ps {
			if p.File == "" || p.What == "" || p.Remedy == "" {
				t.Errorf("%s without lines %d to %d: %+v", name, at+1, end, p)
			}
		}
		if len(ps) == 0 && def.Slug == "" {
			t.Errorf("%s without lines %d to %d: no tenant, no problem", name, at+1, end)
		}
	}
}
