package db_test

import (
	"context"
	"errors"
	"io"
	"testing"

	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"
)

// A transaction that loses its connection is the database's absence, whatever the driver calls it, and the next one is
// served by a new connection (reliability F2). A function's own end of input is not.
func TestLostConnection(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	tenant := db.NewID()
	err := d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error {
		_, err := tx.Exec(ctx, `SELECT pg_terminate_backend(pg_backend_pid())`)
		if err == nil {
			t.Error("the connection outlived its end")
		}
		return io.ErrUnexpectedEOF // as the driver says when the server's process was killed
	})
	if !errors.Is(err, fault.Unavailable) || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a lost connection: %v", err)
	}
	err = d.WithTenant(t.Context(), tenant, func(context.Context, *db.Tx) error { return io.ErrUnexpectedEOF })
	if errors.Is(err, fault.Unavailable) {
		t.Errorf("a file that ends early: %v", err)
	}
	if err := d.WithTenant(t.Context(), tenant, func(ctx context.Context, tx *db.Tx) error { return addCounter(ctx, tx, tenant, "kept") }); err != nil {
		t.Errorf("the next transaction: %v", err)
	}
}
