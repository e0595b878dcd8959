package portal

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/delivery"
	"certsaas/core/fault"
	"certsaas/core/invoice"
	"certsaas/core/issuance"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// history is everything of an order that its page shows besides the order itself.
type history struct {
	placed
	Desk      payment.Desk
	Line      []order.TimelineEntry
	Items     []order.Item
	Certs     []issuance.Certificate
	Shipments []delivery.Shipment
	Invoice   *invoice.Invoice
	Letter    bool // these answers need a letter
}

// history reads an order for its owner.
func (p *Portal) history(c *fiber.Ctx) (history, error) {
	ctx := c.UserContext()
	w, err := p.open(ctx, web.SiteOf(c).Tenant, orderID(c))
	if err != nil {
		return history{}, err
	}
	h := history{placed: w}
	if h.Desk, err = p.Payments.Desk(ctx, w.Tenant, w.ID); err != nil {
		return h, err
	}
	err = p.DB.WithTenant(ctx, w.Tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		if h.Line, err = p.Orders.Timeline(ctx, tx, w.ID); err != nil {
			return err
		}
		if h.Items, err = order.Items(ctx, tx, w.ID); err != nil {
			return err
		}
		if h.Certs, err = p.Issuance.Of(ctx, tx, w.ID); err != nil {
			return err
		}
		if h.Shipments, err = p.Delivery.List(ctx, tx, w.ID); err != nil {
			return err
		}
		if h.Invoice, err = p.Invoices.Of(ctx, tx, w.ID); err != nil {
			return err
		}
		_, h.Letter, err = p.Letters.Needed(ctx, tx, w.Order)
		return err
	})
	return h, err
}

// live is the certificate of an item that counts: in use, or signed and on its way into the key.
func (h history) live(it order.Item) *issuance.Certificate {
	for i := range h.Certs {
		if x := &h.Certs[i]; x.Item == it.ID && (x.State == issuance.Active || x.State == issuance.Issued) {
			return x
		}
	}
	return nil
}

// openItem is the first key that still waits for its certificate.
func (h history) openItem() (order.Item, bool) {
	for _, it := range h.Items {
		if it.State == order.ItemWaiting || it.State == order.ItemIssued {
			return it, true
		}
	}
	return order.Item{}, false
}

// may asks for the owner's right and whether the order's life knows the event now.
func (h history) may(ev order.Event) bool {
	f := order.Facts{Paid: h.PaidAt != nil && h.TotalFen > 0, Reviewed: h.ReviewedAt != nil, Fulfilment: h.Item.Fulfilment}
	for _, it := range h.Items {
		f.Issued = f.Issued || it.State == order.ItemIssued || it.State == order.ItemDone
	}
	for _, e := range order.Edges() {
		if e.From == h.State && e.Event == ev && e.Guard.Holds(f) {
			return true
		}
	}
	return false
}

// showOrder is one order: what to do next on top, what happened, and everything else folded.
func (p *Portal) showOrder(c *fiber.Ctx) error {
	h, err := p.history(c)
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, orderPage(p.orderView(c, h)))
}

// cancelOrder ends an unpaid order.
func (p *Portal) cancelOrder(c *fiber.Ctx) error {
	o, err := p.Orders.Cancel(c.UserContext(), web.SiteOf(c).Tenant, orderID(c))
	if fault.From(err) != nil && fault.From(err).Kind == fault.Conflict {
		web.Flash(c, ui.Warn, "order.not_now")
		return web.Redirect(c, "/orders/"+c.Params("id"))
	}
	if err != nil {
		return err
	}
	return web.Redirect(c, orderURL(o))
}

// requestRefund asks for a paid order's money back.
func (p *Portal) requestRefund(c *fiber.Ctx) error {
	h, err := p.history(c)
	if err != nil {
		return err
	}
	if _, err := p.Payments.RequestRefund(c.UserContext(), h.Tenant, h.ID, c.FormValue("reason")); err != nil {
		return web.Retry(c, err, orderPage(p.orderView(c, h)))
	}
	web.Flash(c, ui.Good, "after.refund.asked")
	return web.Redirect(c, orderURL(h.Order))
}

// downloadInvoice hands out the issued invoice as it is (req K29).
func (p *Portal) downloadInvoice(c *fiber.Ctx) error {
	h, err := p.history(c)
	if err != nil {
		return err
	}
	if err := p.Authz.Check(c.UserContext(), authz.InvoiceDownload, h.ResourceFor(c.UserContext())); err != nil {
		return err
	}
	if h.Invoice == nil || h.Invoice.State != invoice.Done {
		return fault.New(fault.NotFound, "after.no_invoice")
	}
	f, body, err := p.Materials.Open(c.UserContext(), h.Tenant, h.Invoice.File)
	if err != nil {
		return err
	}
	return download(c, f.Name(h.Number), f.MediaType, body)
}

// downloadCertificate hands out one certificate of the order, DER in a .cer file.
func (p *Portal) downloadCertificate(c *fiber.Ctx) error {
	h, err := p.history(c)
	if err != nil {
		return err
	}
	for _, x := range h.Certs {
		if x.ID.String() == c.Params("cert") {
			return download(c, x.Certificate.Serial()+".cer", "application/pkix-cert", x.Certificate.DER())
		}
	}
	return fault.New(fault.NotFound, "web.not_found")
}

// download sends a file to keep. name is ours, plain ASCII.
func download(c *fiber.Ctx, name, kind string, body []byte) error {
	c.Attachment(name)
	c.Set(fiber.HeaderContentType, kind)
	return c.Send(body)
}
