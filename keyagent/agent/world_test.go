package agent

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"math/big"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"certsaas/core/clock"
	"certsaas/core/pki"
	"certsaas/core/token"
	"certsaas/core/token/softtoken"
	"certsaas/core/token/ticket"

	"github.com/coder/websocket"
)

const (
	pin    = "12345678"
	origin = "https://byd.example.cn"
)

var noon = time.Date(2026, 11, 22, 2, 0, 0, 0, time.UTC)

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// world is an agent with a SoftHSM key that holds an expired certificate, and the
// platform's side: CA, profile, ticket key.
type world struct {
	dir, sn   string
	soft      *softtoken.Driver
	driver    *flaky
	root      pki.Authority
	profile   pki.Profile
	oldSerial string
	ticketKey ed25519.PrivateKey
	trust     ticket.Trust
	clock     *clock.Fake
	prompter  *scripted
	port      int
}

func newWorld(t *testing.T, alg token.Algorithm) *world {
	t.Helper()
	w := &world{dir: t.TempDir(), clock: clock.NewFake(noon), prompter: &scripted{}}
	w.soft = must(softtoken.Open(w.dir))(t)
	t.Cleanup(func() { _ = w.soft.Close() })
	w.driver = &flaky{Driver: w.soft}
	w.sn = must(w.soft.Format("演示KEY", pin))(t)
	w.root = must(pki.NewRoot(pki.Subject{Country: "CN", CommonName: "演示根"}, pki.P256, serialNumber(t), noon.AddDate(-3, 0, 0), noon.AddDate(10, 0, 0)))(t)
	w.profile = must(pki.CompileProfile(pki.ProfileConfig{Name: "p", Algorithms: []string{"rsa2048", "p256"}, KeyUsage: []string{"digital_signature"},
		ExtKeyUsage: []string{"client_auth"}, ValidityYears: 1, Subject: pki.Subject{Country: "CN", CommonName: "示例公司"}}))(t)
	err := w.soft.Provision(w.sn, pin, alg, []byte{0xA1}, "old", func(csr []byte) ([]byte, error) {
		cert := w.issue(t, string(csr), noon.AddDate(-2, 0, 0)) // expired a year ago
		w.oldSerial = cert.Serial()
		return cert.DER(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	w.ticketKey = key
	w.trust = ticket.Trust{Issuers: []ticket.Issuer{{Iss: "certsaas", Keys: []string{ticket.EncodeKey(pub)}, Origins: []string{origin, "https://kinglong.example.cn"}}}}
	w.serve(t, w.prompter)
	return w
}

func serialNumber(t testing.TB) *big.Int { return must(pki.NewSerial(rand.Reader))(t) }

// issue is the CA: same rules as production, instant given.
func (w *world) issue(t testing.TB, csrPEM string, at time.Time) pki.Certificate {
	t.Helper()
	csr := must(pki.ParseCSR([]byte(csrPEM)))(t)
	from, to := w.profile.Validity(at)
	prepared := must(pki.Prepare(w.profile, pki.Subject{Country: "CN", CommonName: "示例公司"}, csr, w.root.Certificate.X509(), serialNumber(t), from, to))(t)
	return must(pki.Issue(prepared, w.root.Key))(t)
}

// serve starts an agent; a nil prompter means its own PIN page.
func (w *world) serve(t *testing.T, p Prompter) {
	t.Helper()
	a := New(Config{Driver: w.driver, Trust: func() (ticket.Trust, error) { return w.trust, nil }, Clock: w.clock,
		Log: slog.New(slog.DiscardHandler), Version: "test", Prompter: p})
	listeners, port, err := Listen([]int{0})
	if err != nil {
		t.Fatal(err)
	}
	w.port = port
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx, listeners, port) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("serve: %v", err)
		}
	})
}

var allOps = []string{ticket.OpEnumerate, ticket.OpCSR, ticket.OpInstall, ticket.OpProve, ticket.OpCleanup, ticket.OpChangePIN}

func (w *world) claims() ticket.Claims {
	now := w.clock.Now()
	return ticket.Claims{Iss: "certsaas", Origin: origin, Tid: "byd", Order: "item-1", Attempt: 1, Company: "示例公司", Ops: allOps,
		Bind: ticket.Bind{OldSerial: w.oldSerial}, Nonce: ticket.NewID(), Iat: now.Unix(), Exp: now.Add(10 * time.Minute).Unix(), JTI: ticket.NewID()}
}

func (w *world) ticket(t testing.TB, c ticket.Claims) string {
	return must(ticket.Sign(w.ticketKey, c))(t)
}

// page is a browser page with an open WebSocket.
type page struct {
	t      *testing.T
	conn   *websocket.Conn
	ticket string
	n      int
	events chan Event
	waits  sync.Map // id → chan rawReply
}

type rawReply struct {
	ID     string          `json:"id"`
	OK     bool            `json:"ok"`
	Result json.RawMessage `json:"result"`
	Error  *Failed         `json:"error"`
	Event
}

func (w *world) dial(t *testing.T, rawTicket string) *page {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, "ws://127.0.0.1:"+strconv.Itoa(w.port)+"/v1/ws",
		&websocket.DialOptions{Subprotocols: []string{Subprotocol}, HTTPHeader: http.Header{"Origin": {origin}}})
	if err != nil {
		t.Fatal(err)
	}
	p := &page{t: t, conn: conn, ticket: rawTicket, events: make(chan Event, 100)}
	t.Cleanup(func() { _ = conn.CloseNow() })
	go p.listen()
	return p
}

