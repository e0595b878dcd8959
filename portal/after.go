package portal

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// afterView is a step of the form that comes after the order was handed in: the invoice asked for once approved, or the
// waybill of a key that is sent in.
type afterView struct {
	Title, Kicker, Lead string
	Steps               []ui.Step
	Back                ui.Link
	Sections            []section
	Facts               string
	Next                string
}

// later finds the step a path names, if the order's state has it open.
func (p *Portal) later(c *fiber.Ctx) (filling, error) {
	w, err := p.open(c.UserContext(), web.SiteOf(c).Tenant, orderID(c))
	if err != nil {
		return filling{}, err
	}
	f := filling{w: w, say: web.Printer(c)}
	i := slices.IndexFunc(w.Item.Steps, func(st tenant.Step) bool { return st.ID == c.Params("step") && st.When != "order" })
	if i < 0 {
		return f, fault.New(fault.NotFound, "order.no_step")
	}
	f.step = w.Item.Steps[i]
	if !order.OpenAt(w.Order, f.step) {
		return f, errElsewhere
	}
	return f, nil
}

func (p *Portal) afterView(f filling, s *sheet) afterView {
	l := f.say.Locale()
	v := afterView{Title: f.step.Title.In(l), Kicker: f.w.Item.Name.In(l), Steps: journey(f.w.Item, stageOf(f.w.Order, f.w.Item), f.say),
		Back: ui.Link{Label: f.say.T("portal.to_order"), Href: orderURL(f.w.Order)}, Sections: s.sections(), Facts: s.facts(), Next: f.step.Next.In(l)}
	if f.step.When == "send_in" {
		v.Lead = joined(f.w.Item.Inbound.Help.In(l), f.w.Item.Inbound.Address.In(l))
	}
	if v.Next == "" {
		v.Next = f.say.T("after.save")
	}
	return v
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}

// showAfter is the page of such a step.
func (p *Portal) showAfter(c *fiber.Ctx) error {
	f, err := p.later(c)
	if err == errElsewhere {
		return web.Redirect(c, orderURL(f.w.Order))
	}
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, afterPage(p.afterView(f, p.sheet(f.w, f.step.ID, f.say))))
}

// saveAfter stores the step and does what it is for.
func (p *Portal) saveAfter(c *fiber.Ctx) error {
	f, err := p.later(c)
	if err == errElsewhere {
		return web.Redirect(c, orderURL(f.w.Order))
	}
	if err != nil {
		return err
	}
	pressed := c.FormValue("_step")
	res, err := p.store(c, &f, typed(c, f.w, f.step.ID, pressed))
	if err != nil {
		return err
	}
	s := p.sheet(f.w, f.step.ID, f.say)
	s.hear(res, f.say)
	switch {
	case pressed != "next" && pressed != "":
		return web.Render(c, fiber.StatusOK, afterPage(p.afterView(f, s)))
	case len(res.Problems) > 0:
		web.PageOf(c).Errors = s.inOrder(spokenProblems(res, f.say))
		return web.Render(c, fiber.StatusUnprocessableEntity, afterPage(p.afterView(f, s)))
	}
	if err := p.carryOut(c, f); err != nil {
		return web.Retry(c, inForm(err), afterPage(p.afterView(f, s)))
	}
	web.Flash(c, ui.Good, "after.saved")
	return web.Redirect(c, orderURL(f.w.Order))
}

// carryOut does what the answers of a later step ask for.
func (p *Portal) carryOut(c *fiber.Ctx, f filling) error {
	a := f.w.Answers
	if _, ok := f.w.Item.Form.Steps(f.step.ID).Field("inbound_waybill"); ok && f.step.When == "send_in" {
		_, err := p.Delivery.SendIn(c.UserContext(), f.w.Tenant, f.w.ID, a["inbound_carrier"], a["inbound_waybill"])
		return err
	}
	if asksInvoice(f.w.Item, f.step.ID) {
		return p.Invoices.Request(c.UserContext(), f.w.Tenant, f.w.ID)
	}
	return nil
}

// inForm names the fields of delivery as the form does.
func inForm(err error) error {
	f := fault.From(err)
	if f == nil || f.Kind != fault.Invalid {
		return err
	}
	names := map[string]string{"carrier": "inbound_carrier", "waybill": "inbound_waybill", "number": "inbound_waybill"}
	fields := slices.Clone(f.Fields)
	for i := range fields {
		if n, ok := names[fields[i].Name]; ok {
			fields[i].Name = n
		}
	}
	return fault.InvalidFields(fields...)
}

// certificateWords says how a certificate stands: days left, or days since its end.
func certificateWords(days int, say i18n.Printer) (string, ui.Tone) {
	switch {
	case days < 0:
		return say.T("after.cert.expired", "Count", -days), ui.Danger
	case days == 0:
		return say.T("after.cert.today"), ui.Danger
	case days <= 30:
		return say.T("after.cert.left", "Count", days), ui.Warn
	}
	return say.T("after.cert.left", "Count", days), ui.Good
}
