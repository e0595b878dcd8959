package softtoken

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"

	"certsaas/core/token"
)

// tries is the file of wrong PINs per device serial number.
type tries struct {
	mu   sync.Mutex
	path string
}

func (t *tries) read() (map[string]int, error) {
	wrong := map[string]int{}
	data, err := os.ReadFile(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return wrong, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &wrong)
	}
	if err != nil {
		return nil, token.NewError(token.CodeDeviceError, "tries", err)
	}
	return wrong, nil
}

func (t *tries) write(wrong map[string]int) error {
	data, err := json.Marshal(wrong)
	if err == nil {
		err = os.WriteFile(t.path+".new", data, 0o600)
	}
	if err == nil {
		err = os.Rename(t.path+".new", t.path)
	}
	if err != nil {
		return token.NewError(token.CodeDeviceError, "tries", err)
	}
	return nil
}

// attempt counts a try before it is made, and takes the count back after success.
func (t *tries) attempt(serial, op string, try func() error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	wrong, err := t.read()
	if err != nil {
		return err
	}
	before := wrong[serial]
	if before >= MaxTries {
		return &token.Error{Code: token.CodePINLocked, Op: op, RetryLeft: 0}
	}
	wrong[serial] = before + 1
	if err := t.write(wrong); err != nil {
		return err
	}
	err = try()
	if token.CodeOf(err) == token.CodePINIncorrect {
		left := MaxTries - wrong[serial]
		if left == 0 {
			return &token.Error{Code: token.CodePINLocked, Op: op, RetryLeft: 0, Err: err}
		}
		return &token.Error{Code: token.CodePINIncorrect, Op: op, RetryLeft: left, Err: err}
	}
	wrong[serial] = 0
	if err != nil {
		wrong[serial] = before // length, removal: the PIN was not judged
	}
	return errors.Join(err, t.write(wrong))
}

func (t *tries) overlay(info *token.Info) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	wrong, err := t.read()
	if err != nil {
		return err
	}
	n := wrong[info.Serial]
	info.PIN.RetryLeft, info.PIN.Low, info.PIN.Locked = max(0, MaxTries-n), n > 0, n >= MaxTries
	return nil
}

// Reset forgets the wrong tries of a token: the demonstration's unlock.
func (d *Driver) Reset(serial string) error {
	d.tries.mu.Lock()
	defer d.tries.mu.Unlock()
	wrong, err := d.tries.read()
	if err != nil {
		return fmt.Errorf("softtoken: reset: %w", err)
	}
	delete(wrong, serial)
	return d.tries.write(wrong)
}

// counted is a token whose PIN tries are counted.
type counted struct {
	token.Token
	tries  *tries
	serial string
}

// Info adds the exact tries left.
func (c *counted) Info() (token.Info, error) {
	info, err := c.Token.Info()
	if err != nil {
		return token.Info{}, err
	}
	return info, c.tries.overlay(&info)
}

// Login tries the PIN once and counts it.
func (c *counted) Login(pin string) error {
	return c.tries.attempt(c.serial, "login", func() error { return c.Token.Login(pin) })
}

// ChangePIN tries the old PIN once and counts it.
func (c *counted) ChangePIN(old, fresh string) error {
	return c.tries.attempt(c.serial, "change_pin", func() error { return c.Token.ChangePIN(old, fresh) })
}
