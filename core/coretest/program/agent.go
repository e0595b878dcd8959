package program

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"
	"github.com/coder/websocket"
)

// agentPorts are tried in turn, as pages do: an agent of somebody else refuses our origin.
var agentPorts = []int{17631, 27631, 37631}

// agentWait bounds one operation of the agent, its PIN window included.
const agentWait = 30 * time.Second

// Agent is a page's connection to the key agent, spoken from Go: what ukagent.js does, and the person at the PIN window.
// Its methods end the test when the agent refuses.
type Agent struct {
	t      testing.TB
	conn   *websocket.Conn
	ticket string
	pin    string
	n      int
}

// NewAgent connects as a page of an origin does, with its ticket; pin is what the person types in the agent's window.
func (p *Program) NewAgent(t testing.TB, origin, ticket, pin string) *Agent {
	t.Helper()
	var last error
	for end := time.Now().Add(agentWait); time.Now().Before(end); time.Sleep(100 * time.Millisecond) { // it starts after the program is ready
		for _, port := range agentPorts {
			conn, err := dialAgent(t.Context(), port, origin)
			if err == nil {
				return &Agent{t: t, conn: conn, ticket: ticket, pin: pin}
			}
			last = err
		}
	}
	t.Fatalf("no key agent: %v", last)
	return nil
}

func dialAgent(ctx context.Context, port int, origin string) (*websocket.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	conn, res, err := websocket.Dial(ctx, fmt.Sprintf("ws://127.0.0.1:%d/v1/ws", port),
		&websocket.DialOptions{Subprotocols: []string{"ukagent.v1"}, HTTPHeader: http.Header{"Origin": {origin}}})
	if err != nil {
		if res != nil && res.Body != nil {
			_ = res.Body.Close()
		}
		return nil, err
	}
	conn.SetReadLimit(1 << 20)
	return conn, nil
}

// Close ends the session: the agent logs out of the key.
func (a *Agent) Close() { _ = a.conn.Close(websocket.StatusNormalClosure, "") }

// SetTicket replaces the ticket for later calls.
func (a *Agent) SetTicket(ticket string) { a.ticket = ticket }

// said is a message of the agent: an event, or the answer to a call.
type said struct {
	ID     string          `json:"id"`
	OK     bool            `json:"ok"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
	Event  string          `json:"event"`
	URL    string          `json:"url"`
}

// Call does one operation; a PIN window that it opens is answered. out may be nil.
func (a *Agent) Call(op string, args, out any) {
	a.t.Helper()
	a.n++
	id := strconv.Itoa(a.n)
	raw, err := json.Marshal(map[string]any{"id": id, "op": op, "ticket": a.ticket, "args": args})
	if err != nil {
		a.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(a.t.Context(), agentWait)
	defer cancel()
	if err := a.conn.Write(ctx, websocket.MessageText, raw); err != nil {
		a.t.Fatalf("key agent: %s: %v", op, err)
	}
	typed := make(chan error, 1)
	for {
		_, data, err := a.conn.Read(ctx)
		if err != nil {
			a.t.Fatalf("key agent: %s: %v", op, err)
		}
		var m said
		if err := json.Unmarshal(data, &m); err != nil {
			a.t.Fatal(err)
		}
		switch {
		case m.Event == "pin_prompt":
			go func() { typed <- typePIN(ctx, m.URL, a.pin) }()
		case m.Event == "pin_done":
			if err := <-typed; err != nil {
				a.t.Fatal(err)
			}
		case m.ID == id && !m.OK:
			a.t.Fatalf("key agent: %s: %s", op, m.Error)
		case m.ID == id:
			if out == nil {
				return
			}
			if err := json.Unmarshal(m.Result, out); err != nil {
				a.t.Fatal(err)
			}
			return
		}
	}
}

// typePIN is the person at the agent's own window.
func typePIN(ctx context.Context, address, pin string) error {
	page, err := fetchPage(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	nonce := page.Find(`[name="nonce"]`).AttrOr("value", "")
	page, err = fetchPage(ctx, http.MethodPost, address, url.Values{"nonce": {nonce}, "pin": {pin}, "do": {"ok"}})
	if err != nil {
		return err
	}
	if h := page.Find("h1.good"); h.Length() == 0 && page.Find("[data-state=checking]").Length() == 0 {
		return fmt.Errorf("program: PIN window: %s", strings.Join(strings.Fields(page.Text()), " "))
	}
	return nil
}

func fetchPage(ctx context.Context, method, address string, form url.Values) (*goquery.Document, error) {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return nil, err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("program: PIN window: %w", err)
	}
	defer res.Body.Close()
	return goquery.NewDocumentFromReader(res.Body)
}
