// Package blob keeps files outside the database.
//
// In: bytes, sealed by core/vault beforehand, under a key "<tenant>/<random>". Out: the same bytes. The local adapter writes a
// file whole or not at all.
package blob

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"certsaas/core/fault"

	"github.com/google/uuid"
)

// Messages holds the sentences of this package's faults.
//
//go:embed messages.*.toml
var Messages embed.FS

// Store keeps blobs. Get of an unknown key is fault.NotFound; Put replaces; Delete of an unknown key is no error.
type Store interface {
	Put(ctx context.Context, key string, data []byte) error
	Get(ctx context.Context, key string) ([]byte, error)
	Delete(ctx context.Context, key string) error
}

// NewKey makes a key that nobody can guess.
func NewKey(tenant uuid.UUID) string { return tenant.String() + "/" + uuid.NewString() }

// Local is a Store in a directory of this machine.
type Local struct{ dir string }

// partPrefix begins the name of a file that is being written.
const partPrefix = ".part-"

var keyForm = regexp.MustCompile(`^[0-9a-f-]{36}/[0-9a-f-]{36}$`)

// OpenLocal keeps blobs below dir (DATA_DIR/blobs), made when new.
func OpenLocal(dir string) (*Local, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("blob: %w", err)
	}
	return &Local{dir: dir}, nil
}

// Put writes beside, syncs, renames: a crash leaves the old file or the new one.
func (l *Local) Put(ctx context.Context, key string, data []byte) error {
	path, err := l.path(ctx, key)
	if err != nil {
		return err
	}
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("blob: put: %w", err)
	}
	part, err := os.CreateTemp(folder, partPrefix+"*")
	if err != nil {
		return fmt.Errorf("blob: put: %w", err)
	}
	defer os.Remove(part.Name()) // gone already after the rename
	_, err = part.Write(data)
	if err := errors.Join(err, part.Sync(), part.Close()); err != nil {
		return fmt.Errorf("blob: put: %w", err)
	}
	if err := os.Rename(part.Name(), path); err != nil {
		return fmt.Errorf("blob: put: %w", err)
	}
	return syncDir(folder)
}

// Get reads a blob whole.
func (l *Local) Get(ctx context.Context, key string) ([]byte, error) {
	path, err := l.path(ctx, key)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault.Wrap(fault.NotFound, "blob.not_found", err)
	}
	if err != nil {
		return nil, fmt.Errorf("blob: get: %w", err)
	}
	return data, nil
}

// Delete removes a blob.
func (l *Local) Delete(ctx context.Context, key string) error {
	path, err := l.path(ctx, key)
	if err != nil {
		return err
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("blob: delete: %w", err)
	}
	return nil
}

func (l *Local) path(ctx context.Context, key string) (string, error) {
	if !keyForm.MatchString(key) {
		return "", fmt.Errorf("blob: bad key %q", key)
	}
	return filepath.Join(l.dir, key), ctx.Err()
}

// syncDir makes a rename survive a power cut.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("blob: sync: %w", err)
	}
	if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
		return fmt.Errorf("blob: sync: %w", err)
	}
	return nil
}
