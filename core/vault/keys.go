package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/google/uuid"
)

const (
	version    = 1  // first byte of everything sealed
	indexBytes = 8  // of a blind index: mobiles and ID numbers are few enough to try them all, so give little away
	keyBytes   = 32 // AES-256
)

// ErrUnsealed says that sealed bytes do not belong where they were found, or were changed.
var ErrUnsealed = errors.New("vault: sealed bytes do not open: changed, moved, or of another key")

// Keys are one tenant's keys. They are safe for concurrent use.
type Keys struct {
	tenant uuid.UUID
	dek    []byte
	aead   cipher.AEAD
}

func newKeys(tenant uuid.UUID, dek []byte) *Keys {
	return &Keys{tenant: tenant, dek: dek, aead: newAEAD(derive(dek, "seal"))}
}

// Seal encrypts plain for one cell: column ("orders.answers") and row id. The same bytes sealed twice look different.
// Layout: version, 12 bytes nonce, ciphertext with 16 bytes tag.
func (k *Keys) Seal(column string, row uuid.UUID, plain []byte) []byte {
	return seal(k.aead, cellName(k.tenant, column, row), plain)
}

// Open decrypts what Seal made for the same tenant, column and row; anything else is ErrUnsealed.
func (k *Keys) Open(column string, row uuid.UUID, sealed []byte) ([]byte, error) {
	return open(k.aead, cellName(k.tenant, column, row), sealed)
}

// sealedText marks what SealText made.
const sealedText = "sealed:"

// SealText is Seal for words that are kept among others in a text or JSON value. Nothing stays nothing.
func (k *Keys) SealText(column string, row uuid.UUID, plain string) string {
	if plain == "" {
		return ""
	}
	return sealedText + base64.StdEncoding.EncodeToString(k.Seal(column, row, []byte(plain)))
}

// OpenText is the words again; a text that SealText did not make is older than the seal and comes back as it is.
func (k *Keys) OpenText(column string, row uuid.UUID, text string) (string, error) {
	coded, ok := strings.CutPrefix(text, sealedText)
	if !ok {
		return text, nil
	}
	sealed, err := base64.StdEncoding.DecodeString(coded)
	if err != nil {
		return "", ErrUnsealed
	}
	plain, err := k.Open(column, row, sealed)
	return string(plain), err
}

// Index is the blind index of a normalised value, 8 bytes: equal values of a tenant's column have equal indexes, and without the
// key nothing follows from one. Two values may share an index, rarely; compare after decryption where that matters.
func (k *Keys) Index(column, normalised string) []byte {
	return k.MAC("index\x00"+column, []byte(normalised))[:indexBytes]
}

// MAC is HMAC-SHA-256 with a key of this tenant for one purpose, 32 bytes: for codes and tokens that must not be kept in clear.
func (k *Keys) MAC(purpose string, data []byte) []byte {
	mac := hmac.New(sha256.New, derive(k.dek, "mac\x00"+purpose))
	mac.Write(data)
	return mac.Sum(nil)
}

func cellName(tenant uuid.UUID, column string, row uuid.UUID) []byte {
	return []byte(tenant.String() + "|" + column + "|" + row.String())
}

func seal(aead cipher.AEAD, aad, plain []byte) []byte {
	out := make([]byte, 1+aead.NonceSize(), 1+aead.NonceSize()+len(plain)+aead.Overhead())
	out[0] = version
	rand.Read(out[1:]) // never fails
	return aead.Seal(out, out[1:], plain, aad)
}

func open(aead cipher.AEAD, aad, sealed []byte) ([]byte, error) {
	head := 1 + aead.NonceSize()
	if len(sealed) < head+aead.Overhead() || sealed[0] != version {
		return nil, ErrUnsealed
	}
	plain, err := aead.Open(nil, sealed[1:head], sealed[head:], aad)
	if err != nil {
		return nil, ErrUnsealed
	}
	return plain, nil
}

// derive makes a key for one purpose from a data key, so that no key serves two.
func derive(dek []byte, purpose string) []byte {
	key, err := hkdf.Key(sha256.New, dek, nil, "certsaas vault\x00"+purpose, keyBytes)
	if err != nil {
		panic("vault: " + err.Error()) // only for absurd lengths
	}
	return key
}

func newAEAD(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic("vault: " + err.Error()) // the key has 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("vault: " + err.Error())
	}
	return aead
}

func newDataKey() []byte {
	key := make([]byte, keyBytes)
	rand.Read(key)
	return key
}

func wrap(k kek, tenant uuid.UUID, dek []byte) []byte {
	return seal(newAEAD(k.key), cellName(tenant, "tenant_keys.wrapped", tenant), dek)
}

func unwrap(k kek, tenant uuid.UUID, wrapped []byte) ([]byte, error) {
	return open(newAEAD(k.key), cellName(tenant, "tenant_keys.wrapped", tenant), wrapped)
}
