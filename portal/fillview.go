package portal

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
	"certsaas/core/order"
	"certsaas/core/rules"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// formView is the page of a step; hints names the warnings it shows before going on, "" for none.
func (p *Portal) formView(c *fiber.Ctx, f filling, s *sheet, hints string) formView {
	l := f.say.Locale()
	p.withLetter(c, f, s)
	v := formView{
		Title: f.step.Title.In(l), Kicker: f.w.Item.Name.In(l), URL: f.url(), Journey: journey(f.w.Item, "fill:"+f.step.ID, f.say),
		Next: f.step.Next.In(l), Carried: s.carried(), Facts: s.facts(), Mirrors: s.mirrors(),
		Files: s.hasFiles(), Seen: hints, Hints: hints != "", Price: p.priceOf(c.UserContext(), f),
	}
	v.Sections, v.Settled = apart(s.sections())
	if v.Next == "" {
		v.Next = f.say.T("portal.next")
	}
	steps := f.w.Item.StepsAt("order")
	for i, st := range steps {
		if st.ID == f.step.ID && i > 0 {
			v.Back = ui.Link{Label: steps[i-1].Title.In(l), Href: fillURL(f.w.Order, steps[i-1].ID)}
		}
	}
	if f.w.State == order.Rejected {
		v.Title, v.Lead, v.Journey = f.say.T("portal.correct"), f.say.T("portal.correct_lead"), wayOf(f.w.Order, f.w.Item, f.say)
		v.Back = ui.Link{Label: f.say.T("portal.to_order"), Href: "/orders/" + f.w.ID.String()}
		if _, more := nextStep(f.w, f.step.ID); !more {
			v.Next = f.say.T("portal.resubmit")
		}
	} else if p.signedIn(c) {
		v.Later = ui.Link{Label: f.say.T("portal.later"), Href: "/orders"}
	}
	v.Price.Action = ui.Button(ui.ButtonProps{Label: v.Next, Kind: ui.Primary, Large: true, Form: "order"})
	return v
}

// apart takes the sections in which nothing may change any more out of a page's sections and numbers the rest anew.
func apart(all []section) (open, settled []section) {
	no := 0
	for _, s := range all {
		if len(s.Parts) == 0 {
			settled = append(settled, s)
			continue
		}
		if !s.Hidden {
			no++
		}
		s.No = max(no, 1)
		open = append(open, s)
	}
	return open, settled
}

func (p *Portal) signedIn(c *fiber.Ctx) bool { return web.PageOf(c).SignedIn() }

// priceOf is the summary beside the form.
func (p *Portal) priceOf(ctx context.Context, f filling) ui.PriceProps {
	v := p.priceLines(ctx, f, f.w.Lines, f.w.TotalFen)
	v.Saved = f.say.T("portal.saved", "Time", clockTime(f.w.UpdatedAt))
	return v
}

// priceLines is a price with its reasons.
func (p *Portal) priceLines(ctx context.Context, f filling, lines []rules.Line, total int64) ui.PriceProps {
	l := f.say.Locale()
	v := ui.PriceProps{Title: f.w.Item.Name.In(l), Total: total, Paid: f.w.PaidAt != nil}
	v.Facts = append(v.Facts, ui.Pair{Label: f.say.T("portal.order_number"), Value: f.w.Number})
	for _, x := range lines {
		v.Lines = append(v.Lines, ui.PriceLine{Label: x.Label.In(l), Why: x.Why.In(l), Fen: x.AmountFen})
	}
	if f.w.Item.Free() {
		v.Lines = append(v.Lines, ui.PriceLine{Label: f.w.Item.Name.In(l), Words: f.say.T("portal.free")})
	}
	if freight := p.freightOf(ctx, f); freight != "" {
		v.Lines = append(v.Lines, ui.PriceLine{Label: f.say.T("portal.freight"), Words: freight})
	}
	return v
}

// freightOf says who pays the chosen way of sending, when something is sent and it costs nothing here (req B28 B29 K25).
func (p *Portal) freightOf(ctx context.Context, f filling) string {
	d, err := p.Rules.Delivery(ctx, f.w.Site.Case(f.w.Item, f.w.Answers, f.w.Facts))
	if err != nil || !d.Needed {
		return ""
	}
	for _, o := range f.w.Item.Delivery.Options {
		if o.Code == f.w.Answers["carrier"] && o.Payer != "applicant" {
			return f.say.T("portal.freight_" + o.Payer)
		}
	}
	return ""
}

// price answers the form's script: the price of what is typed now, with its reasons.
func (p *Portal) price(c *fiber.Ctx) error {
	f, err := p.filling(c)
	if err != nil {
		return gone(err)
	}
	answers := typed(c, f.w, f.step.ID, "")
	for k, v := range f.w.Answers {
		if _, there := answers[k]; !there {
			answers[k] = v
		}
	}
	q, err := p.Rules.Price(c.UserContext(), f.w.Site.Case(f.w.Item, answers, f.w.Facts))
	if err != nil {
		return err
	}
	f.w.Answers = answers
	return web.Render(c, fiber.StatusOK, ui.PriceLines(p.priceLines(c.UserContext(), f, q.Lines, q.TotalFen)))
}

// draft stores the page while it is being filled in.
func (p *Portal) draft(c *fiber.Ctx) error {
	f, err := p.filling(c)
	if err != nil {
		return gone(err)
	}
	if _, err := p.store(c, &f, typed(c, f.w, f.step.ID, "")); err != nil {
		return err
	}
	c.Set("X-Saved", url.PathEscape(f.say.T("portal.saved", "Time", clockTime(f.w.UpdatedAt))))
	return c.SendStatus(fiber.StatusNoContent)
}

// clockTime is the time of day in Shanghai: 14:32.
func clockTime(t time.Time) string { return t.In(ui.Shanghai).Format("15:04") }

// gone tells a script that what it asks about has moved on.
func gone(err error) error {
	if errors.Is(err, errElsewhere) {
		return fault.New(fault.Conflict, "order.locked")
	}
	return err
}
