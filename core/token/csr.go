package token

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"unicode/utf8"
)

// CreateCSR makes a PEM PKCS #10 request signed by the container's key. hint is
// the common name, cut to 64 characters; the CA ignores it.
func CreateCSR(t Token, id []byte, hint string) ([]byte, error) {
	signer, err := t.Signer(id)
	if err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(hint) > 64 {
		hint = string([]rune(hint)[:64])
	}
	template := x509.CertificateRequest{Subject: pkix.Name{CommonName: hint}, SignatureAlgorithm: x509.SHA256WithRSA}
	if _, ec := signer.Public().(*ecdsa.PublicKey); ec {
		template.SignatureAlgorithm = x509.ECDSAWithSHA256
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &template, signer)
	if err != nil {
		if CodeOf(err) != "" {
			return nil, err
		}
		return nil, NewError(CodeDeviceError, "csr", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
}

// SignMessage signs the SHA-256 of a message with the container's key: RSA as
// PKCS #1 v1.5, ECDSA as ASN.1.
func SignMessage(t Token, id, message []byte) ([]byte, error) {
	signer, err := t.Signer(id)
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(message)
	return signer.Sign(rand.Reader, digest[:], crypto.SHA256)
}
