package order

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/authz"
	"certsaas/core/db"
)

// Filter narrows a list of orders. Zero values do not narrow.
type Filter struct {
	States  []State
	Tenant  uuid.UUID
	Account uuid.UUID
	Product string
	Claimed uuid.UUID // claimed by this reviewer
	Number  string    // exact order number
	Mobile  string    // exact, normalised
	Org     string    // exact company name
	Code    string    // exact company code
	Dealer  string    // exact number the tenant gave the applicant
	Token   string    // serial number of a key of the order
	OldCert uuid.UUID // certificate the order is about
	Oldest  bool      // by due time, oldest first; otherwise newest first
	Limit   int       // 0 = 20, at most 200
	Offset  int
}

func (f Filter) limit() int {
	if f.Limit <= 0 {
		return 20
	}
	return min(f.Limit, 200)
}

// where writes the conditions of a filter that need no key; args continue after the given ones.
func (f Filter) where(args []any) (string, []any) {
	var b strings.Builder
	add := func(cond string, v any) {
		args = append(args, v)
		fmt.Fprintf(&b, " AND "+cond, len(args))
	}
	if len(f.States) > 0 {
		labels := make([]string, len(f.States))
		for i, s := range f.States {
			labels[i] = string(s)
		}
		add("o.state = ANY($%d::text[]::order_state[])", labels)
	}
	if f.Tenant != uuid.Nil {
		add("o.tenant_id = $%d", f.Tenant)
	}
	if f.Account != uuid.Nil {
		add("o.account_id = $%d", f.Account)
	}
	if f.Product != "" {
		add("o.product = $%d", f.Product)
	}
	if f.Claimed != uuid.Nil {
		add("o.claimed_by = $%d", f.Claimed)
	}
	if f.Token != "" {
		add("EXISTS (SELECT FROM order_items i WHERE i.tenant_id = o.tenant_id AND i.order_id = o.id AND i.token_serial = $%d)", f.Token)
	}
	if f.OldCert != uuid.Nil {
		add("o.old_certificate_id = $%d", f.OldCert)
	}
	if f.Number != "" {
		add("o.number = $%d", strings.ToUpper(f.Number))
	}
	return b.String(), args
}

// List reads orders of one tenant for their owner, newest first, and how many there are in all.
func (s *Service) List(ctx context.Context, tenantID uuid.UUID, f Filter) ([]Order, int, error) {
	if err := s.authz.Check(ctx, authz.OrderView, authz.Resource{Kind: "order", Tenant: tenantID, Owner: f.Account}); err != nil {
		return nil, 0, err
	}
	f.Tenant = tenantID
	var list []Order
	var total int
	err := s.db.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		list, total, err = s.query(ctx, tx, f)
		return err
	})
	return list, total, err
}

// Queue reads orders across tenants for staff; for one who serves a single tenant, that tenant's. A search by mobile,
// company or code asks each tenant's blind index.
func (s *Service) Queue(ctx context.Context, f Filter) ([]Order, int, error) {
	if f.Tenant == uuid.Nil {
		f.Tenant = authz.From(ctx).Tenant
	}
	if err := s.authz.CheckRoute(ctx, authz.QueueView, f.Tenant); err != nil {
		return nil, 0, err
	}
	var list []Order
	var total int
	err := s.db.WithSystem(ctx, "console/queue", func(ctx context.Context, tx *db.Tx) (err error) {
		list, total, err = s.query(ctx, tx, f)
		return err
	})
	return list, total, err
}

