package authz

import (
	"bytes"
	"compress/flate"
	"context"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/open-policy-agent/opa/v1/ast"
)

// question is one that the table or OPA may be asked.
type question struct {
	p      Principal
	action string
	res    Resource
}

// questions are one of each class and action, the cell's number being the index.
func questions(t testing.TB) []question {
	t.Helper()
	out := make([]question, len(Actions())*actionCells)
	filled := 0
	for _, q := range everybody() {
		cell, ok := cellOf(q.p, q.res)
		if !ok {
			t.Fatalf("no cell for %+v", q)
		}
		if out[cell].action != "" {
			t.Fatalf("two classes in cell %d: %+v and %+v", cell, out[cell], q)
		}
		for i, action := range Actions() {
			q.action = action
			out[i*actionCells+cell] = q
			filled++
		}
	}
	if filled != len(out) {
		t.Fatalf("%d questions for %d cells", filled, len(out))
	}
	return out
}

var booleans = []bool{false, true}

// everybody asks from each class once.
func everybody() (out []question) {
	somebody := uuid.MustParse("0192f0c0-0000-7000-8000-0000000000a1")
	things := func(owners []uuid.UUID, f func(Resource, bool)) {
		for _, owner := range owners {
			for i := range 8 {
				r := Resource{Kind: "order", Tenant: tenant1, Owner: owner, State: "in_review"}
				if i&1 == 1 {
					r.Kind = routeKind
				}
				if i&2 == 2 {
					r.State = "draft"
				}
				f(r, i&4 == 4)
			}
		}
	}
	things([]uuid.UUID{uuid.Nil, somebody}, func(r Resource, visitor bool) {
		for _, first := range booleans {
			r.Extra = map[string]any{"visitor": visitor, "order_first": first}
			out = append(out, question{res: r, p: Principal{Kind: Anonymous}})
		}
	})
	for _, tenant := range []uuid.UUID{tenant1, tenant2} {
		things([]uuid.UUID{uuid.Nil, dealer1, somebody}, func(r Resource, visitor bool) {
			r.Extra = map[string]any{"visitor": visitor}
			out = append(out, question{res: r, p: Principal{Kind: Dealer, ID: dealer1, Tenant: tenant}})
		})
	}
	out = append(out, question{p: System("outbox"), res: Resource{Kind: "order", Tenant: tenant1, Owner: somebody}})
	return append(out, wholeStaff(somebody)...)
}

// wholeStaff asks with every set of roles.
func wholeStaff(owner uuid.UUID) (out []question) {
	for set := range 64 {
		var roles []string
		for i, r := range Roles() {
			if set>>i&1 == 1 {
				roles = append(roles, r)
			}
		}
		for _, tenant := range []uuid.UUID{uuid.Nil, tenant1, tenant2} {
			for i := range 8 {
				r := Resource{Kind: "order", Tenant: tenant1, Owner: owner, Extra: map[string]any{}}
				if i&1 == 1 {
					r.Kind = routeKind
				}
				if i&2 == 2 {
					r.Extra["purpose"] = "voucher"
				}
				if i&4 == 4 {
					r.Extra[[]string{"reviewer", "requester"}[set&1]] = staff1.String()
				}
				out = append(out, question{res: r, p: Principal{Kind: Staff, ID: staff1, Roles: roles, Tenant: tenant}})
			}
		}
	}
	return out
}

// TestTable asks OPA every cell of the table: all are equal. With -update it writes the table.
func TestTable(t *testing.T) {
	t.Parallel()
	a := authorizer(t)
	all := questions(t)
	want := make([]byte, len(all))
	var group sync.WaitGroup
	workers := runtime.GOMAXPROCS(0)
	for n := range workers {
		group.Go(func() {
			for i := n; i < len(all); i += workers {
				d, err := a.ask(context.Background(), all[i].p, all[i].action, all[i].res)
				if err != nil {
					t.Errorf("%+v: %v", all[i], err)
					return
				}
				reason, rule := slices.Index(cellReasons, d.Reason), slices.Index(cellRules, d.Rule)
				if reason < 0 || rule < 0 {
					t.Errorf("%+v: the table cannot say %+v", all[i], d)
					return
				}
				want[i] = byte(bit(d.Allow) | reason<<1 | rule<<3)
			}
		})
	}
	group.Wait()
	if t.Failed() {
		return
	}
	if *update {
		write(t, a.hash, want)
		return
	}
	if a.table == nil {
		t.Fatal("the table is stale: go test ./core/authz -run TestTable -update")
	}
	for i, q := range all {
		if d, ok := a.table.decide(q.p, q.action, q.res); !ok || d != a.table.known[want[i]] {
			t.Errorf("%s %+v %+v: table %+v (%t), OPA %+v", q.action, q.p, q.res, d, ok, a.table.known[want[i]])
		}
	}
}

