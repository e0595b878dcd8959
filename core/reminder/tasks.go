package reminder

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
)

// Task is work that is left for people: a holder nobody could reach, an order that could not be opened.
type Task struct {
	Tenant, ID, Certificate uuid.UUID
	Kind                    string // undeliverable | no_contact | order_failed
	Detail                  string // codes
	CreatedAt               time.Time
}

// addTask notes a task once while it is open.
func addTask(ctx context.Context, tx *db.Tx, certificate uuid.UUID, kind, detail string) error {
	_, err := tx.Exec(ctx, `INSERT INTO reminder_tasks (tenant_id, id, certificate_id, kind, detail, created_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (tenant_id, certificate_id, kind) WHERE done_at IS NULL DO NOTHING`, tx.Tenant(), db.NewID(), certificate, kind, detail, tx.Now())
	if err != nil {
		return fmt.Errorf("reminder: task: %w", err)
	}
	return nil
}

// Tasks lists open tasks across tenants, the oldest first, for staff.
func (s *Service) Tasks(ctx context.Context, limit int) ([]Task, error) {
	if err := s.Authz.CheckRoute(ctx, authz.QueueView, uuid.Nil); err != nil {
		return nil, err
	}
	var list []Task
	err := s.DB.WithSystem(ctx, "console/reminders", func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT tenant_id, id, certificate_id, kind, detail, created_at FROM reminder_tasks
			WHERE done_at IS NULL ORDER BY created_at LIMIT $1`, limit)
		if err != nil {
			return fmt.Errorf("reminder: tasks: %w", err)
		}
		list, err = pgx.CollectRows(rows, func(row pgx.CollectableRow) (t Task, err error) {
			return t, row.Scan(&t.Tenant, &t.ID, &t.Certificate, &t.Kind, &t.Detail, &t.CreatedAt)
		})
		return err
	})
	return list, err
}

// FinishTask notes that somebody saw to it.
func (s *Service) FinishTask(ctx context.Context, tenantID, id uuid.UUID) error {
	if err := s.Authz.CheckRoute(ctx, authz.QueueView, uuid.Nil); err != nil {
		return err
	}
	return s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		var cert uuid.UUID
		err := tx.QueryRow(ctx, `UPDATE reminder_tasks SET done_at = $3, done_by = $4 WHERE tenant_id = $1 AND id = $2 AND done_at IS NULL RETURNING certificate_id`,
			tenantID, id, tx.Now(), authz.From(ctx).Name).Scan(&cert)
		if err != nil {
			return fault.Wrap(fault.NotFound, "reminder.no_task", err)
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "reminder.task_done", Resource: "certificate/" + cert.String(), Detail: map[string]any{"task": id}})
	})
}
