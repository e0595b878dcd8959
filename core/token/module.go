//go:build unix

package token

import (
	"bytes"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// Module is a loaded PKCS #11 library: a Driver. Loading runs foreign code in
// this process: a crash in it ends the process, hence the agent is one of its own.
type Module struct {
	mu     sync.Mutex // one operation at a time, in the whole module
	path   string
	handle uintptr
	list   *functionList
	ready  bool
	closed bool
	epoch  int // rises with each re-initialisation: older sessions are dead
}

// Open loads a PKCS #11 library by absolute path and initialises it. Errors carry
// DRIVER_MISSING or DEVICE_ERROR.
func Open(modulePath string) (*Module, error) {
	handle, err := purego.Dlopen(modulePath, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, NewError(CodeDriverMissing, "load", err)
	}
	symbol, err := purego.Dlsym(handle, "C_GetFunctionList")
	if err != nil {
		return nil, NewError(CodeDriverMissing, "load", fmt.Errorf("%s is no PKCS #11 module: %w", modulePath, err))
	}
	m := &Module{path: modulePath, handle: handle}
	if rv, _, _ := purego.SyscallN(symbol, uintptr(unsafe.Pointer(&m.list))); rv != ckrOK || m.list == nil {
		return nil, NewError(CodeDriverMissing, "load", fmt.Errorf("C_GetFunctionList answered 0x%X", rv))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.initialize(); err != nil {
		return nil, err
	}
	return m, nil
}

// Name is "pkcs11".
func (m *Module) Name() string { return "pkcs11" }

// Close finalises the library. It stays mapped: modules rarely survive an unload.
func (m *Module) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	if m.ready {
		m.ready = false
		return m.call("finalize", fnFinalize, 0)
	}
	return nil
}

// call runs one function of the module; arguments are words or pointers. The
// directive keeps what converted pointers point to alive and in place.
//
//go:uintptrescapes
func (m *Module) call(op string, fn int, args ...uintptr) error {
	rv, _, _ := purego.SyscallN(m.list.fn[fn], args...)
	return m.judge(op, rv)
}

// judge maps a return value and notes when the module needs a fresh start.
func (m *Module) judge(op string, rv uintptr) error {
	if rv == ckrOK {
		return nil
	}
	err := &Error{Code: codeOfNative(uint64(rv)), Op: op, RetryLeft: RetryUnknown, Native: uint64(rv)}
	if err.Code == CodePINLocked {
		err.RetryLeft = 0
	}
	if slices.Contains(fatal, uint64(rv)) {
		m.ready = false // the next Devices or Open starts the module afresh
	}
	return err
}

func (m *Module) initialize() error {
	if m.closed {
		return NewError(CodeDriverMissing, "initialize", fmt.Errorf("module is closed"))
	}
	if m.ready {
		return nil
	}
	if m.epoch > 0 {
		purego.SyscallN(m.list.fn[fnFinalize], 0) // its answer says nothing: the module is broken
	}
	args := &ckInitArgs{flags: ckfOSLocking}
	rv, _, _ := purego.SyscallN(m.list.fn[fnInitialize], uintptr(unsafe.Pointer(args)))
	if rv != ckrOK && rv != ckrAlreadyInitialized {
		return &Error{Code: CodeDeviceError, Op: "initialize", RetryLeft: RetryUnknown, Native: uint64(rv)}
	}
	m.ready = true
	m.epoch++
	return nil
}

// Devices lists the initialised tokens present.
func (m *Module) Devices() ([]Info, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.initialize(); err != nil {
		return nil, err
	}
	slots, err := m.slots()
	if err != nil {
		return nil, err
	}
	var out []Info
	for _, slot := range slots {
		raw, err := m.tokenInfo(slot)
		if code := CodeOf(err); code == CodeNoDevice || code == CodeRemoved {
			continue
		}
		if err != nil {
			return nil, err
		}
		if raw.flags&ckfTokenInitialized != 0 {
			out = append(out, raw.info())
		}
	}
	return out, nil
}

// Open opens a read-write session on the device with this serial number.
func (m *Module) Open(serial string) (Token, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.initialize(); err != nil {
		return nil, err
	}
	slot, err := m.slotOf(serial)
	if err != nil {
		return nil, err
	}
	s := &session{m: m, slot: slot, serial: serial, epoch: m.epoch}
	if err := m.call("open", fnOpenSession, slot, ckfSerialSession|ckfRWSession, 0, 0, uintptr(unsafe.Pointer(&s.handle))); err != nil {
		return nil, err
	}
	return s, nil
}

func (m *Module) slotOf(serial string) (uintptr, error) {
	slots, err := m.slots()
	if err != nil {
		return 0, err
	}
	for _, slot := range slots {
		raw, err := m.tokenInfo(slot)
		if err == nil && raw.flags&ckfTokenInitialized != 0 && text(raw.serial[:]) == serial {
			return slot, nil
		}
	}
	return 0, NewError(CodeNoDevice, "open", nil)
}

func (m *Module) slots() ([]uintptr, error) {
	var n uint
	if err := m.call("slots", fnGetSlotList, 1, 0, uintptr(unsafe.Pointer(&n))); err != nil {
		return nil, err
	}
	slots := make([]uintptr, n+4) // room for a device plugged in between the two calls
	n = uint(len(slots))
	if err := m.call("slots", fnGetSlotList, 1, uintptr(unsafe.Pointer(&slots[0])), uintptr(unsafe.Pointer(&n))); err != nil {
		return nil, err
	}
	return slots[:n], nil
}

func (m *Module) tokenInfo(slot uintptr) (*ckTokenInfo, error) {
	raw := new(ckTokenInfo)
	err := m.call("info", fnGetTokenInfo, slot, uintptr(unsafe.Pointer(raw)))
	return raw, err
}

func (t *ckTokenInfo) info() Info {
	pin := PINState{
		RetryLeft:   RetryUnknown,
		Low:         t.flags&ckfPINCountLow != 0,
		Locked:      t.flags&ckfPINLocked != 0,
		Initialized: t.flags&ckfUserPINInit != 0,
		Default:     t.flags&ckfPINToBeChanged != 0,
		MinLen:      int(t.minPIN), MaxLen: int(t.maxPIN),
	}
	switch {
	case pin.Locked:
		pin.RetryLeft = 0
	case t.flags&ckfPINFinalTry != 0:
		pin.RetryLeft = 1
	}
	return Info{Serial: text(t.serial[:]), Label: text(t.label[:]), Vendor: text(t.vendor[:]), Model: text(t.model[:]), PIN: pin}
}

// text strips the padding of a fixed-length field.
func text(b []byte) string { return string(bytes.TrimRight(b, " \x00")) }

// InitToken formats a blank slot's token: label (≤ 32 bytes), security officer
// PIN and user PIN. It gives the new device's serial number. Everything on an
// already initialised token would be lost, so it takes only blank ones.
func (m *Module) InitToken(label, soPIN, userPIN string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.initialize(); err != nil {
		return "", err
	}
	slot, err := m.blankSlot()
	if err != nil {
		return "", err
	}
	padded := append([]byte(label), bytes.Repeat([]byte(" "), max(0, 32-len(label)))...)
	so, user := []byte(soPIN), []byte(userPIN)
	if len(padded) != 32 || len(so) == 0 || len(user) == 0 {
		return "", NewError(CodePINLength, "init", fmt.Errorf("label must have at most 32 bytes, PINs at least one"))
	}
	if err := m.call("init", fnInitToken, slot, uintptr(unsafe.Pointer(&so[0])), uintptr(len(so)), uintptr(unsafe.Pointer(&padded[0]))); err != nil {
		return "", err
	}
	slot, err = m.slotByLabel(label) // SoftHSM moves the token to another slot number
	if err != nil {
		return "", err
	}
	var session uintptr
	if err := m.call("init", fnOpenSession, slot, ckfSerialSession|ckfRWSession, 0, 0, uintptr(unsafe.Pointer(&session))); err != nil {
		return "", err
	}
	defer m.call("init", fnCloseSession, session)
	if err := m.call("init", fnLogin, session, ckuSO, uintptr(unsafe.Pointer(&so[0])), uintptr(len(so))); err != nil {
		return "", err
	}
	defer m.call("init", fnLogout, session)
	if err := m.call("init", fnInitPIN, session, uintptr(unsafe.Pointer(&user[0])), uintptr(len(user))); err != nil {
		return "", err
	}
	raw, err := m.tokenInfo(slot)
	return text(raw.serial[:]), err
}

func (m *Module) blankSlot() (uintptr, error) {
	return m.slotWhere(func(t *ckTokenInfo) bool { return t.flags&ckfTokenInitialized == 0 })
}

func (m *Module) slotByLabel(label string) (uintptr, error) {
	return m.slotWhere(func(t *ckTokenInfo) bool {
		return t.flags&ckfTokenInitialized != 0 && text(t.label[:]) == label
	})
}

func (m *Module) slotWhere(want func(*ckTokenInfo) bool) (uintptr, error) {
	slots, err := m.slots()
	if err != nil {
		return 0, err
	}
	slices.Reverse(slots) // the newest token last wins when labels repeat
	for _, slot := range slots {
		if raw, err := m.tokenInfo(slot); err == nil && want(raw) {
			return slot, nil
		}
	}
	return 0, NewError(CodeNoDevice, "slot", nil)
}

// nativeCodes maps CKR values to codes; anything else is DEVICE_ERROR.
var nativeCodes = map[uint64]Code{
	0x01: CodeCancelled, 0x03: CodeNoDevice, 0x50: CodeCancelled,
	0x11: CodeNotSupported, 0x12: CodeNotSupported, // attribute sensitive or unknown
	0x31: CodeNoSpace, ckrDeviceRemoved: CodeRemoved,
	0x54: CodeNotSupported, 0x70: CodeNotSupported, 0x140: CodeNotSupported, 0x62: CodeNotSupported,
	0x60: CodeKeyNotFound, 0x82: CodeKeyNotFound,
	ckrPINIncorrect: CodePINIncorrect, 0xA1: CodePINInvalid, 0xA2: CodePINLength, 0xA3: CodePINInvalid, ckrPINLocked: CodePINLocked,
	0xE0: CodeNoDevice, 0xE1: CodeNoDevice, 0xE2: CodeNoSpace,
	0x101: CodeNotLoggedIn, 0x102: CodePINNotInit, 0x1C3: CodePINInvalid,
}

// fatal are the answers after which a module says nothing useful until it is
// initialised again: general error, function failed, device error, session
// closed or invalid, not initialised.
var fatal = []uint64{0x05, 0x06, 0x30, 0xB0, 0xB3, 0x190}

func codeOfNative(rv uint64) Code {
	if c, ok := nativeCodes[rv]; ok {
		return c
	}
	return CodeDeviceError
}
