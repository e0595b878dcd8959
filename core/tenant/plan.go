package tenant

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"certsaas/core/fault"
)

// Plan is what applying a definition would change.
type Plan struct {
	Slug    string
	After   int // release it was compared with, 0 when there is none; hand it to Apply
	Same    bool
	Changes []Delta
}

// Delta is one value that would differ.
type Delta struct {
	Path string // "products.gqgx.price.lines[0].unit", or a file name
	Old  string // "" when new
	New  string // "" when taken away
}

// String is the change as one line: +, - or ~.
func (c Delta) String() string {
	switch {
	case c.Old == "":
		return fmt.Sprintf("+ %s: %s", c.Path, c.New)
	case c.New == "":
		return fmt.Sprintf("- %s: %s", c.Path, c.Old)
	}
	return fmt.Sprintf("~ %s: %s → %s", c.Path, c.Old, c.New)
}

// Exit is the plan's exit code: 0 nothing would change, 2 something would.
func (p Plan) Exit() int {
	if p.Same {
		return 0
	}
	return 2
}

// Plan compares a definition with the latest release. It changes nothing.
func (s *Store) Plan(ctx context.Context, def Definition) (Plan, error) {
	p := Plan{Slug: def.Slug}
	old, err := s.Release(ctx, IDOf(def.Slug), 0)
	if err != nil && !errors.Is(err, fault.NotFound) {
		return p, err
	}
	p.After = old.Number
	p.Same = old.Number > 0 && old.Digest == def.Digest()
	if !p.Same {
		p.Changes = Diff(old.Definition, def)
	}
	return p, nil
}

// Diff lists the values that differ between two definitions, what they inherit
// included. Comments and layout do not count.
func Diff(before, after Definition) []Delta {
	was, is := values(before), values(after)
	var out []Delta
	paths := slices.Collect(maps.Keys(was))
	for path := range is {
		if _, both := was[path]; !both {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		if was[path] != is[path] {
			out = append(out, Delta{Path: path, Old: was[path], New: is[path]})
		}
	}
	return out
}

// values flattens a definition: one entry for each scalar of the merged tree, one for each other file.
func values(d Definition) map[string]string {
	out := map[string]string{}
	if len(d.Files) == 0 {
		return out
	}
	root, _ := assemble(d)
	for _, k := range root.keys {
		if k == "fields" || k == "groups" || k == "options" || k == "product" {
			continue // their effect shows in the products
		}
		flatten(root.vals[k], k, out)
	}
	for _, part := range []map[string]string{d.Base, d.Files} {
		for name, text := range part {
			if !strings.HasSuffix(name, ".yaml") && name != "README.md" {
				out[name] = fmt.Sprintf("%d bytes, %s", len(text), short(text))
			}
		}
	}
	return out
}

func flatten(n *node, path string, out map[string]string) {
	switch n.kind {
	case 'm':
		for _, k := range n.keys {
			flatten(n.vals[k], path+"."+k, out)
		}
	case 'l':
		for i, item := range n.items {
			flatten(item, fmt.Sprintf("%s[%d]", path, i), out)
		}
	case 's':
		out[path] = n.text
	}
}

func short(text string) string {
	d := Definition{Files: map[string]string{"": text}}
	return d.Digest()[:12]
}
