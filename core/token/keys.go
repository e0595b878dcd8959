//go:build unix

package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"unsafe"
)

// oidP256 is the DER of the named curve prime256v1, as CKA_EC_PARAMS holds it.
var oidP256 = []byte{0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07}

// GenerateKeyPair makes a key pair in the device that can sign and nothing else,
// and that cannot be taken out. The id must be free.
func (s *session) GenerateKeyPair(alg Algorithm, id []byte, label string) (Container, error) {
	if len(id) == 0 || len(id) > 32 {
		return Container{}, NewError(CodeKeyNotFound, "generate", errors.New("id must have 1 to 32 bytes"))
	}
	if _, taken, err := Find(s, id); err != nil || taken {
		if taken {
			err = NewError(CodeKeyMismatch, "generate", errors.New("the id is in use"))
		}
		return Container{}, err
	}
	if err := s.generate(alg, id, label); err != nil {
		return Container{}, err
	}
	c, found, err := Find(s, id)
	if err == nil && (!found || c.Public == nil || !c.HasPrivate) {
		err = NewError(CodeDeviceError, "generate", errors.New("key pair cannot be read back"))
	}
	return c, err
}

func (s *session) generate(alg Algorithm, id []byte, label string) error {
	leave, err := s.enter("generate")
	if err != nil {
		return err
	}
	defer leave()
	// SoftHSM and others allow encryption and wrapping unless told not to.
	public := template{
		attrBool(ckaToken, true), attrBool(ckaPrivate, false), attrBool(ckaVerify, true), attrBool(ckaEncrypt, false),
		attrBool(ckaWrap, false), attrBytes(ckaID, id), attrBytes(ckaLabel, []byte(label)),
	}
	private := template{
		attrBool(ckaToken, true), attrBool(ckaPrivate, true), attrBool(ckaSensitive, true), attrBool(ckaExtractable, false),
		attrBool(ckaSign, true), attrBool(ckaDecrypt, false), attrBool(ckaUnwrap, false), attrBool(ckaDerive, false),
		attrBytes(ckaID, id), attrBytes(ckaLabel, []byte(label)),
	}
	mechanism := new(ckMechanism)
	switch alg {
	case RSA2048:
		mechanism.kind = ckmRSAKeyPairGen
		public = append(public, attrUint(ckaModulusBits, 2048), attrBytes(ckaPublicExponent, []byte{1, 0, 1}))
	case P256:
		mechanism.kind = ckmECKeyPairGen
		public = append(public, attrBytes(ckaECParams, oidP256))
	default:
		return NewError(CodeNotSupported, "generate", fmt.Errorf("algorithm %q", alg))
	}
	defer public.keep()
	defer private.keep()
	var pub, priv uintptr
	return s.m.call("generate", fnGenerateKey, s.handle, uintptr(unsafe.Pointer(mechanism)),
		uintptr(public.ptr()), uintptr(len(public)), uintptr(private.ptr()), uintptr(len(private)),
		uintptr(unsafe.Pointer(&pub)), uintptr(unsafe.Pointer(&priv)))
}

// Signer gives the container's key as a crypto.Signer for SHA-256: RSA PKCS #1
// v1.5 or ECDSA.
func (s *session) Signer(id []byte) (crypto.Signer, error) {
	c, found, err := Find(s, id)
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, NewError(CodeKeyNotFound, "signer", nil)
	}
	pub := c.Public
	if pub == nil && c.Certificate != nil {
		pub = c.Certificate.PublicKey // devices that store no public key object
	}
	if pub == nil {
		return nil, NewError(CodeKeyNotFound, "signer", errors.New("no public key"))
	}
	return &deviceKey{s: s, id: id, pub: pub}, nil
}

type deviceKey struct {
	s   *session
	id  []byte
	pub crypto.PublicKey
}

func (k *deviceKey) Public() crypto.PublicKey { return k.pub }

// sha256Prefix is the DER DigestInfo header of RFC 8017 §9.2 note 1.
var sha256Prefix = []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}

func (k *deviceKey) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if _, pss := opts.(*rsa.PSSOptions); pss || opts.HashFunc() != crypto.SHA256 || len(digest) != 32 {
		return nil, NewError(CodeNotSupported, "sign", errors.New("only SHA-256 with PKCS #1 v1.5 or ECDSA"))
	}
	if _, isRSA := k.pub.(*rsa.PublicKey); isRSA {
		return k.s.sign(k.id, ckmRSAPKCS, append(append([]byte{}, sha256Prefix...), digest...))
	}
	raw, err := k.s.sign(k.id, ckmECDSA, digest)
	if err != nil {
		return nil, err
	}
	if len(raw) != 64 {
		return nil, NewError(CodeDeviceError, "sign", fmt.Errorf("ECDSA signature of %d bytes", len(raw)))
	}
	return asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])})
}

func (s *session) sign(id []byte, kind uint, data []byte) ([]byte, error) {
	leave, err := s.enter("sign")
	if err != nil {
		return nil, err
	}
	defer leave()
	key, err := s.private(id)
	if err != nil {
		return nil, err
	}
	mechanism := &ckMechanism{kind: kind}
	if err := s.m.call("sign", fnSignInit, s.handle, uintptr(unsafe.Pointer(mechanism)), key); err != nil {
		return nil, err
	}
	out := make([]byte, 1024)
	n := uint(len(out))
	if err := s.m.call("sign", fnSign, s.handle, uintptr(unsafe.Pointer(&data[0])), uintptr(len(data)),
		uintptr(unsafe.Pointer(&out[0])), uintptr(unsafe.Pointer(&n))); err != nil {
		return nil, err
	}
	return out[:n], nil
}

func rsaPublic(modulus, exponent []byte) (*rsa.PublicKey, error) {
	e := new(big.Int).SetBytes(exponent)
	if !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 {
		return nil, errors.New("token: RSA exponent out of range")
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(modulus), E: int(e.Int64())}, nil
}

// ecPublic reads CKA_EC_POINT, which modules give raw or wrapped in an OCTET STRING.
func ecPublic(point []byte) (*ecdsa.PublicKey, error) {
	var inner []byte
	if rest, err := asn1.Unmarshal(point, &inner); err == nil && len(rest) == 0 {
		point = inner
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
}

func derInteger(n *big.Int) ([]byte, error) { return asn1.Marshal(n) }
