package portal_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/issuance"
	"certsaas/core/order"
	"certsaas/core/token/ticket"
)

// slot is a key pair as a USBKEY would hold it.
type slot struct {
	t   *testing.T
	key *rsa.PrivateKey
}

func newSlot(t *testing.T) slot {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return slot{t, key}
}

func (s slot) csr() string {
	s.t.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, s.key)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
}

// proof signs a nonce as the agent does.
func (s slot) proof(origin, nonce string) []byte {
	s.t.Helper()
	sum := sha256.Sum256(ticket.ProofMessage(origin, nonce))
	sig, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		s.t.Fatal(err)
	}
	return sig
}

// items are an order's keys.
func (w *world) items(o order.Order) []order.Item {
	w.T.Helper()
	var out []order.Item
	err := w.DB.WithTenant(w.T.Context(), o.Tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		out, err = order.Items(ctx, tx, o.ID)
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return out
}

// made writes every key of an order at the producer's desk.
func (w *world) made(o order.Order) {
	w.T.Helper()
	const origin = "http://console.localhost:8080"
	ctx := w.staff(authz.RoleProducer)
	for _, it := range w.items(o) {
		s := newSlot(w.T)
		a, err := w.Issuance.Authorise(ctx, o.Tenant, it.ID, origin)
		if err != nil {
			w.T.Fatal(err)
		}
		if _, err := w.Issuance.Enroll(ctx, o.Tenant, it.ID, issuance.Enrollment{Ticket: a.Ticket, Origin: origin, CSR: []byte(s.csr()), TokenSerial: serial()}); err != nil {
			w.T.Fatal(err)
		}
		if _, err := w.Issuance.Confirm(ctx, o.Tenant, it.ID, a.Ticket, origin, s.proof(origin, a.Nonce)); err != nil {
			w.T.Fatal(err)
		}
	}
	w.Drain()
}

// ask posts JSON as the key page's script does.
func (b *browser) ask(p page, path string, in any) (page, map[string]any) {
	b.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		b.t.Fatal(err)
	}
	got := b.do("POST", p.Path+path, map[string]string{"Content-Type": "application/json", "X-Requested-With": "fetch",
		"X-CSRF-Token": p.Find(`meta[name="csrf"]`).AttrOr("content", "")}, strings.NewReader(string(body)))
	out := map[string]any{}
	_ = json.Unmarshal(got.Body, &out)
	return got, out
}

// held is a BYD dealer's old certificate in a key of his, expired ten days ago, and the key.
func (w *world) heldBy(mobile string) (slot, issuance.Certificate) {
	w.T.Helper()
	s := newSlot(w.T)
	return s, w.oldCertificate(mobile, s.csr(), "OLD-KEY-1")
}

// installable is a BYD order that renews an old certificate, approved, on its key page.
func installable(t *testing.T, w *world) (b *browser, p page, o order.Order, old slot, cert issuance.Certificate) {
	t.Helper()
	b, _, o = unpaid(t, w)
	old, cert = w.heldBy("13800138000")
	w.bind(o, cert)
	w.settled(b, o)
	w.approve(o)
	p = b.open(b.open("/orders/"+o.ID.String()).Find(".next .btn-primary").AttrOr("href", ""))
	return b, p, w.current(o), old, cert
}

// says checks what the key page says in its states.
func says(p page) {
	p.t.Helper()
	p.has(`[data-panel="start"]`, "插入要更新的 USBKEY", "下载证书")
	p.has(`[data-panel="pin"]`, "请输入用户口令", "还可输入口令")
	p.has(`[data-panel="failed"]`, "重试", "次数不限")
	p.has(`[data-panel="missing"]`, "没有找到证书助手", "安装证书助手")
	p.has(`[data-panel="denied"]`, "本地网络")
	p.has(`[data-panel="old"]`, "版本过低")
}

