package agent

import (
	"context"
	"errors"

	"certsaas/core/token"
)

// Prompt is what a PIN dialog shows: who wants what with which device.
type Prompt struct {
	Origin  string
	Company string
	Action  string // Chinese
	Device  string // label and serial number
	Change  bool   // ask for a new PIN too
}

// Problem says why a dialog asks again.
type Problem string

// The problems.
const (
	ProblemNone    Problem = ""
	ProblemWrong   Problem = "wrong"   // the PIN was wrong
	ProblemLength  Problem = "length"  // the device refuses the length
	ProblemConfirm Problem = "confirm" // the last try was not confirmed
)

// Answer is what the user gave. Confirmed is the extra consent to the last try.
type Answer struct {
	PIN, NewPIN string
	Confirmed   bool
}

// Prompter opens PIN dialogs. announce tells the page where the dialog is (a URL
// of the agent, or "" when it is not a page) and whether it is open already.
type Prompter interface {
	Begin(ctx context.Context, p Prompt, announce func(url string, opened bool)) (Dialog, error)
}

// Dialog asks until it is closed. retryLeft is token.RetryUnknown when the device
// does not say. Ask answers errCancelled when the user refuses.
type Dialog interface {
	Ask(ctx context.Context, retryLeft int, problem Problem) (Answer, error)
	// Close ends the dialog; ok tells whether the PIN was accepted, message why not.
	Close(ok bool, message string)
}

var errCancelled = errors.New("cancelled by the user")

// login asks for the PIN in the agent's dialog and tries what the user types,
// each entry once, until it is right, the user gives up or the device locks.
func (s *session) login(c call) (any, error) {
	if _, err := args[struct{}](c.request); err != nil {
		return nil, err
	}
	action := "写入新证书"
	if s.claims.Bind.OldSerial != "" {
		action = "更新证书"
	}
	return s.withPIN(c, Prompt{Action: action}, func(a Answer) error { return s.dev.Login(a.PIN) })
}

// changePIN asks for the old and a new PIN.
func (s *session) changePIN(c call) (any, error) {
	if _, err := args[struct{}](c.request); err != nil {
		return nil, err
	}
	return s.withPIN(c, Prompt{Action: "修改USBKEY口令", Change: true}, func(a Answer) error { return s.dev.ChangePIN(a.PIN, a.NewPIN) })
}

func (s *session) withPIN(c call, p Prompt, try func(Answer) error) (any, error) {
	if s.dev == nil {
		return nil, fail(codeNotSelected, nil)
	}
	info, err := s.dev.Info()
	if err != nil {
		return nil, err
	}
	if info.PIN.Locked {
		return nil, &token.Error{Code: token.CodePINLocked, Op: c.Op}
	}
	if s.loggedIn && !p.Change {
		return map[string]any{"retry_left": pinOf(info.PIN).RetryLeft}, nil
	}
	p.Origin, p.Company, p.Device = s.origin, s.claims.Company, info.Label+"（"+info.Serial+"）"
	ctx, cancel := context.WithTimeout(c.ctx, pinLimit)
	defer cancel()
	dialog, err := s.a.cfg.Prompter.Begin(ctx, p, func(url string, opened bool) {
		s.send(c.ctx, Event{Event: "pin_prompt", URL: url, Opened: opened, For: c.ID, RetryLeft: pinOf(info.PIN).RetryLeft})
	})
	if err != nil {
		return nil, fail(token.CodeDeviceError, err)
	}
	err = s.tryPIN(ctx, c, dialog, info.PIN.RetryLeft, try)
	closing := ""
	if err != nil {
		closing = failedOf(err).Message
	}
	dialog.Close(err == nil, closing)
	s.send(c.ctx, Event{Event: "pin_done", For: c.ID})
	if err != nil {
		return nil, err
	}
	s.loggedIn = s.loggedIn || !p.Change
	if s.info, err = s.dev.Info(); err != nil {
		return nil, err
	}
	return map[string]any{"retry_left": pinOf(s.info.PIN).RetryLeft}, nil
}

func (s *session) tryPIN(ctx context.Context, c call, dialog Dialog, left int, try func(Answer) error) error {
	problem := ProblemNone
	for {
		answer, err := dialog.Ask(ctx, left, problem)
		if err != nil {
			return s.gaveUp(ctx, err, left)
		}
		if left == 1 && !answer.Confirmed {
			problem = ProblemConfirm // the last try is never spent by accident
			continue
		}
		err = try(answer)
		var e *token.Error
		switch {
		case !errors.As(err, &e):
			return err
		case e.Code == token.CodePINIncorrect:
			left, problem = e.RetryLeft, ProblemWrong
			s.send(c.ctx, Event{Event: "pin_wrong", For: c.ID, RetryLeft: failedOf(err).RetryLeft})
		case e.Code == token.CodePINLength || e.Code == token.CodePINInvalid:
			problem = ProblemLength
		default:
			return err
		}
	}
}

func (s *session) gaveUp(ctx context.Context, err error, left int) error {
	f := fail(token.CodeCancelled, err)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		f = fail(codeTimeout, err)
	}
	if left != token.RetryUnknown {
		f.RetryLeft = &left
	}
	return f
}
