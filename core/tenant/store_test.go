package tenant_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/tenant"
	"certsaas/tenants"
)

type house struct {
	db       *db.DB
	registry *tenant.Registry
	store    *tenant.Store
	ctx      context.Context
}

func build(t *testing.T) house {
	t.Helper()
	a, err := authz.New(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	d := coretest.DB(t)
	r := tenant.NewRegistry(d, clock.System(), "localhost")
	return house{d, r, tenant.NewStore(d, a, r), authz.WithPrincipal(context.Background(), authz.System("tenant/cli"))}
}

func pack(t *testing.T, slug string) tenant.Definition {
	t.Helper()
	def, ps := tenant.Load(tenants.Base(), tenants.Pack(slug))
	if err := ps.Err(); err != nil {
		t.Fatal(err)
	}
	return def
}

// edited is a definition with one file changed.
func edited(def tenant.Definition, file, old, replacement string) tenant.Definition {
	def.Files = maps.Clone(def.Files)
	def.Files[file] = strings.ReplaceAll(def.Files[file], old, replacement)
	return def
}

// req: B12 K4
func TestReleasesAndLookUps(t *testing.T) {
	t.Parallel()
	h := build(t)
	byd := pack(t, "byd")
	if _, err := h.registry.BySlug(h.ctx, "byd"); !errors.Is(err, fault.NotFound) {
		t.Errorf("before it is applied: %v", err)
	}
	first, err := h.store.Apply(h.ctx, byd, 0)
	if err != nil || first.Number != 1 || !first.Created {
		t.Fatalf("%+v, %v", first, err)
	}
	if _, err := h.registry.ByID(h.ctx, first.Tenant); !errors.Is(err, fault.NotFound) {
		t.Errorf("a draft is served: %v", err)
	}
	if err := h.store.Publish(h.ctx, first.Tenant, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := h.store.Install(h.ctx, pack(t, "kinglong")); err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]string{"byd.localhost": "byd", "BYD.localhost:8080": "byd", "kinglong.localhost": "kinglong",
		"nobody.localhost": "", "a.byd.localhost": "", "localhost": "", "evil.example": "", "byd.localhost.evil.example": "", "": ""} {
		got := ""
		if tn, err := h.registry.ByHost(h.ctx, host); err == nil {
			got = tn.Slug()
		} else if !errors.Is(err, fault.NotFound) {
			t.Error(err)
		}
		if got != want {
			t.Errorf("host %q is %q, want %q", host, got, want)
		}
	}
	again, err := h.store.Apply(h.ctx, byd, 1)
	if err != nil || again.Created || again.Number != 1 {
		t.Errorf("applying the same again: %+v, %v", again, err)
	}
	dearer := edited(byd, "products/gqgx.yaml", "unit: 200.00", "unit: 210.00")
	plan, err := h.store.Plan(h.ctx, dearer)
	if err != nil || plan.Exit() != 2 || len(plan.Changes) != 1 || plan.Changes[0].String() != "~ products.gqgx.price.lines[0].unit: 200.00 → 210.00" {
		t.Errorf("%+v, %v", plan, err)
	}
	second, err := h.store.Install(h.ctx, dearer)
	if err != nil || second.Number != 2 {
		t.Fatalf("%+v, %v", second, err)
	}
	now, err := h.registry.BySlug(h.ctx, "byd")
	if err != nil || now.Release() != 2 || now.Products()[0].Price.Lines[0].Unit != 21000 {
		t.Errorf("the new release is not served: %v", err)
	}
	then, err := h.registry.At(h.ctx, second.Tenant, 1)
	if err != nil || then.Products()[0].Price.Lines[0].Unit != 20000 {
		t.Errorf("the old release changed: %v", err)
	}
	if same, _ := h.registry.At(h.ctx, second.Tenant, 1); same != then {
		t.Error("compiled twice")
	}
	all, err := h.registry.All(h.ctx)
	if err != nil || len(all) != 2 {
		t.Errorf("%v, %v", all, err)
	}
	where, err := h.registry.Addresses(h.ctx)
	if err != nil || len(where) != 2 || where[0].Slug != "byd" || where[1].Slug != "kinglong" {
		t.Errorf("addresses %v, %v", where, err)
	}
	for name, find := range map[string]func() (*tenant.Tenant, error){
		"link":    func() (*tenant.Tenant, error) { return h.registry.ByLink(h.ctx, now.Products()[0].Slug) },
		"product": func() (*tenant.Tenant, error) { return h.registry.ByProduct(h.ctx, now.Products()[0].Code) },
	} {
		if got, err := find(); err != nil || got != now {
			t.Errorf("by %s: %v", name, err)
		}
	}
	for _, nobodys := range []string{"", "nobody", "../x", strings.Repeat("a", 4000), "a\x00b"} {
		if _, err := h.registry.ByLink(h.ctx, nobodys); !errors.Is(err, fault.NotFound) {
			t.Errorf("link %.20q: %v", nobodys, err)
		}
		if _, err := h.registry.ByProduct(h.ctx, nobodys); !errors.Is(err, fault.NotFound) {
			t.Errorf("product %.20q: %v", nobodys, err)
		}
	}
}

func TestOnlyOneOfTwoAppliesWins(t *testing.T) {
	t.Parallel()
	h := build(t)
	byd := pack(t, "byd")
	if _, err := h.store.Install(h.ctx, byd); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	errs := make([]error, 6)
	for i := range errs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, errs[i] = h.store.Apply(h.ctx, edited(byd, "products/gqgx.yaml", "unit: 200.00", "unit: 20"+string(rune('1'+i))+".00"), 1)
		}()
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, fault.Conflict):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d won", won, len(errs))
	}
	if r, err := h.store.Release(h.ctx, tenant.IDOf("byd"), 0); err != nil || r.Number != 2 {
		t.Errorf("release %d, %v", r.Number, err)
	}
}

