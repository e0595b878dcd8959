package tenant

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"certsaas/core/form"
	"certsaas/core/identifier"
)

// form checks every field; conditions may read only what is asked before.
func (v *productValidator) form() {
	var before []string
	steps := []string{}
	for _, s := range v.p.Steps {
		steps = append(steps, s.ID)
	}
	ids := map[string]bool{}
	for i, g := range v.p.Form.Groups {
		path := fmt.Sprintf("%s.form.groups[%d]", v.at, i)
		if ids[g.ID] {
			v.bad(path+".id", fmt.Sprintf("group %q is written twice", g.ID), "give each group its own id")
		}
		ids[g.ID] = true
		v.known(path+".step", g.Step, steps, "step")
		v.condition(g.VisibleWhen, path+".visible_when", before)
		if len(g.Fields) == 0 {
			v.bad(path+".fields", "the group asks nothing", "add fields, or take the group away")
		}
		for j, fd := range g.Fields {
			at := fmt.Sprintf("%s.fields[%d]", path, j)
			if slices.Contains(before, fd.Key) {
				v.bad(at+".key", fmt.Sprintf("field %q is asked twice", fd.Key), "give each field its own key")
			}
			v.field(fd, at, before)
			before = append(before, fd.Key)
		}
	}
}

func (v *productValidator) field(fd form.Field, at string, before []string) {
	if !keyForm.MatchString(fd.Key) {
		v.bad(at+".key", fmt.Sprintf("%q cannot be a key", fd.Key), "use a-z, 0-9 and _, a letter first, 40 at most")
	}
	if types, ok := Keys[fd.Key]; ok && !slices.Contains(types, string(fd.Type)) {
		v.bad(at+".type", fmt.Sprintf("the key %q is read by the platform and cannot be of type %s", fd.Key, fd.Type), "say type: "+strings.Join(types, " or ")+", or use another key")
	}
	if fd.Type == form.Letter && fd.Key != "letter" {
		v.bad(at+".key", "the letter's scan must have the key letter", "say key: letter")
	}
	v.condition(fd.VisibleWhen, at+".visible_when", before)
	v.condition(fd.RequiredWhen, at+".required_when", before)
	v.options(fd, at)
	v.checks(fd, at, before)
	v.source(fd, at, before)
}

func (v *productValidator) options(fd form.Field, at string) {
	chooses := fd.Type == form.Select || fd.Type == form.Radio
	if chooses && len(fd.Options) == 0 {
		v.bad(at, "there is nothing to choose from", "add options: [{value: …, label: …}], or options_from:")
		return
	}
	values := map[string]bool{}
	for i, o := range fd.Options {
		path := fmt.Sprintf("%s.options[%d]", at, i)
		if values[o.Value] {
			v.bad(path+".value", fmt.Sprintf("option %q is written twice", o.Value), "give each option its own value")
		}
		values[o.Value] = true
		if o.Validator != "" {
			v.known(path+".validator", o.Validator, identifier.Names(), "validator")
		}
	}
	if chooses && fd.Default != "" && !values[fd.Default] {
		v.bad(at+".default", fmt.Sprintf("the default %q is not among the options", fd.Default), "choose one of the options' values")
	}
}

func (v *productValidator) checks(fd form.Field, at string, before []string) {
	if fd.Validator != "" {
		v.known(at+".validator", fd.Validator, identifier.Names(), "validator")
	}
	if fd.By != "" {
		v.known(at+".by", fd.By, before, "earlier field")
	}
	if fd.Pattern != "" {
		if _, err := regexp.Compile("^(?:" + fd.Pattern + ")$"); err != nil {
			v.bad(at+".pattern", "the pattern does not compile: "+err.Error(), "correct the RE2 expression; quote it in single quotes")
		} else if fd.Validator == "" && !regexp.MustCompile("^(?:"+fd.Pattern+")$").MatchString(fd.Sample) {
			v.bad(at, fmt.Sprintf("the sample %q does not match the pattern", fd.Sample), "add sample: with an answer that is accepted")
		}
	}
	if fd.MaxLen > 0 && fd.MinLen > fd.MaxLen {
		v.bad(at+".min_len", fmt.Sprintf("min_len %d is more than max_len %d", fd.MinLen, fd.MaxLen), "make min_len the smaller one")
	}
	u := fd.Upload
	if u.MaxBytes < 0 || u.MaxBytes > 20<<20 {
		v.bad(at+".upload.max_bytes", "the limit is not possible", "choose 1 to 20971520 bytes; 2097152 is the default")
	}
	if (u.MaxBytes != 0 || u.Colour || u.Seal || u.QR || u.Signature || u.Sample != "") && !fd.IsFile() {
		v.bad(at+".upload", "only pictures are uploaded", "say type: image or type: letter, or take upload away")
	}
	if u.Sample != "" {
		if _, ok := v.assets[u.Sample]; !ok {
			v.bad(at+".upload.sample", fmt.Sprintf("theme/ has no %q", u.Sample), "add the drawing, or take the sample away")
		}
	}
}

var sourceForm = regexp.MustCompile(`^(account\.mobile|answers\.([a-z][a-z0-9_]*)|cert\.(subject|serial|not_after|organisation|code)|order\.old_key_serial)$`)

func (v *productValidator) source(fd form.Field, at string, before []string) {
	if fd.Source == "" {
		if fd.ReadOnly && fd.Default == "" {
			v.bad(at+".read_only", "nothing fills a read-only field", "add source: answers.… or account.mobile, or default:")
		}
		return
	}
	for _, path := range fd.Sources() {
		m := sourceForm.FindStringSubmatch(path)
		if m == nil {
			v.bad(at+".source", fmt.Sprintf("%q is not a source", path), "use account.mobile, answers.<earlier field>, cert.subject, cert.serial, cert.not_after, cert.organisation, cert.code or order.old_key_serial")
			return
		}
		if m[2] != "" {
			v.known(at+".source", m[2], before, "earlier field")
		}
		if path == "account.mobile" && v.p.Account == "order_first" {
			v.bad(at+".source", "there is no account yet when the order comes first", "take source away, or say account: register_first")
		}
	}
}

// condition checks that what a condition reads exists and can have the value.
func (v *productValidator) condition(c form.Cond, at string, keys []string) {
	if c.Empty() {
		if c.Is != "" || len(c.In) > 0 || c.Filled {
			v.bad(at, "the condition does not say what it looks at", "add field: or fact:")
		}
		return
	}
	for _, k := range c.Fields() {
		if !v.known(at, k, keys, "earlier field") {
			return
		}
	}
	for _, f := range c.Facts() {
		if _, ok := Facts[f]; !ok {
			var names []string
			for n := range Facts {
				names = append(names, n)
			}
			v.known(at, f, names, "fact")
			return
		}
	}
	for _, clause := range c.DNF() {
		for _, l := range clause {
			v.literal(l, at)
		}
	}
}

func (v *productValidator) literal(l form.Literal, at string) {
	values := Facts[l.Fact]
	if l.Fact == "" {
		fd, _ := v.p.Form.Field(l.Field)
		for _, o := range fd.Options {
			values = append(values, o.Value)
		}
		if fd.Type == form.Checkbox {
			values = []string{"yes", ""}
		}
	}
	for _, want := range l.Values {
		if len(values) > 0 && want != "" && !slices.Contains(values, want) {
			v.bad(at, fmt.Sprintf("%q can never be %q", l.Field+l.Fact, want), meant(want, values))
		}
	}
}
