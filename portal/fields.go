package portal

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/a-h/templ"

	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/material"
	"certsaas/core/web/ui"
)

// section is one numbered group of a form page.
type section struct {
	No          int
	Title, Help string
	When        string // condition for the page's script; "" = always
	Hidden      bool   // the server's own answer to it
	Parts       []templ.Component
	Locked      []ui.Datum // after a rejection: what may not change (req K44)
}

// sheet builds the fields of one step as a page shows them.
type sheet struct {
	w       placed
	part    form.Form       // the groups of the step
	step    string          // its id
	answers form.Answers    // stored, with what is known already filled in
	visible map[string]bool // fields the answers show
	open    map[string]bool // after a rejection: what may change; nil = everything
	said    map[string]said // what the last check noticed, by field
	say     i18n.Printer
	letter  func(fd form.Field, tile ui.UploadProps) templ.Component
	phone   func(key string, tile ui.UploadProps) ui.UploadProps // opens the panel of one tile
}

// said is what a page says under a field besides an error.
type said struct{ warning, note string }

func (p *Portal) sheet(w placed, step string, say i18n.Printer) *sheet {
	s := &sheet{w: w, step: step, part: w.Item.Form.Steps(step), say: say, said: map[string]said{}}
	env := form.Env{Now: p.Clock.Now(), Facts: w.Facts, Source: func(path string) string { return stored(w, path) }}
	s.answers = w.Item.Form.Prefill(w.Answers, env)
	s.visible = w.Item.Form.Visible(s.answers, w.Facts)
	s.open = w.Open(w.Item)
	return s
}

// stored answers where a field comes from once the order exists: what was filled in when it was opened stays.
func stored(w placed, path string) string {
	for fd := range w.Item.Form.Fields() {
		if fd.Source == path && w.Answers[fd.Key] != "" {
			return w.Answers[fd.Key]
		}
	}
	return ""
}

func (s *sheet) in(t i18n.Text) string { return t.In(s.say.Locale()) }

// sections are the step's groups. What no answer on this page can bring up is left out.
func (s *sheet) sections() []section {
	var out []section
	shown := 0
	for _, g := range s.part.Groups {
		seen := g.VisibleWhen.Holds(s.answers, s.w.Facts, true)
		if !seen && !s.here(g.VisibleWhen) {
			continue
		}
		sec := section{No: shown + 1, Title: s.in(g.Title), Help: s.in(g.Help), Hidden: !seen}
		if s.here(g.VisibleWhen) {
			sec.When = g.VisibleWhen.JSON()
		}
		for _, fd := range g.Fields {
			s.place(&sec, fd, seen)
		}
		if len(sec.Parts) == 0 && len(sec.Locked) == 0 {
			continue
		}
		if seen {
			shown++
		}
		out = append(out, sec)
	}
	return out
}

// place puts one field into its section: as a question, or after a rejection as a locked line.
func (s *sheet) place(sec *section, fd form.Field, groupSeen bool) {
	seen := groupSeen && s.visible[fd.Key]
	if s.open != nil && !s.open[fd.Key] {
		if seen {
			sec.Locked = append(sec.Locked, s.datum(fd))
		}
		return
	}
	// fields of a group that is itself hidden are judged by their own condition, so that the script can show both
	own := fd.VisibleWhen.Holds(s.answers, s.w.Facts, true)
	if !own && !s.here(fd.VisibleWhen) {
		return
	}
	sec.Parts = append(sec.Parts, s.field(fd, !own))
}

// here tells whether a condition reads an answer that can change on this page.
func (s *sheet) here(c form.Cond) bool {
	for _, name := range c.Fields() {
		if fd, ok := s.part.Field(name); ok && !fd.ReadOnly && (s.open == nil || s.open[name]) {
			return true
		}
	}
	return false
}

// when is a condition for the script, "" when nothing on the page moves it.
func (s *sheet) when(c form.Cond) string {
	if !s.here(c) {
		return ""
	}
	return c.JSON()
}