func TestNamesBelongToOneTenant(t *testing.T) {
	t.Parallel()
	h := build(t)
	if _, err := h.store.Install(h.ctx, pack(t, "byd")); err != nil {
		t.Fatal(err)
	}
	thief := edited(pack(t, "kinglong"), "products/chugou.yaml", "slug: kinglong-chugou", "slug: byd-gqgx")
	if _, err := h.store.Apply(h.ctx, thief, 0); !errors.Is(err, fault.Conflict) {
		t.Errorf("another tenant's short link was taken: %v", err)
	}
}

func TestWhoMayNotPublish(t *testing.T) {
	t.Parallel()
	h := build(t)
	for _, p := range []authz.Principal{{}, {Kind: authz.Dealer, ID: db.NewID(), Tenant: tenant.IDOf("byd")}, {Kind: authz.Staff, ID: db.NewID(), Roles: []string{authz.RoleReviewer}}} {
		ctx := authz.WithPrincipal(context.Background(), p)
		if _, err := h.store.Apply(ctx, pack(t, "byd"), 0); fault.From(err) == nil {
			t.Errorf("%s applied: %v", p.Kind, err)
		}
		if err := h.store.Publish(ctx, tenant.IDOf("byd"), 1); fault.From(err) == nil || errors.Is(err, fault.NotFound) && p.Kind == authz.Staff {
			t.Errorf("%s published: %v", p.Kind, err)
		}
	}
	onboarding := authz.WithPrincipal(context.Background(), authz.Principal{Kind: authz.Staff, ID: db.NewID(), Roles: []string{authz.RoleOnboarding}})
	if _, err := h.store.Install(onboarding, pack(t, "byd")); err != nil {
		t.Error(err)
	}
}

