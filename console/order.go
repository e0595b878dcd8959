package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/authz"
	"certsaas/core/delivery"
	"certsaas/core/identifier"
	"certsaas/core/issuance"
	"certsaas/core/material"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/pki"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

func (k *Console) orderRoutes() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/orders/:tenant/:id", Action: authz.OrderView, Handler: k.showOrder},
		{Method: "POST", Path: "/orders/:tenant/:id/refund", Action: authz.RefundRequest, Handler: k.requestRefund},
	}
}

// orderView is an order's own page: everything, to be read.
type orderView struct {
	*dossier
	Summary   []ui.Datum
	Groups    []dataGroup
	Papers    []paper
	Pay       payment.Desk
	Events    []ui.Event
	Desk      ui.Link // where the order is worked on, for those who may
	AuditHref string
	CanReveal bool
	CanRefund bool
	MayWrite  bool // the reader writes keys
	Reminders bool // there are pages about reminders
}

// told is the page about the reminders of a certificate.
func (v *orderView) told(x issuance.Certificate) string {
	if !v.Reminders {
		return ""
	}
	return toldPath(v.House.Slug, x.ID)
}

// dataGroup is a group of the form with its answers.
type dataGroup struct {
	Title string
	Data  []datum
}

// datum is one answer.
type datum struct{ Key, Label, Value, Reveal string }

// paper is one file of an order.
type paper struct {
	Label, Href, Note string
	Tone              ui.Tone
}

func (k *Console) showOrder(c *fiber.Ctx) error {
	d, err := k.open(c)
	if err != nil {
		return err
	}
	return k.renderOrder(c, d)
}

func (k *Console) renderOrder(c *fiber.Ctx, d *dossier) error {
	v, err := k.orderView(c, d)
	if err != nil {
		return err
	}
	f, err := k.frame(c, d.Number, "/orders")
	if err != nil {
		return err
	}
	f.Crumbs = []ui.Link{{Label: web.Printer(c).T("console.nav.orders"), Href: "/orders"}}
	f.Actions = orderHead(v)
	return web.Render(c, fiber.StatusOK, orderPage(f, v))
}

func (k *Console) orderView(c *fiber.Ctx, d *dossier) (*orderView, error) {
	ctx, p := c.UserContext(), web.Printer(c)
	v := &orderView{dossier: d, CanReveal: k.mayReveal(ctx, d), MayWrite: k.Authz.May(ctx, authz.KeyWrite, d.Resource(nil)), Reminders: k.Reminders != nil}
	var err error
	if v.Pay, err = k.Payments.Desk(ctx, d.Tenant, d.ID); err != nil {
		return nil, err
	}
	who, err := k.names(ctx)
	if err != nil {
		return nil, err
	}
	v.Summary = k.summary(c, d, who)
	for _, g := range d.Item.Form.Groups {
		group := dataGroup{Title: g.Title.In(d.Locale)}
		for _, fd := range g.Fields {
			if !d.Visible[fd.Key] || fd.IsFile() {
				continue
			}
			x := datum{Key: fd.Key, Label: fd.Label.In(d.Locale), Value: d.shown(fd, d.Answers[fd.Key])}
			if v.CanReveal && d.hidden(fd) {
				x.Reveal = d.path("/reveal/" + fd.Key)
			}
			group.Data = append(group.Data, x)
		}
		if len(group.Data) > 0 {
			v.Groups = append(v.Groups, group)
		}
	}
	v.Papers = k.papers(c, d)
	v.Events = events(d, p.T)
	if desk := k.deskPath(ctx, d.Order.State); desk != "" {
		v.Desk = ui.Link{Label: p.T("console.order.work" + strings.ReplaceAll(desk, "/", "_")), Href: d.path(desk)}
	}
	if k.may(ctx, authz.AuditView) {
		v.AuditHref = "/audit?tenant=" + d.House.Slug + "&resource=" + escape("order/"+d.ID.String())
	}
	v.CanRefund = d.PaidAt != nil && k.Authz.May(ctx, authz.RefundRequest, d.Resource(nil)) && refundable(d)
	return v, nil
}

// refundable tells whether the order's state knows a request for its money (decision 9).
func refundable(d *dossier) bool {
	return len(d.Certs) == 0 && slices.ContainsFunc(order.Edges(), func(e order.Edge) bool {
		return e.From == d.Order.State && e.Event == order.RequestRefund
	})
}

// summary is the order's head: product, money, times.
func (k *Console) summary(c *fiber.Ctx, d *dossier, who names) []ui.Datum {
	p := web.Printer(c)
	col := func(id string) string { return p.T("console.col." + id) }
	out := []ui.Datum{
		{Label: col("number"), Value: d.Number, Copy: true},
		{Label: col("state"), Body: ui.Tag(d.Tone, d.State)},
		{Label: col("tenant"), Body: mark(d.House)},
		{Label: col("item"), Value: d.Name, Note: d.Product + " · " + p.T("console.order.release", "Number", d.Release)},
		{Label: col("company"), Value: company(d.Order)},
		{Label: col("quantity"), Value: fmt.Sprint(d.Quantity)},
		{Label: col("term"), Value: p.T("console.order.years", "Count", d.TermYears)},
		{Label: col("total"), Value: ui.Money(d.TotalFen)},
	}
	if waits(d.Order.State) {
		tone, due := k.due(p, d)
		out = append(out, ui.Datum{Label: col("due"), Body: ui.Due(tone, due), Note: dateTime(d.DueAt)})
	}
	if d.Order.State == order.InReview && order.Claimed(d.Order, k.Clock.Now()) {
		out = append(out, ui.Datum{Label: col("claimed"), Value: who.of(d.ClaimedBy)})
	}
	for _, l := range d.Lines {
		out = append(out, ui.Datum{Label: l.Label.In(d.Locale), Value: ui.Money(l.AmountFen), Note: l.Why.In(d.Locale)})
	}
	return out
}

