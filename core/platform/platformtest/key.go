package platformtest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/issuance"
	"certsaas/core/order"
	"certsaas/core/pki"
	"certsaas/core/token/ticket"
)

// Origin is the page on which the tests' keys are plugged in.
const Origin = "https://bench.example.cn"

// KeyPair is a key pair in memory that does what one in a USBKEY does.
type KeyPair struct {
	b    *Bench
	priv crypto.Signer
}

// NewKeyPair makes a P-256 key pair.
func (b *Bench) NewKeyPair() *KeyPair {
	b.T.Helper()
	priv, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		b.T.Fatal(err)
	}
	return &KeyPair{b, priv}
}

// CSR is the key pair's certificate request, DER.
func (k *KeyPair) CSR() []byte {
	k.b.T.Helper()
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, k.priv)
	if err != nil {
		k.b.T.Fatal(err)
	}
	return der
}

// SelfSigned is a certificate of the key pair's own making, DER.
func (k *KeyPair) SelfSigned(template *x509.Certificate) []byte {
	k.b.T.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.priv.Public(), k.priv)
	if err != nil {
		k.b.T.Fatal(err)
	}
	return der
}

// Prove signs the proof message for a nonce.
func (k *KeyPair) Prove(nonce string) []byte {
	k.b.T.Helper()
	sum := sha256.Sum256(ticket.ProofMessage(Origin, nonce))
	sig, err := k.priv.Sign(rand.Reader, sum[:], crypto.SHA256)
	if err != nil {
		k.b.T.Fatal(err)
	}
	return sig
}

// Hands is who holds a key of the order: the dealer his own, the producer a new one.
func (b *Bench) Hands(o order.Order) context.Context {
	if o.State == order.InProduction {
		return b.Producer
	}
	return b.Dealer
}

// Authorise asks for a ticket.
func (b *Bench) Authorise(ctx context.Context, item uuid.UUID) issuance.Authorisation {
	b.T.Helper()
	a, err := b.Issuance.Authorise(ctx, b.ID, item, Origin)
	if err != nil {
		b.T.Fatal(err)
	}
	return a
}

// Enroll has a key pair certified for an item, without an old key's proof.
func (b *Bench) Enroll(ctx context.Context, item uuid.UUID, k *KeyPair, serial string) (issuance.Enrolled, error) {
	b.T.Helper()
	a := b.Authorise(ctx, item)
	return b.Issuance.Enroll(ctx, b.ID, item, issuance.Enrollment{Ticket: a.Ticket, Origin: Origin, CSR: k.CSR(), TokenSerial: serial})
}

// Confirm proves the new key.
func (b *Bench) Confirm(ctx context.Context, item uuid.UUID, k *KeyPair) (order.Order, error) {
	b.T.Helper()
	a := b.Authorise(ctx, item)
	return b.Issuance.Confirm(ctx, b.ID, item, a.Ticket, Origin, k.Prove(a.Nonce))
}

// Write certifies every key of an approved order and proves it. It answers the order, and the key pairs and certificates by item.
func (b *Bench) Write(o order.Order) (order.Order, []*KeyPair, []pki.Certificate) {
	b.T.Helper()
	ctx := b.Hands(o)
	var pairs []*KeyPair
	var certs []pki.Certificate
	for _, it := range b.Items(o) {
		k := b.NewKeyPair()
		e, err := b.Enroll(ctx, it.ID, k, "TOKEN-"+it.ID.String())
		if err != nil {
			b.T.Fatal(err)
		}
		if o, err = b.Confirm(ctx, it.ID, k); err != nil {
			b.T.Fatal(err)
		}
		pairs, certs = append(pairs, k), append(certs, e.Certificate)
	}
	return o, pairs, certs
}

// OldKey is a key of the dealer from before the platform: its certificate ends so many days from now (negative: ago).
func (b *Bench) OldKey(days int) (*KeyPair, uuid.UUID, pki.Certificate) {
	b.T.Helper()
	k := b.NewKeyPair()
	csr, err := pki.ParseCSR(k.CSR())
	if err != nil {
		b.T.Fatal(err)
	}
	sys := b.As(authz.System("test/old-key"))
	from := clock.AddYearsClamped(b.Clock.Now(), -1).Add(time.Second).AddDate(0, 0, days)
	cert, authority, err := b.Issuance.Backdated(sys, b.Product(Renew), csr, map[string]string{"org_name": "演示贸易有限公司", "organisation": "演示贸易有限公司",
		"code": "91350200MA2XYKHT6G", "project": "演示"}, from)
	if err != nil {
		b.T.Fatal(err)
	}
	var id uuid.UUID
	b.Tx(func(ctx context.Context, tx *db.Tx) (err error) {
		id, err = b.Issuance.Import(ctx, tx, issuance.Certificate{Account: b.Account, Authority: authority, Certificate: cert, Product: Renew,
			Organisation: "演示贸易有限公司", Mobile: "13800138000", TokenSerial: "OLD-" + cert.Serial()[:8]})
		return err
	})
	return k, id, cert
}
