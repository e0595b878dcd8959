package authz

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"certsaas/core/fault"
)

//go:embed policy
var policyFS embed.FS

// Messages are the package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// deadline ends a decision that does not come to one. A decision takes well under a millisecond; the margin is for a
// machine so busy that the process does not get its turn, where a refusal would be wrong.
const deadline = time.Second

// Authorizer answers Check from the policy: by its table of decisions, or by OPA
// for what the table does not hold. It is safe for concurrent use.
type Authorizer struct {
	table *table                                 // nil when it was made from another policy
	query func() (rego.PreparedEvalQuery, error) // compiles the policy when first asked
	hash  string                                 // identifies the policy in logs
}

// New opens the embedded policy. Without a table that was made from it, it is
// compiled at once.
func New(ctx context.Context) (*Authorizer, error) {
	modules, roles, hash, err := load(policyFS)
	if err != nil {
		return nil, err
	}
	a := &Authorizer{hash: hash, query: sync.OnceValues(func() (rego.PreparedEvalQuery, error) { return compile(modules, roles) })}
	if a.table, err = openTable(hash); err != nil {
		return nil, err
	}
	if a.table == nil {
		slog.WarnContext(ctx, "the policy's table is stale; OPA is asked each time", "policy", hash)
		_, err = a.query()
	}
	return a, err
}

// compile prepares the policy's modules.
func compile(modules map[string]string, roles map[string]any) (rego.PreparedEvalQuery, error) {
	opts := []func(*rego.Rego){
		rego.Query("data.authz.decision"),
		rego.Capabilities(Capabilities()),
		rego.StrictBuiltinErrors(true),
		rego.Strict(true),
		rego.Store(inmem.NewFromObject(map[string]any{"roles": roles})),
	}
	for name, src := range modules {
		if !strings.HasSuffix(name, "_test.rego") {
			opts = append(opts, rego.Module(name, src))
		}
	}
	query, err := rego.New(opts...).PrepareForEval(context.Background()) // once for all callers, so not bound to one
	if err != nil {
		return query, fmt.Errorf("authz: compile policy: %w", err)
	}
	return query, nil
}

// load reads the policy's modules and its table of roles, with one digest over
// both.
func load(fsys fs.FS) (modules map[string]string, roles map[string]any, hash string, err error) {
	modules = map[string]string{}
	sum := sha256.New()
	err = fs.WalkDir(fsys, "policy", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(fsys, name)
		if err != nil {
			return err
		}
		fmt.Fprintf(sum, "%s %d\n%s", name, len(body), body)
		if strings.HasSuffix(name, ".rego") {
			modules[name] = string(body)
			return nil
		}
		return json.Unmarshal(body, &roles)
	})
	if err != nil {
		return nil, nil, "", fmt.Errorf("authz: read policy: %w", err)
	}
	return modules, roles, hex.EncodeToString(sum.Sum(nil))[:16], nil
}

// Capabilities is the vocabulary a policy of this program may use: everything
// of OPA except what reaches the network, the process, the clock or chance, or
// compiles further policy. `with` cannot smuggle these back in, because they
// do not exist for the compiler (GHSA-f524-rf33-2jjr).
func Capabilities() *ast.Capabilities {
	caps := ast.CapabilitiesForThisVersion()
	caps.AllowNet = []string{}
	barred := []string{"http.send", "opa.runtime", "rego.parse_module", "trace", "time.now_ns", "rand.intn", "uuid.rfc4122"}
	caps.Builtins = slices.DeleteFunc(caps.Builtins, func(b *ast.Builtin) bool {
		return b.Nondeterministic || slices.Contains(barred, b.Name) || strings.HasPrefix(b.Name, "net.lookup")
	})
	return caps
}

