package material_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"certsaas/core/blob"
	"certsaas/core/coretest"
	"certsaas/core/fault"
	"certsaas/core/material/materialtest"
)

// A picture that finds the disk really full is refused at its field; no row, no blob and no half file stay; after space was
// made the same picture is taken. (issue 3 §1: the disk full for uploads)
func TestDiskFull(t *testing.T) {
	t.Parallel()
	dir := smallDisk(t, "256k")
	store, err := blob.OpenLocal(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 240<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	w := materialtest.New(t, "byd")
	o := w.Order(t, asCompany)
	s, raw := w.Service(store), materialtest.Page{}.JPEG(t)
	_, err = s.Upload(w.Dealer(t.Context()), o.Tenant, o.ID, "licence_image", "a.jpg", raw)
	f := fault.From(err)
	if f == nil || f.Kind != fault.Unavailable || len(f.Fields) != 1 || f.Fields[0].Name != "licence_image" || f.Fields[0].ID != "material.store" || !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("on a full disk: %v", err)
	}
	rows := func() (n int) {
		coretest.OwnerRow(t, w.DB, []any{&n}, `SELECT count(*) FROM files`)
		return n
	}
	if n := rows(); n != 0 || files(t, dir) != 0 {
		t.Errorf("%d rows and %d files stay", n, files(t, dir))
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Upload(w.Dealer(t.Context()), o.Tenant, o.ID, "licence_image", "a.jpg", raw); err != nil {
		t.Fatal(err)
	}
	if n := rows(); n != 1 || files(t, dir) != 1 {
		t.Errorf("%d rows and %d files, want one of each", n, files(t, dir))
	}
}

// smallDisk is a file system of its own that holds so much.
func smallDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("this user may not mount a file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// files counts what lies in the blob store, half files included.
func files(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "blobs"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
