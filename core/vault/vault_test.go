package vault_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/vault"

	"github.com/google/uuid"
)

var (
	kekA = strings.Repeat("a1", 32)
	kekB = strings.Repeat("b2", 32)
)

func open(t *testing.T, d *db.DB, c vault.Config) *vault.Vault {
	t.Helper()
	v, err := vault.Open(t.Context(), c, d)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func keys(t *testing.T, d *db.DB, v *vault.Vault, tenant uuid.UUID) (k *vault.Keys) {
	t.Helper()
	err := d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		k, err = v.Keys(ctx, tx, tenant)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestMovedCiphertextDoesNotOpen is K2: bound to tenant, column and row, and to every bit.
func TestMovedCiphertextDoesNotOpen(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	v := open(t, d, vault.Config{KEK: kekA})
	one, other := keys(t, d, v, db.NewID()), keys(t, d, v, db.NewID())
	row := db.NewID()
	plain := []byte("13800138000")
	sealed := one.Seal("accounts.mobile", row, plain)
	if got, err := one.Open("accounts.mobile", row, sealed); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("open = %q, %v", got, err)
	}
	if bytes.Contains(sealed, plain) || bytes.Equal(sealed, one.Seal("accounts.mobile", row, plain)) {
		t.Error("sealed bytes show or repeat the plain ones")
	}
	moved := map[string]func() ([]byte, error){
		"other row":    func() ([]byte, error) { return one.Open("accounts.mobile", db.NewID(), sealed) },
		"other column": func() ([]byte, error) { return one.Open("orders.answers", row, sealed) },
		"other tenant": func() ([]byte, error) { return other.Open("accounts.mobile", row, sealed) },
		"platform":     func() ([]byte, error) { return v.PlatformKeys().Open("accounts.mobile", row, sealed) },
		"empty":        func() ([]byte, error) { return one.Open("accounts.mobile", row, nil) },
	}
	for name, try := range moved {
		if got, err := try(); !errors.Is(err, vault.ErrUnsealed) {
			t.Errorf("%s: opened as %q, %v", name, got, err)
		}
	}
	for i := range sealed {
		flipped := bytes.Clone(sealed)
		flipped[i] ^= 1
		if _, err := one.Open("accounts.mobile", row, flipped); err == nil {
			t.Errorf("byte %d flipped and still opened", i)
		}
	}
}

func TestBlindIndex(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	v := open(t, d, vault.Config{KEK: kekA})
	tenant := db.NewID()
	one, other := keys(t, d, v, tenant), keys(t, d, v, db.NewID())
	index := one.Index("mobile", "13800138000")
	if len(index) != 8 || !bytes.Equal(index, keys(t, d, open(t, d, vault.Config{KEK: kekA}), tenant).Index("mobile", "13800138000")) {
		t.Errorf("index %x is not stable over a restart, or not 8 bytes", index)
	}
	for name, different := range map[string][]byte{
		"value": one.Index("mobile", "13800138001"), "column": one.Index("code", "13800138000"), "tenant": other.Index("mobile", "13800138000"),
	} {
		if bytes.Equal(index, different) {
			t.Errorf("another %s has the same index", name)
		}
	}
}

// TestWrongOrMissingKEK is K4: refuse to start, never fall back, never make a new key over an old one.
func TestWrongOrMissingKEK(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	dir := t.TempDir()
	if _, err := vault.Open(t.Context(), vault.Config{DataDir: dir}, d); !errors.Is(err, vault.ErrNoKEK) {
		t.Fatalf("without a key: %v", err)
	}
	open(t, d, vault.Config{DataDir: dir, Create: true})
	open(t, d, vault.Config{DataDir: dir})
	path := filepath.Join(dir, "keys", "kek")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", info, err)
	}
	for name, c := range map[string]vault.Config{
		"wrong":     {DataDir: dir, KEK: kekB},
		"lost":      {DataDir: t.TempDir(), Create: true},
		"malformed": {DataDir: dir, KEK: "secret"},
	} {
		_, err := vault.Open(t.Context(), c, d)
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s key: %v", name, err)
		}
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.Open(t.Context(), vault.Config{DataDir: dir}, d); err == nil {
		t.Error("a key that everybody may read was accepted")
	}
}

func TestKeysOfRolledBackTransactionAreNotCached(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	v := open(t, d, vault.Config{KEK: kekA})
	tenant, row := db.NewID(), db.NewID()
	var lost []byte
	boom := errors.New("boom")
	err := d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error {
		k, err := v.Keys(ctx, tx, tenant)
		if err != nil {
			return err
		}
		lost = k.Seal("c", row, nil)
		if _, err := v.Keys(ctx, tx, db.NewID()); err == nil {
			t.Error("keys of another tenant were handed out")
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	if _, err := keys(t, d, v, tenant).Open("c", row, lost); err == nil {
		t.Error("a key that was never saved is in use")
	}
}

// Words kept among others are sealed like a cell; what is older than the seal stays readable.
func TestSealText(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	k, row := keys(t, d, open(t, d, vault.Config{KEK: kekA}), db.NewID()), db.NewID()
	sealed := k.SealText("order_events.reason", row, "请退到 6222020000000000000")
	if got, err := k.OpenText("order_events.reason", row, sealed); err != nil || got != "请退到 6222020000000000000" || strings.Contains(sealed, "6222") {
		t.Errorf("%q opens as %q, %v", sealed, got, err)
	}
	if _, err := k.OpenText("order_events.reason", db.NewID(), sealed); !errors.Is(err, vault.ErrUnsealed) {
		t.Errorf("moved to another row: %v", err)
	}
	for _, plain := range []string{"", "older than the seal"} {
		if got, err := k.OpenText("order_events.reason", row, plain); err != nil || got != plain || k.SealText("c", row, "") != "" {
			t.Errorf("%q opens as %q, %v", plain, got, err)
		}
	}
}
