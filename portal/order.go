package portal

import (
	"context"

	"github.com/google/uuid"

	"certsaas/core/db"
	"certsaas/core/material"
	"certsaas/core/order"
	"certsaas/core/review"
	"certsaas/core/tenant"
)

// placed is an order with everything its pages read beside it.
type placed struct {
	order.Order
	Site    *tenant.Tenant // the release the order was made under
	Item    tenant.Product
	Facts   map[string]string
	Files   map[string]material.File // live picture by field
	Remarks []review.Remark          // of the last verdict, while the order is rejected
}

// open reads an order for a caller who may see it, with what belongs to it. fault.NotFound for everybody else.
func (p *Portal) open(ctx context.Context, tenantID, id uuid.UUID) (placed, error) {
	o, err := p.Orders.Find(ctx, tenantID, id)
	if err != nil {
		return placed{}, err
	}
	return p.dress(ctx, o)
}

// place puts an order beside its release and product.
func (p *Portal) place(ctx context.Context, o order.Order) (w placed, err error) {
	w.Order, w.Files = o, map[string]material.File{}
	if w.Site, err = p.Tenants.At(ctx, o.Tenant, o.Release); err != nil {
		return w, err
	}
	w.Item, _ = w.Site.Product(o.Product)
	return w, nil
}

// dress adds to an order, already shown to be the caller's, what its pages read.
func (p *Portal) dress(ctx context.Context, o order.Order) (placed, error) {
	w, err := p.place(ctx, o)
	if err != nil {
		return w, err
	}
	err = p.DB.ReadTenant(ctx, o.Tenant, func(ctx context.Context, tx *db.Tx) error {
		if w.Facts, err = p.Orders.Facts(ctx, tx, o); err != nil {
			return err
		}
		files, err := p.Materials.List(ctx, tx, o.ID)
		if err != nil {
			return err
		}
		for _, f := range files {
			w.Files[f.Field] = f
		}
		if o.State == order.Rejected {
			w.Remarks, err = p.Reviews.Remarks(ctx, tx, o.ID)
		}
		return err
	})
	return w, err
}

// mobileOf is the full mobile of the caller's account, "" for a visitor.
func (p *Portal) mobileOf(ctx context.Context, tenantID, accountID uuid.UUID) (string, error) {
	if accountID == uuid.Nil {
		return "", nil
	}
	a, err := p.Accounts.Find(ctx, tenantID, accountID)
	return a.Mobile, err
}

// after is where an order leads that was handed in.
func after(o order.Order) string {
	path := "/orders/" + o.ID.String()
	if o.State == order.AwaitingPayment {
		return path + "/pay"
	}
	return path
}
