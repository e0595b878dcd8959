package platform_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"certsaas/core/authz"
	"certsaas/core/platform/platformtest"
	"certsaas/core/vault"
)

// Doctor tells of an old key-encryption key until a rotation has ended, which stands in the audit of each tenant (reliability K3).
func TestRotateKEK(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	ctx, path := b.As(authz.System("cli/vault")), filepath.Join(b.DataDir, "keys", "kek")
	b.Submit(platformtest.Later, [16]byte{}, nil)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	said, err := b.RotateKEK(ctx)
	if err != nil || !strings.Contains(said, "2 data keys") {
		t.Fatalf("%q, %v", said, err)
	}
	if n := b.Count(`SELECT count(*) FROM audit_entries WHERE action = 'vault.rotate' AND actor_name = 'cli/vault' AND tenant_id IN ($1, '00000000-0000-0000-0000-000000000000')`, b.ID); n != 2 {
		t.Errorf("%d entries in the audit", n)
	}
	current, err := os.ReadFile(path)
	if err != nil || string(current) == string(old) {
		t.Fatalf("the key is the same (%v)", err)
	}
	keyWords := func() string { // what doctor says about keys
		found, err := b.Doctor(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var said []string
		for _, f := range found {
			if strings.Contains(f.What, "key-encryption") {
				said = append(said, f.String())
			}
		}
		return strings.Join(said, "\n")
	}
	if said := keyWords(); said != "" {
		t.Errorf("after a rotation doctor says %s", said)
	}
	// an operator's rotation of whose two steps one is missing: first the wrapping, then the taking away
	for keys, want := range map[string]string{
		strings.TrimSpace(string(old)) + "," + string(current): "2 data keys are still wrapped by the old",
		strings.TrimSpace(string(current)) + "," + string(old): "2 key-encryption keys are given, and one is in use",
	} {
		if b.Vault, err = vault.Open(ctx, vault.Config{KEK: strings.TrimSpace(keys)}, b.DB); err != nil {
			t.Fatal(err)
		}
		if said := keyWords(); !strings.Contains(said, want) || !strings.Contains(said, "certsaas vault rotate") {
			t.Errorf("doctor says %q, not %q", said, want)
		}
	}
}
