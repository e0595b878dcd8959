package program

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
)

// Visitor reads pages and sends their forms, as a browser without JavaScript does: it knows links, forms, their fields
// with the values the page gave them, and buttons; nothing else. What it cannot reach, a person without scripts cannot
// either. Its methods end the test when the page has not what was asked for.
type Visitor struct {
	T      testing.TB
	Client *http.Client
	URL    *url.URL          // of the page
	Page   *goquery.Document // nil when the answer was no HTML
	Status int
	Header http.Header
	Body   []byte

	Patient bool // 503 is an answer like another; without, any of the server's faults ends the test
}

// NewVisitor is a person nobody knows yet.
func (p *Program) NewVisitor(t testing.TB) *Visitor { return &Visitor{T: t, Client: p.Client()} }

// As is the same person in another test.
func (v *Visitor) As(t testing.TB) *Visitor {
	c := *v
	c.T = t
	return &c
}

// Open goes to an address, whole or relative to the page.
func (v *Visitor) Open(address string) *Visitor {
	v.T.Helper()
	u, err := url.Parse(address)
	if err != nil {
		v.T.Fatal(err)
	}
	if v.URL != nil {
		u = v.URL.ResolveReference(u)
	}
	req, err := http.NewRequest(http.MethodGet, u.String(), nil)
	if err != nil {
		v.T.Fatal(err)
	}
	return v.do(req)
}

func (v *Visitor) do(req *http.Request) *Visitor {
	v.T.Helper()
	req.Header.Set("Accept", "text/html,*/*;q=0.8")
	if req.Header.Get("Accept-Language") == "" {
		req.Header.Set("Accept-Language", "zh-CN,zh;q=0.9")
	}
	res, err := v.Client.Do(req)
	if err != nil {
		v.T.Fatal(err)
	}
	defer res.Body.Close()
	if v.Body, err = io.ReadAll(res.Body); err != nil {
		v.T.Fatal(err)
	}
	v.URL, v.Status, v.Header, v.Page = res.Request.URL, res.StatusCode, res.Header, nil
	if res.StatusCode >= 500 && !(v.Patient && res.StatusCode == http.StatusServiceUnavailable) {
		v.T.Fatalf("%s %s: %d\n%s", req.Method, v.URL, res.StatusCode, v.Body)
	}
	if strings.HasPrefix(res.Header.Get("Content-Type"), "text/html") {
		root, err := html.ParseWithOptions(bytes.NewReader(v.Body), html.ParseOptionEnableScripting(false)) // what stands in noscript counts
		if err != nil {
			v.T.Fatal(err)
		}
		v.Page = goquery.NewDocumentFromNode(root)
	}
	return v
}

// Text is what the page says, white space folded.
func (v *Visitor) Text() string {
	if v.Page == nil {
		return string(v.Body)
	}
	body := v.Page.Find("body").Clone()
	body.Find("script,style,template").Remove()
	return strings.Join(strings.Fields(body.Text()), " ")
}

// Sees reports whether the page says all of words.
func (v *Visitor) Sees(words ...string) *Visitor {
	v.T.Helper()
	text := v.Text()
	for _, w := range words {
		if !strings.Contains(text, w) {
			v.T.Fatalf("%s (%d) does not say %q:\n%s", v.URL, v.Status, w, text)
		}
	}
	return v
}

// Await opens an address again and again until its page says all of words: what the outbox brings takes a moment.
func (v *Visitor) Await(address string, words ...string) *Visitor {
	v.T.Helper()
	for end := time.Now().Add(messageWait); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		text := v.Open(address).Text()
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
			return v
		}
	}
	return v.Sees(words...)
}

// Follow opens the first link whose words contain label.
func (v *Visitor) Follow(label string) *Visitor {
	v.T.Helper()
	a := v.find("a[href]", label)
	href, _ := a.Attr("href")
	return v.Open(href)
}

// Has reports whether there is a link or a button with these words.
func (v *Visitor) Has(label string) bool {
	return v.Page != nil && v.Page.Find("a[href],button").FilterFunction(says(label)).Length() > 0
}

func says(label string) func(int, *goquery.Selection) bool {
	return func(_ int, s *goquery.Selection) bool {
		return strings.Contains(strings.Join(strings.Fields(s.Text()), " "), label)
	}
}

