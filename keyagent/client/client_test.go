package client

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"certsaas/core/clock"
	"certsaas/core/token/softtoken"
	"certsaas/core/token/ticket"
	"certsaas/keyagent/agent"

	"github.com/chromedp/chromedp"
)

const pin = "12345678"

// connectSrc is what a page that uses the agent adds to connect-src.
const connectSrc = "http://127.0.0.1:17631 http://127.0.0.1:27631 http://127.0.0.1:37631 ws://127.0.0.1:17631 ws://127.0.0.1:27631 ws://127.0.0.1:37631"

// portal serves a page with a strict policy that uses the script, under a name
// that is not the agent's.
func portal(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ukagent.js" {
			w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
			_, _ = w.Write(JS)
			return
		}
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self' "+connectSrc)
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><title>portal</title><script src="/ukagent.js"></script>`)
	}))
	t.Cleanup(srv.Close)
	_, port, err := net.SplitHostPort(srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "http://byd.localhost:" + port
}

func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: apt-get install chromium")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.NoFirstRun, chromedp.DisableGPU)
	t.Cleanup(stop)
	return ctx
}

// serve starts an agent on the real ports, since those are what the script tries.
func serve(t *testing.T, trust *atomic.Pointer[ticket.Trust]) (sn string) {
	t.Helper()
	soft, err := softtoken.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = soft.Close() })
	if sn, err = soft.Format("演示KEY", pin); err != nil {
		t.Fatal(err)
	}
	listeners, port, err := agent.Listen(agent.Ports)
	if err != nil {
		t.Fatal(err)
	}
	a := agent.New(agent.Config{Driver: soft, Trust: func() (ticket.Trust, error) { return *trust.Load(), nil }, Clock: clock.System(), Log: slog.New(slog.DiscardHandler), Version: "9.9"})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx, listeners, port) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return sn
}

func eval[T any](t *testing.T, ctx context.Context, js string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T]("(async () => {"+js+"})()", chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatalf("%s: %v", js, err)
	}
	return v
}

// TestInBrowser: a page under a strict policy finds the agent, has the PIN typed
// in the agent's own window, and gets a key request, in real Chromium.
// req: B57
func TestInBrowser(t *testing.T) {
	origin := portal(t)
	ctx, cancel := chromedp.NewContext(browser(t))
	defer cancel()
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var trust atomic.Pointer[ticket.Trust]
	believe := func(origins ...string) {
		trust.Store(&ticket.Trust{Issuers: []ticket.Issuer{{Iss: "certsaas", Keys: []string{ticket.EncodeKey(pub)}, Origins: origins}}})
	}
	believe()
	sn := serve(t, &trust)
	if err := chromedp.Do(ctx, chromedp.Navigate(origin+"/")); err != nil {
		t.Fatal(err)
	}
	if state := eval[string](t, ctx, `return (await UKAgent.find()).state`); state != "refused" {
		t.Fatalf("an agent that does not know the site: %q", state)
	}
	believe(origin)
	if state := eval[string](t, ctx, `window.found = await UKAgent.find(); return found.state + " " + found.version`); state != "ready 9.9" {
		t.Fatal(state)
	}
	now := clock.System().Now().Unix()
	raw, err := ticket.Sign(key, ticket.Claims{Iss: "certsaas", Origin: origin, Tid: "byd", Order: "item", Company: "厦门示例汽车销售有限公司",
		Ops: []string{ticket.OpEnumerate, ticket.OpCSR}, Nonce: ticket.NewID(), Iat: now, Exp: now + 600, JTI: ticket.NewID()})
	if err != nil {
		t.Fatal(err)
	}
	got := eval[string](t, ctx, `window.events = []; window.agent = await UKAgent.connect(found, {ticket: "`+raw+`", onEvent: function (e) { events.push(e); }});
		return (await agent.call("select", {})).sn`)
	if got != sn {
		t.Fatalf("selected %q, want %q", got, sn)
	}
	if code := eval[string](t, ctx, `try { await agent.call("install", {}); return "done"; } catch (e) { return e.code; }`); code != "TICKET_INVALID" {
		t.Fatal(code)
	}
	address := eval[string](t, ctx, `window.login = agent.call("login", {}); while (!events.length) { await new Promise(r => setTimeout(r, 20)); } return events[0].url`)
	typePIN(t, ctx, address)
	if left := eval[int](t, ctx, `return (await login).retry_left`); left != softtoken.MaxTries {
		t.Fatalf("%d tries left", left)
	}
	csr := eval[string](t, ctx, `return (await agent.call("csr", {alg: "p256", new_container: true})).csr_pem`)
	if !strings.Contains(csr, "BEGIN CERTIFICATE REQUEST") {
		t.Fatal(csr)
	}
	if code := eval[string](t, ctx, `agent.close(); try { await agent.call("ping"); return "alive"; } catch (e) { return e.code; }`); code != "AGENT_GONE" {
		t.Fatal(code)
	}
}

// typePIN is the user in the agent's window: a wrong PIN first, then the right one.
func typePIN(t *testing.T, ctx context.Context, address string) {
	t.Helper()
	tab, cancel := chromedp.NewContext(ctx)
	defer cancel()
	if err := chromedp.Do(tab, chromedp.EmulateViewport(560, 900), chromedp.Navigate(address), chromedp.WaitVisible("#pin")); err != nil {
		t.Fatal(err)
	}
	shot(t, tab, "pin-ask.png")
	if err := chromedp.Do(tab, chromedp.SendKeys("#pin", "000000"), chromedp.Click("button[value=ok]"), chromedp.WaitVisible(".notice")); err != nil {
		t.Fatal(err)
	}
	shot(t, tab, "pin-wrong.png")
	if err := chromedp.Do(tab, chromedp.SendKeys("#pin", pin), chromedp.Click("button[value=ok]"), chromedp.WaitVisible("h1.good")); err != nil {
		t.Fatal(err)
	}
	shot(t, tab, "pin-done.png")
}

// shot keeps a picture when SHOTS names a folder.
func shot(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name), png, 0o600)
	}
	if err != nil {
		t.Error(err)
	}
}
