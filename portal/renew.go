package portal

import (
	"errors"
	"slices"
	"strings"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/account"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/issuance"
	"certsaas/core/order"
	"certsaas/core/reminder"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// routesRenew is the route table of reminders' links and of the renewal they lead to.
func (p *Portal) routesRenew() []web.Route {
	if p.Reminders == nil {
		return nil
	}
	return append(p.routesContact(), []web.Route{
		{Method: fiber.MethodGet, Path: "/r/:token", Handler: p.showDoor},
		{Method: fiber.MethodPost, Path: "/r/:token", Handler: p.enter},
		{Method: fiber.MethodPost, Path: "/r/:token/code", Handler: p.doorCode},
		{Method: fiber.MethodGet, Path: "/renew/:certificate", Action: authz.OrderEdit, Handler: p.showRenewal},
		{Method: fiber.MethodPost, Path: "/renew/:certificate", Action: authz.OrderEdit, Handler: p.confirmRenewal},
	}...)
}

// door reads a link and what its page shows.
func (p *Portal) door(c *fiber.Ctx) (reminder.Link, renewDoor, error) {
	l, err := p.Reminders.OpenLink(c.UserContext(), web.SiteOf(c).Tenant, c.Params("token"))
	v := renewDoor{URL: "/r/" + c.Params("token"), Company: l.Company, Closed: l.Closed, Reached: l.Mobile() != ""}
	return l, v, err
}

// unknown answers a link that nobody was given.
func unknown(c *fiber.Ctx, err error) error {
	if !errors.Is(err, fault.NotFound) {
		return err
	}
	return web.Render(c, fiber.StatusNotFound, renewUnknownPage())
}

// showDoor is the link's page. Who is logged in as the certificate's holder goes on at once. The address is a secret that other
// sites are not told (Referrer-Policy same-origin, as everywhere; no-referrer would blank the form's Origin as well).
func (p *Portal) showDoor(c *fiber.Ctx) error {
	l, v, err := p.door(c)
	if err != nil {
		return unknown(c, err)
	}
	if v.Closed == "" && l.Account != uuid.Nil && who(c) == l.Account {
		return web.Redirect(c, "/renew/"+l.Certificate.String())
	}
	return web.Render(c, fiber.StatusOK, renewDoorPage(v))
}

// sendDoorCode sends the login code to the mobile that the certificate's holder registered, whoever asks for it.
func (p *Portal) sendDoorCode(c *fiber.Ctx, l reminder.Link) (int, error) {
	if l.Closed != "" || l.Mobile() == "" {
		return 0, fault.New(fault.Conflict, "reminder.not_renewable")
	}
	return p.sendCode(c, account.PurposeLogin, l.Mobile(), uuid.Nil, nil)
}

func (p *Portal) doorCode(c *fiber.Ctx) error {
	l, _, err := p.door(c)
	if err != nil {
		return err
	}
	seconds, err := p.sendDoorCode(c, l)
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"seconds": seconds, "message": web.Printer(c).T("renew.code_sent")})
}

// enter takes the code, begins a session and leads to the renewal.
func (p *Portal) enter(c *fiber.Ctx) error {
	l, v, err := p.door(c)
	if err != nil {
		return unknown(c, err)
	}
	if v.Closed != "" || !v.Reached {
		return web.Render(c, fiber.StatusOK, renewDoorPage(v))
	}
	if c.FormValue("_step") == "send" {
		if v.Seconds, err = p.sendDoorCode(c, l); err != nil {
			return web.Retry(c, err, renewDoorPage(v))
		}
		v.Sent = true
		return web.Render(c, fiber.StatusOK, renewDoorPage(v))
	}
	proof := account.Proof{Purpose: account.PurposeLogin, Mobile: l.Mobile(), Code: c.FormValue("code"), Client: p.client(c)}
	ses, err := p.Accounts.LoginByCode(c.UserContext(), web.SiteOf(c).Tenant, proof, p.Server.SessionToken(c))
	if err != nil {
		return web.Retry(c, err, renewDoorPage(v))
	}
	p.Server.SetSession(c, ses.Token, account.AbsoluteLimit)
	return web.Redirect(c, "/renew/"+l.Certificate.String())
}

