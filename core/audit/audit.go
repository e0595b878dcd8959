// Package audit keeps who did what, so that it cannot be denied or changed later.
//
// In: entries, written in the transaction of the act itself; a refusal in one of its own. Out: per tenant a gap-free chain of
// HMACs in commit order, made by the sealer a moment afterwards, with signed checkpoints appended to a file outside the database,
// and Verify, which names what was tampered with. Entries refer to people by id; they hold no personal data.
package audit

import (
	"context"
	"errors"
	"fmt"

	"certsaas/core/authz"
	"certsaas/core/db"

	"github.com/google/uuid"
)

// Entry is one act.
type Entry struct {
	Action   string         // "order.approve"
	Resource string         // "order/<uuid>"
	Detail   map[string]any // ids, codes, reasons; JSON values, no personal data
	Tenant   uuid.UUID      // in a system transaction: whose matter it is; uuid.Nil is the platform's own. Else the transaction's
}

const (
	outcomeDone   = "done"
	outcomeDenied = "denied"
)

// Record writes the entry as part of tx; the actor is the principal of ctx. A system transaction without a principal is an error:
// components act under their name.
func Record(ctx context.Context, tx *db.Tx, e Entry) error {
	if tx.Tenant() == uuid.Nil && authz.From(ctx).Kind == authz.Anonymous {
		return fmt.Errorf("audit: %s: nobody is acting", e.Action)
	}
	return insert(ctx, tx, e, outcomeDone)
}

// RecordDenied writes a refused attempt in a transaction of its own, since that of the attempt is rolled back. Call it outside a
// transaction. tenant uuid.Nil is the platform's own (staff log-in).
func RecordDenied(ctx context.Context, d *db.DB, tenant uuid.UUID, e Entry) error {
	if tenant == uuid.Nil {
		return d.WithSystem(ctx, "audit", func(ctx context.Context, tx *db.Tx) error {
			return insert(ctx, tx, e, outcomeDenied)
		})
	}
	return d.WithTenant(ctx, tenant, func(ctx context.Context, tx *db.Tx) error {
		return insert(ctx, tx, e, outcomeDenied)
	})
}

func insert(ctx context.Context, tx *db.Tx, e Entry, outcome string) error {
	if e.Action == "" || e.Resource == "" {
		return errors.New("audit: an entry needs an action and a resource")
	}
	tenant := tx.Tenant()
	switch {
	case tenant == uuid.Nil:
		tenant = e.Tenant
	case e.Tenant != uuid.Nil && e.Tenant != tenant:
		return errors.New("audit: entry of another tenant")
	}
	if e.Detail == nil {
		e.Detail = map[string]any{}
	}
	actor := authz.From(ctx)
	var actorID *uuid.UUID
	if actor.ID != uuid.Nil {
		actorID = &actor.ID
	}
	_, err := tx.Exec(ctx, `
		INSERT INTO audit_entries (tenant_id, id, at, actor_kind, actor_id, actor_name, action, resource, outcome, detail)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		tenant, db.NewID(), tx.Now(), string(actor.Kind), actorID, actorName(actor), e.Action, e.Resource, outcome, e.Detail)
	if err != nil {
		return fmt.Errorf("audit: record %s: %w", e.Action, err)
	}
	return nil
}

// actorName is what the log shows of an actor. A dealer's display name may be a mobile number: personal data, so the id stands for it.
func actorName(p authz.Principal) string {
	if p.Kind == authz.Dealer {
		return ""
	}
	return p.Name
}
