package tenant

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/pki"
	"certsaas/core/rules"
)

// document is a whole pack, decoded.
type document struct {
	Tenant     Spec                     `yaml:"tenant"`
	Products   map[string]Product       `yaml:"products"`
	Letters    map[string]Letter        `yaml:"letters"`
	Agreements map[string]Agreement     `yaml:"agreements"`
	Messages   map[string]Message       `yaml:"messages"`
	Fields     map[string]form.Field    `yaml:"-"`
	Groups     map[string]form.Group    `yaml:"-"`
	Options    map[string][]form.Option `yaml:"-"`
	Product    Product                  `yaml:"-"`
}

// Compile makes a Tenant of a definition, or says everything that is wrong with it.
func Compile(def Definition) (*Tenant, Problems) { return compile(def, 0) }

func compile(def Definition, release int) (*Tenant, Problems) {
	root, ps := assemble(def)
	if len(ps) > 0 {
		return nil, ps.sorted()
	}
	doc, broken := decode(root)
	t := &Tenant{
		id: IDOf(doc.Tenant.Slug), release: release, digest: def.Digest(), spec: doc.Tenant,
		letters:    doc.Letters,
		agreements: same(&agreements, doc.Agreements), messages: same(&messages, doc.Messages), assets: map[string][]byte{}, roster: map[string]bool{},
	}
	v := &validator{root: root, doc: doc, assets: t.assets}
	t.files(def, v)
	for _, file := range doc.Tenant.Products {
		p := doc.Products[file]
		settle(&p)
		p.asks = asksOf(p)
		doc.Products[file] = p
		t.products = append(t.products, p)
	}
	v.all()
	if ps = append(broken, v.problems.outside(broken)...); len(ps) > 0 {
		return nil, ps.sorted()
	}
	return t, nil
}

// decode turns the tree into values; the shelves and the defaults are checked too, used or not.
func decode(root *node) (document, Problems) {
	var doc document
	d := &decoder{languages: languages(root)}
	d.structureOf(root, reflect.ValueOf(&doc).Elem())
	partial := &decoder{languages: d.languages, partial: true}
	for name, at := range map[string]any{"fields": &doc.Fields, "groups": &doc.Groups, "options": &doc.Options, "product": &doc.Product} {
		if n := shelf(root.get(name), name); n != nil {
			partial.value(n, reflect.ValueOf(at).Elem(), "", name)
		}
	}
	for id, l := range doc.Letters {
		l.ID = id
		doc.Letters[id] = l
	}
	for id, a := range doc.Agreements {
		a.ID = id
		doc.Agreements[id] = a
	}
	return doc, append(d.problems, partial.problems...)
}

// shelf is a library as far as it can be decoded by itself: groups.yaml may name fields by a single word.
func shelf(n *node, name string) *node {
	if name != "groups" || n == nil {
		return n
	}
	out := &node{kind: 'm', file: n.file, line: n.line, vals: map[string]*node{}}
	for i, k := range n.keys {
		g := n.vals[k]
		if g.kind == 'm' && g.get("fields") != nil {
			none := &node{kind: 'm', file: g.file, line: g.line, keys: []string{"fields"}, lines: []int{g.line}, vals: map[string]*node{"fields": {kind: '0'}}}
			g = over(g, none)
		}
		out.set(k, n.lines[i], g)
	}
	return out
}

// structureOf decodes the document's own parts, leaving the shelves alone.
func (d *decoder) structureOf(root *node, v reflect.Value) {
	for i := range v.NumField() {
		if k := key(v.Type().Field(i)); k != "" && root.get(k) != nil {
			d.value(root.get(k), v.Field(i), v.Type().Field(i).Tag, k)
		}
	}
}

// languages reads what the tenant declares before anything else is decoded.
func languages(root *node) []string {
	var out []string
	if n := root.get("tenant").get("languages"); n != nil {
		for _, item := range n.items {
			if slices.Contains(i18n.Locales(), item.text) {
				out = append(out, item.text)
			}
		}
	}
	return out
}

