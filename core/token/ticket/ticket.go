// Package ticket makes and checks the tickets without which the key agent does
// nothing: compact JWS signed with EdDSA. The platform signs what one page may do
// with one device for one order; the agent verifies against pinned keys. Also
// here, since both sides need them: the proof message and its check.
package ticket

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Audience is the only aud the agent accepts; Type the JWS header's typ.
const (
	Audience = "ukagent"
	Type     = "ukagent+jws"
	// MaxLife bounds exp − iat.
	MaxLife = 10 * time.Minute
	// MaxSkew is how far ahead of the agent's clock iat may be.
	MaxSkew = 2 * time.Minute
	// maxBytes bounds a ticket before it is parsed.
	maxBytes = 4096
)

// The operations a ticket can allow; login comes with any of them.
const (
	OpEnumerate = "enumerate"  // enumerate, select
	OpCSR       = "csr"        // new key pair and request
	OpInstall   = "install"    // write the certificate, read it back
	OpProve     = "prove"      // prove_old, prove_new
	OpCleanup   = "cleanup"    // delete the old container: only once the order is done
	OpChangePIN = "change_pin" // change the user PIN
)

// Bind ties a ticket to what the order knows of the device.
type Bind struct {
	OldSerial string `json:"old_serial,omitempty"` // certificate to be renewed, upper-case hex
	KeySN     string `json:"key_sn,omitempty"`     // device serial number
}

// Claims is a ticket's content. Order identifies the order item; Attempt starts
// at 1 and rises when the server wants a new key after a failed install: order
// and attempt name the container, so that a request repeated after a crash finds
// its key again.
type Claims struct {
	Iss        string   `json:"iss"`
	Aud        string   `json:"aud"`
	Origin     string   `json:"origin"` // page origin, "https://byd.example.cn"
	Tid        string   `json:"tid"`    // tenant
	Order      string   `json:"order"`
	Attempt    int      `json:"attempt"`
	Company    string   `json:"company"` // shown in the PIN dialog
	Ops        []string `json:"ops"`
	Bind       Bind     `json:"bind"`
	SPKIPolicy string   `json:"spki_policy"` // "new"
	Nonce      string   `json:"nonce"`       // 22+ URL-safe characters, proven by the keys
	Iat        int64    `json:"iat"`         // Unix seconds
	Exp        int64    `json:"exp"`
	JTI        string   `json:"jti"`
}

// Allows tells whether the ticket permits an operation.
func (c Claims) Allows(op string) bool { return slices.Contains(c.Ops, op) }

// NewID draws 128 random bits as 22 URL-safe characters, for Nonce and JTI.
func NewID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// KeyID names a signing key: the first 8 bytes of its SHA-256, URL-safe.
func KeyID(pub ed25519.PublicKey) string {
	sum := sha256.Sum256(pub)
	return base64.RawURLEncoding.EncodeToString(sum[:8])
}

type header struct {
	Alg string `json:"alg"`
	Kid string `json:"kid"`
	Typ string `json:"typ"`
}

// Sign makes the compact JWS. It sets Aud and SPKIPolicy, and Attempt to 1 if 0.
func Sign(key ed25519.PrivateKey, c Claims) (string, error) {
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok || len(key) != ed25519.PrivateKeySize {
		return "", errors.New("ticket: not an Ed25519 key")
	}
	c.Aud, c.SPKIPolicy, c.Attempt = Audience, "new", max(c.Attempt, 1)
	if err := c.check(); err != nil {
		return "", err
	}
	head, err := json.Marshal(header{"EdDSA", KeyID(pub), Type})
	if err != nil {
		return "", fmt.Errorf("ticket: header: %w", err)
	}
	body, err := json.Marshal(c)
	if err != nil {
		return "", fmt.Errorf("ticket: claims: %w", err)
	}
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString(head) + "." + enc.EncodeToString(body)
	return signed + "." + enc.EncodeToString(ed25519.Sign(key, []byte(signed))), nil
}

