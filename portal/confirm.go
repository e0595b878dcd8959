package portal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/account"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/identifier"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// confirming is an order that is filled in and about to be handed in.
func (p *Portal) confirming(c *fiber.Ctx) (filling, error) {
	w, err := p.open(c.UserContext(), web.SiteOf(c).Tenant, orderID(c))
	if err != nil {
		return filling{}, err
	}
	f := filling{w: w, say: web.Printer(c)}
	if w.State != order.Draft {
		return f, errElsewhere
	}
	_, err = p.Orders.Ready(c.UserContext(), w.Tenant, w.ID)
	return f, err
}

// elsewhere leads away from the confirmation when the order is not there yet, or no longer.
func (p *Portal) elsewhere(c *fiber.Ctx, f filling, err error) error {
	flt := fault.From(err)
	switch {
	case errors.Is(err, errElsewhere) && f.w.State == order.Rejected:
		return web.Redirect(c, fillURL(f.w.Order, firstStep(f.w)))
	case errors.Is(err, errElsewhere):
		return web.Redirect(c, after(f.w.Order))
	case flt != nil && flt.ID == "order.price_changed": // the page showed the old price: look at the new one first
		web.Flash(c, ui.Warn, flt.ID)
		if f.w.Item.Confirm.Page {
			return web.Redirect(c, "/orders/"+f.w.ID.String()+"/confirm")
		}
		return web.Redirect(c, fillURL(f.w.Order, lastStep(f.w)))
	case flt == nil || flt.Kind != fault.Invalid:
		return err
	}
	steps := f.w.Item.StepsAt("order")
	step, ok := stepOf(f.w.Item, flt.Fields)
	if !ok {
		step = steps[len(steps)-1].ID
	}
	return web.Redirect(c, fillURL(f.w.Order, step)+"?check=1")
}

// showConfirm repeats what was filled in (req K31).
func (p *Portal) showConfirm(c *fiber.Ctx) error {
	f, err := p.confirming(c)
	if err != nil {
		return p.elsewhere(c, f, err)
	}
	return web.Render(c, fiber.StatusOK, confirmPage(p.confirmView(c, f)))
}

// confirmView is the page that repeats the data, and the one that asks for the code.
func (p *Portal) confirmView(c *fiber.Ctx, f filling) confirmView {
	v := confirmView{Kicker: f.w.Item.Name.In(f.say.Locale()), Journey: journey(f.w.Item, stageConfirm, f.say), Back: fillURL(f.w.Order, lastStep(f.w)),
		URL: "/orders/" + f.w.ID.String() + "/confirm", Price: p.priceOf(c.UserContext(), f), Agreed: c.FormValue("agree") == "yes",
		Code: f.w.Item.Confirm.Code, Mobile: identifier.MaskMobile(f.w.Mobile()), Seconds: int(f.w.Item.Confirm.CodeTTL.Seconds())}
	v.Price.Saved = ""
	if !v.Code {
		v.Price.Action = ui.Button(ui.ButtonProps{Label: f.say.T("portal.confirm_do"), Kind: ui.Primary, Large: true, Form: "confirm"})
	} else {
		v.Price.Action = ui.Button(ui.ButtonProps{Label: f.say.T("portal.confirm_ok"), Kind: ui.Primary, Large: true, Form: "confirm"})
	}
	if a, ok := f.w.Site.Agreement(f.w.Item.Confirm.Agreement); ok {
		v.Agreement = &agreementView{Title: a.Title.In(f.say.Locale()), Version: a.Version}
		for _, par := range a.Body {
			v.Agreement.Body = append(v.Agreement.Body, par.In(f.say.Locale()))
		}
	}
	for _, st := range f.w.Item.StepsAt("order") {
		s := p.sheet(f.w, st.ID, f.say)
		for _, g := range s.part.Groups {
			part := confirmPart{Title: s.in(g.Title)}
			for _, fd := range g.Fields {
				if s.visible[fd.Key] {
					d := s.datum(fd)
					if !fd.ReadOnly {
						d.Change = fillURL(f.w.Order, st.ID) + "#" + ui.FieldID(fd.Key)
					}
					part.Data = append(part.Data, d)
				}
			}
			if len(part.Data) > 0 {
				v.Parts = append(v.Parts, part)
			}
		}
	}
	return v
}

