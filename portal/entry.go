package portal

import (
	"fmt"
	"net/url"
	"slices"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/rules"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// home is the tenant's entry: its products, or the one product itself.
func (p *Portal) home(c *fiber.Ctx) error {
	t := tenantOf(web.SiteOf(c))
	if all := t.Products(); len(all) == 1 {
		return p.showEntry(c, all[0])
	}
	say := web.Printer(c)
	v := homeView{Title: t.Theme().Greeting.In(say.Locale()), Lead: t.Theme().Lead.In(say.Locale())}
	for _, item := range t.Products() {
		card, err := p.card(c, t, item, say)
		if err != nil {
			return err
		}
		v.Cards = append(v.Cards, card)
	}
	return web.Render(c, fiber.StatusOK, homePage(v))
}

// shortLink is the entry of a product by its short link (req B12).
func (p *Portal) shortLink(c *fiber.Ctx) error {
	item, ok := tenantOf(web.SiteOf(c)).ShortLink(c.Params("slug"))
	if !ok {
		return fault.New(fault.NotFound, "portal.no_product")
	}
	return p.showEntry(c, item)
}

// createOrder is the entry of a product by its code (req K4).
func (p *Portal) createOrder(c *fiber.Ctx) error {
	item, ok := tenantOf(web.SiteOf(c)).Product(c.Query("productCode"))
	if !ok {
		return fault.New(fault.NotFound, "portal.no_product")
	}
	return p.showEntry(c, item)
}

// entryPath is where a product's order begins.
func entryPath(item tenant.Product) string {
	if item.Slug != "" {
		return "/s/" + item.Slug
	}
	return "/createOrder?productCode=" + url.QueryEscape(item.Code)
}

// showEntry is a product's first page: who it is for, what it costs, what to have at hand, how it goes, one button.
func (p *Portal) showEntry(c *fiber.Ctx, item tenant.Product) error {
	t, say := tenantOf(web.SiteOf(c)), web.Printer(c)
	v, err := tenant.Derive(t, "portal/entry/"+item.Code+"/"+say.Locale(), func() (entryView, error) { return p.entryOf(c, t, item, say) })
	if err != nil {
		return err
	}
	next := "?next=" + url.QueryEscape(entryPath(item))
	switch {
	case who(c) != uuid.Nil:
	case item.Account == "register_first":
		v.Register, v.Login = "/register"+next, "/login"+next
	case slices.Contains(aboutOld, item.Service): // what is known of the key comes with the login
		v.Login = "/login" + next
	}
	drafts, err := p.Orders.Drafts(c.UserContext(), t.ID(), item.Code)
	if err != nil {
		return err
	}
	if len(drafts) > 0 {
		d := drafts[0]
		w, err := p.place(c.UserContext(), d)
		if err != nil {
			return err
		}
		v.Resume, v.Draft = fillURL(d, firstStep(w)), say.T("portal.draft_of", "Number", d.Number, "Time", ui.DateTime(d.UpdatedAt))
	}
	return web.Render(c, fiber.StatusOK, entryPage(v))
}

// entryOf is the page as far as it is the same for every reader.
func (p *Portal) entryOf(c *fiber.Ctx, t *tenant.Tenant, item tenant.Product, say i18n.Printer) (entryView, error) {
	card, err := p.card(c, t, item, say)
	if err != nil {
		return entryView{}, err
	}
	l := say.Locale()
	v := entryView{Card: card, Kicker: t.Theme().Greeting.In(l), Lead: t.Theme().Lead.In(l), Audience: item.Audience.In(l),
		Have: atHand(t, item, say), Journey: journey(item, "", say), Guide: "/guide/" + url.PathEscape(item.Code), Code: item.Code}
	for _, tip := range item.Tips {
		v.Tips = append(v.Tips, tip.In(l))
	}
	for _, key := range item.Eligibility.Confirm {
		if fd, ok := item.Form.Field(key); ok {
			v.Conditions = append(v.Conditions, fd.Label.In(l))
		}
	}
	v.Facts = entryFacts(t, item, say)
	return v, nil
}

// card is a product in a few words, with what an order of one costs.
func (p *Portal) card(c *fiber.Ctx, t *tenant.Tenant, item tenant.Product, say i18n.Printer) (productCard, error) {
	return tenant.Derive(t, "portal/card/"+item.Code+"/"+say.Locale(), func() (productCard, error) { return p.cardOf(c, t, item, say) })
}

func (p *Portal) cardOf(c *fiber.Ctx, t *tenant.Tenant, item tenant.Product, say i18n.Printer) (productCard, error) {
	l := say.Locale()
	v := productCard{Name: item.Name.In(l), Summary: item.Summary.In(l), Href: entryPath(item)}
	if item.Free() {
		v.Price = say.T("portal.free")
		return v, nil
	}
	first := item.Form.Initial(form.Env{Now: p.Clock.Now()})
	var low, high *rules.Quote
	states := tenant.Facts["old_key"] // what it costs may depend on the key the applicant holds
	if !t.Asks(item, "old_key") {
		states = states[:1]
	}
	for _, state := range states {
		q, err := p.Rules.Price(c.UserContext(), t.Case(item, first, map[string]string{"old_key": state}))
		if err != nil {
			continue // not sold in that case
		}
		if low == nil || q.TotalFen < low.TotalFen {
			low = &q
		}
		if high == nil || q.TotalFen > high.TotalFen {
			high = &q
		}
	}
	if low == nil {
		return v, fmt.Errorf("portal: %s has no price", item.Code)
	}
	v.Price = ui.Money(low.TotalFen)
	if high.TotalFen > low.TotalFen {
		v.Price = say.T("portal.from_price", "Price", v.Price)
	}
	for _, line := range low.Lines {
		v.Whys = append(v.Whys, line.Why.In(l))
	}
	return v, nil
}

// atHand is what the applicant should have before him, read off the form.
func atHand(t *tenant.Tenant, item tenant.Product, say i18n.Printer) []string {
	var out []string
	first := item.Form.Initial(form.Env{})
	shown := item.Form.Visible(first, nil)
	for fd := range item.FormAt("order").Fields() {
		if fd.Type == form.Image && shown[fd.Key] {
			out = append(out, fd.Label.In(say.Locale()))
		}
	}
	if id, ok := item.LetterFor(first, nil); ok {
		if l, _ := t.Letter(id); l.Seal != "signature" {
			out = append(out, say.T("portal.have_seal"))
		}
	}
	if item.Fulfilment == "install" {
		out = append(out, say.T("portal.have_key"))
	}
	return append(out, say.T("portal.have_phone"))
}

// entryFacts are term, time and way of receiving at a glance.
func entryFacts(t *tenant.Tenant, item tenant.Product, say i18n.Printer) []ui.Datum {
	var out []ui.Datum
	if item.Issues() {
		out = append(out, ui.Datum{Label: say.T("portal.term"), Value: say.T("portal.years", "Years", max(item.Term.Default, 1))})
	}
	if d := item.Review.SLAWorkdays; d > 0 {
		out = append(out, ui.Datum{Label: say.T("portal.takes"), Value: say.T("portal.workdays", "Days", d)})
	}
	out = append(out, ui.Datum{Label: say.T("portal.receive"), Value: say.T("portal.receive_" + item.Fulfilment)})
	return append(out, ui.Datum{Label: say.T("portal.served_by"), Value: t.Operator().In(say.Locale())})
}
