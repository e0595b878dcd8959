package form

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"certsaas/core/i18n"
	"certsaas/core/identifier"
)

func label(s string) i18n.Text { return i18n.Text{"zh-CN": s, "en": s} }

var sampleForm = Form{Groups: []Group{
	{ID: "org", Step: "form", Title: label("企业"), Fields: []Field{
		{Key: "org_name", Type: Text, Label: label("企业名称"), Required: true, Validator: "org_name"},
		{Key: "merged", Type: Radio, Label: label("三证合一"), Required: true, Default: "yes", Options: []Option{{Value: "yes"}, {Value: "no"}}},
		{Key: "uscc", Type: Text, Label: label("代码"), Required: true, Validator: "uscc", VisibleWhen: Cond{Field: "merged", Is: "yes"}},
		{Key: "reg_no", Type: Text, Label: label("执照号"), Required: true, Validator: "reg_no", VisibleWhen: Cond{Field: "merged", Is: "no"}},
		{Key: "org_name_again", Type: Text, Label: label("执照名称"), ReadOnly: true, Source: "answers.org_name"},
	}},
	{ID: "agent", Step: "form", Title: label("代理人"), Fields: []Field{
		{Key: "mobile", Type: Mobile, Label: label("手机"), Required: true, ReadOnly: true, Source: "account.mobile"},
		{Key: "dealer_code", Type: Text, Label: label("代理商编码"), Required: true, Validator: "dealer_code"},
		{Key: "id_type", Type: Select, Label: label("证件类型"), Required: true, Options: []Option{{Value: "cn", Validator: "resident_id"}, {Value: "pp", Validator: "passport"}}},
		{Key: "id_no", Type: Text, Label: label("证件号码"), Required: true, By: "id_type"},
		{Key: "quantity", Type: Quantity, Label: label("数量"), Required: true, Min: 1, Max: 20, Default: "1"},
		{Key: "agree", Type: Checkbox, Label: label("同意"), Required: true},
		{Key: "licence", Type: Image, Label: label("执照"), Required: true},
	}},
}}

func TestSampleIsAccepted(t *testing.T) {
	t.Parallel()
	for seed := range 6 {
		a := sampleForm.Sample(seed, SampleEnv())
		res := sampleForm.Check(a, SampleEnv())
		if !res.OK() {
			t.Errorf("seed %d: %v refused: %v", seed, a, res.Problems)
		}
		if d := cmp.Diff(a, res.Answers); d != "" {
			t.Errorf("seed %d: answers changed (-sample +kept):\n%s", seed, d)
		}
	}
}

// req: B17 K6
func TestFlawsAreRefusedAtTheirField(t *testing.T) {
	t.Parallel()
	for seed := range 4 {
		good := sampleForm.Sample(seed, SampleEnv())
		flaws := sampleForm.Flaws(good, SampleEnv())
		if len(flaws) < 15 {
			t.Fatalf("only %d flaws", len(flaws))
		}
		for _, fl := range flaws {
			bad := Answers{}
			for k, v := range good {
				bad[k] = v
			}
			bad[fl.Field] = fl.Value
			at := slices.IndexFunc(sampleForm.Check(bad, SampleEnv()).Problems, func(p Problem) bool {
				return p.Field == fl.Field && (fl.Want == "" || p.ID == fl.Want)
			})
			if at < 0 {
				t.Errorf("seed %d: %s=%q was accepted", seed, fl.Field, fl.Value)
			}
		}
	}
}

func TestEveryValidatorHasSpecimens(t *testing.T) {
	t.Parallel()
	for _, name := range identifier.Names() {
		s, ok := specimens[name]
		if !ok || len(s.good) == 0 || len(s.bad) == 0 {
			t.Errorf("%s: no specimens", name)
			continue
		}
		check, _ := identifier.Lookup(name)
		env := identifier.Env{Today: SampleEnv().Now}
		for _, g := range s.good {
			if v := check(g, env); !v.Accepted() || v.Value != g {
				t.Errorf("%s: good %q gives %+v", name, g, v)
			}
		}
		for _, b := range s.bad {
			if v := check(b, env); v.Accepted() {
				t.Errorf("%s: bad %q gives %+v", name, b, v)
			}
		}
	}
}

