package form

import (
	"encoding/json"
	"sort"
)

// Cond is a small condition over answers and facts, as data:
//
//	{field: merged, is: yes}   {field: org_nature, in: [person, company]}   {field: post, filled: true}
//	{fact: old_key, is: valid} {not: {…}}  {all: [{…}, {…}]}  {any: [{…}, {…}]}
//
// The zero Cond says nothing; Empty tells. As JSON it is the page script's input.
type Cond struct {
	Field  string   `yaml:"field" json:"field,omitempty"`
	Fact   string   `yaml:"fact" json:"fact,omitempty"`
	Is     string   `yaml:"is" json:"is,omitempty"`
	In     []string `yaml:"in" json:"in,omitempty"`
	Filled bool     `yaml:"filled" json:"filled,omitempty"`
	Not    *Cond    `yaml:"not" json:"not,omitempty"`
	All    []Cond   `yaml:"all" json:"all,omitempty"`
	Any    []Cond   `yaml:"any" json:"any,omitempty"`
}

// Empty tells whether nothing is asked.
func (c Cond) Empty() bool {
	return c.Field == "" && c.Fact == "" && c.Not == nil && len(c.All) == 0 && len(c.Any) == 0
}

// Holds evaluates the condition; an empty one gives def.
func (c Cond) Holds(a Answers, facts map[string]string, def bool) bool {
	if c.Empty() {
		return def
	}
	return c.eval(a, facts)
}

func (c Cond) eval(a Answers, facts map[string]string) bool {
	switch {
	case c.Not != nil:
		return !c.Not.eval(a, facts)
	case len(c.All) > 0:
		for _, s := range c.All {
			if !s.eval(a, facts) {
				return false
			}
		}
		return true
	case len(c.Any) > 0:
		for _, s := range c.Any {
			if s.eval(a, facts) {
				return true
			}
		}
		return false
	}
	value := a[c.Field]
	if c.Fact != "" {
		value = facts[c.Fact]
	}
	switch {
	case c.Filled:
		return value != ""
	case len(c.In) > 0:
		for _, v := range c.In {
			if v == value {
				return true
			}
		}
		return false
	}
	return value == c.Is
}

// JSON is the condition for the page script's data attribute; "" when empty.
func (c Cond) JSON() string {
	if c.Empty() {
		return ""
	}
	b, err := json.Marshal(c)
	if err != nil { // strings and slices only: cannot happen
		return ""
	}
	return string(b)
}

// Fields lists the answer keys the condition reads, sorted.
func (c Cond) Fields() []string { return c.names(func(c Cond) string { return c.Field }) }

// Facts lists the facts the condition reads, sorted.
func (c Cond) Facts() []string { return c.names(func(c Cond) string { return c.Fact }) }

func (c Cond) names(of func(Cond) string) []string {
	seen := map[string]bool{}
	var walk func(Cond)
	walk = func(c Cond) {
		if n := of(c); n != "" {
			seen[n] = true
		}
		if c.Not != nil {
			walk(*c.Not)
		}
		for _, s := range c.All {
			walk(s)
		}
		for _, s := range c.Any {
			walk(s)
		}
	}
	walk(c)
	out := make([]string, 0, len(seen))
	for n := range seen {
		out = append(out, n)
	}
	sort.Strings(out)
	return out
}

// Literal is one test of a normal form: the value of a field or fact is (or,
// negated, is not) one of Values; no Values asks for any value at all.
type Literal struct {
	Field  string   `json:"field,omitempty"`
	Fact   string   `json:"fact,omitempty"`
	Values []string `json:"values"`
	Negate bool     `json:"negate"`
}

// DNF is the condition as an "or" of "and"s, for rules that cannot recurse
// (Rego). An empty condition gives one clause without tests: always true.
func (c Cond) DNF() [][]Literal {
	if c.Empty() {
		return [][]Literal{{}}
	}
	return c.dnf(false)
}

func (c Cond) dnf(neg bool) [][]Literal {
	if c.Not != nil {
		return c.Not.dnf(!neg)
	}
	if subs := append(append([]Cond(nil), c.All...), c.Any...); len(subs) > 0 {
		if (len(c.All) > 0) == neg { // any, or a negated all
			var out [][]Literal
			for _, s := range subs {
				out = append(out, s.dnf(neg)...)
			}
			return out
		}
		out := [][]Literal{{}}
		for _, s := range subs {
			var next [][]Literal
			for _, left := range out {
				for _, right := range s.dnf(neg) {
					next = append(next, append(append([]Literal(nil), left...), right...))
				}
			}
			out = next
		}
		return out
	}
	values := c.In
	if len(values) == 0 && !c.Filled {
		values = []string{c.Is}
	}
	if values == nil {
		values = []string{}
	}
	return [][]Literal{{{Field: c.Field, Fact: c.Fact, Values: values, Negate: neg}}}
}
