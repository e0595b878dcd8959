package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/google/uuid"
)

// head is how far a tenant's chain had come.
type head struct {
	Tenant uuid.UUID `json:"tenant"`
	Seq    int64     `json:"seq"`
	Hash   []byte    `json:"hash"`
}

// checkpoint is one line of the checkpoint file: the heads of the chains that grew since the line before, tied to that line and
// signed. Copies of the file kept elsewhere show when the database, or the file, was set back.
type checkpoint struct {
	At    time.Time `json:"at"`
	Prev  []byte    `json:"prev"` // SHA-256 of the line before; empty in the first
	Heads []head    `json:"heads"`
	Sig   []byte    `json:"sig,omitempty"` // Ed25519 over this object without sig
}

func (c checkpoint) signed() ([]byte, error) {
	c.Sig = nil
	return json.Marshal(c)
}

func (s *Sealer) checkpoint(now time.Time) error {
	lines, err := readLines(s.file)
	if err != nil {
		return err
	}
	c := checkpoint{At: now.UTC()}
	if len(lines) > 0 {
		sum := sha256.Sum256(lines[len(lines)-1])
		c.Prev = sum[:]
	}
	for _, h := range s.fresh {
		c.Heads = append(c.Heads, h)
	}
	slices.SortFunc(c.Heads, func(a, b head) int { return slices.Compare(a.Tenant[:], b.Tenant[:]) })
	body, err := c.signed()
	if err != nil {
		return fmt.Errorf("audit: checkpoint: %w", err)
	}
	c.Sig = ed25519.Sign(s.keys.sign, body)
	line, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("audit: checkpoint: %w", err)
	}
	file, err := os.OpenFile(s.file, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("audit: checkpoint: %w", err)
	}
	err = file.Truncate(whole(lines)) // a power cut may have left half a line: it was never said to be written
	if err == nil {
		_, err = file.Write(append(line, '\n'))
	}
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("audit: checkpoint: %w", err)
	}
	clear(s.fresh)
	s.count, s.last = 0, now
	return nil
}

// readCheckpoints checks each line's signature and its tie to the line before; it returns the good ones.
func readCheckpoints(path string, public ed25519.PublicKey) ([]checkpoint, []Finding, error) {
	lines, err := readLines(path)
	if err != nil {
		return nil, nil, err
	}
	var good []checkpoint
	var findings []Finding
	var prev []byte
	for i, line := range lines {
		var c checkpoint
		err := json.Unmarshal(line, &c)
		var body []byte
		if err == nil {
			body, err = c.signed()
		}
		switch {
		case err != nil || !ed25519.Verify(public, body, c.Sig):
			findings = append(findings, Finding{Problem: CheckpointForged, Line: i + 1})
		case !slices.Equal(prev, c.Prev):
			findings = append(findings, Finding{Problem: CheckpointMissing, Line: i + 1})
			good = append(good, c)
		default:
			good = append(good, c)
		}
		sum := sha256.Sum256(line)
		prev = sum[:]
	}
	return good, findings, nil
}

// readLines reads the whole lines of the file; none yet is no lines. What a crash left of a line at the end is none.
func readLines(path string) ([][]byte, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("audit: checkpoints: %w", err)
	}
	lines := bytes.Split(raw, []byte{'\n'})
	return lines[:len(lines)-1], nil
}

// whole is how many bytes the whole lines of a file are.
func whole(lines [][]byte) (n int64) {
	for _, line := range lines {
		n += int64(len(line)) + 1
	}
	return n
}
