package agent

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"certsaas/core/token"
	"certsaas/core/token/ticket"
)

// containerID names the container of one attempt at one order item: the same
// after any crash, different for every order and attempt.
func containerID(c ticket.Claims, attempt int) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "ukagent-container\x00%s\x00%s\x00%s\x00%d", c.Iss, c.Tid, c.Order, attempt))
	return sum[:16]
}

func (s *session) newID() []byte { return containerID(s.claims, s.claims.Attempt) }

// sameSerial compares hex serial numbers regardless of case and leading zeros.
func sameSerial(a, b string) bool {
	trim := func(x string) string { return strings.TrimLeft(strings.ToUpper(x), "0") }
	return trim(a) == trim(b)
}

func bySerial(all []token.Container, serial string) (token.Container, bool) {
	for _, c := range all {
		if c.Certificate != nil && sameSerial(c.CertificateSerial(), serial) {
			return c, true
		}
	}
	return token.Container{}, false
}

func byID(all []token.Container, id []byte) (token.Container, bool) {
	for _, c := range all {
		if bytes.Equal(c.ID, id) {
			return c, true
		}
	}
	return token.Container{}, false
}

// selected is the answer to select: what is on the device and how far an earlier,
// interrupted try came.
type selected struct {
	SN      string         `json:"sn"`
	Label   string         `json:"label"`
	Vendor  string         `json:"vendor"`
	Model   string         `json:"model"`
	PIN     pinInfo        `json:"pin"`
	Old     *containerInfo `json:"old,omitempty"`     // the certificate to be renewed
	Pending *containerInfo `json:"pending,omitempty"` // this attempt's container, with cert if installed
}

// selectDevice picks the device: the named one, the only one, or the only one
// that holds the certificate to be renewed.
func (s *session) selectDevice(c call) (any, error) {
	a, err := args[struct {
		SN string `json:"sn"`
	}](c.request)
	if err != nil {
		return nil, err
	}
	d, err := s.choose(a.SN)
	if err != nil {
		return nil, err
	}
	if s.dev == nil || s.info.Serial != d.SN {
		s.release()
		if err := s.claim(d.SN); err != nil {
			return nil, err
		}
		s.info.Serial = d.SN
		if s.dev, err = s.a.cfg.Driver.Open(d.SN); err != nil {
			s.disown(d.SN)
			return nil, err
		}
	}
	if s.info, err = s.dev.Info(); err != nil {
		return nil, err
	}
	out := selected{SN: d.SN, Label: d.Label, Vendor: d.Vendor, Model: d.Model, PIN: pinOf(s.info.PIN)}
	pending := hex.EncodeToString(s.newID())
	for _, row := range d.Containers {
		if row.Cert != nil && s.claims.Bind.OldSerial != "" && sameSerial(row.Cert.Serial, s.claims.Bind.OldSerial) {
			out.Old = &row
		}
		if row.Name == pending {
			out.Pending = &row
		}
	}
	return out, nil
}

func (s *session) disown(serial string) {
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	delete(s.a.owners, serial)
	s.dev, s.info = nil, token.Info{}
}

func (s *session) choose(sn string) (device, error) {
	all, err := s.list()
	if err != nil {
		return device{}, err
	}
	var fit []device
	for _, d := range all {
		if (sn == "" || d.SN == sn) && s.fits(d) {
			fit = append(fit, d)
		}
	}
	switch {
	case len(all) == 0:
		return device{}, fail(token.CodeNoDevice, nil)
	case len(fit) == 1:
		return fit[0], nil
	case len(fit) > 1:
		f := fail(codeMultiple, nil)
		f.Devices = fit
		return device{}, f
	default:
		return device{}, fail(codeWrongDevice, errors.New("no device fits the ticket"))
	}
}

// fits tells whether a device is the one the ticket is bound to: by its serial
// number, and by the old certificate or, once that is cleaned up, the new one.
func (s *session) fits(d device) bool {
	if s.claims.Bind.KeySN != "" && d.SN != s.claims.Bind.KeySN {
		return false
	}
	if s.claims.Bind.OldSerial == "" {
		return true
	}
	pending := hex.EncodeToString(s.newID())
	for _, row := range d.Containers {
		if row.Cert != nil && (row.Name == pending || sameSerial(row.Cert.Serial, s.claims.Bind.OldSerial)) {
			return true
		}
	}
	return false
}