// Check is nil when the principal of ctx may do action on res. Otherwise it is
// a fault of kind Unauthenticated, NotFound or Denied.
func (a *Authorizer) Check(ctx context.Context, action string, res Resource) error {
	d, err := a.decide(ctx, From(ctx), action, res)
	if err != nil {
		// Fail closed: an undecided question is a refusal (ASVS 16.5.3).
		slog.ErrorContext(ctx, "authorisation undecided", "action", action, "policy", a.hash, "error", err)
		return fault.Wrap(fault.Denied, "authz.denied", err)
	}
	switch {
	case d.Allow:
		return nil
	case d.Reason == "login":
		return fault.New(fault.Unauthenticated, "authz.login")
	case d.Reason == "hidden":
		return fault.New(fault.NotFound, "authz.hidden")
	default:
		return fault.New(fault.Denied, "authz.denied")
	}
}

// CheckRoute asks whether the principal may open a page of action at all; the
// page's service still asks Check about the single thing. tenant is the one of
// the request's host, Nil on the console.
func (a *Authorizer) CheckRoute(ctx context.Context, action string, tenant uuid.UUID) error {
	return a.Check(ctx, action, Resource{Kind: routeKind, Tenant: tenant})
}

// May is Check as a yes or no, for a page that shows or hides a button.
func (a *Authorizer) May(ctx context.Context, action string, res Resource) bool {
	d, err := a.decide(ctx, From(ctx), action, res)
	return err == nil && d.Allow
}

// decision is the policy's answer.
type decision struct {
	Allow  bool   `json:"allow"`
	Reason string `json:"reason"` // allowed, denied, login, hidden
	Rule   string `json:"rule"`   // visitor, dealer, staff, system, none
}

func (a *Authorizer) decide(ctx context.Context, p Principal, action string, res Resource) (decision, error) {
	if err := ctx.Err(); err != nil {
		return decision{}, fmt.Errorf("authz: evaluate: %w", err)
	}
	if a.table != nil {
		if d, ok := a.table.decide(p, action, res); ok {
			return d, nil
		}
	}
	return a.ask(ctx, p, action, res)
}

// ask evaluates the policy.
func (a *Authorizer) ask(ctx context.Context, p Principal, action string, res Resource) (decision, error) {
	input, err := ast.InterfaceToValue(map[string]any{
		"principal": map[string]any{
			"kind": string(p.Kind), "id": text(p.ID), "name": p.Name, "roles": nonNil(p.Roles), "tenant": text(p.Tenant),
		},
		"action": action,
		"resource": map[string]any{
			"kind": res.Kind, "tenant": text(res.Tenant), "owner": text(res.Owner), "state": res.State, "extra": nonNilMap(res.Extra),
		},
	})
	if err != nil {
		return decision{}, fmt.Errorf("authz: input: %w", err)
	}
	return a.eval(ctx, input)
}

func (a *Authorizer) eval(ctx context.Context, input ast.Value) (decision, error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	if err := ctx.Err(); err != nil {
		return decision{}, fmt.Errorf("authz: evaluate: %w", err)
	}
	query, err := a.query()
	if err != nil {
		return decision{}, err
	}
	rs, err := query.Eval(ctx, rego.EvalParsedInput(input))
	if err != nil {
		return decision{}, fmt.Errorf("authz: evaluate: %w", err)
	}
	if len(rs) != 1 || len(rs[0].Expressions) != 1 {
		return decision{}, errors.New("authz: the policy gave no decision")
	}
	m, ok := rs[0].Expressions[0].Value.(map[string]any)
	if !ok {
		return decision{}, errors.New("authz: the decision is no object")
	}
	var d decision
	var okAllow, okReason, okRule bool
	d.Allow, okAllow = m["allow"].(bool)
	d.Reason, okReason = m["reason"].(string)
	d.Rule, okRule = m["rule"].(string)
	if !okAllow || !okReason || !okRule {
		return decision{}, errors.New("authz: the decision lacks a part")
	}
	return d, nil
}

func text(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

func nonNilMap(m map[string]any) map[string]any {
	if m == nil {
		return map[string]any{}
	}
	return m
}
