// Package form is what a tenant asks of an applicant: groups of fields as data,
// and the one check that turns what was typed into answers that can be stored.
//
// In: a Form (declared in a tenant's pack), the typed Answers, and an Env (today,
// facts about the applicant). Out: a Result with normalised answers, every
// problem at once, and the warnings a reviewer must see. Nothing here knows HTTP,
// the database or which tenant it serves; files are named by their id only.
package form

import (
	"iter"

	"certsaas/core/i18n"
)

// Type says how a field is asked and what its answer looks like.
type Type string

// The field types. Answers are always strings; the comment says of what shape.
const (
	Text     Type = "text"     // one line
	Textarea Type = "textarea" // several lines
	Select   Type = "select"   // one of Options, as a list
	Radio    Type = "radio"    // one of Options, as buttons
	Checkbox Type = "checkbox" // "yes" or ""
	Mobile   Type = "mobile"   // 11 digits
	Email    Type = "email"    // address, lower-case host
	Landline Type = "landline" // area-number[-ext]
	Number   Type = "number"   // whole number, Min..Max
	Quantity Type = "quantity" // whole number with + and −, Min..Max (req B19 K8)
	Date     Type = "date"     // 2006-01-02
	Image    Type = "image"    // id of an uploaded picture
	Letter   Type = "letter"   // id of the uploaded scan of the printed letter; the page offers download and print beside it
)

// Form is everything one product asks, in the order it is asked.
type Form struct {
	Groups []Group `yaml:"groups"`
}

// Group is a numbered section of a form.
type Group struct {
	ID          string    `yaml:"id" need:"yes"`
	Use         string    `yaml:"use"` // entry of groups.yaml this group starts from (resolved before compiling)
	Title       i18n.Text `yaml:"title" need:"yes"`
	Help        i18n.Text `yaml:"help"`
	Step        string    `yaml:"step" need:"yes"` // id of the product step whose page shows the group
	VisibleWhen Cond      `yaml:"visible_when"`
	Fields      []Field   `yaml:"fields" need:"yes"`
}

// Field is one question.
type Field struct {
	Key          string    `yaml:"key" need:"yes"` // name in Answers; see tenant's vocabulary for keys other packages read
	Use          string    `yaml:"use"`            // entry of fields.yaml this field starts from (resolved before compiling)
	Label        i18n.Text `yaml:"label" need:"yes"`
	Type         Type      `yaml:"type" need:"yes" oneof:"text textarea select radio checkbox mobile email landline number quantity date image letter"`
	Required     bool      `yaml:"required"`
	RequiredWhen Cond      `yaml:"required_when"`
	VisibleWhen  Cond      `yaml:"visible_when"`
	ReadOnly     bool      `yaml:"read_only"` // the answer is always Source's; what is typed is ignored (req B24)
	Source       string    `yaml:"source"`    // where the first value comes from: "account.mobile", "answers.org_name", "cert.subject", …; several, the best first, with blanks between
	Default      string    `yaml:"default"`   // first value when Source gives none
	Options      []Option  `yaml:"options"`
	OptionsFrom  string    `yaml:"options_from"` // "term", "delivery", "invoice", or a list of options.yaml (resolved before compiling)
	Validator    string    `yaml:"validator"`    // a name of core/identifier's registry; an option's validator goes first (By)
	Pattern      string    `yaml:"pattern"`      // RE2, matched against the whole normalised answer; handed to the validator where that takes one (dealer_code)
	PatternHelp  i18n.Text `yaml:"pattern_help"` // what to do when Pattern refuses
	MinLen       int       `yaml:"min_len"`      // characters
	MaxLen       int       `yaml:"max_len"`      // characters; 0 = 200 (1000 for textarea)
	Min          int       `yaml:"min"`          // number, quantity
	Max          int       `yaml:"max"`          // number, quantity; 0 = no limit
	By           string    `yaml:"by"`           // field whose option names the validator (an ID number is checked by its ID type), or the carrier of a waybill
	Help         i18n.Text `yaml:"help"`
	Placeholder  i18n.Text `yaml:"placeholder"`
	Autocomplete string    `yaml:"autocomplete"` // HTML autocomplete token
	InputMode    string    `yaml:"input_mode" oneof:"text numeric tel email decimal"`
	Upload       Upload    `yaml:"upload"`
	Personal     bool      `yaml:"personal"` // personal data: sealed at rest, masked on screen
	Mask         string    `yaml:"mask" oneof:"none mobile id name email all"`
	Sample       string    `yaml:"sample"` // an answer that passes, for previews and the contract test
}

