// Package invoice is the paper trail of an order's money.
//
// In: the applicant's wish (with the order, or after approval) and, from finance, the issued file with its number.
// Out: one live invoice per order, requested only once the money is there and the review has passed; a download for the
// applicant under 已完成订单 (req K3 K29); a message when it is there.
package invoice

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/identifier"
	"certsaas/core/material"
	"certsaas/core/order"
	"certsaas/core/outbox"
	"certsaas/core/rules"
	"certsaas/core/vault"
)

// Messages are the package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// Kinds of invoice (domain §2.1).
const (
	Electronic = "e"     // 电子发票（普通发票）
	Paper      = "paper" // 纸质普通发票, couriered within a month of payment (req B9)
)

// State is where an invoice stands.
type State string

// The states.
const (
	Requested State = "requested" // finance must issue it
	Done      State = "issued"    // issued, its file is here
	Withdrawn State = "withdrawn" // the money went back before it was issued
)

// Header is whom the invoice is made out to.
type Header struct {
	Title string `json:"title"`
	TaxNo string `json:"tax_no"`
	Email string `json:"email"`
}

// Invoice is one invoice of an order.
type Invoice struct {
	Tenant, ID, Order uuid.UUID
	OrderNumber       string
	Product           string // of the order
	Kind              string
	State             State
	Header            Header
	AmountFen         int64
	Number            string
	IssuedOn          *time.Time
	File              uuid.UUID // Nil until issued
	RequestedAt       time.Time
	DueAt, IssuedAt   *time.Time
}

// Deps is what a Service stands on.
type Deps struct {
	DB        *db.DB
	Vault     *vault.Vault
	Orders    *order.Service
	Rules     *rules.Engine
	Authz     *authz.Authorizer
	Materials *material.Service
}

// Service is the use cases of invoices.
type Service struct{ Deps }

// New makes a Service.
func New(d Deps) *Service { return &Service{d} }

// Request asks finance for the invoice an order wants, if it wants one and its time has come: money received and review
// passed. Told by the outbox (order.paid, order.approve, order.keep) and called when the applicant asks after approval. A
// repeated call changes nothing, unless the answers have changed and the invoice is not issued yet: then it follows them.
func (s *Service) Request(ctx context.Context, tenantID, orderID uuid.UUID) error {
	return s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, err := s.Orders.LoadForUpdate(ctx, tx, orderID)
		if err != nil {
			return err
		}
		kind, due, err := s.wanted(ctx, tx, o)
		if err != nil || kind == "" {
			return err
		}
		return s.insert(ctx, tx, o, kind, due)
	})
}

// wanted is the kind of invoice that is due now, "" for none, and the day by which one on paper is sent (req B9).
func (s *Service) wanted(ctx context.Context, tx *db.Tx, o order.Order) (kind string, due *time.Time, err error) {
	if o.PaidAt == nil || o.ReviewedAt == nil || o.TotalFen == 0 || o.State == order.Refunding || o.State == order.Refunded {
		return "", nil, nil
	}
	t, p, err := s.Orders.Product(ctx, o)
	if err != nil {
		return "", nil, err
	}
	facts, err := s.Orders.Facts(ctx, tx, o)
	if err != nil {
		return "", nil, err
	}
	d, err := s.Rules.Invoice(ctx, t.Case(p, o.Answers, facts))
	if err != nil || !d.Wanted {
		return "", nil, err
	}
	if d.Kind == Paper {
		paid := clock.CivilDate(*o.PaidAt, clock.Shanghai).At(0, 0, clock.Shanghai)
		day := paid.AddDate(0, 1, 0)
		if day.Day() != paid.Day() { // 31 January: the last day of February
			day = day.AddDate(0, 0, -day.Day())
		}
		if p.Invoice.PaperDays > 0 {
			day = paid.AddDate(0, 0, p.Invoice.PaperDays)
		}
		due = &day
	}
	return d.Kind, due, nil
}

