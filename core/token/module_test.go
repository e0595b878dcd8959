//go:build unix

package token

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"unsafe"
)

func TestNativeCodes(t *testing.T) {
	t.Parallel()
	for native, want := range map[uint64]Code{
		0xA0: CodePINIncorrect, 0xA4: CodePINLocked, 0xA2: CodePINLength, 0x102: CodePINNotInit, 0x101: CodeNotLoggedIn,
		0x32: CodeRemoved, 0x31: CodeNoSpace, 0xE0: CodeNoDevice, 0x30: CodeDeviceError, 0xB3: CodeDeviceError, 0x80000001: CodeDeviceError,
	} {
		if got := codeOfNative(native); got != want {
			t.Errorf("0x%X = %s, want %s", native, got, want)
		}
	}
	if !Dead(&Error{Code: CodeRemoved}) || Dead(&Error{Code: CodePINIncorrect}) || Dead(errors.New("x")) {
		t.Error("Dead")
	}
}

// The flags are all that PKCS #11 tells about tries left.
func TestPINHints(t *testing.T) {
	t.Parallel()
	for flags, want := range map[uint]PINState{
		ckfUserPINInit:                                   {RetryLeft: RetryUnknown, Initialized: true},
		ckfUserPINInit | ckfPINCountLow:                  {RetryLeft: RetryUnknown, Initialized: true, Low: true},
		ckfUserPINInit | ckfPINCountLow | ckfPINFinalTry: {RetryLeft: 1, Initialized: true, Low: true},
		ckfUserPINInit | ckfPINLocked | ckfPINFinalTry:   {RetryLeft: 0, Initialized: true, Locked: true},
		ckfUserPINInit | ckfPINToBeChanged:               {RetryLeft: RetryUnknown, Initialized: true, Default: true},
		ckfTokenInitialized:                              {RetryLeft: RetryUnknown},
	} {
		if got := (&ckTokenInfo{flags: flags}).info().PIN; got != want {
			t.Errorf("flags %X: %+v, want %+v", flags, got, want)
		}
	}
	if size := unsafe.Sizeof(ckTokenInfo{}); unsafe.Sizeof(uint(0)) == 8 && size != 208 {
		t.Errorf("CK_TOKEN_INFO has %d bytes, want 208", size)
	}
}

// Modules give EC points raw or wrapped in an OCTET STRING.
func TestPublicKeys(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := asn1.Marshal(raw)
	if err != nil {
		t.Fatal(err)
	}
	for _, point := range [][]byte{raw, wrapped} {
		got, err := ecPublic(point)
		if err != nil || !got.Equal(key.Public()) {
			t.Fatalf("%x: %v", point, err)
		}
	}
	if _, err := ecPublic(bytes.Repeat([]byte{4}, 65)); err == nil {
		t.Fatal("a point off the curve was taken")
	}
	n := new(big.Int).Lsh(big.NewInt(1), 2047)
	if k, err := rsaPublic(n.Bytes(), []byte{0, 1, 0, 1}); err != nil || k.E != 65537 {
		t.Fatalf("%v %v", k, err)
	}
	for _, e := range [][]byte{nil, {1}, bytes.Repeat([]byte{0xff}, 9)} {
		if _, err := rsaPublic(n.Bytes(), e); err == nil {
			t.Errorf("exponent %x taken", e)
		}
	}
}

// After a device error the module starts afresh: sessions of its earlier life are
// dead, new ones work, and no PIN was tried meanwhile.
func TestReinitialise(t *testing.T) {
	dir := t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("directories.tokendir = "+dir+"\nlog.level = ERROR\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SOFTHSM2_CONF", conf)
	path := "/usr/lib/softhsm/libsofthsm2.so"
	if _, err := os.Stat(path); err != nil {
		t.Fatal("SoftHSM is missing: apt-get install softhsm2")
	}
	m, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	serial, err := m.InitToken("x", "00000000", "12345678")
	if err != nil {
		t.Fatal(err)
	}
	old, err := m.Open(serial)
	if err != nil {
		t.Fatal(err)
	}
	if err := old.Login("12345678"); err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	err = m.judge("sign", 0x30) // CKR_DEVICE_ERROR
	m.mu.Unlock()
	if !Dead(err) {
		t.Fatal(err)
	}
	if _, err := old.Containers(); !Dead(err) {
		t.Fatalf("old session: %v", err)
	}
	fresh, err := m.Open(serial)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.GenerateKeyPair(P256, []byte{1}, "x"); err == nil {
		t.Fatal("the login survived the module's restart")
	}
	if err := fresh.Login("12345678"); err != nil {
		t.Fatal(err)
	}
	if _, err := fresh.GenerateKeyPair(P256, []byte{1}, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := old.Containers(); !Dead(err) {
		t.Fatalf("old session came back to life: %v", err)
	}
	if err := errors.Join(old.Close(), fresh.Close()); err != nil {
		t.Fatal(err)
	}
}
