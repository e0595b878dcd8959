package reminder

import (
	"context"
	"log/slog"
	"strings"

	"certsaas/core/db"
	"certsaas/core/form"
	"certsaas/core/material"
	"certsaas/core/order"
	"certsaas/core/tenant"
)

// opening is an order that was opened just now, and the one whose answers it took over. Zero when none was.
type opening struct {
	order   order.Order
	product tenant.Product
	last    *order.Order
}

// documents takes over the pictures of last time that the product lets stand: young enough, asked for again, and given by a
// person; what was taken over once is asked anew the next time, and so is every letter. A picture that cannot be taken over
// is asked for, so nothing depends on this.
func (s *Service) documents(ctx context.Context, made opening) {
	if s.Materials == nil || made.last == nil || made.product.Window.DocumentsMonths == 0 {
		return
	}
	var files []material.File
	err := s.DB.WithTenant(ctx, made.order.Tenant, func(ctx context.Context, tx *db.Tx) error {
		list, err := s.Materials.List(ctx, tx, made.last.ID)
		if err != nil {
			return err
		}
		facts, err := s.Orders.Facts(ctx, tx, made.order)
		if err != nil {
			return err
		}
		files = nil
		visible := made.product.FormAt("order").Visible(made.order.Answers, facts)
		youngest := tx.Now().AddDate(0, -made.product.Window.DocumentsMonths, 0)
		for _, f := range list {
			fd, asked := made.product.Form.Field(f.Field)
			if asked && visible[f.Field] && fd.IsFile() && fd.Type != form.Letter && !f.CreatedAt.Before(youngest) && !strings.HasPrefix(f.UploadedBy, "system/") {
				files = append(files, f)
			}
		}
		return nil
	})
	for _, f := range files {
		var data []byte
		if _, data, err = s.Materials.Open(ctx, f.Tenant, f.ID); err == nil {
			_, err = s.Materials.Upload(ctx, f.Tenant, made.order.ID, f.Field, f.Name(made.last.Number), data)
		}
		if err != nil {
			break
		}
	}
	if err != nil {
		slog.WarnContext(ctx, "documents of last time are asked for anew", "order", made.order.ID, "error", err)
	}
}
