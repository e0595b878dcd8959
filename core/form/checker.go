package form

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"certsaas/core/identifier"
)

// checker walks a form once; later fields see the normalised answers of earlier ones.
type checker struct {
	form  Form
	env   Env
	typed Answers
	res   Result
}

// keep takes over an answer that is not being asked now.
func (c *checker) keep(fd Field) {
	v := c.typed[fd.Key]
	if p, ok := c.env.Prior[fd.Key]; ok {
		v = p
	}
	if v != "" {
		c.res.Answers[fd.Key] = v
	}
}

func (c *checker) field(fd Field) {
	if c.env.Open != nil && !c.env.Open[fd.Key] {
		if c.env.Prior[fd.Key] != "" || !fd.Needs(c.res.Answers, c.env.Facts) {
			c.keepPrior(fd)
			return
		}
	}
	raw, there := c.typed[fd.Key]
	if fd.ReadOnly || !there {
		raw = fd.initial(c.res.Answers, c.env)
	}
	if fd.ReadOnly && raw == "" { // the source is silent now; what it once said stands
		raw = c.env.Prior[fd.Key]
	}
	v := tidy(raw)
	if !utf8.ValidString(raw) || strings.ContainsFunc(v, forbidden) {
		c.problem(fd, "form.characters")
		return
	}
	if v == "" {
		if fd.Needs(c.res.Answers, c.env.Facts) && !c.env.Draft {
			c.problem(fd, requiredID(fd.Type))
		}
		return
	}
	c.typedValue(fd, v)
}

func (c *checker) keepPrior(fd Field) {
	if v := c.env.Prior[fd.Key]; v != "" {
		c.res.Answers[fd.Key] = v
	}
}

// typedValue checks a value that is there, by type, then length, validator, pattern.
func (c *checker) typedValue(fd Field, v string) {
	switch fd.Type {
	case Select, Radio:
		if _, ok := fd.Choice(v); !ok {
			c.problem(fd, "form.choice")
			return
		}
	case Checkbox:
		if v = ticked(v); v == "" {
			if fd.Needs(c.res.Answers, c.env.Facts) && !c.env.Draft {
				c.problem(fd, "form.tick")
			}
			return
		}
	case Number, Quantity:
		if v = c.number(fd, v); v == "" {
			return
		}
	case Date:
		if v = c.date(fd, v); v == "" {
			return
		}
	case Image, Letter:
		if !fileID.MatchString(v) {
			c.problem(fd, "form.file")
			return
		}
	default:
		if v = c.words(fd, v); v == "" {
			return
		}
	}
	c.res.Answers[fd.Key] = v
}

// words checks what is typed freely.
func (c *checker) words(fd Field, v string) string {
	if fd.Type != Textarea {
		v = strings.Join(strings.Fields(v), " ")
	}
	if name := c.validator(fd); name != "" {
		verdict, ok := c.verdict(fd, name, v)
		if !ok {
			return ""
		}
		v = verdict.Value
	}
	n, limit := utf8.RuneCountInString(v), fd.MaxLen
	if limit == 0 {
		limit = map[bool]int{true: 1000, false: 200}[fd.Type == Textarea]
	}
	switch {
	case n > limit:
		c.problem(fd, "form.too_long", "Max", limit, "Has", n)
		return ""
	case n < fd.MinLen:
		c.problem(fd, "form.too_short", "Min", fd.MinLen)
		return ""
	case fd.Pattern != "" && !takesPattern(c.validator(fd)) && !compiled(fd.Pattern).MatchString(v):
		id, help := "form.pattern", fd.PatternHelp
		if len(help) > 0 {
			id = "form.pattern_help"
		}
		c.problem(fd, id, "Help", help)
		return ""
	}
	return v
}