func TestInstallLeavesOthersChangesAlone(t *testing.T) {
	t.Parallel()
	h := build(t)
	byd := pack(t, "byd")
	if _, err := h.store.Install(h.ctx, byd); err != nil {
		t.Fatal(err)
	}
	onboarding := authz.WithPrincipal(context.Background(), authz.Principal{Kind: authz.Staff, ID: db.NewID(), Roles: []string{authz.RoleOnboarding}})
	a, err := h.store.Apply(onboarding, edited(byd, "products/gqgx.yaml", "unit: 200.00", "unit: 188.00"), 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.store.Publish(onboarding, a.Tenant, a.Number); err != nil {
		t.Fatal(err)
	}
	again, err := h.store.Install(h.ctx, byd)
	if err != nil || again.Created || again.Number != 2 {
		t.Errorf("%+v, %v", again, err)
	}
	tn, err := h.registry.BySlug(h.ctx, "byd")
	if err != nil || tn.Products()[0].Price.Lines[0].Unit != 18800 {
		t.Errorf("the change is gone: %v", err)
	}
}

func TestLookUpInsideATransaction(t *testing.T) {
	t.Parallel()
	h := build(t)
	a, err := h.store.Install(h.ctx, pack(t, "byd"))
	if err != nil {
		t.Fatal(err)
	}
	err = h.db.WithTenant(h.ctx, a.Tenant, func(ctx context.Context, _ *db.Tx) error {
		_, err := h.registry.At(ctx, a.Tenant, a.Number)
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCommandExportApplyIsNoChange(t *testing.T) {
	t.Parallel()
	h := build(t)
	var out, errs bytes.Buffer
	cmd := tenant.Command{Base: tenants.Base(), Open: func(context.Context) (*tenant.Store, error) { return h.store, nil }, Out: &out, Err: &errs}
	run := func(want int, args ...string) {
		t.Helper()
		out.Reset()
		errs.Reset()
		if got := cmd.Run(h.ctx, args); got != want {
			t.Errorf("%v: exit %d, want %d\n%s%s", args, got, want, out.String(), errs.String())
		}
	}
	for _, slug := range []string{"byd", "kinglong", "harbour"} {
		dir := filepath.Join("..", "..", "tenants", slug)
		if slug == "harbour" {
			dir = "testdata/packs/harbour"
		}
		run(0, "validate", dir)
		run(2, "plan", dir)
		run(0, "apply", dir)
		run(0, "plan", dir)
		copied := t.TempDir()
		run(0, "export", slug, copied)
		run(0, "plan", copied)
		if !strings.Contains(out.String(), "is up to date") {
			t.Error(out.String())
		}
		run(0, "apply", copied)
		if d := cmp.Diff(files(t, dir), files(t, copied)); d != "" {
			t.Errorf("%s (-pack +exported):\n%s", slug, d)
		}
	}
	run(0, "list")
	if got := strings.Count(out.String(), "release 1, published 1"); got != 3 {
		t.Errorf("list:\n%s", out.String())
	}
	run(1, "validate", "testdata/packs/none")
	run(1, "export", "nobody", t.TempDir())
	run(1, "explode")
	run(1)
}

func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(name string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		out[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A pace that leaves no hour to speak, or begins in the quiet ones, is refused with its remedy.
func TestPaceIsChecked(t *testing.T) {
	t.Parallel()
	def := pack(t, "byd")
	for pace, want := range map[string]string{
		`{quiet_from: 9, quiet_until: 21}`: "quiet_from", `{begin: "22:00"}`: "begin", `{begin: "half past nine"}`: "begin", `{begin: "8:00"}`: "begin",
		`{quiet_from: 25}`: "quiet_from", `{month: -1}`: "month", `{begin: "14:30", quiet_from: 18, quiet_until: 8, any_day: true, month: 2}`: "",
	} {
		changed := def
		changed.Files = maps.Clone(def.Files)
		changed.Files["tenant.yaml"] += "\nreminders: " + pace + "\n"
		_, ps := tenant.Compile(changed)
		if said := fmt.Sprint(ps.Err()); (want == "") != (ps.Err() == nil) || !strings.Contains(said, want) {
			t.Errorf("%s: %s", pace, said)
		}
	}
}
