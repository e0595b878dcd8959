package journey

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// hostCases are request heads as an attacker writes them, who is at BYD and wants King Long's pages. want is who may answer: byd, the
// platform, or nobody ("": 421, 400, or the connection closed).
var hostCases = map[string]struct{ line, head, want string }{
	"plain":                           {"", "Host: byd.localhost", "byd"},
	"upper case":                      {"", "Host: BYD.LocalHost", "byd"},
	"port":                            {"", "Host: byd.localhost:8080", "byd"},
	"another port":                    {"", "Host: byd.localhost:9", "byd"},
	"trailing dot":                    {"", "Host: byd.localhost.", "byd"},
	"trailing dot and port":           {"", "Host: byd.localhost.:8080", "byd"},
	"full width":                      {"", "Host: ｂｙｄ.localhost", "byd"},
	"X-Forwarded-Host":                {"", "Host: byd.localhost\r\nX-Forwarded-Host: kinglong.localhost", "byd"},
	"X-Forwarded-Host before":         {"", "X-Forwarded-Host: kinglong.localhost\r\nHost: byd.localhost", "byd"},
	"X-Forwarded-Host list":           {"", "Host: byd.localhost\r\nX-Forwarded-Host: kinglong.localhost, byd.localhost", "byd"},
	"X-Forwarded-Server":              {"", "Host: byd.localhost\r\nX-Forwarded-Server: kinglong.localhost", "byd"},
	"X-Host":                          {"", "Host: byd.localhost\r\nX-Host: kinglong.localhost", "byd"},
	"X-Original-Host":                 {"", "Host: byd.localhost\r\nX-Original-Host: kinglong.localhost", "byd"},
	"X-Original-URL":                  {"", "Host: byd.localhost\r\nX-Original-URL: http://kinglong.localhost/", "byd"},
	"X-Rewrite-URL":                   {"", "Host: byd.localhost\r\nX-Rewrite-URL: http://kinglong.localhost/", "byd"},
	"Forwarded":                       {"", "Host: byd.localhost\r\nForwarded: for=127.0.0.1;host=kinglong.localhost;proto=http", "byd"},
	"X-HTTP-Host-Override":            {"", "Host: byd.localhost\r\nX-HTTP-Host-Override: kinglong.localhost", "byd"},
	"absolute, the same":              {"GET http://byd.localhost/ HTTP/1.1", "Host: byd.localhost", "byd"},
	"absolute, another":               {"GET http://kinglong.localhost/ HTTP/1.1", "Host: byd.localhost", ""},
	"absolute with userinfo":          {"GET http://byd.localhost@kinglong.localhost/ HTTP/1.1", "Host: byd.localhost", ""},
	"authority in the path":           {"GET //kinglong.localhost/ HTTP/1.1", "Host: byd.localhost", "byd"},
	"two hosts":                       {"", "Host: byd.localhost\r\nHost: kinglong.localhost", ""},
	"the same host twice":             {"", "Host: byd.localhost\r\nHost: byd.localhost", ""},
	"two hosts, one in lower case":    {"", "Host: byd.localhost\r\nhost: kinglong.localhost", ""},
	"folded":                          {"", "Host: byd.localhost\r\n kinglong.localhost", ""},
	"blank before the colon":          {"", "Host: byd.localhost\r\nHost : kinglong.localhost", ""},
	"bare line feed":                  {"", "Host: byd.localhost\nHost: kinglong.localhost", ""},
	"bare carriage return":            {"", "Host: byd.localhost\rHost: kinglong.localhost", ""},
	"list":                            {"", "Host: byd.localhost, kinglong.localhost", ""},
	"userinfo":                        {"", "Host: byd.localhost@kinglong.localhost", ""},
	"userinfo with a port":            {"", "Host: byd.localhost:80@kinglong.localhost", ""},
	"path":                            {"", "Host: kinglong.localhost/byd.localhost", ""},
	"backslash":                       {"", `Host: kinglong.localhost\byd.localhost`, ""},
	"query":                           {"", "Host: kinglong.localhost?byd.localhost", ""},
	"fragment":                        {"", "Host: kinglong.localhost#byd.localhost", ""},
	"percent":                         {"", "Host: kinglong%2elocalhost", ""},
	"NUL":                             {"", "Host: kinglong.localhost\x00.byd.localhost", ""},
	"underscore":                      {"", "Host: king_long.localhost", ""},
	"two dots":                        {"", "Host: kinglong..localhost", ""},
	"leading dot":                     {"", "Host: .kinglong.localhost", ""},
	"below a tenant":                  {"", "Host: kinglong.byd.localhost", ""},
	"another domain below":            {"", "Host: kinglong.localhost.evil.example", ""},
	"prefix":                          {"", "Host: evilkinglong.localhost", ""},
	"punycode of nobody":              {"", "Host: xn--fiq228c.localhost", ""},
	"broken punycode":                 {"", "Host: xn--a.localhost", ""},
	"right-to-left mark":              {"", "Host: kinglong\u202e.localhost", ""},
	"IPv4":                            {"", "Host: 10.0.0.1", ""},
	"IPv6":                            {"", "Host: [::1]:8080", ""},
	"IPv6 with a zone":                {"", "Host: [fe80::1%25kinglong.localhost]", ""},
	"port that is a name":             {"", "Host: byd.localhost:kinglong.localhost", ""},
	"empty":                           {"", "Host: ", ""},
	"none":                            {"", "Accept: */*", ""},
	"none, in HTTP/1.0":               {"GET / HTTP/1.0", "Accept: */*", ""},
	"too long":                        {"", "Host: " + strings.Repeat("kinglong.", 60) + "localhost", ""},
	"BYD's session at nobody's":       {"GET /orders HTTP/1.1", "Host: evil.example\r\nCookie: session=session-of-owner", ""},
	"BYD's session, King Long's name": {"GET /orders HTTP/1.1", "Host: byd.localhost\r\nX-Forwarded-Host: kinglong.localhost\r\nCookie: session=session-of-owner", "byd"},
}

