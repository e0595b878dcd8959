package identifier

import (
	"strings"
	"testing"
	"time"
)

// row is one line of the tables in the domain notes, §1.
type row struct {
	family string // as Lookup takes it
	typed  string
	code   Code
	value  string // "" = not checked
}

var rows = []row{
	// 1.1 unified social credit code
	{"uscc", "91350100M000100Y43", CodeOK, "91350100M000100Y43"},
	{"uscc", "91350100m000100y43", CodeOK, "91350100M000100Y43"},
	{"uscc", "９１３５０１００Ｍ０００１００Ｙ４３", CodeOK, "91350100M000100Y43"},
	{"uscc", " 9135 0100\u3000M000\u00a0100Y43\t", CodeOK, "91350100M000100Y43"},
	{"uscc", "91350100-M000100Y43", CodeOK, "91350100M000100Y43"},
	{"uscc", "91110108551385082Q", CodeOK, ""},
	{"uscc", "91110000600037341L", CodeOK, ""},
	{"uscc", "91320621MA1MRHG205", CodeOK, ""},
	{"uscc", "121200004013590816", CodeOK, ""},
	{"uscc", "911522010783762860", CodeOK, ""},
	{"uscc", "91620105L015101280", CodeOK, ""},
	{"uscc", "91340621MA2PEN6Q3Y", CodeOK, ""},
	{"uscc", "91620105556284969Y", CodeOK, ""},
	{"uscc", "91350200MA2XYKHT6G", CodeOK, ""},
	{"uscc", "92440300MA5FGH1265", CodeOK, ""},
	{"uscc", "12110000MB0123AB41", CodeOK, ""},
	{"uscc", "51110000500012AB1Q", CodeOK, ""},
	{"uscc", "91350100M000100Y44", CodeCheck, ""},
	{"uscc", "91350100M000010Y43", CodeCheck, ""},
	{"uscc", "9135O100M000100Y43", CodeCharset, ""},
	{"uscc", "91350100M000100I43", CodeCharset, ""},
	{"uscc", "91350100M000100Y4", CodeLength, ""},
	{"uscc", "91350100M000100Y433", CodeLength, ""},
	{"uscc", "91350100M0001TGQXM", CodeCheck, ""},
	{"uscc", "91350211M0000XUF46", CodeCheck, ""},
	{"uscc", "91350203M0001FUE2P", CodeCheck, ""},
	{"uscc", "", CodeEmpty, ""},
	{"uscc", "９１３５０１００某000100Y43", CodeCharset, ""},
	{"uscc", "91350100M000100Y4\x00", CodeCharset, ""},
	{"uscc", "\u202e91350100M000100Y43", CodeCharset, ""},
	{"uscc", "91350100M000100Y4\xff", CodeCharset, ""},
	{"uscc", "91350100ı000100Y43", CodeCharset, ""},
	{"uscc", strings.Repeat("9", 5000), CodeLength, ""},

	// 1.2 organisation code
	{"org_code", "D2143569-X", CodeOK, "D2143569X"},
	{"org_code", "d2143569x", CodeOK, "D2143569X"},
	{"org_code", "00990986X", CodeOK, ""},
	{"org_code", "192317458", CodeOK, ""},
	{"org_code", "MA5DEMX12", CodeOK, ""},
	{"org_code", "612345675", CodeOK, ""},
	{"org_code", "100000008", CodeOK, ""},
	{"org_code", "612345050", CodeOK, ""},
	{"org_code", "61234500X", CodeOK, ""},
	{"org_code", "D21435690", CodeCheck, ""},
	{"org_code", "L5701181X", CodeCheck, ""},
	{"org_code", "D2143569", CodeLength, ""},
	{"org_code", "PDY000017", CodeReserved, ""},
	{"org_code", "000000000", CodeTrivial, ""},
	{"org_code", "D2143569Y", CodeCharset, ""},

	// 1.3 registration number
	{"reg_no", "110108000000016", CodeOK, ""},
	{"reg_no", "320300000174110", CodeOK, ""},
	{"reg_no", "440301104041144", CodeOK, ""},
	{"reg_no", "310117003171688", CodeOK, ""},
	{"reg_no", "350200200001234", CodeOK, ""},
	{"reg_no", "123456789012345", CodeOK, ""},
	{"reg_no", "320483000067847", CodeOK, ""},
	{"reg_no", "320483000067848", CodeCheck, ""},
	{"reg_no", "000000000000001", CodeCheck, ""},
	{"reg_no", "32048300006784", CodeLength, ""},
	{"reg_no", "11010800000001X", CodeCharset, ""},
	{"reg_no", "3502001234567", CodeOld13, ""},

	// 1.1–1.3 in one field
	{"org_code_any", "91350100m000100y43", CodeOK, "91350100M000100Y43"},
	{"org_code_any", "D2143569-X", CodeOK, "D2143569X"},
	{"org_code_any", "110108000000016", CodeOK, ""},
	{"org_code_any", "91350100M000100Y44", CodeCheck, ""},
	{"org_code_any", "91350100", CodeLength, ""},

	// 1.4 resident number
	{"resident_id", "11010519491231002X", CodeOK, ""},
	{"resident_id", "11010519491231002x", CodeOK, "11010519491231002X"},
	{"resident_id", "34052419800101001X", CodeOK, ""},
	{"resident_id", "360426199101010071", CodeOK, ""},
	{"resident_id", "110105200002290013", CodeOK, ""},
	{"resident_id", "11010519900230001X", CodeDate, ""},
	{"resident_id", "110105194912310021", CodeCheck, ""},
	{"resident_id", "440524188001010014", CodeAge, ""},
	{"resident_id", "110105202611230015", CodeFuture, ""},
	{"resident_id", "87522119940201887X", CodeRegion, ""},
	{"resident_id", "110105491231002", CodeOld15, ""},
	{"resident_id", "810000199408230021", CodeOK, ""},
	{"resident_id", "830000199201300022", CodeOK, ""},
	{"resident_id", "932682198501010017", CodeOK, ""},
	{"resident_id", "910110200001010018", CodeRegion, ""},
	{"resident_id", "1101051949123100", CodeLength, ""},
	{"resident_id", "1101051949X231002X", CodeCharset, ""},
	{"foreign_pr", "932682198501010017", CodeOK, ""},
	{"foreign_pr", "KAZ110090123105", CodeOK, ""},
	{"foreign_pr", "11010519491231002X", CodeFormat, ""},

	// 1.5 mobile and landline
	{"mobile", "13800138000", CodeOK, "13800138000"},
	{"mobile", "+86 138-0013-8000", CodeOK, "13800138000"},
	{"mobile", "(+86)13800138000", CodeOK, "13800138000"},
	{"mobile", "008613800138000", CodeOK, "13800138000"},
	{"mobile", "１３８００１３８０００", CodeOK, "13800138000"},
	{"mobile", "19212345678", CodeOK, ""},
	{"mobile", "16212345678", CodeOK, ""},
	{"mobile", "12800138000", CodeFormat, ""},
	{"mobile", "1380013800", CodeLength, ""},
	{"mobile", "138001380001", CodeLength, ""},
	{"mobile", "1380013800a", CodeCharset, ""},
	{"mobile", "\u202d13800138000\u202c", CodeCharset, ""},
	{"landline", "010-50947500", CodeOK, "010-50947500"},
	{"landline", "01050947500", CodeOK, "010-50947500"},
	{"landline", "０１０－５０９４７５００", CodeOK, "010-50947500"},
	{"landline", "010 5094 7500", CodeOK, "010-50947500"},
	{"landline", "0592-6216688", CodeOK, "0592-6216688"},
	{"landline", "+86-592-6216688", CodeOK, "0592-6216688"},
	{"landline", "+86 (0592) 6216688", CodeOK, "0592-6216688"},
	{"landline", "0755-89888888-1234", CodeOK, "0755-89888888-1234"},
	{"landline", "(010)50947500转8001", CodeOK, "010-50947500-8001"},
	{"landline", "010-50947500 分机 8001", CodeOK, "010-50947500-8001"},
	{"landline", "400-666-3999", CodeOK, "400-666-3999"},
	{"landline", "4006663999", CodeOK, "400-666-3999"},
	{"landline", "50947500", CodeLength, ""},
	{"landline", "026-12345678", CodeFormat, ""},
	{"landline", "110", CodeLength, ""},
	{"landline", "0592-1234567", CodeFormat, ""},
	{"landline", "0592-62166881234567890", CodeLength, ""},
	{"landline", "零一零50947500", CodeCharset, ""},
	{"landline", "——", CodeEmpty, ""},

	// 1.6 other documents
	{"passport", "E12345678", CodeOK, ""},
	{"passport", "ea1234567", CodeOK, "EA1234567"},
	{"passport", "PE1234567", CodeOK, ""},
	{"passport", "K12345678", CodeOK, ""},
	{"passport", "EI1234567", CodeFormat, ""},
	{"passport", "E1234567", CodeFormat, ""},
	{"passport", "11010519491231002X", CodeLength, ""},
	{"foreign_passport", "L8CX4V0P2", CodeOK, ""},
	{"foreign_passport", "ABCDEFGH", CodeFormat, ""},
	{"foreign_passport", "AB12", CodeLength, ""},
	{"foreign_passport", "AB_123", CodeCharset, ""},
	{"hk_macau_permit", "H12345678", CodeOK, ""},
	{"hk_macau_permit", "H1234567800", CodeOK, ""},
	{"hk_macau_permit", "C12345678", CodeFormat, ""},
	{"taiwan_permit", "07257456", CodeOK, ""},
	{"taiwan_permit", "1234567890(B)", CodeOK, "1234567890B"},
	{"taiwan_permit", "T12345678", CodeFormat, ""},

	// 1.7 numbers
	{"postal", "100085", CodeOK, ""},
	{"postal", "361023", CodeOK, ""},
	{"postal", "518118", CodeOK, ""},
	{"postal", "010000", CodeOK, ""},
	{"postal", "050000", CodeOK, ""},
	{"postal", "830000", CodeOK, ""},
	{"postal", "999078", CodeOK, ""},
	{"postal", "000000", CodeRegion, ""},
	{"postal", "900000", CodeRegion, ""},
	{"postal", "36102", CodeLength, ""},
	{"tax_no", "91350100M000100Y43", CodeOK, ""},
	{"tax_no", "91350100M000100Y44", CodeCheck, ""},
	{"tax_no", "440301192317459", CodeCheck, ""},
	{"tax_no", "9135010", CodeLength, ""},
	{"bank_account", "6222 0000 0001", CodeOK, "622200000001"},
	{"bank_account", "0200049609200012345", CodeOK, ""},
	{"bank_account", "1234567", CodeLength, ""},
	{"bank_account", "62220000000A", CodeCharset, ""},
	{"personal_card", "6225881414207430", CodeOK, ""},
	{"personal_card", "6225881414207431", CodeCheck, ""},
	{"dealer_code", "1234567890123", CodeTruncated, "1234567890"},
	{"dealer_code", "12345 67890", CodeOK, "1234567890"},
	{"dealer_code", "12345", CodeShort, "12345"},
	{"dealer_code", "byd0012345", CodeOK, "BYD0012345"},
	{"dealer_code", "12345_7890", CodeCharset, ""},

	// 1.8 names
	{"person_name", "张三", CodeOK, "张三"},
	{"person_name", "欧阳娜娜", CodeOK, ""},
	{"person_name", "买买提·艾力", CodeOK, "买买提·艾力"},
	{"person_name", "买买提•艾力", CodeOK, "买买提·艾力"},
	{"person_name", "买买提‧艾力", CodeOK, "买买提·艾力"},
	{"person_name", "买买提∙艾力", CodeOK, "买买提·艾力"},
	{"person_name", "买买提⋅艾力", CodeOK, "买买提·艾力"},
	{"person_name", "买买提・艾力", CodeOK, "买买提·艾力"},
	{"person_name", "买买提･艾力", CodeOK, "买买提·艾力"},
	{"person_name", "买买提ㆍ艾力", CodeOK, "买买提·艾力"},
	{"person_name", "买买提．艾力", CodeOK, "买买提·艾力"},
	{"person_name", "买买提●艾力", CodeOK, "买买提·艾力"},
	{"person_name", "古丽.阿依", CodeOK, "古丽·阿依"},
	{"person_name", "甲.乙.丙", CodeOK, "甲·乙·丙"},
	{"person_name", "阿卜杜拉·阿卜杜热西提·买买提艾力", CodeOK, ""},
	{"person_name", "唐〇", CodeOK, "唐〇"},
	{"person_name", "䶮一", CodeOK, "䶮一"},
	{"person_name", "𠮷田", CodeOK, "𠮷田"},
	{"person_name", "张\u3000三", CodeOK, "张三"},
	{"person_name", "阿不都·", CodeCharset, ""},
	{"person_name", "·阿", CodeCharset, ""},
	{"person_name", "阿··卜", CodeCharset, ""},
	{"person_name", "张三1", CodeCharset, ""},
	{"person_name", "张三（总）", CodeCharset, ""},
	{"person_name", "张\u202e三", CodeCharset, ""},
	{"person_name", "张\u200b三", CodeCharset, ""},
	{"person_name", "张\x00三", CodeCharset, ""},
	{"person_name", "John Smith", CodeCharset, ""},
	{"person_name", "张", CodeOneChar, ""},
	{"person_name", "张\ue863", CodeOverride, ""},
	{"person_name", "\ue863·", CodeCharset, ""},
	{"person_name", strings.Repeat("张", 30), CodeOK, ""},
	{"person_name", strings.Repeat("张", 31), CodeLength, ""},
	{"latin_name", "  O’Brien   Kate ", CodeOK, "O'Brien Kate"},
	{"latin_name", "José Ñuñez-García, Jr.", CodeOK, "José Ñuñez-García, Jr."},
	{"latin_name", "张三", CodeCharset, ""},
	{"latin_name", "Иван", CodeCharset, ""},
	{"latin_name", strings.Repeat("a", 101), CodeLength, ""},
	{"org_name", "某某(厦门)有限公司", CodeOK, "某某（厦门）有限公司"},
	{"org_name", " 某某 (厦门) 有限公司 ", CodeOK, "某某（厦门）有限公司"},
	{"org_name", "ABC  Trading (China) Co., Ltd.", CodeOK, "ABC Trading（China）Co., Ltd."},
	{"org_name", "*", CodeTrivial, ""},
	{"org_name", "＊＊＊", CodeTrivial, ""},
	{"org_name", "某", CodeShort, ""},
	{"org_name", "某某\u202e有限公司", CodeCharset, ""},
	{"org_name", "某某\x00有限公司", CodeCharset, ""},
	{"org_name", "某\ue863有限公司", CodeOverride, ""},
	{"org_name", "某某有限公司😀", CodeCharset, ""},
	{"org_name", strings.Repeat("某", 64), CodeOK, ""},
	{"org_name", strings.Repeat("某", 65), CodeLength, ""},
	{"email", "Zhang.San@Example.CN", CodeOK, "Zhang.San@example.cn"},
	{"email", "a＠x．cn ", CodeOK, "a@x.cn"},
	{"email", "a@x。cn", CodeOK, "a@x.cn"},
	{"email", "customer-service@itrus.com.cn", CodeOK, ""},
	{"email", "a@localhost", CodeFormat, ""},
	{"email", "a..b@x.cn", CodeFormat, ""},
	{"email", "a@b@x.cn", CodeFormat, ""},
	{"email", "张三@x.cn", CodeCharset, ""},
	{"email", "a@x.cn\r\nBcc:b@x.cn", CodeFormat, ""},
	{"email", strings.Repeat("a", 65) + "@x.cn", CodeLength, ""},
}

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
	if !SameOrganisation("91350100m000100y43", "M000100Y-4") || SameOrganisation("91350100M000100Y43", "D2143569X") || SameOrganisation("", "") {
		t.Error("SameOrganisation")
	}
	for s, want := range map[string]OrgClass{
		"91350100M000100Y43": ClassEnterprise, "92440300MA5FGH1265": ClassIndividual, "12110000MB0123AB41": ClassInstitution,
		"51110000500012AB1Q": ClassSocial, "91350100M000100I43": ClassUnknown,
	} {
		if got := USCCClass(s); got != want {
			t.Errorf("%s: class %q, want %q", s, got, want)
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
	if Sex("11010519491231002x") != 'F' || Sex("34052419800101001X") != 'M' || Sex("1") != 0 {
		t.Error("Sex")
	}
}

func TestSuggestDocument(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]string{
		"11010519491231002X": "resident_id", "H1234567800": "hk_macau_permit",
		"1234567890(B)": "taiwan_permit", "E12345678": "passport", "KAZ110090123105": "foreign_pr",
		"932682198501010017": "foreign_pr", "H12345678": "hk_macau_permit passport", "x": "",
	} {
		if got := strings.Join(SuggestDocument(s, today), " "); got != want {
			t.Errorf("%s: %q, want %q", s, got, want)
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
	if CheckPattern("[0-9") == nil || CheckPattern("") != nil {
		t.Error("CheckPattern")
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

func TestOrgNameKey(t *testing.T) {
	t.Parallel()
	same := []string{"某某(厦门)有限公司", "某某（厦门)有限公司", " 某某（厦门） 有限公司", "某某\u3000(厦门)有限公司"}
	for _, s := range same[1:] {
		if OrgNameKey(s) != OrgNameKey(same[0]) {
			t.Errorf("%q differs from %q", s, same[0])
		}
	}
	if OrgNameKey("Abc Trading") != OrgNameKey("ABC TRADING") || OrgNameKey("某甲") == OrgNameKey("某乙") {
		t.Error("OrgNameKey")
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
