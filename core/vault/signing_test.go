package vault_test

import (
	"bytes"
	"context"
	"testing"

	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/vault"
)

// A signing key lies sealed, is the same at every start and another for another use, and is never replaced in silence.
func TestSigningKey(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	first, err := open(t, d, vault.Config{KEK: kekA}).SigningKey(t.Context(), "letter")
	if err != nil {
		t.Fatal(err)
	}
	v := open(t, d, vault.Config{KEK: kekA})
	if again, err := v.SigningKey(t.Context(), "letter"); err != nil || !again.Equal(first) {
		t.Errorf("the key changed: %v", err)
	}
	if other, err := v.SigningKey(t.Context(), "keyagent"); err != nil || other.Equal(first) {
		t.Errorf("two uses share a key (%v)", err)
	}
	var sealed []byte
	err = d.WithSystem(t.Context(), "vault", func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRow(ctx, `SELECT key_sealed FROM signing_keys WHERE name = 'letter'`).Scan(&sealed)
	})
	if err != nil || bytes.Contains(sealed, first.Seed()) {
		t.Errorf("the key is not sealed (%v)", err)
	}
	sealed[len(sealed)-1] ^= 1
	coretest.OwnerExec(t, d, `UPDATE signing_keys SET key_sealed = $1 WHERE name = 'letter'`, sealed)
	if _, err := v.SigningKey(t.Context(), "letter"); err == nil {
		t.Error("a damaged key was replaced in silence")
	}
}
