package agent

import (
	"context"
	"fmt"
	"io"
	"strings"

	"certsaas/core/token"

	"golang.org/x/term"
)

// Terminal asks for PINs where the agent was started: for servers of a CA's
// production room, where nobody wants a browser window.
type Terminal struct {
	Out io.Writer
	// ReadSecret reads one line without echo; nil reads descriptor FD.
	ReadSecret func() (string, error)
	FD         int
}

// Begin prints who asks.
func (t Terminal) Begin(_ context.Context, p Prompt, announce func(string, bool)) (Dialog, error) {
	announce("", true)
	_, err := fmt.Fprintf(t.Out, "\n操作 %s · 企业 %s · 网站 %s · 设备 %s\n", p.Action, p.Company, p.Origin, p.Device)
	return &terminalDialog{t, p.Change}, err
}

type terminalDialog struct {
	Terminal
	change bool
}

func (d *terminalDialog) secret(prompt string) (string, error) {
	if _, err := fmt.Fprint(d.Out, prompt); err != nil {
		return "", err
	}
	if d.ReadSecret != nil {
		return d.ReadSecret()
	}
	b, err := term.ReadPassword(d.FD)
	fmt.Fprintln(d.Out)
	return strings.TrimSpace(string(b)), err
}

// Ask reads one answer; an empty line cancels.
func (d *terminalDialog) Ask(_ context.Context, left int, problem Problem) (Answer, error) {
	if problem == ProblemWrong {
		fmt.Fprintln(d.Out, "口令错误 Wrong PIN")
	}
	var a Answer
	if left == 1 {
		yes, err := d.secret("最后一次机会，再错将锁定。继续请输入 yes / last try, type yes: ")
		if err != nil || yes != "yes" {
			return Answer{}, errCancelled
		}
		a.Confirmed = true
	}
	prompt := "口令 PIN: "
	if left != token.RetryUnknown {
		prompt = fmt.Sprintf("口令 PIN（还可尝试 %d 次）: ", left)
	}
	var err error
	if a.PIN, err = d.secret(prompt); err != nil || a.PIN == "" {
		return Answer{}, errCancelled
	}
	if d.change {
		if a.NewPIN, err = d.secret("新口令 New PIN: "); err != nil || a.NewPIN == "" {
			return Answer{}, errCancelled
		}
	}
	return a, nil
}

// Close prints the outcome.
func (d *terminalDialog) Close(ok bool, message string) {
	if ok {
		message = "口令正确 OK"
	}
	fmt.Fprintln(d.Out, message)
}
