package channel_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/fault"
	"certsaas/core/i18n"
)

var now = time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)

func TestFill(t *testing.T) {
	t.Parallel()
	params := map[string]string{"no": "KL1", "reason": "{no} {{.Secret}} <b>"}
	for text, want := range map[string]string{
		"订单 {no} 已审核":                     "订单 KL1 已审核",
		"{reason}":                        "{no} {{.Secret}} <b>", // a value is not filled again
		"{{.No}} ${no} { no } {NO} {no":   "{{.No}} $KL1 { no } {NO} {no",
		"{{no}}":                          "{KL1}",
		"{no}{no}":                        "KL1KL1",
		"no placeholders, 100 % {} {1st}": "no placeholders, 100 % {} {1st}",
	} {
		if got, err := channel.Fill(text, params); err != nil || got != want {
			t.Errorf("Fill(%q) = %q %v, want %q", text, got, err, want)
		}
	}
	if _, err := channel.Fill("{no} {waybill}", params); !errors.Is(err, fault.Invalid) || fault.From(err).Args["Placeholder"] != "waybill" {
		t.Errorf("a hole: %v", err)
	}
}

// One JSON object a line with the five keys others read, whole lines even from many writers, for the owner's eyes only.
func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "data", "messages.jsonl")
	var wg sync.WaitGroup
	for range 4 { // as many processes would: a sender each
		f, err := channel.NewFile(path, clock.NewFake(now))
		if err != nil {
			t.Fatal(err)
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range 25 {
				if _, err := f.Send(t.Context(), channel.Message{ID: "1", Channel: channel.SMS, To: "13800138000", Template: "code",
					Params: map[string]string{"code": "123456"}, Text: "验证码 123456\n第二行"}); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for sc := bufio.NewScanner(bytes.NewReader(data)); sc.Scan(); lines++ {
		var l struct {
			To, Template, Text string
			Params             map[string]string
			At                 time.Time
		}
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil {
			t.Fatalf("line %d: %v", lines+1, err)
		}
		if l.To != "13800138000" || l.Template != "code" || l.Params["code"] != "123456" || !strings.HasPrefix(l.Text, "验证码") || !l.At.Equal(now) {
			t.Fatalf("line %d: %+v", lines+1, l)
		}
	}
	if lines != 100 {
		t.Errorf("%d lines, want 100", lines)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v %v", info.Mode(), err)
	}
}

func TestByChannel(t *testing.T) {
	t.Parallel()
	sms := &channel.Recording{}
	s := channel.ByChannel{channel.SMS: sms, channel.Email: channel.Failing{}}
	if _, err := s.Send(t.Context(), channel.Message{Channel: channel.SMS, To: "1"}); err != nil {
		t.Error(err)
	}
	for _, c := range []string{channel.Email, "pigeon"} {
		if _, err := s.Send(t.Context(), channel.Message{Channel: c}); !errors.Is(err, fault.Unavailable) {
			t.Errorf("%s: %v", c, err)
		}
	}
	if _, ok := sms.Last("1"); !ok || len(sms.Sent()) != 1 {
		t.Error("not recorded")
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(channel.Messages) {
		t.Error(p)
	}
}
