// Package qr makes and reads the code that proves what a letter said when it was printed.
//
// In: the filled values of a letter, its number and an Ed25519 key. Out: a digest, a signature, the text of a QR code
// and its modules; and back: the text found in a photograph, the claim it makes, and whether the claim is ours.
// The code proves what was printed; it does not prove the seal beside it. No database, no clock.
package qr

import (
	"crypto/ed25519"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// domainTag separates letter signatures from every other use of the key; the byte after it is the format's version.
const domainTag = "usbkey-letter-v1\x00\x01"

// DigestSize is the number of digest bytes carried in a code: 128 bits, enough against a second preimage.
const DigestSize = 16

// Errors of Parse and Verify. A reviewer is told which one it was.
var (
	ErrNotClaim = errors.New("qr: not a letter code")
	ErrForged   = errors.New("qr: signature does not verify")
)

// Claim is what a letter's code says: letter No was printed with values whose digest begins with Digest.
type Claim struct {
	BaseURL string // scheme and host (and prefix, if any) of the portal that printed the letter
	No      string
	Digest  [DigestSize]byte
	Sig     [ed25519.SignatureSize]byte
}

// Matches tells whether the claim is about values with this digest, i.e. nothing changed since printing (req B45, K22).
func (c Claim) Matches(digest [32]byte) bool {
	return subtle.ConstantTimeCompare(c.Digest[:], digest[:DigestSize]) == 1
}

// Canonical writes values as canonical JSON: keys sorted by their bytes, UTF-8, no spaces, only '"', '\' and control
// characters escaped (RFC 8785 §3.2.2.2). Invalid UTF-8 becomes U+FFFD.
func Canonical(values map[string]string) []byte {
	keys := make([]string, 0, len(values))
	for k := range values {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	out := []byte{'{'}
	for i, k := range keys {
		if i > 0 {
			out = append(out, ',')
		}
		out = appendString(out, k)
		out = append(out, ':')
		out = appendString(out, values[k])
	}
	return append(out, '}')
}

func appendString(out []byte, s string) []byte {
	const short = "\b\t\n\f\r"
	out = append(out, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			out = append(out, '\\', byte(r))
		case r < 0x20:
			if i := strings.IndexRune(short, r); i >= 0 {
				out = append(out, '\\', "btnfr"[i])
			} else {
				out = fmt.Appendf(out, "\\u%04x", r)
			}
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return append(out, '"')
}

// Digest is the SHA-256 of the canonical JSON of every filled value of a letter.
func Digest(values map[string]string) [32]byte { return sha256.Sum256(Canonical(values)) }

// message is what is signed. The digest has a fixed length at the end, so number and digest cannot be shifted.
func message(no string, digest []byte) []byte {
	return slices.Concat([]byte(domainTag), []byte(no), digest[:DigestSize])
}

// Sign signs letter no with this digest. The signature is 64 bytes and deterministic (RFC 8032).
func Sign(key ed25519.PrivateKey, no string, digest [32]byte) []byte {
	return ed25519.Sign(key, message(no, digest[:]))
}

// Payload is the text of the code: {baseURL}/v/{no}#{digest}.{sig}, both base64url without padding. What follows '#'
// never reaches a server's log.
func Payload(baseURL, no string, digest [32]byte, sig []byte) string {
	b64 := base64.RawURLEncoding
	return strings.TrimRight(baseURL, "/") + "/v/" + no + "#" +
		b64.EncodeToString(digest[:DigestSize]) + "." + b64.EncodeToString(sig)
}

// 22 and 86 are the base64url lengths of 16 and 64 bytes. The number is 1–40 ASCII letters, digits and hyphens.
var claimPattern = regexp.MustCompile(`^(https?://[A-Za-z0-9.:\[\]_/-]{1,200})/v/([A-Za-z0-9-]{1,40})#([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{86})$`)

// Parse reads the text of a code. It returns ErrNotClaim for anything Payload would not have written.
func Parse(text string) (Claim, error) {
	m := claimPattern.FindStringSubmatch(text)
	if m == nil {
		return Claim{}, ErrNotClaim
	}
	c := Claim{BaseURL: m[1], No: m[2]}
	strict := base64.RawURLEncoding.Strict() // one spelling per value
	if _, err := strict.Decode(c.Digest[:], []byte(m[3])); err != nil {
		return Claim{}, ErrNotClaim
	}
	if _, err := strict.Decode(c.Sig[:], []byte(m[4])); err != nil {
		return Claim{}, ErrNotClaim
	}
	return c, nil
}

// Verify returns ErrForged unless the claim was signed by the owner of pub.
func Verify(pub ed25519.PublicKey, c Claim) error {
	if len(pub) != ed25519.PublicKeySize || !ed25519.Verify(pub, message(c.No, c.Digest[:]), c.Sig[:]) {
		return ErrForged
	}
	return nil
}