func write(t *testing.T, hash string, cells []byte) {
	t.Helper()
	b := bytes.NewBuffer(fingerprint(hash))
	w, err := flate.NewWriter(b, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(cells); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("table.bin", b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestTableIgnores asks at random, with everything varied at once, what a class leaves out included: the table answers as OPA
// does, or not at all.
func TestTableIgnores(t *testing.T) {
	t.Parallel()
	a := authorizer(t)
	if a.table == nil {
		t.Skip("stale; TestTable says so")
	}
	r := rand.New(rand.NewPCG(1, 2))
	const rounds = 6000
	answered := 0
	for range rounds {
		q := anything(r)
		got, ok := a.table.decide(q.p, q.action, q.res)
		if !ok {
			continue
		}
		answered++
		want, err := a.ask(t.Context(), q.p, q.action, q.res)
		if err != nil || got != want {
			t.Errorf("%s %+v %+v: table %+v, OPA %+v %v", q.action, q.p, q.res, got, want, err)
		}
	}
	if answered < rounds/5 {
		t.Errorf("the table answered %d of %d", answered, rounds)
	}
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

// anything is a question of no class in particular, some malformed.
func anything(r *rand.Rand) question {
	ids := []uuid.UUID{uuid.Nil, dealer1, dealer1, staff1, tenant1}
	q := question{
		p: Principal{Kind: pick(r, Anonymous, Dealer, Dealer, Staff, Staff, SystemKind, Kind("robot")), ID: pick(r, ids...), Name: pick(r, "", "x"),
			Tenant: pick(r, uuid.Nil, tenant1, tenant2)},
		action: pick(r, append(Actions(), "order.burn")...),
		res: Resource{Kind: pick(r, "", "order", "file", routeKind), Tenant: pick(r, uuid.Nil, tenant1, tenant2), Owner: pick(r, ids...),
			State: pick(r, "", "draft", "in_review"), Extra: map[string]any{}},
	}
	if q.p.Kind == Staff || r.IntN(8) == 0 {
		for range r.IntN(4) {
			q.p.Roles = append(q.p.Roles, pick(r, append(Roles(), "owner")...))
		}
	}
	if q.p.Kind == Anonymous && r.IntN(8) > 0 {
		q.p.ID, q.p.Tenant = uuid.Nil, uuid.Nil
	}
	details := map[string][]any{
		"visitor": {true, false, "true", nil}, "order_first": {true, false, 1}, "purpose": {"voucher", "licence", "", true},
		"reviewer": {"", staff1.String(), dealer1.String(), staff1, nil}, "requester": {"", staff1.String(), dealer1.String()}, "else": {true},
	}
	for _, key := range []string{"visitor", "order_first", "purpose", "reviewer", "requester", "else"} {
		if r.IntN(4) == 0 {
			q.res.Extra[key] = pick(r, details[key]...)
		}
	}
	return q
}

// TestVocabulary: the policy looks at nothing that the table's classes do not know.
func TestVocabulary(t *testing.T) {
	t.Parallel()
	sources, _, _, err := load(policyFS)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for name, src := range sources {
		if strings.HasSuffix(name, "_test.rego") {
			continue
		}
		m, err := ast.ParseModule(name, src)
		if err != nil {
			t.Fatal(err)
		}
		ast.WalkRefs(m, func(ref ast.Ref) bool {
			if ref.HasPrefix(ast.InputRootRef) {
				seen[ref.String()] = true
			}
			return false
		})
	}
	known := []string{
		"input.action", "input.principal.id", "input.principal.kind", "input.principal.name", "input.principal.roles", "input.principal.tenant",
		"input.resource.extra.order_first", "input.resource.extra.purpose", "input.resource.extra.visitor", "input.resource.extra[key]",
		"input.resource.kind", "input.resource.owner", "input.resource.state", "input.resource.tenant",
	}
	for ref := range seen {
		if !slices.Contains(known, ref) {
			t.Errorf("the policy reads %s, which makes no class of the table (table.go)", ref)
		}
	}
}

// BenchmarkCheck: by the table, goal 2 µs; and by OPA, its peer.
func BenchmarkCheck(b *testing.B) {
	a, err := New(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	p := Principal{Kind: Dealer, ID: dealer1, Tenant: tenant1}
	ctx := WithPrincipal(b.Context(), p)
	res := Resource{Kind: "order", Tenant: tenant1, Owner: dealer1, State: "draft"}
	b.Run("table", func(b *testing.B) {
		for b.Loop() {
			if err := a.Check(ctx, OrderView, res); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("opa", func(b *testing.B) {
		for b.Loop() {
			if d, err := a.ask(ctx, p, OrderView, res); err != nil || !d.Allow {
				b.Fatal(d, err)
			}
		}
	})
}
