//go:build unix

package token

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"unsafe"
)

// session is one opened PKCS #11 session: a Token.
type session struct {
	m      *Module
	slot   uintptr
	handle uintptr
	serial string
	epoch  int
	closed bool
}

// enter locks the module and refuses sessions of an earlier life of it.
func (s *session) enter(op string) (leave func(), err error) {
	s.m.mu.Lock()
	if s.closed || !s.m.ready || s.epoch != s.m.epoch {
		s.m.mu.Unlock()
		return nil, NewError(CodeDeviceError, op, errors.New("session is no longer valid"))
	}
	return s.m.mu.Unlock, nil
}

// Info reads the device's state afresh.
func (s *session) Info() (Info, error) {
	leave, err := s.enter("info")
	if err != nil {
		return Info{}, err
	}
	defer leave()
	raw, err := s.m.tokenInfo(s.slot)
	if err != nil {
		return Info{}, err
	}
	if info := raw.info(); info.Serial == s.serial {
		return info, nil
	}
	return Info{}, NewError(CodeRemoved, "info", errors.New("another device is in the slot"))
}

// Login tries the user PIN once.
func (s *session) Login(pin string) error {
	leave, err := s.enter("login")
	if err != nil {
		return err
	}
	defer leave()
	if pin == "" {
		return NewError(CodePINLength, "login", nil)
	}
	b := []byte(pin)
	defer clear(b)
	err = s.m.call("login", fnLogin, s.handle, ckuUser, uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	var e *Error
	if errors.As(err, &e) && e.Native == ckrAlreadyLoggedIn {
		return nil
	}
	return s.withTries(err)
}

// withTries adds what the token's flags say about the tries left.
func (s *session) withTries(err error) error {
	var e *Error
	if !errors.As(err, &e) || e.Code != CodePINIncorrect {
		return err
	}
	if raw, infoErr := s.m.tokenInfo(s.slot); infoErr == nil {
		e.RetryLeft = raw.info().PIN.RetryLeft
	}
	return e
}

// Logout ends the login; not being logged in is no error.
func (s *session) Logout() error {
	leave, err := s.enter("logout")
	if err != nil {
		return err
	}
	defer leave()
	if err := s.m.call("logout", fnLogout, s.handle); err != nil && CodeOf(err) != CodeNotLoggedIn {
		return err
	}
	return nil
}

// ChangePIN replaces the user PIN; the old one is tried once.
func (s *session) ChangePIN(old, fresh string) error {
	leave, err := s.enter("change_pin")
	if err != nil {
		return err
	}
	defer leave()
	if old == "" || fresh == "" {
		return NewError(CodePINLength, "change_pin", nil)
	}
	o, n := []byte(old), []byte(fresh)
	defer clear(o)
	defer clear(n)
	return s.withTries(s.m.call("change_pin", fnSetPIN, s.handle,
		uintptr(unsafe.Pointer(&o[0])), uintptr(len(o)), uintptr(unsafe.Pointer(&n[0])), uintptr(len(n))))
}

// Close ends the session. A login is the process's, not the session's: it ends
// with Logout or with the device's last session.
func (s *session) Close() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.closed || s.epoch != s.m.epoch || !s.m.ready {
		s.closed = true
		return nil
	}
	s.closed = true
	return s.m.call("close", fnCloseSession, s.handle)
}

// find lists the handles of matching objects.
func (s *session) find(attrs ...ckAttribute) ([]uintptr, error) {
	t := template(attrs)
	defer t.keep()
	if err := s.m.call("find", fnFindInit, s.handle, uintptr(t.ptr()), uintptr(len(t))); err != nil {
		return nil, err
	}
	defer s.m.call("find", fnFindFinal, s.handle)
	var out []uintptr
	for {
		var batch [32]uintptr
		var n uint
		if err := s.m.call("find", fnFind, s.handle, uintptr(unsafe.Pointer(&batch[0])), uintptr(len(batch)), uintptr(unsafe.Pointer(&n))); err != nil {
			return nil, err
		}
		if n == 0 {
			return out, nil
		}
		out = append(out, batch[:n]...)
	}
}

