package form

import "strings"

// Change is one answer that differs between two versions of an order.
type Change struct {
	Field Field // zero but for Key when the form no longer has it
	Old   string
	New   string
}

// Diff lists the answers that differ, in the form's order; a second look at a
// resubmitted order shows only these.
func (f Form) Diff(before, after Answers) []Change {
	var out []Change
	for fd := range f.Fields() {
		if before[fd.Key] != after[fd.Key] {
			out = append(out, Change{Field: fd, Old: before[fd.Key], New: after[fd.Key]})
		}
	}
	return out
}

// Editable is which fields open after a rejection: the refused ones, those whose
// being asked, source or rule hangs on a refused one, and the letter when an answer
// is refused, because what it prints may become void; everything else stays
// locked (req K44, decision 7). Use it as Env.Open with Env.Prior.
func (f Form) Editable(refused []string) map[string]bool {
	open := map[string]bool{}
	for _, k := range refused {
		open[k] = true
	}
	for grown := true; grown; {
		grown = false
		for _, g := range f.Groups {
			for _, fd := range g.Fields {
				if !open[fd.Key] && (f.hangsOn(g, fd, open) || fd.Type == Letter && f.anyAnswer(open)) {
					open[fd.Key], grown = true, true
				}
			}
		}
	}
	return open
}

// anyAnswer tells whether one of the fields is answered by typing or choosing.
func (f Form) anyAnswer(keys map[string]bool) bool {
	for fd := range f.Fields() {
		if keys[fd.Key] && !fd.IsFile() {
			return true
		}
	}
	return false
}

func (f Form) hangsOn(g Group, fd Field, open map[string]bool) bool {
	names := append(fd.VisibleWhen.Fields(), fd.RequiredWhen.Fields()...)
	names = append(names, g.VisibleWhen.Fields()...)
	if fd.By != "" {
		names = append(names, fd.By)
	}
	for _, path := range fd.Sources() {
		if key, ok := strings.CutPrefix(path, "answers."); ok && fd.ReadOnly {
			names = append(names, key)
		}
	}
	for _, n := range names {
		if open[n] {
			return true
		}
	}
	return false
}
