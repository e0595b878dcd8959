package console

import (
	"context"
	"errors"
	"strings"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/letter"
	"certsaas/core/material"
	"certsaas/core/review"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// typed is the reason that was typed against a field before the page came back with an error.
func (v *reviewView) typed(field string) (string, bool) {
	reason, ok := v.typedReject[field]
	return reason, ok
}

// reviewView reads the desk of an order in review, claiming it where nobody else holds it.
func (k *Console) reviewView(c *fiber.Ctx, d *dossier, typed review.Verdict) (*reviewView, error) {
	ctx, p := c.UserContext(), web.Printer(c)
	v := &reviewView{dossier: d, CanReveal: k.mayReveal(ctx, d), Ticked: typed.Checklist, typedReject: map[string]string{}}
	for _, r := range typed.Remarks {
		v.typedReject[r.Target] = r.Reason
	}
	err := k.inTenant(ctx, d.Tenant, func(ctx context.Context, tx *db.Tx) error { return k.Orders.Claim(ctx, tx, &d.Order) })
	switch {
	case errors.Is(err, fault.Conflict):
		who, err := k.names(ctx)
		if err != nil {
			return nil, err
		}
		v.Taken = p.T("console.review.taken", "Name", who.of(d.ClaimedBy))
	case err != nil:
		return nil, err
	}
	if err = k.twins(c, v); err != nil {
		return nil, err
	}
	err = k.inTenant(ctx, d.Tenant, func(ctx context.Context, tx *db.Tx) error {
		var err error
		if v.Letter, err = k.Letters.Comparison(ctx, tx, d.ID); err != nil {
			return err
		}
		return k.samePictures(ctx, tx, v, p)
	})
	if err != nil {
		return nil, err
	}
	for _, ch := range d.Item.Review.Checklist {
		if ch.When.Holds(d.Answers, d.Facts, true) {
			v.Checklist = append(v.Checklist, ch)
		}
	}
	for _, r := range d.Item.Review.Reasons {
		v.Reasons = append(v.Reasons, r.Text.In(d.Site.Languages()[0])) // the applicant reads it
	}
	v.DueTone, v.Due = k.due(p, d)
	v.SecondLook = len(d.Rounds) > 0
	v.Whole = c.Query("all") != "" || c.FormValue("all") != ""
	k.lay(c, v)
	return v, k.neighbours(ctx, v)
}

// lay puts documents and data on the desk, in the form's order; on a second look only what changed and what was refused.
func (k *Console) lay(c *fiber.Ctx, v *reviewView) {
	p := web.Printer(c)
	warnings, wrong := problems(v.Checked.Warnings, p), problems(v.Checked.Problems, p)
	printed := map[string]letter.Line{}
	for _, l := range v.Letter.Lines {
		printed[l.Name] = l
	}
	was := map[string]form.Change{}
	for _, ch := range review.Changes(v.Item, v.Rounds, v.Answers) {
		was[ch.Field.Key] = ch
	}
	refused := map[string]string{}
	if v.SecondLook {
		for _, r := range v.Rounds[len(v.Rounds)-1].Remarks {
			refused[r.Target] = r.Reason
		}
	}
	for _, g := range v.Item.Form.Groups {
		group := ui.FactGroup{Title: g.Title.In(v.Locale)}
		for _, fd := range g.Fields {
			ch, changed := was[fd.Key]
			_, back := refused[fd.Key]
			if !v.Visible[fd.Key] || (v.SecondLook && !v.Whole && !changed && !back) {
				continue
			}
			f := k.fact(v, fd, p.T)
			switch {
			case wrong[fd.Key] != "":
				f.Check, f.Note = ui.Danger, wrong[fd.Key]
			case warnings[fd.Key] != "":
				f.Check, f.Note = ui.Warn, warnings[fd.Key]+p.T("console.review.soft")
			}
			if l, ok := printed[fd.Key]; ok && l.Changed() {
				f.Letter, f.Check = v.shown(fd, l.Printed), ui.Danger
			}
			if changed && !fd.IsFile() {
				f.Was = firstOf(v.shown(fd, ch.Old), p.T("ui.none"))
			}
			f.Reason, f.Refused = v.typed(fd.Key)
			if back && f.Check == ui.Good && !fd.IsFile() {
				f.Check, f.Note = ui.Plain, ""
			}
			if back {
				f.Before = p.T("console.review.refused_before", "Reason", refused[fd.Key])
			}
			group.Facts = append(group.Facts, f)
		}
		if len(group.Facts) > 0 {
			v.Groups = append(v.Groups, group)
		}
	}
}

// fact is one datum, or one document with what its automatic look found; a document also goes to the left side.
func (k *Console) fact(v *reviewView, fd form.Field, t func(string, ...any) string) ui.Fact {
	value := v.Answers[fd.Key]
	f := ui.Fact{Field: fd.Key, Label: fd.Label.In(v.Locale), Value: v.shown(fd, value), Reject: v.Taken == ""}
	if !fd.IsFile() {
		if v.CanReveal && v.hidden(fd) {
			f.Reveal = v.path("/reveal/" + fd.Key)
		}
		if isValidated(fd, value) {
			f.Check, f.Note = ui.Good, t("console.review.form_ok")
		}
		return f
	}
	file, ok := v.file(fd.Key)
	if !ok {
		f.Value = ""
		return f
	}
	f.Value = t("console.review.picture", "Width", file.Width, "Height", file.Height)
	f.Check = findingTone(file.Findings)
	var notes []string
	for _, x := range file.Findings {
		notes = append(notes, t(x.ID, args(x.Args)...))
	}
	if fd.Type == form.Letter && v.Letter.Scan != nil {
		notes = append([]string{t("letter.result." + string(v.Letter.Scan.Result))}, notes...)
		if v.Letter.Scan.Result != letter.OK {
			f.Check = ui.Danger
		}
	}
	f.Note = strings.Join(notes, " ")
	if f.Note == "" {
		f.Note = t("console.review.picture_ok")
	}
	v.Docs = append(v.Docs, ui.Doc{Label: f.Label, URL: filePath(v.House.Slug, file.ID), State: f.Check, Field: fd.Key})
	return f
}

func args(m map[string]any) []any {
	var kv []any
	for name, value := range m {
		kv = append(kv, name, value)
	}
	return kv
}

// findingTone is the verdict of an automatic look.
func findingTone(found []material.Finding) ui.Tone {
	tone := ui.Good
	for _, f := range found {
		if f.Refuses {
			return ui.Danger
		}
		tone = ui.Warn
	}
	return tone
}

// letterTone is what the code on the letter's scan says, as a colour.
func (v *reviewView) letterTone() ui.Tone {
	switch {
	case v.Letter.Scan == nil, v.Letter.Scan.Result == letter.Missing, v.Letter.Scan.Result == letter.Undecided:
		return ui.Warn
	case v.Letter.Scan.Result == letter.OK && !v.Letter.Voided:
		return ui.Good
	}
	return ui.Danger
}

// changedLines are the letter's values that differ from the order's and stand beside no field of the form.
func (v *reviewView) changedLines() []letter.Line {
	var out []letter.Line
	for _, l := range v.Letter.Lines {
		if _, isField := v.Item.Form.Field(l.Name); l.Changed() && !isField {
			if l.Label == "" {
				l.Label = l.Name
			}
			out = append(out, l)
		}
	}
	return out
}

// label is what the form calls a field.
func (d *dossier) label(key string) string {
	if fd, ok := d.Item.Form.Field(key); ok {
		return fd.Label.In(d.Locale)
	}
	return key
}