// files takes what is not YAML: pictures, the roster, the tenant's own rules.
func (t *Tenant) files(def Definition, v *validator) {
	for _, part := range []map[string]string{def.Base, def.Files} {
		for name, text := range part {
			switch {
			case path.Dir(name) == "theme":
				t.assets[path.Base(name)] = sharedAsset(text)
			case name == "roster.txt":
				for _, line := range strings.Split(text, "\n") {
					if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
						t.roster[line] = true
					}
				}
			}
		}
	}
	if source, ok := def.Files["rules.rego"]; ok {
		m, err := rules.NewModule(source)
		var flaw *rules.ModuleError
		if errors.As(err, &flaw) {
			v.problems = append(v.problems, Problem{File: "rules.rego", Line: flaw.Line, What: flaw.Text,
				Remedy: "declare package tenant with lines and deny only; network, time and other packages are not available"})
			return
		}
		t.module = m
	}
}

// settle fills what follows from the rest of a product: option lists, number limits, defaults.
func settle(p *Product) {
	p.Quantity.Min, p.Quantity.Default = max(p.Quantity.Min, 1), max(p.Quantity.Default, 1)
	p.Quantity.Max = max(p.Quantity.Max, p.Quantity.Default)
	if p.Certificate.Profile.ValidityYears == 0 {
		p.Certificate.Profile.ValidityYears = max(p.Term.Default, 1)
	}
	p.Form.Groups = slices.Clone(p.Form.Groups)
	for i, g := range p.Form.Groups {
		list := slices.Clone(g.Fields)
		for j := range list {
			settleField(&list[j], p)
		}
		p.Form.Groups[i].Fields = same(&fields, list)
	}
}

func settleField(fd *form.Field, p *Product) {
	switch fd.OptionsFrom {
	case "term":
		for _, y := range p.Term.Years {
			fd.Options = append(fd.Options, form.Option{Value: strconv.Itoa(y), Label: years(y)})
		}
		fd.Default = strconv.Itoa(p.Term.Default)
	case "delivery":
		for _, o := range p.Delivery.Options {
			fd.Options = append(fd.Options, form.Option{Value: o.Code, Label: o.Label, Help: o.Help})
		}
		if len(p.Delivery.Options) > 0 && fd.Default == "" {
			fd.Default = p.Delivery.Options[0].Code
		}
	case "invoice":
		for _, k := range p.Invoice.Kinds {
			fd.Options = append(fd.Options, form.Option{Value: k.Code, Label: k.Label, Help: k.Help})
		}
		if len(p.Invoice.Kinds) > 0 && fd.Default == "" {
			fd.Default = p.Invoice.Kinds[0].Code
		}
	}
	if fd.Type == form.Quantity {
		fd.Min, fd.Max, fd.Default = p.Quantity.Min, p.Quantity.Max, strconv.Itoa(p.Quantity.Default)
	}
	if fd.Key == "invoice_wanted" && fd.Default == "" {
		fd.Default = p.Invoice.Default
	}
}

func years(n int) i18n.Text {
	en := fmt.Sprintf("%d years", n)
	if n == 1 {
		en = "1 year"
	}
	return i18n.Text{"zh-CN": fmt.Sprintf("%d 年", n), "en": en}
}

// lint issues a trial certificate of each product and lints it (domain §6.3), so
// that a profile fails when it is written, not when the first applicant has paid.
func (t *Tenant) lint() Problems {
	var ps Problems
	for i, p := range t.products {
		if !p.Issues() {
			continue
		}
		profile, err := pki.CompileProfile(p.Certificate.Profile)
		if err == nil {
			err = profile.Check(trialTime)
		}
		if err != nil {
			ps = append(ps, Problem{File: "products/" + t.spec.Products[i] + ".yaml", Key: "certificate.profile", What: err.Error(),
				Remedy: "choose key_usage and ext_key_usage that go together, as in digital_signature with client_auth"})
		}
	}
	return ps.sorted()
}

// trialTime is any instant; trial certificates are thrown away.
var trialTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// index is what the registry finds the tenant by.
func (t *Tenant) index() Index {
	ix := Index{Hosts: slices.Clone(t.spec.Hosts)}
	for _, p := range t.products {
		ix.Products = append(ix.Products, p.Code)
		if p.Slug != "" {
			ix.Links = append(ix.Links, p.Slug)
		}
	}
	return ix
}

// Decode reads a definition back from a release.
func Decode(data []byte) (Definition, error) {
	var d Definition
	if err := json.Unmarshal(data, &d); err != nil {
		return Definition{}, fmt.Errorf("tenant: stored definition: %w", err)
	}
	return d, nil
}
