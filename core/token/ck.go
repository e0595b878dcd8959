//go:build unix

package token

import (
	"runtime"
	"unsafe"
)

// The parts of PKCS #11 v2.40 used here. On Unix CK_ULONG is the machine word and
// structures have natural alignment, so Go structs match.

// functionList is CK_FUNCTION_LIST: a version, padding, 68 functions.
type functionList struct {
	_  [2]byte
	fn [68]uintptr
}

// Indexes into the function list.
const (
	fnInitialize    = 0
	fnFinalize      = 1
	fnGetSlotList   = 4
	fnGetTokenInfo  = 6
	fnInitToken     = 9
	fnInitPIN       = 10
	fnSetPIN        = 11
	fnOpenSession   = 12
	fnCloseSession  = 13
	fnLogin         = 18
	fnLogout        = 19
	fnCreateObject  = 20
	fnDestroyObject = 22
	fnGetAttribute  = 24
	fnFindInit      = 26
	fnFind          = 27
	fnFindFinal     = 28
	fnSignInit      = 42
	fnSign          = 43
	fnGenerateKey   = 59 // C_GenerateKeyPair
)

const (
	ckrOK                 = 0x00
	ckrDeviceRemoved      = 0x32
	ckrPINIncorrect       = 0xA0
	ckrPINLocked          = 0xA4
	ckrAlreadyLoggedIn    = 0x100
	ckrAlreadyInitialized = 0x191

	ckfSerialSession    = 4
	ckfRWSession        = 2
	ckfOSLocking        = 2
	ckfUserPINInit      = 0x8
	ckfTokenInitialized = 0x400
	ckfPINCountLow      = 0x10000
	ckfPINFinalTry      = 0x20000
	ckfPINLocked        = 0x40000
	ckfPINToBeChanged   = 0x80000

	ckuSO   = 0
	ckuUser = 1

	ckoCertificate = 1
	ckoPublicKey   = 2
	ckoPrivateKey  = 3
	ckkRSA         = 0
	ckkEC          = 3

	ckmRSAKeyPairGen = 0x0000
	ckmRSAPKCS       = 0x0001
	ckmECKeyPairGen  = 0x1040
	ckmECDSA         = 0x1041

	ckaClass           = 0x000
	ckaToken           = 0x001
	ckaPrivate         = 0x002
	ckaLabel           = 0x003
	ckaValue           = 0x011
	ckaCertificateType = 0x080
	ckaIssuer          = 0x081
	ckaSerialNumber    = 0x082
	ckaKeyType         = 0x100
	ckaSubject         = 0x101
	ckaID              = 0x102
	ckaSensitive       = 0x103
	ckaEncrypt         = 0x104
	ckaDecrypt         = 0x105
	ckaWrap            = 0x106
	ckaUnwrap          = 0x107
	ckaSign            = 0x108
	ckaVerify          = 0x10A
	ckaDerive          = 0x10C
	ckaModulus         = 0x120
	ckaModulusBits     = 0x121
	ckaPublicExponent  = 0x122
	ckaExtractable     = 0x162
	ckaECParams        = 0x180
	ckaECPoint         = 0x181
)

// ckAttribute is CK_ATTRIBUTE. The value is a Go pointer: the collector keeps it
// alive as long as the template, which callers keep alive over the call.
type ckAttribute struct {
	kind  uint
	value unsafe.Pointer
	size  uint
}

type ckMechanism struct {
	kind  uint
	value unsafe.Pointer
	size  uint
}

type ckInitArgs struct {
	mutexes  [4]uintptr
	flags    uint
	reserved uintptr
}

type ckTokenInfo struct {
	label, vendor             [32]byte
	model, serial             [16]byte
	flags                     uint
	maxSessions, sessions     uint
	maxRWSessions, rwSessions uint
	maxPIN, minPIN            uint
	totalPublic, freePublic   uint
	totalPrivate, freePrivate uint
	hardware, firmware        [2]byte
	utc                       [16]byte
}

func attrBytes(kind uint, v []byte) ckAttribute {
	if len(v) == 0 {
		return ckAttribute{kind: kind}
	}
	return ckAttribute{kind, unsafe.Pointer(&v[0]), uint(len(v))}
}

func attrUint(kind uint, v uint) ckAttribute {
	return ckAttribute{kind, unsafe.Pointer(&v), uint(unsafe.Sizeof(v))}
}

func attrBool(kind uint, v bool) ckAttribute {
	b := new(byte)
	if v {
		*b = 1
	}
	return ckAttribute{kind, unsafe.Pointer(b), 1}
}

// template hands a list of attributes to a call and keeps it alive.
type template []ckAttribute

func (t template) ptr() unsafe.Pointer {
	if len(t) == 0 {
		return nil
	}
	return unsafe.Pointer(&t[0])
}

func (t template) keep() { runtime.KeepAlive([]ckAttribute(t)) }
