package tenant

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"certsaas/core/clock"
	"certsaas/core/identifier"
	"certsaas/core/web/theme"
)

// validator checks what a decoded pack means. Every finding names a path, which
// is turned into file and line.
type validator struct {
	root     *node
	doc      document
	assets   map[string][]byte
	problems Problems
}

func (v *validator) bad(path, what, remedy string) {
	n := v.root.find(path)
	v.problems = append(v.problems, Problem{File: n.file, Line: n.line, Key: local(path), What: what, Remedy: remedy})
}

// known complains when word is none of the known ones.
func (v *validator) known(path, word string, words []string, kind string) bool {
	if slices.Contains(words, word) {
		return true
	}
	v.bad(path, fmt.Sprintf("there is no %s %q", kind, word), meant(word, words))
	return false
}

var (
	slugForm = regexp.MustCompile(`^[a-z][a-z0-9-]{1,30}$`)
	hostForm = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)
	codeForm = regexp.MustCompile(`^[A-Z][A-Z0-9-]{2,29}$`)
	keyForm  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)
)

func (v *validator) all() {
	v.spec()
	v.look()
	v.letters()
	v.messages()
	for _, file := range slices.Sorted(maps.Keys(v.doc.Products)) {
		if !slices.Contains(v.doc.Tenant.Products, file) {
			v.bad("products."+file, "the product is not offered", fmt.Sprintf("add %q to products: in tenant.yaml, or delete the file", file))
		}
	}
	codes, slugs := map[string]string{}, map[string]string{}
	for i, file := range v.doc.Tenant.Products {
		p, ok := v.doc.Products[file]
		if !ok {
			v.known(fmt.Sprintf("tenant.products[%d]", i), file, slices.Collect(maps.Keys(v.doc.Products)), "file in products/ called")
			continue
		}
		at := "products." + file
		v.unique(codes, p.Code, at+".code", file)
		if p.Slug != "" {
			v.unique(slugs, p.Slug, at+".slug", file)
		}
		(&productValidator{validator: v, p: p, at: at}).all()
	}
}

func (v *validator) unique(seen map[string]string, id, path, file string) {
	if other, dup := seen[id]; dup {
		v.bad(path, fmt.Sprintf("%q is already used by products/%s.yaml", id, other), "choose another one")
	}
	seen[id] = file
}

func (v *validator) spec() {
	s := v.doc.Tenant
	if !slugForm.MatchString(s.Slug) {
		v.bad("tenant.slug", fmt.Sprintf("%q cannot be part of a host name", s.Slug), "use 2 to 31 of a-z, 0-9 and -, a letter first")
	}
	for i, h := range s.Hosts {
		if !hostForm.MatchString(h) {
			v.bad(fmt.Sprintf("tenant.hosts[%d]", i), fmt.Sprintf("%q is not a host name", h), "write it in small letters, without https:// and port, as in keys.example.com")
		}
	}
	v.pace()
	if _, err := clock.Zone(s.Timezone); err != nil {
		v.bad("tenant.timezone", fmt.Sprintf("there is no time zone %q", s.Timezone), "write its IANA name, as in Asia/Shanghai, or leave it out")
	}
	for i, id := range s.Accounts.Agreements {
		v.known(fmt.Sprintf("tenant.accounts.agreements[%d]", i), id, slices.Collect(maps.Keys(v.doc.Agreements)), "agreement")
	}
	if s.Contact.Hotline == "" && s.Contact.QQ == "" && s.Contact.Email == "" {
		v.bad("tenant.contact", "nobody can be asked for help", "give at least one of hotline, qq, email")
	}
	if s.Roster.Enabled && s.Roster.By == "" {
		v.bad("tenant.roster", "the roster does not say which answer it lists", "add by: with the key of a field, as in by: dealer_code")
	}
	if mail := s.Administrator.Email; mail != "" && !identifier.Email(mail).Accepted() {
		v.bad("tenant.administrator.email", fmt.Sprintf("%q is not an e-mail address", mail), "write a mailbox of the enterprise, as in dealers@example.com, or leave it out")
	}
	for role, mail := range map[string]string{"reviewer": s.DeskMail.Reviewer, "producer": s.DeskMail.Producer, "finance": s.DeskMail.Finance} {
		if mail != "" && !identifier.Email(mail).Accepted() {
			v.bad("tenant.desk_mail."+role, fmt.Sprintf("%q is not an e-mail address", mail), "write the team's mailbox, as in review@example.com, or leave it out")
		}
	}
	ids := map[string]string{}
	for i, b := range s.Banks {
		path := fmt.Sprintf("tenant.banks[%d]", i)
		if _, dup := ids[b.ID]; dup {
			v.bad(path+".id", fmt.Sprintf("bank account %q is written twice", b.ID), "give each account its own id")
		}
		ids[b.ID] = b.ID
		if !regexp.MustCompile(`^[0-9]{8,32}$`).MatchString(b.Number) {
			v.bad(path+".number", fmt.Sprintf("%q is not an account number", b.Number), `write 8 to 32 digits in quotes, as in "4000021209200012345"`)
		}
	}
}

