package identifier

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

var today = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC) // 10:00 in Shanghai

// vector is a row of testdata/validators.json, computed apart from this code:
// the value as typed and an expectation, a word or a bool.
type vector [2]any

func vectors(t *testing.T) map[string][]vector {
	t.Helper()
	b, err := os.ReadFile("testdata/validators.json")
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(b, &raw); err != nil {
		t.Fatal(err)
	}
	out := map[string][]vector{}
	for name, rows := range raw {
		switch name {
		case "sla", "workdays", "wd_flags", "renew", "remind":
			continue // of core/clock
		}
		var v []vector
		if err := json.Unmarshal(rows, &v); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = v
	}
	return out
}

// families says which validator each family of vectors drives.
var families = map[string]func(string) Verdict{
	"uscc":         USCC,
	"org":          OrgCode,
	"reg15":        RegistrationNumber,
	"rid":          func(s string) Verdict { return ResidentID(s, today) },
	"mobile":       Mobile,
	"landline":     Landline,
	"passport_cn":  Passport,
	"passport_any": ForeignPassport,
	"hkm":          HKMacauPermit,
	"tw":           TaiwanPermit,
	"fpr15":        func(s string) Verdict { return ForeignPR(s, today) },
	"postal":       PostalCode,
	"taxno":        TaxNumber,
	"bank":         BankAccount,
	"luhn":         PersonalCard,
	"name":         FullName,
	"dealer":       func(s string) Verdict { return DealerCode(s, "") },
	"orgname":      OrgName,
}

// kindWords are the variants the vectors tell after OK_.
var kindWords = map[string]Kind{
	"OK_CN": KindCitizen, "OK_HMT": KindResidence, "OK_FPR": KindForeignPR,
	"OK400": KindServiceNumber, "OK_ID": KindCitizen, "OK_20": KindTaxLegacy,
	"OK_15": KindTaxRegion, "OK_LATIN": KindLatin,
}

// req: B26 B40 B42 K12 K17
func TestVectors(t *testing.T) {
	t.Parallel()
	all := vectors(t)
	if len(all) != len(families) {
		t.Errorf("%d families in the file, %d driven", len(all), len(families))
	}
	rows := 0
	for family, vs := range all {
		check := families[family]
		if check == nil {
			t.Errorf("%s: no validator", family)
			continue
		}
		for _, v := range vs {
			rows++
			typed := v[0].(string)
			if problem := mismatch(check(typed), family, v[1]); problem != "" {
				t.Errorf("%s %q: %s", family, typed, problem)
			}
		}
	}
	if rows < 98 {
		t.Errorf("only %d rows driven", rows)
	}
}

// mismatch compares a verdict with a vector's expectation; "" when they agree.
func mismatch(got Verdict, family string, want any) string {
	word, isWord := want.(string)
	if !isWord {
		if ok := want.(bool); (got.Code == CodeOK) != ok {
			return "got " + string(got.Code)
		}
		return ""
	}
	value := ""
	switch kind, known := kindWords[word]; {
	case known && (got.Code != CodeOK || got.Kind != kind):
		return "got " + string(got.Code) + " of kind " + string(got.Kind) + ", want " + word
	case known:
		return ""
	case family == "orgname":
		word, value = "OK", word
	case strings.HasPrefix(word, "OK "):
		word, value = "OK", word[3:]
	case word == "BAD":
		if got.Accepted() {
			return "accepted as " + string(got.Code)
		}
		return ""
	case word == "WARN_CHECK":
		if !got.Warning() {
			return "no warning"
		}
		word = "CHECK"
	}
	if string(got.Code) != word || value != "" && got.Value != value {
		return "got " + string(got.Code) + " " + got.Value + ", want " + word + " " + value
	}
	return ""
}