func (s *Service) query(ctx context.Context, tx *db.Tx, f Filter) ([]Order, int, error) {
	where, args := f.where(nil)
	where, args, err := s.search(ctx, tx, f, where, args)
	if err != nil {
		return nil, 0, err
	}
	by := "o.created_at DESC, o.id"
	if f.Oldest {
		by = "o.due_at NULLS LAST, o.updated_at, o.id"
	}
	var total int
	if err := tx.QueryRow(ctx, `SELECT count(*) FROM orders o WHERE true`+where, args...).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("order: count: %w", err)
	}
	args = append(args, f.limit(), f.Offset)
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT %s FROM orders o WHERE true%s ORDER BY %s LIMIT $%d OFFSET $%d`,
		columns, where, by, len(args)-1, len(args)), args...)
	if err != nil {
		return nil, 0, fmt.Errorf("order: list: %w", err)
	}
	list, err := s.collect(ctx, tx, rows)
	return list, total, err
}

// collect scans rows first and opens their answers afterwards: the vault may need the same connection.
func (s *Service) collect(ctx context.Context, tx *db.Tx, rows pgx.Rows) ([]Order, error) {
	defer rows.Close()
	var list []Order
	var sealed [][]byte
	for rows.Next() {
		o, b, err := scan(rows)
		if err != nil {
			return nil, fmt.Errorf("order: list: %w", err)
		}
		list, sealed = append(list, o), append(sealed, b)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("order: list: %w", err)
	}
	for i := range list {
		keys, err := s.vault.Keys(ctx, tx, list[i].Tenant)
		if err != nil {
			return nil, err
		}
		if err := unseal(keys, &list[i], sealed[i]); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// search adds the blind-index conditions: each tenant has its own key, so each gives its own index value.
func (s *Service) search(ctx context.Context, tx *db.Tx, f Filter, where string, args []any) (string, []any, error) {
	looks := []struct{ column, name, value string }{
		{"mobile_index", "mobile", f.Mobile}, {"org_index", "org", f.Org}, {"code_index", "code", f.Code},
		{"dealer_index", "dealer", f.Dealer},
	}
	for _, l := range looks {
		if l.value == "" {
			continue
		}
		tenants, err := tenantsOf(ctx, tx, f.Tenant)
		if err != nil {
			return "", nil, err
		}
		values := make([][]byte, 0, len(tenants))
		for _, id := range tenants {
			keys, err := s.vault.Keys(ctx, tx, id)
			if err != nil {
				return "", nil, err
			}
			values = append(values, keys.Index(l.name, l.value))
		}
		args = append(args, values)
		where += fmt.Sprintf(" AND o.%s = ANY($%d)", l.column, len(args))
	}
	return where, args, nil
}

// tenantsOf lists the tenants a search must ask.
func tenantsOf(ctx context.Context, tx *db.Tx, one uuid.UUID) ([]uuid.UUID, error) {
	if one != uuid.Nil {
		return []uuid.UUID{one}, nil
	}
	rows, err := tx.Query(ctx, `SELECT t.id FROM tenants t JOIN tenant_keys k ON k.tenant_id = t.id`)
	if err != nil {
		return nil, fmt.Errorf("order: tenants: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
	if err != nil {
		return nil, fmt.Errorf("order: tenants: %w", err)
	}
	return ids, nil
}

// Count is how many orders stand in a state, how many of them are over their time, and how long the oldest has waited.
type Count struct {
	N, Late int
	Oldest  time.Time // when the oldest was qualified, or else handed in, or else begun
}

// Counts sums up the queues across tenants for staff; for one who serves a single tenant, that tenant's.
func (s *Service) Counts(ctx context.Context) (map[State]Count, error) {
	only := authz.From(ctx).Tenant
	if err := s.authz.CheckRoute(ctx, authz.QueueView, only); err != nil {
		return nil, err
	}
	out := map[State]Count{}
	err := s.db.WithSystem(ctx, "console/counts", func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT state, count(*), count(*) FILTER (WHERE due_at < $1 AND paused_at IS NULL AND closed_at IS NULL),
			min(coalesce(qualified_at, submitted_at, created_at)) FROM orders WHERE $2::uuid IS NULL OR tenant_id = $2 GROUP BY state`,
			tx.Now(), nullable(only))
		if err != nil {
			return fmt.Errorf("order: counts: %w", err)
		}
		defer rows.Close()
		for rows.Next() {
			var st State
			var c Count
			if err := rows.Scan(&st, &c.N, &c.Late, &c.Oldest); err != nil {
				return fmt.Errorf("order: counts: %w", err)
			}
			out[st] = c
		}
		return rows.Err()
	})
	return out, err
}
