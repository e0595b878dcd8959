package rules

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"certsaas/core/form"
	"certsaas/core/i18n"
)

// input is a Case as the rules read it: conditions in normal form, money in fen.
func (c Case) input() map[string]any {
	lines := make([]any, 0, len(c.Price.Lines))
	for _, l := range c.Price.Lines {
		lines = append(lines, map[string]any{"code": l.Code, "unit": l.Unit, "per": l.Per, "when": clauses(l.When)})
	}
	options := make([]any, 0, len(c.Delivery.Options))
	for _, o := range c.Delivery.Options {
		options = append(options, map[string]any{"code": o.Code, "carrier": o.Carrier, "payer": o.Payer, "fee": o.Fee, "when": clauses(o.When)})
	}
	kinds := make([]any, 0, len(c.Invoice.Kinds))
	for _, k := range c.Invoice.Kinds {
		kinds = append(kinds, k.Code)
	}
	auto := []any{}
	if !c.Review.Auto.Empty() {
		auto = clauses(c.Review.Auto)
	}
	return map[string]any{
		"service": c.Service, "term_years": c.TermYears, "quantity": c.Quantity, "payer": c.Payer, "fulfilment": c.Fulfilment,
		"answers": object(c.Answers), "facts": object(c.Facts),
		"price":       map[string]any{"lines": lines},
		"delivery":    map[string]any{"ships": list(c.Delivery.Ships), "options": options},
		"invoice":     map[string]any{"offered": c.Invoice.Offered, "kinds": kinds},
		"eligibility": map[string]any{"confirm": list(c.Eligibility.Confirm), "roster": c.Eligibility.Roster, "roster_by": c.Eligibility.RosterBy, "old_key": list(c.Eligibility.OldKey)},
		"review":      map[string]any{"mode": c.Review.Mode, "auto": auto},
	}
}

func clauses(w form.Cond) []any {
	var out []any
	for _, clause := range w.DNF() {
		all := []any{}
		for _, l := range clause {
			if l.Field == "" && l.Fact == "" { // the empty condition
				continue
			}
			m := map[string]any{"values": list(l.Values), "negate": l.Negate, "field": l.Field}
			if l.Fact != "" {
				m["fact"] = l.Fact
			}
			all = append(all, m)
		}
		out = append(out, all)
	}
	return out
}

func list(s []string) []any {
	out := make([]any, 0, len(s))
	for _, v := range s {
		out = append(out, v)
	}
	return out
}

func object(m map[string]string) map[string]any {
	out := make(map[string]any, len(m))
	for k, v := range m {
		out[k] = v
	}
	return out
}

// decide asks one decision of the general rules and reads it into out.
func (e *Engine) decide(ctx context.Context, name string, c Case, out any) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("rules: %w", err)
	}
	input := c.input()
	question, err := json.Marshal(input)
	if err != nil {
		return fmt.Errorf("rules: case: %w", err)
	}
	key := sha256.Sum256(append([]byte(name+"\x00"), question...))
	answer, ok := e.memo.get(key)
	if !ok {
		m, err := ask(ctx, e.queries[name], input, ownDeadline)
		if err != nil {
			return err
		}
		if answer, err = json.Marshal(m); err != nil {
			return fmt.Errorf("rules: decision: %w", err)
		}
		e.memo.put(key, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("rules: decision: %w", err)
	}
	return nil
}

// memo remembers decisions by the digest of their question. The rules see nothing but the question, so the answer stays the
// same; it holds no personal data, and the digest none either.
type memo struct {
	mu    sync.Mutex
	known map[[sha256.Size]byte][]byte
}

// maxMemo bounds a memo; a decision is a few hundred bytes.
const maxMemo = 2048

func (m *memo) get(key [sha256.Size]byte) ([]byte, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	answer, ok := m.known[key]
	return answer, ok
}

func (m *memo) put(key [sha256.Size]byte, answer []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil || len(m.known) >= maxMemo {
		m.known = map[[sha256.Size]byte][]byte{}
	}
	m.known[key] = answer
}

func remodel(from any, to any) error {
	b, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(b, to)
	}
	if err != nil {
		return fmt.Errorf("rules: decision: %w", err)
	}
	return nil
}

// limits of a quote: what a definition cannot mean.
const (
	maxLineFen = 1_000_000_000 // ten million yuan
	maxLines   = 50
)

