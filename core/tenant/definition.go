package tenant

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Definition is a pack as it was written, with the base it was laid over: what a
// release stores. Comments and order survive, so that exporting gives the same
// bytes back, and a release never changes when the base of the program does.
type Definition struct {
	Slug  string            `json:"slug"`
	Files map[string]string `json:"files"` // path inside the pack → text
	Base  map[string]string `json:"base"`  // path inside tenants/base → text
	Index Index             `json:"index"` // what the registry looks tenants up by
}

// Index is what tenants are looked up by in the database.
type Index struct {
	Hosts    []string `json:"hosts"`
	Links    []string `json:"links"`    // short links of the products
	Products []string `json:"products"` // product codes
}

const (
	maxFile  = 256 << 10 // bytes of one file of a pack
	maxFiles = 200
)

// layout is which files a pack may have; the group is the kind of file.
var layout = regexp.MustCompile(`^(?:(tenant|fields|groups|options|messages|product)\.yaml|(products|letters|agreements)/([a-z0-9][a-z0-9-]*)\.yaml|theme/[a-z0-9][a-z0-9-]*\.svg|rules\.rego|roster\.txt|README\.md)$`)

// Load reads a pack and the base it is laid over, and checks everything.
// The Definition is usable only when there are no problems.
func Load(base, pack fs.FS) (Definition, Problems) {
	def := Definition{}
	var ps, more Problems
	def.Base, ps = read(base, "base/")
	def.Files, more = read(pack, "")
	if ps = append(ps, more...); len(ps) > 0 {
		return def, ps.sorted()
	}
	t, ps := Compile(def)
	if len(ps) > 0 {
		return def, ps
	}
	def.Slug = t.Slug()
	def.Index = t.index()
	return def, t.lint()
}

// read takes all files of a folder.
func read(fsys fs.FS, prefix string) (map[string]string, Problems) {
	files := map[string]string{}
	var ps Problems
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !layout.MatchString(name) {
			ps = append(ps, Problem{File: prefix + name, What: "a pack has no such file",
				Remedy: "use tenant.yaml, fields.yaml, groups.yaml, options.yaml, messages.yaml, product.yaml, products/*.yaml, letters/*.yaml, agreements/*.yaml, theme/*.svg, rules.rego, roster.txt"})
			return nil
		}
		data, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		if len(data) > maxFile || len(files) >= maxFiles {
			ps = append(ps, Problem{File: prefix + name, What: "the pack is too large", Remedy: fmt.Sprintf("keep files under %d bytes and their number under %d", maxFile, maxFiles)})
			return nil
		}
		if !utf8.Valid(data) || bytes.IndexByte(data, 0) >= 0 {
			ps = append(ps, Problem{File: prefix + name, What: "the file is not text in UTF-8", Remedy: "save it as UTF-8"})
			return nil
		}
		files[name] = string(data)
		return nil
	})
	if err != nil {
		ps = append(ps, Problem{File: prefix, What: err.Error(), Remedy: "make the folder readable"})
	}
	return files, ps
}