func TestCheckTakesAllProblemsAtOnceAndNormalises(t *testing.T) {
	t.Parallel()
	res := sampleForm.Check(Answers{
		"org_name": "演示(厦门)有限公司 ", "merged": "no", "uscc": "91350200MA2XYKHT6G", "reg_no": "１１０１０８０００００００１６",
		"mobile": "13900139000", "dealer_code": "dl2026000199", "id_type": "cn", "id_no": "E12345678", "quantity": "2", "licence": "",
		"org_name_again": "别的公司",
	}, SampleEnv())
	want := Answers{"org_name": "演示（厦门）有限公司", "merged": "no", "reg_no": "110108000000016", "org_name_again": "演示（厦门）有限公司",
		"mobile": "13800138000", "dealer_code": "DL20260001", "id_type": "cn", "quantity": "2"}
	if d := cmp.Diff(want, res.Answers); d != "" { // req: B24 B31 B38 B39: read-only and hidden answers do not come from what is typed
		t.Errorf("answers (-want +got):\n%s", d)
	}
	var ids []string
	for _, p := range res.Problems {
		ids = append(ids, p.Field+" "+p.ID)
	}
	if d := cmp.Diff([]string{"id_no form.resident_id.length", "agree form.tick", "licence form.required_image"}, ids); d != "" {
		t.Errorf("problems (-want +got):\n%s", d)
	}
	cut := slices.ContainsFunc(res.Notes, func(p Problem) bool { return p.ID == "form.dealer_code.truncated" && p.Args["Value"] == "DL20260001" })
	if !cut { // req: B26
		t.Errorf("no note says that the dealer code was cut: %v", res.Notes)
	}
}

func TestSoftCheckDigitIsAWarning(t *testing.T) {
	t.Parallel()
	a := sampleForm.Sample(0, SampleEnv())
	a["merged"], a["uscc"] = "yes", "91350211M0000XUF46"
	res := sampleForm.Check(a, SampleEnv())
	if !res.OK() || len(res.Warnings) != 1 || res.Warnings[0].ID != "form.uscc.check" {
		t.Errorf("problems %v, warnings %v", res.Problems, res.Warnings)
	}
}

// req: K44
func TestOnlyRefusedFieldsOpen(t *testing.T) {
	t.Parallel()
	prior := sampleForm.Check(sampleForm.Sample(0, SampleEnv()), SampleEnv()).Answers
	prior["merged"], prior["uscc"] = "yes", "91350200MA2XYKHT6G"
	delete(prior, "reg_no")
	open := sampleForm.Editable([]string{"merged"})
	if d := cmp.Diff(map[string]bool{"merged": true, "uscc": true, "reg_no": true}, open); d != "" {
		t.Errorf("open (-want +got):\n%s", d)
	}
	typed := Answers{"org_name": "换一个有限公司", "merged": "no", "reg_no": "350200200001234"}
	env := SampleEnv()
	env.Open, env.Prior = open, prior
	res := sampleForm.Check(typed, env)
	if !res.OK() || res.Answers["org_name"] != prior["org_name"] || res.Answers["reg_no"] != "350200200001234" || res.Answers["uscc"] != "" {
		t.Errorf("problems %v, answers %v", res.Problems, res.Answers)
	}
	var changed []string
	for _, c := range sampleForm.Diff(prior, res.Answers) {
		changed = append(changed, c.Field.Key)
	}
	if d := cmp.Diff([]string{"merged", "uscc", "reg_no"}, changed); d != "" {
		t.Errorf("diff (-want +got):\n%s", d)
	}
}

// A letter prints what was typed: it opens with any refused answer, and not with a refused picture alone.
// req: K44 B45
func TestLetterOpensWithWhatItPrints(t *testing.T) {
	t.Parallel()
	f := Form{Groups: []Group{{ID: "g", Step: "form", Title: label("组"), Fields: []Field{
		{Key: "org_name", Type: Text, Label: label("名称")}, {Key: "photo", Type: Image, Label: label("照片")}, {Key: "letter", Type: Letter, Label: label("授权书")},
	}}}}
	for refused, want := range map[string]map[string]bool{
		"org_name": {"org_name": true, "letter": true}, "photo": {"photo": true}, "letter": {"letter": true},
	} {
		if d := cmp.Diff(want, f.Editable([]string{refused})); d != "" {
			t.Errorf("%s refused (-want +got):\n%s", refused, d)
		}
	}
}

func TestStepsAndDrafts(t *testing.T) {
	t.Parallel()
	two := Form{Groups: []Group{sampleForm.Groups[0], {ID: "later", Step: "later", VisibleWhen: Cond{Field: "merged", Is: "yes"},
		Fields: []Field{{Key: "note", Type: Textarea, Label: label("备注"), Required: true}}}}}
	env := SampleEnv()
	env.Steps = []string{"form"}
	a := Answers{"org_name": "演示有限公司", "merged": "yes", "uscc": "91350200MA2XYKHT6G"}
	if res := two.Check(a, env); !res.OK() {
		t.Errorf("first step: %v", res.Problems)
	}
	env.Steps = []string{"later"}
	res := two.Check(a, env)
	if len(res.Problems) != 1 || res.Problems[0].Field != "note" || res.Answers["uscc"] == "" {
		t.Errorf("later step: %v %v", res.Problems, res.Answers)
	}
	env.Draft = true
	if res := two.Check(Answers{"uscc": "1"}, env); !res.OK() {
		t.Errorf("draft: %v", res.Problems)
	}
}

