package agent

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"certsaas/core/clock"
	"certsaas/core/pki"
	"certsaas/core/token"
	"certsaas/core/token/softtoken"
	"certsaas/core/token/ticket"
)

// TestRenewal drives a whole renewal from the page's side, for both algorithms,
// and reads the result with tools that know nothing of us.
// req: B57
func TestRenewal(t *testing.T) {
	for _, alg := range []token.Algorithm{token.RSA2048, token.P256} {
		t.Run(string(alg), func(t *testing.T) { renewal(t, alg) })
	}
}

func renewal(t *testing.T, alg token.Algorithm) {
	w := newWorld(t, alg)
	w.prompter.will(Answer{PIN: pin})
	claims := w.claims()
	p := w.dial(t, w.ticket(t, claims))

	devices := ok[[]device](p, "enumerate", nil)
	if len(devices) != 1 || devices[0].Containers[0].Cert.Serial != w.oldSerial || *devices[0].PIN.RetryLeft != softtoken.MaxTries {
		t.Fatalf("%+v", devices)
	}
	sel := ok[selected](p, "select", none{})
	if sel.SN != w.sn || sel.Old == nil || sel.Pending != nil {
		t.Fatalf("%+v", sel)
	}
	p.bad("prove_old", none{}, token.CodeNotLoggedIn)
	ok[none](p, "login", none{})
	if e := <-p.events; e.Event != "pin_prompt" {
		t.Fatalf("%+v", e)
	}
	if got := w.prompter.prompts[0]; got.Origin != origin || got.Company != "示例公司" || got.Action != "更新证书" {
		t.Fatalf("dialog shows %+v", got)
	}
	old := ok[proof](p, "prove_old", none{"challenge": claims.Nonce})
	checkProof(t, old, claims.Nonce, w.oldSerial)

	csr := ok[csrResult](p, "csr", none{"alg": alg, "subject_hint": "示例公司", "new_container": true})
	again := ok[csrResult](p, "csr", none{"alg": alg, "new_container": true})
	if again.SPKI != csr.SPKI || csr.Installed {
		t.Fatal("the same attempt made another key")
	}
	p.bad("prove_new", none{"challenge": claims.Nonce}, token.CodeCertNotFound)
	p.bad("cleanup", none{"old_container": sel.Old.Name}, token.CodeCertNotFound) // nothing new yet: the old stays

	cert := w.issue(t, csr.CSR, noon)
	install := installArgs{Container: csr.Container, SignCert: string(cert.PEM()), Chain: []string{string(w.root.Certificate.PEM())}}
	done := ok[installed](p, "install", install)
	if !done.Installed || done.SPKI != cert.SPKISHA256().String() || done.Serial != cert.Serial() {
		t.Fatalf("%+v", done)
	}
	ok[installed](p, "install", install) // asked again after a lost answer: no change
	checkProof(t, ok[proof](p, "prove_new", none{"challenge": claims.Nonce}), claims.Nonce, cert.Serial())

	p.bad("cleanup", none{"old_container": csr.Container}, token.CodeKeyMismatch)
	ok[none](p, "cleanup", none{"old_container": sel.Old.Name})
	sel = ok[selected](p, "select", none{})
	if sel.Old != nil || sel.Pending == nil || sel.Pending.Cert.Serial != cert.Serial() {
		t.Fatalf("after cleanup: %+v", sel)
	}
	readBack(t, w, csr.Container, cert)
}

func checkProof(t *testing.T, p proof, nonce, serial string) {
	t.Helper()
	block, _ := pem.Decode([]byte(p.Cert))
	if block == nil {
		t.Fatal("proof without certificate")
	}
	cert := must(x509.ParseCertificate(block.Bytes))(t)
	sig := must(base64.RawURLEncoding.DecodeString(p.Sig))(t)
	if err := ticket.VerifyProof(origin, nonce, cert.PublicKey, sig); err != nil {
		t.Fatal(err)
	}
	if !sameSerial(pki.SerialText(cert.SerialNumber.Bytes()), serial) {
		t.Fatalf("proof by certificate %X, want %s", cert.SerialNumber, serial)
	}
}

// readBack asks pkcs11-tool for the certificate and openssl whether its chain holds.
func readBack(t *testing.T, w *world, container string, want pki.Certificate) {
	t.Helper()
	tmp := t.TempDir()
	der, leaf, root := filepath.Join(tmp, "c.der"), filepath.Join(tmp, "c.pem"), filepath.Join(tmp, "root.pem")
	command(t, w.dir, "opensc", "pkcs11-tool", "--module", must(softtoken.FindModule())(t), "--token-label", "演示KEY", "--read-object", "--type", "cert", "--id", container, "-o", der)
	if got := must(os.ReadFile(der))(t); !bytes.Equal(got, want.DER()) {
		t.Fatal("pkcs11-tool reads another certificate")
	}
	if err := os.WriteFile(root, w.root.Certificate.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, w.dir, "openssl", "openssl", "x509", "-inform", "der", "-in", der, "-out", leaf)
	command(t, w.dir, "openssl", "openssl", "verify", "-attime", "1795316400", "-CAfile", root, leaf)
}

