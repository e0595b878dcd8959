package form

import (
	"strings"
	"testing"

	"certsaas/core/i18n"
	"certsaas/core/identifier"
)

// What a field says of a wrong code is true: that it may be handed in all the same is said of a warning, and only of one,
// whichever kind of number the field took it for. req: K17 B42
func TestSaysItMayBeHandedInOnlyWhenItMay(t *testing.T) {
	t.Parallel()
	b := i18n.Must(Messages)
	for _, c := range []struct{ validator, value, id string }{
		{"org_code_any", "123456789", "form.org_code.check"},
		{"org_code_any", "91350200MA2XYKHT6A", "form.uscc.check"},
		{"org_code_any", "110108000000017", "form.reg_no.check"},
		{"org_code_any", "1101080000000", "form.reg_no.old13"},
		{"org_code_any", "9135020", "form.org_code_any.length"},
		{"uscc", "91350200MA2XYKHT6A", "form.uscc.check"},
		{"tax_no", "91350200MA2XYKHT6A", "form.uscc.check"},
		{"org_code", "123456789", "form.org_code.check"},
	} {
		check, ok := identifier.Lookup(c.validator)
		if !ok {
			t.Fatal(c.validator)
		}
		got := check(c.value, identifier.Env{Today: SampleEnv().Now})
		id := sentence(c.validator, got)
		if id != c.id {
			t.Errorf("%s %s: says %s, want %s", c.validator, c.value, id, c.id)
		}
		for locale, may := range map[string]string{"zh-CN": "可以提交", "en": "you can submit"} {
			if said := b.T(locale, id); strings.Contains(said, may) != got.Warning() {
				t.Errorf("%s %s: a warning: %v, and says %q", c.validator, c.value, got.Warning(), said)
			}
		}
	}
}
