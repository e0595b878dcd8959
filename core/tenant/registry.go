package tenant

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
)

// freshFor is how long another process's publishing may go unseen here.
const freshFor = 2 * time.Second

// maxNames bounds what is remembered about names that visitors ask for, known or not.
const maxNames = 4096

// Registry gives compiled tenants: each release is compiled once, when it is first asked for, and shared. Safe for concurrent use.
type Registry struct {
	db    *db.DB
	clock clock.Clock
	base  string

	mu       sync.Mutex
	compiled map[releaseKey]*slot
	current  map[uuid.UUID]remembered
	names    map[string]remembered // "hosts keys.example.com" → tenant
}

type releaseKey struct {
	tenant uuid.UUID
	number int
}

// slot is one release being compiled or compiled; the lock lets one caller work while the others wait.
type slot struct {
	mu     sync.Mutex
	tenant *Tenant
}

type remembered struct {
	id     uuid.UUID // Nil: nobody
	number int
	at     time.Time
}

// NewRegistry makes a Registry. Portals answer at <slug>.<baseDomain> besides the hosts the packs declare.
func NewRegistry(d *db.DB, c clock.Clock, baseDomain string) *Registry {
	return &Registry{db: d, clock: c, base: strings.ToLower(baseDomain),
		compiled: map[releaseKey]*slot{}, current: map[uuid.UUID]remembered{}, names: map[string]remembered{}}
}

func notFound() error { return fault.New(fault.NotFound, "tenant.not_found") }

// bare hides the values of a context: looking a tenant up is allowed in the middle of a transaction, on a connection of its own.
type bare struct{ context.Context }

// Value is always nil.
func (bare) Value(any) any { return nil }

// At is a tenant as of one release. Releases never change, so neither does the answer.
func (r *Registry) At(ctx context.Context, id uuid.UUID, number int) (*Tenant, error) {
	r.mu.Lock()
	s, ok := r.compiled[releaseKey{id, number}]
	if !ok {
		s = &slot{}
		r.compiled[releaseKey{id, number}] = s
	}
	r.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tenant != nil {
		return s.tenant, nil
	}
	t, err := r.load(ctx, id, number)
	if err != nil {
		r.mu.Lock()
		delete(r.compiled, releaseKey{id, number})
		r.mu.Unlock()
		return nil, err
	}
	s.tenant = t
	return t, nil
}

func (r *Registry) load(ctx context.Context, id uuid.UUID, number int) (*Tenant, error) {
	var data []byte
	err := r.db.WithSystem(bare{ctx}, "tenant/registry", func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRow(ctx, `SELECT definition FROM tenant_releases WHERE tenant_id = $1 AND number = $2`, id, number).Scan(&data)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, notFound()
	}
	if err != nil {
		return nil, fmt.Errorf("tenant: load release: %w", err)
	}
	def, err := Decode(data)
	if err != nil {
		return nil, err
	}
	t, ps := compile(def, number)
	if err := ps.Err(); err != nil { // a release that this program cannot read any more
		return nil, fmt.Errorf("tenant: release %d of %s no longer compiles: %w", number, def.Slug, err)
	}
	return t, nil
}

// ByID is the tenant's published release. fault.NotFound when it has none or is suspended.
func (r *Registry) ByID(ctx context.Context, id uuid.UUID) (*Tenant, error) {
	r.mu.Lock()
	cur, ok := r.current[id]
	r.mu.Unlock()
	if !ok || r.clock.Now().Sub(cur.at) > freshFor {
		cur = remembered{id: id, at: r.clock.Now()}
		err := r.db.WithSystem(bare{ctx}, "tenant/registry", func(ctx context.Context, tx *db.Tx) error {
			return tx.QueryRow(ctx, `SELECT r.number FROM tenant_releases r JOIN tenants t ON t.id = r.tenant_id
				WHERE r.tenant_id = $1 AND r.published_at IS NOT NULL AND t.state = 'active' ORDER BY r.number DESC LIMIT 1`, id).Scan(&cur.number)
		})
		if err != nil && !errors.Is(err, pgx.ErrNoRows) {
			return nil, fmt.Errorf("tenant: current release: %w", err)
		}
		r.remember(func() { r.current[id] = cur })
	}
	if cur.number == 0 {
		return nil, notFound()
	}
	return r.At(ctx, id, cur.number)
}

// remember stores under the lock and keeps the maps bounded.
func (r *Registry) remember(store func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.names) > maxNames {
		clear(r.names)
	}
	if len(r.current) > maxNames {
		clear(r.current)
	}
	store()
}

