package bench

import (
	"bytes"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// pageFigures measures pages of a logged-in dealer as the program serves them, beside html/template that renders the same bytes
// without program or query, and appending them by hand.
func pageFigures(t *testing.T, h *house, s size) []*figure {
	dealer := h.dealers(1)[0]
	entry := dealer.get("/s/bench-order")
	form := dealer.post("/orders", url.Values{"product": {between(entry.body, `name="product" value="`, `"`)}}).location
	if dealer.err != nil {
		t.Fatal(dealer.err)
	}
	readers := []*person{dealer, {http: dealer.http, base: dealer.base, from: dealer.from}}
	var out []*figure
	for _, page := range []struct{ name, path string }{{"product page", "/s/bench-order"}, {"form page with its order", form}} {
		body := dealer.get(page.path).body
		pieces := split(t, body)
		tpl, values := templateOf(t, pieces)
		f := &figure{name: fmt.Sprintf("%s, %.0f kB", page.name, float64(len(body))/1000), goal: "≤ 400 µs CPU", unit: "µs", peer: "html/template", met: below(400)}
		var hand []float64
		for range s.rounds {
			n := 0
			c := h.measure(func() { n = read(t, readers, page.path, s.burst) })
			f.spend(c, float64(n))
			var b bytes.Buffer
			theirs := each(t, s.burst/8, func() {
				b.Reset()
				if err := tpl.Execute(&b, values); err != nil {
					t.Fatal(err)
				}
			})
			var buf []byte
			hand = append(hand, float64(each(t, s.burst/8, func() { buf = appendAll(buf[:0], pieces) }).Nanoseconds())/1e3)
			f.add(float64(c.server+c.database)/float64(n)/1e3, float64(theirs.Nanoseconds())/1e3)
		}
		f.note = fmt.Sprintf("the peers render only, of %d pieces; appending by hand %s µs. Ours is the whole request: HTTP, session, order and files under row-level security", len(pieces), number(median(hand)))
		out = append(out, f)
	}
	return out
}

// read has readers fetch a page over and over.
func read(t *testing.T, readers []*person, path string, d time.Duration) int {
	t.Helper()
	var n atomic.Int64
	var group sync.WaitGroup
	end := time.Now().Add(d)
	for _, r := range readers {
		group.Go(func() {
			for first := true; first || time.Now().Before(end); first = false {
				if r.get(path); r.err != nil {
					t.Error(r.err)
					return
				}
				n.Add(1)
			}
		})
	}
	group.Wait()
	if t.Failed() {
		t.FailNow()
	}
	return int(n.Load())
}

// piece is a part of a page: as it stands, or a value that is escaped.
type piece struct {
	raw   string
	value bool
}

// split takes a page apart: words, and the values of plain attributes, are values; everything else stands.
func split(t *testing.T, page []byte) (out []piece) {
	t.Helper()
	z := html.NewTokenizer(bytes.NewReader(page))
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			return out
		case html.TextToken:
			out = append(out, piece{html.UnescapeString(string(z.Raw())), true})
		case html.StartTagToken, html.SelfClosingTagToken:
			rest := string(z.Raw())
			for _, name := range []string{" id=\"", " class=\"", " name=\"", " value=\"", " for=\"", " aria-label=\""} {
				before, after, found := strings.Cut(rest, name)
				if !found {
					continue
				}
				v, tail, _ := strings.Cut(after, `"`)
				out = append(out, piece{raw: before + name}, piece{html.UnescapeString(v), true})
				rest = `"` + tail
			}
			out = append(out, piece{raw: rest})
		default:
			out = append(out, piece{raw: string(z.Raw())})
		}
	}
}

// templateOf is the page as a template whose values come from a slice.
func templateOf(t *testing.T, pieces []piece) (*template.Template, []string) {
	t.Helper()
	var text strings.Builder
	var values []string
	for _, p := range pieces {
		if !p.value {
			text.WriteString(p.raw)
			continue
		}
		fmt.Fprintf(&text, "{{index . %d}}", len(values))
		values = append(values, p.raw)
	}
	tpl, err := template.New("page").Parse(text.String())
	if err != nil {
		t.Fatal(err)
	}
	return tpl, values
}

// appendAll is the same by hand.
func appendAll(out []byte, pieces []piece) []byte {
	for _, p := range pieces {
		if !p.value {
			out = append(out, p.raw...)
			continue
		}
		at := 0
		for i := range len(p.raw) {
			entity := ""
			switch p.raw[i] {
			case '<':
				entity = "&lt;"
			case '>':
				entity = "&gt;"
			case '&':
				entity = "&amp;"
			case '"':
				entity = "&#34;"
			case '\'':
				entity = "&#39;"
			default:
				continue
			}
			out = append(append(out, p.raw[at:i]...), entity...)
			at = i + 1
		}
		out = append(out, p.raw[at:]...)
	}
	return out
}
