package platform_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
)

// built are the beginnings of message ids that are put together when a page is made, of a state or a code. The rest of
// such an id, if any, must be a word of the program, too.
var built = []string{
	"account.code_text_", "after.item.", "after.key.", "after.key.code.", "after.key.work.", "after.next.", "after.pay.help.", "after.pay.scan_",
	"after.ship.", "after.tab.", "after.who.", "console.act.", "console.actor.", "console.cert.", "console.channel.", "console.col.", "console.desk.",
	"console.fulfilment.", "console.invoice.none", "console.job.", "console.key.", "console.list.", "console.order.work_",
	"console.paper.none", "console.producer.", "console.producer.step_", "console.reveal.", "console.role.", "console.service.", "console.ship.",
	"console.shipping.form_", "console.staff.act_", "console.staff.done_", "console.tenant.", "console.told.", "console.twin.", "console.worry.", "delivery.carrier.",
	"demopay.", "demopay.channel_", "form.", "form.code.", "guide.contact.", "guide.flow.", "guide.freight.", "guide.invoice.default.",
	"guide.invoice.when.", "guide.letter.", "guide.letter.get.", "guide.method.", "guide.pay.when.", "guide.per.", "guide.ship.", "guide.when.",
	"invoice.kind.", "invoice.state.", "letter.result.", "letter.verdict.", "notify.carrier_", "order.event.", "order.state.", "overdue.stage.", "payment.cause.",
	"payment.channel.", "payment.flag.", "payment.refund.", "payment.voucher.", "portal.freight_", "portal.login", "portal.password",
	"portal.receive_", "portal.register", "portal.stage.", "remind.by_", "remind.kind_", "remind.renewal_", "remind.state_", "remind.who_", "remind.why_",
	"renew.carry", "renew.closed_", "renew.early", "renew.late", "renew.open", "renew.revet", "rules.old_key_", "web.e",
}

// ends follow a built middle: "order.state." has none, "after.next." + state + "_text" has one.
var ends = []string{"", "_text", "_hint", "_lead", "_do", "_why", ".text", ".none", ".none_text"}

// Every sentence is said somewhere: its id, or what it is built of, stands in the source.
func TestEverySentenceIsSaid(t *testing.T) {
	t.Parallel()
	said, ids := source(t)
	if len(ids) < 1000 || len(said) < 1000 {
		t.Fatalf("%d ids, %d words: the source was not found", len(ids), len(said))
	}
	for _, id := range ids {
		if !said[id] && !isBuilt(id, said) {
			t.Errorf("%s is never said", id)
		}
	}
	for _, prefix := range built {
		if !slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, prefix) }) {
			t.Errorf("no sentence begins with %s", prefix)
		}
	}
}

// isBuilt tells whether an id is a listed beginning, words of the program, and an end.
func isBuilt(id string, said map[string]bool) bool {
	for _, prefix := range built {
		middle, ok := strings.CutPrefix(id, prefix)
		if !ok {
			continue
		}
		for _, end := range ends {
			m, ok := strings.CutSuffix(middle, end)
			if ok && (m == "" || isSaid(m, said) || prefix == "form." && isVerdict(m, said)) {
				return true
			}
		}
	}
	return false
}

// isSaid tells whether the middle of an id is a word of the program, or two: "out_key".
func isSaid(middle string, said map[string]bool) bool {
	if said[middle] || said[strings.ToUpper(middle)] || status.MatchString(middle) {
		return true
	}
	for i, c := range middle {
		if c == '_' && said[middle[:i]] && said[middle[i+1:]] {
			return true
		}
	}
	return false
}

// isVerdict tells whether the middle of an id is a validator's name and what it found wrong: "uscc.inner".
func isVerdict(middle string, said map[string]bool) bool {
	validator, code, ok := strings.Cut(middle, ".")
	return ok && said[validator] && said[strings.ToUpper(code)]
}

var (
	status = regexp.MustCompile(`^[45][0-9]{2}$`) // web.e404: fault's kinds are numbers
	word   = regexp.MustCompile(`[A-Za-z0-9_.-]+`)
	quoted = regexp.MustCompile("\"([^\"\n]*)\"|'([^'\n]*)'|`([^`]*)`")
)

// source is what stands in quotation marks in the program, its scripts and packs, and the ids of all message files.
func source(t *testing.T) (said map[string]bool, ids []string) {
	t.Helper()
	said = map[string]bool{}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		name := filepath.Base(path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "testdata" || name == "data" || name == "bin" || strings.HasPrefix(name, ".") && name != ".."):
			return fs.SkipDir
		case name == "messages.zh-CN.toml":
			var tree map[string]any
			if _, err := toml.DecodeFile(path, &tree); err != nil {
				return err
			}
			ids = append(ids, leaves("", tree)...)
			return nil
		case strings.HasSuffix(name, "_test.go"), strings.HasSuffix(name, "_templ.go"), !slices.Contains([]string{".go", ".templ", ".js", ".html", ".rego", ".yaml"}, filepath.Ext(name)):
			return nil
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, m := range quoted.FindAllStringSubmatch(string(body), -1) {
			said[m[1]], said[m[2]] = true, true
			for _, word := range word.FindAllString(m[1]+" "+m[3], -1) { // oneof:"ca recipient"
				said[word] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	delete(said, "")
	return said, ids
}

// leaves are the ids of a message file: tables are nested by the dots, a sentence with plural forms is a table with "other".
func leaves(prefix string, tree map[string]any) (ids []string) {
	for key, value := range tree {
		sub, isTable := value.(map[string]any)
		if _, plural := sub["other"]; isTable && !plural {
			ids = append(ids, leaves(prefix+key+".", sub)...)
			continue
		}
		ids = append(ids, prefix+key)
	}
	return ids
}
