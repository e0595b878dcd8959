package console

import (
	"context"
	"slices"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/db"
	"certsaas/core/i18n"
	"certsaas/core/order"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// twin is another order that shares something with this one: company, dealer number, key or pictures.
type twin struct {
	Number, Href, State string // State is "" where only a picture was met and nobody looked
	Tone                ui.Tone
	Whys                []string
}

// alike adds what another order shares to its line, or begins a line.
func alike(list []twin, t twin) []twin {
	i := slices.IndexFunc(list, func(x twin) bool { return x.Href == t.Href })
	if i < 0 {
		return append(list, t)
	}
	list[i].Whys = append(list[i].Whys, t.Whys...)
	return list
}

// twins adds the orders of the tenant that share company, code, dealer number or key with this one.
func (k *Console) twins(c *fiber.Ctx, v *reviewView) error {
	d, p := v.dossier, web.Printer(c)
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
			return err
		}
		for _, o := range list {
			if o.ID == d.ID || o.State == order.Draft || (l.keep != nil && !l.keep(o)) {
				continue
			}
			v.Twins = alike(v.Twins, twin{Number: o.Number, Href: orderPath(d.House.Slug, o.ID, ""), State: p.T("order.state." + string(o.State)), Tone: stateTone(o.State),
				Whys: []string{p.T("console.twin." + l.why)}})
		}
	}
	return nil
}

// twinsShown is how many meetings with the same picture a desk lists.
const twinsShown = 12

// samePictures adds where this order's pictures are met in other orders, or at another field of its own. What orders share
// otherwise says more and stands before it.
func (k *Console) samePictures(ctx context.Context, tx *db.Tx, v *reviewView, p i18n.Printer) error {
	d, n := v.dossier, 0
	for _, f := range d.Files {
		found, err := k.Materials.Same(ctx, tx, f)
		if err != nil {
			return err
		}
		for _, m := range found {
			if n++; n > twinsShown {
				return nil
			}
			id := "console.twin.similar"
			if m.Exact {
				id = "console.twin.picture"
			}
			fd, _ := d.Item.Form.Field(f.Field)
			v.Twins = alike(v.Twins, twin{Number: m.Number, Href: orderPath(d.House.Slug, m.Order, ""), Tone: ui.Warn, Whys: []string{p.T(id, "Field", fd.Label.In(d.Locale))}})
		}
	}
	return nil
}
