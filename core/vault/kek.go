package vault

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Config says where the key-encryption key is.
type Config struct {
	// DataDir holds keys/kek, 64 hexadecimal digits, mode 0600. Used when KEK is empty.
	DataDir string
	// KEK is the key itself, 64 hexadecimal digits; further ones after commas are old keys that may still unwrap (rotation).
	KEK string
	// Create makes keys/kek at the first start: for the demonstration and the embedded database.
	Create bool
}

// kek is a key-encryption key: it wraps data keys and nothing else.
type kek struct {
	id  string // first 16 hex digits of a hash of the key, stored beside what it wrapped
	key []byte
}

// ErrNoKEK says that the key-encryption key is missing. There is no way to work without it.
var ErrNoKEK = errors.New("vault: no key-encryption key: put it into CERTSAAS_VAULT_KEK or into DATA_DIR/keys/kek; " +
	"a new one cannot read what the old one sealed")

// loadKEKs reads the keys, the current one first.
func loadKEKs(c Config) ([]kek, error) {
	text := c.KEK
	if text == "" {
		raw, err := os.ReadFile(kekPath(c))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, ErrNoKEK
		case err != nil:
			return nil, fmt.Errorf("vault: %w", err)
		}
		if info, err := os.Stat(kekPath(c)); err != nil || info.Mode().Perm()&0o077 != 0 {
			return nil, fmt.Errorf("vault: %s must be readable by its owner only: chmod 600 it", kekPath(c))
		}
		text = string(raw)
	}
	var keys []kek
	for part := range strings.SplitSeq(text, ",") {
		key, err := hex.DecodeString(strings.TrimSpace(part))
		if err != nil || len(key) != 32 {
			return nil, errors.New("vault: a key-encryption key is 64 hexadecimal digits") // never show what was there
		}
		keys = append(keys, kek{id: kekID(key), key: key})
	}
	return keys, nil
}

// createKEK writes a new key; an existing file is left alone.
func createKEK(c Config) error {
	path := kekPath(c)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	part, err := keyFile(path, []kek{newKEK()})
	if err != nil {
		return err
	}
	defer os.Remove(part)
	if err := os.Link(part, path); err != nil && !errors.Is(err, fs.ErrExist) { // unlike rename, never replaces
		return fmt.Errorf("vault: %w", err)
	}
	return syncDir(path)
}

// replaceKEKs puts other keys into the file, whole or not at all.
func replaceKEKs(path string, keks []kek) error {
	part, err := keyFile(path, keks)
	if err != nil {
		return err
	}
	defer os.Remove(part) // gone already when it was renamed
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return syncDir(path)
}

// keyFile writes keys, the current one first, beside path and gives the file's name.
func keyFile(path string, keks []kek) (string, error) {
	text := make([]string, len(keks))
	for i, k := range keks {
		text[i] = hex.EncodeToString(k.key)
	}
	part, err := os.CreateTemp(filepath.Dir(path), "kek-*.part") // mode 0600
	if err != nil {
		return "", fmt.Errorf("vault: %w", err)
	}
	_, err = fmt.Fprintln(part, strings.Join(text, ","))
	if err = errors.Join(err, part.Sync(), part.Close()); err != nil {
		_ = os.Remove(part.Name())
		return "", fmt.Errorf("vault: %w", err)
	}
	return part.Name(), nil
}

// syncDir makes a new name last: what is wrapped by a key must not outlive it.
func syncDir(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("vault: %w", err)
	}
	return nil
}

func newKEK() kek {
	key := make([]byte, keyBytes)
	rand.Read(key) // never fails
	return kek{id: kekID(key), key: key}
}

func kekID(key []byte) string {
	sum := sha256.Sum256(append([]byte("certsaas kek id\x00"), key...))
	return hex.EncodeToString(sum[:8])
}

func kekPath(c Config) string { return filepath.Join(c.DataDir, "keys", "kek") }
