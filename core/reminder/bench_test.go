package reminder_test

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/coretest/sweep"
	"certsaas/core/db"
)

// BenchmarkSweep writes one day's reminders and wanted renewals, beside one bare INSERT … SELECT of the same rows on the same
// machine in the same run; figures are medians. At full size 1,000,000 certificates of 1,000 tenants, about 30,000 of them due.
// `make bench` prints the same with the durability of service, and with 4,000,000 certificates. (issue 4 §4.4)
func BenchmarkSweep(b *testing.B) {
	address := coretest.DatabaseURL(b, "postgres")
	open := func(c clock.Clock) *db.DB {
		d, err := coretest.Connect(b.Context(), address, c)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(d.Close)
		return d
	}
	w := sweep.New(b, address, open, sweep.Size{Certificates: coretest.Size(40_000, 1_000_000), Tenants: coretest.Size(20, 1_000), Days: 300})
	var all []sweep.Round
	for b.Loop() {
		all = append(all, w.Round())
	}
	median := func(of func(sweep.Round) time.Duration) float64 {
		slices.SortFunc(all, func(x, y sweep.Round) int { return cmp.Compare(of(x), of(y)) })
		return float64(of(all[len(all)/2])) / 1e6
	}
	bare := median(func(r sweep.Round) time.Duration { return r.Bare })
	first := median(func(r sweep.Round) time.Duration { return r.First })
	again := median(func(r sweep.Round) time.Duration { return r.Again })
	b.ReportMetric(float64(all[0].Rows), "rows")
	b.ReportMetric(bare, "bare-ms")
	b.ReportMetric(first, "sweep-ms")
	b.ReportMetric(again, "again-ms")
	b.ReportMetric(first/bare, "sweep/bare")
	b.ReportMetric(again/first, "again/sweep")
}