// papers are the order's files; a reader who may not see them learns that they are there.
func (k *Console) papers(c *fiber.Ctx, d *dossier) []paper {
	p := web.Printer(c)
	var out []paper
	for _, f := range d.Files {
		x := paper{Label: d.label(f.Field), Tone: findingTone(f.Findings), Note: ui.DateTime(f.CreatedAt)}
		switch f.Field {
		case material.Voucher:
			x.Label = p.T("console.order.voucher")
		case material.Invoice:
			x.Label = p.T("console.order.invoice_file")
		}
		if k.mayFile(c.UserContext(), d, f.Field) {
			x.Href = filePath(d.House.Slug, f.ID)
		}
		out = append(out, x)
	}
	return out
}

// events is the order's time line, newest first.
func events(d *dossier, t func(string, ...any) string) []ui.Event {
	out := make([]ui.Event, 0, len(d.Line))
	for _, e := range d.Line {
		x := ui.Event{At: e.At, Title: t("order.event." + string(e.Event)), Who: firstOf(actorName(e), t("console.actor."+e.ActorKind)), Tone: stateTone(e.To)}
		if s, ok := e.Detail["reason"].(string); ok {
			x.Reason = s
		}
		if w, ok := e.Detail["waybill"].(string); ok {
			carrier, _ := e.Detail["carrier"].(string)
			x.Reason = t("delivery.carrier."+carrier) + " " + w
		}
		if e.Event == order.Reject || e.Event == order.RejectVoucher {
			x.Tone = ui.Danger
		}
		if e.Event == order.Reject {
			x.Reason = refusals(d, e)
		}
		out = append(out, x)
	}
	slices.Reverse(out)
	return out
}

// actorName is who is named on a time line: staff and components; a dealer's name may be personal.
func actorName(e order.TimelineEntry) string {
	if e.ActorKind == string(authz.Staff) {
		return e.ActorName
	}
	return ""
}

// refusals are the reasons of the round a rejection belongs to.
func refusals(d *dossier, e order.TimelineEntry) string {
	for _, r := range d.Rounds {
		if !r.Approved && r.At.Equal(e.At) {
			var out []string
			for _, m := range r.Remarks {
				out = append(out, d.label(m.Target)+": "+m.Reason)
			}
			return strings.Join(out, "; ")
		}
	}
	return ""
}

// certificateRows are the certificates of an order; told is where one's reminders are read, "" for nowhere.
func certificateRows(list []issuance.Certificate, told func(issuance.Certificate) string, t func(string, ...any) string) []ui.Row {
	var rows []ui.Row
	for _, x := range list {
		tone := ui.Info
		switch x.State {
		case issuance.Active:
			tone = ui.Good
		case issuance.Superseded, issuance.Revoked:
			tone = ui.Plain
		case issuance.Issued:
		}
		rows = append(rows, ui.Row{Href: told(x), Cells: []ui.Cell{
			{Text: pki.SerialText(x.Serial), Mono: true}, {Text: x.TokenSerial, Mono: true}, {Body: ui.Tag(tone, t("console.cert."+string(x.State)))},
			{Text: ui.Date(x.NotBefore) + " – " + ui.Date(x.NotAfter)},
		}})
	}
	return rows
}

// shipmentRows are an order's shipments; the consignee is masked here.
func shipmentRows(list []delivery.Shipment, t func(string, ...any) string) []ui.Row {
	var rows []ui.Row
	for _, s := range list {
		rows = append(rows, ui.Row{Cells: []ui.Cell{
			{Text: t("console.ship." + s.Direction + "_" + s.Purpose)}, {Text: t("delivery.carrier." + s.Carrier)}, {Text: s.Waybill, Mono: true},
			{Text: identifier.MaskName(s.Consignee.Name)}, {Text: ui.DateTime(s.At), Sub: s.RecordedBy},
		}})
	}
	return rows
}

// toldRows are the messages an order's applicant got.
func toldRows(v *orderView, t func(string, ...any) string) []ui.Row {
	var rows []ui.Row
	for _, m := range v.Told {
		tone := map[string]ui.Tone{"sent": ui.Good, "failed": ui.Danger}[m.State]
		to := identifier.MaskMobile(m.To)
		if m.Channel == "email" {
			to = identifier.MaskEmail(m.To)
		}
		rows = append(rows, ui.Row{Cells: []ui.Cell{
			{Text: ui.DateTime(m.At)}, {Text: t("console.channel." + m.Channel), Sub: to}, {Text: withoutLink(m.Text), Sub: m.Error}, {Body: ui.Tag(tone, t("console.told."+m.State))},
		}})
	}
	return rows
}

func (k *Console) requestRefund(c *fiber.Ctx) error {
	t, id, err := k.place(c, "id", "order.not_found")
	if err != nil {
		return err
	}
	if _, err := k.Payments.RequestRefund(c.UserContext(), t.ID(), id, c.FormValue("reason")); err != nil {
		d, again := k.open(c)
		if again != nil {
			return again
		}
		v, again := k.orderView(c, d)
		if again != nil {
			return again
		}
		f, again := k.frame(c, d.Number, "/orders")
		if again != nil {
			return again
		}
		f.Actions = orderHead(v)
		return web.Retry(c, err, orderPage(f, v))
	}
	web.Flash(c, ui.Good, "console.refund.requested")
	return web.Redirect(c, orderPath(t.Slug(), id, ""))
}
