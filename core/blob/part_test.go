package blob_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"certsaas/core/blob"

	"github.com/google/uuid"
)

// What a crash left half written is never told as a blob, and goes with the orphans; what is being written stays (reliability U4).
func TestHalfWrittenFilesAreRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	store, err := blob.OpenLocal(dir)
	if err != nil {
		t.Fatal(err)
	}
	key := blob.NewKey(uuid.New())
	if err := store.Put(t.Context(), key, []byte("whole")); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(filepath.Join(dir, key))
	old, young := filepath.Join(folder, ".part-1"), filepath.Join(folder, ".part-2")
	for _, path := range []string{old, young} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	var told []string
	if err := store.Each(t.Context(), time.Now().Add(time.Hour), func(k string) error { told = append(told, k); return nil }); err != nil {
		t.Fatal(err)
	}
	if len(told) != 1 || told[0] != key {
		t.Errorf("told %q, want the whole one", told)
	}
	for _, path := range []string{old, young} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	if err := store.Each(t.Context(), time.Now().Add(-time.Hour), func(k string) error { t.Errorf("told %q", k); return nil }); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(old); err == nil {
		t.Error("what a crash left stays")
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("what is being written is gone: %v", err)
	}
}
