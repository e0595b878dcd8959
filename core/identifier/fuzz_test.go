package identifier

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// fuzz drives validators with anything at all. What must hold: no panic, the
// answer does not depend on the call, Value is UTF-8, and an accepted Value is
// accepted again unchanged, so that what is stored stays valid.
func fuzz(f *testing.F, names ...string) {
	f.Helper()
	for _, r := range rows {
		for _, name := range names {
			if r.family == name {
				f.Add(r.typed)
			}
		}
	}
	for _, s := range []string{"", "\x00", "\xff", "\u202e1", "ﷺ", "①²", "ÅÅ", "·", "-", "\ue000", "İ"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, name := range names {
			check, _ := Lookup(name)
			env := Env{Today: today}
			v := check(s, env)
			if v != check(s, env) {
				t.Fatalf("%s %q: two answers", name, s)
			}
			if v.Code == "" || !utf8.ValidString(v.Value) || v.Changed != (v.Value != s) || v.Soft && v.Code == CodeOK {
				t.Fatalf("%s %q: bad verdict %+v", name, s, v)
			}
			if !v.Accepted() {
				continue
			}
			if again := check(v.Value, env); !again.Accepted() || again.Value != v.Value || again.Changed || again.Kind != v.Kind {
				t.Fatalf("%s %q: accepted as %+v, then %+v", name, s, v, again)
			}
		}
	})
}

func FuzzCompany(f *testing.F)  { fuzz(f, "uscc", "org_code", "reg_no", "org_code_any", "tax_no") }
func FuzzResident(f *testing.F) { fuzz(f, "resident_id", "foreign_pr") }
func FuzzDocument(f *testing.F) {
	fuzz(f, "passport", "foreign_passport", "hk_macau_permit", "taiwan_permit")
}
func FuzzPhone(f *testing.F)  { fuzz(f, "mobile", "landline") }
func FuzzNumber(f *testing.F) { fuzz(f, "postal", "bank_account", "personal_card", "dealer_code") }
func FuzzName(f *testing.F)   { fuzz(f, "person_name", "latin_name", "full_name", "org_name") }
func FuzzEmail(f *testing.F)  { fuzz(f, "email") }
func FuzzWaybill(f *testing.F) {
	fuzz(f, "waybill")
}

// FuzzNormalise: normalising twice changes nothing more.
func FuzzNormalise(f *testing.F) {
	for _, r := range rows {
		f.Add(r.typed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		once := Normalise(s)
		if twice := Normalise(once); twice != once {
			t.Fatalf("%q: %q then %q", s, once, twice)
		}
	})
}

// FuzzMask: a mask never shows the whole of a value.
func FuzzMask(f *testing.F) {
	for _, s := range []string{"13800138000", "张三", "a@x.cn", "@", "a@", "11010519491231002X", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || strings.Contains(s, "*") {
			return // nothing to hide, or hidden already
		}
		for _, mask := range []func(string) string{MaskMobile, MaskID, MaskName, MaskEmail} {
			if got := mask(s); got == s {
				t.Fatalf("%q is shown whole", s)
			}
		}
	})
}
