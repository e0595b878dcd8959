package platform_test

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"testing"

	"certsaas/core/platform"
	"certsaas/core/platform/platformtest"
	"certsaas/core/token/softtoken"
)

// Seeding makes staff, a dealer and a key with last year's certificate; seeding again changes nothing.
func TestSeedDemo(t *testing.T) {
	t.Parallel()
	if _, err := softtoken.FindModule(); err != nil {
		t.Fatal(err)
	}
	w := platformtest.New(t)
	b := &platformtest.Bench{World: w}
	tables := []string{"staff", "accounts", "certificates", "authorities", "tenant_releases", "orders", "issuance_intents"}
	var counts [2][]int
	var keys [2][32]byte
	for i := range 2 {
		if err := w.InstallPacks(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := w.SeedDemo(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, table := range tables {
			counts[i] = append(counts[i], b.Count(`SELECT count(*) FROM `+table))
		}
		keys[i] = digest(t, w.DemoTokenDir())
	}
	for i, table := range tables {
		if counts[0][i] != counts[1][i] {
			t.Errorf("%s: %d rows, then %d", table, counts[0][i], counts[1][i])
		}
	}
	if keys[0] != keys[1] {
		t.Error("the demonstration's keys changed")
	}
	if n := b.Count(`SELECT count(*) FROM certificates WHERE state = 'active' AND not_after BETWEEN $1::timestamptz - interval '11 days' AND $1::timestamptz - interval '9 days'`, w.Clock.Now()); n != 1 {
		t.Error("there is no certificate that ended ten days ago")
	}
	if counts[0][0] != len(platform.DemoStaff) {
		t.Errorf("%d staff, want %d", counts[0][0], len(platform.DemoStaff))
	}
}

// digest is over the names and contents of all files of a folder.
func digest(t *testing.T, dir string) (sum [32]byte) {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".object" {
			return err
		}
		data, err := os.ReadFile(path)
		h.Write([]byte(path))
		h.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Sum(sum[:0])
	return sum
}
