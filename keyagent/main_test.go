package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
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
	origin = "http://byd.localhost:8080"
)

// TestMain lets the test binary be the program itself, so that it can be killed.
func TestMain(m *testing.M) {
	if os.Getenv("KEYAGENT_AS_PROGRAM") == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

// desk is a dealer's PC: a token directory and a running agent process.
type desk struct {
	t          *testing.T
	dir, trust string
	key        ed25519.PrivateKey
	root       pki.Authority
	old        string
	order      string
	cmd        *exec.Cmd
	base       string
	conn       *websocket.Conn
	n          int
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, dir: t.TempDir(), trust: filepath.Join(t.TempDir(), "keyagent-trust.json")}
	now := clock.System().Now()
	d.root = must(pki.NewRoot(pki.Subject{Country: "CN", CommonName: "演示根"}, pki.P256, must(pki.NewSerial(rand.Reader))(t), now.AddDate(-3, 0, 0), now.AddDate(5, 0, 0)))(t)
	soft := must(softtoken.Open(d.dir))(t)
	defer soft.Close()
	sn := must(soft.Format("演示KEY", pin))(t)
	err := soft.Provision(sn, pin, token.RSA2048, []byte{0xA1}, "old", func(csr []byte) ([]byte, error) {
		cert := d.issue(string(csr), now.AddDate(-2, 0, 0))
		d.old = cert.Serial()
		return cert.DER(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	pub, key, err := ed25519.GenerateKey(rand.Reader)
	d.key = must(key, err)(t)
	if err := ticket.WriteTrust(d.trust, ticket.Trust{Issuers: []ticket.Issuer{{Iss: "certsaas", Keys: []string{ticket.EncodeKey(pub)}, Origins: []string{origin}}}}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *desk) issue(csrPEM string, at time.Time) pki.Certificate {
	d.t.Helper()
	profile := must(pki.CompileProfile(pki.ProfileConfig{Name: "p", Algorithms: []string{"rsa2048", "p256"}, KeyUsage: []string{"digital_signature"},
		ExtKeyUsage: []string{"client_auth"}, ValidityYears: 1, Subject: pki.Subject{CommonName: "x"}}))(d.t)
	csr := must(pki.ParseCSR([]byte(csrPEM)))(d.t)
	from, to := profile.Validity(at)
	prepared := must(pki.Prepare(profile, pki.Subject{Country: "CN", CommonName: "示例公司"}, csr, d.root.Certificate.X509(), must(pki.NewSerial(rand.Reader))(d.t), from, to))(d.t)
	return must(pki.Issue(prepared, d.root.Key))(d.t)
}

// boot starts the agent process and opens a page's connection to it.
func (d *desk) boot() {
	d.t.Helper()
	d.cmd = exec.Command(os.Args[0], "--trust", d.trust, "--demo", d.dir, "--listen", "127.0.0.1:0")
	d.cmd.Env = append(os.Environ(), "KEYAGENT_AS_PROGRAM=1")
	d.cmd.Stderr = os.Stderr
	out := must(d.cmd.StdoutPipe())(d.t)
	if err := d.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	process := d.cmd.Process
	d.t.Cleanup(func() { _ = process.Kill() })
	line := must(bufio.NewReader(out).ReadString('\n'))(d.t)
	d.base = regexp.MustCompile(`http://127\.0\.0\.1:\d+`).FindString(line)
	conn, _, err := websocket.Dial(d.t.Context(), "ws"+strings.TrimPrefix(d.base, "http")+"/v1/ws",
		&websocket.DialOptions{Subprotocols: []string{"ukagent.v1"}, HTTPHeader: http.Header{"Origin": {origin}}})
	d.conn = must(conn, err)(d.t)
}

// crash is kill -9.
func (d *desk) crash() {
	d.t.Helper()
	if err := d.cmd.Process.Kill(); err != nil {
		d.t.Fatal(err)
	}
	_ = d.cmd.Wait() // killed
	_ = d.conn.CloseNow()
}

func (d *desk) ticket(nonce string) string {
	now := clock.System().Now()
	return must(ticket.Sign(d.key, ticket.Claims{Iss: "certsaas", Origin: origin, Tid: "byd", Order: d.order, Company: "示例公司",
		Ops:  []string{"enumerate", "csr", "install", "prove"},
		Bind: ticket.Bind{OldSerial: d.old}, Nonce: nonce, Iat: now.Unix(), Exp: now.Unix() + 600, JTI: ticket.NewID()}))(d.t)
}

func (d *desk) send(op, raw string, args map[string]any) {
	d.t.Helper()
	d.n++
	body := must(json.Marshal(map[string]any{"id": fmt.Sprint(d.n), "op": op, "ticket": raw, "args": args}))(d.t)
	if err := d.conn.Write(d.t.Context(), websocket.MessageText, body); err != nil {
		d.t.Fatal(err)
	}
}

// call answers a PIN window on the way, as a person would.
func (d *desk) call(op, raw string, args map[string]any) map[string]any {
	d.t.Helper()
	d.send(op, raw, args)
	for {
		ctx, cancel := context.WithTimeout(d.t.Context(), 20*time.Second)
		_, data, err := d.conn.Read(ctx)
		cancel()
		if err != nil {
			d.t.Fatal(err)
		}
		var m map[string]any
		if err := json.Unmarshal(data, &m); err != nil {
			d.t.Fatal(err)
		}
		if m["event"] == "pin_prompt" {
			go d.typePIN(m["url"].(string))
		}
		if m["id"] != fmt.Sprint(d.n) {
			continue
		}
		if m["ok"] != true {
			d.t.Fatalf("%s: %s", op, data)
		}
		result, _ := m["result"].(map[string]any)
		return result
	}
}

func (d *desk) typePIN(address string) {
	res, err := http.Get(address)
	if err != nil {
		d.t.Error(err)
		return
	}
	defer res.Body.Close()
	var page strings.Builder
	if _, err := bufio.NewReader(res.Body).WriteTo(&page); err != nil {
		d.t.Error(err)
		return
	}
	nonce := regexp.MustCompile(`name="nonce" value="(\w+)"`).FindStringSubmatch(page.String())
	if nonce == nil {
		d.t.Error("PIN window has no form")
		return
	}
	req, err := http.NewRequest("POST", address, strings.NewReader(url.Values{"nonce": {nonce[1]}, "pin": {pin}}.Encode()))
	if err != nil {
		d.t.Error(err)
		return
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", d.base)
	if res, err := http.DefaultClient.Do(req); err != nil {
		d.t.Error(err)
	} else {
		_ = res.Body.Close()
	}
}

// TestKilledAtEveryStep kills the program after, and in the middle of, every step
// of a renewal; the next life finds the same key and ends with one certificate.
// req: B59
func TestKilledAtEveryStep(t *testing.T) {
	d := newDesk(t)
	csrArgs := map[string]any{"alg": "rsa2048", "new_container": true}
	for i, moment := range []string{"after csr", "during install", "after install"} {
		d.order = "item-" + moment
		nonce := ticket.NewID()
		d.boot()
		raw := d.ticket(nonce)
		d.call("select", raw, nil)
		d.call("login", raw, nil)
		first := d.call("csr", raw, csrArgs)
		cert := d.issue(first["csr_pem"].(string), clock.System().Now())
		install := map[string]any{"container": first["container"], "sign_cert": string(cert.PEM()), "chain": []string{string(d.root.Certificate.PEM())}}
		switch moment {
		case "during install":
			d.send("install", raw, install)
		case "after install":
			d.call("install", raw, install)
		}
		d.crash()

		d.boot()
		raw = d.ticket(nonce)
		selected := d.call("select", raw, nil)
		if selected["pending"] == nil || selected["old"] == nil {
			t.Fatalf("%s: %v", moment, selected)
		}
		d.call("login", raw, nil)
		second := d.call("csr", raw, csrArgs)
		if second["spki_sha256"] != first["spki_sha256"] {
			t.Fatalf("%s: another key after the crash", moment)
		}
		if installed := second["installed"].(bool); moment != "during install" && installed != (moment == "after install") {
			t.Fatalf("%s: installed = %v", moment, installed)
		}
		done := d.call("install", raw, install)
		if done["serial"] != cert.Serial() || done["readback_spki"] != cert.SPKISHA256().String() {
			t.Fatalf("%s: %v", moment, done)
		}
		d.call("prove_new", raw, map[string]any{"challenge": nonce})
		d.call("prove_old", raw, map[string]any{"challenge": nonce})
		d.crash()
		if n := containers(t, d.dir); n != 2+i {
			t.Fatalf("%s: %d containers on the key", moment, n)
		}
	}
}

func containers(t *testing.T, dir string) int {
	t.Helper()
	soft := must(softtoken.Open(dir))(t)
	defer soft.Close()
	devices := must(soft.Devices())(t)
	tk := must(soft.Open(devices[0].Serial))(t)
	return len(must(tk.Containers())(t))
}

func TestFlags(t *testing.T) {
	trust := filepath.Join(t.TempDir(), "trust.json")
	if err := os.WriteFile(trust, []byte(`{"issuers":[]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"no trust":        {[]string{"--module", "/x.so"}, "--trust"},
		"no device":       {[]string{"--trust", trust}, "--module or --demo"},
		"both":            {[]string{"--trust", trust, "--module", "/x.so", "--demo", "d"}, "--module or --demo"},
		"relative module": {[]string{"--trust", trust, "--module", "x.so"}, "absolute"},
		"missing module":  {[]string{"--trust", trust, "--module", "/nowhere/x.so"}, "DRIVER_MISSING"},
		"missing trust":   {[]string{"--trust", "/nowhere/t.json", "--module", "/x.so"}, "trust file"},
		"open to all":     {[]string{"--trust", trust, "--demo", t.TempDir(), "--listen", "0.0.0.0:1"}, "this computer alone"},
		"prompt":          {[]string{"--trust", trust, "--demo", "d", "--prompt", "page"}, "window or terminal"},
		"stray":           {[]string{"--trust", trust, "--demo", "d", "stray"}, "stray"},
	} {
		err := run(t.Context(), c.args)
		if err == nil || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

func TestOriginsNarrow(t *testing.T) {
	pub, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "trust.json")
	both := []string{origin, "https://kinglong.example.cn"}
	if err := ticket.WriteTrust(path, ticket.Trust{Issuers: []ticket.Issuer{{Iss: "i", Keys: []string{ticket.EncodeKey(pub)}, Origins: both}}}); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(t.TempDir(), "origins")
	if err := os.WriteFile(list, []byte(origin+"\nhttps://never-trusted.example.cn\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for arg, want := range map[string][2]bool{"": {true, true}, origin: {true, false}, list: {true, false}, both[0] + "," + both[1]: {true, true}} {
		trust := must(must(trustSource(options{trust: path, origins: arg}))(t)())(t)
		if got := [2]bool{trust.AllowsOrigin(both[0]), trust.AllowsOrigin(both[1])}; got != want || trust.AllowsOrigin("https://never-trusted.example.cn") {
			t.Errorf("--origins %q allows %v, want %v", arg, got, want)
		}
	}
}

// Only a demonstration's agent lives at another time: with a real key a ticket that has ended stays ended.
func TestClockAheadIsForDemonstrations(t *testing.T) {
	t.Parallel()
	for args, ok := range map[string]bool{
		"--trust t --demo d --ahead 335d": true, "--trust t --demo d": true, "--trust t --module /m.so": true,
		"--trust t --module /m.so --ahead 335d": false, "--trust t --demo d --ahead -1h": false,
	} {
		if _, err := parse(strings.Fields(args)); (err == nil) != ok {
			t.Errorf("%s: %v", args, err)
		}
	}
}
