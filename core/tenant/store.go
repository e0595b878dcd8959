package tenant

import (
	"bytes"
	"context"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
)

// Messages are the sentences of this package.
//
//go:embed messages.*.toml
var Messages embed.FS

// Store keeps definitions as numbered releases. Every change has a principal in
// ctx and is audited; console users are asked for authz.TenantPublish.
type Store struct {
	db       *db.DB
	authz    *authz.Authorizer
	registry *Registry
}

// NewStore makes a Store. The registry may be nil; else it learns of new releases at once.
func NewStore(d *db.DB, a *authz.Authorizer, r *Registry) *Store {
	return &Store{db: d, authz: a, registry: r}
}

// AnyRelease tells Apply to put its release on top of whatever there is.
const AnyRelease = -1

// Applied is what Apply did.
type Applied struct {
	Tenant  uuid.UUID
	Number  int  // the release that holds the definition now
	Created bool // false: it was there already, nothing changed
}

// Apply stores a definition as the tenant's next release, unpublished, when it
// differs from the latest one. after is the number of the release the caller has
// seen (0: none), or AnyRelease; if somebody applied another one meanwhile the
// answer is fault.Conflict and nothing changes. Hosts, short links and product
// codes belong to one tenant only.
func (s *Store) Apply(ctx context.Context, def Definition, after int) (Applied, error) {
	t, ps := Compile(def)
	if err := ps.Err(); err != nil {
		return Applied{}, fault.Wrap(fault.Invalid, "tenant.invalid", err, "Count", len(ps))
	}
	def.Slug, def.Index = t.Slug(), t.index()
	if err := s.authz.Check(ctx, authz.TenantPublish, authz.Resource{Kind: "tenant", Tenant: t.ID()}); err != nil {
		return Applied{}, err
	}
	out := Applied{Tenant: t.ID()}
	err := s.db.WithSystem(ctx, "tenant/apply", func(ctx context.Context, tx *db.Tx) error {
		out.Number, out.Created = 0, false
		if err := lockNames(ctx, tx, t.ID(), def); err != nil {
			return err
		}
		latest, digest, err := latest(ctx, tx, t.ID(), false)
		switch {
		case err != nil:
			return err
		case after != AnyRelease && latest != after:
			return fault.New(fault.Conflict, "tenant.applied_meanwhile", "Number", latest)
		case hex.EncodeToString(digest) == def.Digest():
			out.Number = latest
			return nil
		}
		out.Number, out.Created = latest+1, true
		return insertRelease(ctx, tx, t.ID(), out.Number, def)
	})
	return out, err
}

// lockNames makes the tenant's row, serialises changes, and refuses names that another tenant has.
func lockNames(ctx context.Context, tx *db.Tx, id uuid.UUID, def Definition) error {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('tenant names', 0))`); err != nil {
		return fmt.Errorf("tenant: lock: %w", err)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO tenants (id, slug, created_at) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING`, id, def.Slug, tx.Now()); err != nil {
		return fmt.Errorf("tenant: insert: %w", err)
	}
	for kind, names := range map[string][]string{"hosts": def.Index.Hosts, "links": def.Index.Links, "products": def.Index.Products} {
		for _, name := range names {
			owners, err := owners(ctx, tx, kind, name)
			if err != nil {
				return err
			}
			for _, o := range owners {
				if o != id {
					return fault.New(fault.Conflict, "tenant.name_taken", "Name", name)
				}
			}
		}
	}
	return nil
}

// owners are the tenants one of whose latest releases, published or not, has the name.
func owners(ctx context.Context, tx *db.Tx, kind, name string) ([]uuid.UUID, error) {
	probe, err := json.Marshal(map[string][]string{kind: {name}})
	if err != nil {
		return nil, fmt.Errorf("tenant: probe: %w", err)
	}
	rows, err := tx.Query(ctx, `
		SELECT DISTINCT r.tenant_id FROM tenant_releases r
		WHERE r.definition->'index' @> $1::jsonb
		  AND r.number >= (SELECT coalesce(max(p.number), 0) FROM tenant_releases p WHERE p.tenant_id = r.tenant_id AND p.published_at IS NOT NULL)`, string(probe))
	if err != nil {
		return nil, fmt.Errorf("tenant: owners: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("tenant: owners: %w", err)
	}
	return ids, nil
}

// latest is the newest release (published or not) and its digest; 0 when there is none.
func latest(ctx context.Context, tx *db.Tx, id uuid.UUID, published bool) (int, []byte, error) {
	var number int
	var digest []byte
	err := tx.QueryRow(ctx, `SELECT number, digest FROM tenant_releases
		WHERE tenant_id = $1 AND (published_at IS NOT NULL OR NOT $2) ORDER BY number DESC LIMIT 1`, id, published).Scan(&number, &digest)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, fmt.Errorf("tenant: latest release: %w", err)
	}
	return number, digest, nil
}

