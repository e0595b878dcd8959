package portal_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/issuance"
	"certsaas/core/pki"
)

// holds gives a dealer a certificate whose year began so long ago.
func (w *world) holds(mobile, company, token string, ago time.Duration) uuid.UUID {
	w.T.Helper()
	return w.holdsOf("byd", "BYD-GQGX", mobile, company, token, ago)
}

// holdsOf gives anybody a certificate of any product.
func (w *world) holdsOf(slug, code, mobile, company, token string, ago time.Duration) uuid.UUID {
	w.T.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.T.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		w.T.Fatal(err)
	}
	csr, err := pki.ParseCSR(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	if err != nil {
		w.T.Fatal(err)
	}
	t := w.Tenant(slug)
	item, _ := t.Product(code)
	ctx := authz.WithPrincipal(w.T.Context(), authz.System("platform/demo"))
	cert, authority, err := w.Issuance.Backdated(ctx, item, csr, map[string]string{"code": "91350200MA2XYKHT6G", "organisation": company,
		"org_name": company, "uscc": "91350200MA2XYKHT6G", "project": "演示"}, w.Clock.Now().Add(-ago))
	if err != nil {
		w.T.Fatal(err)
	}
	var id uuid.UUID
	err = w.DB.WithTenant(ctx, t.ID(), func(ctx context.Context, tx *db.Tx) (err error) {
		id, err = w.Issuance.Import(ctx, tx, issuance.Certificate{Authority: authority, Certificate: cert, Product: item.Code, TokenSerial: token,
			Organisation: company, Mobile: mobile})
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return id
}

const day = 24 * time.Hour

// A renewal is about the certificate its dealer holds: the only one, or the one he picks; before its window it does not begin.
// req: B3 B5
func TestRenewalIsAboutTheCertificateHeld(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.registered("byd.localhost:8080", "13800138000")
	first := w.holds("13800138000", "演示汽车销售（深圳）有限公司", "KEY0001", 375*day)
	p := b.submit(b.open("/s/byd-gqgx"), ".band form", "", nil)
	equal(t, "the only one", first, w.order("byd", p.Header.Get("Location")).OldCertificate)

	second := w.holds("13800138000", "演示汽车服务（深圳）有限公司", "KEY0002", 300*day)
	w.holds("13800138000", "演示汽车金融（深圳）有限公司", "KEY0003", 10*day)
	entry := b.open("/s/byd-gqgx")
	p = b.submit(entry, ".band form", "", nil)
	p.has("main", "演示汽车销售（深圳）有限公司", "KEY0001", "到期", "演示汽车服务（深圳）有限公司", "以上都不是")
	if _, off := p.Find(`.choice:contains("演示汽车金融") input`).Attr("disabled"); !off {
		t.Error("a certificate can be renewed before its window opens")
	}
	p = b.submit(p, "main form", "", map[string]string{"certificate": second.String()})
	equal(t, "the picked one", second, w.order("byd", p.Header.Get("Location")).OldCertificate)
	p = b.submit(b.submit(entry, ".band form", "", nil), "main form", "", map[string]string{"certificate": "none"})
	equal(t, "none of them", uuid.Nil, w.order("byd", p.Header.Get("Location")).OldCertificate)

	early := w.registered("byd.localhost:8080", "13700137000")
	w.holds("13700137000", "演示汽车租赁（深圳）有限公司", "KEY0004", 30*day)
	p = early.follow(early.submit(early.open("/s/byd-gqgx"), ".band form", "", nil))
	p.has(".notice", "起可以办理更新")
}

// What the last order said is not asked again; promises, pictures and quantities are.
func TestNextOrderIsFilledIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := complete(t, w)
	if p.Status != 303 {
		t.Fatalf("submit: %d %v", p.Status, p.errors())
	}
	p = b.follow(b.submit(b.open("/s/byd-gqgx"), ".band form", "", nil))
	for _, k := range []string{"org_name", "industry", "agent_name", "email", "landline", "post", "dealer_code", "ship_street", "ship_province"} {
		equal(t, k, company()[k], p.value(k))
	}
	equal(t, "promise", "", p.value("eligible"))
	equal(t, "quantity", "1", p.value("quantity"))
	if len(p.errors()) != 0 {
		t.Errorf("a fresh page shows errors: %v", p.errors())
	}
	p = b.follow(b.submit(p, form, "next", map[string]string{"eligible": "yes"}))
	equal(t, "uscc", "91350200MA2XYKHT6G", p.value("uscc"))
	if p.Find(`[data-field="licence_image"] a.tile-pic img`).Length() != 0 {
		t.Error("a picture was taken over")
	}
}

// A soft warning is shown once, beside its field; pressing the button again goes on.
func TestHintsAreShownOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := started(t, w)
	typed := company()
	typed["agent_name"] = "王"
	p = b.submit(p, form, "next", typed)
	equal(t, "status", 200, p.Status)
	p.has(".notice", "请再核对一遍")
	p.has(`[data-field="agent_name"] .field-warning`, "只有一个字")
	p = b.submit(p, form, "next", nil)
	if p.Status != 303 || !strings.HasSuffix(p.Header.Get("Location"), "/fill/realname") {
		t.Errorf("second time: %d → %s", p.Status, p.Header.Get("Location"))
	}
}
