package tenant

import (
	"reflect"

	"certsaas/core/form"
)

// Asks tells whether a product's price, form, letters or rules may depend on a fact: whoever gathers facts need not look for
// one that nobody asks. The tenant's own rules may ask anything.
func (t *Tenant) Asks(p Product, fact string) bool { return t.module != nil || p.asks[fact] }

// asksOf collects the facts of all conditions of a product, wherever they stand, and of what it declares in other words.
func asksOf(p Product) map[string]bool {
	out := map[string]bool{}
	conditions(reflect.ValueOf(p), func(c form.Cond) {
		for _, name := range c.Facts() {
			out[name] = true
		}
	})
	if len(p.Eligibility.OldKey) > 0 {
		out["old_key"] = true
	}
	for fd := range p.Form.Fields() {
		if fd.Type == form.Letter { // its page says whether the scan matches
			out["letter_qr"] = true
		}
	}
	return out
}

var condition = reflect.TypeFor[form.Cond]()

// conditions calls see for every condition inside a declaration.
func conditions(v reflect.Value, see func(form.Cond)) {
	switch {
	case v.Type() == condition:
		if c, ok := v.Interface().(form.Cond); ok {
			see(c)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				conditions(v.Field(i), see)
			}
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			conditions(v.Index(i), see)
		}
	}
}
