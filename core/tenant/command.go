package tenant

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// Command is `certsaas tenant …`.
type Command struct {
	Base fs.FS                                 // tenants/base
	Open func(context.Context) (*Store, error) // connects; called only by commands that need the database
	Out  io.Writer
	Err  io.Writer
}

const usage = `usage:
  certsaas tenant validate FOLDER…          check packs, without the database
  certsaas tenant plan FOLDER               what apply would change: exit 0 nothing, 2 something, 1 error
  certsaas tenant apply [--draft] FOLDER    make a release of a pack and publish it
  certsaas tenant export [--release N] SLUG FOLDER
  certsaas tenant list
`

// Run does one command and answers the exit code: 0 done, 1 error, 2 (plan) there are changes.
// The principal in ctx is who acts.
func (c Command) Run(ctx context.Context, args []string) int {
	if len(args) == 0 {
		fmt.Fprint(c.Err, usage)
		return 1
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.SetOutput(c.Err)
	draft := flags.Bool("draft", false, "do not publish")
	release := flags.Int("release", 0, "release to export, 0 = the latest")
	if err := flags.Parse(args[1:]); err != nil {
		return 1
	}
	rest := flags.Args()
	commands := map[string]struct {
		args int // number of arguments; -1: one or more
		run  func() (int, error)
	}{
		"validate": {-1, func() (int, error) { return c.validate(rest) }},
		"plan":     {1, func() (int, error) { return c.plan(ctx, rest[0]) }},
		"apply":    {1, func() (int, error) { return 0, c.apply(ctx, rest[0], *draft) }},
		"export":   {2, func() (int, error) { return 0, c.export(ctx, rest[0], rest[1], *release) }},
		"list":     {0, func() (int, error) { return 0, c.list(ctx) }},
	}
	cmd, ok := commands[args[0]]
	if !ok || cmd.args >= 0 && len(rest) != cmd.args || cmd.args < 0 && len(rest) == 0 {
		fmt.Fprint(c.Err, usage)
		return 1
	}
	code, err := cmd.run()
	if err != nil {
		fmt.Fprintln(c.Err, err)
		return 1
	}
	return code
}

// load reads a folder and prefixes problems with it.
func (c Command) load(folder string) (Definition, error) {
	if st, err := os.Stat(folder); err != nil || !st.IsDir() {
		return Definition{}, fmt.Errorf("%s is not a folder; name the folder of a pack", folder)
	}
	def, ps := Load(c.Base, os.DirFS(folder))
	if len(ps) == 0 {
		return def, nil
	}
	lines := make([]string, len(ps))
	for i, p := range ps {
		if !strings.HasPrefix(p.File, "base/") {
			p.File = strings.TrimSuffix(folder, "/") + "/" + p.File
		}
		lines[i] = p.String()
	}
	return def, errors.New(strings.Join(lines, "\n"))
}

func (c Command) validate(folders []string) (int, error) {
	code := 0
	for _, f := range folders {
		def, err := c.load(f)
		if err != nil {
			fmt.Fprintln(c.Err, err)
			code = 1
			continue
		}
		fmt.Fprintf(c.Out, "%s: %s is valid, %d products\n", f, def.Slug, len(def.Index.Products))
	}
	return code, nil
}

func (c Command) plan(ctx context.Context, folder string) (int, error) {
	def, err := c.load(folder)
	if err != nil {
		return 1, err
	}
	store, err := c.Open(ctx)
	if err != nil {
		return 1, err
	}
	p, err := store.Plan(ctx, def)
	if err != nil {
		return 1, err
	}
	c.show(p)
	return p.Exit(), nil
}

func (c Command) show(p Plan) {
	switch {
	case p.Same:
		fmt.Fprintf(c.Out, "%s: release %d is up to date\n", p.Slug, p.After)
		return
	case p.After == 0:
		fmt.Fprintf(c.Out, "%s: a new tenant\n", p.Slug)
		return
	case len(p.Changes) == 0:
		fmt.Fprintf(c.Out, "%s: comments or layout only, compared with release %d\n", p.Slug, p.After)
	default:
		fmt.Fprintf(c.Out, "%s: %d changes against release %d\n", p.Slug, len(p.Changes), p.After)
	}
	for _, ch := range p.Changes {
		fmt.Fprintln(c.Out, "  "+ch.String())
	}
}

func (c Command) apply(ctx context.Context, folder string, draft bool) error {
	def, err := c.load(folder)
	if err != nil {
		return err
	}
	store, err := c.Open(ctx)
	if err != nil {
		return err
	}
	p, err := store.Plan(ctx, def)
	if err != nil {
		return err
	}
	c.show(p)
	a, err := store.Apply(ctx, def, p.After)
	if err != nil {
		return err
	}
	if draft {
		fmt.Fprintf(c.Out, "%s: release %d, not published\n", def.Slug, a.Number)
		return nil
	}
	if err := store.Publish(ctx, a.Tenant, a.Number); err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "%s: release %d is published\n", def.Slug, a.Number)
	return nil
}

func (c Command) export(ctx context.Context, slug, folder string, release int) error {
	store, err := c.Open(ctx)
	if err != nil {
		return err
	}
	r, err := store.Release(ctx, IDOf(slug), release)
	if err != nil {
		return err
	}
	if err := Write(folder, Export(r.Definition)); err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "%s: release %d written to %s\n", slug, r.Number, folder)
	return nil
}

func (c Command) list(ctx context.Context) error {
	store, err := c.Open(ctx)
	if err != nil {
		return err
	}
	all, err := store.List(ctx)
	if err != nil {
		return err
	}
	for _, t := range all {
		fmt.Fprintf(c.Out, "%-16s %-10s release %d, published %d  %s\n", t.Slug, t.State, t.Latest, t.Published, t.ID)
	}
	return nil
}