// check judges what does not depend on time or trust.
func (c Claims) check() error {
	switch {
	case c.Aud != Audience:
		return errors.New("ticket: wrong audience")
	case c.Iss == "" || c.Origin == "" || c.Order == "" || c.JTI == "" || len(c.Ops) == 0:
		return errors.New("ticket: iss, origin, order, ops and jti are required")
	case c.SPKIPolicy != "new":
		return errors.New("ticket: spki_policy must be new")
	case c.Attempt < 1 || c.Attempt > 99:
		return errors.New("ticket: attempt must be 1 to 99")
	case !nonceOK(c.Nonce):
		return errors.New("ticket: nonce must have 22 to 86 URL-safe characters")
	case c.Exp <= c.Iat || c.Exp-c.Iat > int64(MaxLife/time.Second):
		return errors.New("ticket: must live more than 0 and at most 600 seconds")
	}
	return nil
}

func nonceOK(s string) bool {
	if len(s) < 22 || len(s) > 86 {
		return false
	}
	return !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// Verify checks form, signature by a key trusted for the issuer, origin allowed
// for that issuer, and life time. It does not know used tickets: the agent does.
func Verify(token string, trust Trust, now time.Time) (Claims, error) {
	if len(token) > maxBytes {
		return Claims{}, errors.New("ticket: too long")
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return Claims{}, errors.New("ticket: not a compact JWS")
	}
	var head header
	if err := decode(parts[0], &head); err != nil {
		return Claims{}, fmt.Errorf("ticket: header: %w", err)
	}
	if head.Alg != "EdDSA" || head.Typ != Type {
		return Claims{}, errors.New("ticket: header must say EdDSA and " + Type)
	}
	var c Claims
	if err := decode(parts[1], &c); err != nil {
		return Claims{}, fmt.Errorf("ticket: claims: %w", err)
	}
	sig, err := base64.RawURLEncoding.Strict().DecodeString(parts[2])
	if err != nil {
		return Claims{}, errors.New("ticket: signature encoding")
	}
	issuer, ok := trust.issuer(c.Iss)
	if !ok {
		return Claims{}, errors.New("ticket: unknown issuer")
	}
	pub, ok := issuer.key(head.Kid)
	if !ok || !ed25519.Verify(pub, []byte(parts[0]+"."+parts[1]), sig) {
		return Claims{}, errors.New("ticket: signature does not verify")
	}
	if err := c.check(); err != nil {
		return Claims{}, err
	}
	if !slices.Contains(issuer.Origins, c.Origin) {
		return Claims{}, errors.New("ticket: origin is not the issuer's")
	}
	if now.Unix() >= c.Exp {
		return Claims{}, errors.New("ticket: expired")
	}
	if time.Unix(c.Iat, 0).After(now.Add(MaxSkew)) {
		return Claims{}, errors.New("ticket: issued in the future")
	}
	return c, nil
}

// decode reads strict base64url JSON: one object, known fields.
func decode(part string, into any) error {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("trailing data")
	}
	return nil
}

// ProofMessage is what prove_old and prove_new sign; the prefix keeps the key
// from ever signing anything else of value.
func ProofMessage(origin, nonce string) []byte {
	return []byte("ukagent-prove\x00" + origin + "\x00" + nonce)
}

// VerifyProof checks a proof: SHA-256 with RSA PKCS #1 v1.5, or ECDSA in ASN.1.
func VerifyProof(origin, nonce string, pub crypto.PublicKey, sig []byte) error {
	digest := sha256.Sum256(ProofMessage(origin, nonce))
	switch k := pub.(type) {
	case *rsa.PublicKey:
		if err := rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], sig); err != nil {
			return fmt.Errorf("ticket: proof: %w", err)
		}
		return nil
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(k, digest[:], sig) {
			return nil
		}
	}
	return errors.New("ticket: proof does not verify")
}