var kinds = map[form.Type]ui.FieldKind{
	form.Text: ui.TextField, form.Textarea: ui.TextareaField, form.Select: ui.SelectField, form.Radio: ui.RadioField,
	form.Checkbox: ui.CheckboxField, form.Mobile: ui.TelField, form.Email: ui.EmailField, form.Landline: ui.TelField,
	form.Number: ui.NumberField, form.Quantity: ui.QuantityField, form.Date: ui.DateField,
}

// field is one question as the kit asks it.
func (s *sheet) field(fd form.Field, hidden bool) templ.Component {
	if fd.IsFile() {
		tile := s.tile(fd, hidden)
		if s.phone != nil {
			tile = s.phone(fd.Key, tile)
		}
		if fd.Type == form.Letter && s.letter != nil {
			return s.letter(fd, tile)
		}
		return ui.Upload(tile)
	}
	f := ui.FieldProps{
		Kind: kinds[fd.Type], Name: fd.Key, Label: s.in(fd.Label), Value: s.answers[fd.Key], Help: s.in(fd.Help),
		Required: fd.Required || !fd.RequiredWhen.Empty() && fd.Needs(s.answers, s.w.Facts), Placeholder: s.in(fd.Placeholder),
		Autocomplete: fd.Autocomplete, InputMode: fd.InputMode, Min: fd.Min, Max: fd.Max, Width: width(fd),
		When: s.when(fd.VisibleWhen), Hidden: hidden, Warning: s.said[fd.Key].warning, Note: s.said[fd.Key].note,
	}
	for _, o := range fd.Options {
		f.Options = append(f.Options, ui.Option{Value: o.Value, Label: s.in(o.Label), Help: s.in(o.Help)})
		f.Cards = f.Cards || len(o.Help) > 0
	}
	if fd.Type == form.Quantity {
		f.Suffix = s.say.T("portal.pieces")
	}
	if fd.ReadOnly {
		f.Kind, f.ReadOnly, f.Value, f.Locked = ui.TextField, true, fd.Display(s.say.Locale(), f.Value), s.say.T("portal.locked")
		if f.Help != "" { // it says why itself
			f.Locked = ""
		}
	}
	return ui.Field(f)
}

// width fits the box to what it holds; parts of an address stand side by side where there is room, as on a waybill.
func width(fd form.Field) string {
	switch {
	case strings.Contains(fd.Autocomplete, "address-level"):
		return "third"
	case fd.Autocomplete == "shipping name", fd.Autocomplete == "shipping tel":
		return "half"
	case fd.Type == form.Mobile || fd.Type == form.Landline:
		return "m"
	case fd.MaxLen > 0 && fd.MaxLen <= 10:
		return "s"
	case fd.MaxLen > 0 && fd.MaxLen <= 20:
		return "m"
	case fd.MaxLen > 0 && fd.MaxLen <= 40:
		return "l"
	}
	return ""
}

// datum is an answer to read: on the confirmation page, and where it is locked.
func (s *sheet) datum(fd form.Field) ui.Datum {
	d := ui.Datum{Label: s.in(fd.Label), Value: fd.Display(s.say.Locale(), s.answers[fd.Key])}
	switch {
	case fd.IsFile() && s.answers[fd.Key] != "":
		d.Body = picture(s.in(fd.Label), "/files/"+s.answers[fd.Key])
	case fd.Type == form.Checkbox && d.Value == "yes":
		d.Value = s.say.T("portal.confirmed")
	case fd.Type == form.Checkbox && d.Value == "":
		d.Value = s.say.T("portal.unconfirmed")
	}
	return d
}

// tile is a picture to hand in.
func (s *sheet) tile(fd form.Field, hidden bool) ui.UploadProps {
	base := "/orders/" + s.w.ID.String() + "/files/" + fd.Key
	u := ui.UploadProps{
		Name: fd.Key, Label: s.in(fd.Label), Help: s.in(fd.Help), Required: fd.Needs(s.answers, s.w.Facts), MaxBytes: fd.Upload.Limit(),
		Limit: s.say.T("portal.upload_limit", "MB", megabytes(fd.Upload.Limit())), Wants: s.wants(fd), URL: base, Phone: base + "/phone",
		When: s.when(fd.VisibleWhen), Hidden: hidden,
	}
	if fd.Upload.Sample != "" {
		u.Sample = "/samples/" + fd.Upload.Sample
	}
	f, ok := s.w.Files[fd.Key]
	if !ok || f.ID.String() != s.w.Answers[fd.Key] {
		return u
	}
	u.Value, u.Preview = f.ID.String(), "/files/"+f.ID.String()
	u.FileName = s.say.T("portal.picture_of", "Width", f.Width, "Height", f.Height, "Size", size(f.Bytes))
	u.Checks = s.checks(fd, f)
	return u
}

