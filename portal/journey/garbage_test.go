package journey

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"certsaas/core/web"
)

// path fills a pattern: mostly with what exists, at times with rubbish.
func (g *garbage) path(k *crawler, r web.MountedRoute) string {
	ids := map[string]string{"step": pick(g, []string{"form", "realname"}), "field": pick(g, g.names), "desk": pick(g, []string{"review", "production", "shipping"}), "number": "1",
		"channel": pick(g, []string{"alipay", "wechat"})}
	for name, id := range k.ids {
		ids[name] = id
	}
	for _, name := range []string{"id", "tenant", "step", "field", "slug", "number", "desk", "channel"} {
		if g.IntN(8) == 0 {
			ids[name] = url.PathEscape(pick(g, hostile))
		}
	}
	rest := uuid.NewSHA1(uuid.Nil, []byte{byte(g.IntN(256))}).String()
	if g.IntN(2) == 0 {
		rest = url.PathEscape(pick(g, hostile))
	}
	return fill(r.Path, ids, rest)
}

// known are the fields of a page, or of the page above it.
func (g *garbage) known(path string) []string {
	for path != "" && len(g.byPath[path]) == 0 {
		path = path[:max(strings.LastIndexByte(path, '/'), 0)]
	}
	return g.byPath[path]
}

// fields are up to thirty fields of the page and of all pages, at times repeated or unknown.
func (g *garbage) fields(path string) url.Values {
	out, near := url.Values{}, g.known(path)
	for range g.IntN(30) {
		name := pick(g, g.names)
		if len(near) > 0 && g.IntN(3) > 0 {
			name = pick(g, near)
		}
		for range 1 + g.IntN(12)/11 {
			out.Add(name, g.value(name))
		}
	}
	if g.IntN(6) == 0 {
		out.Add(pick(g, hostile), pick(g, hostile))
	}
	return out
}

// body is a form, a multipart form whole or cut off, JSON, or none of what its type says.
func (g *garbage) body(r web.MountedRoute) (kind string, body []byte) {
	const form = "application/x-www-form-urlencoded"
	n := g.IntN(20)
	switch {
	case n < 2:
		return "application/json", g.json(r)
	case n == 2:
		return pick(g, []string{"text/xml", "multipart/form-data", "multipart/form-data; boundary=", "application/json; charset=utf-7", "; ;=", form + "; charset=\"", "image/png"}), []byte(g.fields(r.Path).Encode())
	case n == 3:
		return form, []byte("a=%zz&=&&%00=%00;b&" + pick(g, g.names) + "=%ff%fe")
	case r.Body > 0 && n < 15, n < 6:
		return g.multipart(r)
	}
	return form, []byte(g.fields(r.Path).Encode())
}

// json is an object of the pages' fields with values of any type.
func (g *garbage) json(r web.MountedRoute) []byte {
	o := map[string]any{}
	for name := range g.sorted(r) {
		o[name] = pick(g, []any{nil, 1e300, -1, true, []any{}, map[string]any{}, strings.ToValidUTF8(g.value(name), "?")})
	}
	for _, name := range []string{"nonce", "csr", "serial", "ticket", "signature", "label", "outcome", "certificate"} {
		o[name] = pick(g, []any{nil, 7, "", "AAAA", "\x00", strings.Repeat("A", 4000), []int{1}})
	}
	raw, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return raw[:len(raw)-g.IntN(2)]
}

// files are contents that are none of what they are called.
var files = [][]byte{nil, []byte("GIF89a"), []byte("\xff\xd8\xff\xe0\x00\x10JFIF"), []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\xc3\x50\x00\x00\xc3\x50\x08\x06\x00\x00\x00"), []byte("%PDF-1.7\n%%EOF"),
	[]byte("<script>crawled()</script>"), bytes.Repeat([]byte{0}, 4096)}

// multipart is a form with files, at times cut off.
func (g *garbage) multipart(r web.MountedRoute) (string, []byte) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	if err := w.SetBoundary(boundary); err != nil {
		panic(err)
	}
	for name, values := range g.sorted(r) {
		for _, v := range values {
			_ = w.WriteField(name, v) // into memory
		}
	}
	for range g.IntN(4) {
		h := textproto.MIMEHeader{}
		name := pick(g, []string{"file", "picture", "voucher", "pdf", pick(g, g.names) + "_file"})
		h.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"; filename="%s"`, name, strings.NewReplacer("\r", "", "\n", "", `"`, "").Replace(pick(g, hostile)+".jpg")))
		h.Set("Content-Type", pick(g, []string{"image/jpeg", "image/png", "text/html", "\x00"}))
		part, _ := w.CreatePart(h) // into memory
		_, _ = part.Write(pick(g, files))
	}
	if g.IntN(4) > 0 {
		_ = w.Close()
	}
	raw := b.Bytes()
	if g.IntN(6) == 0 {
		raw = raw[:g.IntN(len(raw)+1)]
	}
	return w.FormDataContentType(), raw
}

// sorted are fields in an order of their own, so that the same seed makes the same body.
func (g *garbage) sorted(r web.MountedRoute) func(yield func(string, []string) bool) {
	fields := g.fields(r.Path)
	return func(yield func(string, []string) bool) {
		for _, name := range slices.Sorted(func(each func(string) bool) {
			for n := range fields {
				if !each(n) {
					return
				}
			}
		}) {
			if !yield(name, fields[name]) {
				return
			}
		}
	}
}