func TestReadOnlyAnswersOutliveTheirSource(t *testing.T) {
	t.Parallel()
	f := Form{Groups: []Group{{Step: "form", Fields: []Field{{Key: "subject", Type: Text, Label: label("主体"), Required: true, ReadOnly: true, Source: "cert.subject"}}}}}
	res := f.Check(Answers{"subject": "typed"}, Env{Prior: Answers{"subject": "stored"}})
	if !res.OK() || res.Answers["subject"] != "stored" {
		t.Errorf("%+v", res)
	}
	if res := f.Check(Answers{"subject": "typed"}, Env{}); res.OK() {
		t.Errorf("what is typed counts: %+v", res.Answers)
	}
}

func TestConditions(t *testing.T) {
	t.Parallel()
	a, facts := Answers{"x": "1", "y": "2"}, map[string]string{"old_key": "valid"}
	for _, tc := range []struct {
		c    Cond
		want bool
	}{
		{Cond{Field: "x", Is: "1"}, true},
		{Cond{Field: "x", In: []string{"2", "3"}}, false},
		{Cond{Field: "z", Filled: true}, false},
		{Cond{Fact: "old_key", Is: "valid"}, true},
		{Cond{Not: &Cond{Field: "x", Is: "1"}}, false},
		{Cond{All: []Cond{{Field: "x", Is: "1"}, {Field: "y", Is: "2"}}}, true},
		{Cond{Any: []Cond{{Field: "x", Is: "9"}, {Not: &Cond{All: []Cond{{Field: "x", Is: "1"}, {Field: "y", Is: "3"}}}}}}, true},
		{Cond{Not: &Cond{Any: []Cond{{Field: "x", Is: "9"}, {Field: "y", Is: "2"}}}}, false},
	} {
		if got := tc.c.Holds(a, facts, false); got != tc.want {
			t.Errorf("%s = %v", tc.c.JSON(), got)
		}
		if got := holds(tc.c.DNF(), a, facts); got != tc.want {
			t.Errorf("normal form of %s = %v", tc.c.JSON(), got)
		}
	}
}

// holds evaluates a normal form the way the Rego rules do.
func holds(dnf [][]Literal, a Answers, facts map[string]string) bool {
	return slices.ContainsFunc(dnf, func(clause []Literal) bool {
		return !slices.ContainsFunc(clause, func(l Literal) bool {
			v := a[l.Field]
			if l.Fact != "" {
				v = facts[l.Fact]
			}
			ok := slices.Contains(l.Values, v) || len(l.Values) == 0 && v != ""
			return ok == l.Negate
		})
	})
}

func TestMessages(t *testing.T) {
	t.Parallel()
	if bad := i18n.Lint(Messages); len(bad) > 0 {
		t.Error(strings.Join(bad, "\n"))
	}
	b := i18n.Must(Messages)
	for pair := range particular {
		name, code, _ := strings.Cut(pair, ".")
		if _, ok := identifier.Lookup(name); !ok || !b.Has(VerdictID(name, identifier.Code(code))) {
			t.Errorf("%s: no such validator or sentence", pair)
		}
	}
	for _, c := range []identifier.Code{identifier.CodeEmpty, identifier.CodeLength, identifier.CodeCharset, identifier.CodeFormat, identifier.CodeCheck,
		identifier.CodeInner, identifier.CodeDate, identifier.CodeFuture, identifier.CodeAge, identifier.CodeMinor, identifier.CodeRegion, identifier.CodeOld15,
		identifier.CodeOld13, identifier.CodeReserved, identifier.CodeTrivial, identifier.CodeShort, identifier.CodeTruncated, identifier.CodeOneChar,
		identifier.CodeOverride, identifier.CodeCarrier, identifier.CodePattern} {
		if !b.Has(VerdictID("", c)) {
			t.Errorf("code %s has no sentence", c)
		}
	}
	p := Problem{Field: "x", ID: "form.too_long", Args: map[string]any{"Label": i18n.Text{"zh-CN": "备注", "en": "Note"}, "Max": 5, "Has": 9}}
	if got := p.Say(b.For("zh-CN")); got != "备注最多 5 个字，您填写了 9 个，请缩短" {
		t.Error(got)
	}
	if got := p.Say(b.For("en")); !strings.HasPrefix(got, "Note can have at most 5") {
		t.Error(got)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("a", "b")
	f.Fuzz(func(t *testing.T, org, id string) {
		res := sampleForm.Check(Answers{"org_name": org, "dealer_code": id, "id_type": "cn", "id_no": id}, SampleEnv())
		again := sampleForm.Check(res.Answers, SampleEnv())
		for k, v := range res.Answers {
			if again.Answers[k] != v {
				t.Errorf("%s: normalising twice gives %q then %q", k, v, again.Answers[k])
			}
		}
	})
}