func command(t *testing.T, dir, pkg, name string, args ...string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: apt-get install %s", name, pkg)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+softtoken.ConfigPath(dir))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// TestRemovedAnywhere pulls the device out at each step; after plugging it in
// again the renewal goes on with the same key, as 重试 promises.
// req: B59
func TestRemovedAnywhere(t *testing.T) {
	w := newWorld(t, token.P256)
	for i, step := range []string{"generate", "install", "readback"} {
		claims := w.claims()
		claims.Order = "item-" + step
		p := w.dial(t, w.ticket(t, claims))
		w.prompter.will(Answer{PIN: pin}, Answer{PIN: pin})
		ok[selected](p, "select", none{})
		ok[none](p, "login", none{})
		var first csrResult
		w.driver.arm(step)
		if step == "generate" {
			p.bad("csr", none{"alg": "p256", "new_container": true}, token.CodeRemoved)
		} else {
			first = ok[csrResult](p, "csr", none{"alg": "p256", "new_container": true})
			p.bad("install", installArgs{Container: first.Container, SignCert: string(w.issue(t, first.CSR, noon).PEM())}, token.CodeRemoved)
		}
		p.bad("select", none{}, token.CodeNoDevice)
		p.bad("csr", none{"alg": "p256", "new_container": true}, codeNotSelected)
		w.driver.plug()

		ok[selected](p, "select", none{})
		p.bad("csr", none{"alg": "p256", "new_container": true}, token.CodeNotLoggedIn)
		ok[none](p, "login", none{})
		before := countKeys(p)
		second := ok[csrResult](p, "csr", none{"alg": "p256", "new_container": true})
		if countKeys(p) != before || (first.SPKI != "" && second.SPKI != first.SPKI) {
			t.Fatalf("%s: a second key was made", step)
		}
		if want := step == "readback"; second.Installed != want {
			t.Fatalf("%s: installed = %v", step, second.Installed)
		}
		cert := w.issue(t, second.CSR, noon)
		ok[installed](p, "install", installArgs{Container: second.Container, SignCert: string(cert.PEM())})
		checkProof(t, ok[proof](p, "prove_new", none{"challenge": claims.Nonce}), claims.Nonce, cert.Serial())
		checkProof(t, ok[proof](p, "prove_old", none{}), claims.Nonce, w.oldSerial) // the old one still works
		if got := countKeys(p); got != 2+i {
			t.Fatalf("%d containers", got)
		}
		_ = p.conn.CloseNow()
		waitFree(t, w)
	}
}

func countKeys(p *page) int { return len(ok[[]device](p, "enumerate", nil)[0].Containers) }

// waitFree waits until no session owns the device.
func waitFree(t *testing.T, w *world) {
	t.Helper()
	deadline := clock.System().Now().Add(5 * time.Second)
	for clock.System().Now().Before(deadline) {
		q := w.dial(t, w.ticket(t, w.claims()))
		r := q.await(q.start("select", none{}))
		_ = q.conn.CloseNow()
		if r.OK {
			time.Sleep(50 * time.Millisecond)
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("device stays busy")
}

// A new attempt makes a new key; cleanup removes what the earlier one left.
func TestSecondAttempt(t *testing.T) {
	w := newWorld(t, token.P256)
	w.prompter.will(Answer{PIN: pin})
	claims := w.claims()
	p := w.dial(t, w.ticket(t, claims))
	ok[selected](p, "select", none{})
	ok[none](p, "login", none{})
	first := ok[csrResult](p, "csr", none{"alg": "p256", "new_container": true})
	claims = w.claims()
	claims.Attempt = 2
	p.ticket = w.ticket(t, claims) // same order: the login stays
	second := ok[csrResult](p, "csr", none{"alg": "p256", "new_container": true})
	if second.SPKI == first.SPKI {
		t.Fatal("second attempt reused the key")
	}
	p.bad("install", installArgs{Container: first.Container, SignCert: string(w.issue(t, first.CSR, noon).PEM())}, token.CodeKeyMismatch)
	p.bad("install", installArgs{Container: second.Container, SignCert: string(w.issue(t, first.CSR, noon).PEM())}, token.CodeKeyMismatch)
	p.bad("install", installArgs{Container: second.Container, SignCert: "junk"}, token.CodeKeyMismatch)
	p.bad("install", installArgs{Container: second.Container, EncCert: "x"}, token.CodeNotSupported)
	cert := string(w.issue(t, second.CSR, noon).PEM())
	p.bad("install", installArgs{Container: second.Container, SignCert: cert, Chain: []string{cert}}, token.CodeKeyMismatch)
	ok[installed](p, "install", installArgs{Container: second.Container, SignCert: cert})
	if got := ok[map[string][]string](p, "cleanup", none{}); len(got["removed"]) != 1 || got["removed"][0] != first.Container {
		t.Fatalf("%v", got)
	}
	ok[proof](p, "prove_old", none{}) // cleanup without old_container leaves the old certificate
}

// A blank key gets its first certificate without a bound old one (the producer's desk).
// req: B57
func TestFirstCertificate(t *testing.T) {
	w := newWorld(t, token.P256)
	w.prompter.will(Answer{PIN: pin})
	claims := w.claims()
	claims.Bind = ticket.Bind{KeySN: w.sn}
	p := w.dial(t, w.ticket(t, claims))
	ok[selected](p, "select", none{"sn": w.sn})
	ok[none](p, "login", none{})
	if w.prompter.prompts[0].Action != "写入新证书" {
		t.Fatal(w.prompter.prompts[0].Action)
	}
	p.bad("prove_old", none{}, codeTicket)
	p.bad("csr", none{"alg": "sm2", "new_container": true}, token.CodeNotSupported)
	csr := ok[csrResult](p, "csr", none{"alg": "rsa2048", "new_container": true})
	ok[installed](p, "install", installArgs{Container: csr.Container, SignCert: string(w.issue(t, csr.CSR, noon).PEM())})
	ok[proof](p, "prove_new", none{})
}