// Digest is the SHA-256, in hex, over the names and bytes of all files. Two definitions with the same digest are the same.
func (d Definition) Digest() string {
	h := sha256.New()
	for _, part := range []map[string]string{d.Files, d.Base} {
		for _, name := range slices.Sorted(maps.Keys(part)) {
			fmt.Fprintf(h, "%d %s %d\n%s\n", len(name), name, len(part[name]), part[name])
		}
		fmt.Fprintln(h, "--")
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Export gives the pack's own files back, byte for byte as they were applied.
func Export(d Definition) map[string][]byte {
	out := make(map[string][]byte, len(d.Files))
	for name, text := range d.Files {
		out[name] = []byte(text)
	}
	return out
}

// JSON is the definition as a release stores it.
func (d Definition) JSON() ([]byte, error) { return json.Marshal(d) }

// assemble puts the files of base and pack into one tree, products filled in from their defaults and fields from the library.
func assemble(d Definition) (*node, Problems) {
	var ps Problems
	base, more := tree(d.Base, "base/")
	ps = append(ps, more...)
	top, more := tree(d.Files, "")
	ps = append(ps, more...)
	root := over(base, top)
	own := top.get("products")
	root.vals["products"] = &node{kind: 'm', file: "products", vals: map[string]*node{}}
	if own != nil {
		for i, name := range own.keys {
			full := over(root.get("product"), own.vals[name])
			ps = append(ps, expand(root, full)...)
			root.vals["products"].set(name, own.lines[i], full)
		}
	}
	return root, ps
}

// tree mounts YAML files under their names: products/x.yaml at products.x.
func tree(files map[string]string, prefix string) (*node, Problems) {
	root := &node{kind: 'm', file: prefix + "tenant.yaml", line: 1, vals: map[string]*node{}}
	var ps Problems
	for _, name := range []string{"tenant", "fields", "groups", "options", "messages", "product", "products", "letters", "agreements"} {
		root.set(name, 1, &node{kind: 'm', file: prefix + name + ".yaml", line: 1, vals: map[string]*node{}})
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if path.Ext(name) != ".yaml" {
			continue
		}
		n, more := parse(prefix+name, []byte(files[name]))
		ps = append(ps, more...)
		if n.kind != 'm' {
			if len(more) == 0 {
				ps = append(ps, Problem{File: prefix + name, Line: 1, What: "the file holds no keys", Remedy: "write key: value lines, or delete the file"})
			}
			continue
		}
		folder, file, nested := strings.Cut(strings.TrimSuffix(name, ".yaml"), "/")
		if nested {
			root.vals[folder].set(file, 1, n)
		} else {
			root.set(folder, 1, n)
		}
	}
	return root, ps
}

// expand resolves use: and options_from: in a product's form.
func expand(root, product *node) Problems {
	var ps Problems
	groups := product.get("form").get("groups")
	if groups == nil || groups.kind != 'l' {
		return nil
	}
	for i, g := range groups.items {
		g = library(root, "groups", g, &ps)
		if fields := g.get("fields"); fields != nil && fields.kind == 'l' {
			list := &node{kind: 'l', file: fields.file, line: fields.line}
			for _, f := range fields.items {
				if f.kind == 's' { // shorthand: a field of the library under its own name
					name := f
					f = &node{kind: 'm', file: f.file, line: f.line, vals: map[string]*node{}}
					f.set("key", name.line, name)
					f.set("use", name.line, name)
				}
				list.items = append(list.items, choices(root, library(root, "fields", f, &ps), &ps))
			}
			g = over(g, &node{kind: 'm', file: g.file, line: g.line, keys: []string{"fields"}, lines: []int{fields.line}, vals: map[string]*node{"fields": list}})
		}
		groups.items[i] = g
	}
	return ps
}

// library lays an item over the entry of fields.yaml or groups.yaml it uses.
func library(root *node, shelf string, item *node, ps *Problems) *node {
	use := item.get("use")
	if use == nil {
		return item
	}
	entry := root.get(shelf).get(use.text)
	if entry == nil {
		*ps = append(*ps, Problem{File: use.file, Line: use.line, Key: "use", What: fmt.Sprintf("%s.yaml has no %q", shelf, use.text), Remedy: meant(use.text, root.get(shelf).keys)})
		return item
	}
	full := over(entry, item)
	if id := map[string]string{"fields": "key", "groups": "id"}[shelf]; full.get(id) == nil {
		full.set(id, use.line, use)
	}
	return full
}

// choices fills options from a named list of options.yaml.
func choices(root, f *node, ps *Problems) *node {
	from := f.get("options_from")
	if from == nil || f.get("options") != nil || slices.Contains(derived, from.text) {
		return f
	}
	list := root.get("options").get(from.text)
	if list == nil {
		*ps = append(*ps, Problem{File: from.file, Line: from.line, Key: "options_from", What: fmt.Sprintf("options.yaml has no list %q", from.text),
			Remedy: meant(from.text, append(slices.Clone(derived), root.get("options").keys...))})
		return f
	}
	return over(f, &node{kind: 'm', file: f.file, line: f.line, keys: []string{"options"}, lines: []int{from.line}, vals: map[string]*node{"options": list}})
}

// derived are the option lists that come from the product itself.
var derived = []string{"term", "delivery", "invoice"}