// insert requests the invoice, or brings a request that is not issued yet in line with the answers.
func (s *Service) insert(ctx context.Context, tx *db.Tx, o order.Order, kind string, due *time.Time) error {
	inv, err := s.Of(ctx, tx, o.ID)
	if err != nil {
		return err
	}
	want := Invoice{ID: db.NewID(), Kind: kind, Header: header(o)}
	action := "invoice.requested"
	if inv != nil {
		if inv.State == Done || (inv.Kind == want.Kind && inv.Header == want.Header) {
			return nil
		}
		want.ID, action = inv.ID, "invoice.changed"
	}
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return err
	}
	plain, err := json.Marshal(want.Header)
	if err != nil {
		return fmt.Errorf("invoice: header: %w", err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO invoices (tenant_id, id, order_id, kind, state, header_sealed, amount_fen, requested_at, due_at)
		VALUES ($1, $2, $3, $4, 'requested', $5, $6, $7, $8)
		ON CONFLICT (tenant_id, id) DO UPDATE SET kind = $4, header_sealed = $5, due_at = $8`,
		tx.Tenant(), want.ID, o.ID, kind, keys.Seal("invoices.header", want.ID, plain), o.TotalFen, tx.Now(), due)
	if err != nil {
		return fmt.Errorf("invoice: insert: %w", err)
	}
	return audit.Record(ctx, tx, audit.Entry{Action: action, Resource: "order/" + o.ID.String(), Detail: map[string]any{"kind": kind}})
}

// header reads whom the invoice is made out to from the answers; the order's own data where nothing else was said.
func header(o order.Order) Header {
	return Header{
		Title: cmp.Or(o.Answers["invoice_title"], o.Organisation()), TaxNo: o.Answers["invoice_tax_no"],
		Email: cmp.Or(o.Answers["invoice_email"], o.Answers["email"]),
	}
}

// numbers: 20 digits of a 数电票, or of an older one 12 (code) and 8 (number) together, or the 8 alone (domain §2.1).
var numbers = regexp.MustCompile(`^(\d{20}|\d{8})$`)

// Issue is what finance types with the file.
type Issue struct {
	Number   string
	IssuedOn string // 2006-01-02
	File     []byte // PDF, OFD or XML, stored as it is
}

// Upload stores an issued invoice. Errors: fault.Invalid at "number" (form or used already), "issued_on", "file";
// fault.Conflict when none is requested or its money may go back.
func (s *Service) Upload(ctx context.Context, tenantID, orderID uuid.UUID, in Issue) error {
	number := identifier.Normalise(in.Number)
	var fields []fault.Field
	if !numbers.MatchString(number) {
		fields = append(fields, fault.At("number", "invoice.number"))
	}
	day, err := clock.ParseDate(in.IssuedOn)
	if err != nil {
		fields = append(fields, fault.At("issued_on", "invoice.date"))
	}
	if len(in.File) == 0 {
		fields = append(fields, fault.At("file", "invoice.file"))
	}
	if len(fields) > 0 {
		return fault.InvalidFields(fields...)
	}
	_, err = s.Materials.Attach(ctx, tenantID, orderID, in.File, func(ctx context.Context, tx *db.Tx, f material.File) error {
		return s.record(ctx, tx, orderID, f, number, day)
	})
	return err
}

func (s *Service) record(ctx context.Context, tx *db.Tx, orderID uuid.UUID, f material.File, number string, day clock.Date) error {
	if day.After(clock.CivilDate(tx.Now(), clock.Shanghai)) {
		return fault.InvalidFields(fault.At("issued_on", "invoice.future"))
	}
	o, err := s.Orders.Load(ctx, tx, orderID)
	if err != nil {
		return err
	}
	if o.State == order.Refunding || o.State == order.Refunded {
		return fault.New(fault.Conflict, "invoice.refunding")
	}
	var used bool
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM invoices WHERE tenant_id = $1 AND number = $2 AND order_id <> $3)`, tx.Tenant(), number, orderID).Scan(&used)
	if err != nil {
		return fmt.Errorf("invoice: number: %w", err)
	}
	if used {
		return fault.InvalidFields(fault.At("number", "invoice.number_used"))
	}
	var id uuid.UUID
	err = tx.QueryRow(ctx, `UPDATE invoices SET state = 'issued', number = $3, issued_on = $4, file_id = $5, issued_at = $6, issued_by = $7
		WHERE tenant_id = $1 AND order_id = $2 AND state = 'requested' RETURNING id`,
		tx.Tenant(), orderID, number, day.At(0, 0, time.UTC), f.ID, tx.Now(), authz.From(ctx).ID).Scan(&id)
	if errors.Is(err, db.ErrNoRows) {
		return fault.New(fault.Conflict, "invoice.not_requested")
	}
	if err != nil {
		return fmt.Errorf("invoice: issue: %w", err)
	}
	if err := outbox.Enqueue(ctx, tx, outbox.Event{Kind: "order.invoice_issued", Ref: orderID}); err != nil {
		return err
	}
	return audit.Record(ctx, tx, audit.Entry{Action: "invoice.issued", Resource: "order/" + orderID.String(), Detail: map[string]any{"number": number}})
}

