package form

import (
	"strings"
	"time"

	"certsaas/core/i18n"
)

// Problem is one answer that cannot be accepted: the field, the message id that
// says what to do, and the message's placeholders. Args may hold i18n.Text
// (labels); Say and In resolve them.
type Problem struct {
	Field string
	ID    string
	Args  map[string]any
}

// In is the problem with its labels in one language, ready for fault.Field.
func (p Problem) In(locale string) Problem {
	args := make(map[string]any, len(p.Args))
	for k, v := range p.Args {
		if t, ok := v.(i18n.Text); ok {
			v = t.In(locale)
		}
		args[k] = v
	}
	return Problem{Field: p.Field, ID: p.ID, Args: args}
}

// Say is the sentence a reader sees.
func (p Problem) Say(pr i18n.Printer) string { return pr.Format(p.ID, p.In(pr.Locale()).Args) }

// Result is what a check found. Answers are normalised, with invisible fields
// dropped; they are worth storing as a draft even when there are Problems.
// Warnings do not stop the order: a reviewer confirms them. Notes tell the
// applicant what was changed ("已取前十位").
type Result struct {
	Answers  Answers
	Problems []Problem
	Warnings []Problem
	Notes    []Problem
}

// OK tells whether nothing stands in the way.
func (r Result) OK() bool { return len(r.Problems) == 0 }

// Env is what a check may know besides the answers.
type Env struct {
	Now    time.Time                // its date in Asia/Shanghai decides ages and dates
	Facts  map[string]string        // "old_key": "valid", …; read by conditions
	Source func(path string) string // value of "account.mobile", "cert.subject", …; "" when unknown; nil allowed
	Steps  []string                 // check only the groups of these steps, keep the others' answers; nil = all
	Open   map[string]bool          // only these may change, the rest keeps Prior; nil = all (see Editable)
	Prior  Answers                  // the stored answers, for Open
	Draft  bool                     // save what there is: a missing answer is no problem
}

// Check normalises typed answers and finds every problem at once.
func (f Form) Check(typed Answers, env Env) Result {
	c := &checker{form: f, env: env, typed: typed, res: Result{Answers: Answers{}}}
	for _, g := range f.Groups {
		if !g.VisibleWhen.Holds(c.res.Answers, env.Facts, true) {
			continue
		}
		asked := env.Steps == nil || contains(env.Steps, g.Step)
		for _, fd := range g.Fields {
			if !fd.VisibleWhen.Holds(c.res.Answers, env.Facts, true) {
				continue
			}
			if !asked {
				c.keep(fd)
				continue
			}
			c.field(fd)
		}
	}
	return c.res
}

// Visible tells which fields of the form these answers show.
func (f Form) Visible(a Answers, facts map[string]string) map[string]bool {
	seen := map[string]bool{}
	known := Answers{}
	for _, g := range f.Groups {
		if !g.VisibleWhen.Holds(known, facts, true) {
			continue
		}
		for _, fd := range g.Fields {
			if fd.VisibleWhen.Holds(known, facts, true) {
				seen[fd.Key] = true
				if a[fd.Key] != "" {
					known[fd.Key] = a[fd.Key]
				}
			}
		}
	}
	return seen
}

// Prefill fills what is still unanswered (key absent) from each field's source, else its default.
// A key that is present but empty was emptied by the applicant and stays so, unless the field is read-only.
func (f Form) Prefill(a Answers, env Env) Answers {
	out := Answers{}
	for k, v := range a {
		out[k] = v
	}
	for fd := range f.Fields() {
		if _, there := out[fd.Key]; there && !fd.ReadOnly {
			continue
		}
		if v := fd.initial(out, env); v != "" || fd.ReadOnly {
			out[fd.Key] = v
		}
	}
	return out
}

// Initial is the first answers of a new order: sources and defaults.
func (f Form) Initial(env Env) Answers { return f.Prefill(nil, env) }

// Needs tells whether an answer is asked for with "*" under these answers (req B17 K6).
func (fd Field) Needs(a Answers, facts map[string]string) bool {
	return fd.Required || fd.RequiredWhen.Holds(a, facts, false)
}

// initial is a field's first value: the first of its sources that has one, else its default.
func (fd Field) initial(a Answers, env Env) string {
	for _, path := range fd.Sources() {
		v := ""
		if key, ok := strings.CutPrefix(path, "answers."); ok {
			v = a[key]
		} else if env.Source != nil {
			v = env.Source(path)
		}
		if v != "" {
			return v
		}
	}
	return fd.Default
}

// Sources are the places the first value may come from, the best first.
func (fd Field) Sources() []string { return strings.Fields(fd.Source) }

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}
