package tenant

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"certsaas/core/form"
	"certsaas/core/rules"
)

// product loads one product of a pack of the program.
func product(t *testing.T, slug, code string) (*Tenant, Product) {
	t.Helper()
	tn, _ := load(t, slug)
	p, ok := tn.Product(code)
	if !ok {
		t.Fatalf("%s has no product %s", slug, code)
	}
	return tn, p
}

func titles(p Product, step string) []string {
	var out []string
	for _, g := range p.Form.Steps(step).Groups {
		out = append(out, g.Title["zh-CN"])
	}
	return out
}

func choicesOf(t *testing.T, p Product, key string) []string {
	t.Helper()
	fd, ok := p.Form.Field(key)
	if !ok {
		t.Fatalf("no field %s", key)
	}
	var out []string
	for _, o := range fd.Options {
		out = append(out, o.Value)
	}
	return out
}

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// asked lists the visible fields of some groups under the answers, by form order.
func asked(p Product, a form.Answers, groups ...string) []string {
	seen := p.Form.Visible(a, nil)
	var out []string
	for _, g := range p.Form.Groups {
		for _, fd := range g.Fields {
			if slices.Contains(groups, g.ID) && seen[fd.Key] {
				out = append(out, fd.Key)
			}
		}
	}
	return out
}

// req: B1 B2 B12 B18 B19 B28 B29 B30 B32 B47 B53
func TestBYDProduct(t *testing.T) {
	t.Parallel()
	tn, p := product(t, "byd", "BYD-GQGX")
	linked, ok := tn.ShortLink("byd-gqgx")
	check(t, "short link", ok && linked.Code == p.Code, true)
	check(t, "operator", tn.Operator()["zh-CN"], "北京天威诚信电子商务服务有限公司")
	check(t, "sole vendor", strings.Contains(tn.Theme().Lead["zh-CN"], "比亚迪唯一指定"), true)
	check(t, "service", []string{p.Service, p.Fulfilment, p.Account, p.Login}, []string{Renewal, "install", "register_first", "password"})
	check(t, "term", p.Term, Term{Years: []int{1}, Default: 1})
	check(t, "quantity", p.Quantity, Quantity{Min: 1, Max: 20, Default: 1})
	check(t, "methods", p.Payment.Methods, []string{"alipay", "wechat", "bank_transfer"})
	check(t, "pay later, lapse", []any{p.Payment.PayLater, p.Payment.LapseDays, p.Payment.When}, []any{true, 15, "before_review"})
	sto, sf := p.Delivery.Options[0], p.Delivery.Options[1]
	check(t, "carriers", []string{sto.Carrier, sto.Payer, sf.Carrier, sf.Payer}, []string{"sto", "ca", "sf", "recipient"})
	check(t, "invoice", []string{p.Invoice.Default, p.Invoice.Kinds[0].Code, p.Invoice.Kinds[1].Code, p.Invoice.Carrier}, []string{"no", "e", "paper", "sto"})
	check(t, "window", p.Window, Window{OpenDays: 90, LateDays: 365, CarryOver: true, DocumentsMonths: 18})
}

// req: B7 B16 B17 B20 B21 B22 B23 B24 B25 B26 B27 B31
func TestBYDFirstStep(t *testing.T) {
	t.Parallel()
	_, p := product(t, "byd", "BYD-GQGX")
	check(t, "groups", titles(p, "form"), []string{"购买产品信息", "企业信息", "代理人信息", "配送信息", "发票信息"})
	check(t, "nature", choicesOf(t, p, "org_nature"), []string{"company", "person", "institution"})
	check(t, "agent", asked(p, form.Answers{}, "agent"), []string{"agent_name", "mobile", "email", "landline", "post", "dealer_code"})
	a := p.Form.Initial(form.SampleEnv())
	check(t, "first answers", []string{a["mobile"], a["invoice_wanted"], a["carrier"], a["term"], a["quantity"], a["org_nature"]}, []string{"13800138000", "no", "sto", "1", "1", "company"})
	typed := p.Form.Sample(0, form.SampleEnv())
	typed["mobile"], typed["dealer_code"] = "13900139000", "dl20260001998877"
	res := p.Form.Check(typed, form.SampleEnv())
	check(t, "kept", []string{res.Answers["mobile"], res.Answers["dealer_code"]}, []string{"13800138000", "DL20260001"})
	typed["invoice_wanted"], typed["org_nature"], typed["org_name"] = "yes", "company", "演示汽车销售有限公司"
	delete(typed, "invoice_title")
	check(t, "invoice title", p.Form.Check(typed, form.SampleEnv()).Answers["invoice_title"], "演示汽车销售有限公司")
	check(t, "no invoice, nothing asked", asked(p, form.Answers{"invoice_wanted": "no"}, "invoice"), []string{"invoice_wanted"})
	check(t, "invoice asked", asked(p, form.Answers{"invoice_wanted": "yes", "invoice_kind": "e"}, "invoice"), []string{"invoice_wanted", "invoice_kind", "invoice_title", "invoice_tax_no", "invoice_email"})
}

