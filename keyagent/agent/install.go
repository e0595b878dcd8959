package agent

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"

	"certsaas/core/token"
)

type installArgs struct {
	Container string   `json:"container"`
	SignCert  string   `json:"sign_cert"` // PEM
	EncCert   string   `json:"enc_cert"`
	EncKeyEnv string   `json:"enc_key_env"`
	Chain     []string `json:"chain"` // PEM, issuer first
}

type installed struct {
	Installed bool   `json:"installed"`
	SPKI      string `json:"readback_spki"`
	Serial    string `json:"serial"`
}

// install writes the certificate into this attempt's container and reads it back.
func (s *session) install(c call) (any, error) {
	a, err := args[installArgs](c.request)
	if err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	id := s.newID()
	if a.Container != hex.EncodeToString(id) {
		return nil, fail(token.CodeKeyMismatch, errors.New("not this attempt's container"))
	}
	if a.EncCert != "" || a.EncKeyEnv != "" {
		return nil, fail(token.CodeNotSupported, errors.New("encryption certificates need an SM2 device"))
	}
	cert, err := checkChain(a.SignCert, a.Chain)
	if err != nil {
		return nil, fail(token.CodeKeyMismatch, err)
	}
	if err := s.dev.InstallCertificate(id, "ukagent-"+hex.EncodeToString(id[:4]), cert.Raw); err != nil {
		return nil, err
	}
	back, err := s.dev.ReadCertificate(id)
	if err != nil {
		return nil, err
	}
	container, found, err := token.Find(s.dev, id)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(back, cert.Raw) || !found || !container.HasPrivate {
		return nil, fail(codeReadback, nil)
	}
	return installed{true, container.SPKISHA256(), container.CertificateSerial()}, nil
}

// checkChain parses the certificate and checks each signature against the next
// certificate; what the device's key is, InstallCertificate checks.
func checkChain(leaf string, chain []string) (*x509.Certificate, error) {
	if len(chain) > 5 {
		return nil, errors.New("chain is longer than 5")
	}
	var certs []*x509.Certificate
	for _, text := range append([]string{leaf}, chain...) {
		block, rest := pem.Decode([]byte(text))
		if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
			return nil, errors.New("not exactly one PEM certificate")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		certs = append(certs, cert)
	}
	for i := 0; i+1 < len(certs); i++ {
		if err := certs[i].CheckSignatureFrom(certs[i+1]); err != nil {
			return nil, fmt.Errorf("chain at %d: %w", i, err)
		}
	}
	return certs[0], nil
}

// cleanup deletes the renewed certificate's container and keys of this order that
// were never certified. Its ticket exists only after the order is done.
func (s *session) cleanup(c call) (any, error) {
	a, err := args[struct {
		OldContainer string `json:"old_container"`
	}](c.request)
	if err != nil {
		return nil, err
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	all, err := s.dev.Containers()
	if err != nil {
		return nil, err
	}
	if fresh, ok := byID(all, s.newID()); !ok || fresh.Certificate == nil || !fresh.HasPrivate {
		return nil, fail(token.CodeCertNotFound, errors.New("the new certificate is not on the device"))
	}
	doomed := s.abandoned(all)
	if a.OldContainer != "" {
		old, ok := bySerial(all, s.claims.Bind.OldSerial)
		if ok && (s.claims.Bind.OldSerial == "" || old.Name() != a.OldContainer || bytes.Equal(old.ID, s.newID())) {
			return nil, fail(token.CodeKeyMismatch, errors.New("not the container of the renewed certificate"))
		}
		if ok {
			doomed = append(doomed, old)
		}
	}
	removed := []string{}
	for _, container := range doomed {
		if err := s.dev.DeleteContainer(container.ID); err != nil {
			return nil, err
		}
		removed = append(removed, container.Name())
	}
	return map[string]any{"removed": removed}, nil
}

// abandoned finds the containers of this order's other attempts.
func (s *session) abandoned(all []token.Container) []token.Container {
	var out []token.Container
	for attempt := 1; attempt <= 99; attempt++ {
		if attempt == s.claims.Attempt {
			continue
		}
		if c, ok := byID(all, containerID(s.claims, attempt)); ok {
			out = append(out, c)
		}
	}
	return out
}
