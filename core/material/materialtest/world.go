// Package materialtest gives tests of files and letters what they stand on: a real database, a real pack, an order of a
// dealer, and pictures drawn by a program.
package materialtest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/blob"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/form"
	"certsaas/core/material"
	"certsaas/core/order"
	"certsaas/core/rules"
	"certsaas/core/tenant"
	"certsaas/core/vault"
	"certsaas/tenants"
)

// World is one tenant with everything left of letters in the flow.
type World struct {
	DB        *db.DB
	Clock     *clock.Fake
	Dir       string // DATA_DIR
	Vault     *vault.Vault
	Authz     *authz.Authorizer
	Tenant    *tenant.Tenant
	Tenants   order.Tenants
	Orders    *order.Service
	Blobs     *blob.Local
	Materials *material.Service
	Account   uuid.UUID // a dealer with a login
}

// start is a Saturday noon in Shanghai; nothing hangs on it.
var start = time.Date(2026, 11, 28, 4, 0, 0, 0, time.UTC)

// New makes a world of one pack.
func New(t testing.TB, slug string) *World {
	t.Helper()
	w := &World{Clock: clock.NewFake(start), Dir: t.TempDir()}
	w.DB = coretest.DBAt(t, w.Clock)
	var err error
	if w.Authz, err = authz.New(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.install(t, slug)
	if w.Vault, err = vault.Open(t.Context(), vault.Config{DataDir: w.Dir, Create: true}, w.DB); err != nil {
		t.Fatal(err)
	}
	engine, err := rules.New()
	if err != nil {
		t.Fatal(err)
	}
	w.Orders = order.New(order.Deps{DB: w.DB, Vault: w.Vault, Tenants: w.Tenants, Rules: engine, Authz: w.Authz, Calendar: clock.China()})
	if w.Blobs, err = blob.OpenLocal(filepath.Join(w.Dir, "blobs")); err != nil {
		t.Fatal(err)
	}
	w.Materials = w.Service(w.Blobs)
	w.Account = w.AddAccount(t)
	return w
}

// Service is a material service over another blob store, e.g. one that fails.
func (w *World) Service(store blob.Store) *material.Service {
	return material.New(material.Deps{DB: w.DB, Vault: w.Vault, Blobs: store, Orders: w.Orders, Authz: w.Authz})
}

// install reads a pack and publishes it: one of ours, or "harbour", which shares nothing with them.
func (w *World) install(t testing.TB, slug string) {
	t.Helper()
	pack := tenants.Pack(slug)
	if slug == "harbour" {
		pack = os.DirFS("../tenant/testdata/packs/harbour")
	}
	def, ps := tenant.Load(tenants.Base(), pack)
	if err := ps.Err(); err != nil {
		t.Fatal(err)
	}
	// products that may pass without a reviewer, as far as their pictures go: the rules are told what the automatic look found
	def.Base["product.yaml"] = strings.Replace(def.Base["product.yaml"], "mode: manual", "mode: auto_when_checks_pass\n  auto: {fact: checks, is: passed}", 1)
	registry := tenant.NewRegistry(w.DB, w.Clock, "localhost")
	sys := authz.WithPrincipal(t.Context(), authz.System("test/install"))
	done, err := tenant.NewStore(w.DB, w.Authz, registry).Install(sys, def)
	if err != nil {
		t.Fatal(err)
	}
	if w.Tenant, err = registry.ByID(t.Context(), done.Tenant); err != nil {
		t.Fatal(err)
	}
	w.Tenants = registry
}

// AddAccount makes another dealer of the tenant.
func (w *World) AddAccount(t testing.TB) uuid.UUID {
	t.Helper()
	id := db.NewID()
	coretest.OwnerExec(t, w.DB, `INSERT INTO accounts (tenant_id, id, mobile_index, mobile_sealed, created_at) VALUES ($1, $2, $3, '', now())`,
		w.Tenant.ID(), id, id[:])
	return id
}

// As is a context in which a dealer calls.
func (w *World) As(ctx context.Context, account uuid.UUID) context.Context {
	return authz.WithPrincipal(ctx, authz.Principal{Kind: authz.Dealer, ID: account, Name: "演示", Tenant: w.Tenant.ID()})
}

// Dealer is As of the world's own account.
func (w *World) Dealer(ctx context.Context) context.Context { return w.As(ctx, w.Account) }

// Staff is a context in which a member of staff calls.
func Staff(ctx context.Context, roles ...string) context.Context {
	return authz.WithPrincipal(ctx, authz.Principal{Kind: authz.Staff, ID: db.NewID(), Name: "演示", Roles: roles})
}

// Order opens a draft of the pack's first product with every answer but files filled in; change may alter them.
func (w *World) Order(t testing.TB, change func(form.Answers)) order.Order {
	t.Helper()
	return w.OrderOf(t, w.Tenant.Products()[0], change)
}

// OrderOf is Order for a product of one's choice.
func (w *World) OrderOf(t testing.TB, p tenant.Product, change func(form.Answers)) order.Order {
	t.Helper()
	ctx := w.Dealer(t.Context())
	source := form.SampleEnv().Source
	o, err := w.Orders.Start(ctx, order.Begin{Tenant: w.Tenant, Product: p, Account: w.Account, Source: source})
	if err != nil {
		t.Fatal(err)
	}
	return w.Answer(t, o, change)
}

// Answer fills every step of an order in; change may alter the sample.
func (w *World) Answer(t testing.TB, o order.Order, change func(form.Answers)) order.Order {
	t.Helper()
	p, _ := w.Tenant.Product(o.Product)
	env := form.SampleEnv()
	typed := form.Answers{}
	if change != nil {
		change(typed)
	}
	for seed := range 20 { // other seeds walk other branches: together they answer whatever is asked
		for k, v := range p.Form.Sample(seed, env) {
			if _, there := typed[k]; !there {
				typed[k] = v
			}
		}
	}
	for _, st := range p.StepsAt("order") {
		saved, res, err := w.Orders.SaveStep(w.Dealer(t.Context()), o.Tenant, o.ID, st.ID, typed)
		if err != nil {
			t.Fatal(err)
		}
		for _, pr := range res.Problems {
			if fd, _ := p.Form.Field(pr.Field); !fd.IsFile() {
				t.Fatalf("sample answers of step %s: %s: %s", st.ID, pr.Field, pr.ID)
			}
		}
		o = saved
	}
	return o
}

// BlobCount is how many blobs the local store holds.
func (w *World) BlobCount(t testing.TB) int {
	t.Helper()
	n := 0
	err := filepath.WalkDir(filepath.Join(w.Dir, "blobs"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
