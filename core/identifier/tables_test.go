package identifier

import (
	"strings"
	"testing"
	"time"
)

// soft are the codes that are warnings, by family.
var soft = map[string]bool{
	"uscc CHECK": true, "org_code_any CHECK": true, "tax_no CHECK": true, "reg_no OLD13": true,
	"resident_id AGE": true, "dealer_code TRUNCATED": true,
	"person_name ONE_CHAR": true, "person_name OVERRIDE": true, "org_name OVERRIDE": true,
}

// req: B14 B20 B23 B25 B26 B40 B42 K9 K10 K11 K12 K15 K17
func TestTables(t *testing.T) {
	t.Parallel()
	for _, r := range rows {
		check, ok := Lookup(r.family)
		if !ok {
			t.Fatalf("no validator %q", r.family)
		}
		v := check(r.typed, Env{Today: today})
		if v.Code != r.code || r.value != "" && v.Value != r.value {
			t.Errorf("%s %.40q: got %s %q, want %s %q", r.family, r.typed, v.Code, v.Value, r.code, r.value)
		}
		if v.Changed != (v.Value != r.typed) {
			t.Errorf("%s %.40q: Changed is %v", r.family, r.typed, v.Changed)
		}
		warn := soft[r.family+" "+string(r.code)]
		if v.Warning() != warn || v.Accepted() != (warn || r.code == CodeOK) {
			t.Errorf("%s %.40q %s: warning %v, accepted %v", r.family, r.typed, v.Code, v.Warning(), v.Accepted())
		}
	}
}

func TestRegistryNames(t *testing.T) {
	t.Parallel()
	for name := range strings.FieldsSeq("uscc org_code reg_no org_code_any resident_id passport foreign_passport hk_macau_permit taiwan_permit foreign_pr mobile landline postal tax_no bank_account dealer_code person_name latin_name org_name email waybill") {
		if _, ok := Lookup(name); !ok {
			t.Errorf("no validator %q", name)
		}
	}
	if _, ok := Lookup("nope"); ok {
		t.Error("an unknown name was found")
	}
	for _, name := range Names() {
		check, _ := Lookup(name)
		if v := check(" \u3000", Env{Today: today}); v.Code != CodeEmpty || v.Accepted() {
			t.Errorf("%s: blank gives %s", name, v.Code)
		}
	}
}

// req: K17
func TestCombinedOrgCodeTellsKind(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]Kind{
		"91350100M000100Y43": KindUSCC, "d2143569-x": KindOrgCode, "110108000000016": KindRegNo,
		"3502001234567": KindRegNo, "9135": "",
	} {
		if got := CombinedOrgCode(s).Kind; got != want {
			t.Errorf("%s: kind %q, want %q", s, got, want)
		}
	}
}

func TestInnerOrgCodeIsAWarning(t *testing.T) {
	t.Parallel()
	body := "91350100M000100Y5" // organisation code M000100Y-4 misprinted
	v := USCC(body + string(usccCheck(body)))
	if v.Code != CodeInner || !v.Warning() {
		t.Errorf("got %+v", v)
	}
}

// req: K12
func TestAgeAtTheBirthday(t *testing.T) {
	t.Parallel()
	id := func(born string) string {
		body := "110105" + born + "001"
		return body + string(residentCheck(body))
	}
	for _, tt := range []struct {
		born string
		now  time.Time
		want Code
	}{
		{"20081122", today, CodeOK},
		{"20081123", today, CodeMinor},
		{"20081123", time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC), CodeOK}, // midnight in Shanghai
		{"20261122", today, CodeMinor},
		{"20261123", today, CodeFuture},
		{"20080229", time.Date(2026, 2, 28, 4, 0, 0, 0, time.UTC), CodeOK},
		{"19051122", today, CodeOK},
		{"19051121", today, CodeAge},
		{"20000101", time.Time{}, CodeFuture},
	} {
		if got := ResidentID(id(tt.born), tt.now).Code; got != tt.want {
			t.Errorf("born %s: %s, want %s", tt.born, got, tt.want)
		}
	}
}

// req: B26
func TestDealerCodePattern(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typed, pattern string
		want           Code
		value          string
	}{
		{"byd1234567", "BYD[0-9]{7}", CodeOK, "BYD1234567"},
		{"BYD1234567-89", "^BYD[0-9]{7}$", CodeTruncated, "BYD1234567"},
		{"ABC1234567", "BYD[0-9]{7}", CodeFormat, "ABC1234567"},
		{"12", "[0-9]{2}|[0-9]{4}", CodeOK, "12"},
		{"123", "[0-9]{2}|[0-9]{4}", CodeFormat, "123"}, // alternatives are anchored too
		{"12", "[0-9", CodePattern, "12"},
	} {
		v := DealerCode(tt.typed, tt.pattern)
		if v.Code != tt.want || v.Value != tt.value {
			t.Errorf("%s against %s: got %+v", tt.typed, tt.pattern, v)
		}
	}
}

// req: B27 K25 K40
func TestWaybill(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		carrier, typed string
		want           Code
	}{
		{"sf", "SF7444400043266", CodeOK}, {"SF", "sf 7444 4000 43266", CodeOK}, {"sf", "444010688260", CodeOK},
		{"sf", "77316523125896", CodeCarrier}, {"sto", "77316523125896", CodeOK}, {"sto", "773000000000001", CodeOK},
		{"sto", "268123456789", CodeOK}, {"sto", "STO1234567890", CodeOK}, {"sto", "123456789012", CodeCarrier},
		{"ems", "123456789012", CodeOK}, {"", "12345678", CodeOK}, {"sf", "1234567", CodeLength},
		{"sf", strings.Repeat("1", 33), CodeLength}, {"sf", "SF74444000432/6", CodeCharset},
	} {
		v := Waybill(tt.carrier, tt.typed)
		if v.Code != tt.want || v.Warning() != (tt.want == CodeCarrier) {
			t.Errorf("%s %s: got %+v, want %s", tt.carrier, tt.typed, v, tt.want)
		}
	}
	check, _ := Lookup("waybill")
	if v := check("77316523125896", Env{Pattern: "sf"}); v.Code != CodeCarrier {
		t.Errorf("carrier of Env not used: %+v", v)
	}
}

func TestMasks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mask     func(string) string
		in, want string
	}{
		{MaskMobile, "13800138000", "138****8000"}, {MaskMobile, "12345", "*****"}, {MaskMobile, "", ""},
		{MaskID, "11010519491231002X", "110105********002X"}, {MaskID, "E12345678", "E1*****78"}, {MaskID, "E12", "***"},
		{MaskName, "张三", "张*"}, {MaskName, "欧阳娜娜", "欧***"}, {MaskName, "张", "*"}, {MaskName, "𠮷田", "𠮷*"},
		{MaskEmail, "a@x.cn", "***@x.cn"}, {MaskEmail, "abc@x.cn", "a***@x.cn"}, {MaskEmail, "abc", "***"}, {MaskEmail, "@x.cn", "***@x.cn"},
	} {
		if got := tt.mask(tt.in); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.in, got, tt.want)
		}
	}
}
