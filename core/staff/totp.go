package staff

import (
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

const (
	period = 30 // seconds of a step
	skew   = 1  // steps a clock may be off
)

var unpadded = base32.StdEncoding.WithPadding(base32.NoPadding)

// enrol makes the second factor of a login, from a secret or anew with 160 random bits (RFC 4226 §4 R6).
func (s *Service) enrol(login, secret string) (Enrolment, error) {
	opts := totp.GenerateOpts{Issuer: s.issuer, AccountName: login, Period: period}
	if secret != "" {
		raw, err := unpadded.DecodeString(strings.ToUpper(secret))
		if err != nil || len(raw) < 16 {
			return Enrolment{}, errors.New("staff: the given TOTP secret must be base32 of 16 bytes or more")
		}
		opts.Secret = raw
	}
	key, err := totp.Generate(opts)
	if err != nil {
		return Enrolment{}, fmt.Errorf("staff: second factor: %w", err)
	}
	return Enrolment{Secret: key.Secret(), URL: key.URL()}, nil
}

// TOTPNow is the code a secret's authenticator shows at an instant. The
// demonstration prints it beside the login; nothing else asks for it.
func TOTPNow(secret string, at time.Time) (string, error) {
	return codeAt(secret, step(at))
}

func step(at time.Time) int64 { return at.Unix() / period }

func codeAt(secret string, n int64) (string, error) {
	code, err := hotp.GenerateCodeCustom(secret, uint64(n), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return "", fmt.Errorf("staff: code: %w", err)
	}
	return code, nil
}

// matchStep is the step whose code was typed: newer than last, which was used
// already, and within the allowed skew; 0 if none. Every candidate is compared.
func matchStep(secret, typed string, at time.Time, last int64) (int64, error) {
	found := int64(0)
	for n := step(at) - skew; n <= step(at)+skew; n++ {
		code, err := codeAt(secret, n)
		if err != nil {
			return 0, err
		}
		if subtle.ConstantTimeCompare([]byte(code), []byte(typed)) == 1 && n > last {
			found = n
		}
	}
	return found, nil
}
