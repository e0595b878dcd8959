package ticket

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

const origin = "https://byd.example.cn"

func fixture(t *testing.T) (ed25519.PrivateKey, Trust, Claims) {
	t.Helper()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	trust := Trust{[]Issuer{{Iss: "certsaas", Name: "平台", Keys: []string{EncodeKey(pub)}, Origins: []string{origin}}}}
	return key, trust, Claims{Iss: "certsaas", Origin: origin, Tid: "t", Order: "item-1", Company: "示例公司", Ops: []string{OpCSR},
		Nonce: NewID(), Iat: noon.Unix(), Exp: noon.Add(10 * time.Minute).Unix(), JTI: NewID()}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	key, trust, claims := fixture(t)
	token, err := Sign(key, claims)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Verify(token, trust, noon.Add(9*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	claims.Aud, claims.SPKIPolicy, claims.Attempt = Audience, "new", 1
	if diff := cmp.Diff(claims, got); diff != "" {
		t.Fatal(diff)
	}
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	key, _, good := fixture(t)
	for name, change := range map[string]func(*Claims){
		"11 minutes": func(c *Claims) { c.Exp = c.Iat + 660 },
		"no life":    func(c *Claims) { c.Exp = c.Iat },
		"nonce":      func(c *Claims) { c.Nonce = "short" },
		"nonce NUL":  func(c *Claims) { c.Nonce = strings.Repeat("a", 21) + "\x00" },
		"no ops":     func(c *Claims) { c.Ops = nil },
		"no order":   func(c *Claims) { c.Order = "" },
		"attempt":    func(c *Claims) { c.Attempt = 100 },
	} {
		c := good
		change(&c)
		if _, err := Sign(key, c); err == nil {
			t.Errorf("%s: signed", name)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	key, trust, claims := fixture(t)
	otherKey, _, _ := fixture(t)
	good, err := Sign(key, claims)
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	foreign := claims
	foreign.Origin = "https://evil.example"
	elsewhere := claims
	elsewhere.Iss = "other"
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","kid":"","typ":"` + Type + `"}`))
	body := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"certsaas","admin":true}`))
	for name, c := range map[string]struct {
		token string
		at    time.Time
	}{
		"empty":           {"", noon},
		"two parts":       {parts[0] + "." + parts[1], noon},
		"alg none":        {none + "." + parts[1] + ".", noon},
		"changed claims":  {parts[0] + "." + body + "." + parts[2], noon},
		"changed sig":     {good[:len(good)-4] + "AAAA", noon},
		"other key":       {sign(t, otherKey, claims), noon},
		"foreign origin":  {sign(t, key, foreign), noon},
		"unknown issuer":  {sign(t, key, elsewhere), noon},
		"expired":         {good, noon.Add(10 * time.Minute)},
		"from the future": {good, noon.Add(-3 * time.Minute)},
		"huge":            {strings.Repeat("A", 5000) + good, noon},
	} {
		if _, err := Verify(c.token, trust, c.at); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func sign(t *testing.T, key ed25519.PrivateKey, c Claims) string {
	t.Helper()
	s, err := Sign(key, c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestTrustFile(t *testing.T) {
	t.Parallel()
	_, trust, _ := fixture(t)
	path := filepath.Join(t.TempDir(), "keyagent-trust.json")
	trust.Issuers[0].Origins = append(trust.Issuers[0].Origins, "http://byd.localhost:8080")
	if err := WriteTrust(path, trust); err != nil {
		t.Fatal(err)
	}
	got, err := ReadTrust(path)
	if err != nil || cmp.Diff(trust, got) != "" {
		t.Fatalf("%v %s", err, cmp.Diff(trust, got))
	}
	if !got.AllowsOrigin(origin) || got.AllowsOrigin(origin+".evil.example") || got.AllowsOrigin("") {
		t.Fatal("origin allow-list")
	}
	for _, bad := range []string{"*", "http://byd.example.cn", "https://byd.example.cn/", "https://BYD.example.cn", "https://u@byd.example.cn", "null", "http://localhost.evil.example"} {
		trust.Issuers[0].Origins = []string{bad}
		if err := WriteTrust(path, trust); err == nil {
			t.Errorf("origin %q accepted", bad)
		}
	}
}

func TestProof(t *testing.T) {
	t.Parallel()
	nonce := NewID()
	digest := sha256.Sum256([]byte("ukagent-prove\x00" + origin + "\x00" + nonce))
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := ecdsa.SignASN1(rand.Reader, ec, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	if err := VerifyProof(origin, nonce, ec.Public(), sig); err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{
		VerifyProof("https://other.example", nonce, ec.Public(), sig),
		VerifyProof(origin, NewID(), ec.Public(), sig),
		VerifyProof(origin, nonce, &rsa.PublicKey{}, sig),
		VerifyProof(origin, nonce, nil, sig),
	} {
		if err == nil {
			t.Error("wrong proof accepted")
		}
	}
}

func FuzzVerify(f *testing.F) {
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	trust := Trust{[]Issuer{{Iss: "certsaas", Keys: []string{EncodeKey(pub)}, Origins: []string{origin}}}}
	good, err := Sign(key, Claims{Iss: "certsaas", Origin: origin, Order: "o", Ops: []string{OpCSR}, Nonce: NewID(), Iat: noon.Unix(), Exp: noon.Unix() + 60, JTI: "j"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := Verify(token, trust, noon); err == nil && token != good {
			t.Fatalf("forged: %q", token)
		}
	})
}
