package authz

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"certsaas/core/fault"
	"certsaas/core/i18n"
)

var update = flag.Bool("update", false, "rewrite golden files")

var (
	tenant1 = uuid.MustParse("0192f0c0-0000-7000-8000-000000000001")
	tenant2 = uuid.MustParse("0192f0c0-0000-7000-8000-000000000002")
	dealer1 = uuid.MustParse("0192f0c0-0000-7000-8000-0000000000d1")
	staff1  = uuid.MustParse("0192f0c0-0000-7000-8000-0000000000e1")
)

func authorizer(t *testing.T) *Authorizer {
	t.Helper()
	a, err := New(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// TestPolicy runs policy/*_test.rego, as `opa test` would.
func TestPolicy(t *testing.T) {
	t.Parallel()
	sources, roles, _, err := load(policyFS)
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string]*ast.Module{}
	for name, src := range sources {
		m, err := ast.ParseModule(name, src)
		if err != nil {
			t.Fatal(err)
		}
		modules[name] = m
	}
	store := inmem.NewFromObject(map[string]any{"roles": roles})
	compiler := ast.NewCompiler().WithCapabilities(Capabilities()).WithStrict(true)
	txn, err := store.NewTransaction(t.Context(), storage.TransactionParams{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Abort(t.Context(), txn)
	results, err := tester.NewRunner().SetCompiler(compiler).SetStore(store).SetModules(modules).RunTests(t.Context(), txn)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for r := range results {
		n++
		if !r.Pass() {
			t.Errorf("%s: %v %s", r.Name, r.Error, r.Output)
		}
	}
	if n < 30 {
		t.Errorf("only %d policy tests ran", n)
	}
}

// TestMatrix renders role × action and compares it with the table people read.
func TestMatrix(t *testing.T) {
	t.Parallel()
	a := authorizer(t)
	callers := []struct {
		name string
		p    Principal
	}{
		{"nobody", Principal{}},
		{"dealer", Principal{Kind: Dealer, ID: dealer1, Tenant: tenant1}},
		{"other", Principal{Kind: Dealer, ID: staff1, Tenant: tenant1}},
		{"foreign", Principal{Kind: Dealer, ID: dealer1, Tenant: tenant2}},
	}
	for _, r := range Roles() {
		callers = append(callers, struct {
			name string
			p    Principal
		}{r, Principal{Kind: Staff, ID: staff1, Roles: []string{r}}})
	}
	callers = append(callers, struct {
		name string
		p    Principal
	}{"system", System("scheduler/remind")})

	var b bytes.Buffer
	b.WriteString("# role × action on one order of dealer \"dealer\": yes, no (403), 404 (hidden), login (401)\n")
	fmt.Fprintf(&b, "%-18s", "")
	for _, c := range callers {
		fmt.Fprintf(&b, " %-10s", c.name)
	}
	b.WriteString("\n")
	for _, action := range Actions() {
		fmt.Fprintf(&b, "%-18s", action)
		for _, c := range callers {
			err := a.Check(WithPrincipal(t.Context(), c.p), action, Resource{Kind: "order", Tenant: tenant1, Owner: dealer1})
			fmt.Fprintf(&b, " %-10s", word(err))
		}
		b.WriteString("\n")
	}
	got := trimLines(b.String())
	path := filepath.Join("testdata", "matrix.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("the matrix changed (-want +got); if meant, run with -update:\n%s", d)
	}
}

func trimLines(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return strings.Join(lines, "\n")
}

func word(err error) string {
	switch {
	case err == nil:
		return "yes"
	case errors.Is(err, fault.Unauthenticated):
		return "login"
	case errors.Is(err, fault.NotFound):
		return "404"
	case errors.Is(err, fault.Denied):
		return "no"
	}
	return "?"
}

// TestRolesNameActions keeps policy/roles.json and the Go list equal.
func TestRolesNameActions(t *testing.T) {
	t.Parallel()
	_, roles, _, err := load(policyFS)
	if err != nil {
		t.Fatal(err)
	}
	known := Actions()
	granted := map[string]bool{}
	var collect func(v any)
	collect = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, x := range v {
				collect(x)
			}
		case []any:
			for _, x := range v {
				granted[x.(string)] = true
			}
		}
	}
	collect(roles)
	for a := range granted {
		if !slices.Contains(known, a) {
			t.Errorf("roles.json grants %q, which is no action", a)
		}
	}
	for _, a := range known {
		if !granted[a] {
			t.Errorf("nobody may do %q", a)
		}
	}
	for _, r := range Roles() {
		if _, ok := roles["staff"].(map[string]any)[r]; !ok {
			t.Errorf("role %q has no row in roles.json", r)
		}
	}
}

// TestMalformedInputIsDenied: missing, null and wrong-typed parts are refused.
func TestMalformedInputIsDenied(t *testing.T) {
	t.Parallel()
	a := authorizer(t)
	good := func() map[string]any {
		return map[string]any{
			"principal": map[string]any{"kind": "staff", "id": staff1.String(), "name": "", "roles": []any{"reviewer"}, "tenant": ""},
			"action":    "order.review",
			"resource":  map[string]any{"kind": "order", "tenant": tenant1.String(), "owner": dealer1.String(), "state": "", "extra": map[string]any{}},
		}
	}
	eval := func(m any) bool {
		v, err := ast.InterfaceToValue(m)
		if err != nil {
			return false
		}
		d, err := a.eval(t.Context(), v)
		return err == nil && d.Allow
	}
	if !eval(good()) {
		t.Fatal("the well-formed input must be allowed")
	}
	bad := []any{nil, 7, true, "", []any{}, map[string]any{}, map[string]any{"x": 1}}
	for _, path := range []string{"principal", "action", "principal.kind", "principal.id", "principal.roles", "principal.tenant"} {
		for _, v := range append(bad, "missing") {
			if path == "principal.tenant" && v == "" {
				continue // "" is the well-formed value here
			}
			m := good()
			top, sub, nested := strings.Cut(path, ".")
			target := m
			key := top
			if nested {
				target, key = m[top].(map[string]any), sub
			}
			if v == "missing" {
				delete(target, key)
			} else {
				target[key] = v
			}
			if eval(m) {
				t.Errorf("allowed with %s = %#v", path, v)
			}
		}
	}
}

func TestCapabilitiesBarTheWorld(t *testing.T) {
	t.Parallel()
	for _, call := range []string{
		`http.send({"method":"get","url":"http://127.0.0.1"})`, `opa.runtime()`, `time.now_ns()`, `rand.intn("x", 5)`,
		`uuid.rfc4122("x")`, `net.lookup_ip_addr("localhost")`, `rego.parse_module("a.rego","package a")`,
	} {
		_, err := rego.New(rego.Query("x = "+call), rego.Capabilities(Capabilities())).PrepareForEval(t.Context())
		if err == nil {
			t.Errorf("%s compiles", call)
		}
	}
}

func TestCancelledContextIsDenied(t *testing.T) {
	t.Parallel()
	a := authorizer(t)
	ctx, cancel := context.WithCancel(WithPrincipal(t.Context(), Principal{Kind: Staff, ID: staff1, Roles: []string{RoleReviewer}}))
	cancel()
	if err := a.Check(ctx, OrderReview, Resource{Tenant: tenant1}); !errors.Is(err, fault.Denied) {
		t.Errorf("got %v, want a refusal", err)
	}
}

func TestRouteCheck(t *testing.T) {
	t.Parallel()
	a := authorizer(t)
	dealer := WithPrincipal(t.Context(), Principal{Kind: Dealer, ID: dealer1, Tenant: tenant1})
	finance := WithPrincipal(t.Context(), Principal{Kind: Staff, ID: staff1, Roles: []string{RoleFinance}})
	tests := []struct {
		name   string
		ctx    context.Context
		action string
		tenant uuid.UUID
		want   string
	}{
		{"own portal", dealer, OrderView, tenant1, "yes"},
		{"another portal", dealer, OrderView, tenant2, "404"},
		{"console", dealer, QueueView, uuid.Nil, "no"},
		{"finance may open the viewer", finance, FileView, uuid.Nil, "yes"},
		{"nobody", t.Context(), OrderPay, tenant1, "login"},
		{"nobody may open a draft's page", t.Context(), OrderEdit, tenant1, "yes"},
	}
	for _, tt := range tests {
		if got := word(a.CheckRoute(tt.ctx, tt.action, tt.tenant)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if a.May(dealer, OrderReview, Resource{Tenant: tenant1, Owner: dealer1}) {
		t.Error("a dealer may review")
	}
}

// A visitor works on the draft his own browser began, and on nothing else (req K4).
func TestVisitor(t *testing.T) {
	t.Parallel()
	a := authorizer(t)
	mine := map[string]any{"visitor": true}
	tests := []struct {
		name string
		res  Resource
		want string
	}{
		{"own draft", Resource{Kind: "order", Tenant: tenant1, State: "draft", Extra: mine}, "yes"},
		{"another browser's draft", Resource{Kind: "order", Tenant: tenant1, State: "draft"}, "login"},
		{"handed in", Resource{Kind: "order", Tenant: tenant1, State: "in_review", Extra: mine}, "login"},
		{"somebody's", Resource{Kind: "order", Tenant: tenant1, State: "draft", Owner: dealer1, Extra: mine}, "login"},
	}
	for _, tt := range tests {
		if got := word(a.Check(t.Context(), OrderEdit, tt.res)); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestPrincipal(t *testing.T) {
	t.Parallel()
	if got := From(t.Context()).Kind; got != Anonymous {
		t.Errorf("empty context: %q", got)
	}
	p := Principal{Kind: Dealer, Roles: []string{RoleAdmin}}
	if p.Has(RoleAdmin) {
		t.Error("a dealer holds a staff role")
	}
	if got := From(WithPrincipal(t.Context(), System("outbox"))); got.Name != "outbox" || got.Authenticated() {
		t.Errorf("system principal: %+v", got)
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(Messages) {
		t.Error(p)
	}
}

// TestSpeed is a guard against re-preparing per call, not a benchmark.
func TestSpeed(t *testing.T) {
	a := authorizer(t)
	ctx := WithPrincipal(t.Context(), Principal{Kind: Dealer, ID: dealer1, Tenant: tenant1})
	start := time.Now()
	const n = 200
	for range n {
		if err := a.Check(ctx, OrderView, Resource{Kind: "order", Tenant: tenant1, Owner: dealer1}); err != nil {
			t.Fatal(err)
		}
	}
	if per := time.Since(start) / n; per > 100*time.Millisecond {
		t.Errorf("one decision takes %v", per)
	}
}
