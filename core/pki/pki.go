// Package pki makes and checks certificates. It is pure: certificate requests,
// profiles, subjects, times and serial numbers come in; certificates, revocation
// lists and typed errors go out. It knows no database, no network and no clock;
// every instant is an argument. Private keys enter as crypto.Signer and leave as
// PKCS #8 bytes that the caller seals.
//
// The way of one certificate: ParseCSR (proof of possession, key policy) →
// Prepare (profile, subject, serial → to-be-signed bytes, linted on a twin signed
// by a throw-away key) → Ticket, redeemable once → Issue (the very bytes that
// were linted are signed).
package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
)

// Algorithm names a subscriber key algorithm as profiles and the key agent spell it.
type Algorithm string

// Key algorithms. SM2 is reserved: it is named so that profiles, tickets and
// pages have a place for it, and every use answers CodeNotOffered.
const (
	RSA2048 Algorithm = "rsa2048"
	P256    Algorithm = "p256"
	SM2     Algorithm = "sm2"
)

// Offered reports whether the built-in CA issues for the algorithm today.
func (a Algorithm) Offered() bool { return a == RSA2048 || a == P256 }

// ParseAlgorithm reads a configured algorithm name. SM2 answers CodeNotOffered,
// anything unknown CodeKeyType.
func ParseAlgorithm(s string) (Algorithm, error) {
	switch a := Algorithm(s); {
	case a.Offered():
		return a, nil
	case a == SM2:
		return "", &Error{Code: CodeNotOffered, Detail: "SM2 is reserved and not offered by this CA"}
	default:
		return "", &Error{Code: CodeKeyType, Detail: fmt.Sprintf("unknown key algorithm %q; offered: %s, %s", s, RSA2048, P256)}
	}
}

// algorithmOf tells the algorithm family of a public key. RSA keys of any length
// count as RSA2048 here; their length is the key policy's business.
func algorithmOf(pub crypto.PublicKey) (Algorithm, error) {
	switch k := pub.(type) {
	case *rsa.PublicKey:
		return RSA2048, nil
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return P256, nil
		}
		return "", &Error{Code: CodeKeyType, Detail: "curve " + k.Curve.Params().Name + " is not allowed; use P-256"}
	default:
		return "", &Error{Code: CodeKeyType, Detail: fmt.Sprintf("public key type %T is not allowed", pub)}
	}
}

// SPKI is the SHA-256 of a DER SubjectPublicKeyInfo: the identity of a public key.
type SPKI [32]byte

// String gives lower-case hex, 64 characters.
func (s SPKI) String() string { return hex.EncodeToString(s[:]) }

// SPKISHA256 hashes the DER SubjectPublicKeyInfo of a public key.
func SPKISHA256(pub crypto.PublicKey) (SPKI, error) {
	der, err := x509.MarshalPKIXPublicKey(pub)
	if err != nil {
		return SPKI{}, &Error{Code: CodeKeyType, Detail: "public key cannot be encoded", Err: err}
	}
	return sha256.Sum256(der), nil
}

// Code says what is wrong; stable, usable as message id.
type Code string

// The codes of Error.
const (
	CodeCSRTooLarge   Code = "CSR_TOO_LARGE"    // more than MaxCSRBytes
	CodeCSRMalformed  Code = "CSR_MALFORMED"    // not one PKCS #10, trailing bytes, duplicate extensions
	CodeCSRSignature  Code = "CSR_SIGNATURE"    // self-signature wrong or by a broken hash
	CodeCSRSubject    Code = "CSR_SUBJECT"      // the request's own subject is hostile
	CodeCSRAuthority  Code = "CSR_CA_REQUESTED" // asks to become a CA
	CodeKeyType       Code = "KEY_TYPE"         // neither RSA nor P-256
	CodeKeySize       Code = "KEY_SIZE"         // RSA below 2048 or above 4096 bits
	CodeKeyExponent   Code = "KEY_EXPONENT"     // RSA e ≠ 65537
	CodeKeyFactor     Code = "KEY_SMALL_FACTOR" // modulus divisible by a small prime
	CodeKeyROCA       Code = "KEY_ROCA"         // CVE-2017-15361 fingerprint
	CodeKeyClose      Code = "KEY_CLOSE_PRIMES" // Fermat factorisation succeeds
	CodeKeyBlocked    Code = "KEY_BLOCKED"      // on the caller's list of known keys
	CodeNotOffered    Code = "ALGORITHM_NOT_OFFERED"
	CodeAlgorithm     Code = "ALGORITHM_NOT_IN_PROFILE"
	CodeSubject       Code = "SUBJECT_INVALID"
	CodeProfile       Code = "PROFILE_INVALID"
	CodeValidity      Code = "VALIDITY_INVALID"
	CodeSerial        Code = "SERIAL_INVALID"
	CodeLint          Code = "LINT_FAILED"
	CodeTicketSpent   Code = "TICKET_SPENT"
	CodeIssuer        Code = "ISSUER_MISMATCH"
	CodeSigning       Code = "SIGNING_FAILED"
	CodeRevocation    Code = "REVOCATION_INVALID"
	CodeChain         Code = "CHAIN_INVALID"
	CodeCertMalformed Code = "CERTIFICATE_MALFORMED"
)

// Error is every error of this package.
type Error struct {
	Code   Code
	Detail string // English, for logs and staff; never holds personal data beyond field names
	Err    error  // cause, may be nil
}

func (e *Error) Error() string {
	s := "pki: " + string(e.Code) + ": " + e.Detail
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// CodeOf gives the code of an error of this package, or "" for any other.
func CodeOf(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