// Option is one choice.
type Option struct {
	Value     string    `yaml:"value" need:"yes"`
	Label     i18n.Text `yaml:"label" need:"yes"`
	Help      i18n.Text `yaml:"help"`
	Validator string    `yaml:"validator"` // validator that a field with By = this field uses
}

// Upload says what a picture must be. Zero values mean the platform's: 2 097 152
// bytes inclusive (req B41, decision 5), any colour.
type Upload struct {
	MaxBytes  int       `yaml:"max_bytes"`
	Colour    bool      `yaml:"colour"`     // must be a colour picture (req K21)
	Seal      bool      `yaml:"seal"`       // must show a red seal (req B44 K23)
	Signature bool      `yaml:"signature"`  // signed instead of sealed (decision 4)
	QR        bool      `yaml:"qr"`         // must carry the letter's QR
	MinWidth  int       `yaml:"min_width"`  // pixels of the longer side, 0 = 600
	MinHeight int       `yaml:"min_height"` // pixels of the shorter side, 0 = 400
	Sample    string    `yaml:"sample"`     // SVG in the pack that shows what is wanted
	Hint      i18n.Text `yaml:"hint"`
}

// MaxImageBytes is the limit of an image field that sets none: 2M inclusive (req B41).
const MaxImageBytes = 2 << 20

// Limit is the greatest size of the picture in bytes, inclusive.
func (u Upload) Limit() int {
	if u.MaxBytes > 0 {
		return u.MaxBytes
	}
	return MaxImageBytes
}

// Answers are a form's values by field key; a missing key and "" are the same.
type Answers map[string]string

// Field finds a field by key.
func (f Form) Field(key string) (Field, bool) {
	for _, g := range f.Groups {
		for _, fd := range g.Fields {
			if fd.Key == key {
				return fd, true
			}
		}
	}
	return Field{}, false
}

// Fields are all fields in order.
func (f Form) Fields() iter.Seq[Field] {
	return func(yield func(Field) bool) {
		for _, g := range f.Groups {
			for _, fd := range g.Fields {
				if !yield(fd) {
					return
				}
			}
		}
	}
}

// Has tells whether there is a field of which is holds.
func (f Form) Has(is func(Field) bool) bool {
	for fd := range f.Fields() {
		if is(fd) {
			return true
		}
	}
	return false
}

// Steps is the form restricted to the groups of the named steps.
func (f Form) Steps(ids ...string) Form {
	var out Form
	for _, g := range f.Groups {
		for _, id := range ids {
			if g.Step == id {
				out.Groups = append(out.Groups, g)
			}
		}
	}
	return out
}

// IsFile tells whether the answer is the id of an uploaded picture.
func (fd Field) IsFile() bool { return fd.Type == Image || fd.Type == Letter }

// Choice finds an option by value.
func (fd Field) Choice(value string) (Option, bool) {
	for _, o := range fd.Options {
		if o.Value == value {
			return o, true
		}
	}
	return Option{}, false
}

// Display is an answer as a reader sees it: the option's label instead of its value.
func (fd Field) Display(locale, value string) string {
	if o, ok := fd.Choice(value); ok {
		return o.Label.In(locale)
	}
	return value
}
