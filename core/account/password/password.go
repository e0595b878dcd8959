// Package password hashes and checks passwords.
//
// In: a password as typed. Out: an argon2id hash to store, or whether a stored
// hash is of it. One hash costs 19 MiB and tens of milliseconds by design
// (OWASP's floor: m=19 MiB, t=2, p=1), so a process works on a few at a time
// and lets the others wait: a storm of logins must not take all memory.
package password

import (
	"context"
	"embed"
	"encoding/base64"
	"fmt"
	"runtime"
	"unicode/utf8"

	"certsaas/core/fault"

	"github.com/alexedwards/argon2id"
)

// Messages are this package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// Limits of a password, in characters. No rule on which characters: NIST SP
// 800-63B and ASVS 6.2.5 ask for length only.
const (
	MinLength = 8
	MaxLength = 128
)

var params = &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}

// slots bounds the hashes under way in this process, staff's and applicants' together.
var slots = make(chan struct{}, max(2, runtime.NumCPU()))

// dummy is a hash that nobody knows a password of; checking against it costs what a real check costs. It is put together,
// not computed: that would take 20 MB and a tenth of a second of every start.
var dummy = fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", params.Memory, params.Iterations, params.Parallelism,
	base64.RawStdEncoding.EncodeToString(make([]byte, params.SaltLength)), base64.RawStdEncoding.EncodeToString(make([]byte, params.KeyLength)))

// Check reports what is wrong with a new password, as a field problem of the
// input called field, or nil.
func Check(field, plain string) error {
	switch n := utf8.RuneCountInString(plain); {
	case !utf8.ValidString(plain) || n < MinLength:
		return fault.InvalidFields(fault.At(field, "password.short", "Min", MinLength))
	case n > MaxLength:
		return fault.InvalidFields(fault.At(field, "password.long", "Max", MaxLength))
	case trivial(plain):
		return fault.InvalidFields(fault.At(field, "password.trivial"))
	}
	return nil
}

// trivial finds one repeated character and plain rows like 12345678 or hgfedcba.
func trivial(plain string) bool {
	r := []rune(plain)
	step := r[1] - r[0]
	if step < -1 || step > 1 {
		return false
	}
	for i := 2; i < len(r); i++ {
		if r[i]-r[i-1] != step {
			return false
		}
	}
	return true
}

// Hash makes the hash to store. It waits for a slot as long as ctx allows.
func Hash(ctx context.Context, plain string) (string, error) {
	if err := acquire(ctx); err != nil {
		return "", err
	}
	defer func() { <-slots }()
	h, err := argon2id.CreateHash(plain, params)
	if err != nil {
		return "", fmt.Errorf("password: hash: %w", err)
	}
	return h, nil
}

// Matches tells whether hash is of plain. With an empty hash (no such account,
// or one without a password) the answer is false after the same work, so that
// the time tells nothing.
func Matches(ctx context.Context, plain, hash string) (bool, error) {
	if err := acquire(ctx); err != nil {
		return false, err
	}
	defer func() { <-slots }()
	if utf8.RuneCountInString(plain) > MaxLength { // never stored; the same work on the part that could be
		plain = string([]rune(plain)[:MaxLength])
		hash = ""
	}
	known := hash != ""
	if !known {
		hash = dummy
	}
	ok, err := argon2id.ComparePasswordAndHash(plain, hash)
	if err != nil {
		return false, fmt.Errorf("password: stored hash: %w", err)
	}
	return ok && known, nil
}

func acquire(ctx context.Context) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fault.Wrap(fault.Unavailable, "password.busy", ctx.Err())
	}
}
