package bench

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// figure is one line of the table. Values are in unit; those of each round lie at the same index.
type figure struct {
	name, goal, peer string
	unit             string // "/s", "ms", "µs", "MB"
	ours, floor      []float64
	server, database []time.Duration // processor time of one piece of work
	floorCPU         []time.Duration
	met              func(ours, floor float64) bool
	note             string // said below the table
}

// add notes a round.
func (f *figure) add(ours, floor float64) {
	f.ours, f.floor = append(f.ours, ours), append(f.floor, floor)
}

// spend notes what n pieces of work of a round cost.
func (f *figure) spend(c cost, n float64) {
	f.server = append(f.server, time.Duration(float64(c.server)/n))
	f.database = append(f.database, time.Duration(float64(c.database)/n))
}

func median[T float64 | time.Duration](of []T) T {
	if len(of) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(of))
	return s[len(s)/2]
}

func number(v float64) string {
	switch {
	case v == 0:
		return "–"
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func short(d time.Duration) string {
	switch {
	case d == 0:
		return "–"
	case d < time.Millisecond:
		return fmt.Sprintf("%d µs", d.Microseconds())
	}
	return fmt.Sprintf("%.1f ms", float64(d)/1e6)
}

// row is the figure's cells.
func (f *figure) row() []string {
	ours, floor := median(f.ours), median(f.floor)
	peer, ratio, cpu, verdict := "–", "–", "–", "met"
	if floor > 0 {
		peer, ratio = f.peer+": "+number(floor)+" "+f.unit, number(ours/floor)
	}
	if len(f.server) > 0 {
		cpu = short(median(f.server)) + " + " + short(median(f.database))
	}
	if len(f.floorCPU) > 0 {
		peer += ", " + short(median(f.floorCPU)) + " CPU"
	}
	if !f.met(ours, floor) {
		verdict = "MISSED"
	}
	return []string{f.name, f.goal, peer, number(ours) + " " + f.unit, ratio, cpu, verdict}
}

// table prints all figures, columns aligned.
func table(w io.Writer, all []*figure) {
	lines := [][]string{{"figure", "goal", "floor or peer", "ours", "ratio", "CPU: server + PostgreSQL", ""}}
	for _, f := range all {
		lines = append(lines, f.row())
	}
	width := make([]int, len(lines[0]))
	for _, l := range lines {
		for i, c := range l {
			width[i] = max(width[i], len([]rune(c)))
		}
	}
	for n, l := range lines {
		for i, c := range l {
			fmt.Fprint(w, c, strings.Repeat(" ", width[i]-len([]rune(c))), "  ")
		}
		fmt.Fprintln(w)
		if n == 0 {
			fmt.Fprintln(w, strings.Repeat("─", 2*len(width)+sum(width)))
		}
	}
	for _, f := range all {
		if f.note != "" {
			fmt.Fprintf(w, "  %s: %s\n", f.name, f.note)
		}
	}
}

func sum(of []int) (n int) {
	for _, v := range of {
		n += v
	}
	return n
}

func below(goal float64) func(float64, float64) bool {
	return func(ours, _ float64) bool { return ours <= goal }
}

func above(goal float64) func(float64, float64) bool {
	return func(ours, _ float64) bool { return ours >= goal }
}

func ratioAbove(goal float64) func(float64, float64) bool {
	return func(ours, floor float64) bool { return ours >= goal*floor }
}

func ratioBelow(goal float64) func(float64, float64) bool {
	return func(ours, floor float64) bool { return ours <= goal*floor }
}
