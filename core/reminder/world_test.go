package reminder_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	mrand "math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/config"
	"certsaas/core/authz"
	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/pki"
	"certsaas/core/platform"
	"certsaas/core/tenant"
)

// unsteady is a clock whose readings lie up to five minutes beside the truth, as those of several machines do.
type unsteady struct {
	*clock.Fake
	skew time.Duration
}

func (u unsteady) Now() time.Time {
	if u.skew == 0 {
		return u.Fake.Now()
	}
	return u.Fake.Now().Add(mrand.N(2*u.skew) - u.skew)
}

// world is a platform on a database of its own, with both packs, a clock that stands, and messages kept.
type world struct {
	*platform.Platform
	t     testing.TB
	clock *clock.Fake
	sms   channel.Sender
	der   []byte
	n     int
	cells []cell

	authority uuid.UUID
}

// cell is a certificate of a test.
type cell struct {
	tenant, id, order, account uuid.UUID
	product, mobile            string
	notAfter, known            time.Time
}

func at(s string) time.Time {
	d, err := time.ParseInLocation("2006-01-02 15:04", s, clock.Shanghai)
	if err != nil {
		panic(err)
	}
	return d
}

func newWorld(t testing.TB, now time.Time, skew time.Duration, sms channel.Sender) *world {
	t.Helper()
	w := &world{t: t, clock: clock.NewFake(now), sms: sms, der: certificate(t)}
	clk := unsteady{Fake: w.clock, skew: skew}
	bundle, err := platform.Sentences()
	if err != nil {
		t.Fatal(err)
	}
	w.Platform, err = platform.Open(t.Context(), platform.Options{
		DB: coretest.DBAt(t, clk), DataDir: t.TempDir(), Clock: clk, Config: config.Default(),
		CreateKEK: true, Demo: true, Sender: sms, Bundle: bundle,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.InstallPacks(t.Context()); err != nil {
		t.Fatal(err)
	}
	coretest.OwnerRow(t, w.DB, []any{&w.authority}, `SELECT id FROM authorities WHERE kind = 'issuing' LIMIT 1`)
	return w
}

// certificate is one certificate's octets; the rows of the tests say themselves when theirs end.
func certificate(t testing.TB) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{SerialNumber: big.NewInt(4711), Subject: pkix.Name{CommonName: "演示企业", Organization: []string{"演示企业"}},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)}
	der, err := x509.CreateCertificate(rand.Reader, tpl, tpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func (w *world) tenant(slug string) *tenant.Tenant {
	w.t.Helper()
	t, err := w.Tenants.BySlug(w.t.Context(), slug)
	if err != nil {
		w.t.Fatal(err)
	}
	return t
}

// answers of the demonstration companies' finished orders.
func answers(mobile, email string, n int) map[string]string {
	return map[string]string{
		"org_name": fmt.Sprintf("演示供应商%03d有限公司", n), "org_nature": "company", "agent_name": "演示经办人", "mobile": mobile, "email": email, "term": "1", "quantity": "1",
		"merged": "yes", "uscc": "92440300MA5FGH1265", "org_code_any": "92440300MA5FGH1265", "post": "finance", "dealer_code": "AB12345678",
	}
}

// add makes a certificate that an order of the mobile's account ended with.
func (w *world) add(slug, product, mobile, email string, notAfter time.Time) cell {
	w.t.Helper()
	w.n++
	t := w.tenant(slug)
	c := cell{tenant: t.ID(), id: db.NewID(), order: db.NewID(), product: product, mobile: mobile, notAfter: notAfter, known: w.clock.Now()}
	w.in(t.ID(), func(ctx context.Context, tx *db.Tx) error {
		a, _, err := w.Accounts.FindOrCreate(ctx, tx, mobile)
		if err != nil {
			return err
		}
		c.account = a.ID
		keys, err := w.Vault.Keys(ctx, tx, t.ID())
		if err != nil {
			return err
		}
		plain, err := json.Marshal(answers(mobile, email, w.n))
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `INSERT INTO orders (tenant_id, id, number, release, product, service, state, account_id, answers_sealed, created_at, updated_at, submitted_at, completed_at)
			VALUES ($1, $2, $3, $4, $5, 'first_issue', 'completed', $6, $7, $8, $8, $8, $8)`, t.ID(), c.order, fmt.Sprintf("T%06d", w.n), t.Release(), product, c.account,
			keys.Seal("orders.answers", c.order, plain), c.known); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `INSERT INTO certificates (tenant_id, id, order_id, account_id, authority_id, serial, spki_sha256, der_sealed, org_index, mobile_index,
			product, not_before, not_after, state, created_at, installed_at) VALUES ($1, $2, $3, $4, $12, $5, $5, $6, '\x00', $7, $8, $9, $10, 'active', $11, $11)`,
			t.ID(), c.id, c.order, c.account, c.id[:], keys.Seal("certificates.der", c.id, w.der), keys.Index("mobile", mobile), product,
			notAfter.AddDate(-1, 0, 0), notAfter, c.known, w.authority)
		return err
	})
	w.cells = append(w.cells, c)
	return c
}

