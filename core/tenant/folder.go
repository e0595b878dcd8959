package tenant

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// Write puts the files of an exported pack into a folder, making it when it is
// not there. It refuses a folder that holds anything else than a pack's files,
// and takes away files of the pack that are no longer part of it.
func Write(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("tenant: export: %w", err)
	}
	there, ps := read(os.DirFS(dir), "")
	if err := ps.Err(); err != nil {
		return fmt.Errorf("tenant: export: %s is not a pack's folder: %w", dir, err)
	}
	for name := range there {
		if _, keep := files[name]; !keep {
			if err := os.Remove(filepath.Join(dir, filepath.FromSlash(name))); err != nil {
				return fmt.Errorf("tenant: export: %w", err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return fmt.Errorf("tenant: export: %w", err)
		}
		if err := os.WriteFile(full, files[name], 0o644); err != nil {
			return fmt.Errorf("tenant: export: %w", err)
		}
	}
	return nil
}