// ready demands a selected device and, for all that use keys, a login.
func (s *session) ready() error {
	if s.dev == nil {
		return fail(codeNotSelected, nil)
	}
	if !s.loggedIn {
		return fail(token.CodeNotLoggedIn, nil)
	}
	return nil
}

type csrResult struct {
	CSR       string `json:"csr_pem"`
	SPKI      string `json:"spki_sha256"`
	Container string `json:"container"`
	Installed bool   `json:"installed"` // a certificate is in the container already
}

// csr makes this attempt's key pair, or finds the one an interrupted try made,
// and signs a request with it.
func (s *session) csr(c call) (any, error) {
	a, err := args[struct {
		Alg          token.Algorithm `json:"alg"`
		SubjectHint  string          `json:"subject_hint"`
		NewContainer bool            `json:"new_container"`
	}](c.request)
	if err != nil {
		return nil, err
	}
	if !a.NewContainer {
		return nil, fail(codeMessage, errors.New("new_container must be true: keys are never reused"))
	}
	if err := s.ready(); err != nil {
		return nil, err
	}
	container, err := s.keyFor(a.Alg)
	if err != nil {
		return nil, err
	}
	request, err := token.CreateCSR(s.dev, container.ID, a.SubjectHint)
	if err != nil {
		return nil, err
	}
	return csrResult{string(request), container.SPKISHA256(), container.Name(), container.Certificate != nil}, nil
}

func (s *session) keyFor(alg token.Algorithm) (token.Container, error) {
	id := s.newID()
	container, found, err := token.Find(s.dev, id)
	if err != nil {
		return token.Container{}, err
	}
	if found && container.HasPrivate && container.Public != nil && (container.Algorithm == alg || container.Certificate != nil) {
		return container, nil
	}
	if found { // half a key pair, or one of another algorithm that was never certified
		if err := s.dev.DeleteContainer(id); err != nil {
			return token.Container{}, err
		}
	}
	return s.dev.GenerateKeyPair(alg, id, "ukagent-"+hex.EncodeToString(id[:4]))
}

type proof struct {
	Sig       string `json:"sig"`            // base64url, SHA-256 with RSA PKCS #1 v1.5 or ECDSA ASN.1
	Cert      string `json:"cert,omitempty"` // PEM
	Container string `json:"container"`
}

// challenge checks that the page wants the ticket's nonce signed: a key signs
// nothing that the server did not ask for.
func (s *session) challenge(r request) error {
	a, err := args[struct {
		Challenge string `json:"challenge"`
	}](r)
	if err != nil {
		return err
	}
	if a.Challenge != "" && a.Challenge != s.claims.Nonce {
		return fail(codeTicket, errors.New("challenge is not the ticket's nonce"))
	}
	return s.ready()
}

func (s *session) prove(c token.Container) (proof, error) {
	sig, err := token.SignMessage(s.dev, c.ID, ticket.ProofMessage(s.origin, s.claims.Nonce))
	if err != nil {
		return proof{}, err
	}
	out := proof{Sig: base64.RawURLEncoding.EncodeToString(sig), Container: c.Name()}
	if c.Certificate != nil {
		out.Cert = string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate.Raw}))
	}
	return out, nil
}

// proveOld signs the nonce with the key of the certificate to be renewed.
func (s *session) proveOld(c call) (any, error) {
	if err := s.challenge(c.request); err != nil {
		return nil, err
	}
	if s.claims.Bind.OldSerial == "" {
		return nil, fail(codeTicket, errors.New("ticket binds no old certificate"))
	}
	all, err := s.dev.Containers()
	if err != nil {
		return nil, err
	}
	old, found := bySerial(all, s.claims.Bind.OldSerial)
	if !found {
		return nil, fail(codeWrongDevice, nil)
	}
	return s.prove(old)
}

// proveNew signs the nonce with the new key, once its certificate is installed.
func (s *session) proveNew(c call) (any, error) {
	if err := s.challenge(c.request); err != nil {
		return nil, err
	}
	container, found, err := token.Find(s.dev, s.newID())
	if err != nil {
		return nil, err
	}
	if !found || container.Certificate == nil {
		return nil, fail(token.CodeCertNotFound, errors.New("no certificate installed yet"))
	}
	return s.prove(container)
}
