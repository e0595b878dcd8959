package ui

import (
	"time"

	"github.com/a-h/templ"
)

// Event is one line of an order's time line, newest first.
type Event struct {
	At     time.Time
	Title  string // "审核通过"
	Who    string // "您", "审核员", "系统"
	Reason string // why, when there is a why
	Tone   Tone
}

// NextProps is the card with the one thing to do now, on top of an order.
type NextProps struct {
	State  string // the state in words: "待支付"
	Tone   Tone
	Title  string // "请在 23 小时内完成支付"
	Text   string
	Action templ.Component // one button
	Plain  templ.Component // its plain alternative: 稍后支付
}

// Shanghai is where every date of a page is shown.
var Shanghai = time.FixedZone("CST", 8*60*60)

// DateTime is "2006-01-02 15:04" in Asia/Shanghai; "" for the zero time.
func DateTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(Shanghai).Format("2006-01-02 15:04")
}

// Date is "2006-01-02" in Asia/Shanghai; "" for the zero time.
func Date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(Shanghai).Format("2006-01-02")
}

// KeyState is what the drawing of the key shows.
type KeyState string

// The states of the key on the key page.
const (
	KeyNone    KeyState = ""        // at rest: entry page
	KeyAbsent  KeyState = "absent"  // no key plugged in
	KeyFound   KeyState = "found"   // the right key
	KeyWrong   KeyState = "wrong"   // another key
	KeyPIN     KeyState = "pin"     // waiting for the PIN in the agent's window
	KeyWriting KeyState = "writing" // certificate being written
	KeyDone    KeyState = "done"    // certificate read back and proven
	KeyFailed  KeyState = "failed"  // try again
)
