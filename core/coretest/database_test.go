package coretest_test

import (
	"context"
	"testing"

	"certsaas/core/coretest"
	"certsaas/core/db"
)

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	one, two := coretest.DB(t), coretest.DB(t)
	coretest.OwnerExec(t, one, "INSERT INTO tenants (id, slug, created_at) VALUES ($1, 'byd', now())", db.NewID())
	for d, want := range map[*db.DB]int{one: 1, two: 0} {
		var role string
		var n int
		err := d.WithSystem(t.Context(), "test", func(ctx context.Context, tx *db.Tx) error {
			return tx.QueryRow(ctx, "SELECT current_user, count(*) FROM tenants").Scan(&role, &n)
		})
		if err != nil || n != want || role != db.RoleSystem {
			t.Errorf("as %s: %d tenants, %v; want %d", role, n, err, want)
		}
	}
}
