package letter

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"certsaas/core/vault"
)

// keyColumn is the vault's name of the key's seed.
const keyColumn = "letter.key"

// OpenKey reads the platform's letter key from dataDir/keys/letter.key.sealed, making it on first use. It lies sealed by
// the platform's keys; letters printed under it can be verified only while it is kept. A file that cannot be opened is an
// error, never replaced.
func OpenKey(dataDir string, platform *vault.Keys) (ed25519.PrivateKey, error) {
	path := filepath.Join(dataDir, "keys", "letter.key.sealed")
	sealed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(path, platform); err != nil {
			return nil, err
		}
		sealed, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, fmt.Errorf("letter: key: %w", err)
	}
	seed, err := platform.Open(keyColumn, uuid.Nil, sealed)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("letter: key %s does not belong to this database's platform key: %w", path, err)
	}
	return ed25519.NewKeyFromSeed(seed), nil
}

// makeKey writes a new key whole or not at all; when another process was faster, its key stays.
func makeKey(path string, platform *vault.Keys) error {
	var seed [ed25519.SeedSize]byte
	_, _ = rand.Read(seed[:]) // never fails
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("letter: make key: %w", err)
	}
	part, err := os.CreateTemp(dir, ".letter-*") // mode 0600
	if err != nil {
		return fmt.Errorf("letter: make key: %w", err)
	}
	defer os.Remove(part.Name())
	_, err = part.Write(platform.Seal(keyColumn, uuid.Nil, seed[:]))
	if err := errors.Join(err, part.Sync(), part.Close()); err != nil {
		return fmt.Errorf("letter: make key: %w", err)
	}
	if err := os.Link(part.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("letter: make key: %w", err)
	}
	return nil
}
