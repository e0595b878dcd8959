package platform

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"text/tabwriter"
	"time"

	"certsaas/config"
	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/db"
)

// Sender makes the message senders that are configured; nil when none is.
func Sender(c config.Config) (channel.Sender, error) {
	by := channel.ByChannel{}
	if c.SMS.AppID != "" {
		templates := map[string]channel.TencentTemplate{}
		for name, t := range c.SMS.Templates {
			templates[name] = channel.TencentTemplate{ID: t.ID, Params: t.Params}
		}
		by[channel.SMS] = &channel.Tencent{AppID: c.SMS.AppID, SecretID: c.SMS.SecretID, SecretKey: c.SMS.SecretKey, Signature: c.SMS.Signature, Templates: templates, Clock: clock.System()}
	}
	if c.Mail.Address != "" {
		by[channel.Email] = &channel.SMTP{Address: c.Mail.Address, From: c.Mail.From, Username: c.Mail.Username, Password: c.Mail.Password, Clock: clock.System()}
	}
	if len(by) == 0 {
		return nil, nil
	}
	return by, nil
}

// OwnerAddress is where migrations connect, and a function that stops the private server if one was started for it.
func OwnerAddress(ctx context.Context, c config.Config) (string, func(), error) {
	d := &Database{}
	at, err := d.locate(ctx, c, true)
	return at.Owner, func() { d.stop(context.WithoutCancel(ctx)) }, err
}

// StartDemoAgent starts the key agent over the demonstration's soft keys; it ends with ctx. Its clock is as far ahead as the
// platform's: a ticket of this moment must not be one of next year.
func (p *Platform) StartDemoAgent(ctx context.Context, program string, ahead time.Duration) error {
	if _, err := os.Stat(program); err != nil {
		return err
	}
	args := []string{"--trust", p.TrustFile(), "--demo", p.DemoTokenDir()}
	if ahead > 0 {
		args = append(args, "--ahead", clock.FormatSpan(ahead))
	}
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("platform: key agent: %w", err)
	}
	go func() { _ = cmd.Wait() }() // its own log says why it ended
	return nil
}

// Welcome prints a demonstration's addresses and log-ins.
func (p *Platform) Welcome(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer t.Flush()
	line := func(what, format string, args ...any) {
		fmt.Fprintf(t, "  %s\t"+format+"\n", append([]any{what}, args...)...)
	}
	line("start here", "%s/", p.Sites.Platform())
	line("BYD renewal", "%s/s/byd-gqgx", p.Sites.Platform())
	line("King Long purchase", "%s/createOrder?productCode=CERT272353", p.Sites.Platform())
	line("staff console", "%s/", p.Sites.Console())
	line("BYD dealer", "mobile %s, password %s, PIN of the demonstration key %s", DemoDealerMobile, DemoDealerPassword, DemoPIN)
	logins := make([]string, len(DemoStaff))
	for i, s := range DemoStaff {
		logins[i] = s.Login
	}
	line("staff", "%s; password %s; the log-in page shows the second factor", strings.Join(logins, ", "), DemoStaffPassword)
	line("SMS and e-mail", "%s", p.MessagesFile())
}

// pinged is how long a database may take to answer a health question.
const pinged = 2 * time.Second

// Ready reports whether the platform can work: the database answers.
func Ready(d *db.DB) func(context.Context) error {
	return func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, pinged)
		defer cancel()
		return d.Ping(ctx)
	}
}
