package console

import (
	"context"
	"strings"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/fault"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// refundView is one refund with its order.
type refundView struct {
	*dossier
	payment.Refund
	Asked        string           // who asked
	Paid         *payment.Payment // what was paid for the order, nil when the money came after its end
	TxnID        string
	DeclineWords string
}

func (v *refundView) path(act string) string {
	return "/refunds/" + v.House.Slug + "/" + v.Refund.ID.String() + act
}

// openRefunds are refunds that a person has something to do about: to agree, or to send the money of a bank transfer.
func (k *Console) openRefunds(ctx context.Context) ([]payment.Refund, error) {
	list, err := k.Payments.Refunds(ctx, listed)
	if err != nil {
		return nil, err
	}
	approved, err := k.Payments.Refunds(ctx, listed, payment.RefundApproved)
	if err != nil {
		return nil, err
	}
	seen := map[uuid.UUID]bool{}
	for _, r := range list {
		seen[r.ID] = true
	}
	for _, r := range approved {
		if r.Channel == payment.BankTransfer && !seen[r.ID] {
			list = append(list, r)
		}
	}
	return list, nil
}

func (k *Console) refunds(c *fiber.Ctx) error {
	list, err := k.openRefunds(c.UserContext())
	if err != nil {
		return err
	}
	all, err := k.houses(c)
	if err != nil {
		return err
	}
	p := web.Printer(c)
	var rows []ui.Row
	for _, r := range list {
		h := houseByID(all, r.Tenant)
		o, err := k.Orders.Find(c.UserContext(), r.Tenant, r.Order)
		if err != nil {
			return err
		}
		if !fits(c.Query("q"), o.Number, company(o), ui.Money(r.AmountFen)) {
			continue
		}
		o.State = order.Refunding // money that came twice is sent back, too, while its order goes on
		due, tone := k.dueCell(p, h, o, r.CreatedAt)
		rows = append(rows, ui.Row{Href: "/refunds/" + h.Slug + "/" + r.ID.String(), Tone: tone, Cells: []ui.Cell{
			{Text: o.Number, Mono: true}, {Body: mark(h)}, {Text: company(o)}, {Text: ui.Money(r.AmountFen)}, {Text: p.T("payment.channel." + r.Channel)},
			{Text: p.T("payment.cause." + string(r.Cause))}, {Body: ui.Tag(ui.Info, p.T("payment.refund."+string(r.State)))}, due,
		}})
	}
	f, err := k.frame(c, p.T("console.desk.refund"), "/refunds")
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, refundsPage(f, pileView{Query: c.Query("q"), Rows: rows}))
}

func (k *Console) refund(c *fiber.Ctx) (*refundView, error) {
	t, id, err := k.place(c, "id", "order.not_found")
	if err != nil {
		return nil, err
	}
	list, err := k.openRefunds(c.UserContext())
	if err != nil {
		return nil, err
	}
	for _, r := range list {
		if r.Tenant != t.ID() || r.ID != id {
			continue
		}
		d, err := k.dossierOf(c, houseOf(t, web.PageOf(c).Locale()), r.Order)
		if err != nil {
			return nil, err
		}
		who, err := k.names(c.UserContext())
		if err != nil {
			return nil, err
		}
		v := &refundView{dossier: d, Refund: r, TxnID: c.FormValue("bank_txn_id"), DeclineWords: c.FormValue("reason")}
		desk, err := k.Payments.Desk(c.UserContext(), r.Tenant, r.Order)
		if err != nil {
			return nil, err
		}
		v.Paid = desk.Paid
		kind, asker, _ := strings.Cut(r.RequestedBy, "/")
		v.Asked = web.Printer(c).T("console.actor." + kind)
		if staffID, err := uuid.Parse(asker); err == nil && kind == string(authz.Staff) {
			v.Asked = who.of(staffID)
		}
		return v, nil
	}
	return nil, fault.New(fault.NotFound, "payment.refund_not_found")
}

func (k *Console) showRefund(c *fiber.Ctx) error {
	v, err := k.refund(c)
	if err != nil {
		return err
	}
	return k.renderRefund(c, v, nil)
}

func (k *Console) renderRefund(c *fiber.Ctx, v *refundView, problem error) error {
	return k.renderOne(c, v.Number, v.House, ui.Link{Label: web.Printer(c).T("console.desk.refund"), Href: "/refunds"}, problem,
		func(f ui.ConsoleProps) templ.Component { return refundPage(f, v) })
}

// decideRefund does one act on a refund and leads back to the list.
func (k *Console) decideRefund(c *fiber.Ctx, flash string, act func(v *refundView) error) error {
	v, err := k.refund(c)
	if err != nil {
		return err
	}
	if err := act(v); err != nil {
		return k.renderRefund(c, v, err)
	}
	web.Flash(c, ui.Good, flash, "Number", v.Number)
	return web.Redirect(c, "/refunds")
}

func (k *Console) approveRefund(c *fiber.Ctx) error {
	return k.decideRefund(c, "console.refund.approved", func(v *refundView) error {
		_, err := k.Payments.Approve(c.UserContext(), v.Refund.Tenant, v.Refund.ID)
		return err
	})
}

func (k *Console) declineRefund(c *fiber.Ctx) error {
	return k.decideRefund(c, "console.refund.declined", func(v *refundView) error {
		_, err := k.Payments.Decline(c.UserContext(), v.Refund.Tenant, v.Refund.ID, v.DeclineWords)
		return err
	})
}

func (k *Console) sentRefund(c *fiber.Ctx) error {
	return k.decideRefund(c, "console.refund.sent", func(v *refundView) error {
		_, err := k.Payments.ConfirmRefundSent(c.UserContext(), v.Refund.Tenant, v.Refund.ID, v.TxnID)
		return err
	})
}
