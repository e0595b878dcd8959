package portal

import (
	"certsaas/core/delivery"
	"certsaas/core/i18n"
	"certsaas/core/invoice"
	"certsaas/core/order"
	"certsaas/core/web/ui"
)

// nextOf is the card on top of an order: its state in words and the one thing to do now.
func nextOf(h history, say i18n.Printer) ui.NextProps {
	n := ui.NextProps{State: stateOf(h.State, say), Tone: toneOf(h.State), Title: say.T("after.next." + string(h.State))}
	text := func(id string, kv ...any) { n.Text = say.T("after.next."+id, kv...) }
	switch h.State {
	case order.Draft:
		n.Action = link(say.T("after.act.go_on"), fillURL(h.Order, firstStep(h.placed)), ui.Primary)
		text("draft_text")
	case order.AwaitingPayment:
		awaitingPayment(h, &n, say)
	case order.Rejected:
		n.Action = link(say.T("after.act.fix"), fillURL(h.Order, firstStep(h.placed)), ui.Primary)
		text("rejected_text")
	case order.InReview:
		text("in_review_text")
		if h.DueAt != nil {
			text("in_review_due", "Due", ui.DateTime(*h.DueAt))
		}
	case order.AwaitingKey:
		awaitingKey(h, &n, say)
	case order.ReadyToInstall:
		readyToInstall(h, &n, say)
	case order.Completed:
		completed(h, &n, say)
	case order.Cancelled, order.Lapsed:
		n.Action = link(say.T("after.act.again"), "/", ui.Primary)
		text(string(h.State) + "_text")
	default:
		text(string(h.State) + "_text")
	}
	return n
}

func awaitingPayment(h history, n *ui.NextProps, say i18n.Printer) {
	n.Action = link(say.T("after.act.pay"), orderURL(h.Order)+"/pay", ui.Primary)
	if h.LapsesAt != nil {
		n.Text = say.T("after.next.awaiting_payment_text", "Amount", ui.Money(h.TotalFen), "Until", ui.DateTime(*h.LapsesAt))
	}
	if why := refusal(paying{w: h.placed, desk: h.Desk}); why != "" {
		n.Tone, n.Title, n.Text = ui.Danger, say.T("after.voucher.refused"), why
	}
}

// awaitingKey: the applicant sends his key in and notes the waybill.
func awaitingKey(h history, n *ui.NextProps, say i18n.Printer) {
	n.Text = h.Item.Inbound.Address.In(say.Locale())
	for _, s := range h.Shipments {
		if s.Direction == delivery.In {
			n.Title, n.Text = say.T("after.next.key_on_its_way"), say.T("after.next.key_on_its_way_text", "Waybill", s.Waybill)
			return
		}
	}
	for _, st := range h.Item.StepsAt("send_in") {
		n.Action = link(say.T("after.act.send_in"), afterURL(h.Order, st.ID), ui.Primary)
		return
	}
}

// readyToInstall: the certificate goes into the key, on a PC (req B55–B57).
func readyToInstall(h history, n *ui.NextProps, say i18n.Printer) {
	it, ok := h.openItem()
	if !ok {
		return
	}
	n.Action = link(say.T("after.act.install"), keyURL(h.Order, it), ui.Primary)
	n.Plain = link(say.T("after.act.agent"), "/keyagent", ui.Quiet)
	n.Text = say.T("after.next.ready_to_install_text")
	if len(h.Items) > 1 {
		done := 0
		for _, x := range h.Items {
			if x.State == order.ItemDone {
				done++
			}
		}
		if say.Locale() == i18n.EN {
			n.Text += " "
		}
		n.Text += say.T("after.next.ready_to_install_many", "Count", len(h.Items), "Done", done)
	}
}

func completed(h history, n *ui.NextProps, say i18n.Printer) {
	for _, it := range h.Items {
		if x := h.live(it); x != nil {
			n.Text = say.T("after.valid_until", "Date", ui.Date(x.NotAfter))
			n.Plain = link(say.T("after.held"), "/certificates", ui.Quiet)
		}
	}
	if h.Invoice != nil && h.Invoice.State == invoice.Done {
		n.Action = ui.Button(ui.ButtonProps{Label: say.T("after.invoice.download"), Kind: ui.Primary, Href: orderURL(h.Order) + "/invoice", Icon: "download", Download: true})
	}
}
