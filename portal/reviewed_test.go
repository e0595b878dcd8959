package portal_test

import (
	"context"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/order"
	"certsaas/core/review"
)

// paidAndRejected takes an order through payment to a refusal, as gateway and reviewer would.
func (w *world) paidAndRejected(o order.Order, reasons map[string]string) {
	w.T.Helper()
	sys := authz.WithPrincipal(w.T.Context(), authz.System("payment/notify"))
	err := w.DB.WithTenant(sys, o.Tenant, func(ctx context.Context, tx *db.Tx) error {
		locked, err := w.Orders.LoadForUpdate(ctx, tx, o.ID)
		if err != nil {
			return err
		}
		o = locked
		return w.Orders.Advance(ctx, tx, &o, order.Paid, nil)
	})
	if err != nil {
		w.T.Fatal(err)
	}
	var remarks []review.Remark
	for field, why := range reasons {
		remarks = append(remarks, review.Remark{Target: field, Reason: why})
	}
	reviewer := authz.WithPrincipal(w.T.Context(), authz.Principal{Kind: authz.Staff, ID: db.NewID(), Name: "审核员", Roles: []string{"reviewer"}})
	if _, err := w.Reviews.Decide(reviewer, o.Tenant, o.ID, review.Verdict{Version: o.Version, Remarks: remarks}); err != nil {
		w.T.Fatal(err)
	}
}
