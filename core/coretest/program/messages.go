package program

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// Message is a line of DATA_DIR/messages.jsonl: an SMS or e-mail that a demonstration would have sent.
type Message struct {
	To       string            `json:"to"`
	Template string            `json:"template"`
	Params   map[string]string `json:"params"`
	Text     string            `json:"text"`
	At       time.Time         `json:"at"`
	Channel  string            `json:"channel"`
}

// Messages are all that were sent so far, oldest first.
func (p *Program) Messages() ([]Message, error) {
	f, err := os.Open(filepath.Join(p.Dir, "messages.jsonl"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []Message
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m Message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return nil, fmt.Errorf("program: message %q: %w", lines.Text(), err)
		}
		out = append(out, m)
	}
	return out, lines.Err()
}

// messageWait is how long a message may take: the outbox is worked off every few seconds.
const messageWait = 20 * time.Second

// AwaitMessage waits for the newest message to a number that is not older than since and passes want.
func (p *Program) AwaitMessage(t testing.TB, to string, since time.Time, want func(Message) bool) Message {
	t.Helper()
	var last []Message
	for end := time.Now().Add(messageWait); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		all, err := p.Messages()
		if err != nil {
			t.Fatal(err)
		}
		for i := len(all) - 1; i >= 0; i-- {
			if m := all[i]; m.To == to && !m.At.Before(since) && want(m) {
				return m
			}
		}
		last = all
	}
	t.Fatalf("no such message to %s since %s; all: %+v", to, since.Format(time.TimeOnly), last)
	return Message{}
}

// Code waits for the one-time code that a number was sent after since.
func (p *Program) Code(t testing.TB, mobile string, since time.Time) string {
	t.Helper()
	return p.AwaitMessage(t, mobile, since, func(m Message) bool { return m.Params["code"] != "" }).Params["code"]
}
