package console

import (
	"strings"

	"certsaas/core/identifier"
)

// fits tells whether something of what is known about a row holds what was typed: part of a number, of a name, of an amount
// ("1234.5" is in "¥1,234.50"). Lists that are read whole are searched so; the stored ones have blind indexes (Filter).
func fits(typed string, known ...string) bool {
	want := bare(typed)
	for _, s := range known {
		if strings.Contains(bare(s), want) {
			return true
		}
	}
	return want == ""
}

// bare is a text without what people leave out when they search: blanks, signs of money, capitals, full-width forms.
func bare(s string) string {
	return strings.ToUpper(strings.NewReplacer(" ", "", ",", "", "¥", "", "￥", "").Replace(identifier.Normalise(s)))
}
