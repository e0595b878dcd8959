package vault

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"

	"certsaas/core/db"

	"github.com/google/uuid"
)

// SigningKey is the platform's Ed25519 key for one use ("letter", "keyagent"), made at its first use and sealed in the
// database, so that every process of a deployment signs with the same one.
func (v *Vault) SigningKey(ctx context.Context, name string) (ed25519.PrivateKey, error) {
	row := signingRow(name)
	var sealed []byte
	err := v.db.WithSystem(ctx, "vault", func(ctx context.Context, tx *db.Tx) error {
		pub, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return fmt.Errorf("vault: signing key: %w", err)
		}
		_, err = tx.Exec(ctx, `INSERT INTO signing_keys (name, public_key, key_sealed, created_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name) DO NOTHING`, name, []byte(pub), v.platform.Seal("signing_keys.key", row, key.Seed()), tx.Now())
		if err != nil {
			return fmt.Errorf("vault: signing key: %w", err)
		}
		return tx.QueryRow(ctx, `SELECT key_sealed FROM signing_keys WHERE name = $1`, name).Scan(&sealed)
	})
	if err != nil {
		return nil, err
	}
	seed, err := v.platform.Open("signing_keys.key", row, sealed)
	if err != nil {
		return nil, fmt.Errorf("vault: signing key %s: %w", name, err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// signingRow names the row of a key for the seal: the table's key is a word, not an id.
func signingRow(name string) uuid.UUID {
	sum := sha256.Sum256([]byte("signing_keys/" + name))
	return uuid.UUID(sum[:16])
}