// Forget makes the next look at a tenant read which release is published.
func (r *Registry) Forget(id uuid.UUID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.current, id)
	clear(r.names)
}

// BySlug is the published tenant of that name.
func (r *Registry) BySlug(ctx context.Context, slug string) (*Tenant, error) {
	if !slugForm.MatchString(slug) {
		return nil, notFound()
	}
	return r.ByID(ctx, IDOf(slug))
}

// ByHost is the tenant a request's Host names, with or without port. An unknown host is fault.NotFound (the web answers 421).
func (r *Registry) ByHost(ctx context.Context, host string) (*Tenant, error) {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if slug, ok := strings.CutSuffix(host, "."+r.base); ok && r.base != "" && !strings.Contains(slug, ".") {
		return r.BySlug(ctx, slug)
	}
	if len(host) > 253 || !hostForm.MatchString(host) {
		return nil, notFound()
	}
	return r.byName(ctx, "hosts", host, func(t *Tenant) bool { return slices.Contains(t.Hosts(), host) })
}

// ByLink is the tenant that has a product with this short link, /s/<link> (req B12).
func (r *Registry) ByLink(ctx context.Context, link string) (*Tenant, error) {
	if !slugForm.MatchString(link) {
		return nil, notFound()
	}
	return r.byName(ctx, "links", link, func(t *Tenant) bool { _, ok := t.ShortLink(link); return ok })
}

// ByProduct is the tenant that sells the product of this code (req K4).
func (r *Registry) ByProduct(ctx context.Context, code string) (*Tenant, error) {
	if !codeForm.MatchString(code) {
		return nil, notFound()
	}
	return r.byName(ctx, "products", code, func(t *Tenant) bool { _, ok := t.Product(code); return ok })
}

// byName finds the tenant whose published release has a name.
func (r *Registry) byName(ctx context.Context, kind, name string, has func(*Tenant) bool) (*Tenant, error) {
	key := kind + " " + name
	r.mu.Lock()
	known, ok := r.names[key]
	r.mu.Unlock()
	if ok && r.clock.Now().Sub(known.at) <= freshFor {
		if known.id == uuid.Nil {
			return nil, notFound()
		}
		return r.ByID(ctx, known.id)
	}
	var ids []uuid.UUID
	err := r.db.WithSystem(bare{ctx}, "tenant/registry", func(ctx context.Context, tx *db.Tx) (err error) {
		ids, err = owners(ctx, tx, kind, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		t, err := r.ByID(ctx, id)
		if err == nil && has(t) {
			r.remember(func() { r.names[key] = remembered{id: id, at: r.clock.Now()} })
			return t, nil
		}
		if err != nil && !errors.Is(err, fault.NotFound) {
			return nil, err
		}
	}
	r.remember(func() { r.names[key] = remembered{at: r.clock.Now()} })
	return nil, notFound()
}

// Address is where a tenant's portal answers: at <slug>.<base domain>, and at hosts of its own.
type Address struct {
	Slug  string
	Hosts []string
}

// Addresses lists those of all published tenants, by slug. It compiles none.
func (r *Registry) Addresses(ctx context.Context) ([]Address, error) {
	var out []Address
	err := r.db.WithSystem(bare{ctx}, "tenant/registry", func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT DISTINCT ON (t.slug) t.slug, r.definition->'index'->'hosts' FROM tenants t
			JOIN tenant_releases r ON r.tenant_id = t.id AND r.published_at IS NOT NULL WHERE t.state = 'active' ORDER BY t.slug, r.number DESC`)
		if err != nil {
			return err
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (a Address, err error) { return a, row.Scan(&a.Slug, &a.Hosts) })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("tenant: addresses: %w", err)
	}
	return out, nil
}

// All is every published tenant, by slug: for the scheduler and the platform's own pages. One query, however many there are.
func (r *Registry) All(ctx context.Context) ([]*Tenant, error) {
	var list []remembered
	err := r.db.WithSystem(bare{ctx}, "tenant/registry", func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT t.id, max(r.number) FROM tenants t JOIN tenant_releases r ON r.tenant_id = t.id AND r.published_at IS NOT NULL
			WHERE t.state = 'active' GROUP BY t.id, t.slug ORDER BY t.slug`)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (m remembered, err error) { return m, row.Scan(&m.id, &m.number) })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("tenant: all: %w", err)
	}
	out := make([]*Tenant, 0, len(list))
	for _, m := range list {
		t, err := r.At(ctx, m.id, m.number)
		if err != nil {
			return nil, err
		}
		m.at = r.clock.Now()
		r.remember(func() { r.current[m.id] = m })
		out = append(out, t)
	}
	return out, nil
}
