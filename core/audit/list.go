package audit

import (
	"context"
	"fmt"
	"strings"
	"time"

	"certsaas/core/db"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Query narrows the trail. Zero values do not narrow.
type Query struct {
	Tenant   uuid.UUID
	Platform bool      // only the platform's own acts (staff), which have no tenant
	Action   string    // how it begins: "order." or "order.approve"
	Resource string    // exact: "order/<uuid>"
	Actor    string    // exact name of a member of staff or a component
	Denied   bool      // refused attempts only
	From, To time.Time // not before, and before
	Limit    int       // 0 = 50, at most 500
	Offset   int
}

// Line is an entry as an auditor reads it.
type Line struct {
	Tenant, ID           uuid.UUID
	At                   time.Time
	ActorKind, ActorName string
	ActorID              uuid.UUID // Nil: a component, or nobody
	Action, Resource     string
	Denied               bool
	Detail               map[string]any
	Sealed               bool // part of the chain already
}

// List reads the trail across tenants, newest first, and tells how many entries fit. The caller has asked audit.view.
func List(ctx context.Context, d *db.DB, q Query) ([]Line, int, error) {
	if q.Limit <= 0 {
		q.Limit = 50
	}
	where, args := q.where()
	var list []Line
	var total int
	err := d.WithSystem(ctx, "console/audit", func(ctx context.Context, tx *db.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT count(*) FROM audit_entries e WHERE true`+where, args...).Scan(&total); err != nil {
			return fmt.Errorf("audit: count: %w", err)
		}
		page := append(args, min(q.Limit, 500), q.Offset)
		rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT e.tenant_id, e.id, e.at, e.actor_kind, coalesce(e.actor_id, $%d), e.actor_name, e.action,
			e.resource, e.outcome = 'denied', e.detail, EXISTS (SELECT FROM audit_seals s WHERE s.tenant_id = e.tenant_id AND s.entry_id = e.id)
			FROM audit_entries e WHERE true%s ORDER BY e.at DESC, e.id DESC LIMIT $%d OFFSET $%d`, len(page)+1, where, len(page)-1, len(page)),
			append(page, uuid.Nil)...)
		if err != nil {
			return fmt.Errorf("audit: list: %w", err)
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (l Line, err error) {
			return l, row.Scan(&l.Tenant, &l.ID, &l.At, &l.ActorKind, &l.ActorID, &l.ActorName, &l.Action, &l.Resource, &l.Denied, &l.Detail, &l.Sealed)
		})
		if err != nil {
			return fmt.Errorf("audit: list: %w", err)
		}
		return nil
	})
	return list, total, err
}

// where writes the conditions of a query.
func (q Query) where() (string, []any) {
	var b strings.Builder
	var args []any
	add := func(cond string, v any) {
		args = append(args, v)
		fmt.Fprintf(&b, " AND "+cond, len(args))
	}
	if q.Tenant != uuid.Nil || q.Platform {
		add("e.tenant_id = $%d", q.Tenant)
	}
	if q.Action != "" {
		add("starts_with(e.action, $%d)", q.Action)
	}
	if q.Resource != "" {
		add("e.resource = $%d", q.Resource)
	}
	if q.Actor != "" {
		add("e.actor_name = $%d", q.Actor)
	}
	if !q.From.IsZero() {
		add("e.at >= $%d", q.From)
	}
	if !q.To.IsZero() {
		add("e.at < $%d", q.To)
	}
	if q.Denied {
		add("e.outcome = $%d", outcomeDenied)
	}
	return b.String(), args
}
