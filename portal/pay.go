package portal

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// paying is one order on its payment page.
type paying struct {
	w    placed
	desk payment.Desk
	url  string // "/orders/<id>/pay"
}

// paying reads the order of a payment page.
func (p *Portal) paying(c *fiber.Ctx) (paying, error) {
	w, err := p.open(c.UserContext(), web.SiteOf(c).Tenant, orderID(c))
	if err != nil {
		return paying{}, err
	}
	d, err := p.Payments.Desk(c.UserContext(), w.Tenant, w.ID)
	if err != nil {
		return paying{}, err
	}
	w.Order = d.Order // read with the attempts: a payment that arrives meanwhile must not leave a page that asks for it again
	return paying{w: w, desk: d, url: orderURL(w.Order) + "/pay"}, nil
}

// due tells whether there is something to pay now. A product whose enterprise pays, and one that is reviewed first, has
// no payment page before its time.
func (x paying) due() bool { return x.w.State == order.AwaitingPayment && len(x.desk.Methods) > 0 }

// online lists the channels that are paid by a code.
func (x paying) online() []string {
	return slices.DeleteFunc(slices.Clone(x.desk.Methods), func(m string) bool { return m == payment.BankTransfer })
}

// elsewhere is where a payment page leads when nothing is due.
func elsewhere(w placed) string {
	if w.State == order.PaymentCheck || w.State == order.InReview && w.PaidAt != nil {
		return orderURL(w.Order) + "/paid"
	}
	return orderURL(w.Order)
}

// showPay is the payment page: choose a channel, or scan the code that was asked for (req B46–B48 K37).
func (p *Portal) showPay(c *fiber.Ctx) error {
	x, err := p.paying(c)
	if err != nil {
		return err
	}
	if !x.due() {
		return web.Redirect(c, elsewhere(x.w))
	}
	if len(x.online()) == 0 {
		return web.Redirect(c, x.url+"/transfer")
	}
	return web.Render(c, fiber.StatusOK, payPage(p.payView(c, x)))
}

// beginPay asks the chosen channel for a code.
func (p *Portal) beginPay(c *fiber.Ctx) error {
	x, err := p.paying(c)
	if err != nil {
		return err
	}
	if !x.due() {
		return web.Redirect(c, elsewhere(x.w))
	}
	made, err := p.Payments.Begin(c.UserContext(), x.w.Tenant, x.w.ID, c.FormValue("channel"))
	switch {
	case errors.Is(err, fault.Unavailable):
		web.Flash(c, ui.Warn, "payment.gateway_away")
		return web.Redirect(c, x.url+"?choose=1")
	case err != nil:
		return web.Retry(c, err, payPage(p.payView(c, x)))
	case made.State == payment.Paid:
		return web.Redirect(c, orderURL(x.w.Order)+"/paid")
	}
	return web.Redirect(c, x.url)
}

// payStatus answers the page's poll: nothing new, or where to go on.
func (p *Portal) payStatus(c *fiber.Ctx) error {
	x, err := p.paying(c)
	if err != nil {
		return err
	}
	switch {
	case !x.due():
		c.Set("X-Location", elsewhere(x.w))
	case x.desk.Attempt == nil:
		c.Set("X-Location", x.url+"?lapsed=1")
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// checkPay is 我已支付: it asks the gateway at once.
func (p *Portal) checkPay(c *fiber.Ctx) error {
	w, err := p.open(c.UserContext(), web.SiteOf(c).Tenant, orderID(c))
	if err != nil {
		return err
	}
	d, err := p.Payments.Check(c.UserContext(), w.Tenant, w.ID)
	if err != nil && !errors.Is(err, fault.Unavailable) {
		return err
	}
	if d.Paid != nil {
		return web.Redirect(c, orderURL(w.Order)+"/paid")
	}
	if err != nil {
		web.Flash(c, ui.Warn, "payment.gateway_away")
	} else {
		web.Flash(c, ui.Info, "after.pay.not_yet")
	}
	return web.Redirect(c, orderURL(w.Order)+"/pay")
}

// notified takes what a payment company posts; the answer is what that company understands.
func (p *Portal) notified(c *fiber.Ctx) error {
	h := http.Header{}
	for k, v := range c.GetReqHeaders() {
		for _, x := range v {
			h.Add(k, x)
		}
	}
	body := bytes.Clone(c.Body())
	reply, status := p.Payments.HandleNotification(c.UserContext(), web.SiteOf(c).Tenant, c.Params("channel"), h, body)
	kind := fiber.MIMETextPlainCharsetUTF8
	if strings.HasPrefix(reply, "{") {
		kind = fiber.MIMEApplicationJSON
	}
	c.Set(fiber.HeaderContentType, kind)
	return c.Status(status).SendString(reply)
}

// showPaid says that the order was handed in and what comes now (req B52).
func (p *Portal) showPaid(c *fiber.Ctx) error {
	x, err := p.paying(c)
	if err != nil {
		return err
	}
	switch x.w.State {
	case order.Draft, order.Rejected:
		return web.Redirect(c, orderURL(x.w.Order))
	case order.InReview:
		if x.w.PaidAt == nil { // reviewed first: nothing was paid yet
			return web.Redirect(c, orderURL(x.w.Order))
		}
	case order.AwaitingPayment:
		if x.due() {
			return web.Redirect(c, x.url)
		}
	}
	return web.Render(c, fiber.StatusOK, paidPage(p.paidView(c, x)))
}

func orderURL(o order.Order) string { return "/orders/" + o.ID.String() }
