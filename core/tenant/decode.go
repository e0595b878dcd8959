package tenant

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"certsaas/core/i18n"
)

// decoder turns nodes into the declared Go values, strictly: every key must be
// known, every value of the right kind. It reads the struct tags yaml (key),
// need:"yes", oneof:"a b" and as:"yuan".
type decoder struct {
	languages []string // declared by the tenant; every text must have them all
	partial   bool     // defaults: what is needed may still come from elsewhere
	problems  Problems
}

func (d *decoder) bad(n *node, path, what, remedy string) {
	d.problems = append(d.problems, Problem{File: n.file, Line: n.line, Key: local(path), What: what, Remedy: remedy})
}

// mount points of files; they are not part of the key a reader sees
var mount = regexp.MustCompile(`^(tenant|fields|options|messages|product|(products|letters|agreements)\.[^.\[]+)(\.|$)`)

// local cuts the mount point off a path.
func local(path string) string { return mount.ReplaceAllString(path, "") }

var (
	textType     = reflect.TypeOf(i18n.Text{})
	durationType = reflect.TypeOf(time.Duration(0))
)

func (d *decoder) value(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	switch {
	case v.Type() == textType:
		d.text(n, v, path)
		return
	case v.Type() == durationType:
		t, err := time.ParseDuration(n.text)
		if n.kind != 's' || err != nil || t < 0 {
			d.bad(n, path, fmt.Sprintf("%q is not a length of time", n.text), `write it as "60s" or "5m"`)
			return
		}
		v.SetInt(int64(t))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Pointer:
		p := reflect.New(v.Type().Elem())
		d.value(n, p.Elem(), tag, path)
		v.Set(p)
	case reflect.Slice:
		d.list(n, v, tag, path)
	case reflect.Map:
		d.mapping(n, v, tag, path)
	default:
		d.scalar(n, v, tag, path)
	}
}

func (d *decoder) structure(n *node, v reflect.Value, path string) {
	if n.kind != 'm' {
		d.bad(n, path, "expected keys and values here", "write the keys indented below: "+strings.Join(keysOf(v.Type()), ", "))
		return
	}
	fields := map[string]int{}
	for i := range v.NumField() {
		if k := key(v.Type().Field(i)); k != "" {
			fields[k] = i
		}
	}
	mistyped := map[string]bool{} // needed keys that are there under a mistyped name
	for i, k := range n.keys {
		at, known := fields[k]
		if !known {
			mistyped[nearest(k, keysOf(v.Type()))] = true
			d.problems = append(d.problems, Problem{File: n.vals[k].file, Line: n.lines[i], Key: local(path + "." + k),
				What: fmt.Sprintf("unknown key %q", k), Remedy: meant(k, keysOf(v.Type()))})
			continue
		}
		d.value(n.vals[k], v.Field(at), v.Type().Field(at).Tag, path+"."+k)
	}
	if d.partial {
		return
	}
	for i := range v.NumField() {
		f := v.Type().Field(i)
		if k := key(f); k != "" && f.Tag.Get("need") == "yes" && n.get(k) == nil && !mistyped[k] {
			d.bad(n, path, fmt.Sprintf("key %q is missing", k), example(k, f))
		}
	}
}

// example says how a missing key is written.
func example(k string, f reflect.StructField) string {
	switch {
	case f.Type == textType:
		return fmt.Sprintf("add %s: {zh-CN: …, en: …}", k)
	case f.Tag.Get("oneof") != "":
		return fmt.Sprintf("add %s: with one of: %s", k, strings.ReplaceAll(f.Tag.Get("oneof"), " ", ", "))
	}
	return fmt.Sprintf("add %s: …", k)
}

