package tenant

import (
	"fmt"
	"sort"
	"strings"
)

// Problem is one thing that is wrong in a pack: where, what, and what would be right.
type Problem struct {
	File   string // path inside the pack, or "base/…" for what is inherited
	Line   int    // 1-based; 0 when the whole file is meant
	Key    string // "form.groups[0].fields[2].type"
	What   string
	Remedy string
}

// String is the problem as one line: file:line: key: what; remedy.
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	b.WriteString(": ")
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.What)
	if p.Remedy != "" {
		b.WriteString("; " + p.Remedy)
	}
	return b.String()
}

// Problems is everything wrong with a pack. It is an error when it is not empty.
type Problems []Problem

// Error lists the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// Err is nil when there are no problems.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// outside leaves out problems in files that could not be read as they should:
// what a file means cannot be judged before its form is right.
func (ps Problems) outside(broken Problems) Problems {
	files := map[string]bool{}
	for _, p := range broken {
		files[p.File] = true
	}
	var out Problems
	for _, p := range ps {
		if !files[p.File] {
			out = append(out, p)
		}
	}
	return out
}

// sorted orders by file and line and drops repetitions.
func (ps Problems) sorted() Problems {
	sort.SliceStable(ps, func(i, j int) bool {
		if ps[i].File != ps[j].File {
			return ps[i].File < ps[j].File
		}
		return ps[i].Line < ps[j].Line
	})
	var out Problems
	seen := map[string]bool{}
	for _, p := range ps {
		id := fmt.Sprint(p.File, p.Line, p.What)
		if !seen[id] {
			seen[id] = true
			out = append(out, p)
		}
	}
	return out
}

// meant suggests the known word nearest to a mistyped one, else lists the known words.
func meant(word string, known []string) string {
	if best := nearest(word, known); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	list := append([]string(nil), known...)
	sort.Strings(list)
	if len(list) > 24 {
		list = append(list[:24], "…")
	}
	if len(list) == 0 {
		return "remove it"
	}
	return "use one of: " + strings.Join(list, ", ")
}

// nearest is the known word that differs least from a mistyped one, "" when none is near.
func nearest(word string, known []string) string {
	best, dist := "", len(word)/2+1
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < dist {
			best, dist = k, d
		}
	}
	return best
}

// distance is the Levenshtein distance of two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			next := min(row[j]+1, row[j-1]+1, diag+cost)
			diag, row[j] = row[j], next
		}
	}
	return row[len(b)]
}
