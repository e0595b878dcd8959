package console

import (
	"context"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/db"
	"certsaas/core/order"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// twin is another order with the same company, dealer number, key or picture.
type twin struct {
	Why, Number, Href, State string
	Tone                     ui.Tone
}

// twins finds orders of the tenant that share company, code, dealer number or key with this one.
func (k *Console) twins(c *fiber.Ctx, d *dossier) ([]twin, error) {
	var out []twin
	dealer := order.Filter{Dealer: d.Answers["dealer_code"]}
	looks := []struct {
		why  string
		ask  bool
		f    order.Filter
		keep func(order.Order) bool
	}{
		{"company", company(d.Order) == d.Organisation() && d.Organisation() != "", order.Filter{Org: d.Organisation()}, nil},
		{"code", d.Code() != "", order.Filter{Code: d.Code()}, func(o order.Order) bool { return o.Organisation() != d.Organisation() }},
		{"dealer", dealer.Dealer != "", dealer, func(o order.Order) bool { return o.Code() != d.Code() }},
		{"key", d.OldCertificate != uuid.Nil, order.Filter{OldCert: d.OldCertificate}, nil},
		{"token", d.Answers["key_serial"] != "", order.Filter{Token: d.Answers["key_serial"]}, nil},
	}
	for _, l := range looks {
		if !l.ask {
			continue
		}
		l.f.Tenant, l.f.Limit = d.Tenant, 6
		list, _, err := k.Orders.Queue(c.UserContext(), l.f)
		if err != nil {
			return nil, err
		}
		for _, o := range list {
			if o.ID == d.ID || o.State == order.Draft || (l.keep != nil && !l.keep(o)) {
				continue
			}
			out = append(out, twin{Why: "console.twin." + l.why, Number: o.Number, Href: orderPath(d.House.Slug, o.ID, ""),
				State: web.Printer(c).T("order.state." + string(o.State)), Tone: stateTone(o.State)})
		}
	}
	return out, nil
}

// twinsShown is how many orders with the same picture a desk lists.
const twinsShown = 12

// samePictures finds this order's pictures in other orders, or at another field of its own.
func (k *Console) samePictures(ctx context.Context, tx *db.Tx, c *fiber.Ctx, d *dossier) ([]twin, error) {
	var out []twin
	for _, f := range d.Files {
		found, err := k.Materials.Same(ctx, tx, f)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			if len(out) == twinsShown {
				return out, nil
			}
			id := "console.twin.similar"
			if m.Exact {
				id = "console.twin.picture"
			}
			fd, _ := d.Item.Form.Field(f.Field)
			out = append(out, twin{Why: id, Number: m.Number, Href: orderPath(d.House.Slug, m.Order, ""), State: fd.Label.In(d.Locale), Tone: ui.Warn})
		}
	}
	return out, nil
}