func lastStep(w placed) string {
	steps := w.Item.StepsAt("order")
	return steps[len(steps)-1].ID
}

// confirm takes the tick (req K33), asks for the code that goes to the handler's mobile (req K34 K35), and hands the
// order in with it.
func (p *Portal) confirm(c *fiber.Ctx) error {
	f, err := p.confirming(c)
	if err != nil {
		return p.elsewhere(c, f, err)
	}
	v := p.confirmView(c, f)
	if v.Agreement != nil && !v.Agreed {
		return web.Retry(c, fault.InvalidFields(fault.At("agree", "order.must_agree")), confirmPage(v))
	}
	if !v.Code {
		o, err := p.Orders.Submit(c.UserContext(), f.w.Tenant, f.w.ID, order.Submission{Agreed: agreed(f)})
		if err != nil {
			return p.elsewhere(c, f, err)
		}
		return web.Redirect(c, after(o))
	}
	switch c.FormValue("_step") {
	case "send":
		v.Wait, err = p.sendCode(c, account.PurposeOrder, f.w.Mobile(), f.w.ID, &f.w.Item)
		if err != nil {
			return web.Retry(c, err, verifyPage(v))
		}
		v.Sent = true
		return web.Render(c, fiber.StatusOK, verifyPage(v))
	case "submit":
		return p.handIn(c, f, v)
	}
	return web.Render(c, fiber.StatusOK, verifyPage(v))
}

// orderCode answers the button that sends the confirmation code (req K35 K36).
func (p *Portal) orderCode(c *fiber.Ctx) error {
	f, err := p.confirming(c)
	if err != nil {
		return gone(err)
	}
	seconds, err := p.sendCode(c, account.PurposeOrder, f.w.Mobile(), f.w.ID, &f.w.Item)
	if err != nil {
		return err
	}
	return codeSent(c, seconds)
}

// handIn spends the code and submits. A visitor is logged in by it: the mobile is his from now on (req K10 K42).
func (p *Portal) handIn(c *fiber.Ctx, f filling, v confirmView) error {
	ctx, sub := c.UserContext(), order.Submission{Agreed: agreed(f)}
	proof := account.Proof{Purpose: account.PurposeOrder, Mobile: f.w.Mobile(), Code: c.FormValue("code"), Client: p.client(c), Order: f.w.ID}
	if f.w.Account != uuid.Nil || who(c) != uuid.Nil {
		err := p.Accounts.WithCode(ctx, f.w.Tenant, proof, func(context.Context, *db.Tx, string) error { return nil })
		if err != nil {
			return web.Retry(c, err, verifyPage(v))
		}
		sub.Account = who(c)
	} else {
		ses, err := p.Accounts.ConfirmOrder(ctx, f.w.Tenant, proof, p.Server.SessionToken(c))
		if err != nil {
			return web.Retry(c, err, verifyPage(v))
		}
		p.Server.SetSession(c, ses.Token, account.AbsoluteLimit)
		sub.Account, ctx = ses.Account.ID, authz.WithPrincipal(ctx, ses.Account.Principal())
	}
	o, err := p.Orders.Submit(ctx, f.w.Tenant, f.w.ID, sub)
	if err != nil {
		return p.elsewhere(c, f, err)
	}
	return web.Redirect(c, after(o))
}

// agreed names the agreement that was ticked, with the digest of its text.
func agreed(f filling) string {
	id := f.w.Item.Confirm.Agreement
	a, ok := f.w.Site.Agreement(id)
	if !ok {
		return ""
	}
	return id + " " + a.Version + " " + digest(a)
}

func digest(a tenant.Agreement) string {
	h := sha256.New()
	for _, par := range a.Body {
		h.Write([]byte(par.In("zh-CN")))
		h.Write([]byte{'\n'})
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}