const columns = `i.tenant_id, i.id, i.order_id, o.number, o.product, i.kind, i.state, i.header_sealed, i.amount_fen, coalesce(i.number, ''), i.issued_on,
	i.file_id, i.requested_at, i.due_at, i.issued_at`

// Of is the live invoice of an order; nil when there is none.
func (s *Service) Of(ctx context.Context, tx *db.Tx, orderID uuid.UUID) (*Invoice, error) {
	list, err := s.query(ctx, tx, `i.tenant_id = $1 AND i.order_id = $2 AND i.state <> 'withdrawn'`, tx.Tenant(), orderID)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return &list[0], nil
}

// Pending lists the invoices finance must issue, across tenants, those due first; for one who serves a single tenant, that
// tenant's. An order whose money may go back waits for the decision.
func (s *Service) Pending(ctx context.Context) ([]Invoice, error) {
	only := authz.From(ctx).Tenant
	if err := s.Authz.CheckRoute(ctx, authz.InvoiceUpload, only); err != nil {
		return nil, err
	}
	var list []Invoice
	err := s.DB.WithSystem(ctx, "console/invoices", func(ctx context.Context, tx *db.Tx) (err error) {
		list, err = s.query(ctx, tx, `i.state = 'requested' AND o.state NOT IN ('refunding', 'refunded') AND ($1 OR i.tenant_id = $2)`, only == uuid.Nil, only)
		return err
	})
	return list, err
}

func (s *Service) query(ctx context.Context, tx *db.Tx, where string, args ...any) ([]Invoice, error) {
	rows, err := tx.Query(ctx, `SELECT `+columns+` FROM invoices i JOIN orders o ON o.tenant_id = i.tenant_id AND o.id = i.order_id
		WHERE `+where+` ORDER BY i.due_at NULLS LAST, i.requested_at LIMIT 500`, args...)
	if err != nil {
		return nil, fmt.Errorf("invoice: list: %w", err)
	}
	type row struct {
		inv    Invoice
		sealed []byte
	}
	found, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (row, error) {
		var x row
		var file *uuid.UUID
		err := r.Scan(&x.inv.Tenant, &x.inv.ID, &x.inv.Order, &x.inv.OrderNumber, &x.inv.Product, &x.inv.Kind, &x.inv.State, &x.sealed, &x.inv.AmountFen,
			&x.inv.Number, &x.inv.IssuedOn, &file, &x.inv.RequestedAt, &x.inv.DueAt, &x.inv.IssuedAt)
		if file != nil {
			x.inv.File = *file
		}
		return x, err
	})
	if err != nil {
		return nil, fmt.Errorf("invoice: list: %w", err)
	}
	list := make([]Invoice, 0, len(found))
	for _, x := range found {
		keys, err := s.Vault.Keys(ctx, tx, x.inv.Tenant)
		if err != nil {
			return nil, err
		}
		plain, err := keys.Open("invoices.header", x.inv.ID, x.sealed)
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(plain, &x.inv.Header); err != nil {
			return nil, fmt.Errorf("invoice: header: %w", err)
		}
		list = append(list, x.inv)
	}
	return list, nil
}

// Withdraw takes back a request whose money went back, told by the outbox (order.refunded); called again it does nothing.
// An issued invoice needs a red one by hand and stays.
func (s *Service) Withdraw(ctx context.Context, tenantID, orderID uuid.UUID) error {
	return s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		tag, err := tx.Exec(ctx, `UPDATE invoices SET state = 'withdrawn' WHERE tenant_id = $1 AND order_id = $2 AND state = 'requested'`, tx.Tenant(), orderID)
		if err != nil {
			return fmt.Errorf("invoice: withdraw: %w", err)
		}
		if tag.RowsAffected() == 0 {
			return nil
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "invoice.withdrawn", Resource: "order/" + orderID.String()})
	})
}
