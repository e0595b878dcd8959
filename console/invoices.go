package console

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/fault"
	"certsaas/core/invoice"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// invoiceBody is how large an upload may be: the paper's own limit is core/material's, which says it in words.
const invoiceBody = 8 << 20

func (k *Console) invoiceRoutes() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/invoices", Action: authz.InvoiceUpload, Handler: k.invoices},
		{Method: "GET", Path: "/papers", Action: authz.ShipmentCreate, Handler: k.papersToSend},
		{Method: "GET", Path: "/invoices/export", Action: authz.InvoiceUpload, Handler: k.exportInvoices},
		{Method: "GET", Path: "/invoices/:tenant/:id", Action: authz.InvoiceUpload, Handler: k.showInvoice},
		{Method: "POST", Path: "/invoices/:tenant/:id", Action: authz.InvoiceUpload, Handler: k.uploadInvoice, Body: invoiceBody},
	}
}

func (k *Console) invoices(c *fiber.Ctx) error {
	list, err := k.Invoices.Pending(c.UserContext())
	if err != nil {
		return err
	}
	return k.renderInvoices(c, "invoice", list, func(h house, x invoice.Invoice) string { return invoicePath(h.Slug, x.Order) })
}

// papersToSend lists issued paper invoices that wait for their courier (req B9).
func (k *Console) papersToSend(c *fiber.Ctx) error {
	list, err := k.Invoices.ToSend(c.UserContext())
	if err != nil {
		return err
	}
	return k.renderInvoices(c, "paper", list, func(h house, x invoice.Invoice) string { return orderPath(h.Slug, x.Order, "/shipping") })
}

// renderInvoices shows the invoices of one desk, each leading to where it is worked on.
func (k *Console) renderInvoices(c *fiber.Ctx, key string, list []invoice.Invoice, href func(house, invoice.Invoice) string) error {
	all, err := k.houses(c)
	if err != nil {
		return err
	}
	d, _ := deskByKey(key)
	p, now := web.Printer(c), k.Clock.Now()
	var rows []ui.Row
	for _, x := range list {
		if !fits(c.Query("q"), x.OrderNumber, x.Header.Title, x.Header.TaxNo, ui.Money(x.AmountFen)) {
			continue
		}
		h := houseByID(all, x.Tenant)
		due := ui.Cell{Text: p.T("console.when.waits", "Age", ago(p, now.Sub(x.RequestedAt)))}
		row := ui.Row{Href: href(h, x)}
		if at := k.invoiceDue(h, x); at != nil {
			tone, word := k.dueIn(p, *at, now)
			due, row.Tone = ui.Cell{Body: ui.Due(tone, word)}, lateOnly(tone)
		}
		row.Cells = []ui.Cell{{Text: x.OrderNumber, Mono: true}, {Body: mark(h)}, {Text: x.Header.Title, Sub: x.Header.TaxNo}, {Text: p.T("invoice.kind." + x.Kind)}, {Text: ui.Money(x.AmountFen)}, due}
		rows = append(rows, row)
	}
	f, err := k.frame(c, p.T("console.desk."+key), d.Href)
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, invoicesPage(f, d, pileView{Query: c.Query("q"), Rows: rows}))
}

// lateOnly marks a row only when it is late.
func lateOnly(t ui.Tone) ui.Tone {
	if t == ui.Danger {
		return t
	}
	return ui.Plain
}

// exportInvoices writes the pending invoices for the tax platform's own import.
func (k *Console) exportInvoices(c *fiber.Ctx) error {
	list, err := k.Invoices.Pending(c.UserContext())
	if err != nil {
		return err
	}
	all, err := k.houses(c)
	if err != nil {
		return err
	}
	p := web.Printer(c)
	table := [][]string{{}}
	for _, id := range []string{"number", "tenant", "kind", "title", "tax_no", "email", "total", "goods", "tax_rate", "requested", "due"} {
		table[0] = append(table[0], p.T("console.col."+id))
	}
	for _, x := range list {
		h := houseByID(all, x.Tenant)
		goods, rate := "", ""
		if item, ok := h.product(x.Product); ok {
			goods, rate = item.Invoice.GoodsName.In(p.Locale()), strconv.Itoa(item.Invoice.TaxRate)+"%"
		}
		table = append(table, []string{x.OrderNumber, h.Name, p.T("invoice.kind." + x.Kind), x.Header.Title, x.Header.TaxNo, x.Header.Email,
			yuanOf(x.AmountFen), goods, rate, ui.DateTime(x.RequestedAt), dateTime(x.DueAt)})
	}
	return k.sendCSV(c, "invoices", table)
}

