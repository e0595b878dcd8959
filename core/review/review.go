// Package review is the judgement of an order by the CA's registration staff.
//
// In: an order that is paid and complete, its documents, and a verdict: approved, or refused field by field and file
// by file with a reason each. Out: one immutable row per round with what the reviewer saw, and the order moved on.
// Where a product says so, an automatic check gives the verdict instead (outbox: order.submit, order.paid, order.resubmit).
package review

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/rules"
	"certsaas/core/tenant"
	"certsaas/core/vault"
)

// Messages are the package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// maxReason is the longest reason in characters.
const maxReason = 200

// Remark refuses one field or file.
type Remark struct {
	Target string `json:"target"` // form field key
	Reason string `json:"reason"` // what the applicant reads
}

// Verdict is what a reviewer decided about the order as it stood at Version.
type Verdict struct {
	Version   int
	Approve   bool
	Remarks   []Remark        // at least one when refused, none when approved
	Checklist map[string]bool // ids of the product's checklist that were ticked
}

// Round is one past verdict.
type Round struct {
	Round     int
	At        time.Time
	Reviewer  uuid.UUID // Nil: an automatic check
	Approved  bool
	Remarks   []Remark
	Answers   form.Answers // what the reviewer saw
	Checklist map[string]bool
}

// Deps is what a Service stands on.
type Deps struct {
	DB     *db.DB
	Vault  *vault.Vault
	Orders *order.Service
	Rules  *rules.Engine
}

// Service is the use cases of a review.
type Service struct{ Deps }

// New makes a Service.
func New(d Deps) *Service { return &Service{d} }

// Decide records a verdict and moves the order on. Approving wants every line of the checklist that applies ticked;
// refusing wants a reason for each target.
//
// Errors: fault.Conflict when the order changed since the page was made or somebody else holds it; fault.Invalid with
// fields "checklist" and "remark.<target>".
func (s *Service) Decide(ctx context.Context, tenantID, orderID uuid.UUID, v Verdict) (order.Order, error) {
	var o order.Order
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) (err error) {
		if o, err = s.Orders.LoadForUpdate(ctx, tx, orderID); err != nil {
			return err
		}
		if o.Version != v.Version || o.State != order.InReview {
			return fault.New(fault.Conflict, "order.taken")
		}
		if err := s.Orders.Claim(ctx, tx, &o); err != nil {
			return err
		}
		_, p, err := s.Orders.Product(ctx, o)
		if err != nil {
			return err
		}
		facts, err := s.Orders.Facts(ctx, tx, o)
		if err != nil {
			return err
		}
		if err := v.check(o, p, facts); err != nil {
			return err
		}
		return s.settle(ctx, tx, &o, v)
	})
	return o, err
}

// check refuses a verdict that is not complete.
func (v Verdict) check(o order.Order, p tenant.Product, facts map[string]string) error {
	var fields []fault.Field
	if v.Approve {
		for _, c := range p.Review.Checklist {
			if c.When.Holds(o.Answers, facts, true) && !v.Checklist[c.ID] {
				fields = append(fields, fault.At("checklist", "review.tick_all"))
				break
			}
		}
	}
	if !v.Approve && len(v.Remarks) == 0 {
		fields = append(fields, fault.At("remarks", "review.need_remark"))
	}
	visible := p.FormAt("order").Visible(o.Answers, facts)
	for _, r := range v.Remarks {
		switch n := utf8.RuneCountInString(strings.TrimSpace(r.Reason)); {
		case !visible[r.Target]:
			fields = append(fields, fault.At("remark."+r.Target, "review.no_target"))
		case n == 0:
			fields = append(fields, fault.At("remark."+r.Target, "review.need_reason"))
		case n > maxReason:
			fields = append(fields, fault.At("remark."+r.Target, "review.long_reason", "Max", maxReason))
		}
	}
	if v.Approve && len(v.Remarks) > 0 {
		fields = append(fields, fault.At("remarks", "review.remarks_and_approval"))
	}
	if len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	return nil
}

// settle writes the round and advances the order, in the caller's transaction.
func (s *Service) settle(ctx context.Context, tx *db.Tx, o *order.Order, v Verdict) error {
	for i := range v.Remarks {
		v.Remarks[i].Reason = strings.TrimSpace(v.Remarks[i].Reason)
	}
	if err := s.insert(ctx, tx, *o, v); err != nil {
		return err
	}
	if v.Approve {
		return s.Orders.Advance(ctx, tx, o, order.Approve, nil)
	}
	o.OpenFields = nil
	for _, r := range v.Remarks {
		if !slices.Contains(o.OpenFields, r.Target) {
			o.OpenFields = append(o.OpenFields, r.Target)
		}
	}
	return s.Orders.Advance(ctx, tx, o, order.Reject, map[string]any{"fields": o.OpenFields})
}

