package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"certsaas/core/token"
	"certsaas/core/token/softtoken"
	"certsaas/core/token/ticket"

	"github.com/coder/websocket"
)

// Host and Origin decide who is heard at all.
func TestGuards(t *testing.T) {
	w := newWorld(t, token.P256)
	host := fmt.Sprintf("127.0.0.1:%d", w.port)
	for name, c := range map[string]struct {
		host, path string
		origin     []string
		status     int
	}{
		"allowed":           {host, "/v1/hello", []string{origin}, 200},
		"localhost":         {fmt.Sprintf("localhost:%d", w.port), "/v1/hello", []string{origin}, 200},
		"no origin":         {host, "/v1/hello", nil, 403},
		"null origin":       {host, "/v1/hello", []string{"null"}, 403},
		"foreign origin":    {host, "/v1/hello", []string{"https://evil.example"}, 403},
		"suffix origin":     {host, "/v1/hello", []string{origin + ".evil.example"}, 403},
		"other scheme":      {host, "/v1/hello", []string{"http://byd.example.cn"}, 403},
		"two origins":       {host, "/v1/hello", []string{origin, "https://evil.example"}, 403},
		"rebound name":      {fmt.Sprintf("evil.example:%d", w.port), "/v1/hello", []string{origin}, 403},
		"rebound 127.":      {fmt.Sprintf("127.0.0.1.evil.example:%d", w.port), "/v1/hello", []string{origin}, 403},
		"other port":        {"127.0.0.1:1", "/v1/hello", []string{origin}, 403},
		"no port":           {"127.0.0.1", "/v1/hello", []string{origin}, 403},
		"ws foreign origin": {host, "/v1/ws", []string{"https://evil.example"}, 403},
		"ws no origin":      {host, "/v1/ws", nil, 403},
		"unknown pin page":  {host, "/pin/00", nil, 404},
		"elsewhere":         {host, "/", []string{origin}, 404},
	} {
		req := must(http.NewRequest("GET", "http://"+host+c.path, nil))(t)
		req.Host = c.host
		req.Header["Origin"] = c.origin
		res := must(http.DefaultClient.Do(req))(t)
		_ = res.Body.Close()
		allow := res.Header.Get("Access-Control-Allow-Origin")
		if res.StatusCode != c.status || (res.StatusCode == 200) != (allow == origin) || (res.StatusCode == 403 && allow != "") || res.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: status %d, allow-origin %q", name, res.StatusCode, allow)
		}
	}
}

