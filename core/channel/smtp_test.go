package channel_test

import (
	"bufio"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/mail"
	"strings"
	"testing"

	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/fault"
)

// mailServer answers one conversation and returns what it was given as DATA.
func mailServer(t *testing.T, rcptAnswer string) (address string, got <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	out := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		in := bufio.NewScanner(conn)
		say := func(s string) { fmt.Fprintf(conn, "%s\r\n", s) }
		say("220 demo")
		for in.Scan() {
			switch verb, _, _ := strings.Cut(strings.ToUpper(in.Text()), " "); verb {
			case "EHLO":
				say("250 demo")
			case "RCPT":
				say(rcptAnswer)
			case "DATA":
				say("354 go on")
				var b strings.Builder
				for in.Scan() && in.Text() != "." {
					b.WriteString(in.Text() + "\r\n")
				}
				out <- b.String()
				say("250 taken")
			case "QUIT":
				say("221 bye")
				return
			default:
				say("250 ok")
			}
		}
	}()
	return l.Addr().String(), out
}

func TestSMTP(t *testing.T) {
	t.Parallel()
	address, got := mailServer(t, "250 ok")
	s := &channel.SMTP{Address: address, From: "演示平台 <noreply@demo.example>", Clock: clock.NewFake(now)}
	text := "您好，您的订单 KL1 已审核通过。\n" + strings.Repeat("长", 200)
	id, err := s.Send(t.Context(), channel.Message{ID: "m1", Channel: channel.Email, To: "a@demo.example", Subject: "订单\r\nBcc: thief@demo.example", Text: text})
	if err != nil || id != "<m1@demo.example>" {
		t.Fatalf("%q %v", id, err)
	}
	m, err := mail.ReadMessage(strings.NewReader(<-got))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || !strings.HasPrefix(subject, "订单") || m.Header.Get("Bcc") != "" {
		t.Errorf("header %v %v", m.Header, err)
	}
	body, err := io.ReadAll(base64.NewDecoder(base64.StdEncoding, m.Body))
	if err != nil || string(body) != text {
		t.Errorf("body %q %v", body, err)
	}
}

func TestSMTPFails(t *testing.T) {
	t.Parallel()
	send := func(address, to string) error {
		_, err := (&channel.SMTP{Address: address, From: "noreply@demo.example", Clock: clock.NewFake(now)}).Send(t.Context(), channel.Message{ID: "m", To: to})
		return err
	}
	for answer, want := range map[string]fault.Kind{"550 no such user a@demo.example": fault.Invalid, "451 later": fault.Unavailable} {
		address, _ := mailServer(t, answer)
		if err := send(address, "a@demo.example"); !errors.Is(err, want) || strings.Contains(err.Error(), "a@demo.example") {
			t.Errorf("%s: %v, want %s without the address", answer, err, want)
		}
	}
	if err := send("127.0.0.1:1", "a@demo.example"); !errors.Is(err, fault.Unavailable) {
		t.Errorf("no server: %v", err)
	}
	for _, to := range []string{"", "a", "a@demo.example\r\nRCPT TO:<b@demo.example>", "a@demo.example, b@demo.example"} {
		if err := send("127.0.0.1:1", to); !errors.Is(err, fault.Invalid) {
			t.Errorf("to %q: %v", to, err)
		}
	}
}