func (v *Visitor) find(selector, label string) *goquery.Selection {
	v.T.Helper()
	if v.Page == nil {
		v.T.Fatalf("%s (%d) is no page: %.300s", v.URL, v.Status, v.Body)
	}
	s := v.Page.Find(selector).FilterFunction(says(label)).First()
	if s.Length() == 0 {
		var have []string
		v.Page.Find(selector).Each(func(_ int, s *goquery.Selection) { have = append(have, strings.Join(strings.Fields(s.Text()), " ")) })
		v.T.Fatalf("%s (%d) has no %s %q, only %q\n%s", v.URL, v.Status, selector, label, have, v.Text())
	}
	return s
}

// File is a picture or document to hand in.
type File struct {
	Name string
	Data []byte
}

// Form is a form of the page, filled in as the page gave it.
type Form struct {
	v      *Visitor
	node   *goquery.Selection
	Values url.Values
	files  map[string]File
}

// Form is the form that has a field of this name.
func (v *Visitor) Form(field string) *Form {
	v.T.Helper()
	if v.Page == nil {
		v.T.Fatalf("%s (%d) is no page: %.300s", v.URL, v.Status, v.Body)
	}
	node := v.Page.Find(fmt.Sprintf("form:has([name=%q])", field)).First()
	if node.Length() == 0 {
		v.T.Fatalf("%s (%d) has no form with %q:\n%s", v.URL, v.Status, field, v.Text())
	}
	return v.formOf(node)
}

func (v *Visitor) formOf(node *goquery.Selection) *Form {
	f := &Form{v: v, node: node, Values: url.Values{}, files: map[string]File{}}
	inputs := node.Find("input,select,textarea")
	if id, ok := node.Attr("id"); ok {
		inputs = inputs.AddSelection(v.Page.Find(fmt.Sprintf("input[form=%q],select[form=%q],textarea[form=%q]", id, id, id)))
	}
	inputs.Each(func(_ int, s *goquery.Selection) {
		name, _ := s.Attr("name")
		if _, off := s.Attr("disabled"); name == "" || off {
			return
		}
		value, _ := s.Attr("value")
		switch kind, _ := s.Attr("type"); {
		case goquery.NodeName(s) == "textarea":
			f.Values.Add(name, s.Text())
		case goquery.NodeName(s) == "select":
			if o := s.Find("option[selected]"); o.Length() > 0 {
				value, _ = o.Attr("value")
			} else {
				value, _ = s.Find("option").First().Attr("value")
			}
			f.Values.Add(name, value)
		case kind == "checkbox" || kind == "radio":
			if _, on := s.Attr("checked"); on {
				f.Values.Add(name, value)
			}
		case kind != "submit" && kind != "file" && kind != "button":
			f.Values.Add(name, value)
		}
	})
	return f
}

// Shown reports whether a person sees a question of this name in the form.
func (f *Form) Shown(name string) bool {
	s := f.node.Find(fmt.Sprintf("[name=%q]", name))
	return s.Length() > 0 && s.Closest("[hidden]").Length() == 0
}

// Set types or chooses; the page must ask it and offer the choice, and must not have locked it.
func (f *Form) Set(name, value string) *Form {
	f.v.T.Helper()
	s := f.node.Find(fmt.Sprintf("[name=%q]", name))
	kind, _ := s.Attr("type")
	_, locked := s.Attr("readonly")
	switch {
	case s.Length() == 0 || kind == "hidden":
		f.v.T.Fatalf("%s does not ask %q:\n%s", f.v.URL, name, f.v.Text())
	case !f.Shown(name):
		f.v.T.Fatalf("%s hides %q", f.v.URL, name)
	case locked:
		f.v.T.Fatalf("%s has locked %q", f.v.URL, name)
	case kind == "radio" || kind == "checkbox":
		if value == "" && kind == "checkbox" {
			f.Values.Del(name)
			return f
		}
		if s.Filter(fmt.Sprintf("[value=%q]", value)).Length() == 0 {
			f.v.T.Fatalf("%s offers no %q for %q", f.v.URL, value, name)
		}
	case goquery.NodeName(s) == "select":
		if s.Find(fmt.Sprintf("option[value=%q]", value)).Length() == 0 {
			f.v.T.Fatalf("%s offers no %q for %q", f.v.URL, value, name)
		}
	}
	f.Values.Set(name, value)
	return f
}

