package portal

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/issuance"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// heldView is 我的证书.
type heldView struct {
	Lead string
	Rows []heldRow
}

// heldRow is one certificate and what may be ordered for it.
type heldRow struct {
	ID       string
	Title    string // the holder
	State    string
	Tone     ui.Tone
	Data     []ui.Datum
	Note     string // why it cannot be renewed yet, or any more
	Services []service
	Contact  string // where it is given over to another mobile; "" when the reader's login does not hold it
}

// service is a product that can be ordered for a certificate.
type service struct{ Code, Label string }

// listCertificates shows the certificates the caller holds, the first to end first.
func (p *Portal) listCertificates(c *fiber.Ctx) error {
	me := who(c)
	if me == uuid.Nil {
		return fault.New(fault.Unauthenticated, "authz.login")
	}
	site, say := web.SiteOf(c), web.Printer(c)
	mobile, err := p.mobileOf(c.UserContext(), site.Tenant, me)
	if err != nil {
		return err
	}
	var held []issuance.Certificate
	err = p.DB.WithTenant(c.UserContext(), site.Tenant, func(ctx context.Context, tx *db.Tx) (err error) {
		if held, err = p.Issuance.Held(ctx, tx, me); err != nil {
			return err
		}
		more, err := p.Issuance.HeldByMobile(ctx, tx, mobile) // issued or imported before there was a login
		held = append(held, more...)
		return err
	})
	if err != nil {
		return err
	}
	slices.SortFunc(held, func(a, b issuance.Certificate) int {
		return cmp.Or(a.NotAfter.Compare(b.NotAfter), strings.Compare(a.ID.String(), b.ID.String()))
	})
	held = slices.CompactFunc(held, func(a, b issuance.Certificate) bool { return a.ID == b.ID })
	t := tenantOf(site)
	v := heldView{Lead: t.Names().Full.In(say.Locale())}
	for _, x := range held {
		row := heldRowOf(t, x, p.Clock.Now(), say)
		if p.Reminders != nil && x.Account == me {
			row.Contact = "/certificates/" + row.ID + "/contact"
		}
		v.Rows = append(v.Rows, row)
	}
	return web.Render(c, fiber.StatusOK, heldPage(v))
}

func heldRowOf(t *tenant.Tenant, x issuance.Certificate, now time.Time, say i18n.Printer) heldRow {
	l := say.Locale()
	item, _ := t.Product(x.Product)
	r := heldRow{ID: x.ID.String(), Title: x.Certificate.X509().Subject.CommonName}
	from := item.Name.In(l)
	if from == "" { // a product the tenant no longer sells
		from = x.Product
	}
	days := clock.DaysBetween(clock.CivilDate(now, clock.Shanghai), clock.CivilDate(x.NotAfter, clock.Shanghai))
	r.State, r.Tone = certificateWords(days, say)
	r.Data = []ui.Datum{
		{Label: say.T("after.product"), Value: from},
		{Label: say.T("after.validity"), Value: say.T("after.from_to", "From", ui.Date(x.NotBefore), "To", ui.Date(x.NotAfter))},
		{Label: say.T("after.serial"), Value: issuance.SerialOf(x.Serial), Mono: true},
	}
	if x.TokenSerial != "" {
		r.Data = append(r.Data, ui.Datum{Label: say.T("after.token"), Value: x.TokenSerial, Mono: true})
	}
	renewals(t, item, x, now, say, &r)
	for _, q := range t.Products() {
		if q.Service == tenant.Replacement || q.Service == tenant.Change || q.Service == tenant.Unlock || q.Service == tenant.Revocation {
			r.Services = append(r.Services, service{q.Code, q.Name.In(l)})
		}
	}
	return r
}

// renewals offers the renewal while its window is open, and otherwise says when it opens or that it has closed.
func renewals(t *tenant.Tenant, item tenant.Product, x issuance.Certificate, now time.Time, say i18n.Printer, r *heldRow) {
	next, ok := t.Product(item.RenewedBy)
	if !ok {
		return
	}
	policy := clock.RenewalPolicy{OpenDays: next.Window.OpenDays, CarryOver: next.Window.CarryOver, LateDays: next.Window.LateDays, TermYears: max(next.Term.Default, 1)}
	w := clock.RenewalWindow(now, x.NotAfter, policy)
	if w.State == clock.RenewalEarly {
		r.Note = say.T("after.cert.opens", "Date", ui.Date(clock.RenewalOpensAt(x.NotAfter, policy)))
		return
	}
	r.Services = append(r.Services, service{next.Code, say.T("after.cert.renew")})
	if now.Before(x.NotAfter) && next.Window.CarryOver {
		r.Note = say.T("after.cert.carry", "Date", ui.Date(w.NotAfter))
	}
}
