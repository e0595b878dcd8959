package agent

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"embed"
	"encoding/hex"
	"html/template"
	"net/http"
	"sync"
	"time"

	"certsaas/core/clock"
	"certsaas/core/token"
)

//go:embed assets
var assets embed.FS

var windowPage = template.Must(template.ParseFS(assets, "assets/pin.html"))

// windows are the open PIN pages, by the random part of their address.
type windows struct {
	clock clock.Clock
	mu    sync.Mutex
	open  map[string]*window
}

// window is one PIN page: a Dialog that a browser window answers. The page is
// the agent's own; no portal page can read or frame it.
type window struct {
	all     *windows
	id      string
	prompt  Prompt
	answers chan Answer

	mu       sync.Mutex
	nonce    string // of the form now shown; used once
	state    string // asking, checking, done
	left     int
	problem  Problem
	ok       bool
	message  string
	changed  chan struct{} // closed at the next change of state
	closedAt time.Time
}

func newWindows(c clock.Clock) *windows { return &windows{clock: c, open: map[string]*window{}} }

func random() string {
	var b [16]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

func (ws *windows) add(p Prompt) *window {
	w := &window{all: ws, id: random(), prompt: p, answers: make(chan Answer), state: "checking", changed: make(chan struct{})}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	for id, old := range ws.open { // a closed page stays a minute, to show its last word
		old.mu.Lock()
		if old.state == "done" && ws.clock.Now().Sub(old.closedAt) > time.Minute {
			delete(ws.open, id)
		}
		old.mu.Unlock()
	}
	ws.open[w.id] = w
	return w
}

func (ws *windows) find(id string) *window {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return ws.open[id]
}

// change sets the state under the lock and wakes whoever waits for it.
func (w *window) change(set func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	set()
	w.nonce = random()
	close(w.changed)
	w.changed = make(chan struct{})
}

// Ask shows the form and waits for it to be sent.
func (w *window) Ask(ctx context.Context, retryLeft int, problem Problem) (Answer, error) {
	w.change(func() { w.state, w.left, w.problem = "asking", retryLeft, problem })
	select {
	case a := <-w.answers:
		if a.PIN == "" {
			return Answer{}, errCancelled
		}
		return a, nil
	case <-ctx.Done():
		return Answer{}, ctx.Err()
	}
}

// Close shows the outcome.
func (w *window) Close(ok bool, message string) {
	w.change(func() { w.state, w.ok, w.message, w.closedAt = "done", ok, message, w.all.clock.Now() })
}

// windowPrompter opens the agent's own page.
type windowPrompter struct {
	windows *windows
	base    func() string
	openURL func(string) error
}

func (p *windowPrompter) Begin(_ context.Context, prompt Prompt, announce func(string, bool)) (Dialog, error) {
	w := p.windows.add(prompt)
	url := p.base() + "/pin/" + w.id
	opened := p.openURL != nil && p.openURL(url) == nil
	announce(url, opened)
	return w, nil
}

func (ws *windows) routes(mux *http.ServeMux) {
	mux.HandleFunc("GET /pin/{id}", ws.show)
	mux.HandleFunc("POST /pin/{id}", ws.take)
	for path, kind := range map[string]string{"pin.css": "text/css; charset=utf-8", "pin.js": "text/javascript; charset=utf-8"} {
		body, err := assets.ReadFile("assets/" + path)
		if err != nil {
			panic("keyagent: " + err.Error()) // impossible: embedded
		}
		mux.HandleFunc("GET /assets/"+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = w.Write(body) // the client may be gone
		})
	}
}

func pageHeaders(h http.Header) {
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would blank the form's Origin
}

func (ws *windows) show(rw http.ResponseWriter, r *http.Request) {
	pageHeaders(rw.Header())
	w := ws.find(r.PathValue("id"))
	if w == nil {
		rw.WriteHeader(http.StatusNotFound)
		w = &window{state: "gone"}
	}
	w.settle(r.Context())
	w.mu.Lock()
	view := map[string]any{
		"Prompt": w.prompt, "State": w.state, "Nonce": w.nonce, "Left": w.left, "Known": w.left != token.RetryUnknown,
		"Last": w.left == 1, "Problem": string(w.problem), "OK": w.ok, "Message": w.message,
	}
	w.mu.Unlock()
	if err := windowPage.Execute(rw, view); err != nil {
		return // the browser went away
	}
}

// settle waits a moment for an operation in progress, so that a page opened just
// before the form is ready, or while the device works, need not flicker.
func (w *window) settle(ctx context.Context) {
	w.mu.Lock()
	busy, changed := w.state == "checking", w.changed
	w.mu.Unlock()
	if !busy {
		return
	}
	moment := time.NewTimer(2 * time.Second)
	defer moment.Stop()
	select {
	case <-changed:
	case <-moment.C:
	case <-ctx.Done():
	}
}

// take receives the form: same origin only, the nonce of the form shown, once.
func (ws *windows) take(rw http.ResponseWriter, r *http.Request) {
	pageHeaders(rw.Header())
	site := r.Header.Get("Sec-Fetch-Site")
	if r.Header.Get("Origin") != "http://"+r.Host || (site != "" && site != "same-origin") {
		refuse(rw, http.StatusForbidden, codeOrigin)
		return
	}
	r.Body = http.MaxBytesReader(rw, r.Body, 4<<10)
	w := ws.find(r.PathValue("id"))
	if w == nil || r.ParseForm() != nil {
		http.Redirect(rw, r, r.URL.Path, http.StatusSeeOther)
		return
	}
	w.mu.Lock()
	fresh := w.state == "asking" && subtle.ConstantTimeCompare([]byte(r.PostForm.Get("nonce")), []byte(w.nonce)) == 1
	if fresh {
		w.state, w.nonce = "checking", random()
	}
	changed := w.changed
	w.mu.Unlock()
	if fresh {
		deliver(r, w, changed)
	}
	http.Redirect(rw, r, r.URL.Path, http.StatusSeeOther)
}

// deliver hands the answer to the waiting operation and waits for its verdict, so
// that the page that follows shows it.
func deliver(r *http.Request, w *window, changed <-chan struct{}) {
	a := Answer{PIN: r.PostForm.Get("pin"), NewPIN: r.PostForm.Get("new_pin"), Confirmed: r.PostForm.Get("confirm") == "yes"}
	if r.PostForm.Get("do") == "cancel" {
		a = Answer{}
	} else if a.PIN == "" || (w.prompt.Change && (a.NewPIN == "" || a.NewPIN != r.PostForm.Get("again"))) {
		w.change(func() { w.state, w.problem = "asking", ProblemLength })
		return
	}
	verdict := time.NewTimer(10 * time.Second)
	defer verdict.Stop()
	select {
	case w.answers <- a:
	case <-changed: // the operation ended meanwhile
		return
	case <-verdict.C:
		return
	}
	select {
	case <-changed:
	case <-verdict.C: // a slow device: the page reloads itself
	}
}
