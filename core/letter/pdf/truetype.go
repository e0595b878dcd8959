package pdf

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"sync"
)

// TrueType is the embedded font's file, for drawing on pictures with other libraries. Read only; inflated once.
var TrueType = sync.OnceValues(inflate)

func inflate() ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(fontArchive))
	if err != nil {
		return nil, fmt.Errorf("pdf: font archive: %w", err)
	}
	data, err := io.ReadAll(zr)
	if err != nil {
		return nil, fmt.Errorf("pdf: font archive: %w", err)
	}
	return data, nil
}
