package form

import (
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

// specimen holds values per validator: printed samples of the standards and
// synthetic numbers, none of a living person or a trading company.
type specimen struct{ good, bad []string }

var specimens = map[string]specimen{
	"uscc":             {[]string{"91350200MA2XYKHT6G", "12110000MB0123AB41", "91350100M000100Y43"}, []string{"9135O100M000100Y43", "91350100M000100Y4"}},
	"org_code":         {[]string{"D2143569X", "612345675"}, []string{"D21435690", "D2143569", "PDY000017"}},
	"reg_no":           {[]string{"110108000000016", "350200200001234"}, []string{"32048300006784", "11010800000001X"}},
	"org_code_any":     {[]string{"91350200MA2XYKHT6G", "D2143569X"}, []string{"9135020", "91350100M000100I43"}},
	"resident_id":      {[]string{"11010519491231002X", "34052419800101001X"}, []string{"110105194912310021", "110105491231002", "11010519900230001X", "87522119940201887X"}},
	"passport":         {[]string{"E12345678", "EA1234567"}, []string{"EI1234567", "E1"}},
	"foreign_passport": {[]string{"L8CX4V0P2"}, []string{"ABCDEFGH"}},
	"hk_macau_permit":  {[]string{"H12345678"}, []string{"C12345678"}},
	"taiwan_permit":    {[]string{"07257456"}, []string{"T12345678"}},
	"foreign_pr":       {[]string{"932682198501010017", "KAZ110090123105"}, []string{"910110200001010018", "KAZ1100901"}},
	"mobile":           {[]string{"13800138000", "19212345678"}, []string{"12800138000", "1380013800", "138001380001"}},
	"landline":         {[]string{"010-50947500", "0592-6216688"}, []string{"50947500", "026-12345678"}},
	"postal":           {[]string{"361023", "100085"}, []string{"000000", "1000855"}},
	"tax_no":           {[]string{"91350200MA2XYKHT6G"}, []string{"12345"}},
	"bank_account":     {[]string{"4000021209200012345"}, []string{"1234567", "40000212x9200012345"}},
	"personal_card":    {[]string{"6225881414207430"}, []string{"6225881414207431"}},
	"dealer_code":      {[]string{"DL20260001", "1234567890"}, []string{"12345", "代理商编码一二三四五"}},
	"person_name":      {[]string{"王演示", "买买提·艾力"}, []string{"张三1", "阿··卜"}},
	"latin_name":       {[]string{"Ada Sample"}, []string{"Ada 3"}},
	"full_name":        {[]string{"王演示", "Ada Sample"}, []string{"张三1"}},
	"org_name":         {[]string{"演示贸易（厦门）有限公司", "示例汽车销售有限公司"}, []string{strings.Repeat("长", 65)}},
	"email":            {[]string{"demo@example.com"}, []string{"demo", "demo@", "演示@例"}},
	"waybill":          {[]string{"SF7444400043266"}, []string{"SF1", "运单"}},
}

// SampleEnv is an environment for samples: a fixed day, and an account that was registered.
func SampleEnv() Env {
	return Env{
		Now: time.Date(2026, 11, 28, 4, 0, 0, 0, time.UTC),
		Source: func(path string) string {
			if path == "account.mobile" {
				return "13800138000"
			}
			return ""
		},
	}
}

// Sample makes answers that the form accepts; different seeds walk different branches. Deterministic.
func (f Form) Sample(seed int, env Env) Answers {
	a := Answers{}
	for _, g := range f.Groups {
		if !g.VisibleWhen.Holds(a, env.Facts, true) {
			continue
		}
		for _, fd := range g.Fields {
			if fd.VisibleWhen.Holds(a, env.Facts, true) {
				if v := f.sample(fd, seed, a, env); v != "" {
					a[fd.Key] = v
				}
			}
		}
	}
	return a
}

func (f Form) sample(fd Field, seed int, a Answers, env Env) string {
	if fd.ReadOnly {
		return fd.initial(a, env)
	}
	if fd.Sample != "" {
		return fd.Sample
	}
	n := pick(fd.Key, seed)
	switch fd.Type {
	case Select, Radio:
		return fd.Options[n%len(fd.Options)].Value
	case Checkbox:
		return "yes"
	case Number, Quantity:
		return strconv.Itoa(max(fd.Min, 1))
	case Date:
		return env.Now.Format(time.DateOnly)
	case Image, Letter:
		return fmt.Sprintf("00000000-0000-7000-8000-%012x", n)
	}
	if s, ok := specimens[f.validatorOf(fd, a)]; ok {
		return s.good[n%len(s.good)]
	}
	text := []string{"演示", "示例一", "样本内容"}[n%3]
	for len([]rune(text)) < fd.MinLen {
		text += "演"
	}
	return text
}

// Flaw is one wrong answer that a form must refuse.
type Flaw struct {
	Field string
	Value string
	Want  string // message id of the problem, "" = any at that field
}

// Flaws lists wrong answers for each field that these good answers show.
func (f Form) Flaws(good Answers, env Env) []Flaw {
	var out []Flaw
	seen := f.Visible(good, env.Facts)
	for fd := range f.Fields() {
		if !seen[fd.Key] || fd.ReadOnly {
			continue
		}
		if fd.Needs(good, env.Facts) {
			out = append(out, Flaw{fd.Key, "", requiredID(fd.Type)}, Flaw{fd.Key, "  \u3000", requiredID(fd.Type)})
		}
		out = append(out, f.flawsOf(fd, good)...)
	}
	return out
}

func (f Form) flawsOf(fd Field, a Answers) []Flaw {
	var out []Flaw
	add := func(value, want string) { out = append(out, Flaw{fd.Key, value, want}) }
	switch fd.Type {
	case Checkbox:
		return nil
	case Select, Radio:
		add("no-such-choice", "form.choice")
	case Number, Quantity:
		add("many", "form.whole_number")
		if fd.Min > 0 {
			add(strconv.Itoa(fd.Min-1), "form.at_least")
		}
		if fd.Max > 0 {
			add(strconv.Itoa(fd.Max+1), "form.at_most")
		}
	case Date:
		add("2026-02-30", "form.date")
	case Image, Letter:
		add("../../etc/passwd", "form.file")
	default:
		add("a\x00b", "form.characters")
		s, known := specimens[f.validatorOf(fd, a)]
		for _, bad := range s.bad {
			add(bad, "")
		}
		if !known {
			add(strings.Repeat("长", max(fd.MaxLen, 1000)+1), "form.too_long")
		}
		if !known && fd.Pattern != "" {
			add("\u203b", "")
		}
	}
	return out
}

func (f Form) validatorOf(fd Field, a Answers) string {
	c := checker{form: f, res: Result{Answers: a}}
	return c.validator(fd)
}

// pick is a number for a key and a seed; the numbers of different keys do not go in step.
func pick(key string, seed int) int {
	h := fnv.New32a()
	fmt.Fprintf(h, "%s/%d", key, seed)
	return int(h.Sum32() >> 7)
}
