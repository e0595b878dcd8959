package agent

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"certsaas/core/token"
	"certsaas/core/token/ticket"

	"github.com/coder/websocket"
	"golang.org/x/time/rate"
)

const osName = runtime.GOOS

// session is one page's WebSocket. It runs one operation at a time; what it holds
// (ticket, device, login) ends with it.
type session struct {
	a      *Agent
	conn   *websocket.Conn
	origin string
	limit  *rate.Limiter

	// known tells that the page has shown a good ticket: only then is it told of
	// devices that come and go.
	known atomic.Bool

	writing sync.Mutex

	mu     sync.Mutex // guards running and stop
	busy   bool
	stop   context.CancelFunc
	closed bool
	done   sync.WaitGroup

	// Used by the running operation alone.
	raw      string
	claims   ticket.Claims
	dev      token.Token
	info     token.Info
	loggedIn bool
}

// call is one operation in progress.
type call struct {
	ctx context.Context
	request
}

func (a *Agent) serveWS(w http.ResponseWriter, r *http.Request) {
	if !a.connect.AllowN(a.cfg.Clock.Now(), 1) {
		refuse(w, http.StatusTooManyRequests, codeRate)
		return
	}
	// guarded has compared the whole origin already; the library would compare hosts.
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{Subprotocol}, InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	if conn.Subprotocol() != Subprotocol {
		_ = conn.Close(websocket.StatusPolicyViolation, "subprotocol "+Subprotocol+" required")
		return
	}
	conn.SetReadLimit(MaxMessage)
	s := &session{a: a, conn: conn, origin: r.Header.Get("Origin"), limit: rate.NewLimiter(10, 30)}
	if !a.enter(s) {
		_ = conn.Close(websocket.StatusTryAgainLater, "too many sessions")
		return
	}
	defer s.end()
	s.read(r.Context())
}

func (a *Agent) enter(s *session) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.sessions) >= maxSessions {
		return false
	}
	a.sessions[s] = true
	return true
}

// end stops the running operation, waits for it and lets go of the device.
func (s *session) end() {
	s.mu.Lock()
	s.closed = true
	if s.stop != nil {
		s.stop()
	}
	s.mu.Unlock()
	s.done.Wait()
	s.release()
	s.a.mu.Lock()
	delete(s.a.sessions, s)
	s.a.mu.Unlock()
}

// read takes messages until the page goes, is idle for five minutes or sends
// something that is no message.
func (s *session) read(ctx context.Context) {
	for {
		idle, cancel := context.WithTimeout(ctx, idleLimit)
		kind, data, err := s.conn.Read(idle)
		cancel()
		if err != nil {
			return
		}
		if kind != websocket.MessageText {
			_ = s.conn.Close(websocket.StatusUnsupportedData, "text only")
			return
		}
		s.handle(ctx, data)
	}
}

func (s *session) handle(ctx context.Context, data []byte) {
	r, err := parseRequest(data)
	switch {
	case err != nil:
		s.answer(ctx, r.ID, nil, fail(codeMessage, err))
	case !s.limit.AllowN(s.a.cfg.Clock.Now(), 1):
		s.answer(ctx, r.ID, nil, fail(codeRate, nil))
	case r.Op == "ping":
		s.answer(ctx, r.ID, map[string]any{"pong": true}, nil)
	case r.Op == "cancel":
		s.answer(ctx, r.ID, map[string]any{"cancelled": s.cancelRunning()}, nil)
	default:
		s.start(ctx, r)
	}
}

func (s *session) cancelRunning() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.busy {
		s.stop()
	}
	return s.busy
}

func (s *session) start(ctx context.Context, r request) {
	s.mu.Lock()
	if s.busy || s.closed {
		s.mu.Unlock()
		s.answer(ctx, r.ID, nil, fail(token.CodeBusy, nil))
		return
	}
	opCtx, cancel := context.WithCancel(ctx)
	s.busy, s.stop = true, cancel
	s.done.Add(1)
	s.mu.Unlock()
	go func() {
		defer s.done.Done()
		defer cancel()
		result, err := s.run(call{opCtx, r})
		s.mu.Lock()
		s.busy = false
		s.mu.Unlock()
		s.answer(ctx, r.ID, result, err)
	}()
}

// run checks the ticket, does the work and drops a dead device.
func (s *session) run(c call) (any, error) {
	op := operations[c.Op]
	if err := s.admit(c.Ticket, op.needs); err != nil {
		return nil, err
	}
	result, err := op.run(s, c)
	if err != nil && token.Dead(err) && s.dev != nil {
		err = s.bury(err)
	}
	level := s.a.cfg.Log.Debug
	if err != nil {
		level = s.a.cfg.Log.Warn
	}
	level("operation", "op", c.Op, "order", s.claims.Order, "err", err)
	return result, err
}

// admit accepts the session's ticket again, or a new one, and checks that it
// allows the operation now.
func (s *session) admit(raw, needs string) error {
	if raw == "" {
		raw = s.raw
	}
	if raw == "" {
		return fail(codeTicket, errors.New("no ticket"))
	}
	if raw != s.raw {
		c, err := s.a.redeem(raw, s.origin)
		if err != nil {
			return err
		}
		if s.raw != "" && (c.Iss != s.claims.Iss || c.Tid != s.claims.Tid || c.Order != s.claims.Order) {
			s.release() // a login is good for one order only
		}
		s.raw, s.claims = raw, c
		s.known.Store(true)
	}
	if s.a.cfg.Clock.Now().Unix() >= s.claims.Exp {
		return fail(codeTicket, errors.New("ticket expired"))
	}
	if needs != "" && !s.claims.Allows(needs) {
		return fail(codeTicket, errors.New("ticket does not allow "+needs))
	}
	return nil
}

// bury closes a dead token and says whether the device went or its driver failed.
func (s *session) bury(err error) error {
	serial := s.info.Serial
	s.release()
	devices, listErr := s.a.cfg.Driver.Devices()
	if listErr == nil {
		for _, d := range devices {
			if d.Serial == serial && token.CodeOf(err) != token.CodeRemoved {
				return err
			}
		}
	}
	return fail(token.CodeRemoved, err)
}

// release lets go of the selected device, if any.
func (s *session) release() {
	if s.dev == nil {
		return
	}
	var err error
	if s.loggedIn {
		err = s.dev.Logout()
	}
	if err := errors.Join(err, s.dev.Close()); err != nil {
		s.a.cfg.Log.Debug("device close", "err", err)
	}
	s.a.mu.Lock()
	if s.a.owners[s.info.Serial] == s {
		delete(s.a.owners, s.info.Serial)
	}
	s.a.mu.Unlock()
	s.dev, s.loggedIn, s.info = nil, false, token.Info{}
}

func (s *session) answer(ctx context.Context, id string, result any, err error) {
	if err != nil {
		s.send(ctx, reply{ID: id, Error: failedOf(err)})
		return
	}
	s.send(ctx, reply{ID: id, OK: true, Result: result})
}

func (s *session) send(ctx context.Context, v any) {
	data, err := json.Marshal(v)
	if err != nil {
		s.a.cfg.Log.Error("encode", "err", err)
		return
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	// a write under a cancelled context would close the whole connection: an operation's end must not take the session along
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = s.conn.Write(bounded, websocket.MessageText, data) // a page that is gone needs no answer
}
