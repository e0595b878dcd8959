package rules

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"

	"certsaas/core/authz"
	"certsaas/core/fault"
)

//go:embed *.rego
var policy embed.FS

// Messages are the sentences of this package.
//
//go:embed messages.*.toml
var Messages embed.FS

// Deadlines: a tenant's own rules get 50 ms, ours, which are bounded by what a
// definition may hold, more room for a busy machine.
const (
	moduleDeadline = 50 * time.Millisecond
	ownDeadline    = 500 * time.Millisecond
)

// decisions are the packages of the general rules, one decision each.
var decisions = []string{"price", "delivery", "invoice", "eligibility", "review"}

// Engine answers Cases. It is prepared once and safe for concurrent use.
type Engine struct {
	queries map[string]rego.PreparedEvalQuery
	memo    memo
}

// Module is a tenant's own rules, checked and prepared; it is safe for concurrent use.
type Module struct {
	query rego.PreparedEvalQuery
}

// capabilities is Rego without network, time, randomness and environment (core/authz), and without what price rules never need.
func capabilities() *ast.Capabilities {
	caps := authz.Capabilities()
	caps.Builtins = slices.DeleteFunc(caps.Builtins, func(b *ast.Builtin) bool {
		return slices.ContainsFunc([]string{"crypto.", "io.jwt.", "providers.", "graphql.", "internal.print", "print", "json.schema_match", "json.verify_schema"},
			func(p string) bool { return strings.HasPrefix(b.Name, p) })
	})
	return caps
}

// New prepares the general rules.
func New() (*Engine, error) {
	var modules []func(*rego.Rego)
	names, err := fs.Glob(policy, "*.rego")
	if err != nil {
		return nil, fmt.Errorf("rules: %w", err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(policy, name)
		if err != nil {
			return nil, fmt.Errorf("rules: %w", err)
		}
		modules = append(modules, rego.Module(name, string(text)))
	}
	e := &Engine{queries: map[string]rego.PreparedEvalQuery{}}
	for _, d := range decisions {
		opts := append([]func(*rego.Rego){rego.Query("data.rules." + d + ".decision"), rego.Capabilities(capabilities()), rego.Strict(true), rego.StrictBuiltinErrors(true)}, modules...)
		if e.queries[d], err = rego.New(opts...).PrepareForEval(context.Background()); err != nil {
			return nil, fmt.Errorf("rules: prepare %s: %w", d, err)
		}
	}
	return e, nil
}

// NewModule checks a tenant's own rules: package tenant, which may define lines
// (price lines) and deny (refusals) and whatever helps them; it sees input only.
func NewModule(source string) (*Module, error) {
	m, err := ast.ParseModuleWithOpts("rules.rego", source, ast.ParserOptions{RegoVersion: ast.RegoV1, Capabilities: capabilities()})
	if err != nil {
		return nil, moduleError(err)
	}
	if m == nil || m.Package.Path.String() != "data.tenant" {
		return nil, &ModuleError{Text: "the package must be called tenant"}
	}
	if err := onlyInput(m); err != nil {
		return nil, err
	}
	q, err := rego.New(rego.Query("data.tenant"), rego.ParsedModule(m), rego.Capabilities(capabilities()), rego.StrictBuiltinErrors(true)).
		PrepareForEval(context.Background())
	if err != nil {
		return nil, moduleError(err)
	}
	return &Module{query: q}, nil
}

// onlyInput refuses a module that reaches for other packages' data.
func onlyInput(m *ast.Module) error {
	for _, i := range m.Imports {
		if i.Path.String() != "rego.v1" {
			return &ModuleError{Line: i.Location.Row, Text: "imports are not available"}
		}
	}
	var bad error
	ast.WalkRefs(m, func(r ast.Ref) bool {
		if len(r) > 1 && r[0].Equal(ast.DefaultRootDocument) && !r[1].Equal(ast.StringTerm("tenant")) {
			bad = &ModuleError{Line: r[0].Loc().Row, Text: fmt.Sprintf("only input and data.tenant may be read, not %s", r)}
		}
		return bad != nil
	})
	return bad
}

// ModuleError says what is wrong with a tenant's own rules.
type ModuleError struct {
	Line int // 0 when the whole module is meant
	Text string
}

// Error is the text with its line.
func (e *ModuleError) Error() string {
	if e.Line == 0 {
		return "rules: tenant module: " + e.Text
	}
	return fmt.Sprintf("rules: tenant module: line %d: %s", e.Line, e.Text)
}

// moduleError takes the first finding out of what OPA reports.
func moduleError(err error) error {
	var many ast.Errors
	if errors.As(err, &many) && len(many) > 0 && many[0].Location != nil {
		return &ModuleError{Line: many[0].Location.Row, Text: many[0].Message}
	}
	return &ModuleError{Text: err.Error()}
}

// ask evaluates a prepared query within the deadline. No answer is an error, and every error is a refusal.
func ask(ctx context.Context, q rego.PreparedEvalQuery, input any, limit time.Duration) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	set, err := q.Eval(ctx, rego.EvalInput(input))
	if err != nil {
		if topdown.IsCancel(err) || errors.Is(err, context.DeadlineExceeded) {
			return nil, fault.Wrap(fault.Unavailable, "rules.too_slow", err)
		}
		return nil, fmt.Errorf("rules: evaluate: %w", err)
	}
	if len(set) != 1 || len(set[0].Expressions) != 1 {
		return nil, errors.New("rules: evaluate: no decision")
	}
	m, ok := set[0].Expressions[0].Value.(map[string]any)
	if !ok {
		return nil, errors.New("rules: evaluate: no decision")
	}
	return m, nil
}