// look checks colours and drawings.
func (v *validator) look() {
	t := v.doc.Tenant.Theme
	if _, err := theme.New(t.Brand, theme.Corner(t.Corner), theme.Shape(t.Header)); err != nil {
		v.bad("tenant.theme.brand", fmt.Sprintf("%q is not a colour", t.Brand), `write it as "#c8102e", in quotes`)
	}
	for key, name := range map[string]string{"wordmark": t.Wordmark, "illustration": t.Illustration} {
		svg, ok := v.assets[name]
		if !ok {
			v.known("tenant.theme."+key, name, slices.Collect(maps.Keys(v.assets)), "file in theme/ called")
			continue
		}
		if line, why := svgFlaw(svg); why != "" {
			v.problems = append(v.problems, Problem{File: "theme/" + name, Line: line, What: why, Remedy: "draw with plain shapes and text; no scripts, styles, links or pictures from elsewhere"})
		}
	}
}

// drawn are the elements a drawing may hold.
var drawn = []string{"svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "title", "desc",
	"defs", "linearGradient", "radialGradient", "stop", "clipPath"}

// svgFlaw says why a drawing may not be shown, and on which line; "" when it may.
func svgFlaw(svg []byte) (int, string) {
	dec := xml.NewDecoder(bytes.NewReader(svg))
	depth, roots := 0, 0
	for {
		tok, err := dec.Token()
		line, _ := dec.InputPos()
		if errors.Is(err, io.EOF) && roots == 1 {
			return 0, ""
		}
		if err != nil {
			return line, "the drawing is not well-formed: " + err.Error()
		}
		switch el := tok.(type) {
		case xml.StartElement:
			if depth == 0 {
				roots++
			}
			depth++
			if !slices.Contains(drawn, el.Name.Local) || roots > 1 || depth == 1 && el.Name.Local != "svg" {
				return line, fmt.Sprintf("the drawing holds <%s>", el.Name.Local)
			}
			if why := attrFlaw(el); why != "" {
				return line, why
			}
		case xml.EndElement:
			depth--
		case xml.Directive, xml.ProcInst:
			return line, "the drawing holds a declaration"
		}
	}
}

func attrFlaw(el xml.StartElement) string {
	box := false
	for _, a := range el.Attr {
		name, value := strings.ToLower(a.Name.Local), strings.ToLower(a.Value)
		if strings.HasPrefix(name, "on") || name == "href" || name == "style" || strings.Contains(value, "url(") && !strings.HasPrefix(value, "url(#") {
			return fmt.Sprintf("the drawing holds the attribute %s=%q", a.Name.Local, a.Value)
		}
		box = box || name == "viewbox"
	}
	if el.Name.Local == "svg" && !box {
		return "the drawing has no viewBox"
	}
	return ""
}

// messages checks that texts fill only blanks their event has.
func (v *validator) messages() {
	for event, m := range v.doc.Messages {
		path := "messages." + event
		blanks, ok := Events[event]
		if !ok {
			v.known(path, event, slices.Collect(maps.Keys(Events)), "event")
			continue
		}
		for key, text := range map[string]map[string]string{"sms": m.SMS, "email.subject": m.Email.Subject, "email.body": m.Email.Body} {
			for _, s := range text {
				for _, name := range Placeholders(s) {
					v.known(path+"."+key, name, blanks, "placeholder")
				}
			}
		}
	}
}

// letters checks the shape of each letter; its placeholders are checked by the products that use it.
func (v *validator) letters() {
	for id, l := range v.doc.Letters {
		for i, b := range l.Blocks {
			path := fmt.Sprintf("letters.%s.blocks[%d]", id, i)
			if b.Kind == "field" && len(b.Rows) == 0 {
				v.bad(path, "a field block has no rows", "add rows: [{label: …, value: \"{key}\"}]")
			}
			if b.Kind != "field" && len(b.Text) == 0 {
				v.bad(path, "the block says nothing", "add text: {zh-CN: …, en: …}")
			}
		}
		if len(l.Outputs) == 0 {
			v.bad("letters."+id, "the letter can be neither downloaded nor printed", "add outputs: [download, print]")
		}
	}
}
