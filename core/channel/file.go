package channel

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"certsaas/core/clock"
)

// File is a Sender that appends each message to a file, one JSON object a line:
// {"to","template","params","text","at"} (and "channel", "subject" of an e-mail).
// Demonstrations read their codes there.
type File struct {
	path  string
	clock clock.Clock
	mu    sync.Mutex
}

// NewFile writes to path, normally DATA_DIR/messages.jsonl; its folder is made if missing.
// The file holds codes and mobiles, so only its owner may read it.
func NewFile(path string, c clock.Clock) (*File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("channel: message file: %w", err)
	}
	return &File{path: path, clock: c}, nil
}

type line struct {
	To       string            `json:"to"`
	Template string            `json:"template"`
	Params   map[string]string `json:"params"`
	Text     string            `json:"text"`
	At       time.Time         `json:"at"`
	Channel  string            `json:"channel"`
	Subject  string            `json:"subject,omitempty"`
}

// Send appends one line in one write, so that several processes can share the file.
func (f *File) Send(ctx context.Context, m Message) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	l := line{To: m.To, Template: m.Template, Params: m.Params, Text: m.Text, At: f.clock.Now().UTC(), Channel: m.Channel, Subject: m.Subject}
	if l.Params == nil {
		l.Params = map[string]string{}
	}
	data, err := json.Marshal(l)
	if err != nil {
		return "", fmt.Errorf("channel: message line: %w", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	out, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return "", fmt.Errorf("channel: message file: %w", err)
	}
	if _, err := out.Write(append(data, '\n')); err != nil {
		out.Close()
		return "", fmt.Errorf("channel: message file: %w", err)
	}
	if err := out.Close(); err != nil {
		return "", fmt.Errorf("channel: message file: %w", err)
	}
	return "file-" + m.ID, nil
}