// attribute reads one attribute; absent or sensitive ones give nil.
func (s *session) attribute(object uintptr, kind uint) ([]byte, error) {
	t := template{{kind: kind}}
	defer t.keep()
	if err := s.m.call("attribute", fnGetAttribute, s.handle, object, uintptr(t.ptr()), 1); err != nil {
		if CodeOf(err) == CodeNotSupported {
			return nil, nil
		}
		return nil, err
	}
	if t[0].size == 0 || t[0].size > 1<<20 {
		return nil, nil
	}
	value := make([]byte, t[0].size)
	t[0].value = unsafe.Pointer(&value[0])
	if err := s.m.call("attribute", fnGetAttribute, s.handle, object, uintptr(t.ptr()), 1); err != nil {
		return nil, err
	}
	return value[:t[0].size], nil
}

// Containers groups the device's keys and certificates by id.
func (s *session) Containers() ([]Container, error) {
	leave, err := s.enter("containers")
	if err != nil {
		return nil, err
	}
	defer leave()
	byID := map[string]*Container{}
	for _, class := range []uint{ckoPublicKey, ckoPrivateKey, ckoCertificate} {
		objects, err := s.find(attrUint(ckaClass, class), attrBool(ckaToken, true))
		if err != nil {
			return nil, err
		}
		for _, object := range objects {
			if err := s.collect(byID, class, object); err != nil {
				return nil, err
			}
		}
	}
	var out []Container
	for _, c := range byID {
		out = append(out, *c)
	}
	slices.SortFunc(out, func(a, b Container) int { return cmp.Compare(string(a.ID), string(b.ID)) })
	return out, nil
}

func (s *session) collect(byID map[string]*Container, class uint, object uintptr) error {
	id, err := s.attribute(object, ckaID)
	if err != nil || len(id) == 0 {
		return err // CA certificates and the like have no id
	}
	c := byID[string(id)]
	if c == nil {
		label, err := s.attribute(object, ckaLabel)
		if err != nil {
			return err
		}
		c = &Container{ID: id, Label: string(label)}
		byID[string(id)] = c
	}
	switch class {
	case ckoPrivateKey:
		c.HasPrivate = true
	case ckoPublicKey:
		return s.readPublic(c, object)
	case ckoCertificate:
		der, err := s.attribute(object, ckaValue)
		if err != nil {
			return err
		}
		if cert, err := x509.ParseCertificate(der); err == nil { // SM2 ones cannot be read: not shown
			c.Certificate = cert
		}
	}
	return nil
}

func (s *session) readPublic(c *Container, object uintptr) error {
	modulus, err := s.attribute(object, ckaModulus)
	if err != nil {
		return err
	}
	if modulus != nil {
		exponent, err := s.attribute(object, ckaPublicExponent)
		if err != nil {
			return err
		}
		key, err := rsaPublic(modulus, exponent)
		if err == nil {
			c.Algorithm, c.Public = RSA2048, key
		}
		return nil
	}
	point, err := s.attribute(object, ckaECPoint)
	if err != nil || point == nil {
		return err
	}
	if key, err := ecPublic(point); err == nil {
		c.Algorithm, c.Public = P256, key
	}
	return nil
}

// private finds the container's private key object.
func (s *session) private(id []byte) (uintptr, error) {
	objects, err := s.find(attrUint(ckaClass, ckoPrivateKey), attrBytes(ckaID, id))
	if err != nil {
		return 0, err
	}
	if len(objects) == 0 {
		return 0, NewError(CodeKeyNotFound, "key", errors.New("no private key with this id; logged in?"))
	}
	return objects[0], nil
}