func (d *decoder) text(n *node, v reflect.Value, path string) {
	if n.kind != 'm' {
		d.bad(n, path, "expected one text per language", "write {zh-CN: …, en: …}")
		return
	}
	t := i18n.Text{}
	for i, k := range n.keys {
		s := n.vals[k]
		if !slices.Contains(i18n.Locales(), k) {
			d.problems = append(d.problems, Problem{File: s.file, Line: n.lines[i], Key: local(path + "." + k),
				What: fmt.Sprintf("unknown language %q", k), Remedy: meant(k, i18n.Locales())})
			continue
		}
		if s.kind != 's' || strings.TrimSpace(s.text) == "" {
			d.bad(s, path+"."+k, "the text is empty", "write the sentence, or take the whole key away")
			continue
		}
		t[k] = strings.TrimSpace(s.text)
	}
	for _, l := range d.languages {
		if t[l] == "" && n.get(l) == nil {
			d.bad(n, path, fmt.Sprintf("the text has no %q, a language the tenant declares", l), fmt.Sprintf("add %s: …", l))
		}
	}
	d.samePlaceholders(n, t, path)
	v.Set(reflect.ValueOf(sharedText(t)))
}

func (d *decoder) samePlaceholders(n *node, t i18n.Text, path string) {
	var first, lang string
	for _, l := range i18n.Locales() {
		if t[l] == "" {
			continue
		}
		names := strings.Join(Placeholders(t[l]), ", ")
		if lang == "" {
			first, lang = names, l
			continue
		}
		if names != first {
			d.bad(n, path, fmt.Sprintf("the languages fill different blanks: %s has [%s], %s has [%s]", lang, first, l, names),
				"use the same {placeholders} in every language")
		}
	}
}

func (d *decoder) list(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	if n.kind != 'l' {
		d.bad(n, path, "expected a list", "write [a, b] or lines that begin with -")
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.items), len(n.items))
	for i, item := range n.items {
		d.value(item, out.Index(i), tag, fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(out)
}

func (d *decoder) mapping(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	if n.kind != 'm' {
		d.bad(n, path, "expected keys and values here", "write key: value, one a line")
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(n.keys))
	for _, k := range n.keys {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(n.vals[k], item, tag, path+"."+k)
		out.SetMapIndex(reflect.ValueOf(k), item)
	}
	v.Set(out)
}

func (d *decoder) scalar(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	if n.kind != 's' {
		d.bad(n, path, "expected a single value", "write it on the same line as its key")
		return
	}
	switch v.Kind() {
	case reflect.String:
		if set := strings.Fields(tag.Get("oneof")); len(set) > 0 && !slices.Contains(set, n.text) {
			d.bad(n, path, fmt.Sprintf("%q is not possible here", n.text), meant(n.text, set))
			return
		}
		v.SetString(n.text)
	case reflect.Bool:
		switch n.text {
		case "true", "yes":
			v.SetBool(true)
		case "false", "no":
		default:
			d.bad(n, path, fmt.Sprintf("%q is neither true nor false", n.text), "write true or false")
		}
	case reflect.Int, reflect.Int64:
		d.number(n, v, tag, path)
	default:
		panic("tenant: no rule to decode " + v.Type().String()) // a programming error, found by any test that loads a pack
	}
}

var yuan = regexp.MustCompile(`^(\d{1,9})\.(\d{2})$`)

func (d *decoder) number(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	if tag.Get("as") == "yuan" {
		m := yuan.FindStringSubmatch(n.text)
		if m == nil {
			d.bad(n, path, fmt.Sprintf("%q is not an amount of money", n.text), `write yuan with two decimals, as in 200.00`)
			return
		}
		whole, _ := strconv.ParseInt(m[1]+m[2], 10, 64)
		v.SetInt(whole)
		return
	}
	i, err := strconv.ParseInt(n.text, 10, 32)
	if err != nil {
		d.bad(n, path, fmt.Sprintf("%q is not a whole number", n.text), "write digits only, as in 15")
		return
	}
	v.SetInt(i)
}

// key is the YAML key of a struct field, "" when it has none.
func key(f reflect.StructField) string {
	k := f.Tag.Get("yaml")
	if k == "-" {
		return ""
	}
	return k
}

// keysOf lists the YAML keys of a struct.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if k := key(t.Field(i)); k != "" {
			keys = append(keys, k)
		}
	}
	return keys
}

var blank = regexp.MustCompile(`\{([a-z][a-z0-9_]*)\}`)

// Placeholders lists the {names} in a text, sorted, each once.
func Placeholders(s string) []string {
	var names []string
	for _, m := range blank.FindAllStringSubmatch(s, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	slices.Sort(names)
	return names
}
