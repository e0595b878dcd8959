package channel

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"time"

	"certsaas/core/clock"
	"certsaas/core/fault"
)

// SMTP is the e-mail adapter. It speaks STARTTLS whenever the server offers it
// and refuses to log in over a line that is not encrypted (unless the server is
// this machine).
type SMTP struct {
	Address  string // host:port
	From     string // address, or "Name <address>"
	Username string // "" = no login
	Password string
	Timeout  time.Duration // of the whole conversation; 0 = 15 s
	Clock    clock.Clock
}

// Send delivers m to the server.
func (s *SMTP) Send(ctx context.Context, m Message) (string, error) {
	from, err := mail.ParseAddress(s.From)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, "channel.address", errors.New("smtp: sender address"))
	}
	to, err := mail.ParseAddress(m.To)
	if err != nil { // the parser's words would repeat the address
		return "", fault.Wrap(fault.Invalid, "channel.address", errors.New("smtp: receiver address"))
	}
	client, err := s.dial(ctx)
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, "channel.failed", err)
	}
	defer client.Close()
	id := "<" + m.ID + "@" + hostOf(from.Address) + ">"
	if err := deliver(client, from.Address, to.Address, s.compose(from, to, id, m)); err != nil {
		return "", smtpFault(err)
	}
	return id, nil
}

// dial connects, upgrades to TLS and logs in.
func (s *SMTP) dial(ctx context.Context) (*smtp.Client, error) {
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = 15 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Address)
	if err != nil {
		return nil, fmt.Errorf("smtp: dial: %w", err)
	}
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		conn.Close()
		return nil, fmt.Errorf("smtp: deadline: %w", err)
	}
	host, _, err := net.SplitHostPort(s.Address)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("smtp: address: %w", err)
	}
	client, err := smtp.NewClient(conn, host)
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("smtp: greeting: %w", err)
	}
	if ok, _ := client.Extension("STARTTLS"); ok {
		if err := client.StartTLS(&tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}); err != nil {
			client.Close()
			return nil, fmt.Errorf("smtp: starttls: %w", err)
		}
	}
	if s.Username != "" {
		if err := client.Auth(smtp.PlainAuth("", s.Username, s.Password, host)); err != nil {
			client.Close()
			return nil, fmt.Errorf("smtp: login: %w", err)
		}
	}
	return client, nil
}

func deliver(c *smtp.Client, from, to string, data []byte) error {
	if err := c.Mail(from); err != nil {
		return err
	}
	if err := c.Rcpt(to); err != nil {
		return err
	}
	w, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(data); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return c.Quit()
}

// compose writes the message. Every header value is encoded or parsed, so no
// text of a tenant or an applicant can begin a header of its own.
func (s *SMTP) compose(from, to *mail.Address, id string, m Message) []byte {
	var b bytes.Buffer
	header := func(k, v string) { fmt.Fprintf(&b, "%s: %s\r\n", k, v) }
	header("From", from.String())
	header("To", to.String())
	header("Subject", mime.BEncoding.Encode("utf-8", m.Subject))
	header("Date", s.Clock.Now().UTC().Format(time.RFC1123Z))
	header("Message-ID", id)
	header("Auto-Submitted", "auto-generated")
	header("MIME-Version", "1.0")
	header("Content-Type", "text/plain; charset=utf-8")
	header("Content-Transfer-Encoding", "base64")
	b.WriteString("\r\n")
	text := base64.StdEncoding.EncodeToString([]byte(m.Text))
	for len(text) > 76 {
		b.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	b.WriteString(text + "\r\n")
	return b.Bytes()
}

// smtpFault keeps the server's code and drops its words, which may name the receiver (RFC 5321 §4.2.1).
func smtpFault(err error) error {
	var te *textproto.Error
	if errors.As(err, &te) {
		cause := fmt.Errorf("smtp: server answered %d", te.Code)
		if te.Code >= 500 {
			return fault.Wrap(fault.Invalid, "channel.refused", cause)
		}
		return fault.Wrap(fault.Unavailable, "channel.failed", cause)
	}
	return fault.Wrap(fault.Unavailable, "channel.failed", err)
}

func hostOf(address string) string {
	for i := len(address) - 1; i >= 0; i-- {
		if address[i] == '@' {
			return address[i+1:]
		}
	}
	return "localhost"
}
