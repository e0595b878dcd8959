package portal

import (
	"cmp"
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/issuance"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// aboutOld are the services that are about a certificate the applicant holds already.
var aboutOld = []string{tenant.Renewal, tenant.Replacement, tenant.Change, tenant.Unlock, tenant.Revocation}

// startOrder opens an order for the product that was chosen and leads to its form.
func (p *Portal) startOrder(c *fiber.Ctx) error {
	t := tenantOf(web.SiteOf(c))
	item, ok := t.Product(c.FormValue("product"))
	if !ok {
		return fault.New(fault.NotFound, "portal.no_product")
	}
	account := who(c)
	if account == uuid.Nil && item.Account == "register_first" {
		return web.Redirect(c, "/login?next="+url.QueryEscape(entryPath(item)))
	}
	held, err := p.held(c, t, item)
	if err != nil {
		return err
	}
	old, asked := chosen(held, c.FormValue("certificate"))
	if asked {
		return web.Render(c, fiber.StatusOK, choosePage(p.chooseView(item, held, web.Printer(c))))
	}
	if old != nil && p.early(item, *old) {
		web.Flash(c, ui.Warn, "portal.too_early", "Date", ui.Date(clock.RenewalOpensAt(old.NotAfter, policy(item))), "Until", ui.Date(old.NotAfter))
		return web.Redirect(c, entryPath(item))
	}
	if waiting, err := p.waitingRenewal(c, item, old); err != nil || waiting != "" {
		return redirectOr(c, waiting, err)
	}
	last, err := p.lastOrder(c, account)
	if err != nil {
		return err
	}
	mobile, err := p.mobileOf(c.UserContext(), t.ID(), account)
	if err != nil {
		return err
	}
	b := order.Begin{Tenant: t, Product: item, Account: account, Source: source(mobile, old)}
	if account == uuid.Nil {
		b.Visitor = visitorHash(p.browser(c))
	}
	if old != nil {
		b.OldCertificate = old.ID
	}
	o, err := p.Orders.Start(c.UserContext(), b)
	if err != nil {
		return err
	}
	if err := p.prefill(c, o, item, last); err != nil {
		return err
	}
	return web.Redirect(c, fillURL(o, item.StepsAt("order")[0].ID))
}

// held lists the certificates of the caller that the product can be about, those that end first first.
func (p *Portal) held(c *fiber.Ctx, t *tenant.Tenant, item tenant.Product) ([]issuance.Certificate, error) {
	account := who(c)
	if account == uuid.Nil || !slices.Contains(aboutOld, item.Service) {
		return nil, nil
	}
	mobile, err := p.mobileOf(c.UserContext(), t.ID(), account)
	if err != nil {
		return nil, err
	}
	var all []issuance.Certificate
	err = p.DB.WithTenant(c.UserContext(), t.ID(), func(ctx context.Context, tx *db.Tx) error {
		own, err := p.Issuance.Held(ctx, tx, account)
		if err != nil {
			return err
		}
		more, err := p.Issuance.HeldByMobile(ctx, tx, mobile)
		all = append(own, more...)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b issuance.Certificate) int {
		return cmp.Or(a.NotAfter.Compare(b.NotAfter), strings.Compare(a.ID.String(), b.ID.String()))
	})
	all = slices.CompactFunc(all, func(a, b issuance.Certificate) bool { return a.ID == b.ID })
	return slices.DeleteFunc(all, func(x issuance.Certificate) bool { return !concerns(t, item, x) }), nil
}

// concerns tells whether a product can be about a certificate.
func concerns(t *tenant.Tenant, item tenant.Product, x issuance.Certificate) bool {
	if x.State != issuance.Active && x.State != issuance.Issued {
		return false
	}
	if item.Service != tenant.Renewal {
		return true
	}
	made, known := t.Product(x.Product)
	return !known || made.RenewedBy == item.Code || made.Code == item.Code
}

// chosen is the certificate an order will be about: the only one there is, or the one that was picked from several. asked
// tells that the applicant must pick first. nil: none is known, the key itself will say.
func chosen(held []issuance.Certificate, picked string) (old *issuance.Certificate, asked bool) {
	switch {
	case len(held) == 0 || picked == "none":
		return nil, false
	case len(held) == 1:
		return &held[0], false
	}
	for i := range held {
		if held[i].ID.String() == picked {
			return &held[i], false
		}
	}
	return nil, true
}

// early tells whether a renewal is not open yet for a certificate (decision 12).
func (p *Portal) early(item tenant.Product, x issuance.Certificate) bool {
	return item.Service == tenant.Renewal && clock.RenewalWindow(p.Clock.Now(), x.NotAfter, policy(item)).State == clock.RenewalEarly
}

func policy(item tenant.Product) clock.RenewalPolicy {
	return clock.RenewalPolicy{OpenDays: item.Window.OpenDays, LateDays: item.Window.LateDays, CarryOver: item.Window.CarryOver, TermYears: max(item.Term.Default, 1)}
}

func (p *Portal) chooseView(item tenant.Product, held []issuance.Certificate, say i18n.Printer) chooseView {
	v := chooseView{Title: say.T("portal.choose_certificate"), Kicker: item.Name.In(say.Locale()), Code: item.Code, Back: entryPath(item)}
	for _, x := range held {
		name := x.Certificate.X509().Subject.CommonName
		ends := "portal.ends"
		if x.NotAfter.Before(p.Clock.Now()) {
			ends = "portal.ended"
		}
		help := say.T(ends, "Date", ui.Date(x.NotAfter))
		if x.TokenSerial != "" {
			help += " · " + say.T("portal.key_no", "Number", x.TokenSerial)
		}
		v.Options = append(v.Options, ui.Option{Value: x.ID.String(), Label: name, Help: help, Disabled: p.early(item, x)})
	}
	for _, o := range v.Options {
		if !o.Disabled && v.Chosen == "" {
			v.Chosen = o.Value
		}
	}
	v.Options = append(v.Options, ui.Option{Value: "none", Label: say.T("portal.other_key"), Help: say.T("portal.other_key_help")})
	return v
}

// source says where a new order's first values come from: the account, and the certificate it is about.
func source(mobile string, old *issuance.Certificate) func(string) string {
	return func(path string) string {
		if path == "account.mobile" {
			return mobile
		}
		if old == nil {
			return ""
		}
		subject := old.Certificate.X509().Subject
		switch path {
		case "cert.subject", "cert.common_name":
			return subject.CommonName
		case "cert.organization":
			return strings.Join(subject.Organization, " ")
		case "cert.serial":
			return strings.ToUpper(old.Certificate.X509().SerialNumber.Text(16))
		case "cert.token_serial", "order.old_key_serial":
			return old.TokenSerial
		case "cert.not_after":
			return ui.Date(old.NotAfter)
		}
		return ""
	}
}

// lastOrder is the caller's newest order that was handed in, nil when there is none.
func (p *Portal) lastOrder(c *fiber.Ctx, account uuid.UUID) (*order.Order, error) {
	if account == uuid.Nil {
		return nil, nil
	}
	all, _, err := p.Orders.List(c.UserContext(), web.SiteOf(c).Tenant, order.Filter{Account: account})
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].SubmittedAt != nil {
			return &all[i], nil
		}
	}
	return nil, nil
}