// waitingRenewal is where the renewal stands that was opened for a certificate by itself, "" when there is none: nobody
// begins a second one for the same key.
func (p *Portal) waitingRenewal(c *fiber.Ctx, item tenant.Product, old *issuance.Certificate) (string, error) {
	if p.Reminders == nil || old == nil || item.Service != tenant.Renewal || old.Account != who(c) {
		return "", nil
	}
	id, err := p.Reminders.Waiting(c.UserContext(), web.SiteOf(c).Tenant, old.ID)
	if err != nil || id == uuid.Nil {
		return "", err
	}
	return "/renew/" + old.ID.String(), nil
}

func redirectOr(c *fiber.Ctx, path string, err error) error {
	if err != nil {
		return err
	}
	return web.Redirect(c, path)
}

// renewing is a renewal in the hands of its holder, with what stands between it and handing it in.
type renewing struct {
	filling
	offer    reminder.Offer
	problems []fault.Field
}

func (p *Portal) renewing(c *fiber.Ctx) (renewing, error) {
	id, err := uuid.Parse(c.Params("certificate"))
	if err != nil {
		return renewing{}, fault.New(fault.NotFound, "reminder.no_link")
	}
	r := renewing{filling: filling{say: web.Printer(c)}}
	if r.offer, err = p.Reminders.Renew(c.UserContext(), web.SiteOf(c).Tenant, id); err != nil {
		return r, err
	}
	if r.offer.Gone {
		return r, fault.New(fault.NotFound, "reminder.product_gone")
	}
	if r.w, err = p.open(c.UserContext(), r.offer.Order.Tenant, r.offer.Order.ID); err != nil {
		return r, err
	}
	if r.w.State != order.Draft {
		return r, errElsewhere
	}
	_, err = p.Orders.Ready(c.UserContext(), r.w.Tenant, r.w.ID)
	if flt := fault.From(err); flt != nil && flt.Kind == fault.Invalid {
		r.problems, err = flt.Fields, nil
	}
	return r, err
}

// promises are the ticks that are missing; elsewhere are the other problems.
func (r renewing) promises() (promises []form.Field, elsewhere []fault.Field) {
	for _, pr := range r.problems {
		if fd, ok := r.w.Item.Form.Field(pr.Name); ok && fd.Type == form.Checkbox {
			promises = append(promises, fd)
			continue
		}
		elsewhere = append(elsewhere, pr)
	}
	return promises, elsewhere
}

// showRenewal asks whether last time's details are still correct, and says what renewing today gives.
func (p *Portal) showRenewal(c *fiber.Ctx) error {
	r, err := p.renewing(c)
	if errors.Is(err, errElsewhere) {
		return web.Redirect(c, after(r.w.Order))
	}
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, renewPage(p.renewView(c, r)))
}

func (p *Portal) renewView(c *fiber.Ctx, r renewing) renewView {
	first := r.w.Item.StepsAt("order")[0].ID
	v := renewView{confirmView: p.confirmView(c, r.filling), Term: termNotice(r), Form: fillURL(r.w.Order, first), Early: r.offer.Renewal.State == clock.RenewalEarly,
		Confirm: r.say.T("renew.confirm")}
	v.Journey, v.URL = journey(r.w.Item, "fill:"+first, r.say), "/renew/"+r.w.OldCertificate.String()
	if r.w.TotalFen == 0 || r.w.Item.Free() {
		v.Confirm = r.say.T("renew.confirm_free")
	}
	if told := r.offer.ToldFen; told != nil {
		v.Price = &ui.NoticeProps{Tone: ui.Warn, Title: r.say.T("renew.price_changed"), Text: r.say.T("renew.price_was", "Was", ui.Money(*told), "Now", ui.Money(r.w.TotalFen))}
	}
	promises, elsewhere := r.promises()
	for _, fd := range promises {
		v.Ticks = append(v.Ticks, ui.FieldProps{Kind: ui.CheckboxField, Name: fd.Key, Label: fd.Label.In(r.say.Locale()), Required: true})
	}
	if len(elsewhere) > 0 {
		step, ok := stepOf(r.w.Item, elsewhere)
		if !ok {
			step = first
		}
		v.Needs, v.Missing = r.names(elsewhere), fillURL(r.w.Order, step)+"?check=1"
	}
	v.confirmView.Price.Action = goOn(v, r.say, ui.Primary)
	return v
}