// Price quotes a case. The quote is empty when the enterprise pays. A case whose
// rules give no answer has no price: an error, never a price of nothing.
func (e *Engine) Price(ctx context.Context, c Case) (Quote, error) {
	var got struct {
		Lines []struct {
			Index, Option *int
			Quantity      int
			UnitFen       int64 `json:"unit_fen"`
			AmountFen     int64 `json:"amount_fen"`
			Rule          string
		}
	}
	if err := e.decide(ctx, "price", c, &got); err != nil {
		return Quote{}, err
	}
	q, applies := Quote{Lines: []Line{}}, false
	for _, l := range got.Lines {
		line := Line{Quantity: l.Quantity, UnitFen: l.UnitFen, AmountFen: l.AmountFen, Rule: l.Rule}
		switch {
		case l.Index != nil && *l.Index < len(c.Price.Lines):
			p := c.Price.Lines[*l.Index]
			line.Code, line.Label, line.Why = p.Code, p.Label, p.Why
			applies = true
		case l.Option != nil && *l.Option < len(c.Delivery.Options):
			o := c.Delivery.Options[*l.Option]
			line.Code, line.Label, line.Why = "delivery", o.Label, o.Help
		}
		q.Lines = append(q.Lines, line)
	}
	more, err := c.Module.lines(ctx, c)
	if err != nil {
		return Quote{}, err
	}
	q.Lines = append(q.Lines, more...)
	for _, l := range q.Lines {
		if l.AmountFen < 0 || l.AmountFen > maxLineFen || l.AmountFen != l.UnitFen*int64(l.Quantity) || len(q.Lines) > maxLines {
			return Quote{}, fmt.Errorf("rules: price line %q is out of bounds", l.Code)
		}
		q.TotalFen += l.AmountFen
	}
	if !applies && c.Payer == "applicant" {
		return Quote{}, errors.New("rules: no line of the price list applies")
	}
	return q, nil
}

// Eligible tells whether the applicant may order; the tenant's own rules may refuse as well.
func (e *Engine) Eligible(ctx context.Context, c Case) (Decision, error) {
	var d Decision
	if err := e.decide(ctx, "eligibility", c, &d); err != nil {
		return Decision{}, err
	}
	more, err := c.Module.denials(ctx, c)
	if err != nil {
		return Decision{}, err
	}
	if len(more) > 0 {
		if d.Allowed {
			d.Rule = more[0].Rule
		}
		d.Allowed = false
		d.Reasons = append(d.Reasons, more...)
	}
	return d, nil
}

// Delivery tells what is shipped and which of the product's options are open.
func (e *Engine) Delivery(ctx context.Context, c Case) (DeliveryDecision, error) {
	var got struct {
		Needed  bool
		What    []string
		Options []string
		Rule    string
	}
	if err := e.decide(ctx, "delivery", c, &got); err != nil {
		return DeliveryDecision{}, err
	}
	d := DeliveryDecision{Needed: got.Needed, What: got.What, Rule: got.Rule}
	for _, code := range got.Options {
		for _, o := range c.Delivery.Options {
			if o.Code == code {
				d.Options = append(d.Options, o)
			}
		}
	}
	return d, nil
}

// Invoice tells which invoice these answers ask for.
func (e *Engine) Invoice(ctx context.Context, c Case) (InvoiceDecision, error) {
	var d InvoiceDecision
	err := e.decide(ctx, "invoice", c, &d)
	return d, err
}

// AutoApprove tells whether the order passes without a reviewer. Errors mean: it does not.
func (e *Engine) AutoApprove(ctx context.Context, c Case) (Decision, error) {
	var d Decision
	err := e.decide(ctx, "review", c, &d)
	return d, err
}

// lines are the price lines a tenant's own rules add.
func (m *Module) lines(ctx context.Context, c Case) ([]Line, error) {
	if m == nil || c.Payer != "applicant" {
		return nil, nil
	}
	got, err := ask(ctx, m.query, c.input(), moduleDeadline)
	if err != nil {
		return nil, err
	}
	var added []struct {
		Code     string
		Label    i18n.Text
		Why      i18n.Text
		Quantity int
		UnitFen  int64 `json:"unit_fen"`
	}
	if err := remodel(got["lines"], &added); err != nil {
		return nil, err
	}
	var out []Line
	for _, a := range added {
		if a.Code == "" || len(a.Label) == 0 || a.Quantity < 1 || a.Quantity > 10_000 || a.UnitFen < 0 || a.UnitFen > maxLineFen {
			return nil, errors.New("rules: tenant module: a price line needs code, label, quantity (1 or more) and unit_fen (0 or more)")
		}
		out = append(out, Line{Code: a.Code, Label: a.Label, Why: a.Why, Quantity: a.Quantity, UnitFen: a.UnitFen,
			AmountFen: a.UnitFen * int64(a.Quantity), Rule: "tenant." + a.Code})
	}
	return out, nil
}

// denials are the refusals of a tenant's own rules.
func (m *Module) denials(ctx context.Context, c Case) ([]Why, error) {
	if m == nil {
		return nil, nil
	}
	got, err := ask(ctx, m.query, c.input(), moduleDeadline)
	if err != nil {
		return nil, err
	}
	var said []struct {
		Rule  string
		Field string
		Text  i18n.Text
	}
	if err := remodel(got["deny"], &said); err != nil {
		return nil, err
	}
	var out []Why
	for _, s := range said {
		if s.Rule == "" || len(s.Text) == 0 {
			return nil, errors.New("rules: tenant module: a refusal needs rule and text")
		}
		out = append(out, Why{Rule: "tenant." + s.Rule, Field: s.Field, Text: s.Text})
	}
	return out, nil
}
