package platform

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/issuance"
	"certsaas/core/pki"
	"certsaas/core/staff"
	"certsaas/core/token"
	"certsaas/core/token/softtoken"
	"certsaas/core/token/ticket"
)

// The demonstration's people and things. Numbers are reserved or synthetic; nobody owns them.
const (
	DemoDealerMobile   = "13800138000"
	DemoDealerPassword = "demo-Dealer-2026"
	DemoStaffPassword  = "demo-Staff-2026"
	DemoPIN            = "12345678"
	demoCompany        = "演示汽车销售（深圳）有限公司"
	demoUSCC           = "92440300MA5FGH1265"
	demoToken          = "BYD-DEMO"
)

// DemoStaff are the demonstration's staff: log-in, name and role.
var DemoStaff = []struct{ Login, Name, Role string }{
	{"reviewer", "演示审核员", authz.RoleReviewer},
	{"finance", "演示财务", authz.RoleFinance},
	{"finance2", "演示财务（复核）", authz.RoleFinance}, // a flagged transfer needs two persons
	{"producer", "演示制证员", authz.RoleProducer},
	{"onboarding", "演示接入员", authz.RoleOnboarding},
	{"admin", "演示管理员", authz.RoleAdmin},
	{"auditor", "演示审计员", authz.RoleAuditor},
}

// blankTokens are new keys for the producer's desk.
var blankTokens = []string{"NEW-KEY-1", "NEW-KEY-2", "NEW-KEY-3", "NEW-KEY-4"}

// DemoSecret is the TOTP secret of a demonstration log-in: known to everybody, so that a newcomer gets past the second factor.
func DemoSecret(login string) string {
	sum := sha256.Sum256([]byte("certsaas demonstration " + login))
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	out := make([]byte, 32)
	for i := range out {
		out[i] = alphabet[sum[i%32]%32]
	}
	return string(out)
}

// DemoTokenDir is where the demonstration's keys live (SoftHSM).
func (p *Platform) DemoTokenDir() string { return filepath.Join(p.DataDir, "demo-token") }

// TrustFile is what a key agent is given to believe this platform.
func (p *Platform) TrustFile() string { return filepath.Join(p.DataDir, "keyagent-trust.json") }

// WriteTrust writes the file that key agents trust this platform by: ticket key, and the origins of all portals and the console.
func (p *Platform) WriteTrust(ctx context.Context) error {
	key, err := p.Vault.SigningKey(ctx, "keyagent")
	if err != nil {
		return err
	}
	pub, ok := key.Public().(ed25519.PublicKey)
	if !ok {
		return errors.New("platform: the ticket key is not Ed25519")
	}
	all, err := p.Tenants.Addresses(ctx)
	if err != nil {
		return err
	}
	origins := []string{p.Sites.Console()}
	for _, a := range all {
		origins = append(origins, p.Sites.at(a))
	}
	return ticket.WriteTrust(p.TrustFile(), ticket.Trust{Issuers: []ticket.Issuer{{
		Iss: p.Sites.Platform(), Name: "certsaas", Keys: []string{ticket.EncodeKey(pub)}, Origins: origins,
	}}})
}

// SeedDemo makes the demonstration's data where they are missing: staff, a BYD dealer's login, and soft keys, one of which
// holds his certificate that expired ten days ago. Starting again changes nothing.
func (p *Platform) SeedDemo(ctx context.Context) error {
	ctx = authz.WithPrincipal(ctx, authz.System("platform/demo"))
	for _, s := range DemoStaff {
		_, err := p.Staff.Add(ctx, staff.NewPerson{Login: s.Login, Name: s.Name, Password: DemoStaffPassword, Roles: []string{s.Role}, Secret: DemoSecret(s.Login)})
		if err != nil && !errors.Is(err, fault.Conflict) {
			return fmt.Errorf("platform: demo staff: %w", err)
		}
	}
	return p.seedKeys(ctx)
}

// seedKeys formats the soft keys and issues the dealer's old certificate into one of them.
func (p *Platform) seedKeys(ctx context.Context) error {
	if _, err := softtoken.FindModule(); err != nil {
		return fmt.Errorf("platform: demonstration keys: %w", err)
	}
	if err := os.MkdirAll(p.DataDir, 0o700); err != nil {
		return err
	}
	driver, err := softtoken.Open(p.DemoTokenDir())
	if err != nil {
		return err
	}
	defer driver.Close()
	for _, label := range blankTokens {
		if _, _, err := driver.Ensure(label, DemoPIN); err != nil {
			return err
		}
	}
	serial, _, err := driver.Ensure(demoToken, DemoPIN)
	if err != nil {
		return err
	}
	if known, err := p.demoKeyKnown(ctx); err != nil || known {
		return err
	}
	return driver.Provision(serial, DemoPIN, token.RSA2048, []byte{1}, "BYD 2025", func(csr []byte) ([]byte, error) {
		return p.oldCertificate(ctx, csr, serial)
	})
}

// demoKeyKnown tells whether the dealer's certificate has been issued and noted.
func (p *Platform) demoKeyKnown(ctx context.Context) (bool, error) {
	t, err := p.Tenants.BySlug(ctx, "byd")
	if err != nil {
		return false, err
	}
	var known bool
	err = p.DB.WithTenant(ctx, t.ID(), func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM certificates WHERE tenant_id = $1 AND order_id IS NULL)`, tx.Tenant()).Scan(&known)
	})
	return known, err
}

// oldCertificate issues last year's certificate to the demonstration dealer and notes it as known to the platform.
func (p *Platform) oldCertificate(ctx context.Context, csrPEM []byte, tokenSerial string) ([]byte, error) {
	t, err := p.Tenants.BySlug(ctx, "byd")
	if err != nil {
		return nil, err
	}
	product := t.Products()[0]
	csr, err := pki.ParseCSR(csrPEM)
	if err != nil {
		return nil, err
	}
	from := p.Clock.Now().Add(-375 * 24 * time.Hour)
	cert, authority, err := p.Issuance.Backdated(ctx, product, csr, map[string]string{
		"code": demoUSCC, "organisation": demoCompany, "org_name": demoCompany, "uscc": demoUSCC, "project": t.Names().Platform.In("zh-CN"),
	}, from)
	if err != nil {
		return nil, err
	}
	a, err := p.Accounts.Provision(ctx, t.ID(), DemoDealerMobile, DemoDealerPassword)
	if err != nil {
		return nil, err
	}
	err = p.DB.WithTenant(ctx, t.ID(), func(ctx context.Context, tx *db.Tx) error {
		_, err := p.Issuance.Import(ctx, tx, issuance.Certificate{
			Account: a.ID, Authority: authority, Certificate: cert, Product: product.Code, TokenSerial: tokenSerial,
			Organisation: demoCompany, Mobile: DemoDealerMobile,
		})
		return err
	})
	return cert.DER(), err
}
