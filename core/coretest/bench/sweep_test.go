package bench

import (
	"fmt"
	"testing"
	"time"

	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/coretest/sweep"
	"certsaas/core/db"
	"certsaas/core/db/embedpg"
)

// Certificates of the sweep's measurement. Among so few that a bench has time for, as many are due as among a million that end
// evenly over 300 days; at full size there are that million, and four over 1200 days, of which as many are due.
var (
	sweepUsual = sweep.Size{Certificates: 300_000, Tenants: 300, Days: 110}
	sweepFull  = []sweep.Size{{Certificates: 1_000_000, Tenants: 1_000, Days: 300}, {Certificates: 4_000_000, Tenants: 1_000, Days: 1_200}}
)

// sweepFigures write a day's reminders and renewals, beside one bare INSERT … SELECT of the same rows; then again, when
// nothing is new; then among four times as many certificates. The rounds of all sizes take turns. (issue 4 §4.4)
func sweepFigures(t *testing.T, h *house, s size) []*figure {
	sizes := []sweep.Size{s.sweep}
	if coretest.Size(0, 1) > 0 && s.sweep == sweepUsual {
		sizes = sweepFull
	}
	var worlds []*sweep.World
	for i, x := range sizes {
		worlds = append(worlds, h.certificates(t, fmt.Sprintf("sweep%d", i), x))
	}
	first := &figure{name: fmt.Sprintf("a day's reminders, %s certificates", thousands(sizes[0].Certificates)), goal: "≤ 1.3 × bare SQL", unit: "ms", peer: "bare INSERT … SELECT", met: ratioBelow(1.3)}
	again := &figure{name: "the same, nothing new", goal: "≤ 0.10 × the first", unit: "ms", peer: "the first", met: ratioBelow(0.1), note: "no sequence in the database"}
	all := []*figure{first, again}
	var more, grown *figure
	if len(sizes) > 1 {
		more = &figure{name: fmt.Sprintf("as many reminders, %s certificates", thousands(sizes[1].Certificates)), goal: "≤ 1.6 × bare SQL of the fewer", unit: "ms", peer: "bare, " + thousands(sizes[0].Certificates), met: ratioBelow(1.6)}
		grown = &figure{name: "the same beside its own bare SQL", goal: "≤ 1.3 × bare SQL", unit: "ms", peer: "bare INSERT … SELECT", met: ratioBelow(1.3)}
		all = append(all, more, grown)
	}
	round := func(w *sweep.World, f *figure) sweep.Round {
		begin := own(t)
		r := w.Round()
		f.server = append(f.server, own(t)-begin) // the bare statement's share is nothing
		f.database, f.floorCPU = append(f.database, r.FirstCPU), append(f.floorCPU, r.BareCPU)
		return r
	}
	for range s.rounds {
		r := round(worlds[0], first)
		first.add(ms(r.First), ms(r.Bare))
		again.add(ms(r.Again), ms(r.First))
		first.note = fmt.Sprintf("%s tenants, %s due: as many reminders and as many wanted renewals", thousands(sizes[0].Tenants), thousands(r.Rows))
		if more != nil {
			x := round(worlds[1], grown)
			more.add(ms(x.First), ms(r.Bare))
			grown.add(ms(x.First), ms(x.Bare))
			more.note = fmt.Sprintf("%s due", thousands(x.Rows))
		}
	}
	return all
}

// certificates fills a database of the measured server's own with them.
func (h *house) certificates(t *testing.T, name string, size sweep.Size) *sweep.World {
	t.Helper()
	if err := db.Bootstrap(t.Context(), h.pg.URL(embedpg.Superuser, "postgres"), name); err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context(), h.pg.URL(db.RoleOwner, name)); err != nil {
		t.Fatal(err)
	}
	w := sweep.New(t, h.pg.URL(embedpg.Superuser, name), func(c clock.Clock) *db.DB {
		d, err := db.Open(t.Context(), db.Options{AppURL: h.pg.URL(db.RoleApp, name), SystemURL: h.pg.URL(db.RoleSystem, name), MaxConns: 4, Clock: c})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		return d
	}, size)
	w.Spent = func() time.Duration { return family(t, h.pg.PID()) }
	return w
}

func ms(d time.Duration) float64 { return float64(d) / 1e6 }

// thousands writes a number with commas.
func thousands(n int) string {
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return fmt.Sprintf("%s,%03d", thousands(n/1000), n%1000)
}