func insertRelease(ctx context.Context, tx *db.Tx, id uuid.UUID, number int, def Definition) error {
	data, err := def.JSON()
	if err != nil {
		return fmt.Errorf("tenant: definition: %w", err)
	}
	digest, err := hex.DecodeString(def.Digest())
	if err != nil {
		return fmt.Errorf("tenant: digest: %w", err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO tenant_releases (tenant_id, number, definition, digest, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)`,
		id, number, string(data), digest, tx.Now(), actor(ctx))
	if err != nil {
		return fmt.Errorf("tenant: insert release: %w", err)
	}
	return audit.Record(ctx, tx, audit.Entry{Tenant: id, Action: "tenant.apply", Resource: "tenant/" + def.Slug,
		Detail: map[string]any{"release": number, "digest": def.Digest()}})
}

func actor(ctx context.Context) string {
	p := authz.From(ctx)
	if p.ID != uuid.Nil {
		return string(p.Kind) + "/" + p.ID.String()
	}
	return string(p.Kind) + "/" + p.Name
}

// Publish makes a release the one that new orders are made under. Publishing it again changes nothing.
func (s *Store) Publish(ctx context.Context, id uuid.UUID, number int) error {
	if err := s.authz.Check(ctx, authz.TenantPublish, authz.Resource{Kind: "tenant", Tenant: id}); err != nil {
		return err
	}
	return s.db.WithSystem(ctx, "tenant/publish", func(ctx context.Context, tx *db.Tx) error {
		newest, _, err := latest(ctx, tx, id, true)
		if err != nil {
			return err
		}
		if newest > number {
			return fault.New(fault.Conflict, "tenant.published_newer", "Number", newest)
		}
		tag, err := tx.Exec(ctx, `UPDATE tenant_releases SET published_at = $3 WHERE tenant_id = $1 AND number = $2 AND published_at IS NULL`, id, number, tx.Now())
		if err != nil {
			return fmt.Errorf("tenant: publish: %w", err)
		}
		if tag.RowsAffected() == 0 {
			if newest == number {
				return nil
			}
			return fault.New(fault.NotFound, "tenant.no_release", "Number", number)
		}
		if s.registry != nil {
			tx.AfterCommit(func() { s.registry.Forget(id) })
		}
		return audit.Record(ctx, tx, audit.Entry{Tenant: id, Action: "tenant.publish", Resource: "tenant/" + id.String(),
			Detail: map[string]any{"release": number}})
	})
}

// Install applies and publishes a pack that comes with the program, as it does at
// every start. A tenant whose latest release somebody else made (in the console,
// or from a folder) is theirs now and stays as it is.
func (s *Store) Install(ctx context.Context, def Definition) (Applied, error) {
	id := IDOf(def.Slug)
	last, err := s.Release(ctx, id, 0)
	switch {
	case errors.Is(err, fault.NotFound):
	case err != nil:
		return Applied{}, err
	case last.CreatedBy != actor(ctx):
		return Applied{Tenant: id, Number: last.Number}, nil
	}
	a, err := s.Apply(ctx, def, last.Number)
	if err != nil {
		return a, err
	}
	return a, s.Publish(ctx, a.Tenant, a.Number)
}

// Stored is a release as it lies in the database.
type Stored struct {
	Number     int
	Definition Definition
	Digest     string
	CreatedAt  time.Time
	CreatedBy  string
	Published  *time.Time
}

// Release reads a release; number 0 is the latest. fault.NotFound when there is none.
func (s *Store) Release(ctx context.Context, id uuid.UUID, number int) (Stored, error) {
	var out Stored
	err := s.db.WithSystem(ctx, "tenant/read", func(ctx context.Context, tx *db.Tx) error {
		var data []byte
		var digest []byte
		err := tx.QueryRow(ctx, `SELECT number, definition, digest, created_at, created_by, published_at FROM tenant_releases
			WHERE tenant_id = $1 AND (number = $2 OR $2 = 0) ORDER BY number DESC LIMIT 1`, id, number).
			Scan(&out.Number, &data, &digest, &out.CreatedAt, &out.CreatedBy, &out.Published)
		if errors.Is(err, pgx.ErrNoRows) {
			return fault.New(fault.NotFound, "tenant.no_release", "Number", number)
		}
		if err != nil {
			return fmt.Errorf("tenant: read release: %w", err)
		}
		out.Digest = hex.EncodeToString(digest)
		if out.Definition, err = Decode(data); err != nil {
			return err
		}
		if sum, _ := hex.DecodeString(out.Definition.Digest()); !bytes.Equal(sum, digest) {
			return fmt.Errorf("tenant: release %d of %s does not have its digest", out.Number, id)
		}
		return nil
	})
	return out, err
}

// Summary is a line of the list of tenants.
type Summary struct {
	ID        uuid.UUID
	Slug      string
	State     string // active | suspended
	Latest    int    // newest release
	Published int    // newest published release, 0 when none
	At        *time.Time
}

// List is all tenants by slug.
func (s *Store) List(ctx context.Context) ([]Summary, error) {
	var out []Summary
	err := s.db.WithSystem(ctx, "tenant/list", func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT t.id, t.slug, t.state, coalesce(max(r.number), 0),
			       coalesce(max(r.number) FILTER (WHERE r.published_at IS NOT NULL), 0), max(r.published_at)
			FROM tenants t LEFT JOIN tenant_releases r ON r.tenant_id = t.id GROUP BY t.id, t.slug, t.state ORDER BY t.slug`)
		if err != nil {
			return fmt.Errorf("tenant: list: %w", err)
		}
		out, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (Summary, error) {
			var x Summary
			err := row.Scan(&x.ID, &x.Slug, &x.State, &x.Latest, &x.Published, &x.At)
			return x, err
		})
		return err
	})
	return out, err
}