// InstallCertificate writes the certificate beside its key and removes any other
// certificate of the container afterwards. Writing the same one again changes
// nothing. KEY_MISMATCH when the container's public key is another one.
func (s *session) InstallCertificate(id []byte, label string, der []byte) error {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return NewError(CodeKeyMismatch, "install", err)
	}
	c, found, err := Find(s, id)
	if err != nil {
		return err
	}
	if !found || c.Public == nil {
		return NewError(CodeKeyNotFound, "install", nil)
	}
	if !c.Public.(interface{ Equal(crypto.PublicKey) bool }).Equal(cert.PublicKey) {
		return NewError(CodeKeyMismatch, "install", errors.New("certificate is for another key"))
	}
	leave, err := s.enter("install")
	if err != nil {
		return err
	}
	defer leave()
	old, err := s.find(attrUint(ckaClass, ckoCertificate), attrBytes(ckaID, id))
	if err != nil {
		return err
	}
	present := false
	for _, object := range old {
		value, err := s.attribute(object, ckaValue)
		if err != nil {
			return err
		}
		present = present || bytes.Equal(value, der)
	}
	if !present {
		if err := s.writeCertificate(id, label, cert); err != nil {
			return err
		}
	}
	return s.dropOthers(old, der)
}

func (s *session) writeCertificate(id []byte, label string, cert *x509.Certificate) error {
	serial, err := derInteger(cert.SerialNumber)
	if err != nil {
		return NewError(CodeKeyMismatch, "install", err)
	}
	t := template{
		attrUint(ckaClass, ckoCertificate), attrUint(ckaCertificateType, 0), attrBool(ckaToken, true), attrBool(ckaPrivate, false),
		attrBytes(ckaID, id), attrBytes(ckaLabel, []byte(label)), attrBytes(ckaSubject, cert.RawSubject),
		attrBytes(ckaIssuer, cert.RawIssuer), attrBytes(ckaSerialNumber, serial), attrBytes(ckaValue, cert.Raw),
	}
	defer t.keep()
	var object uintptr
	return s.m.call("install", fnCreateObject, s.handle, uintptr(t.ptr()), uintptr(len(t)), uintptr(unsafe.Pointer(&object)))
}

func (s *session) dropOthers(objects []uintptr, keep []byte) error {
	for _, object := range objects {
		value, err := s.attribute(object, ckaValue)
		if err != nil {
			return err
		}
		if !bytes.Equal(value, keep) {
			if err := s.m.call("install", fnDestroyObject, s.handle, object); err != nil {
				return err
			}
		}
	}
	return nil
}

// ReadCertificate gives the DER of the container's certificate as stored.
func (s *session) ReadCertificate(id []byte) ([]byte, error) {
	leave, err := s.enter("read")
	if err != nil {
		return nil, err
	}
	defer leave()
	objects, err := s.find(attrUint(ckaClass, ckoCertificate), attrBytes(ckaID, id))
	if err != nil {
		return nil, err
	}
	if len(objects) != 1 {
		return nil, NewError(CodeCertNotFound, "read", fmt.Errorf("%d certificates with this id", len(objects)))
	}
	return s.attribute(objects[0], ckaValue)
}

// DeleteContainer removes certificate, public and private key, in this order: an
// interrupted deletion leaves a container without certificate, never a
// certificate without its key.
func (s *session) DeleteContainer(id []byte) error {
	leave, err := s.enter("delete")
	if err != nil {
		return err
	}
	defer leave()
	if len(id) == 0 {
		return NewError(CodeKeyNotFound, "delete", nil)
	}
	for _, class := range []uint{ckoCertificate, ckoPublicKey, ckoPrivateKey} {
		objects, err := s.find(attrUint(ckaClass, class), attrBytes(ckaID, id))
		if err != nil {
			return err
		}
		for _, object := range objects {
			if err := s.m.call("delete", fnDestroyObject, s.handle, object); err != nil {
				return err
			}
		}
	}
	return nil
}
