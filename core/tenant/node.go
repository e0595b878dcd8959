package tenant

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// node is a YAML value that remembers where it was written, so that a problem
// found after laying a pack over the base still names the right file and line.
type node struct {
	kind   byte // 'm' mapping, 'l' list, 's' scalar, '0' null
	file   string
	line   int
	keys   []string // mapping keys in order
	lines  []int    // their lines
	vals   map[string]*node
	items  []*node
	text   string // scalar
	quoted bool
}

var yamlLine = regexp.MustCompile(`^yaml: line (\d+): (.*)$`)

// parse reads one YAML file.
func parse(file string, data []byte) (*node, Problems) {
	var doc yaml.Node
	if err := yaml.Unmarshal(data, &doc); err != nil {
		p := Problem{File: file, What: err.Error(), Remedy: "fix the YAML here: check indentation, quotes and colons"}
		if m := yamlLine.FindStringSubmatch(strings.SplitN(err.Error(), "\n", 2)[0]); m != nil {
			p.Line, _ = strconv.Atoi(m[1])
			p.What = m[2]
		}
		return &node{kind: '0', file: file, line: 1}, Problems{p}
	}
	if len(doc.Content) == 0 {
		return &node{kind: '0', file: file, line: 1}, nil
	}
	var ps Problems
	return convert(file, doc.Content[0], &ps), ps
}

func convert(file string, y *yaml.Node, ps *Problems) *node {
	n := &node{file: file, line: y.Line}
	bad := func(what, remedy string) {
		*ps = append(*ps, Problem{File: file, Line: y.Line, What: what, Remedy: remedy})
	}
	switch y.Kind {
	case yaml.MappingNode:
		n.kind, n.vals = 'm', map[string]*node{}
		for i := 0; i+1 < len(y.Content); i += 2 {
			k, v := y.Content[i], y.Content[i+1]
			if _, dup := n.vals[k.Value]; dup {
				*ps = append(*ps, Problem{File: file, Line: k.Line, Key: k.Value, What: fmt.Sprintf("key %q is written twice", k.Value), Remedy: "keep one of the two"})
				continue
			}
			n.set(k.Value, k.Line, convert(file, v, ps))
		}
	case yaml.SequenceNode:
		n.kind = 'l'
		for _, c := range y.Content {
			n.items = append(n.items, convert(file, c, ps))
		}
	case yaml.ScalarNode:
		n.kind, n.text = 's', y.Value
		n.quoted = y.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle) != 0
		if y.Tag == "!!null" {
			n.kind = '0'
		}
	default:
		n.kind = '0'
		bad("anchors and aliases are not supported", "write the value out, or put the field into fields.yaml and say use:")
	}
	return n
}

// set adds or replaces a key.
func (n *node) set(key string, line int, v *node) {
	if _, ok := n.vals[key]; !ok {
		n.keys, n.lines = append(n.keys, key), append(n.lines, line)
	}
	n.vals[key] = v
}

// get is the value of a key, nil when there is none.
func (n *node) get(key string) *node {
	if n == nil || n.kind != 'm' {
		return nil
	}
	return n.vals[key]
}

// over lays a pack's value over what it inherits: mappings key by key, anything
// else whole; null takes an inherited key away.
func over(base, top *node) *node {
	if base == nil || top == nil || base.kind != 'm' || top.kind != 'm' {
		if top != nil {
			return top
		}
		return base
	}
	out := &node{kind: 'm', file: top.file, line: top.line, vals: map[string]*node{}}
	for i, k := range base.keys {
		if t, ok := top.vals[k]; ok && t.kind == '0' {
			continue
		}
		out.set(k, base.lines[i], base.vals[k])
	}
	for i, k := range top.keys {
		v := top.vals[k]
		if v.kind == '0' {
			continue
		}
		merged := over(out.vals[k], v)
		if _, inherited := out.vals[k]; inherited {
			out.vals[k] = merged
			for j := range out.keys {
				if out.keys[j] == k {
					out.lines[j] = top.lines[i]
				}
			}
			continue
		}
		out.set(k, top.lines[i], merged)
	}
	return out
}

var pathPart = regexp.MustCompile(`^([^.\[\]]+)|^\[(\d+)\]|^\.`)

// find walks to a path such as "products.gqgx.form.groups[0].title" and answers
// the deepest node that exists on the way.
func (n *node) find(path string) *node {
	at := n
	for path != "" && at != nil {
		m := pathPart.FindStringSubmatch(path)
		if m == nil {
			return at
		}
		path = path[len(m[0]):]
		var next *node
		switch {
		case m[1] != "":
			next = at.get(m[1])
		case m[2] != "":
			if i, _ := strconv.Atoi(m[2]); at.kind == 'l' && i < len(at.items) {
				next = at.items[i]
			}
		default:
			continue
		}
		if next == nil {
			return at
		}
		at = next
	}
	return at
}
