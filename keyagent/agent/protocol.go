package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"certsaas/core/token"
	"certsaas/core/token/ticket"
)

// Subprotocol is the WebSocket subprotocol; Proto the version hello reports.
const (
	Subprotocol = "ukagent.v1"
	Proto       = 1
	// MaxMessage bounds one message in bytes.
	MaxMessage = 256 << 10
)

// request is one message of a page.
type request struct {
	ID     string          `json:"id"`
	Op     string          `json:"op"`
	Ticket string          `json:"ticket,omitempty"`
	Args   json.RawMessage `json:"args,omitempty"`
}

// reply answers one request, by its id.
type reply struct {
	ID     string  `json:"id"`
	OK     bool    `json:"ok"`
	Result any     `json:"result,omitempty"`
	Error  *Failed `json:"error,omitempty"`
}

// Event is sent without being asked for: device inserted or removed, and the
// PIN dialog's address and progress.
type Event struct {
	Event     string `json:"event"`            // device, pin_prompt, pin_wrong, pin_done
	Type      string `json:"type,omitempty"`   // device: inserted, removed
	SN        string `json:"sn,omitempty"`     // device serial number
	URL       string `json:"url,omitempty"`    // pin_prompt: the agent's own page
	Opened    bool   `json:"opened,omitempty"` // pin_prompt: the agent opened the window itself
	RetryLeft *int   `json:"retry_left,omitempty"`
	For       string `json:"for,omitempty"` // id of the request it belongs to
}

// Failed is the error of a reply.
type Failed struct {
	Code      token.Code `json:"code"`
	Message   string     `json:"message"` // Chinese; pages translate by code
	RetryLeft *int       `json:"retry_left,omitempty"`
	Native    string     `json:"native,omitempty"` // the driver's code, hex
	Devices   []device   `json:"devices,omitempty"`
	cause     error
}

func (f *Failed) Error() string {
	if f.cause != nil {
		return string(f.Code) + ": " + f.cause.Error()
	}
	return string(f.Code)
}

func (f *Failed) Unwrap() error { return f.cause }

// The codes that only the agent knows; the device's own are in core/token.
const (
	codeMultiple    token.Code = "MULTIPLE_DEVICES"
	codeWrongDevice token.Code = "WRONG_DEVICE"
	codeTicket      token.Code = "TICKET_INVALID"
	codeOrigin      token.Code = "ORIGIN_DENIED"
	codeTimeout     token.Code = "TIMEOUT"
	codeMessage     token.Code = "MESSAGE_INVALID"
	codeRate        token.Code = "RATE_LIMITED"
	codeNotSelected token.Code = "NOT_SELECTED"
	codeReadback    token.Code = "READBACK_FAILED"
)

var messages = map[token.Code]string{
	token.CodeNoDevice:      "请插入USBKEY",
	codeMultiple:            "插入了多个USBKEY，请选择",
	codeWrongDevice:         "插入的不是待更新的USBKEY",
	token.CodePINIncorrect:  "口令错误",
	token.CodePINLocked:     "USBKEY已锁定，请申请解锁",
	token.CodePINLength:     "口令长度不符合要求",
	token.CodePINInvalid:    "口令不可用",
	token.CodePINNotInit:    "USBKEY尚未设置口令",
	token.CodeNotLoggedIn:   "请先输入口令",
	token.CodeRemoved:       "USBKEY已拔出，重新插入后点重试",
	token.CodeDeviceError:   "USBKEY没有正确应答，请拔出后重新插入再试",
	token.CodeNoSpace:       "USBKEY空间不足",
	token.CodeKeyNotFound:   "USBKEY中没有找到密钥",
	token.CodeCertNotFound:  "USBKEY中没有找到证书",
	token.CodeKeyMismatch:   "证书与USBKEY中的密钥不一致",
	token.CodeDriverMissing: "没有找到USBKEY驱动，请先安装驱动",
	token.CodeNotSupported:  "此USBKEY不支持该操作",
	token.CodeCancelled:     "已取消",
	token.CodeBusy:          "USBKEY正忙，请稍候",
	codeTicket:              "操作许可无效或已过期，请刷新页面",
	codeOrigin:              "此网站未被允许使用USBKEY助手",
	codeTimeout:             "等待超时，请重试",
	codeMessage:             "请求格式不正确",
	codeRate:                "请求过于频繁，请稍候",
	codeNotSelected:         "请先选择USBKEY",
	codeReadback:            "写入后读回不一致，请重试",
}

func fail(code token.Code, cause error) *Failed {
	return &Failed{Code: code, Message: messages[code], cause: cause}
}

// failedOf turns any error into what a page is told.
func failedOf(err error) *Failed {
	var f *Failed
	if errors.As(err, &f) {
		return f
	}
	var e *token.Error
	if !errors.As(err, &e) {
		return fail(token.CodeDeviceError, err)
	}
	f = fail(e.Code, err)
	if e.RetryLeft != token.RetryUnknown {
		f.RetryLeft = &e.RetryLeft
		if e.Code == token.CodePINIncorrect {
			f.Message = fmt.Sprintf("口令错误，还可重试 %d 次", e.RetryLeft)
		}
	}
	if e.Native != 0 {
		f.Native = fmt.Sprintf("0x%X", e.Native)
	}
	return f
}

// parseRequest reads one message strictly.
func parseRequest(data []byte) (request, error) {
	var r request
	if err := strict(data, &r); err != nil {
		return request{}, err
	}
	if r.ID == "" || len(r.ID) > 64 {
		return request{}, errors.New("id must have 1 to 64 bytes")
	}
	if _, known := operations[r.Op]; !known {
		return r, fmt.Errorf("unknown op %.32q", r.Op)
	}
	return r, nil
}

// strict decodes exactly one JSON value without unknown fields.
func strict(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("trailing data")
	}
	return nil
}

// args decodes a request's arguments; none is an empty object.
func args[T any](r request) (T, error) {
	var v T
	raw := r.Args
	if len(raw) == 0 {
		raw = []byte("{}")
	}
	if err := strict(raw, &v); err != nil {
		return v, fail(codeMessage, err)
	}
	return v, nil
}

// operation is one row of the protocol: what the ticket must allow ("" = any
// ticket will do, "-" = no ticket needed) and the work.
type operation struct {
	needs string
	run   func(*session, call) (any, error)
}

// operations is the protocol. Every one but ping and cancel needs a ticket.
var operations map[string]operation

func init() {
	operations = map[string]operation{
		"ping":       {"-", nil},
		"cancel":     {"-", nil},
		"enumerate":  {ticket.OpEnumerate, (*session).enumerate},
		"select":     {ticket.OpEnumerate, (*session).selectDevice},
		"login":      {"", (*session).login},
		"csr":        {ticket.OpCSR, (*session).csr},
		"prove_old":  {ticket.OpProve, (*session).proveOld},
		"install":    {ticket.OpInstall, (*session).install},
		"prove_new":  {ticket.OpProve, (*session).proveNew},
		"cleanup":    {ticket.OpCleanup, (*session).cleanup},
		"change_pin": {ticket.OpChangePIN, (*session).changePIN},
	}
}
