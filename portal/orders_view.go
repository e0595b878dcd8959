package portal

import (
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"certsaas/core/delivery"
	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/identifier"
	"certsaas/core/invoice"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// orderView is the page of one order.
type orderView struct {
	Number, Kicker, URL string
	Steps               []ui.Step
	Next                ui.NextProps
	Reasons             []reason
	Line                []ui.Event
	Keys                []keyRow
	Facts               []ui.Datum
	Groups              []answers
	Pay                 []ui.Datum
	Refunds             []ui.Datum
	Shipments           []ui.Datum
	Invoice             []ui.Datum
	InvoiceReady        bool
	InvoiceOnTop        bool // the card on top downloads it
	Price               ui.PriceProps
	Further             []ui.Link // steps after approval
	Letter              bool
	Cancel, Refund      bool
	Notices             []string
}

// reason is one refused answer with the reviewer's words (req K44).
type reason struct{ Label, Reason, Href string }

// keyRow is one key of the order and its certificate.
type keyRow struct {
	Title, State string
	Tone         ui.Tone
	Data         []ui.Datum
	Download     string // address of the .cer file
	Install      string // address of the key page
}

// answers is one group of what was filled in, personal data masked.
type answers struct {
	Title string
	Data  []ui.Datum
}

func (p *Portal) orderView(c *fiber.Ctx, h history) orderView {
	say := web.Printer(c)
	l := say.Locale()
	v := orderView{Number: h.Number, Kicker: h.Item.Name.In(l), URL: orderURL(h.Order), Steps: wayOf(h.Order, h.Item, say),
		Next: nextOf(h, say), Reasons: reasonsOf(h, say), Line: lineOf(h, say), Keys: keysOf(h, say), Groups: groupsOf(h, say),
		Pay: payOf(h, say), Refunds: refundsOf(h, say), Shipments: shipmentsOf(h, say), Letter: h.Letter && h.State != order.Draft,
		Price: p.priceLines(c.UserContext(), filling{w: h.placed, say: say}, h.Lines, h.TotalFen), Further: furtherOf(h, say),
		Cancel: h.may(order.Cancel), Refund: h.may(order.RequestRefund)}
	v.Price.Facts = nil // the heading says which order it is
	v.Price.Closed = h.State == order.Cancelled || h.State == order.Lapsed
	v.Invoice, v.InvoiceReady = invoiceOf(h, say)
	v.InvoiceOnTop = v.InvoiceReady && h.State == order.Completed
	v.Facts = []ui.Datum{{Label: say.T("portal.order_number"), Value: h.Number, Mono: true, Copy: true}, {Label: say.T("after.made"), Value: ui.DateTime(h.CreatedAt)}}
	if h.Quantity > 1 {
		v.Facts = append(v.Facts, ui.Datum{Label: say.T("after.quantity"), Value: say.T("after.pieces", "Count", h.Quantity)})
	}
	if h.DueAt != nil && !h.State.Final() && h.State != order.Rejected {
		v.Facts = append(v.Facts, ui.Datum{Label: say.T("after.due"), Value: ui.DateTime(*h.DueAt)})
	}
	if h.State == order.Completed {
		v.Notices = noticesOf(h.Item, l)
	}
	return v
}

// noticesOf are the rules of use, in the tenant's words (req B63–B70 K48–K55).
func noticesOf(item tenant.Product, locale string) []string {
	var out []string
	for _, n := range item.Notices {
		out = append(out, n.Text.In(locale))
	}
	return out
}

func reasonsOf(h history, say i18n.Printer) []reason {
	var out []reason
	for _, r := range h.Remarks {
		fd, _ := h.Item.Form.Field(r.Target)
		x := reason{Label: fd.Label.In(say.Locale()), Reason: r.Reason}
		for _, g := range h.Item.Form.Groups {
			if slices.ContainsFunc(g.Fields, func(f form.Field) bool { return f.Key == r.Target }) {
				x.Href = fillURL(h.Order, g.Step) + "#" + ui.FieldID(r.Target)
			}
		}
		out = append(out, x)
	}
	return out
}

// lineOf is what happened, newest first: with when, who and why.
func lineOf(h history, say i18n.Printer) []ui.Event {
	tones := map[order.Event]ui.Tone{order.Reject: ui.Danger, order.RejectVoucher: ui.Danger, order.Approve: ui.Good, order.Installed: ui.Good,
		order.Ship: ui.Good, order.Refund: ui.Good, order.Paid: ui.Good}
	out := []ui.Event{{At: h.CreatedAt, Title: say.T("after.event.start"), Who: say.T("after.who.dealer")}}
	for _, e := range h.Line {
		x := ui.Event{At: e.At, Title: say.T("order.event." + string(e.Event)), Tone: tones[e.Event]} // what nobody did has no name beside it
		if e.ActorKind == "dealer" || e.ActorKind == "staff" {
			x.Who = say.T("after.who." + e.ActorKind)
		}
		if why, ok := e.Detail["reason"].(string); ok {
			x.Reason = why
		}
		out = append(out, x)
	}
	for i := range out { // the last rejection's reasons stand with it while they hold
		if h.State == order.Rejected && i == len(out)-1 {
			for _, r := range reasonsOf(h, say) {
				out[i].Reason = strings.TrimPrefix(out[i].Reason+say.T("after.semicolon")+r.Label+say.T("after.colon")+r.Reason, say.T("after.semicolon"))
			}
		}
	}
	slices.Reverse(out)
	return out
}

func keysOf(h history, say i18n.Printer) []keyRow {
	var out []keyRow
	for _, it := range h.Items {
		if it.State == order.ItemWithdrawn || !h.Item.Issues() || h.ReviewedAt == nil {
			continue
		}
		r := keyRow{Title: say.T("after.key_one"), State: say.T("after.item." + string(it.State)), Tone: ui.Info}
		if len(h.Items) > 1 {
			r.Title = say.T("after.key_n", "N", it.Seq)
		}
		if it.State == order.ItemDone {
			r.Tone = ui.Good
		}
		if it.TokenSerial != "" {
			r.Data = append(r.Data, ui.Datum{Label: say.T("after.token"), Value: it.TokenSerial, Mono: true})
		}
		if x := h.live(it); x != nil {
			r.Data = append(r.Data, ui.Datum{Label: say.T("after.serial"), Value: x.Certificate.Serial(), Mono: true},
				ui.Datum{Label: say.T("after.validity"), Value: say.T("after.from_to", "From", ui.Date(x.NotBefore), "To", ui.Date(x.NotAfter))})
			r.Download = orderURL(h.Order) + "/certificates/" + x.ID.String()
		}
		if h.State == order.ReadyToInstall && it.State != order.ItemDone {
			r.Install = keyURL(h.Order, it)
		}
		if len(h.Items) == 1 && len(r.Data) == 0 && r.Install != "" {
			continue // the card on top says it all
		}
		out = append(out, r)
	}
	return out
}

func keyURL(o order.Order, it order.Item) string { return orderURL(o) + "/key/" + it.ID.String() }

// groupsOf is what was filled in, group by group, with personal data masked (req experience B9).
func groupsOf(h history, say i18n.Printer) []answers {
	visible := h.Item.Form.Visible(h.Answers, h.Facts)
	var out []answers
	for _, g := range h.Item.Form.Groups {
		a := answers{Title: g.Title.In(say.Locale())}
		for _, fd := range g.Fields {
			if v := h.Answers[fd.Key]; visible[fd.Key] && v != "" {
				a.Data = append(a.Data, answerOf(h.placed, fd, v, say))
			}
		}
		if len(a.Data) > 0 {
			out = append(out, a)
		}
	}
	return out
}

func answerOf(w placed, fd form.Field, v string, say i18n.Printer) ui.Datum {
	d := ui.Datum{Label: fd.Label.In(say.Locale()), Value: masked(fd, v, say.Locale())}
	switch {
	case fd.IsFile():
		d.Body = picture(d.Label, "/files/"+v)
	case fd.Type == form.Checkbox && v == "yes":
		d.Value = say.T("portal.confirmed")
	}
	return d
}

// masked is an answer as a page shows it after it was handed in.
func masked(fd form.Field, v, locale string) string {
	switch fd.Mask {
	case "mobile":
		return identifier.MaskMobile(v)
	case "id":
		return identifier.MaskID(v)
	case "name":
		return identifier.MaskName(v)
	case "email":
		return identifier.MaskEmail(v)
	case "all":
		return "••••••"
	}
	return fd.Display(locale, v)
}

func payOf(h history, say i18n.Printer) []ui.Datum {
	var out []ui.Datum
	if a := h.Desk.Paid; a != nil {
		out = append(out, ui.Datum{Label: say.T("after.paid.by"), Value: say.T("payment.channel." + a.Channel)},
			ui.Datum{Label: say.T("after.amount"), Value: ui.Money(a.AmountFen)})
		if a.PaidAt != nil {
			out = append(out, ui.Datum{Label: say.T("after.paid.at"), Value: ui.DateTime(*a.PaidAt)})
		}
		if a.TradeNo != "" && a.Channel != payment.BankTransfer {
			out = append(out, ui.Datum{Label: say.T("after.paid.trade"), Value: a.TradeNo, Mono: true})
		}
	}
	if x := h.Desk.Voucher; x != nil {
		d := ui.Datum{Label: say.T("after.voucher.title"), Value: say.T("payment.voucher." + string(x.State)), Note: x.Reason}
		if x.State == payment.VoucherRejected {
			d.Tone = ui.Danger
		}
		out = append(out, d)
	}
	return out
}

func refundsOf(h history, say i18n.Printer) []ui.Datum {
	var out []ui.Datum
	for _, r := range h.Desk.Refunds {
		out = append(out, ui.Datum{Label: ui.DateTime(r.CreatedAt), Value: ui.Money(r.AmountFen) + " " + say.T("payment.refund."+string(r.State)),
			Note: say.T("payment.cause." + string(r.Cause))})
	}
	return out
}

// shipmentsOf are the waybills, each to be copied and followed (req K40).
func shipmentsOf(h history, say i18n.Printer) []ui.Datum {
	var out []ui.Datum
	for _, s := range h.Shipments {
		label := say.T("after.ship." + s.Direction + "_" + s.Purpose)
		if s.Carrier == delivery.Pickup {
			out = append(out, ui.Datum{Label: label, Value: say.T("delivery.carrier.pickup"), Note: ui.DateTime(s.At)})
			continue
		}
		out = append(out, ui.Datum{Label: label, Body: waybill(say.T("delivery.carrier."+s.Carrier), s.Waybill, s.TrackingURL()), Note: ui.DateTime(s.At)})
	}
	return out
}

func invoiceOf(h history, say i18n.Printer) ([]ui.Datum, bool) {
	x := h.Invoice
	if x == nil {
		return nil, false
	}
	out := []ui.Datum{{Label: say.T("after.invoice.kind"), Value: invoiceKind(h, say)}, {Label: say.T("after.state"), Value: say.T("invoice.state." + string(x.State))},
		{Label: say.T("after.invoice.title"), Value: x.Header.Title}, {Label: say.T("after.amount"), Value: ui.Money(x.AmountFen)}}
	if x.Number != "" {
		out = append(out, ui.Datum{Label: say.T("after.invoice.number"), Value: x.Number, Mono: true})
	}
	return out, x.State == invoice.Done && x.File != [16]byte{}
}

// invoiceKind is the kind of the order's invoice in the words it was chosen by.
func invoiceKind(h history, say i18n.Printer) string {
	for _, k := range h.Item.Invoice.Kinds {
		if k.Code == h.Invoice.Kind {
			return k.Label.In(say.Locale())
		}
	}
	return say.T("invoice.kind." + h.Invoice.Kind)
}

// furtherOf are the steps that open after approval, or while a key is to be sent in.
func furtherOf(h history, say i18n.Printer) []ui.Link {
	var out []ui.Link
	for _, st := range h.Item.Steps {
		if st.When != "order" && order.OpenAt(h.Order, st) && !(st.When == "after_approval" && h.Invoice != nil && asksInvoice(h.Item, st.ID)) {
			out = append(out, ui.Link{Label: st.Title.In(say.Locale()), Href: afterURL(h.Order, st.ID)})
		}
	}
	return out
}

func afterURL(o order.Order, step string) string { return orderURL(o) + "/after/" + step }

// asksInvoice tells whether a step is where the invoice is asked for.
func asksInvoice(item tenant.Product, step string) bool {
	_, ok := item.Form.Steps(step).Field("invoice_wanted")
	return ok
}

func link(label, href string, kind ui.ButtonKind) templ.Component {
	return ui.Button(ui.ButtonProps{Label: label, Kind: kind, Href: href, Large: kind == ui.Primary})
}