func (s *Service) insert(ctx context.Context, tx *db.Tx, o order.Order, v Verdict) error {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return err
	}
	id := db.NewID()
	remarks, err := json.Marshal(v.Remarks)
	if err != nil {
		return fmt.Errorf("review: remarks: %w", err)
	}
	answers, err := json.Marshal(o.Answers)
	if err != nil {
		return fmt.Errorf("review: answers: %w", err)
	}
	verdict, reviewer := "rejected", (*uuid.UUID)(nil)
	if v.Approve {
		verdict = "approved"
	}
	if who := authz.From(ctx); who.Kind == authz.Staff {
		reviewer = &who.ID
	}
	if v.Checklist == nil {
		v.Checklist = map[string]bool{}
	}
	_, err = tx.Exec(ctx, `INSERT INTO reviews (tenant_id, id, order_id, round, order_version, reviewer_id, verdict, remarks_sealed,
		answers_sealed, checklist, created_at)
		SELECT $1, $2, $3, count(*) + 1, $4, $5, $6, $7, $8, $9, $10 FROM reviews WHERE tenant_id = $1 AND order_id = $3`,
		tx.Tenant(), id, o.ID, o.Version, reviewer, verdict, keys.Seal("reviews.remarks", id, remarks),
		keys.Seal("reviews.answers", id, answers), v.Checklist, tx.Now())
	if err != nil {
		return fmt.Errorf("review: insert: %w", err)
	}
	return nil
}

// Rounds reads the past verdicts of an order, oldest first.
func (s *Service) Rounds(ctx context.Context, tx *db.Tx, orderID uuid.UUID) ([]Round, error) {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT id, round, created_at, reviewer_id, verdict, remarks_sealed, answers_sealed, checklist
		FROM reviews WHERE tenant_id = $1 AND order_id = $2 ORDER BY round`, tx.Tenant(), orderID)
	if err != nil {
		return nil, fmt.Errorf("review: rounds: %w", err)
	}
	defer rows.Close()
	var out []Round
	for rows.Next() {
		var (
			r                Round
			id               uuid.UUID
			reviewer         *uuid.UUID
			verdict          string
			remarks, answers []byte
		)
		if err := rows.Scan(&id, &r.Round, &r.At, &reviewer, &verdict, &remarks, &answers, &r.Checklist); err != nil {
			return nil, fmt.Errorf("review: rounds: %w", err)
		}
		if reviewer != nil {
			r.Reviewer = *reviewer
		}
		r.Approved = verdict == "approved"
		err := errors.Join(open(keys, "reviews.remarks", id, remarks, &r.Remarks), open(keys, "reviews.answers", id, answers, &r.Answers))
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func open(keys *vault.Keys, column string, id uuid.UUID, sealed []byte, into any) error {
	plain, err := keys.Open(column, id, sealed)
	if err != nil {
		return fmt.Errorf("review: open %s: %w", column, err)
	}
	return json.Unmarshal(plain, into)
}

// Remarks are the reasons that still stand: those of the last round, if it refused the order. nil otherwise.
func (s *Service) Remarks(ctx context.Context, tx *db.Tx, orderID uuid.UUID) ([]Remark, error) {
	rounds, err := s.Rounds(ctx, tx, orderID)
	if err != nil || len(rounds) == 0 {
		return nil, err
	}
	return rounds[len(rounds)-1].Remarks, nil
}

// Automatic gives the verdict of a product whose review an automatic check may pass, if the order waits for one and no
// person has judged it: what a person refused, a person looks at again. It answers an outbox event; a second delivery
// finds the order moved on and does nothing.
func (s *Service) Automatic(ctx context.Context, tenantID, orderID uuid.UUID) error {
	return s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, err := s.Orders.LoadForUpdate(ctx, tx, orderID)
		if err != nil || o.State != order.InReview {
			return err
		}
		t, p, err := s.Orders.Product(ctx, o)
		if err != nil || p.Review.Mode != "auto_when_checks_pass" {
			return err
		}
		var judged bool
		err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM reviews WHERE tenant_id = $1 AND order_id = $2 AND reviewer_id IS NOT NULL)`,
			tx.Tenant(), o.ID).Scan(&judged)
		if err != nil || judged {
			return err
		}
		facts, err := s.Orders.Facts(ctx, tx, o)
		if err != nil {
			return err
		}
		d, err := s.Rules.AutoApprove(ctx, t.Case(p, o.Answers, facts))
		if err != nil || !d.Allowed {
			return err
		}
		return s.settle(ctx, tx, &o, Verdict{Version: o.Version, Approve: true, Checklist: map[string]bool{d.Rule: true}})
	})
}

// Changes lists what the applicant changed since the last round, for a second look that shows only that.
func Changes(p tenant.Product, rounds []Round, now form.Answers) []form.Change {
	if len(rounds) == 0 {
		return nil
	}
	return p.Form.Diff(rounds[len(rounds)-1].Answers, now)
}
