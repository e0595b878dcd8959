package scheduler_test

import (
	"bytes"
	"image"
	"image/jpeg"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/order"
	"certsaas/core/platform/platformtest"
)

// picture is a small one.
func picture(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewRGBA(image.Rect(0, 0, 640, 480)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// blobs counts the stored files.
func blobs(t *testing.T, dir string) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(dir, "blobs"), func(_ string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return n
}

// A draft that nobody hands in lapses; a month later what was typed and uploaded for it is gone, rows and pictures, and nothing
// of an order that was handed in (issue 4 §3, clean-up of drafts and uploads).
func TestAbandonedDraftIsForgotten(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	kept := b.Submit(platformtest.Later, uuid.Nil, nil)
	draft := b.Draft(platformtest.Renew, uuid.Nil, nil)
	if _, err := b.Materials.Upload(b.Dealer, b.ID, draft.ID, "photo", "a.jpg", picture(t)); err != nil {
		t.Fatal(err)
	}
	system := b.As(authz.System("test"))
	forget := func(step string, want, files int) {
		t.Helper()
		if _, err := b.Orders.LapseDue(system, 100); err != nil {
			t.Fatal(err)
		}
		n, err := b.Materials.ForgetDrafts(system, b.Clock.Now().Add(-30*24*time.Hour), 100)
		if err != nil || n != want {
			t.Errorf("%s: %d forgotten, %v, want %d", step, n, err, want)
		}
		if _, err := b.Materials.Reap(system, time.Now().Add(time.Hour)); err != nil { // files bear the machine's time
			t.Fatal(err)
		}
		if got := blobs(t, b.DataDir); got != files {
			t.Errorf("%s: %d files, want %d", step, got, files)
		}
	}
	forget("at once", 0, 1)
	b.Clock.Shift(16 * 24 * time.Hour)
	forget("lapsed", 0, 1)
	if o := b.Now(draft); o.State != order.Lapsed || o.Answers["org_name"] == "" {
		t.Errorf("%s %v", o.State, o.Answers)
	}
	b.Clock.Shift(31 * 24 * time.Hour)
	forget("a month later", 1, 0)
	forget("again", 0, 0)
	if o := b.Now(draft); len(o.Answers) != 0 || o.Number != draft.Number {
		t.Errorf("left of it: %v", o.Answers)
	}
	if n := b.Count(`SELECT count(*) FROM orders WHERE id = $1 AND coalesce(mobile_index, org_index, code_index, dealer_index) IS NULL`, draft.ID); n != 1 {
		t.Error("it is found by what was typed")
	}
	if o := b.Now(kept); o.Answers["org_name"] == "" {
		t.Error("an order that was handed in is forgotten, too")
	}
	b.Drain()
	b.Seal()
	if found, err := b.Fsck(system); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
}
