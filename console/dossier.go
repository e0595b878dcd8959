package console

import (
	"context"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/identifier"
	"certsaas/core/invoice"
	"certsaas/core/issuance"
	"certsaas/core/material"
	"certsaas/core/notify"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"

	"certsaas/core/delivery"
	"certsaas/core/review"
)

// dossier is an order with everything the staff's pages read beside it.
type dossier struct {
	order.Order
	House   house
	Site    *tenant.Tenant // the release the order was made under
	Item    tenant.Product
	Name    string // of the product, in the reader's language
	Facts   map[string]string
	Visible map[string]bool // fields the form shows
	Checked form.Result     // the form's check, once more, as of today
	Files   []material.File // live ones
	Keys    []order.Item
	Certs   []issuance.Certificate
	Ships   []delivery.Shipment
	Invoice *invoice.Invoice
	Rounds  []review.Round
	Line    []order.TimelineEntry
	Told    []notify.Told
	State   string
	Tone    ui.Tone
	Locale  string
	Yes     string          // a ticked box in words
	Shown   map[string]bool // personal fields that were revealed for this page
}

// path is the order's page, or one of its desks.
func (d *dossier) path(desk string) string { return orderPath(d.House.Slug, d.ID, desk) }

// file is the live file of a field.
func (d *dossier) file(field string) (material.File, bool) {
	for _, f := range d.Files {
		if f.Field == field {
			return f, true
		}
	}
	return material.File{}, false
}

// open reads an order for a member of staff who may see it.
func (k *Console) open(c *fiber.Ctx) (*dossier, error) {
	t, id, err := k.place(c, "id", "order.not_found")
	if err != nil {
		return nil, err
	}
	return k.dossierOf(c, houseOf(t, web.PageOf(c).Locale()), id)
}

// dossierOf reads an order of a tenant for a member of staff who may see it.
func (k *Console) dossierOf(c *fiber.Ctx, h house, id uuid.UUID) (*dossier, error) {
	o, err := k.Orders.Find(c.UserContext(), h.ID, id)
	if err != nil {
		return nil, err
	}
	locale := web.PageOf(c).Locale()
	d := &dossier{Order: o, House: h, Locale: locale, State: web.Printer(c).T("order.state." + string(o.State)), Tone: stateTone(o.State), Shown: map[string]bool{}, Yes: web.Printer(c).T("console.order.yes")}
	if d.Site, err = k.Tenants.At(c.UserContext(), o.Tenant, o.Release); err != nil {
		return nil, err
	}
	d.Item, _ = d.Site.Product(o.Product)
	d.Name = d.Item.Name.In(locale)
	err = k.inTenant(c.UserContext(), o.Tenant, func(ctx context.Context, tx *db.Tx) error { return k.fill(ctx, tx, d) })
	if err != nil {
		return nil, err
	}
	d.Visible = d.Item.Form.Visible(d.Answers, d.Facts)
	d.Checked = d.Item.Form.Check(d.Answers, k.stored(d))
	return d, nil
}

// stored is the environment in which stored answers are checked once more: what came from elsewhere is taken as stored.
func (k *Console) stored(d *dossier) form.Env {
	from := map[string]string{}
	for fd := range d.Item.Form.Fields() {
		for _, src := range fd.Sources() {
			from[src] = d.Answers[fd.Key]
		}
	}
	env := form.Env{Now: k.Clock.Now(), Facts: d.Facts, Source: func(path string) string { return from[path] }}
	for _, s := range d.Item.StepsAt("order") {
		env.Steps = append(env.Steps, s.ID)
	}
	return env
}

// fill reads what belongs to an order, in one transaction.
func (k *Console) fill(ctx context.Context, tx *db.Tx, d *dossier) (err error) {
	id := d.ID
	if d.Facts, err = k.Orders.Facts(ctx, tx, d.Order); err != nil {
		return err
	}
	if d.Files, err = k.Materials.List(ctx, tx, id); err != nil {
		return err
	}
	if d.Keys, err = order.Items(ctx, tx, id); err != nil {
		return err
	}
	if d.Certs, err = k.Issuance.Of(ctx, tx, id); err != nil {
		return err
	}
	if d.Ships, err = k.Delivery.List(ctx, tx, id); err != nil {
		return err
	}
	if d.Invoice, err = k.Invoices.Of(ctx, tx, id); err != nil {
		return err
	}
	if d.Rounds, err = k.Reviews.Rounds(ctx, tx, id); err != nil {
		return err
	}
	if d.Line, err = k.Orders.Timeline(ctx, tx, id); err != nil || k.Notify == nil {
		return err
	}
	d.Told, err = k.Notify.List(ctx, tx, id)
	return err
}

// mask hides personal data as far as the pack says: the field's mask, or all of it.
func mask(fd form.Field, value string) string {
	if value == "" || !fd.Personal || fd.Mask == "none" {
		return value
	}
	switch {
	case fd.Mask == "mobile", fd.Mask == "" && fd.Type == form.Mobile:
		return identifier.MaskMobile(value)
	case fd.Mask == "id":
		return identifier.MaskID(value)
	case fd.Mask == "name":
		return identifier.MaskName(value)
	case fd.Mask == "email", fd.Mask == "" && fd.Type == form.Email:
		return identifier.MaskEmail(value)
	}
	n := 0
	for range value {
		n++
	}
	return stars(n)
}

func stars(n int) string {
	const most = "************"
	return most[:min(n, len(most))]
}

// hidden tells whether a field's value is masked on this page.
func (d *dossier) hidden(fd form.Field) bool {
	return fd.Personal && fd.Mask != "none" && !d.Shown[fd.Key] && d.Answers[fd.Key] != ""
}

// shown is a value as this page shows it.
func (d *dossier) shown(fd form.Field, value string) string {
	if fd.Personal && !d.Shown[fd.Key] {
		return mask(fd, value)
	}
	if fd.Type == form.Checkbox && value == "yes" {
		return d.Yes
	}
	return fd.Display(d.Locale, value)
}

// isValidated tells whether a field has a validator whose pass is worth a tick.
func isValidated(fd form.Field, value string) bool {
	return value != "" && (fd.Validator != "" || fd.By != "") && !fd.IsFile()
}

// problems are a result's sentences by field.
func problems(list []form.Problem, p i18n.Printer) map[string]string {
	out := map[string]string{}
	for _, x := range list {
		if out[x.Field] == "" {
			out[x.Field] = x.Say(p)
		}
	}
	return out
}

// mayReveal tells whether the reader may reveal personal data of this order.
func (k *Console) mayReveal(ctx context.Context, d *dossier) bool {
	return k.Authz.May(ctx, authz.OrderReveal, d.Resource(nil))
}

// mayFile tells whether the reader may look at a file of this order.
func (k *Console) mayFile(ctx context.Context, d *dossier, field string) bool {
	r := d.Resource(nil)
	if field == material.Voucher {
		r.Extra = map[string]any{"purpose": "voucher"}
	}
	return k.Authz.May(ctx, authz.FileView, r)
}

// filePath is where a file is shown.
func filePath(slug string, id uuid.UUID) string { return "/files/" + slug + "/" + id.String() }
