package db

import (
	"context"
	"embed"
	"errors"
	"net"

	"certsaas/core/fault"

	"github.com/jackc/pgx/v5/pgconn"
)

// Messages holds the sentences of this package's faults.
//
//go:embed messages.*.toml
var Messages embed.FS

// sentence is what a broken constraint means to whoever broke it.
type sentence struct {
	kind fault.Kind
	id   string
}

// constraints maps a constraint's name to its fault. Names are API: <table>_<rule>_{key,check,fkey}. A package whose users can
// break a rule of the database adds its line here. A unique key without a line is a neutral conflict; any other constraint
// without one is a bug of ours, and stays internal.
var constraints = map[string]sentence{
	"accounts_mobile_key":       {fault.Conflict, "db.duplicate"},
	"orders_number_key":         {fault.Conflict, "db.duplicate"},
	"issuance_intents_open_key": {fault.Conflict, "db.busy"},
	"certificates_live_key":     {fault.Conflict, "db.duplicate"},
	"shipments_order_key":       {fault.Conflict, "db.duplicate"},
	"vouchers_bank_txn_key":     {fault.Conflict, "payment.bank_line_used"},
}

// Fault gives a database error its kind: broken constraints by the table above, time-outs and lost connections as
// fault.Unavailable, a refused lock as fault.Conflict, text that is none as fault.Invalid. Errors that already have a kind, ErrNoRows and bugs pass unchanged. The
// cause stays in the chain; it holds no values of other tenants.
func Fault(err error) error {
	if err == nil || fault.From(err) != nil {
		return err
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pgFault(pg, err)
	}
	var connect *pgconn.ConnectError
	var netErr net.Error
	if errors.As(err, &connect) || errors.As(err, &netErr) || errors.Is(err, context.DeadlineExceeded) || pgconn.SafeToRetry(err) {
		return fault.Wrap(fault.Unavailable, "db.unavailable", err)
	}
	return err
}

func pgFault(pg *pgconn.PgError, err error) error {
	if s, ok := constraints[pg.ConstraintName]; ok && pg.ConstraintName != "" {
		return fault.Wrap(s.kind, s.id, err)
	}
	switch {
	case pg.Code == "23505": // unique_violation
		return fault.Wrap(fault.Conflict, "db.duplicate", err)
	case pg.Code == "55P03": // lock_not_available
		return fault.Wrap(fault.Conflict, "db.busy", err)
	case pg.Code == "22021": // character_not_in_repertoire: NUL, or bytes that are no UTF-8, got as far as here
		return fault.Wrap(fault.Invalid, "db.text", err)
	case pg.Code == "57014", // query_canceled: statement_timeout
		pg.Code == "25P03",                     // idle_in_transaction_session_timeout
		pg.Code == "40001", pg.Code == "40P01", // still colliding after all attempts
		pg.Code[:2] == "08", pg.Code[:2] == "53", // connection exceptions, insufficient resources
		pg.Code == "57P01", pg.Code == "57P02", pg.Code == "57P03": // shutting down, crashed, starting up
		return fault.Wrap(fault.Unavailable, "db.unavailable", err)
	}
	return err
}