// answer changes an answer of a certificate's order.
func (w *world) answer(c cell, key, value string) {
	w.t.Helper()
	w.in(c.tenant, func(ctx context.Context, tx *db.Tx) error {
		keys, err := w.Vault.Keys(ctx, tx, c.tenant)
		if err != nil {
			return err
		}
		o, err := w.Orders.Load(ctx, tx, c.order)
		if err != nil {
			return err
		}
		o.Answers[key] = value
		plain, err := json.Marshal(o.Answers)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE orders SET answers_sealed = $3 WHERE tenant_id = $1 AND id = $2`, c.tenant, c.order, keys.Seal("orders.answers", c.order, plain))
		return err
	})
}

// ordered hands a renewal of a certificate in, as far as reminders see it.
func (w *world) ordered(c cell) uuid.UUID {
	w.t.Helper()
	w.n++
	id := db.NewID()
	now := w.clock.Now()
	w.in(c.tenant, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO orders (tenant_id, id, number, release, product, service, state, account_id, old_certificate_id, created_at, updated_at, submitted_at)
			SELECT tenant_id, $2, $3, release, product, 'renewal', 'in_review', account_id, $4, $5, $5, $5 FROM orders WHERE tenant_id = $1 AND id = $6`,
			c.tenant, id, fmt.Sprintf("R%06d", w.n), c.id, now, c.order); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `INSERT INTO order_items (tenant_id, id, order_id, seq, old_certificate_id) VALUES ($1, $2, $3, 1, $4)`, c.tenant, db.NewID(), id, c.id)
		return err
	})
	return id
}

// in runs fn in a transaction of a tenant.
func (w *world) in(tenantID uuid.UUID, fn func(ctx context.Context, tx *db.Tx) error) {
	w.t.Helper()
	ctx := authz.WithPrincipal(w.t.Context(), authz.System("test"))
	if err := w.DB.WithTenant(ctx, tenantID, fn); err != nil {
		w.t.Fatal(err)
	}
}

// run is what the scheduler does in one go.
func (w *world) run() {
	w.t.Helper()
	if err := w.tick(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) tick(ctx context.Context) error {
	if _, err := w.Reminders.Sweep(ctx); err != nil {
		return fmt.Errorf("sweep: %w", err)
	}
	if _, err := w.Reminders.Withdraw(ctx, 1000); err != nil {
		return fmt.Errorf("withdraw: %w", err)
	}
	if _, err := w.Reminders.OpenOrders(ctx, 1000); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	if _, err := w.Reminders.FormNotices(ctx, 1000); err != nil {
		return fmt.Errorf("form: %w", err)
	}
	if _, err := w.Reminders.Send(ctx, 1000); err != nil {
		return fmt.Errorf("send: %w", err)
	}
	return nil
}

// row is a reminder as stored.
type row struct {
	Offset        int
	Due           string
	State, Reason string
}

func (w *world) rows(c cell) []row {
	w.t.Helper()
	var out []row
	err := w.DB.WithTenant(w.t.Context(), c.tenant, func(ctx context.Context, tx *db.Tx) error {
		out = nil
		rows, err := tx.Query(ctx, `SELECT offset_days, due_on::text, state, reason FROM reminders WHERE tenant_id = $1 AND certificate_id = $2 ORDER BY offset_days DESC`, c.tenant, c.id)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var r row
			if err := rows.Scan(&r.Offset, &r.Due, &r.State, &r.Reason); err != nil {
				return err
			}
			out = append(out, r)
		}
		return rows.Err()
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// count is one number of the database.
func (w *world) count(sql string, args ...any) (n int) {
	w.t.Helper()
	coretest.OwnerRow(w.t, w.DB, []any{&n}, sql, args...)
	return n
}

// handed is a message with the time it was handed over.
type handed struct {
	channel.Message
	at time.Time
}

// post is a provider that keeps what it is given with the time, and fails as told.
type post struct {
	mu    sync.Mutex
	clock func() time.Time
	fail  func(m channel.Message) error // before handing over
	late  func(m channel.Message) error // after it
	all   []handed
}

func (p *post) Send(_ context.Context, m channel.Message) (string, error) {
	if p.fail != nil {
		if err := p.fail(m); err != nil {
			return "", err
		}
	}
	p.mu.Lock()
	var now time.Time
	if p.clock != nil {
		now = p.clock()
	}
	p.all = append(p.all, handed{m, now})
	p.mu.Unlock()
	if p.late != nil {
		return "", p.late(m)
	}
	return "", nil
}

func (p *post) sent() []handed {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]handed(nil), p.all...)
}

// republish gives a tenant a new release with one file of its pack changed.
func (w *world) republish(slug, file string, edit func(string) string) {
	w.t.Helper()
	ctx := authz.WithPrincipal(w.t.Context(), authz.System("test"))
	id := tenant.IDOf(slug)
	stored, err := w.Releases.Release(ctx, id, w.tenant(slug).Release())
	if err != nil {
		w.t.Fatal(err)
	}
	def := stored.Definition
	def.Files = maps.Clone(def.Files)
	def.Files[file] = edit(def.Files[file])
	done, err := w.Releases.Apply(ctx, def, tenant.AnyRelease)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.Releases.Publish(ctx, id, done.Number); err != nil {
		w.t.Fatal(err)
	}
}

// revoked takes a certificate back.
func (w *world) revoked(c cell) {
	w.t.Helper()
	w.in(c.tenant, func(ctx context.Context, tx *db.Tx) error {
		return w.Issuance.Revoke(ctx, tx, c.id, pki.KeyCompromise)
	})
}
