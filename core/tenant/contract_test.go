package tenant

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/rules"
	"certsaas/core/web/theme"
	"certsaas/tenants"
)

// packs are all tenants there are: those of the program, and one of the tests that shares nothing with them.
func packs() map[string]fs.FS {
	all := map[string]fs.FS{"harbour": os.DirFS("testdata/packs/harbour")}
	for _, slug := range tenants.Slugs() {
		all[slug] = tenants.Pack(slug)
	}
	return all
}

// load compiles a pack.
func load(t *testing.T, slug string) (*Tenant, Definition) {
	t.Helper()
	def, ps := Load(tenants.Base(), packs()[slug])
	if err := ps.Err(); err != nil {
		t.Fatalf("%s:\n%v", slug, err)
	}
	tn, ps := Compile(def)
	if err := ps.Err(); err != nil {
		t.Fatal(err)
	}
	return tn, def
}

// eachProduct runs the contract for every product of every pack.
func eachProduct(t *testing.T, check func(t *testing.T, tn *Tenant, p Product)) {
	for slug := range packs() {
		tn, _ := load(t, slug)
		for _, p := range tn.Products() {
			t.Run(slug+"/"+p.Code, func(t *testing.T) {
				t.Parallel()
				check(t, tn, p)
			})
		}
	}
}

var someFacts = map[string]string{"old_key": "valid", "checks": "passed"}

func sampleEnv() form.Env {
	env := form.SampleEnv()
	env.Facts = someFacts
	return env
}

func TestContractFormsAcceptGoodAndRefuseBad(t *testing.T) {
	t.Parallel()
	eachProduct(t, func(t *testing.T, tn *Tenant, p Product) {
		tried := map[string]bool{}
		shown := map[string]bool{}
		for seed := range 24 {
			good := p.Form.Sample(seed, sampleEnv())
			maps.Copy(shown, p.Form.Visible(good, someFacts))
			res := p.Form.Check(good, sampleEnv())
			for _, pr := range res.Problems {
				t.Errorf("seed %d: good answer %s=%q refused: %s", seed, pr.Field, good[pr.Field], pr.ID)
			}
			if d := cmp.Diff(good, res.Answers); d != "" {
				t.Errorf("seed %d: answers changed (-sample +kept):\n%s", seed, d)
			}
			for _, fl := range p.Form.Flaws(good, sampleEnv()) {
				tried[fl.Field] = true
				bad := maps.Clone(good)
				bad[fl.Field] = fl.Value
				if !slices.ContainsFunc(p.Form.Check(bad, sampleEnv()).Problems, func(pr form.Problem) bool {
					return pr.Field == fl.Field && (fl.Want == "" || pr.ID == fl.Want)
				}) {
					t.Errorf("seed %d: %s=%q was accepted", seed, fl.Field, fl.Value)
				}
			}
		}
		for fd := range p.Form.Fields() {
			if !shown[fd.Key] {
				t.Errorf("no sample ever shows field %s", fd.Key)
			}
			if !tried[fd.Key] && !fd.ReadOnly && fd.Type != form.Checkbox {
				t.Errorf("no flaw was tried on field %s", fd.Key)
			}
		}
	})
}

func TestContractEveryProductIsPricedAndDecided(t *testing.T) {
	t.Parallel()
	e, err := rules.New()
	if err != nil {
		t.Fatal(err)
	}
	eachProduct(t, func(t *testing.T, tn *Tenant, p Product) {
		for seed := range 12 {
			a := p.Form.Sample(seed, sampleEnv())
			c := tn.Case(p, a, someFacts)
			q, err := e.Price(context.Background(), c)
			if err != nil || (q.TotalFen > 0) == p.Free() {
				t.Errorf("seed %d: %+v, %v", seed, q, err)
			}
			if d, err := e.Eligible(context.Background(), c); err != nil || !d.Allowed {
				t.Errorf("seed %d: not eligible: %+v, %v", seed, d, err)
			}
			if d, err := e.Delivery(context.Background(), c); err != nil || d.Needed && len(d.Options) == 0 {
				t.Errorf("seed %d: %+v, %v", seed, d, err)
			}
			if _, err := e.Invoice(context.Background(), c); err != nil {
				t.Error(err)
			}
			if d, err := e.AutoApprove(context.Background(), c); err != nil || d.Allowed != (p.Review.Mode == "auto_when_checks_pass") {
				t.Errorf("seed %d: %+v, %v", seed, d, err)
			}
		}
		c := tn.Case(p, form.Answers{}, nil)
		if d, err := e.Eligible(context.Background(), c); len(p.Eligibility.Confirm) > 0 && (err != nil || d.Allowed) {
			t.Errorf("eligible without a tick: %+v, %v", d, err)
		}
	})
}

