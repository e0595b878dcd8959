package ui

import (
	"fmt"
	"strings"

	"github.com/a-h/templ"
)

// FormProps is a form that posts to the server. It carries the CSRF token, is
// never validated by the browser, and has a hidden first submit button, so that
// Enter always means the main action and never "−".
type FormProps struct {
	Action string // URL; "" posts to the page itself
	ID     string // needed when a button outside the form submits it (form=ID)
	Get    bool   // a search form: GET, no token
	Files  bool   // multipart/form-data
	Facts  string // JSON object of facts that visible-when conditions read
	Price  string // URL that answers the form's fields with the price fragment (see PriceSummary)
	Save   string // URL for autosave of a draft: the fields are posted after each pause; 204
	Class  string
	Step   string // value of _step for Enter; "" = "next"
}

// FieldKind is the way a field is asked.
type FieldKind string

// The kinds of field.
const (
	TextField     FieldKind = "text"
	TextareaField FieldKind = "textarea"
	SelectField   FieldKind = "select"
	RadioField    FieldKind = "radio"    // few choices: buttons side by side; with Help or Cards each its own line
	CheckboxField FieldKind = "checkbox" // one tick; Value "yes" when ticked
	TelField      FieldKind = "tel"
	EmailField    FieldKind = "email"
	NumberField   FieldKind = "number"
	DateField     FieldKind = "date"
	PasswordField FieldKind = "password"
	CodeField     FieldKind = "code" // one-time code: numeric, pasteable, one input (WCAG 3.3.8)
	MoneyField    FieldKind = "money"
	QuantityField FieldKind = "quantity" // + and −; without scripts each is a submit "_step=<name>+1"
)

// FieldProps is one question. Its error comes from Page.Errors by Name.
type FieldProps struct {
	Kind         FieldKind // TextField when empty
	Name         string
	Label        string
	Value        string
	Required     bool
	Help         string // under the label
	Placeholder  string
	Options      []Option // select, radio
	Autocomplete string
	InputMode    string
	MaxLength    int
	Min, Max     int             // number, quantity; Max 0 = no limit
	Rows         int             // textarea; 0 = 4
	Width        string          // "s" code, "m" number, "l" name; "third", "half" of the row on a wide screen; "" full
	Prefix       string          // "¥"
	Suffix       string          // "件", "年"
	ReadOnly     bool            // shown with a lock; Locked says why
	Locked       string          // "与注册手机号一致，不可修改"
	Warning      string          // does not stop the order: "请核对…"
	Note         string          // what was changed: "已取前十位"
	When         string          // visible-when condition as JSON (form.Cond.JSON)
	Hidden       bool            // the server's own answer to When
	Cards        bool            // radio as cards with help and price
	Action       templ.Component // beside the input: a countdown button
	AutoFocus    bool
}

// Option is one choice of a select or radio.
type Option struct {
	Value, Label string
	Help         string // radio: small line under the label
	Extra        string // cards: right side, e.g. "¥20.00" or "到付"
	Disabled     bool
}

func (f FieldProps) kind() FieldKind {
	if f.Kind == "" {
		return TextField
	}
	return f.Kind
}

// inputType is the type attribute of an <input>.
func (f FieldProps) inputType() string {
	switch f.kind() {
	case TelField:
		return "tel"
	case EmailField:
		return "email"
	case DateField:
		return "date"
	case PasswordField:
		return "password"
	}
	return "text"
}

func (f FieldProps) mode() string {
	if f.InputMode != "" {
		return f.InputMode
	}
	switch f.kind() {
	case TelField:
		return "tel"
	case EmailField:
		return "email"
	case NumberField, CodeField, QuantityField:
		return "numeric"
	case MoneyField:
		return "decimal"
	}
	return ""
}

func (f FieldProps) auto() string {
	if f.Autocomplete == "" && f.kind() == CodeField {
		return "one-time-code"
	}
	return f.Autocomplete
}

