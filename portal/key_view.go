package portal

import (
	"encoding/json"

	"certsaas/core/i18n"
	"certsaas/core/order"
	"certsaas/core/web/ui"
)

// keyView is the key page. All its states are in the page; its script shows one at a time.
type keyView struct {
	Kicker, URL, Order, Number string
	Steps                      []ui.Step
	Which                      string // "2 / 3" when the order has several keys
	Arts                       []ui.KeyState
	Panels                     []keyPanel
	Work                       []keyWork
	Words                      string // sentences for the agent's error codes, JSON
	Script                     string
}

// keyPanel is one instruction: what the page says in one state, and the buttons it offers.
type keyPanel struct {
	ID, Title, Text string
	Art             ui.KeyState
	Go              string // words of the button that begins or begins again
	Agent           bool   // link to the agent's page
	Tries           bool   // the tries left, large
	Window          bool   // link to the agent's window
	Devices         bool   // list of devices to choose from
	Why             bool   // what went wrong
}

// keyWork is one step of the writing.
type keyWork struct{ ID, Label string }

// panels in the order of the way; "start" is what a visitor sees first.
var panels = []keyPanel{
	{ID: "start", Art: ui.KeyNone, Agent: true, Go: "after.key.go"},
	{ID: "looking", Art: ui.KeyNone},
	{ID: "missing", Art: ui.KeyNone, Agent: true, Go: "after.key.again"},
	{ID: "denied", Art: ui.KeyNone, Agent: true, Go: "after.key.again"},
	{ID: "refused", Art: ui.KeyNone, Agent: true, Go: "after.key.again"},
	{ID: "old", Art: ui.KeyNone, Agent: true, Go: "after.key.again"},
	{ID: "absent", Art: ui.KeyAbsent, Go: "after.key.again"},
	{ID: "choose", Art: ui.KeyFound, Devices: true},
	{ID: "found", Art: ui.KeyFound},
	{ID: "wrong", Art: ui.KeyWrong, Why: true, Go: "after.key.again"},
	{ID: "pin", Art: ui.KeyPIN, Tries: true, Window: true},
	{ID: "locked", Art: ui.KeyFailed, Go: "after.key.again"},
	{ID: "writing", Art: ui.KeyWriting},
	{ID: "done", Art: ui.KeyDone},
	{ID: "failed", Art: ui.KeyFailed, Why: true, Go: "after.key.again"},
}

// agentCodes are the key agent's errors, see core/token and keyagent/agent.
var agentCodes = []string{"NO_DEVICE", "MULTIPLE_DEVICES", "WRONG_DEVICE", "PIN_INCORRECT", "PIN_LOCKED", "PIN_LENGTH", "PIN_INVALID", "PIN_NOT_INIT",
	"NOT_LOGGED_IN", "DEVICE_REMOVED", "DEVICE_ERROR", "NO_SPACE", "KEY_NOT_FOUND", "CERT_NOT_FOUND", "KEY_MISMATCH", "DRIVER_MISSING", "NOT_SUPPORTED",
	"USER_CANCELLED", "BUSY", "TICKET_INVALID", "ORIGIN_DENIED", "TIMEOUT", "MESSAGE_INVALID", "RATE_LIMITED", "NOT_SELECTED", "READBACK_FAILED",
	"AGENT_GONE", "OFFLINE"}

// works are the steps of the writing as the page ticks them off.
var works = []string{"prove_old", "csr", "enroll", "install", "prove_new", "confirm", "cleanup"}

func keyViewOf(h handed, say i18n.Printer) keyView {
	v := keyView{Kicker: h.Item.Name.In(say.Locale()), URL: keyURL(h.Order, h.item), Order: orderURL(h.Order), Number: h.Number,
		Steps: journey(h.Item, stageInstall, say), Script: scriptURL(), Which: whichKey(h, say),
		Arts: []ui.KeyState{ui.KeyNone, ui.KeyAbsent, ui.KeyFound, ui.KeyWrong, ui.KeyPIN, ui.KeyWriting, ui.KeyDone, ui.KeyFailed}}
	for _, x := range panels {
		x.Title, x.Text = say.T("after.key."+x.ID), say.T("after.key."+x.ID+"_text")
		if x.Go != "" {
			x.Go = say.T(x.Go)
		}
		v.Panels = append(v.Panels, x)
	}
	for _, id := range works {
		v.Work = append(v.Work, keyWork{id, say.T("after.key.work." + id)})
	}
	words := map[string]string{}
	for _, code := range agentCodes {
		words[code] = say.T("after.key.code." + code)
	}
	b, err := json.Marshal(words)
	if err != nil { // strings only: cannot happen
		b = []byte("{}")
	}
	v.Words = string(b)
	return v
}

// whichKey says which of several keys it is.
func whichKey(h handed, say i18n.Printer) string {
	if len(h.Items) < 2 {
		return ""
	}
	return say.T("after.key.which", "N", h.item.Seq, "Count", len(h.Items))
}

// keyDoneView is the page of success (req B58).
type keyDoneView struct {
	Kicker, Lead, URL string
	Steps             []ui.Step
	Data              []ui.Datum
	Next              string // key page of the next key that waits
	NextLabel         string
	Notices           []string
}

func keyDoneViewOf(h handed, say i18n.Printer) keyDoneView {
	v := keyDoneView{Kicker: h.Item.Name.In(say.Locale()), URL: orderURL(h.Order), Steps: journey(h.Item, stageOf(h.Order, h.Item), say),
		Notices: noticesOf(h.Item, say.Locale())}
	v.Data = append(v.Data, ui.Datum{Label: say.T("portal.order_number"), Value: h.Number, Mono: true})
	if h.item.TokenSerial != "" {
		v.Data = append(v.Data, ui.Datum{Label: say.T("after.token"), Value: h.item.TokenSerial, Mono: true})
	}
	if x := h.live(h.item); x != nil {
		v.Lead = say.T("after.valid_until", "Date", ui.Date(x.NotAfter))
		v.Data = append(v.Data, ui.Datum{Label: say.T("after.serial"), Value: x.Certificate.Serial(), Mono: true},
			ui.Datum{Label: say.T("after.validity"), Value: say.T("after.from_to", "From", ui.Date(x.NotBefore), "To", ui.Date(x.NotAfter))})
	}
	if it, ok := h.openItem(); ok && h.State == order.ReadyToInstall {
		v.Next, v.NextLabel = keyURL(h.Order, it), say.T("after.key.next", "N", it.Seq)
	}
	return v
}
