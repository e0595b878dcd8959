package console

import (
	"testing"

	"certsaas/console/remindtext"
	"certsaas/core/i18n"
	"certsaas/core/platform"
)

// Every action with words has them in both languages; one without stands under its code.
func TestActsHaveWords(t *testing.T) {
	t.Parallel()
	bundle, err := platform.Sentences(Messages, remindtext.Messages)
	if err != nil {
		t.Fatal(err)
	}
	for _, locale := range i18n.Locales() {
		say := func(id string, kv ...any) string { return bundle.T(locale, id, kv...) }
		for _, a := range append([]string{"order.submit", "order.approve"}, acts...) {
			if word := actWord(a, say); word == a || word == "console.act."+a {
				t.Errorf("%s: %s has no words", locale, a)
			}
		}
		if word := actWord("thing.new", say); word != "thing.new" {
			t.Errorf("an unknown action is called %q", word)
		}
	}
}

// What was typed is found in part, whatever blanks, signs and capitals there are; nothing typed fits everything.
func TestFits(t *testing.T) {
	t.Parallel()
	known := []string{"BYD20261128000001", "演示汽车销售（深圳）有限公司", "¥1,234.50"}
	for typed, want := range map[string]bool{"": true, " byd2026 ": true, "８０００００１": true, "汽车 销售(深圳)": true, "1234.5": true, "￥1,234": true, "1235": false, "广州": false} {
		if fits(typed, known...) != want {
			t.Errorf("%q: %v", typed, !want)
		}
	}
}