func TestContractLettersFill(t *testing.T) {
	t.Parallel()
	eachProduct(t, func(t *testing.T, tn *Tenant, p Product) {
		used := map[string]bool{}
		for seed := range 12 {
			a := p.Form.Sample(seed, sampleEnv())
			id, ok := p.LetterFor(a, someFacts)
			if visible := p.Form.Visible(a, someFacts)["letter"]; ok != visible {
				t.Errorf("seed %d: letter needed %v, asked %v", seed, ok, visible)
			}
			if !ok {
				continue
			}
			used[id] = true
			l, _ := tn.Letter(id)
			values := maps.Clone(a)
			for _, f := range LetterFacts {
				values[f] = "x"
			}
			for _, b := range l.Blocks {
				for lang, s := range b.Text {
					for _, name := range Placeholders(s) {
						if values[name] == "" {
							t.Errorf("seed %d: letter %s (%s) leaves {%s} blank", seed, id, lang, name)
						}
					}
				}
				for _, r := range b.Rows {
					if filled(r.Value, values) == "" {
						t.Errorf("seed %d: letter %s leaves %q blank", seed, id, r.Value)
					}
				}
			}
		}
		for _, l := range p.Letters {
			if !used[l.Letter] {
				t.Errorf("no sample needs letter %s", l.Letter)
			}
		}
	})
}

func TestContractThemesAreLegible(t *testing.T) {
	t.Parallel()
	for slug := range packs() {
		tn, _ := load(t, slug)
		look := tn.Theme()
		th, err := theme.New(look.Brand, theme.Corner(look.Corner), theme.Shape(look.Header))
		if err != nil {
			t.Errorf("%s: %v", slug, err)
		} else if th.Color("brand") == "" {
			t.Errorf("%s: no brand colour", slug)
		}
		for _, name := range []string{look.Wordmark, look.Illustration} {
			if b, ok := tn.Asset(name); !ok || len(b) == 0 {
				t.Errorf("%s: no %s", slug, name)
			}
		}
	}
}

func TestContractEveryEventThatIsToldHasItsText(t *testing.T) {
	t.Parallel()
	eachProduct(t, func(t *testing.T, tn *Tenant, p Product) {
		for event, channels := range p.Notify {
			m, ok := tn.Message(event)
			if !ok {
				t.Errorf("%s: no message", event)
			}
			values := map[string]string{}
			for _, name := range Events[event] {
				values[name] = "«" + name + "»"
			}
			for _, l := range tn.Languages() {
				for _, c := range channels {
					s := m.SMS.In(l)
					if c == "email" {
						s = m.Email.Body.In(l)
					}
					if got := filled(s, values); got == "" || strings.Contains(got, "{") {
						t.Errorf("%s %s %s: %q", event, c, l, got)
					}
				}
			}
		}
	})
}

func TestContractExportThenApplyChangesNothing(t *testing.T) {
	t.Parallel()
	for slug := range packs() {
		_, def := load(t, slug)
		dir := t.TempDir()
		if err := Write(dir, Export(def)); err != nil {
			t.Fatal(err)
		}
		again, ps := Load(tenants.Base(), os.DirFS(dir))
		if err := ps.Err(); err != nil {
			t.Fatalf("%s: exported pack:\n%v", slug, err)
		}
		if again.Digest() != def.Digest() {
			t.Errorf("%s: digest %s became %s", slug, def.Digest(), again.Digest())
		}
		if d := cmp.Diff(def, again); d != "" {
			t.Errorf("%s (-applied +exported):\n%s", slug, d)
		}
		data, err := def.JSON()
		if err != nil {
			t.Fatal(err)
		}
		stored, err := Decode(data)
		if d := cmp.Diff(def, stored); err != nil || d != "" {
			t.Errorf("%s: stored and read back: %v\n%s", slug, err, d)
		}
	}
}

func TestContractTextsAreCompleteInTheDeclaredLanguages(t *testing.T) {
	t.Parallel()
	for slug := range packs() {
		tn, _ := load(t, slug)
		if len(tn.Languages()) != 2 {
			t.Errorf("%s declares %v", slug, tn.Languages())
		}
		for _, p := range tn.Products() {
			for _, l := range tn.Languages() {
				for what, text := range map[string]i18n.Text{"name": p.Name, "summary": p.Summary, "greeting": tn.Theme().Greeting, "operator": tn.Operator(), "ca": tn.CA()} {
					if text[l] == "" {
						t.Errorf("%s %s: no %s in %s", slug, p.Code, what, l)
					}
				}
				for fd := range p.Form.Fields() {
					if fd.Label[l] == "" {
						t.Errorf("%s %s: field %s has no label in %s", slug, p.Code, fd.Key, l)
					}
					for _, o := range fd.Options {
						if o.Label[l] == "" {
							t.Errorf("%s %s: field %s: option %s has no label in %s", slug, p.Code, fd.Key, o.Value, l)
						}
					}
				}
			}
		}
	}
}

func ExampleProblem_String() {
	fmt.Println(Problem{File: "products/gqgx.yaml", Line: 12, Key: "payment.methods[0]", What: `"alipey" is not possible here`, Remedy: `did you mean "alipay"?`})
	// Output: products/gqgx.yaml:12: payment.methods[0]: "alipey" is not possible here; did you mean "alipay"?
}

// filled is a text with its {names} replaced; a name without a value stays empty.
func filled(s string, values map[string]string) string {
	return blank.ReplaceAllStringFunc(s, func(m string) string { return values[m[1:len(m)-1]] })
}
