package overdue

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/i18n"
)

// told is a warning that its team has not read of.
type told struct {
	tenant, order uuid.UUID
	number, stage string
	since, due    time.Time
}

// lines is how many orders an e-mail names; the console shows the rest.
const lines = 50

// mail tells each mailbox what became overdue since it was last told, in one e-mail without personal data.
func (s *Service) mail(ctx context.Context) (int, error) {
	if s.Sender == nil {
		return 0, nil
	}
	boxes := map[string][]told{}
	err := s.DB.WithSystem(ctx, component, func(ctx context.Context, tx *db.Tx) error {
		clear(boxes)
		rows, err := tx.Query(ctx, `SELECT w.mailbox, w.tenant_id, w.order_id, o.number, w.stage, w.since, w.due_at FROM desk_warnings w
			JOIN orders o ON o.tenant_id = w.tenant_id AND o.id = w.order_id
			WHERE w.mailed_at IS NULL AND w.ended_at IS NULL AND w.mailbox <> '' ORDER BY w.due_at LIMIT $1`, most)
		if err != nil {
			return fmt.Errorf("overdue: mail: %w", err)
		}
		var box string
		var x told
		_, err = pgx.ForEachRow(rows, []any{&box, &x.tenant, &x.order, &x.number, &x.stage, &x.since, &x.due}, func() error {
			boxes[box] = append(boxes[box], x)
			return nil
		})
		return err
	})
	if err != nil {
		return 0, err
	}
	mailed := 0
	var errs []error
	for box, list := range boxes {
		err := s.send(ctx, box, list)
		if f := fault.From(err); f != nil && f.ID == "channel.none" {
			slog.WarnContext(ctx, "no e-mail is configured: the console alone shows what is overdue", "orders", len(list))
			continue
		}
		if err == nil {
			err = s.mailed(ctx, list)
			mailed++
		}
		errs = append(errs, err)
	}
	return mailed, errors.Join(errs...)
}

func (s *Service) send(ctx context.Context, box string, list []told) error {
	say := func(id string, args ...any) string { return s.Texts.T(i18n.Default, id, args...) }
	var b strings.Builder
	for i, x := range list {
		if i == lines {
			fmt.Fprintln(&b, say("overdue.more", "Count", len(list)-lines))
			break
		}
		name := ""
		if t, err := s.Tenants.ByID(ctx, x.tenant); err == nil {
			name = t.Names().Short.In(i18n.Default)
		}
		fmt.Fprintln(&b, say("overdue.line", "Tenant", name, "Number", x.number, "Stage", say("overdue.stage."+x.stage), "Due", x.due.In(clock.Shanghai).Format("2006-01-02 15:04")))
	}
	_, err := s.Sender.Send(ctx, channel.Message{ID: uuid.NewSHA1(list[0].order, fmt.Append(nil, list)).String(), Channel: channel.Email, To: box, Template: "overdue",
		Subject: say("overdue.subject", "Count", len(list)), Text: say("overdue.text", "Lines", b.String(), "Console", s.Console)})
	return err
}

func (s *Service) mailed(ctx context.Context, list []told) error {
	return s.DB.WithSystem(ctx, component, func(ctx context.Context, tx *db.Tx) error {
		for _, x := range list {
			if _, err := tx.Exec(ctx, `UPDATE desk_warnings SET mailed_at = $5 WHERE tenant_id = $1 AND order_id = $2 AND stage = $3 AND since = $4`,
				x.tenant, x.order, x.stage, x.since, tx.Now()); err != nil {
				return fmt.Errorf("overdue: mailed: %w", err)
			}
		}
		return nil
	})
}