// req: B33 B34 B37 B38 B39 B40 B41 B42
func TestBYDRealNameStep(t *testing.T) {
	t.Parallel()
	_, p := product(t, "byd", "BYD-GQGX")
	check(t, "steps", []string{p.Steps[0].ID, p.Steps[0].Next["zh-CN"], p.Steps[1].ID, p.Steps[1].Next["zh-CN"]}, []string{"form", "下一步", "realname", "提交信息"})
	for _, tc := range []struct {
		a    form.Answers
		want []string
	}{
		{form.Answers{"org_nature": "company", "merged": "yes"}, []string{"org_name_licence", "merged", "uscc", "licence_image", "letter"}},
		{form.Answers{"org_nature": "company", "merged": "no"}, []string{"org_name_licence", "merged", "reg_no", "licence_image", "org_code", "org_code_image", "letter"}},
		{form.Answers{"org_nature": "institution"}, []string{"org_name_licence", "uscc", "institution_image", "letter"}},
		{form.Answers{"org_nature": "person"}, []string{"id_no", "id_front", "id_back", "letter"}},
	} {
		check(t, tc.a["org_nature"]+tc.a["merged"], asked(p, tc.a, "org_check", "person_check", "letter"), tc.want)
	}
	for fd := range p.Form.Fields() {
		if fd.IsFile() {
			check(t, fd.Key+" limit", fd.Upload.Limit(), 2097152)
		}
	}
	name, _ := p.Form.Field("org_name_licence")
	check(t, "name is carried over", []any{name.ReadOnly, name.Source}, []any{true, "answers.org_name"})
}

// req: B43 B44 B45
func TestBYDLetters(t *testing.T) {
	t.Parallel()
	tn, p := product(t, "byd", "BYD-GQGX")
	for nature, want := range map[string][]any{
		"company": {"renewal", "physical"}, "institution": {"renewal", "physical"}, "person": {"renewal-person", "signature"},
	} {
		id, ok := p.LetterFor(form.Answers{"org_nature": nature}, nil)
		l, _ := tn.Letter(id)
		check(t, nature, []any{id, l.Seal}, want)
		check(t, "asked", ok, true)
		check(t, "outputs", l.Outputs, []string{"download", "print"})
		check(t, "warning", strings.Contains(l.Note["zh-CN"], "更改后的信息无效"), true)
	}
	fd, _ := p.Form.Field("letter")
	check(t, "scan", []bool{fd.Upload.Seal, fd.Upload.QR}, []bool{true, true})
}

// req: B3 B4 B5 B6 B8 B9 B11 B14 B54 B60 B61 B62
func TestBYDTexts(t *testing.T) {
	t.Parallel()
	tn, p := product(t, "byd", "BYD-GQGX")
	c := tn.Contact()
	check(t, "contact", []string{c.QQ, c.Email, c.Unit["zh-CN"]}, []string{"400-666-3999", "customer-service@itrus.com.cn", "天威诚信客户服务部"})
	var all strings.Builder
	for _, s := range p.Guide {
		for _, b := range s.Body {
			all.WriteString(b["zh-CN"])
		}
	}
	for _, tip := range p.Tips {
		all.WriteString(tip["zh-CN"])
	}
	all.WriteString(p.Audience["zh-CN"] + p.Summary["zh-CN"] + p.Invoice.Kinds[0].Help["zh-CN"] + p.Invoice.Kinds[1].Help["zh-CN"])
	for _, want := range []string{"有效期为一年", "过期之后将无法再使用", "正确更新、管理和使用", "过期之后，需继续使用", "仔细阅读", "同等法律效力", "自行下载打印", "一个月内快递，默认申通快递", "IE8", "真实有效的手机号"} {
		if !strings.Contains(all.String(), want) {
			t.Errorf("nowhere does it say %q", want)
		}
	}
	check(t, "told", []bool{p.Notifies("approve", "sms"), p.Notifies("reject", "sms")}, []bool{true, true})
}

