package pki

import (
	"fmt"
	"regexp"
	"strings"
)

// pattern is a compiled subject template: text, {name}, and [optional {name}].
type pattern []piece

type piece struct {
	before, after string // literal text around the value
	name          string // "" for pure text
	optional      bool   // dropped whole when the value is empty
}

var (
	patternToken = regexp.MustCompile(`\{[a-z][a-z0-9_]*\}|\[[^\[\]{}]*\{[a-z][a-z0-9_]*\}[^\[\]{}]*\]|[^\[\]{}]+`)
	patternName  = regexp.MustCompile(`^(.*)\{([a-z][a-z0-9_]*)\}(.*)$`)
)

func compilePattern(s string) (pattern, error) {
	var out pattern
	at := 0
	for _, loc := range patternToken.FindAllStringIndex(s, -1) {
		if loc[0] != at {
			break
		}
		at = loc[1]
		token := s[loc[0]:loc[1]]
		inner := strings.TrimSuffix(strings.TrimPrefix(token, "["), "]")
		if m := patternName.FindStringSubmatch(inner); m != nil {
			out = append(out, piece{before: m[1], name: m[2], after: m[3], optional: token != inner})
			continue
		}
		out = append(out, piece{before: token})
	}
	if at != len(s) {
		return nil, fmt.Errorf("template %q is malformed near %q; write {name} or [-{name}]", s, s[at:])
	}
	return out, nil
}

func (p pattern) fill(values map[string]string) (string, error) {
	var b strings.Builder
	for _, part := range p {
		value := values[part.name]
		switch {
		case part.name == "":
			b.WriteString(part.before)
		case value != "":
			b.WriteString(part.before + value + part.after)
		case !part.optional:
			return "", fmt.Errorf("no value for {%s}", part.name)
		}
	}
	return b.String(), nil
}