func (p *page) listen() {
	for {
		_, data, err := p.conn.Read(context.Background())
		if err != nil {
			p.waits.Range(func(_, v any) bool { close(v.(chan rawReply)); return true })
			return
		}
		var r rawReply
		if json.Unmarshal(data, &r) != nil {
			continue
		}
		if r.Event.Event != "" {
			p.events <- r.Event
		} else if c, ok := p.waits.LoadAndDelete(r.ID); ok {
			c.(chan rawReply) <- r
		}
	}
}

// start sends a request without waiting for the answer.
func (p *page) start(op string, args any) chan rawReply {
	p.t.Helper()
	p.n++
	r := request{ID: strconv.Itoa(p.n), Op: op, Ticket: p.ticket}
	if args != nil {
		r.Args = must(json.Marshal(args))(p.t)
	}
	c := make(chan rawReply, 1)
	p.waits.Store(r.ID, c)
	if err := p.conn.Write(context.Background(), websocket.MessageText, must(json.Marshal(r))(p.t)); err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *page) await(c chan rawReply) rawReply {
	p.t.Helper()
	select {
	case r := <-c:
		return r
	case <-time.After(20 * time.Second):
		p.t.Fatal("no answer")
		return rawReply{}
	}
}

// ok calls and demands success.
func ok[T any](p *page, op string, args any) T {
	p.t.Helper()
	r := p.await(p.start(op, args))
	if !r.OK {
		p.t.Fatalf("%s: %+v", op, r.Error)
	}
	var v T
	if err := json.Unmarshal(r.Result, &v); err != nil {
		p.t.Fatal(err)
	}
	return v
}

// bad calls and demands this error.
func (p *page) bad(op string, args any, code token.Code) *Failed {
	p.t.Helper()
	r := p.await(p.start(op, args))
	if r.OK || r.Error == nil || r.Error.Code != code {
		p.t.Fatalf("%s: ok=%v error=%+v, want %s", op, r.OK, r.Error, code)
	}
	if r.Error.Message == "" {
		p.t.Fatalf("%s: %s has no sentence", op, code)
	}
	return r.Error
}

type none = map[string]any

// scripted answers PIN dialogs from a list and keeps what was shown.
type scripted struct {
	mu      sync.Mutex
	answers []Answer
	prompts []Prompt
	asked   []asked
	ok      []bool
}

type asked struct {
	left    int
	problem Problem
}

func (s *scripted) will(answers ...Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers = append(s.answers, answers...)
}

func (s *scripted) Begin(_ context.Context, p Prompt, announce func(string, bool)) (Dialog, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.prompts = append(s.prompts, p)
	announce("", true)
	return s, nil
}

func (s *scripted) Ask(ctx context.Context, left int, problem Problem) (Answer, error) {
	s.mu.Lock()
	s.asked = append(s.asked, asked{left, problem})
	if len(s.answers) > 0 {
		a := s.answers[0]
		s.answers = s.answers[1:]
		s.mu.Unlock()
		if a.PIN == "" {
			return a, errCancelled
		}
		return a, nil
	}
	s.mu.Unlock()
	<-ctx.Done() // the user stares at the dialog
	return Answer{}, ctx.Err()
}

func (s *scripted) Close(ok bool, _ string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ok = append(s.ok, ok)
}

// flaky is a driver whose device can be pulled out during a named operation.
type flaky struct {
	token.Driver
	mu     sync.Mutex
	pullAt string
	gone   bool
}

func (f *flaky) arm(op string) { f.mu.Lock(); defer f.mu.Unlock(); f.pullAt = op }
func (f *flaky) plug()         { f.mu.Lock(); defer f.mu.Unlock(); f.gone, f.pullAt = false, "" }

func (f *flaky) pulled(op string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.gone = f.gone || op == f.pullAt
	if f.gone {
		return token.NewError(token.CodeRemoved, op, nil)
	}
	return nil
}

func (f *flaky) Devices() ([]token.Info, error) {
	if f.pulled("devices") != nil {
		return nil, nil
	}
	return f.Driver.Devices()
}

func (f *flaky) Open(serial string) (token.Token, error) {
	if err := f.pulled("open"); err != nil {
		return nil, err
	}
	t, err := f.Driver.Open(serial)
	if err != nil {
		return nil, err
	}
	return &flakyToken{t, f}, nil
}

type flakyToken struct {
	token.Token
	f *flaky
}

func (t *flakyToken) GenerateKeyPair(alg token.Algorithm, id []byte, label string) (token.Container, error) {
	c, err := t.Token.GenerateKeyPair(alg, id, label)
	if pulled := t.f.pulled("generate"); pulled != nil { // made, but nobody heard of it
		return token.Container{}, pulled
	}
	return c, err
}

func (t *flakyToken) InstallCertificate(id []byte, label string, der []byte) error {
	if err := t.f.pulled("install"); err != nil {
		return err
	}
	return t.Token.InstallCertificate(id, label, der)
}

func (t *flakyToken) ReadCertificate(id []byte) ([]byte, error) {
	if err := t.f.pulled("readback"); err != nil {
		return nil, err
	}
	return t.Token.ReadCertificate(id)
}

func (t *flakyToken) Containers() ([]token.Container, error) {
	if err := t.f.pulled("containers"); err != nil {
		return nil, err
	}
	return t.Token.Containers()
}