// req: B63 B64 B65 B66 B67 B68 B69 B70
// req: K48 K49 K50 K51 K52 K53 K54 K55
func TestNotices(t *testing.T) {
	t.Parallel()
	ids := []string{"true_information", "proper_use", "no_blows", "custody", "loss", "renew_in_time", "lawful", "questions"}
	words := []string{"真实、准确、完整", "马上拔下", "禁止摔", "禁止私自借给他人", "注销", "即将到期", "违法、犯罪", "咨询"}
	for slug, code := range map[string]string{"byd": "BYD-GQGX", "kinglong": "CERT272353"} {
		_, p := product(t, slug, code)
		for i, n := range p.Notices {
			if n.ID != ids[i] || !strings.Contains(n.Text["zh-CN"], words[i]) {
				t.Errorf("%s notice %d: %s %s", slug, i+1, n.ID, n.Text["zh-CN"])
			}
		}
		check(t, slug, len(p.Notices), 8)
	}
	_, byd := product(t, "byd", "BYD-GQGX")
	check(t, "whom to ask", strings.Contains(byd.Notices[7].Text["zh-CN"], "400-666-3999"), true)
}

// req: K2 K4 K7 K8 K25 K26 K28 K31 K33 K34 K36 K37 K39 K42
func TestKingLongProduct(t *testing.T) {
	t.Parallel()
	tn, p := product(t, "kinglong", "CERT272353")
	check(t, "service", []string{p.Service, p.Fulfilment, p.Account, p.Login}, []string{FirstIssue, "produce", "order_first", "code"})
	check(t, "term", p.Term, Term{Years: []int{1}, Default: 1})
	check(t, "methods", p.Payment.Methods, []string{"alipay"})
	check(t, "confirm", p.Confirm, Confirm{Page: true, Agreement: "service", Code: true, CodeTTL: time.Minute, ResendWait: time.Minute})
	check(t, "one carrier", len(p.Delivery.Options), 1)
	check(t, "freight collect", []string{p.Delivery.Options[0].Carrier, p.Delivery.Options[0].Payer}, []string{"sf", "recipient"})
	check(t, "invoice", []any{p.Invoice.Default, len(p.Invoice.Kinds), p.Invoice.Kinds[0].Code}, []any{"yes", 1, "e"})
	check(t, "review", []any{p.Review.SLAWorkdays, p.Review.Mode, p.Payment.When}, []any{3, "manual", "before_review"})
	_, ok := tn.Agreement(p.Confirm.Agreement)
	check(t, "agreement", ok, true)
	_, ok = tn.Product(p.RenewedBy)
	check(t, "renewal", ok, true)
}

// req: K1 K5 K9 K10 K11 K12 K13 K15 K16 K17 K18 K19 K24 K27
func TestKingLongForm(t *testing.T) {
	t.Parallel()
	_, p := product(t, "kinglong", "CERT272353")
	check(t, "groups", titles(p, "form"), []string{"产品规格", "经办人信息", "单位信息", "授权书", "收件信息", "发票信息"})
	check(t, "handler", asked(p, form.Answers{"id_type": "resident_id"}, "handler"), []string{"agent_name", "mobile", "email", "id_type", "id_no", "id_front", "id_back"})
	check(t, "passport", asked(p, form.Answers{"id_type": "passport"}, "handler"), []string{"agent_name", "mobile", "email", "id_type", "id_no", "id_front"})
	check(t, "unit", asked(p, form.Answers{}, "unit"), []string{"org_name", "org_type", "org_code_any", "industry", "licence_image"})
	mobile, _ := p.Form.Field("mobile")
	check(t, "mobile is typed", mobile.ReadOnly, false)
	check(t, "eligible", p.Eligibility.Confirm, []string{"eligible"})
	a := p.Form.Initial(form.SampleEnv())
	check(t, "invoice by default", a["invoice_wanted"], "yes")
	for _, code := range []string{"91350200MA2XYKHT6G", "D2143569-X", "110108000000016"} {
		s := p.Form.Sample(1, form.SampleEnv())
		s["org_code_any"] = code
		if res := p.Form.Check(s, form.SampleEnv()); !res.OK() {
			t.Errorf("%s: %v", code, res.Problems)
		}
	}
}