func TestHelloTellsNoDevice(t *testing.T) {
	w := newWorld(t, token.P256)
	req := must(http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/v1/hello", w.port), nil))(t)
	req.Header.Set("Origin", origin)
	res := must(http.DefaultClient.Do(req))(t)
	defer res.Body.Close()
	var hello map[string]any
	if err := json.NewDecoder(res.Body).Decode(&hello); err != nil {
		t.Fatal(err)
	}
	if hello["agent"] != "ukagent" || hello["proto"] != float64(1) || strings.Contains(fmt.Sprint(hello), w.sn) {
		t.Fatal(hello)
	}
	limited := false
	for range 60 {
		res := must(http.DefaultClient.Do(req))(t)
		_ = res.Body.Close()
		limited = limited || res.StatusCode == http.StatusTooManyRequests
	}
	if !limited {
		t.Fatal("hello is not rate limited")
	}
}

func TestTickets(t *testing.T) {
	w := newWorld(t, token.P256)
	p := w.dial(t, "")
	p.bad("enumerate", nil, codeTicket)
	p.ticket = "a.b.c"
	p.bad("enumerate", nil, codeTicket)

	foreign := w.claims()
	foreign.Origin = "https://kinglong.example.cn" // trusted, but not this page
	p.ticket = w.ticket(t, foreign)
	p.bad("enumerate", nil, codeTicket)

	narrow := w.claims()
	narrow.Ops = []string{ticket.OpEnumerate}
	p.ticket = w.ticket(t, narrow)
	ok[[]device](p, "enumerate", nil)
	for _, op := range []string{"csr", "install", "prove_old", "prove_new", "cleanup", "change_pin"} {
		p.bad(op, none{}, codeTicket)
	}

	shared := w.ticket(t, w.claims())
	p.ticket = shared
	ok[[]device](p, "enumerate", nil)
	ok[[]device](p, "enumerate", nil) // one ticket, one transaction: many messages
	q := w.dial(t, shared)
	q.bad("enumerate", nil, codeTicket) // replayed by another page

	w.clock.Advance(10 * time.Minute)
	p.bad("enumerate", nil, codeTicket) // expired within its own session
	q.bad("enumerate", nil, codeTicket) // and forgotten jti does not revive it
}

// req: B57
func TestWrongDevice(t *testing.T) {
	w := newWorld(t, token.P256)
	other := w.claims()
	other.Bind.OldSerial = "0BADC0FFEE"
	p := w.dial(t, w.ticket(t, other))
	p.bad("select", none{}, codeWrongDevice)
	other = w.claims()
	other.Bind.KeySN = "ffffffffffffffff"
	p.ticket = w.ticket(t, other)
	p.bad("select", none{}, codeWrongDevice)
	p.ticket = w.ticket(t, w.claims())
	p.bad("select", none{"sn": "nope"}, codeWrongDevice)

	second := must(w.soft.Format("另一个", pin))(t)
	if sel := ok[selected](p, "select", none{}); sel.SN != w.sn {
		t.Fatal("the bound certificate did not find its device")
	}
	free := w.claims()
	free.Bind, free.Order = ticket.Bind{}, "item-2"
	p.ticket = w.ticket(t, free)
	if f := p.bad("select", none{}, codeMultiple); len(f.Devices) != 2 {
		t.Fatalf("%+v", f)
	}
	if sel := ok[selected](p, "select", none{"sn": second}); sel.SN != second {
		t.Fatal(sel)
	}
}

// Wrong PINs down to the last try: told each time, the last one only with consent.
// req: B57
func TestPINToTheLastTry(t *testing.T) {
	w := newWorld(t, token.P256)
	wrong := Answer{PIN: "000000"}
	p := w.dial(t, w.ticket(t, w.claims()))
	ok[selected](p, "select", none{})
	for range softtoken.MaxTries - 1 {
		w.prompter.will(wrong)
	}
	w.prompter.will(wrong, Answer{}) // unconfirmed: not tried; then cancelled
	if f := p.bad("login", none{}, token.CodeCancelled); f.RetryLeft == nil || *f.RetryLeft != 1 {
		t.Fatalf("%+v", f)
	}
	last := w.prompter.asked[len(w.prompter.asked)-1]
	if last != (asked{1, ProblemConfirm}) || len(w.prompter.asked) != softtoken.MaxTries+1 {
		t.Fatalf("%+v", w.prompter.asked)
	}
	for i, a := range w.prompter.asked[:softtoken.MaxTries] {
		if a.left != softtoken.MaxTries-i {
			t.Fatalf("dialog %d said %d tries left", i, a.left)
		}
	}
	p.bad("csr", none{"alg": "p256", "new_container": true}, token.CodeNotLoggedIn)

	w.prompter.will(Answer{PIN: "000000", Confirmed: true})
	if f := p.bad("login", none{}, token.CodePINLocked); f.RetryLeft == nil || *f.RetryLeft != 0 {
		t.Fatalf("%+v", f)
	}
	before := len(w.prompter.asked)
	p.bad("login", none{}, token.CodePINLocked)
	if len(w.prompter.asked) != before {
		t.Fatal("a locked device was asked for a PIN")
	}
	if err := w.soft.Reset(w.sn); err != nil {
		t.Fatal(err)
	}
	w.prompter.will(Answer{PIN: pin})
	if left := ok[map[string]int](p, "login", none{}); left["retry_left"] != softtoken.MaxTries {
		t.Fatal(left)
	}
}

func TestChangePIN(t *testing.T) {
	w := newWorld(t, token.P256)
	p := w.dial(t, w.ticket(t, w.claims()))
	ok[selected](p, "select", none{})
	w.prompter.will(Answer{PIN: pin, NewPIN: "1"}, Answer{PIN: pin, NewPIN: "87654321"}, Answer{PIN: "87654321"})
	ok[none](p, "change_pin", none{})
	if w.prompter.asked[1].problem != ProblemLength {
		t.Fatalf("%+v", w.prompter.asked)
	}
	ok[none](p, "login", none{})
}

// One operation at a time, one page per device; cancel and close end both.
func TestBusyCancelClose(t *testing.T) {
	w := newWorld(t, token.P256)
	p := w.dial(t, w.ticket(t, w.claims()))
	ok[selected](p, "select", none{})
	login := p.start("login", none{}) // nobody answers the dialog
	if e := <-p.events; e.Event != "pin_prompt" {
		t.Fatal(e)
	}
	p.bad("enumerate", nil, token.CodeBusy)
	ok[none](p, "ping", nil)
	q := w.dial(t, w.ticket(t, w.claims()))
	q.bad("select", none{}, token.CodeBusy)
	ok[none](p, "cancel", nil)
	if r := p.await(login); r.OK || r.Error.Code != token.CodeCancelled {
		t.Fatalf("%+v", r)
	}
	w.prompter.will(Answer{PIN: pin})
	ok[none](p, "login", none{})
	if err := p.conn.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	waitFree(t, w)
	ok[selected](q, "select", none{})
	q.bad("csr", none{"alg": "p256", "new_container": true}, token.CodeNotLoggedIn) // the login ended with its page
}

func TestProofsSignOnlyTheNonce(t *testing.T) {
	w := newWorld(t, token.P256)
	w.prompter.will(Answer{PIN: pin})
	p := w.dial(t, w.ticket(t, w.claims()))
	ok[selected](p, "select", none{})
	ok[none](p, "login", none{})
	p.bad("prove_old", none{"challenge": ticket.NewID()}, codeTicket)
	p.bad("prove_old", none{"challenge": strings.Repeat("A", 5000)}, codeTicket)
	p.bad("csr", none{"alg": "p256", "new_container": false}, codeMessage)
}

func TestBadMessages(t *testing.T) {
	w := newWorld(t, token.P256)
	for name, c := range map[string]struct {
		kind websocket.MessageType
		text string
		want string // part of the answer; "" = the connection ends
	}{
		"not JSON":      {websocket.MessageText, "hello", "MESSAGE_INVALID"},
		"unknown op":    {websocket.MessageText, `{"id":"1","op":"sign"}`, "MESSAGE_INVALID"},
		"unknown field": {websocket.MessageText, `{"id":"1","op":"ping","x":1}`, "MESSAGE_INVALID"},
		"no id":         {websocket.MessageText, `{"op":"ping"}`, "MESSAGE_INVALID"},
		"two values":    {websocket.MessageText, `{"id":"1","op":"ping"}{}`, "MESSAGE_INVALID"},
		"ping":          {websocket.MessageText, `{"id":"1","op":"ping"}`, "pong"},
		"binary":        {websocket.MessageBinary, `{"id":"1","op":"ping"}`, ""},
		"oversize":      {websocket.MessageText, `{"id":"` + strings.Repeat("a", MaxMessage) + `","op":"ping"}`, ""},
	} {
		p := w.dialRaw(t)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		if err := p.Write(ctx, c.kind, []byte(c.text)); err != nil {
			t.Fatal(err)
		}
		_, data, err := p.Read(ctx)
		if (c.want == "") != (err != nil) || !strings.Contains(string(data), c.want) {
			t.Errorf("%s: %q %v", name, data, err)
		}
		if name == "oversize" && websocket.CloseStatus(err) != websocket.StatusMessageTooBig {
			t.Errorf("oversize: %v", err)
		}
		_ = p.CloseNow()
		cancel()
		w.clock.Advance(time.Second) // the connection limit is not this test's matter
	}
}

func (w *world) dialRaw(t *testing.T) *websocket.Conn {
	t.Helper()
	conn, _, err := websocket.Dial(t.Context(), fmt.Sprintf("ws://127.0.0.1:%d/v1/ws", w.port),
		&websocket.DialOptions{Subprotocols: []string{Subprotocol}, HTTPHeader: http.Header{"Origin": {origin}}})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// The device's coming and going is told to open pages.
// req: B57
func TestDeviceEvents(t *testing.T) {
	w := newWorld(t, token.P256)
	p, stranger := w.dial(t, w.ticket(t, w.claims())), w.dial(t, "")
	ok[[]device](p, "enumerate", nil)
	time.Sleep(2 * time.Second) // the watcher's first look
	w.driver.mu.Lock()
	w.driver.gone = true
	w.driver.mu.Unlock()
	for _, want := range []string{"removed", "inserted"} {
		select {
		case e := <-p.events:
			if e.Event != "device" || e.Type != want || e.SN != w.sn {
				t.Fatalf("%+v, want %s", e, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("no event %s", want)
		}
		w.driver.plug()
	}
	if len(stranger.events) > 0 {
		t.Fatalf("a page without a ticket was told %+v", <-stranger.events)
	}
}

// Whatever a page sends, parsing ends in a request of a known operation or an error.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{`{"id":"1","op":"csr","ticket":"a.b.c","args":{"alg":"p256","new_container":true}}`, `{"id":"1","op":"install","args":{"chain":["x"]}}`, `[]`, `{"id":1}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := parseRequest(data)
		if err != nil {
			return
		}
		if _, known := operations[r.Op]; !known || r.ID == "" || len(r.ID) > 64 {
			t.Fatalf("accepted %+v", r)
		}
		if a, err := args[installArgs](r); err == nil {
			if _, err := checkChain(a.SignCert, a.Chain); err == nil && a.SignCert == "" {
				t.Fatal("an empty chain passed")
			}
		}
	})
}