// invoiceView is the page of one invoice to issue.
type invoiceView struct {
	*dossier
	invoice.Invoice
	Typed invoice.Issue
}

func (k *Console) invoiceView(c *fiber.Ctx) (*invoiceView, error) {
	d, err := k.open(c)
	if err != nil {
		return nil, err
	}
	if d.Invoice == nil {
		return nil, fault.New(fault.NotFound, "invoice.not_requested")
	}
	v := &invoiceView{dossier: d, Invoice: *d.Invoice, Typed: invoice.Issue{Number: c.FormValue("number"), IssuedOn: c.FormValue("issued_on")}}
	if v.Typed.IssuedOn == "" {
		v.Typed.IssuedOn = ui.Date(k.Clock.Now())
	}
	return v, nil
}

// tax is the rate, and what it makes of the amount.
func (v *invoiceView) tax(ctx context.Context) ui.Datum {
	net, tax := v.Item.Invoice.Split(v.AmountFen)
	return ui.Datum{Label: ui.T(ctx, "console.col.tax_rate"), Value: strconv.Itoa(v.Item.Invoice.TaxRate) + "%",
		Note: ui.T(ctx, "console.invoice.split", "Net", ui.Money(net), "Tax", ui.Money(tax))}
}

func (k *Console) showInvoice(c *fiber.Ctx) error {
	v, err := k.invoiceView(c)
	if err != nil {
		return err
	}
	return k.renderInvoice(c, v, nil)
}

func (k *Console) renderInvoice(c *fiber.Ctx, v *invoiceView, problem error) error {
	return k.renderOne(c, v.OrderNumber, v.House, ui.Link{Label: web.Printer(c).T("console.desk.invoice"), Href: "/invoices"}, problem,
		func(f ui.ConsoleProps) templ.Component { return invoicePage(f, v) })
}

// uploadInvoice stores the issued file with its number and day.
func (k *Console) uploadInvoice(c *fiber.Ctx) error {
	v, err := k.invoiceView(c)
	if err != nil {
		return err
	}
	if v.Typed.File, err = uploaded(c, "file"); err != nil {
		return err
	}
	if err := k.Invoices.Upload(c.UserContext(), v.dossier.Tenant, v.dossier.ID, v.Typed); err != nil {
		return k.renderInvoice(c, v, err)
	}
	web.Flash(c, ui.Good, "console.invoice.uploaded", "Number", v.OrderNumber)
	if v.Invoice.Kind == invoice.Paper && k.may(c.UserContext(), authz.ShipmentCreate) {
		return web.Redirect(c, v.path("/shipping"))
	}
	return k.nextInvoice(c)
}

// nextInvoice leads to the invoice that waits longest, or to the list when none is left.
func (k *Console) nextInvoice(c *fiber.Ctx) error {
	list, err := k.Invoices.Pending(c.UserContext())
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return web.Redirect(c, "/invoices")
	}
	t, err := k.Tenants.ByID(c.UserContext(), list[0].Tenant)
	if err != nil {
		return err
	}
	return web.Redirect(c, invoicePath(t.Slug(), list[0].Order))
}

// invoicePath is where an invoice is issued.
func invoicePath(slug string, orderID uuid.UUID) string {
	return "/invoices/" + slug + "/" + orderID.String()
}

// uploaded is a file of a multipart form; nil when none was chosen.
func uploaded(c *fiber.Ctx, name string) ([]byte, error) {
	h, err := c.FormFile(name)
	if err != nil {
		return nil, nil //nolint:nilerr // no file was sent: the service says so beside the field
	}
	f, err := h.Open()
	if err != nil {
		return nil, fmt.Errorf("console: upload: %w", err)
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, invoiceBody))
	if err != nil {
		return nil, fmt.Errorf("console: upload: %w", err)
	}
	return data, nil
}