// req: K3 K20 K21 K22 K23 K29 K40 K41 K43 K44 K45 K46 K47 K56 K57 K58 K59 K60
func TestKingLongTexts(t *testing.T) {
	t.Parallel()
	tn, p := product(t, "kinglong", "CERT272353")
	c := tn.Contact()
	check(t, "contact", []string{c.QQ, c.Hotline, c.Address["zh-CN"], tn.Operator()["zh-CN"]},
		[]string{"400-666-3999", "010-50947500", "北京市海淀区上地八街7号院4号楼4层", "北京天威诚信电子商务服务有限公司"})
	check(t, "hours", strings.Contains(c.Hours["zh-CN"], "9:00-17:30"), true)
	id, _ := p.LetterFor(form.Answers{}, nil)
	l, _ := tn.Letter(id)
	fd, _ := p.Form.Field("letter")
	check(t, "letter", []any{l.Seal, l.Colour, l.Outputs, fd.Upload.Colour, fd.Upload.Seal}, []any{"physical", true, []string{"download"}, true, true})
	check(t, "letter's warning", strings.Contains(l.Note["zh-CN"], "企业实体公章") && strings.Contains(l.Note["zh-CN"], "与在线填写一致"), true)
	check(t, "invoice path", strings.Contains(p.Invoice.Kinds[0].Help["zh-CN"], "已完成订单－下载发票"), true)
	for _, event := range []string{"approve", "reject", "shipped"} {
		check(t, event, p.Notifies(event, "sms"), true)
	}
}

func TestPricesOfThePacks(t *testing.T) {
	t.Parallel()
	e, err := rules.New()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		slug, code string
		answers    form.Answers
		facts      map[string]string
		total      int64
		rule       string
	}{
		{"byd", "BYD-GQGX", form.Answers{"term": "1", "quantity": "1", "carrier": "sf"}, nil, 20000, "price.renewal"},
		{"byd", "BYD-GQGX", form.Answers{"term": "1", "quantity": "3"}, nil, 60000, "price.renewal"},
		{"kinglong", "CERT272353", form.Answers{"quantity": "2", "carrier": "sf"}, nil, 52000, "price.usbkey"},
		{"kinglong", "CERT272354", form.Answers{"quantity": "1"}, nil, 18000, "price.renewal"},
		{"harbour", "HB-REPLACE", form.Answers{"quantity": "1", "carrier": "desk"}, map[string]string{"old_key": "valid"}, 8000, "price.swap"},
		{"harbour", "HB-REPLACE", form.Answers{"quantity": "1", "carrier": "desk"}, map[string]string{"old_key": "expired"}, 15000, "price.anew"},
		{"harbour", "HB-REPLACE", form.Answers{"quantity": "2", "carrier": "sf", "loss": "broken"}, map[string]string{"old_key": "valid"}, 16000 + 1800 + 1000, "price.swap"},
		{"harbour", "HB-MEMBER", form.Answers{"member_no": "HB-0001"}, nil, 0, ""},
	} {
		tn, p := product(t, tc.slug, tc.code)
		q, err := e.Price(context.Background(), tn.Case(p, tc.answers, tc.facts))
		if err != nil || q.TotalFen != tc.total || tc.rule != "" && q.Lines[0].Rule != tc.rule {
			t.Errorf("%s %v: %+v, %v", tc.code, tc.answers, q, err)
		}
	}
	for _, slug := range []string{"byd", "kinglong"} {
		tn, _ := load(t, slug)
		for _, p := range tn.Products() {
			if !p.Price.Demo || !strings.Contains(p.Price.Lines[0].Label["zh-CN"], "演示") {
				t.Errorf("%s: the price is not marked as demonstration", p.Code)
			}
		}
	}
}

// What the third pack needs is all there, as data.
func TestHarbourSettings(t *testing.T) {
	t.Parallel()
	tn, p := product(t, "harbour", "HB-REPLACE")
	check(t, "English first", tn.Languages()[0], "en")
	check(t, "served by nobody else", len(tn.Theme().ServedBy), 0)
	check(t, "replacement", []string{p.Service, p.Payment.When, p.Payment.Payee, p.Certificate.Validity, p.Certificate.RevokeOld, p.Invoice.AskWhen},
		[]string{Replacement, "after_review", "enterprise", "keep_old_end", "key_compromise", "after_approval"})
	check(t, "three years", p.Term.Years, []int{3})
	check(t, "pick-up beside a courier", []string{p.Delivery.Options[0].Carrier, p.Delivery.Options[1].Carrier}, []string{"pickup", "sf"})
	_, needed := p.LetterFor(form.Answers{"signer": "legal"}, nil)
	check(t, "no letter of the legal representative", needed, false)
	check(t, "invoice asked later", len(p.FormAt("after_approval").Groups), 1)
	_, unlock := product(t, "harbour", "HB-UNLOCK")
	check(t, "unlock", []any{unlock.Issues(), unlock.Inbound.Required, len(slices.Collect(unlock.FormAt("send_in").Fields())), unlock.Review.Mode}, []any{false, true, 2, "auto_when_checks_pass"})
	_, member := product(t, "harbour", "HB-MEMBER")
	check(t, "enterprise pays", []any{member.Free(), len(member.Payment.Methods)}, []any{true, 0})
	check(t, "roster", []bool{tn.Listed("HB-0001"), tn.Listed("HB-9999")}, []bool{true, false})
}
