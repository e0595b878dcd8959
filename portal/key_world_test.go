package portal_test

import (
	"context"
	"crypto/ed25519"
	"time"

	"certsaas/core/db"
	"certsaas/core/issuance"
	"certsaas/core/order"
	"certsaas/core/pki"
	"certsaas/core/token/ticket"
)

// oldCertificate issues a certificate that ended ten days ago for a request, and notes it as its mobile's.
func (w *world) oldCertificate(mobile, csrPEM, token string) issuance.Certificate {
	w.T.Helper()
	t := w.Tenant("byd")
	item := t.Products()[0]
	csr, err := pki.ParseCSR([]byte(csrPEM))
	if err != nil {
		w.T.Fatal(err)
	}
	values := map[string]string{"code": "91350200MA2XYKHT6G", "organisation": "演示汽车销售（深圳）有限公司", "org_name": "演示汽车销售（深圳）有限公司",
		"project": t.Names().Platform.In("zh-CN")}
	cert, authority, err := w.Issuance.Backdated(w.system("test/import"), item, csr, values, w.Clock.Now().Add(-375*24*time.Hour))
	if err != nil {
		w.T.Fatal(err)
	}
	out := issuance.Certificate{Authority: authority, Certificate: cert, Product: item.Code, TokenSerial: token,
		Organisation: "演示汽车销售（深圳）有限公司", Mobile: mobile}
	sys := w.system("test/import")
	err = w.DB.WithTenant(sys, t.ID(), func(ctx context.Context, tx *db.Tx) error {
		a, _, err := w.Accounts.FindOrCreate(ctx, tx, mobile)
		if err != nil {
			return err
		}
		out.Account = a.ID
		out.ID, err = w.Issuance.Import(ctx, tx, out)
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return out
}

// bind makes an order one about a certificate, as an order that was begun from it is.
func (w *world) bind(o order.Order, c issuance.Certificate) {
	w.T.Helper()
	err := w.DB.WithTenant(w.system("test/bind"), o.Tenant, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE orders SET old_certificate_id = $3 WHERE tenant_id = $1 AND id = $2`, o.Tenant, o.ID, c.ID); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `UPDATE order_items SET old_certificate_id = $3 WHERE tenant_id = $1 AND order_id = $2 AND seq = 1`, o.Tenant, o.ID, c.ID)
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
}

// cleansUp checks what a cleanup ticket lets the agent do: remove the renewed certificate's container of this attempt.
func (w *world) cleansUp(raw string, old issuance.Certificate) {
	w.T.Helper()
	key, err := w.Vault.SigningKey(w.T.Context(), "keyagent")
	if err != nil {
		w.T.Fatal(err)
	}
	trust := ticket.Trust{Issuers: []ticket.Issuer{{Iss: w.Sites.Platform(), Name: "certsaas", Keys: []string{ticket.EncodeKey(key.Public().(ed25519.PublicKey))}, Origins: []string{"http://byd.localhost:8080"}}}}
	c, err := ticket.Verify(raw, trust, w.Clock.Now())
	if err != nil {
		w.T.Fatal(err)
	}
	equal(w.T, "cleanup's binding", []any{old.Certificate.Serial(), "OLD-KEY-1", 1}, []any{c.Bind.OldSerial, c.Bind.KeySN, c.Attempt})
	if !c.Allows(ticket.OpCleanup) || c.Allows(ticket.OpCSR) {
		w.T.Errorf("allows %v", c.Ops)
	}
}

// relogged is the same reader with a fresh session, after the clock was moved.
func (w *world) relogged(b *browser) *browser {
	w.T.Helper()
	n := w.browser(b.host)
	p := n.submit(n.open("/login"), "main form", "", map[string]string{"mobile": "13800138000", "password": "correct horse 7"})
	if p.Status != 303 {
		w.T.Fatalf("login = %d: %v", p.Status, p.text("main"))
	}
	return n
}
