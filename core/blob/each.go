package blob

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Lister is a Store that can tell what it holds.
type Lister interface {
	// Each calls f for the key of every blob written before a time, in no order; an error of f ends it.
	Each(ctx context.Context, before time.Time, f func(key string) error) error
}

// Each implements Lister. Blobs that vanish meanwhile are passed over. Unfinished writes are not blobs: those begun before that
// time are what a crash left, and are removed.
func (l *Local) Each(ctx context.Context, before time.Time, f func(key string) error) error {
	return filepath.WalkDir(l.dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("blob: each: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		key, err := filepath.Rel(l.dir, path)
		part := strings.HasPrefix(d.Name(), partPrefix)
		if key = filepath.ToSlash(key); d.IsDir() || err != nil || !part && !keyForm.MatchString(key) {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("blob: each: %w", err)
		}
		if !info.ModTime().Before(before) {
			return nil
		}
		if part {
			return remove(path)
		}
		return f(key)
	})
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("blob: each: %w", err)
	}
	return nil
}