// goOn is the one way on from a renewal: give what is missing, or hand it in; nil while it is too early.
func goOn(v renewView, say i18n.Printer, kind ui.ButtonKind) templ.Component {
	switch {
	case v.Needs != "":
		return ui.Button(ui.ButtonProps{Label: say.T("renew.complete"), Kind: kind, Large: true, Href: v.Missing})
	case v.Early:
		return nil
	}
	return ui.Button(ui.ButtonProps{Label: v.Confirm, Kind: kind, Large: true, Form: "renew"})
}

// names lists fields by their labels.
func (r renewing) names(fields []fault.Field) string {
	var names []string
	for _, x := range fields {
		name := r.say.Format(x.ID, x.Args)
		if fd, ok := r.w.Item.Form.Field(x.Name); ok {
			name = fd.Label.In(r.say.Locale())
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	sep := "、"
	if r.say.Locale() == i18n.EN {
		sep = ", "
	}
	return strings.Join(names, sep)
}

// termNotice says plainly what renewing today gives, or what lateness costs.
func termNotice(r renewing) ui.NoticeProps {
	o := r.offer
	days := clock.DaysBetween(clock.CivilDate(o.NotAfter, clock.Shanghai), clock.CivilDate(o.Renewal.NotBefore, clock.Shanghai))
	kind, tone := "open", ui.Info
	switch o.Renewal.State {
	case clock.RenewalCarry:
		kind, tone = "carry", ui.Good
	case clock.RenewalExpired:
		kind, tone = "late", ui.Warn
	case clock.RenewalRevet:
		kind, tone = "revet", ui.Warn
	case clock.RenewalEarly:
		kind, days = "early", r.w.Item.Window.OpenDays
	}
	args := []any{"Old", ui.Date(o.NotAfter), "To", ui.Date(o.Renewal.NotAfter), "Days", days, "Years", max(r.w.TermYears, 1)}
	return ui.NoticeProps{Tone: tone, Title: r.say.T("renew."+kind, args...), Text: r.say.T("renew."+kind+"_why", args...)}
}

// confirmRenewal takes the promises and hands the renewal in; a product that wants its agreement ticked or a code goes there.
func (p *Portal) confirmRenewal(c *fiber.Ctx) error {
	r, err := p.renewing(c)
	if errors.Is(err, errElsewhere) {
		return web.Redirect(c, after(r.w.Order))
	}
	if err != nil {
		return err
	}
	promises, elsewhere := r.promises()
	var missing []fault.Field
	for _, fd := range promises {
		if c.FormValue(fd.Key) != "yes" {
			missing = append(missing, fault.At(fd.Key, "order.must_agree"))
		}
	}
	if len(elsewhere) > 0 || r.offer.Renewal.State == clock.RenewalEarly {
		return web.Redirect(c, "/renew/"+r.w.OldCertificate.String())
	}
	if len(missing) > 0 {
		return web.Retry(c, fault.InvalidFields(missing...), renewPage(p.renewView(c, r)))
	}
	if err := p.promise(c, r, promises); err != nil {
		return err
	}
	if r.w.Item.Confirm.Page {
		return web.Redirect(c, "/orders/"+r.w.ID.String()+"/confirm")
	}
	o, err := p.Orders.Submit(c.UserContext(), r.w.Tenant, r.w.ID, order.Submission{Agreed: agreed(r.filling)})
	if err != nil {
		return p.elsewhere(c, r.filling, err)
	}
	if err := p.Reminders.Confirmed(c.UserContext(), o); err != nil {
		return err
	}
	return web.Redirect(c, after(o))
}

// promise stores the ticks with the answers of their steps.
func (p *Portal) promise(c *fiber.Ctx, r renewing, promises []form.Field) error {
	for _, st := range r.w.Item.StepsAt("order") {
		part := r.w.Item.Form.Steps(st.ID)
		typed, any := form.Answers{}, false
		for fd := range part.Fields() {
			typed[fd.Key] = r.w.Answers[fd.Key]
		}
		for _, fd := range promises {
			if _, here := part.Field(fd.Key); here {
				typed[fd.Key], any = "yes", true
			}
		}
		if !any {
			continue
		}
		if _, _, err := p.Orders.SaveStep(c.UserContext(), r.w.Tenant, r.w.ID, st.ID, typed); err != nil {
			return err
		}
	}
	return nil
}
