package console

import (
	"context"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/delivery"
	"certsaas/core/invoice"
	"certsaas/core/order"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

func (k *Console) shippingRoutes() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/orders/:tenant/:id/shipping", Action: authz.ShipmentCreate, Handler: k.showShipping},
		{Method: "POST", Path: "/orders/:tenant/:id/shipping", Action: authz.ShipmentCreate, Handler: k.ship},
	}
}

// shippingView is the desk of one shipment: whom to, by whom, under which number.
type shippingView struct {
	*dossier
	Purpose   string // delivery.Key or delivery.Invoice; "" when nothing is to be sent now
	Consignee delivery.Consignee
	Options   []ui.Option // carriers of the product
	Carrier   string      // chosen
	Choice    string      // what the applicant chose, in words
	Pickup    bool        // a hand-over at the counter is on offer
	Waybill   string
	Ask       bool // the number looks unlike the carrier's: ask
	Confirmed bool
	DueTone   ui.Tone
	Due       string
}

// showShipping shows the desk; the consignee stands in full on it, which the audit trail notes.
func (k *Console) showShipping(c *fiber.Ctx) error {
	d, err := k.open(c)
	if err != nil {
		return err
	}
	v := k.shippingView(c, d)
	if v.Purpose != "" {
		err := k.inTenant(c.UserContext(), d.Tenant, func(ctx context.Context, tx *db.Tx) error {
			return audit.Record(ctx, tx, audit.Entry{Action: "order.consignee", Resource: "order/" + d.ID.String(), Detail: map[string]any{"purpose": v.Purpose}})
		})
		if err != nil {
			return err
		}
	}
	return k.renderShipping(c, v, nil)
}

func (k *Console) shippingView(c *fiber.Ctx, d *dossier) *shippingView {
	v := &shippingView{dossier: d, Purpose: purpose(d), Waybill: c.FormValue("waybill"), Confirmed: c.FormValue("confirm") != ""}
	who, way := delivery.Address(d.Order, d.Item)
	if v.Purpose != "" {
		v.Consignee = who
	}
	v.Choice = way.Label.In(d.Locale)
	v.Carrier = firstOf(c.FormValue("carrier"), way.Carrier)
	seen := map[string]bool{}
	for _, op := range d.Item.Delivery.Options {
		if seen[op.Carrier] {
			continue
		}
		seen[op.Carrier] = true
		v.Options = append(v.Options, ui.Option{Value: op.Carrier, Label: web.Printer(c).T("delivery.carrier." + op.Carrier)})
		v.Pickup = v.Pickup || op.Carrier == delivery.Pickup
	}
	if v.Carrier == "" && len(v.Options) == 1 {
		v.Carrier = v.Options[0].Value
	}
	v.DueTone, v.Due = k.due(web.Printer(c), d)
	return v
}

// purpose is what of an order must be sent now: its keys, or a paper invoice that was issued and not sent yet.
func purpose(d *dossier) string {
	if d.Order.State == order.ToDeliver {
		return delivery.Key
	}
	if d.Invoice == nil || d.Invoice.Kind != invoice.Paper || d.Invoice.State != invoice.Done {
		return ""
	}
	for _, s := range d.Ships {
		if s.Purpose == delivery.Invoice && s.Direction == delivery.Out {
			return ""
		}
	}
	return delivery.Invoice
}

func (k *Console) renderShipping(c *fiber.Ctx, v *shippingView, problem error) error {
	from := sentFrom(v.Purpose)
	f, err := k.frame(c, v.Number+dot+v.Name, from.Href)
	if err != nil {
		return err
	}
	f.Actions = mark(v.House)
	f.Crumbs = []ui.Link{{Label: web.Printer(c).T("console.desk." + from.Key), Href: from.Href}}
	if problem == nil {
		return web.Render(c, fiber.StatusOK, shippingPage(f, v))
	}
	for _, e := range web.FormErrors(problem, web.Printer(c)) {
		v.Ask = v.Ask || e.Name == "confirm"
	}
	return web.Retry(c, problem, shippingPage(f, v))
}

// ship records a shipment or a hand-over.
func (k *Console) ship(c *fiber.Ctx) error {
	d, err := k.open(c)
	if err != nil {
		return err
	}
	v := k.shippingView(c, d)
	version, _ := strconv.Atoi(c.FormValue("version"))
	sent, err := k.Delivery.Ship(c.UserContext(), d.Tenant, d.ID, delivery.Dispatch{
		Version: version, Purpose: c.FormValue("purpose"), Carrier: v.Carrier, Waybill: v.Waybill, Confirmed: v.Confirmed,
	})
	if err != nil {
		return k.renderShipping(c, v, err)
	}
	web.Flash(c, ui.Good, "console.shipping.sent", "Number", d.Number, "Waybill", sent.Waybill)
	return web.Redirect(c, sentFrom(sent.Purpose).Href)
}

// sentFrom is the desk that what is sent comes from: paper invoices have one of their own.
func sentFrom(purpose string) desk {
	key := "shipping"
	if purpose == delivery.Invoice {
		key = "paper"
	}
	d, _ := deskByKey(key)
	return d
}
