// Package platformtest opens a whole platform for a test: a database of its own, the packs installed, a clock that stands
// where the test wants it, messages recorded, the demonstration payment provider. Only the browser is missing.
package platformtest

import (
	"context"
	"io/fs"
	"testing"
	"time"

	"certsaas/config"
	"certsaas/core/authz"
	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/platform"
	"certsaas/core/tenant"
)

// Start is when a test's clock stands at the beginning: a Monday morning in Shanghai.
var Start = time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)

// World is a platform and the outside parties of a test.
type World struct {
	*platform.Platform
	T     *testing.T
	Clock *clock.Shifted // runs on from Start; Shift moves it
	SMS   *channel.Recording
}

// New opens a platform. pages are the message files of the pages under test.
func New(t *testing.T, pages ...fs.FS) *World {
	t.Helper()
	w := open(t, config.Default(), pages...)
	if err := w.InstallPacks(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// open is New without any tenant.
func open(t *testing.T, c config.Config, pages ...fs.FS) *World {
	t.Helper()
	clk := clock.NewShifted(clock.System())
	clk.SetNow(Start)
	bundle, err := platform.Sentences(pages...)
	if err != nil {
		t.Fatal(err)
	}
	sms := &channel.Recording{}
	p, err := platform.Open(t.Context(), platform.Options{
		DB: coretest.DBAt(t, clk), DataDir: t.TempDir(), Clock: clk, Config: c,
		CreateKEK: true, Demo: true, Sender: sms, Bundle: bundle,
	})
	if err != nil {
		t.Fatal(err)
	}
	return &World{Platform: p, T: t, Clock: clk, SMS: sms}
}

// Tenant is an installed tenant by slug.
func (w *World) Tenant(slug string) *tenant.Tenant {
	w.T.Helper()
	t, err := w.Tenants.BySlug(w.T.Context(), slug)
	if err != nil {
		w.T.Fatal(err)
	}
	return t
}

// Drain delivers the outbox until nothing is due.
func (w *World) Drain() {
	w.T.Helper()
	for range 20 {
		r, err := w.Outbox.RunOnce(context.WithoutCancel(w.T.Context()), 100)
		if err != nil {
			w.T.Fatal(err)
		}
		if r.Claimed == 0 {
			return
		}
	}
	w.T.Fatal("the outbox does not come to rest")
}

// As is ctx with a principal.
func (w *World) As(p authz.Principal) context.Context {
	return authz.WithPrincipal(w.T.Context(), p)
}