// Tick ticks all boxes of a name, or those with the values given.
func (f *Form) Tick(name string, values ...string) *Form {
	f.v.T.Helper()
	if len(values) == 0 {
		sel := fmt.Sprintf("input[type=checkbox][name=%q]", name)
		boxes := f.node.Find(sel)
		if id, ok := f.node.Attr("id"); ok {
			boxes = boxes.AddSelection(f.v.Page.Find(sel).Filter(fmt.Sprintf("[form=%q]", id)))
		}
		boxes.Each(func(_ int, s *goquery.Selection) { values = append(values, s.AttrOr("value", "on")) })
	}
	f.Values[name] = values
	return f
}

// SetAll is Set for several, in the order of names.
func (f *Form) SetAll(values map[string]string) *Form {
	f.v.T.Helper()
	for _, name := range slices.Sorted(maps.Keys(values)) {
		f.Set(name, values[name])
	}
	return f
}

// Attach chooses a file for a file input.
func (f *Form) Attach(name string, file File) *Form {
	f.v.T.Helper()
	if f.node.Find(fmt.Sprintf("input[type=file][name=%q]", name)).Length() == 0 {
		f.v.T.Fatalf("%s takes no file %q", f.v.URL, name)
	}
	f.files[name] = file
	return f
}

// Press sends the form with the button whose words contain label; "" is the Enter key.
func (f *Form) Press(label string) *Visitor {
	f.v.T.Helper()
	buttons := f.node.Find("button").FilterFunction(func(_ int, s *goquery.Selection) bool {
		kind, _ := s.Attr("type")
		_, off := s.Attr("disabled")
		_, outside := s.Attr("form")
		return kind != "button" && !off && !outside
	})
	if id, ok := f.node.Attr("id"); ok {
		buttons = buttons.AddSelection(f.v.Page.Find(fmt.Sprintf("button[form=%q]", id)))
	}
	b := buttons.First()
	if label != "" {
		b = buttons.FilterFunction(says(label)).First()
	}
	if b.Length() == 0 {
		var have []string
		buttons.Each(func(_ int, s *goquery.Selection) { have = append(have, strings.Join(strings.Fields(s.Text()), " ")) })
		f.v.T.Fatalf("%s has no button %q in this form, only %q\n%s", f.v.URL, label, have, f.v.Text())
	}
	return f.send(b)
}

// PressValue is Press for the button of a name and value, for buttons that are told apart by them.
func (f *Form) PressValue(name, value string) *Visitor {
	f.v.T.Helper()
	b := f.node.Find(fmt.Sprintf("button[name=%q][value=%q]", name, value)).First()
	if b.Length() == 0 {
		f.v.T.Fatalf("%s has no button %s=%s:\n%s", f.v.URL, name, value, f.v.Text())
	}
	return f.send(b)
}

// Button presses the button with these words, in whatever form it stands.
func (v *Visitor) Button(label string) *Visitor {
	v.T.Helper()
	b := v.find("form button", label)
	return v.formOf(b.Closest("form")).send(b)
}

func (f *Form) send(button *goquery.Selection) *Visitor {
	f.v.T.Helper()
	values := maps.Clone(f.Values)
	if name, ok := button.Attr("name"); ok {
		value, _ := button.Attr("value")
		values.Set(name, value)
	}
	action, _ := f.node.Attr("action")
	if other, ok := button.Attr("formaction"); ok {
		action = other
	}
	to, err := f.v.URL.Parse(action)
	if err != nil {
		f.v.T.Fatal(err)
	}
	if action == "" {
		to = f.v.URL
	}
	if method, _ := f.node.Attr("method"); !strings.EqualFold(method, "post") {
		to.RawQuery = values.Encode()
		return f.v.Open(to.String())
	}
	body, kind := f.encode(values)
	req, err := http.NewRequest(http.MethodPost, to.String(), body)
	if err != nil {
		f.v.T.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	req.Header.Set("Origin", f.v.URL.Scheme+"://"+f.v.URL.Host)
	return f.v.do(req)
}

func (f *Form) encode(values url.Values) (io.Reader, string) {
	enc, _ := f.node.Attr("enctype")
	if enc != "multipart/form-data" {
		return strings.NewReader(values.Encode()), "application/x-www-form-urlencoded"
	}
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, value := range values[name] {
			_ = w.WriteField(name, value) // into memory: never fails
		}
	}
	f.node.Find("input[type=file]").Each(func(_ int, s *goquery.Selection) {
		name, _ := s.Attr("name")
		file := f.files[name] // one that nobody chose is sent empty, as browsers do
		part, _ := w.CreateFormFile(name, file.Name)
		_, _ = part.Write(file.Data)
	})
	_ = w.Close()
	return &b, w.FormDataContentType()
}
