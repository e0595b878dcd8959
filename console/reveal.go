package console

import (
	"context"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/order"
	"certsaas/core/review"
	"certsaas/core/web"
)

// reveal shows one masked value to somebody who says why; the look is part of the audit trail.
func (k *Console) reveal(c *fiber.Ctx) error {
	d, err := k.open(c)
	if err != nil {
		return err
	}
	fd, ok := d.Item.Form.Field(c.Params("field"))
	if !ok || !d.Visible[fd.Key] || fd.IsFile() {
		return fault.New(fault.NotFound, "web.not_found")
	}
	if err := k.Authz.Check(c.UserContext(), authz.OrderReveal, d.Resource(nil)); err != nil {
		return err
	}
	reason := c.FormValue("why")
	if !slices.Contains(revealReasons, reason) {
		return fault.InvalidFields(fault.At("why", "console.reveal.why_missing"))
	}
	err = k.inTenant(c.UserContext(), d.Tenant, func(ctx context.Context, tx *db.Tx) error {
		return audit.Record(ctx, tx, audit.Entry{Action: "order.reveal", Resource: "order/" + d.ID.String(), Detail: map[string]any{"field": fd.Key, "why": reason}})
	})
	if err != nil {
		return err
	}
	if web.Partial(c) {
		return c.JSON(fiber.Map{"value": d.Answers[fd.Key]})
	}
	d.Shown[fd.Key] = true
	if d.Order.State != order.InReview {
		return k.renderOrder(c, d)
	}
	v, err := k.reviewView(c, d, review.Verdict{})
	if err != nil {
		return err
	}
	return k.renderReview(c, fiber.StatusOK, v)
}

// revealReasons are the reasons for looking at personal data; their words are console.reveal.<reason>.
var revealReasons = []string{"document", "contact", "complaint"}

// file hands out a picture or paper of an order; who looked is part of the audit trail.
func (k *Console) file(c *fiber.Ctx) error {
	t, id, err := k.place(c, "id", "order.not_found")
	if err != nil {
		return err
	}
	f, data, err := k.Materials.Open(c.UserContext(), t.ID(), id)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, f.MediaType)
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; sandbox; frame-ancestors 'none'")
	if !strings.HasPrefix(f.MediaType, "image/") {
		c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+f.Name(f.Order.String())+`"`)
	}
	return c.Send(data)
}
