package portal_test

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"net"
	"testing"

	"certsaas/core/coretest/program/chromium"
	"certsaas/core/order"
	"certsaas/core/token"
	"certsaas/core/token/softtoken"
	"certsaas/core/token/ticket"
	"certsaas/keyagent/agent"
)

const pin = "12345678"

// desk is a PC with a key agent, and a browser on the portal.
type desk struct {
	*world
	soft *softtoken.Driver
	base string // of BYD's portal
	tab  *chromium.Tab
}

// newDesk serves the portal and starts an agent that knows it.
func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{world: newWorld(t)}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = d.app.Listener(ln) }()
	t.Cleanup(func() { _ = d.app.Shutdown() })
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	d.base = "http://byd.localhost:" + port
	if d.soft, err = softtoken.Open(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.soft.Close() })
	d.serveAgent()
	browser, err := chromium.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = browser.Close() })
	d.tab = browser.Person(t, chromium.Desktop)
	return d
}

// serveAgent starts the key agent on the first free of its ports; another program's agent may hold the others.
func (d *desk) serveAgent() {
	t := d.T
	t.Helper()
	key, err := d.Vault.SigningKey(t.Context(), "keyagent")
	if err != nil {
		t.Fatal(err)
	}
	trust := ticket.Trust{Issuers: []ticket.Issuer{{Iss: d.Sites.Platform(), Name: "certsaas", Keys: []string{ticket.EncodeKey(key.Public().(ed25519.PublicKey))}, Origins: []string{d.base}}}}
	listeners, port, err := agent.Listen(agent.Ports)
	if err != nil {
		t.Fatal(err)
	}
	a := agent.New(agent.Config{Driver: d.soft, Trust: func() (ticket.Trust, error) { return trust, nil }, Clock: d.Clock, Log: slog.New(slog.DiscardHandler), Version: "test"})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Serve(ctx, listeners, port) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// format plugs a token in that holds nothing.
func (d *desk) format(label string) string {
	d.T.Helper()
	sn, err := d.soft.Format(label, pin)
	if err != nil {
		d.T.Fatal(err)
	}
	return sn
}

// shows waits for a state of the key page.
func (d *desk) shows(state string) {
	d.T.Helper()
	d.tab.Await("the key page shows "+state, `document.querySelector("[data-key-page]").dataset.state === "`+state+`"`)
	d.tab.Shot("key-" + state)
}

// The way of a renewal at a PC, with what goes wrong on it: no key, another key, a wrong PIN; 重试 each time, until it is
// done. Then the old pair is gone, the new one there.
// req: B57 B58 B59
func TestKeyPageInBrowser(t *testing.T) {
	d := newDesk(t)
	b, _, o := unpaid(t, d.world)
	d.settled(b, o)
	old := newSlot(t) // the order is about a certificate that no key at this PC holds yet
	cert := d.oldCertificate("13800138000", old.csr(), "ELSEWHERE")
	d.bind(o, cert)
	d.approve(o)
	d.tab.Open(d.base+"/login").Type("mobile", "13800138000").Type("password", "correct horse 7").PressAt("main form .btn-primary")
	d.tab.Await("logged in", `location.pathname !== "/login"`)
	d.tab.Open(d.base + "/orders/" + o.ID.String()).Press("下载证书").At("/key/")

	d.tab.PressIn("[data-panel=start]", "下载证书")
	d.shows("absent") // req: B59
	d.format("ANOTHER")
	d.tab.PressIn("[data-panel=absent]", "重试")
	d.shows("wrong")
	d.tab.See("不是要更新的 USBKEY")

	right := d.format("BYD-DEMO")
	err := d.soft.Provision(right, pin, token.RSA2048, []byte{1}, "old", func(csr []byte) ([]byte, error) {
		cert = d.oldCertificate("13800138000", string(csr), right)
		d.bind(o, cert)
		return cert.Certificate.DER(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	d.tab.PressIn("[data-panel=wrong]", "重试")
	d.shows("pin")
	d.tab.Await("the agent's window", `document.querySelector("[data-window] a").href.includes("/pin/")`)
	window := d.tab.NewTab(chromium.Desktop)
	window.Open(d.tab.Eval(`document.querySelector("[data-window] a").href`))
	window.Type("pin", "00000000").PressAt("button[value=ok]")
	d.tab.Await("a wrong PIN is said", `!document.querySelector("[data-pin-wrong]").hidden && document.querySelector("[data-tries] b").textContent === "5"`)
	d.tab.Shot("key-pin-wrong")
	window.Type("pin", pin).PressAt("button[value=ok]")
	window.See("口令正确")
	window.Close()
	d.tab.See("证书下载成功", "证书有效期至 2027-11-", "使用注意事项").Shot("key-success") // req: B58
	equal(t, "state", order.Completed, d.current(o).State)
	d.holds(right, cert.Certificate.Serial())
}

// holds checks that a token has one certificate only, and not the old one.
func (d *desk) holds(serial, old string) {
	d.T.Helper()
	k, err := d.soft.Open(serial)
	if err != nil {
		d.T.Fatal(err)
	}
	defer func() { _ = k.Close() }()
	all, err := k.Containers()
	if err != nil {
		d.T.Fatal(err)
	}
	if len(all) != 1 || all[0].CertificateSerial() == "" || all[0].CertificateSerial() == old {
		d.T.Errorf("the key holds %d containers: %+v", len(all), all)
	}
}
