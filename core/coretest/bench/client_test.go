package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// person is a client that does as little as possible itself. After the first failure it does nothing more; err says why.
type person struct {
	http *http.Client
	base string // scheme and host
	from string // address of the proxy's client
	csrf string
	err  error
}

var persons atomic.Uint32

// person is somebody new on the host of a subdomain, with an address in a network of his own (RFC 2544).
func (h *house) person(sub string) *person {
	jar, _ := cookiejar.New(nil) // never fails
	n := persons.Add(1)
	d := &net.Dialer{Timeout: 5 * time.Second}
	return &person{base: h.at(sub, ""), from: fmt.Sprintf("%d.%d.%d.7", 100+n>>16, n>>8&255, n&255), http: &http.Client{
		Jar: jar, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{MaxIdleConnsPerHost: 1, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", h.port))
		}},
	}}
}

// close lets the connection go.
func (p *person) close() { p.http.CloseIdleConnections() }

// answer is what came back.
type answer struct {
	status   int
	location string
	body     []byte
}

// do sends a request and wants one of the statuses.
func (p *person) do(method, path, kind string, body io.Reader, want ...int) (a answer) {
	if p.err != nil {
		return a
	}
	address := path
	if strings.HasPrefix(path, "/") {
		address = p.base + path
	}
	req, err := http.NewRequest(method, address, body)
	if err != nil {
		p.err = err
		return a
	}
	req.Header.Set("X-Forwarded-For", p.from)
	req.Header.Set("Accept-Language", "zh-CN")
	if body != nil {
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Origin", req.URL.Scheme+"://"+req.URL.Host)
		req.Header.Set("X-CSRF-Token", p.csrf)
	}
	res, err := p.http.Do(req)
	if err != nil {
		p.err = err
		return a
	}
	defer res.Body.Close()
	a.status, a.location = res.StatusCode, res.Header.Get("Location")
	if a.body, p.err = io.ReadAll(res.Body); p.err != nil {
		return a
	}
	for _, w := range want {
		if w == a.status {
			return a
		}
	}
	p.err = fmt.Errorf("%s %s: %d → %q\n%.6000s", method, address, a.status, a.location, a.body)
	return a
}

// get opens a page.
func (p *person) get(path string) answer {
	a := p.do(http.MethodGet, path, "", nil, http.StatusOK)
	if token := between(a.body, `name="csrf" content="`, `"`); token != "" {
		p.csrf = token
	}
	return a
}

// post sends a form that is answered by a redirect.
func (p *person) post(path string, values url.Values) answer {
	return p.do(http.MethodPost, path, "application/x-www-form-urlencoded", strings.NewReader(values.Encode()), http.StatusSeeOther)
}

// ask posts JSON and reads JSON.
func (p *person) ask(path string, in any) map[string]any {
	raw, err := json.Marshal(in)
	if err != nil {
		p.err = err
	}
	a := p.do(http.MethodPost, path, "application/json", bytes.NewReader(raw), http.StatusOK)
	out := map[string]any{}
	if p.err == nil {
		p.err = json.Unmarshal(a.body, &out)
	}
	return out
}

// between is the text after one mark and before the next, its entities resolved.
func between(body []byte, after, before string) string {
	_, rest, ok := bytes.Cut(body, []byte(after))
	if !ok {
		return ""
	}
	text, _, _ := bytes.Cut(rest, []byte(before))
	return html.UnescapeString(string(text))
}

// mailbox reads the file that the demonstration sends its messages into.
type mailbox struct {
	path string

	mu    sync.Mutex
	at    int64
	codes map[string]string // by mobile
}

// code is the newest code to a mobile; it was written before the request that asked for it was answered.
func (m *mailbox) code(mobile string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f, err := os.Open(m.path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	if _, err := f.Seek(m.at, io.SeekStart); err != nil {
		return "", err
	}
	if m.codes == nil {
		m.codes = map[string]string{}
	}
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			break // a line that is not whole yet is read next time
		}
		m.at += int64(len(line))
		var msg struct {
			To     string            `json:"to"`
			Params map[string]string `json:"params"`
		}
		if json.Unmarshal(line, &msg) == nil && msg.Params["code"] != "" {
			m.codes[msg.To] = msg.Params["code"]
		}
	}
	code, ok := m.codes[mobile]
	if !ok {
		return "", fmt.Errorf("no code went to %s", mobile)
	}
	delete(m.codes, mobile)
	return code, nil
}

// login logs somebody in by a code.
func (h *house) login(p *person, mobile string) {
	p.get("/login")
	p.do(http.MethodPost, "/code", "application/x-www-form-urlencoded", strings.NewReader(url.Values{"purpose": {"login"}, "mobile": {mobile}}.Encode()), http.StatusOK)
	if p.err != nil {
		return
	}
	var code string
	if code, p.err = h.mail.code(mobile); p.err == nil {
		p.post("/login", url.Values{"mobile": {mobile}, "code": {code}, "by": {"code"}})
	}
}
