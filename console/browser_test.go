package console_test

import (
	"crypto/ed25519"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"certsaas/core/authz"
	"certsaas/core/coretest/program/chromium"
	"certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/pki"
	"certsaas/core/platform"
	"certsaas/core/staff"
	"certsaas/core/token"
	"certsaas/core/token/softtoken"
	"certsaas/core/token/ticket"
	"certsaas/keyagent/agent"
)

// listen serves the console to a real browser and gives its origin.
func (r *rig) listen(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = r.srv.App().Listener(ln) }()
	t.Cleanup(func() { _ = r.srv.Shutdown(time.Second) })
	_, port, _ := net.SplitHostPort(ln.Addr().String())
	return "http://console.localhost:" + port
}

// enter logs a person in at a real browser.
func (r *rig) enter(t *testing.T, b *chromium.Browser, origin, login string) *chromium.Tab {
	t.Helper()
	r.person(t, login)
	tab := b.Person(t, chromium.Desktop)
	tab.Open(origin+"/login").Fill("login", login, "password", platform.DemoStaffPassword).Press("下一步").At("^/login/code")
	r.Clock.Shift(31 * time.Second)
	code, err := staff.TOTPNow(platform.DemoSecret(login), r.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return tab.Type("code", code).Press("进入工作台").At("^/$")
}

func chrome(t *testing.T) *chromium.Browser {
	t.Helper()
	b, err := chromium.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// The desk at a real browser: documents by number, reveal without losing what was ticked, verdict by key.
// req: K38
func TestDeskKeys(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.inReview(t, "kinglong", 0, nil)
	y := r.inReview(t, "kinglong", 0, form.Answers{"mobile": "13900139000"})
	b := chrome(t)
	tab := r.enter(t, b, r.listen(t), "reviewer")
	press := func(key string) {
		tab.Eval(`(document.activeElement && document.activeElement.blur(), document.dispatchEvent(new KeyboardEvent("keydown", {key: "` + key + `", bubbles: true})), "")`)
	}
	tab.Open(tab.Eval("location.origin") + x.path("/review"))
	tab.Await("a picture", `document.querySelector("[data-picture]").naturalWidth > 0`)
	press("2")
	tab.Await("the second document", `document.querySelector("[data-viewer-name]").textContent.includes("营业执照")`)
	press("t")
	tab.Await("it turned", `document.querySelector("[data-picture]").style.transform.includes("rotate(90deg)")`)
	tab.Eval(`(document.querySelectorAll("[name=check]").forEach((e) => e.click()), "")`)
	tab.Eval(`(document.querySelector("[data-fact=mobile] button").click(), "")`)
	tab.Await("the mobile in full", `document.querySelector("[data-fact=mobile] .fact-value").textContent === "13800138000"`)
	if r.audited(t, "order.reveal", x.ID) != 1 {
		t.Error("the look is not in the trail")
	}
	tab.Await("ticks are kept", `[...document.querySelectorAll("[name=check]")].every((e) => e.checked)`)
	press("j")
	tab.At(y.path("/review"))
	press("k")
	tab.At(x.path("/review"))
	tab.Await("the first point is lit", `document.querySelector("[data-check].lit") === document.querySelector("[data-check]")`)
	for range 5 {
		press("c")
	}
	tab.Await("C ticks point after point", `[...document.querySelectorAll("[name=check]")].every((e) => e.checked)`)
	tab.Await("… and the document of the last is shown", `document.querySelector("[data-viewer-name]").textContent.includes("授权书")`)
	press("a")
	tab.At(y.path("/review")).See("审核通过")
	r.again(t, x, order.InProduction)
	tab.Eval(`(document.querySelector("[data-fact=org_name] [data-reject]").click(), "")`)
	tab.Await("the reason is asked for", `document.activeElement.matches("[data-fact=org_name] [data-reason]")`)
	tab.Eval(`(document.activeElement.value = "与营业执照不一致", "")`)
	tab.Eval(`(window.samePage = true, "")`)
	tab.Hands().Press(chromium.KeyEnter)
	tab.Await("Enter ends the reason and sends nothing", `window.samePage && document.activeElement === document.body`)
	press("r")
	tab.At("^/queue/review").See("已退回修改")
	r.again(t, y, order.Rejected)
}

// A certificate is written into a new key at the producer's PC: real browser, real key agent, SoftHSM.
// req: K40
func TestProducerAtBrowser(t *testing.T) {
	r := newRig(t)
	if _, err := softtoken.FindModule(); err != nil {
		t.Fatal(err)
	}
	rev := r.login(t, "reviewer")
	x := r.approved(t, rev, "kinglong", 0, nil)
	b := chrome(t)
	origin := r.listen(t)
	soft, sn := r.keys(t, x)
	r.agent(t, soft, origin)
	tab := r.enter(t, b, origin, "producer")
	tab.Open(origin + x.path("/production")).Press("开始写入")
	tab.Await("the blank key is on offer", `document.querySelector('[data-sn="`+sn["new"]+`"]')`)
	tab.Await("a used key is not", `document.querySelector('[data-sn="`+sn["used"]+`"]').disabled`)
	tab.PressAt(`[data-sn="` + sn["new"] + `"]`)
	window := tab.Popup(func() { tab.Press("打开口令窗口") })
	window.Type("pin", platform.DemoPIN).PressAt("button[type=submit]")
	tab.At(x.path("/shipping")).See(sn["new"])
	r.again(t, x, order.ToDeliver)
	tok, err := soft.Open(sn["new"])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tok.Close() }()
	held, err := tok.Containers()
	if err != nil || len(held) != 1 || held[0].Certificate == nil || !strings.Contains(held[0].Certificate.Subject.String(), x.Organisation()) {
		t.Fatalf("in the key: %v %v", held, err)
	}
}

// keys are two soft keys: a blank one, and one that holds a certificate already.
func (r *rig) keys(t *testing.T, x placed) (*softtoken.Driver, map[string]string) {
	t.Helper()
	soft, err := softtoken.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = soft.Close() })
	sn := map[string]string{}
	for _, label := range []string{"new", "used"} {
		if sn[label], err = soft.Format(label, platform.DemoPIN); err != nil {
			t.Fatal(err)
		}
	}
	p, _ := r.Tenant("kinglong").Product(x.Product)
	err = soft.Provision(sn["used"], platform.DemoPIN, token.RSA2048, []byte{1}, "used", func(csrPEM []byte) ([]byte, error) {
		csr, err := pki.ParseCSR(csrPEM)
		if err != nil {
			return nil, err
		}
		cert, _, err := r.Issuance.Backdated(r.As(authz.System("test/used")), p, csr, map[string]string{"code": "91350200MA2XYKHT6G", "organisation": "演示单位", "org_name": "演示单位", "project": "演示"}, r.Clock.Now().Add(-time.Hour))
		if err != nil {
			return nil, err
		}
		return cert.DER(), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return soft, sn
}

// agent runs a key agent that trusts this console. It waits while others' agents hold the ports.
func (r *rig) agent(t *testing.T, soft *softtoken.Driver, origin string) {
	t.Helper()
	key, err := r.Vault.SigningKey(t.Context(), "keyagent")
	if err != nil {
		t.Fatal(err)
	}
	trust := ticket.Trust{Issuers: []ticket.Issuer{{Iss: r.Sites.Platform(), Name: "certsaas", Keys: []string{ticket.EncodeKey(key.Public().(ed25519.PublicKey))}, Origins: []string{origin}}}}
	a := agent.New(agent.Config{Driver: soft, Trust: func() (ticket.Trust, error) { return trust, nil }, Clock: r.Clock, Log: slog.New(slog.DiscardHandler), Version: "test"})
	var listeners []net.Listener
	var port int
	for range 100 {
		if listeners, port, err = agent.Listen([]int{17631, 27631, 37631}); err == nil {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Serve(t.Context(), listeners, port) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