// TestHostConfusion (reliability T13) writes each head to the server's own socket, as no client library would: nobody but the
// tenant of the one Host line answers, and what is nobody's is told so.
func TestHostConfusion(t *testing.T) {
	t.Parallel()
	m := newMatrix(t)
	at, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = m.srv.App().Listener(at) }()
	t.Cleanup(func() { _ = m.srv.App().Shutdown() })
	ask := func(line, head string) (int, string) {
		t.Helper()
		if line == "" {
			line = "GET / HTTP/1.1"
		}
		conn, err := net.Dial("tcp", at.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(conn, line+"\r\n"+head+"\r\nAccept-Language: zh-CN\r\nConnection: close\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return 0, ""
		}
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		raw, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, res.Header.Get("Location") + string(raw)
	}
	const theirs, ours = "金龙", "比亚迪"
	if status, page := ask("", "Host: kinglong.localhost"); status != 200 || !strings.Contains(page, theirs) || strings.Contains(page, ours) {
		t.Fatalf("King Long's own page cannot be told: %d", status)
	}
	for name, c := range hostCases {
		status, page := ask(c.line, c.head)
		switch {
		case strings.Contains(page, theirs) || strings.Contains(page, "kinglong"):
			t.Errorf("%s: King Long answers, or is named: %d %.300s", name, status, page)
		case c.want == "byd" && (!strings.Contains(page, ours) || status >= 500):
			t.Errorf("%s: %d, not BYD's: %.300s", name, status, page)
		case c.want == "" && status != 0 && status != 400 && status != 421:
			t.Errorf("%s: %d %.200s", name, status, page)
		}
	}
	for _, nobody := range []string{"evil.example", "king_long.localhost", "10.0.0.1", "[::1]:8080", "kinglong.localhost.evil.example"} {
		if status, _ := ask("", "Host: "+nobody); status != http.StatusMisdirectedRequest {
			t.Errorf("%s: %d, want 421", nobody, status)
		}
	}
}
