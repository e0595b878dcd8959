package ticket

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Trust is what an agent is told to believe: issuers, their ticket keys, and the
// page origins each may speak for. The platform writes it (keyagent-trust.json).
type Trust struct {
	Issuers []Issuer `json:"issuers"`
}

// Issuer is one platform.
type Issuer struct {
	Iss     string   `json:"iss"`
	Name    string   `json:"name"`    // shown to people
	Keys    []string `json:"keys"`    // Ed25519 public keys, base64url without padding
	Origins []string `json:"origins"` // exact: scheme://host[:port]
}

// EncodeKey writes a public key as Issuer.Keys holds it.
func EncodeKey(pub ed25519.PublicKey) string { return base64.RawURLEncoding.EncodeToString(pub) }

// ParseTrust reads and validates a trust file's bytes.
func ParseTrust(data []byte) (Trust, error) {
	var t Trust
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		return Trust{}, fmt.Errorf("trust file: %w", err)
	}
	for _, i := range t.Issuers {
		if i.Iss == "" || len(i.Keys) == 0 {
			return Trust{}, errors.New("trust file: an issuer needs iss and keys")
		}
		for _, k := range i.Keys {
			if raw, err := base64.RawURLEncoding.Strict().DecodeString(k); err != nil || len(raw) != ed25519.PublicKeySize {
				return Trust{}, fmt.Errorf("trust file: issuer %q: key %q is not 32 bytes of base64url", i.Iss, k)
			}
		}
		for _, o := range i.Origins {
			if !originOK(o) {
				return Trust{}, fmt.Errorf("trust file: issuer %q: origin %q must be scheme://host[:port] in lower case", i.Iss, o)
			}
		}
	}
	return t, nil
}

// originOK accepts https anywhere, plain http on loopback names only.
func originOK(o string) bool {
	u, err := url.Parse(o)
	if err != nil || u.Host == "" || u.User != nil || o != u.Scheme+"://"+u.Host || o != strings.ToLower(o) {
		return false
	}
	host := u.Hostname()
	local := host == "localhost" || host == "127.0.0.1" || host == "::1" || strings.HasSuffix(host, ".localhost")
	return u.Scheme == "https" || u.Scheme == "http" && local
}

// ReadTrust reads a trust file.
func ReadTrust(path string) (Trust, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Trust{}, fmt.Errorf("trust file: %w", err)
	}
	return ParseTrust(data)
}

// WriteTrust validates and replaces a trust file atomically, mode 0644: it holds
// nothing secret.
func WriteTrust(path string, t Trust) error {
	data, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return fmt.Errorf("trust file: %w", err)
	}
	if _, err := ParseTrust(data); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".trust-*")
	if err != nil {
		return fmt.Errorf("trust file: %w", err)
	}
	defer os.Remove(f.Name())
	_, werr := f.Write(append(data, '\n'))
	if err := errors.Join(werr, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("trust file: %w", err)
	}
	return os.Rename(f.Name(), path)
}

// AllowsOrigin tells whether any issuer speaks for a page origin.
func (t Trust) AllowsOrigin(origin string) bool {
	return slices.ContainsFunc(t.Issuers, func(i Issuer) bool { return slices.Contains(i.Origins, origin) })
}

func (t Trust) issuer(iss string) (Issuer, bool) {
	for _, i := range t.Issuers {
		if i.Iss == iss {
			return i, true
		}
	}
	return Issuer{}, false
}

func (i Issuer) key(kid string) (ed25519.PublicKey, bool) {
	for _, k := range i.Keys {
		raw, err := base64.RawURLEncoding.DecodeString(k)
		if err == nil && len(raw) == ed25519.PublicKeySize && KeyID(raw) == kid {
			return raw, true
		}
	}
	return nil, false
}