// The key page and what its script asks: ticket, certificate for the key made in the USBKEY, proof; then the page of
// success with the new end and the rules of use, and 下载证书 is over.
// req: B57 B58 B59 B63 B64 B65 B66 B67 B68 B69 B70
func TestKeyPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p, o, old, cert := installable(t, w)
	const origin = "http://byd.localhost:8080"
	says(p)
	if csp := p.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "ws://127.0.0.1:17631") || strings.Contains(csp, "unsafe") {
		t.Errorf("policy %q", csp)
	}

	res, pass := b.ask(p, "/ticket", nil)
	equal(t, "ticket", []any{200, true, "rsa2048"}, []any{res.Status, pass["prove_old"], pass["alg"]})
	nonce := pass["nonce"].(string)
	fresh := newSlot(t)
	enroll := map[string]any{"ticket": pass["ticket"], "csr": fresh.csr(), "sn": "OLD-KEY-1", "old_cert": string(cert.Certificate.PEM()),
		"old_sig": base64.RawURLEncoding.EncodeToString(old.proof(origin, nonce))}
	wrong, said := b.ask(p, "/enroll", map[string]any{"ticket": pass["ticket"], "csr": fresh.csr(), "sn": "X", "old_cert": string(cert.Certificate.PEM()), "old_sig": "AAAA"})
	if wrong.Status != 422 || !strings.Contains(said["title"].(string), "重试") {
		t.Errorf("false proof: %d %v", wrong.Status, said)
	}
	res, issued := b.ask(p, "/enroll", enroll)
	if res.Status != 200 {
		t.Fatalf("enroll: %d %s", res.Status, res.Body)
	}
	equal(t, "chain", 2, len(issued["chain"].([]any)))
	_, again := b.ask(p, "/enroll", enroll) // after a lost answer
	equal(t, "the same certificate", issued["cert"], again["cert"])
	early, _ := b.ask(p, "/cleanup", nil)
	equal(t, "the old pair stays until the proof", 409, early.Status)

	report, _ := b.ask(p, "/report", map[string]any{"code": "DEVICE_REMOVED", "step": "install", "native": "32"})
	equal(t, "report", 204, report.Status)
	bad, _ := b.ask(p, "/report", map[string]any{"code": "<b>", "step": "", "native": ""})
	equal(t, "a report of something else", 422, bad.Status)

	confirm := map[string]any{"ticket": pass["ticket"], "sig": base64.RawURLEncoding.EncodeToString(fresh.proof(origin, nonce))}
	res, _ = b.ask(p, "/confirm", confirm)
	equal(t, "confirm", 200, res.Status)
	res, _ = b.ask(p, "/confirm", confirm) // after a lost answer
	equal(t, "confirm again", 200, res.Status)
	res, clean := b.ask(p, "/cleanup", nil)
	equal(t, "cleanup", 200, res.Status)
	w.cleansUp(clean["ticket"].(string), cert)

	w.Drain()
	equal(t, "state", order.Completed, w.current(o).State)
	p = b.open(p.Path)
	p.has("h1", "证书下载成功")
	p.has(".lead", "证书有效期至 2027-11-")
	equal(t, "rules of use", 8, p.Find(".rules li").Length())
	p.has(".rules", "真实、准确、完整", "拔下 USBKEY", "硬物砸", "公章", "将 USBKEY 注销，并申请补办", "即将到期", "违法、犯罪", "QQ 公众号 400-666-3999")
	p = b.open("/orders/" + o.ID.String())
	p.has(".next", "已完成", "我的证书", "证书有效期至 2027-11-")
	p.has(".timeline", "证书已下载到USBKEY")
	cer := b.get(p.Find(`a.btn:contains(".cer")`).AttrOr("href", ""))
	if c, err := x509.ParseCertificate(cer.Body); err != nil || c.PublicKey.(*rsa.PublicKey).N.Cmp(fresh.key.N) != 0 {
		t.Errorf("the file is not the certificate: %v", err)
	}
}

// Nobody else's key page, ticket or report; and not before the approval.
func TestKeyPageBelongsToItsOwner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, _, o := unpaid(t, w)
	path := "/orders/" + o.ID.String() + "/key/" + w.items(o)[0].ID.String()
	equal(t, "before approval", "/orders/"+o.ID.String(), b.get(path).Header.Get("Location"))
	other := w.registered("byd.localhost:8080", "13700137000")
	home := other.open("/orders")
	equal(t, "another's page", 404, other.get(path).Status)
	home.Path = path
	for _, at := range []string{"/ticket", "/enroll", "/confirm", "/cleanup", "/report"} {
		if got, _ := other.ask(home, at, map[string]any{}); got.Status != 404 {
			t.Errorf("another's %s = %d", at, got.Status)
		}
	}
	res, said := b.ask(page{Document: b.open("/orders").Document, t: t, Path: path}, "/ticket", nil)
	if res.Status != 409 || said["code"] != "order.not_now" {
		t.Errorf("before approval: %d %v", res.Status, said)
	}
}

// Held certificates: validity, days, renewal in its window only, with what it gives.
// req: B68 K53
func TestCertificates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.registered("byd.localhost:8080", "13800138000")
	b.open("/certificates").has(".empty", "名下暂无证书")
	w.heldBy("13800138000")
	p := b.open("/certificates")
	p.has(".card", "USBKEY 过期更新", "已过期 10 天", "OLD-KEY-1", "更新证书")
	equal(t, "product", "BYD-GQGX", p.value("product"))
	got := b.submit(p, ".card form", "", nil)
	if got.Status != 303 || !strings.Contains(got.Header.Get("Location"), "/fill/form") {
		t.Fatalf("更新证书: %d %s", got.Status, got.Header.Get("Location"))
	}
	if o := w.order("byd", got.Header.Get("Location")); o.OldCertificate.String() != p.value("certificate") {
		t.Errorf("renews %s", o.OldCertificate)
	}
	w.Clock.Shift(-200 * 24 * time.Hour)
	p = w.relogged(b).open("/certificates")
	p.has(".card", "还剩 190 天", "起可以更新")
	if p.Find(".card form").Length() != 0 {
		t.Error("renewal is offered too early")
	}
	w.Clock.Shift(130 * 24 * time.Hour)
	w.relogged(b).open("/certificates").has(".card", "还剩 60 天", "剩余有效期顺延", "2027-11-20")
}
