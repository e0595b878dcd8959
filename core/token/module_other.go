//go:build !unix

package token

import (
	"errors"
	"runtime"
)

// Module is the PKCS #11 driver; this system has none yet: its structures are
// laid out differently on Windows, where vendors offer SKF or CSP drivers.
type Module struct{ Driver }

// Open answers DRIVER_MISSING on this system.
func Open(string) (*Module, error) {
	return nil, NewError(CodeDriverMissing, "load", errors.New("no PKCS #11 driver for "+runtime.GOOS))
}

// InitToken answers DRIVER_MISSING on this system.
func (m *Module) InitToken(_, _, _ string) (string, error) {
	return "", NewError(CodeDriverMissing, "init", errors.New("no PKCS #11 driver for "+runtime.GOOS))
}