// grouped reports whether the field is a fieldset of several inputs.
func (f FieldProps) grouped() bool { return f.kind() == RadioField }

// describedBy lists the ids of what explains the field.
func (f FieldProps) describedBy(hasErr bool) string {
	var ids []string
	id := FieldID(f.Name)
	if f.Help != "" {
		ids = append(ids, id+"-help")
	}
	if f.Warning != "" || f.Note != "" || f.Locked != "" {
		ids = append(ids, id+"-note")
	}
	if hasErr {
		ids = append(ids, id+"-error")
	}
	return strings.Join(ids, " ")
}

// attrs are the attributes shared by all single inputs.
func (f FieldProps) attrs(hasErr bool) templ.Attributes {
	a := templ.Attributes{"id": FieldID(f.Name), "name": f.Name}
	set := func(k, v string) {
		if v != "" {
			a[k] = v
		}
	}
	set("aria-describedby", f.describedBy(hasErr))
	set("placeholder", f.Placeholder)
	set("autocomplete", f.auto())
	set("inputmode", f.mode())
	if f.MaxLength > 0 {
		a["maxlength"] = fmt.Sprint(f.MaxLength)
	}
	if f.Required {
		a["aria-required"] = "true"
	}
	if hasErr {
		a["aria-invalid"] = "true"
	}
	if f.ReadOnly {
		a["readonly"] = true
	}
	if f.AutoFocus {
		a["autofocus"] = true
	}
	return a
}

// optionID is the id of the i-th radio; the first one carries the field's own
// id, so that the error summary leads to it.
func (f FieldProps) optionID(i int) string {
	if i == 0 {
		return FieldID(f.Name)
	}
	return fmt.Sprintf("%s-%d", FieldID(f.Name), i)
}

// ButtonKind is the weight of a button.
type ButtonKind string

// The weights: at most one Primary on a page.
const (
	Primary   ButtonKind = "primary"
	Secondary ButtonKind = "secondary"
	Quiet     ButtonKind = "quiet"
	Dangerous ButtonKind = "danger"
)

// ButtonProps is a button (Href empty) or a link that looks like one. Labels
// are verbs: "提交审核", not "确定".
type ButtonProps struct {
	Label    string
	Kind     ButtonKind // Secondary when empty
	Href     string
	Name     string // name and value of a submit button
	Value    string
	Action   string // formaction
	Form     string // id of the form it submits
	Icon     string
	Key      string // console hotkey, shown and bound: "A"
	Dialog   string // opens the <dialog> of this id (type=button)
	Close    bool   // closes the dialog it stands in
	Disabled bool
	Large    bool
	NewTab   bool
	Download bool
}

func (b ButtonProps) class() string {
	k := b.Kind
	if k == "" {
		k = Secondary
	}
	return classes("btn", "btn-"+string(k), when(b.Large, "btn-large"))
}

func (b ButtonProps) buttonAttrs() templ.Attributes {
	a := templ.Attributes{"type": "submit"}
	set := func(k, v string) {
		if v != "" {
			a[k] = v
		}
	}
	if b.Dialog != "" || b.Close {
		a["type"] = "button"
	}
	set("name", b.Name)
	if b.Name != "" {
		a["value"] = b.Value
	}
	set("formaction", b.Action)
	set("form", b.Form)
	set("data-key", b.Key)
	set("data-dialog", b.Dialog)
	if b.Close {
		a["data-close"] = true
	}
	if b.Disabled {
		a["disabled"] = true
	}
	return a
}

// CountdownProps is the button that sends a code. Without scripts it is a plain
// submit; with them it posts URL, counts down and says what happened.
type CountdownProps struct {
	Label   string // "获取验证码"
	Name    string // submit name and value without scripts
	Value   string
	URL     string // with scripts: POST the form's fields here; answers JSON {"seconds":60,"message":"…"}
	Seconds int    // wait still running when the page was made; 0: ready
}
