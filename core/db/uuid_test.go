package db_test

import (
	"context"
	"testing"

	"certsaas/core/coretest"
	"certsaas/core/db"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// Ids go to PostgreSQL and come back: alone, none, as a pointer, in an array, to text and from it.
func TestIDs(t *testing.T) {
	t.Parallel()
	d := coretest.DB(t)
	id, other := db.NewID(), db.NewID()
	err := d.WithTenant(t.Context(), id, func(ctx context.Context, tx *db.Tx) error {
		var got, none, missing uuid.UUID
		none = other
		var text string
		var maybe, absent *uuid.UUID
		var list []uuid.UUID
		row := tx.QueryRow(ctx, `SELECT $1::uuid, NULL::uuid, $1::uuid::text, $2::uuid, $3::uuid, $4::uuid[], $5::uuid, $6::text::uuid`,
			id, &other, absent, []uuid.UUID{id, other}, uuid.Nil, id.String())
		var fromText uuid.UUID
		if err := row.Scan(&got, &none, &text, &maybe, &absent, &list, &missing, &fromText); err != nil {
			return err
		}
		if got != id || none != uuid.Nil || text != id.String() || maybe == nil || *maybe != other || absent != nil || missing != uuid.Nil || fromText != id {
			t.Errorf("%v %v %q %v %v %v %v", got, none, text, maybe, absent, missing, fromText)
		}
		if d := cmp.Diff([]uuid.UUID{id, other}, list); d != "" {
			t.Error(d)
		}
		return tx.QueryRow(ctx, `SELECT $1 = ANY($2)`, id, []uuid.UUID{other, id}).Scan(new(bool))
	})
	if err != nil {
		t.Fatal(err)
	}
}