// verdict asks core/identifier and files what it says.
func (c *checker) verdict(fd Field, name, v string) (identifier.Verdict, bool) {
	check, ok := identifier.Lookup(name)
	if !ok { // a compiled tenant names only known validators
		c.problem(fd, "form.pattern")
		return identifier.Verdict{}, false
	}
	env := identifier.Env{Today: c.env.Now, Pattern: fd.Pattern}
	if name == "waybill" {
		env.Pattern = c.res.Answers[fd.By]
	}
	got := check(v, env)
	id := sentence(name, got)
	switch {
	case !got.Accepted():
		c.problem(fd, id)
		return got, false
	case got.Code == identifier.CodeTruncated:
		c.res.Notes = append(c.res.Notes, problem(fd, id, "Value", got.Value))
	case got.Warning():
		c.res.Warnings = append(c.res.Warnings, problem(fd, id))
	case got.Changed:
		c.res.Notes = append(c.res.Notes, problem(fd, "form.normalised", "Value", got.Value))
	}
	return got, true
}

// validator is the name of the rule for a field: its type's own, or the one its
// By field's chosen option names, or its Validator.
func (c *checker) validator(fd Field) string {
	if name := fd.typeValidator(); name != "" {
		return name
	}
	if fd.By != "" && fd.Validator != "waybill" {
		by, _ := c.form.Field(fd.By)
		if o, ok := by.Choice(c.res.Answers[fd.By]); ok && o.Validator != "" {
			return o.Validator
		}
	}
	return fd.Validator
}

func (fd Field) typeValidator() string {
	switch fd.Type {
	case Mobile, Email, Landline:
		return string(fd.Type)
	}
	return ""
}

func takesPattern(validator string) bool { return validator == "dealer_code" }

func (c *checker) number(fd Field, v string) string {
	n, err := strconv.Atoi(strings.TrimSpace(norm.NFKC.String(v)))
	switch {
	case err != nil:
		c.problem(fd, "form.whole_number")
	case n < fd.Min:
		c.problem(fd, "form.at_least", "Min", fd.Min)
	case fd.Max > 0 && n > fd.Max:
		c.problem(fd, "form.at_most", "Max", fd.Max)
	default:
		return strconv.Itoa(n)
	}
	return ""
}

func (c *checker) date(fd Field, v string) string {
	v = strings.NewReplacer("/", "-", ".", "-", "年", "-", "月", "-", "日", "").Replace(norm.NFKC.String(v))
	t, err := time.Parse("2006-1-2", v)
	if err != nil {
		c.problem(fd, "form.date")
		return ""
	}
	return t.Format(time.DateOnly)
}

func (c *checker) problem(fd Field, id string, kv ...any) {
	c.res.Problems = append(c.res.Problems, problem(fd, id, kv...))
}

func problem(fd Field, id string, kv ...any) Problem {
	args := map[string]any{"Label": fd.Label}
	for i := 0; i+1 < len(kv); i += 2 {
		args[kv[i].(string)] = kv[i+1]
	}
	return Problem{Field: fd.Key, ID: id, Args: args}
}

// requiredID asks in the words of the field's kind.
func requiredID(t Type) string {
	switch t {
	case Select, Radio:
		return "form.required_choice"
	case Checkbox:
		return "form.tick"
	case Image:
		return "form.required_image"
	case Letter:
		return "form.required_letter"
	}
	return "form.required"
}

func ticked(v string) string {
	switch strings.ToLower(v) {
	case "yes", "on", "true", "1":
		return "yes"
	}
	return ""
}

// tidy drops what nobody means to type: outer blanks, zero-width characters, a byte order mark.
func tidy(v string) string {
	v = strings.ReplaceAll(v, "\r\n", "\n")
	v = strings.Map(func(r rune) rune {
		switch r {
		case '\u200b', '\u200c', '\u200d', '\u2060', '\ufeff':
			return -1
		}
		return r
	}, v)
	return strings.TrimSpace(norm.NFC.String(v))
}

func forbidden(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// fileID is how uploaded files are named in answers.
var fileID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

var patterns sync.Map // string → *regexp.Regexp; the patterns of tenants' definitions are few

func compiled(pattern string) *regexp.Regexp {
	if re, ok := patterns.Load(pattern); ok {
		return re.(*regexp.Regexp)
	}
	re, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil { // compiling the tenant refused it already
		re = regexp.MustCompile(`^\b$`)
	}
	patterns.Store(pattern, re)
	return re
}