// wants are the short lines that say what a picture must show.
func (s *sheet) wants(fd form.Field) []string {
	var out []string
	if h := s.in(fd.Upload.Hint); h != "" {
		out = append(out, h)
	}
	seal, colour := fd.Upload.Seal, fd.Upload.Colour
	if l, ok := s.form(fd); ok {
		colour = colour || l.Colour
		if l.Seal == "signature" {
			seal = false
			out = append(out, s.say.T("portal.want_signature"))
		}
	}
	if colour {
		out = append(out, s.say.T("portal.want_colour"))
	}
	if seal {
		out = append(out, s.say.T("portal.want_seal"))
	}
	return out
}

// checks are what the automatic look found, a tick when it found nothing.
func (s *sheet) checks(fd form.Field, f material.File) []ui.CheckItem {
	var out []ui.CheckItem
	for _, x := range f.Findings {
		tone := ui.Warn
		if x.Refuses {
			tone = ui.Danger
		}
		out = append(out, ui.CheckItem{Tone: tone, Text: s.say.Format(x.ID, x.Args)})
	}
	if fd.Type == form.Letter && s.w.Facts["letter_qr"] == "match" {
		out = append(out, ui.CheckItem{Tone: ui.Good, Text: s.say.T("portal.letter_matches")})
	}
	if len(out) == 0 {
		out = append(out, ui.CheckItem{Tone: ui.Good, Text: s.say.T("portal.picture_fine")})
	}
	return out
}

// carried are answers given elsewhere that the page's conditions read; the server ignores them when they come back.
func (s *sheet) carried() map[string]string {
	out := map[string]string{}
	note := func(c form.Cond) {
		for _, name := range c.Fields() {
			fd, here := s.part.Field(name)
			if v := s.answers[name]; v != "" && (!here || fd.ReadOnly || s.open != nil && !s.open[name]) {
				out[name] = v
			}
		}
	}
	for _, g := range s.part.Groups {
		note(g.VisibleWhen)
		for _, fd := range g.Fields {
			note(fd.VisibleWhen)
		}
	}
	return out
}

// mirrors are fields that start as copies of others on the same page: [["invoice_title",["org_name"]], …] as JSON.
func (s *sheet) mirrors() string {
	var pairs [][2]any
	for fd := range s.part.Fields() {
		var from []string
		for _, path := range fd.Sources() {
			key, ok := strings.CutPrefix(path, "answers.")
			if _, here := s.part.Field(key); ok && here {
				from = append(from, key)
			}
		}
		if len(from) > 0 && !fd.IsFile() && (s.open == nil || s.open[fd.Key]) {
			pairs = append(pairs, [2]any{fd.Key, from})
		}
	}
	if len(pairs) == 0 {
		return ""
	}
	b, err := json.Marshal(pairs)
	if err != nil { // strings only: cannot happen
		return ""
	}
	return string(b)
}

// facts is what the page's conditions may ask besides answers, as JSON.
func (s *sheet) facts() string {
	b, err := json.Marshal(s.w.Facts)
	if err != nil || len(s.w.Facts) == 0 {
		return ""
	}
	return string(b)
}

// hasFiles tells whether the page's form carries pictures when there are no scripts.
func (s *sheet) hasFiles() bool {
	return s.part.Has(func(fd form.Field) bool { return fd.IsFile() })
}

// megabytes is a limit as people say it: 2, 1.5.
func megabytes(n int) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(n)/(1<<20)), ".0")
}

// size is a file's size as people say it.
func size(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d KB", (n+1023)/1024)
}