// prefill takes over what the last order said, so that nobody types it twice (WCAG 3.3.7). Pictures, promises and numbers
// of pieces are given anew each time.
func (p *Portal) prefill(c *fiber.Ctx, o order.Order, item tenant.Product, last *order.Order) error {
	if last == nil {
		return nil
	}
	for _, st := range item.StepsAt("order") {
		answers := form.Answers{}
		took := false
		for fd := range item.Form.Steps(st.ID).Fields() {
			answers[fd.Key] = o.Answers[fd.Key]
			v := last.Answers[fd.Key]
			if v == "" || fd.IsFile() || fd.ReadOnly || slices.Contains([]form.Type{form.Checkbox, form.Quantity, form.Date}, fd.Type) || strings.HasPrefix(fd.Source, "cert.") || fd.Key == "key_serial" {
				continue
			}
			if _, ok := fd.Choice(v); len(fd.Options) > 0 && !ok {
				continue
			}
			answers[fd.Key], took = v, true
		}
		if !took {
			continue
		}
		saved, _, err := p.Orders.SaveStep(c.UserContext(), o.Tenant, o.ID, st.ID, answers)
		if errors.Is(err, fault.Invalid) {
			continue
		}
		if err != nil {
			return err
		}
		o = saved
	}
	return nil
}
