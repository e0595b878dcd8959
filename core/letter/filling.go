package letter

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/letter/pdf"
	"certsaas/core/letter/qr"
	"certsaas/core/order"
	"certsaas/core/tenant"
)

// filling is an order's letter as its answers fill it now.
type filling struct {
	order   order.Order
	tenant  *tenant.Tenant
	product tenant.Product
	form    tenant.Letter
	locale  string
}

// fill finds the letter that an order's answers ask for; fault.NotFound when they ask for none.
func (s *Service) fill(ctx context.Context, tx *db.Tx, o order.Order) (filling, error) {
	c := filling{order: o}
	var err error
	if c.tenant, c.product, err = s.Orders.Product(ctx, o); err != nil {
		return c, err
	}
	facts, err := s.Orders.Facts(ctx, tx, o)
	if err != nil {
		return c, err
	}
	id, needed := c.product.LetterFor(o.Answers, facts)
	if !needed {
		return c, fault.New(fault.NotFound, "letter.not_needed")
	}
	var ok bool
	if c.form, ok = c.tenant.Letter(id); !ok {
		return c, fmt.Errorf("letter: release %d has no letter %s", o.Release, id)
	}
	c.locale = c.tenant.Languages()[0]
	return c, nil
}

// blanks are the placeholders of the letter's text, each once, block by block.
func (c filling) blanks() []string {
	var names []string
	note := func(template string) {
		for _, name := range tenant.Placeholders(template) {
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	note(c.form.To.In(c.locale))
	for _, b := range c.form.Blocks {
		note(b.Text.In(c.locale))
		for _, r := range b.Rows {
			note(r.Value)
		}
	}
	return names
}

// values fills every blank for letter no, printed at a time. The document number is printed in full: the paper goes to the
// CA, which compares it with the document (domain §9); on screens it is masked as the field says.
func (c filling) values(no string, at time.Time) map[string]string {
	out := map[string]string{"no": no}
	for _, name := range c.blanks() {
		out[name] = c.value(name, no, at)
	}
	return out
}

func (c filling) value(name, no string, at time.Time) string {
	switch name {
	case "no":
		return no
	case "date":
		return clock.CivilDate(at, clock.Shanghai).String()
	case "ca_name":
		return c.tenant.CA().In(c.locale)
	case "operator":
		return c.tenant.Operator().In(c.locale)
	case "tenant":
		return c.tenant.Names().Full.In(c.locale)
	case "platform":
		return c.tenant.Names().Platform.In(c.locale)
	case "product":
		return c.product.Name.In(c.locale)
	case "term":
		return c.term()
	case "quantity":
		return strconv.Itoa(c.order.Quantity)
	case "code":
		return c.order.Code()
	case "organisation":
		return c.order.Organisation()
	}
	fd, _ := c.product.Form.Field(name)
	return fd.Display(c.locale, c.order.Answers[name])
}

// term is the form's own words for the ordered years, or a plain number of years.
func (c filling) term() string {
	fd, _ := c.product.Form.Field("term")
	if o, ok := fd.Choice(c.order.Answers["term"]); ok {
		return o.Label.In(c.locale)
	}
	return words().T(c.locale, "letter.years", "Count", c.order.TermYears)
}

// says tells whether a letter's row has the values of the order as it is now.
func (c filling) says(st stored) bool {
	return qr.Digest(c.values(st.letter.Number, st.letter.CreatedAt)) == st.letter.Digest
}

// printable refuses answers with characters the font lacks, naming each and its field.
func (c filling) printable() error {
	var fields []fault.Field
	values := c.values("", time.Time{})
	for _, name := range c.blanks() {
		if missing := pdf.MissingGlyphs(values[name]); len(missing) > 0 {
			fields = append(fields, fault.At(c.answer(name), "letter.glyph", "Characters", spell(missing)))
		}
	}
	if len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	return nil
}

// spell names characters with their code points, since a reader's screen may lack them, too.
func spell(runes []rune) string {
	parts := make([]string, len(runes))
	for i, r := range runes {
		parts[i] = fmt.Sprintf("%c (U+%04X)", r, r)
	}
	return strings.Join(parts, " ")
}

// answer is the form field a blank comes from, for blanks that stand for one of several.
func (c filling) answer(name string) string {
	var candidates []string
	switch name {
	case "organisation":
		candidates = []string{"org_name", "person_name"}
	case "code":
		candidates = []string{"uscc", "org_code_any", "org_code", "reg_no"}
	}
	for _, k := range candidates {
		if c.order.Answers[k] != "" {
			return k
		}
	}
	return name
}
