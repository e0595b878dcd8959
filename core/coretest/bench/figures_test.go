package bench

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"certsaas/core/coretest/sweep"
)

var (
	whole = flag.String("figures", "", "measure for real and write the table into this file")
	only  = flag.String("only", "", "measure the groups named here, separated by commas: life,page,parts,notice,login,sweep,size")
)

// size is how much is done.
type size struct {
	rounds                    int
	burst                     time.Duration // of one measurement
	warm                      time.Duration // pgbench runs before it counts: each connection plans each statement once
	clients                   int
	notices, logins, messages int
	entries, tenants          int
	sweep                     sweep.Size
	idle                      time.Duration // until memory is looked at
}

var (
	real  = size{rounds: 3, burst: 4 * time.Second, warm: 4 * time.Second, clients: clients, notices: 5, logins: 120, messages: 3000, entries: 10_000, tenants: tenantsLoaded, sweep: sweepUsual, idle: 3 * time.Second}
	brief = size{rounds: 1, burst: 80 * time.Millisecond, warm: time.Second, clients: 2, notices: 1, logins: 4, messages: 100, entries: 1000, tenants: 5, sweep: sweep.Size{Certificates: 2000, Tenants: 2, Days: 110}, idle: 10 * time.Millisecond}
)

// TestFigures goes through all measurements: once and briefly, or with -figures for real, and then it prints the table.
func TestFigures(t *testing.T) {
	s := brief
	if *whole != "" {
		s = real
	}
	h := open(t)
	var all []*figure
	for _, group := range []struct {
		name string
		run  func() []*figure
	}{
		{"life", func() []*figure { return lifeFigures(t, h, s) }},
		{"page", func() []*figure { return pageFigures(t, h, s) }},
		{"parts", func() []*figure {
			h.stop() // its own workers would take the work away
			defer h.start("--demo")
			return []*figure{authzFigure(t, h, s), letterFigure(t, h, s), outboxFigure(t, h, s), sealFigure(t, h, s)}
		}},
		{"notice", func() []*figure { return []*figure{noticeFigure(t, h, s)} }},
		{"login", func() []*figure { return []*figure{loginFigure(t, h, s)} }},
		{"sweep", func() []*figure {
			h.stop()
			defer h.start("--demo")
			return sweepFigures(t, h, s)
		}},
		{"size", func() []*figure { return sizeFigures(t, h, s) }}, // last: it adds tenants and starts the program anew
	} {
		if *only == "" || strings.Contains(*only, group.name) {
			begin := time.Now()
			all = append(all, group.run()...)
			t.Logf("%s: %.1f s", group.name, time.Since(begin).Seconds())
		}
	}
	if *whole == "" {
		return
	}
	var b bytes.Buffer
	table(&b, all)
	if err := os.WriteFile(*whole, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// lifeFigures lives whole orders, beside pgbench that replays the SQL of one.
func lifeFigures(t *testing.T, h *house, s size) []*figure {
	f := &figure{name: fmt.Sprintf("order lives, %d clients", s.clients), goal: "≥ 0.5 × pgbench", unit: "/s", peer: "pgbench, same SQL", met: ratioAbove(0.5)}
	dealers, reviewer := h.dealers(s.clients), h.reviewer()
	n := h.lives(t, dealers, reviewer, s.burst/2)
	r := h.record(h.dealers(1)[0], reviewer)
	for range s.rounds {
		c := h.measure(func() { n = h.lives(t, dealers, reviewer, s.burst) })
		f.spend(c, float64(n))
		done, floor := h.replayed(t, r, s)
		f.add(float64(n)/c.wall.Seconds(), done/floor.wall.Seconds())
		f.floorCPU = append(f.floorCPU, time.Duration(float64(floor.database)/done))
	}
	f.note = fmt.Sprintf("%d requests and %d statements each, P-256 certificate included; pgbench -M prepared, as many connections, on a copy of the database", requests, r.size)
	return []*figure{f}
}
