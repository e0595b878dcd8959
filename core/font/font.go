// Package font holds the one font of letters, guides and stamped pictures: a subset of Noto Sans SC (OFL.txt, made by subset.sh).
//
// In: nothing. Out: its TrueType file, embedded in the program.
package font

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"sync"
)

//go:embed NotoSansSC-8105.ttf.gz
var archive []byte

// TrueType is the font's file. Read only; inflated once.
var TrueType = sync.OnceValues(inflate)

func inflate() ([]byte, error) {
	zr, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, fmt.Errorf("font: archive: %w", err)
	}
	data, err := io.ReadAll(zr)
	if err != nil {
		return nil, fmt.Errorf("font: archive: %w", err)
	}
	return data, nil
}
