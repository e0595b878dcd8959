package rules

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/i18n"
)

func engine(t *testing.T) *Engine {
	t.Helper()
	e, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func text(s string) i18n.Text { return i18n.Text{"zh-CN": s, "en": s} }

// replacement is a product whose price depends on the old key.
func replacement() Case {
	return Case{
		Service: "replacement", TermYears: 3, Quantity: 2, Payer: "applicant", Fulfilment: "produce",
		Answers: form.Answers{"carrier": "sf"}, Facts: map[string]string{"old_key": "valid"},
		Price: Price{Lines: []PriceLine{
			{Code: "swap", Label: text("换新"), Unit: 8000, Per: "key", When: form.Cond{Fact: "old_key", Is: "valid"}},
			{Code: "anew", Label: text("重办"), Unit: 26000, Per: "key", When: form.Cond{Not: &form.Cond{Fact: "old_key", Is: "valid"}}},
			{Code: "years", Label: text("年费"), Unit: 100, Per: "key_year"},
			{Code: "desk", Label: text("手续费"), Unit: 5, Per: "order"},
		}},
		Delivery: Delivery{Ships: []string{"goods", "invoice"}, Options: []DeliveryOption{
			{Code: "sf", Carrier: "sf", Payer: "applicant", Fee: 1500, Label: text("顺丰")},
			{Code: "sto", Carrier: "sto", Payer: "ca", Label: text("申通")},
			{Code: "desk", Carrier: "pickup", Payer: "ca", Label: text("自取"), When: form.Cond{Field: "near", Is: "yes"}},
		}},
		Invoice: Invoice{Offered: true, Kinds: []InvoiceKind{{Code: "e"}, {Code: "paper"}}},
	}
}

type priced struct {
	Code   string
	Amount int64
	Rule   string
}

func lines(q Quote) []priced {
	var out []priced
	for _, l := range q.Lines {
		out = append(out, priced{l.Code, l.AmountFen, l.Rule})
	}
	return out
}

// req: B28 B29
func TestPriceNamesItsRules(t *testing.T) {
	t.Parallel()
	e := engine(t)
	cases := []struct {
		name string
		edit func(*Case)
		want []priced
	}{
		{"old key valid, freight by the applicant", func(*Case) {}, []priced{
			{"swap", 16000, "price.swap"}, {"years", 600, "price.years"}, {"desk", 5, "price.desk"}, {"delivery", 1500, "delivery.applicant_pays"}}},
		{"old key expired, freight by us", func(c *Case) { c.Facts["old_key"] = "expired"; c.Answers["carrier"] = "sto" }, []priced{
			{"anew", 52000, "price.anew"}, {"years", 600, "price.years"}, {"desk", 5, "price.desk"}}},
		{"nothing is known of the old key", func(c *Case) { c.Facts = nil; c.Answers["carrier"] = "sto" }, []priced{
			{"anew", 52000, "price.anew"}, {"years", 600, "price.years"}, {"desk", 5, "price.desk"}}},
		{"nothing ships, nothing is charged for it", func(c *Case) { c.Fulfilment = "install" }, []priced{
			{"swap", 16000, "price.swap"}, {"years", 600, "price.years"}, {"desk", 5, "price.desk"}}},
		{"a paper invoice ships", func(c *Case) {
			c.Fulfilment = "install"
			c.Answers["invoice_wanted"], c.Answers["invoice_kind"] = "yes", "paper"
		}, []priced{{"swap", 16000, "price.swap"}, {"years", 600, "price.years"}, {"desk", 5, "price.desk"}, {"delivery", 1500, "delivery.applicant_pays"}}},
		{"the enterprise pays", func(c *Case) { c.Payer = "enterprise" }, nil},
	}
	for _, tc := range cases {
		c := replacement()
		tc.edit(&c)
		q, err := e.Price(context.Background(), c)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if d := cmp.Diff(tc.want, lines(q)); d != "" {
			t.Errorf("%s (-want +got):\n%s", tc.name, d)
		}
		var sum int64
		for _, l := range q.Lines {
			sum += l.UnitFen * int64(l.Quantity)
		}
		if sum != q.TotalFen {
			t.Errorf("%s: total %d, lines %d", tc.name, q.TotalFen, sum)
		}
	}
}

func TestPriceOfNothingIsAnError(t *testing.T) {
	t.Parallel()
	c := replacement()
	c.Price.Lines = c.Price.Lines[:1]
	c.Facts["old_key"] = "revoked"
	if q, err := engine(t).Price(context.Background(), c); err == nil {
		t.Errorf("quoted %v", q)
	}
}

func TestDeliveryAndInvoice(t *testing.T) {
	t.Parallel()
	e := engine(t)
	c := replacement()
	d, err := e.Delivery(context.Background(), c)
	if err != nil || !d.Needed || d.Rule != "delivery.goods" || len(d.Options) != 2 {
		t.Errorf("%+v, %v", d, err)
	}
	c.Answers["near"] = "yes"
	if d, _ = e.Delivery(context.Background(), c); len(d.Options) != 3 || d.Options[2].Carrier != "pickup" {
		t.Errorf("%+v", d)
	}
	c.Fulfilment = "install"
	if d, _ = e.Delivery(context.Background(), c); d.Needed || d.Rule != "delivery.nothing_ships" {
		t.Errorf("%+v", d)
	}
	for _, tc := range []struct {
		wanted, kind string
		offered      bool
		want         InvoiceDecision
	}{
		{"yes", "paper", true, InvoiceDecision{true, "paper", "invoice.wanted"}},
		{"yes", "special", true, InvoiceDecision{true, "e", "invoice.wanted"}},
		{"yes", "", true, InvoiceDecision{true, "e", "invoice.wanted"}},
		{"no", "paper", true, InvoiceDecision{false, "", "invoice.declined"}},
		{"", "", true, InvoiceDecision{false, "", "invoice.not_asked_yet"}},
		{"yes", "e", false, InvoiceDecision{false, "", "invoice.not_offered"}},
	} {
		c.Answers["invoice_wanted"], c.Answers["invoice_kind"], c.Invoice.Offered = tc.wanted, tc.kind, tc.offered
		got, err := e.Invoice(context.Background(), c)
		if err != nil || got != tc.want {
			t.Errorf("%+v gives %+v, %v", tc, got, err)
		}
	}
}

// req: B7 K1
func TestEligibility(t *testing.T) {
	t.Parallel()
	e := engine(t)
	c := replacement()
	c.Eligibility = Eligibility{Confirm: []string{"eligible"}, Roster: true, RosterBy: "dealer_code", OldKey: []string{"valid", "expired"}}
	for _, tc := range []struct {
		tick, roster, key string
		rule              string
		ids               []string
	}{
		{"yes", "listed", "valid", "eligibility.allowed", nil},
		{"", "listed", "valid", "eligibility.unconfirmed", []string{"rules.unconfirmed"}},
		{"yes", "unlisted", "expired", "eligibility.roster", []string{"rules.not_on_roster"}},
		{"yes", "", "expired", "eligibility.roster", []string{"rules.not_on_roster"}},
		{"", "unlisted", "revoked", "eligibility.unconfirmed", []string{"rules.unconfirmed", "rules.not_on_roster", "rules.old_key_revoked"}},
	} {
		c.Answers["eligible"] = tc.tick
		c.Facts = map[string]string{"old_key": tc.key, "roster": tc.roster}
		d, err := e.Eligible(context.Background(), c)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, r := range d.Reasons {
			ids = append(ids, r.ID)
		}
		if d.Rule != tc.rule || d.Allowed != (len(tc.ids) == 0) || !cmp.Equal(ids, tc.ids) {
			t.Errorf("%+v gives %+v", tc, d)
		}
	}
	c.Facts = nil
	if d, _ := e.Eligible(context.Background(), c); d.Allowed || d.Reasons[len(d.Reasons)-1].ID != "rules.old_key_unknown" {
		t.Errorf("an unknown key is allowed: %+v", d)
	}
}

func TestReview(t *testing.T) {
	t.Parallel()
	e := engine(t)
	c := replacement()
	for _, tc := range []struct {
		mode string
		auto form.Cond
		fact string
		want string
	}{
		{"manual", form.Cond{Fact: "checks", Is: "passed"}, "passed", "review.manual"},
		{"auto_when_checks_pass", form.Cond{}, "passed", "review.manual"},
		{"auto_when_checks_pass", form.Cond{Fact: "checks", Is: "passed"}, "failed", "review.manual"},
		{"auto_when_checks_pass", form.Cond{Fact: "checks", Is: "passed"}, "", "review.manual"},
		{"auto_when_checks_pass", form.Cond{Fact: "checks", Is: "passed"}, "passed", "review.checks_passed"},
	} {
		c.Review, c.Facts = Review{Mode: tc.mode, Auto: tc.auto}, map[string]string{"checks": tc.fact}
		if d, err := e.AutoApprove(context.Background(), c); err != nil || d.Rule != tc.want || d.Allowed != (tc.want == "review.checks_passed") {
			t.Errorf("%+v gives %+v, %v", tc, d, err)
		}
	}
}

const surcharge = `package tenant

lines contains line if {
	input.quantity > 1
	line := {"code": "bulk", "label": {"zh-CN": "批量处理费", "en": "Bulk handling"}, "quantity": 1, "unit_fen": 500}
}

deny contains {"rule": "too_many", "field": "quantity", "text": {"zh-CN": "每次最多两个", "en": "Two at most"}} if input.quantity > 2
`

func TestTenantModuleAddsAndRefuses(t *testing.T) {
	t.Parallel()
	m, err := NewModule(surcharge)
	if err != nil {
		t.Fatal(err)
	}
	e, c := engine(t), replacement()
	c.Module = m
	q, err := e.Price(context.Background(), c)
	if err != nil || q.Lines[len(q.Lines)-1].Rule != "tenant.bulk" || q.TotalFen != 16000+600+5+1500+500 {
		t.Errorf("%+v, %v", q, err)
	}
	c.Quantity = 3
	d, err := e.Eligible(context.Background(), c)
	if err != nil || d.Allowed || d.Rule != "tenant.too_many" || d.Reasons[0].Text.In("en") != "Two at most" {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestTenantModuleStaysInItsSandbox(t *testing.T) {
	t.Parallel()
	for name, source := range map[string]string{
		"network":        "package tenant\ndeny contains {\"rule\": \"x\"} if http.send({\"method\": \"get\", \"url\": \"http://localhost\"})",
		"clock":          "package tenant\ndeny contains {\"rule\": \"x\"} if time.now_ns() > 0",
		"environment":    "package tenant\ndeny contains {\"rule\": \"x\"} if opa.runtime().env.HOME",
		"lookup":         "package tenant\ndeny contains {\"rule\": \"x\"} if net.lookup_ip_addr(\"localhost\")",
		"chance":         "package tenant\ndeny contains {\"rule\": \"x\"} if rand.intn(\"a\", 2) == 1",
		"other packages": "package tenant\ndeny contains {\"rule\": \"x\"} if data.rules.price.decision",
		"all data":       "package tenant\ndeny contains {\"rule\": \"x\"} if data[input.x]",
		"import":         "package tenant\nimport data.rules.price\ndeny contains {\"rule\": \"x\"} if price.decision",
		"its name":       "package rules.price\nlines := []",
		"syntax":         "package tenant\nlines contains {",
		"not a policy":   "",
	} {
		if _, err := NewModule(source); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestBadLinesOfAModuleAreRefused(t *testing.T) {
	t.Parallel()
	e, c := engine(t), replacement()
	for _, line := range []string{
		`{"code": "rebate", "label": {"en": "x"}, "quantity": 1, "unit_fen": -100}`,
		`{"code": "rebate", "label": {"en": "x"}, "quantity": -1, "unit_fen": 100}`,
		`{"code": "", "label": {"en": "x"}, "quantity": 1, "unit_fen": 100}`,
		`{"code": "much", "label": {"en": "x"}, "quantity": 1, "unit_fen": 99999999999}`,
		`{"code": "half", "label": {"en": "x"}, "quantity": 1, "unit_fen": 0.5}`,
		`"text"`,
	} {
		m, err := NewModule("package tenant\nlines contains " + line)
		if err != nil {
			t.Fatal(err)
		}
		c.Module = m
		if q, err := e.Price(context.Background(), c); err == nil {
			t.Errorf("%s: quoted %v", line, q)
		}
	}
}

func TestRunawayModuleIsStopped(t *testing.T) {
	t.Parallel()
	m, err := NewModule("package tenant\ndeny contains {\"rule\": \"x\", \"text\": {\"en\": \"x\"}} if count({[a, b, c] | some a in numbers.range(1, 400); some b in numbers.range(1, 400); some c in numbers.range(1, 400)}) == 1")
	if err != nil {
		t.Fatal(err)
	}
	c := replacement()
	c.Module = m
	start := time.Now()
	d, err := engine(t).Eligible(context.Background(), c)
	if !errors.Is(err, fault.Unavailable) || d.Allowed {
		t.Errorf("%+v, %v", d, err)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	if bad := i18n.Lint(Messages); len(bad) > 0 {
		t.Error(strings.Join(bad, "\n"))
	}
	b := i18n.Must(Messages)
	for _, id := range []string{"rules.unconfirmed", "rules.not_on_roster", "rules.old_key_none", "rules.old_key_valid", "rules.old_key_expired", "rules.old_key_revoked", "rules.old_key_unknown", "rules.too_slow"} {
		if !b.Has(id) {
			t.Error(id)
		}
	}
}

func BenchmarkPrice(b *testing.B) {
	e, err := New()
	if err != nil {
		b.Fatal(err)
	}
	c := replacement()
	for b.Loop() {
		if _, err := e.Price(context.Background(), c); err != nil {
			b.Fatal(err)
		}
	}
}

// Prices include the tax; what is left without it is rounded to the fen, and both make the whole.
func TestSplit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		amount    int64
		rate      int
		net, want int64
	}{{20000, 6, 18868, 1132}, {20000, 13, 17699, 2301}, {20000, 0, 20000, 0}, {1, 6, 1, 0}, {0, 6, 0, 0}, {53, 6, 50, 3}, {10000, 100, 5000, 5000}, {3, 100, 2, 1}} {
		if net, tax := (Invoice{TaxRate: tt.rate}).Split(tt.amount); net != tt.net || tax != tt.want {
			t.Errorf("%d at %d %%: %d and %d, want %d and %d", tt.amount, tt.rate, net, tax, tt.net, tt.want)
		}
	}
}
