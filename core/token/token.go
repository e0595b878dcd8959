// Package token speaks to USBKEYs. A Driver finds the devices that are plugged
// in; a Token is one opened device with its containers (key pair + certificate
// under one id). PINs, key requests and certificates go in; device facts,
// signatures and typed errors with the tries left come out. Private keys never
// leave the device.
//
// The PKCS #11 driver is Open; a driver for SKF (GM/T 0016) can stand beside it.
package token

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Algorithm names a key algorithm as the key agent's messages spell it.
type Algorithm string

// The algorithms; SM2 is reserved and answers CodeNotSupported here.
const (
	RSA2048 Algorithm = "rsa2048"
	P256    Algorithm = "p256"
	SM2     Algorithm = "sm2"
)

// Driver finds devices. Its methods are safe for concurrent use; a driver runs
// one operation at a time.
type Driver interface {
	// Name is short and stable: "pkcs11".
	Name() string
	// Devices lists the devices present, in slot order; none is not an error.
	Devices() ([]Info, error)
	// Open opens the device with this serial number, NO_DEVICE when absent.
	Open(serial string) (Token, error)
	// Close releases the driver; tokens opened from it are dead afterwards.
	Close() error
}

// Token is one opened device. After DEVICE_REMOVED or DEVICE_ERROR it is dead:
// close it and open anew. No method ever tries a PIN twice.
type Token interface {
	Info() (Info, error)
	Containers() ([]Container, error)
	Login(pin string) error
	Logout() error
	ChangePIN(old, fresh string) error
	GenerateKeyPair(alg Algorithm, id []byte, label string) (Container, error)
	Signer(id []byte) (crypto.Signer, error)
	InstallCertificate(id []byte, label string, der []byte) error
	ReadCertificate(id []byte) ([]byte, error)
	DeleteContainer(id []byte) error
	Close() error
}

// Info describes a device without a login.
type Info struct {
	Serial string // as the device reports it, without padding
	Label  string
	Vendor string
	Model  string
	PIN    PINState
}

// RetryUnknown stands for "the device does not say how many tries are left".
const RetryUnknown = -1

// PINState is what a device tells about its user PIN. PKCS #11 gives hints only;
// RetryLeft is exact 0 or 1, or RetryUnknown.
type PINState struct {
	RetryLeft   int
	Low         bool // at least one wrong try since the last good one
	Locked      bool
	Initialized bool
	Default     bool // must be changed before use
	MinLen      int
	MaxLen      int
}

// Container is a key pair, its certificate, or both.
type Container struct {
	ID          []byte
	Label       string
	Algorithm   Algorithm
	Public      crypto.PublicKey  // nil when only a certificate is there
	HasPrivate  bool              // known only after login on most devices
	Certificate *x509.Certificate // nil when none is installed
}

// Name is the container's id in hex: how messages refer to it.
func (c Container) Name() string { return hex.EncodeToString(c.ID) }

// SPKISHA256 is the hex SHA-256 of the public key, "" without one.
func (c Container) SPKISHA256() string {
	pub := c.Public
	if pub == nil && c.Certificate != nil {
		pub = c.Certificate.PublicKey
	}
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}

// CertificateSerial is the certificate's serial number in upper-case hex, "" without one.
func (c Container) CertificateSerial() string {
	if c.Certificate == nil {
		return ""
	}
	return strings.ToUpper(hex.EncodeToString(c.Certificate.SerialNumber.Bytes()))
}

// Find gives the container with this id.
func Find(t Token, id []byte) (Container, bool, error) {
	all, err := t.Containers()
	if err != nil {
		return Container{}, false, err
	}
	for _, c := range all {
		if string(c.ID) == string(id) {
			return c, true, nil
		}
	}
	return Container{}, false, nil
}

// Code says what went wrong at the device; the pages have a sentence for each.
type Code string

// The codes, from the error table of the key agent's protocol.
const (
	CodeNoDevice      Code = "NO_DEVICE"
	CodePINIncorrect  Code = "PIN_INCORRECT"
	CodePINLocked     Code = "PIN_LOCKED"
	CodePINLength     Code = "PIN_LENGTH"
	CodePINInvalid    Code = "PIN_INVALID"
	CodePINNotInit    Code = "PIN_NOT_INIT"
	CodeNotLoggedIn   Code = "NOT_LOGGED_IN"
	CodeRemoved       Code = "DEVICE_REMOVED"
	CodeDeviceError   Code = "DEVICE_ERROR" // the device or its driver failed; re-initialise
	CodeNoSpace       Code = "NO_SPACE"
	CodeKeyNotFound   Code = "KEY_NOT_FOUND"
	CodeCertNotFound  Code = "CERT_NOT_FOUND"
	CodeKeyMismatch   Code = "KEY_MISMATCH"
	CodeDriverMissing Code = "DRIVER_MISSING"
	CodeNotSupported  Code = "NOT_SUPPORTED"
	CodeCancelled     Code = "USER_CANCELLED"
	CodeBusy          Code = "BUSY"
)

// Error is every error of this package.
type Error struct {
	Code      Code
	Op        string // what was tried: "login"
	RetryLeft int    // tries left, or RetryUnknown
	Native    uint64 // the driver's own code, 0 if none
	Err       error
}

func (e *Error) Error() string {
	s := "token: " + e.Op + ": " + string(e.Code)
	if e.Native != 0 {
		s += fmt.Sprintf(" (0x%X)", e.Native)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// NewError makes an Error without tries left.
func NewError(code Code, op string, err error) *Error {
	return &Error{Code: code, Op: op, RetryLeft: RetryUnknown, Err: err}
}

// CodeOf gives the code of an error of this package, or "".
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// Dead tells whether the token must be closed and opened anew.
func Dead(err error) bool {
	code := CodeOf(err)
	return code == CodeRemoved || code == CodeDeviceError || code == CodeNoDevice
}
