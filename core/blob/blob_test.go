package blob_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"certsaas/core/blob"
	"certsaas/core/fault"

	"github.com/google/uuid"
)

func TestLocal(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := blob.OpenLocal(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	tenant := uuid.New()
	key := blob.NewKey(tenant)
	for _, want := range []string{"first", "second"} {
		if err := store.Put(ctx, key, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := store.Get(ctx, key); err != nil || string(got) != want {
			t.Errorf("get = %q, %v; want %q", got, err, want)
		}
	}
	left, err := os.ReadDir(filepath.Join(dir, "blobs", tenant.String()))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files in the tenant's folder, want 1: %v", len(left), err)
	}
	for range 2 {
		if err := store.Delete(ctx, key); err != nil {
			t.Error(err)
		}
	}
	if _, err := store.Get(ctx, key); !errors.Is(err, fault.NotFound) {
		t.Errorf("get of a deleted blob: %v", err)
	}
}

func TestKeysStayInside(t *testing.T) {
	t.Parallel()
	store, err := blob.OpenLocal(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "../x", "a/b", uuid.NewString() + "/../../etc/passwd", "/etc/passwd", uuid.NewString()} {
		if err := store.Put(t.Context(), key, nil); err == nil {
			t.Errorf("key %q was accepted", key)
		}
	}
}
