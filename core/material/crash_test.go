package material_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"certsaas/core/authz"
	"certsaas/core/blob"
	"certsaas/core/coretest"
	"certsaas/core/fault"
	"certsaas/core/material/materialtest"
)

// failing is a blob store or a moment that breaks.
type failing struct {
	*blob.Local
	after func() // runs when a blob was written, before its row
}

func (f failing) Put(ctx context.Context, key string, data []byte) error {
	err := f.Local.Put(ctx, key, data)
	f.after()
	return err
}

// U4: a crash between blob and row leaves no row without a blob, and the orphan goes within the hour.
func TestCrashBetweenBlobAndRow(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "byd")
	o := w.Order(t, asCompany)
	ctx, crash := context.WithCancel(w.Dealer(t.Context()))
	raw := materialtest.Page{}.JPEG(t)
	if _, err := w.Service(failing{w.Blobs, crash}).Upload(ctx, o.Tenant, o.ID, "licence_image", "a.jpg", raw); err == nil {
		t.Fatal("the crash was not noticed")
	}
	kept, err := w.Materials.Upload(w.Dealer(t.Context()), o.Tenant, o.ID, "licence_image", "a.jpg", raw)
	if err != nil {
		t.Fatal(err)
	}
	var rows int
	coretest.OwnerRow(t, w.DB, []any{&rows}, `SELECT count(*) FROM files`)
	if n := w.BlobCount(t); n != 2 || rows != 1 {
		t.Fatalf("%d blobs, %d rows; want 2 and 1", n, rows)
	}
	sys := authz.WithPrincipal(t.Context(), authz.System("scheduler/reap"))
	if n, err := w.Materials.Reap(sys, time.Now().Add(-time.Hour)); n != 0 || err != nil {
		t.Errorf("young blobs: %d reaped, %v", n, err)
	}
	if n, err := w.Materials.Reap(sys, time.Now().Add(time.Hour)); n != 1 || err != nil {
		t.Errorf("%d reaped, %v; want 1", n, err)
	}
	if _, _, err := w.Materials.Open(w.Dealer(t.Context()), o.Tenant, kept.ID); err != nil {
		t.Errorf("the file with a row: %v", err)
	}
}

// A store that is away says so, and leaves nothing.
func TestStoreAway(t *testing.T) {
	t.Parallel()
	w := materialtest.New(t, "byd")
	o := w.Order(t, asCompany)
	_, err := w.Service(away{}).Upload(w.Dealer(t.Context()), o.Tenant, o.ID, "licence_image", "a.jpg", materialtest.Page{}.JPEG(t))
	if !errors.Is(err, fault.Unavailable) || fault.From(err).ID != "material.store" {
		t.Errorf("%v", err)
	}
	var rows int
	if coretest.OwnerRow(t, w.DB, []any{&rows}, `SELECT count(*) FROM files`); rows != 0 {
		t.Errorf("%d rows", rows)
	}
}

type away struct{ blob.Store }

func (away) Put(context.Context, string, []byte) error { return errors.New("disk full") }
