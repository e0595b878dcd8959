package portal

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
	"certsaas/core/guide"
	"certsaas/core/i18n"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// guideURL is the address of a product's 办理须知.
func guideURL(item tenant.Product) string {
	if item.Slug != "" {
		return "/guide/" + item.Slug
	}
	return "/guide/" + item.Code
}

// listGuides leads to the only guide, or lists them.
func (p *Portal) listGuides(c *fiber.Ctx) error {
	t, l := tenantOf(web.SiteOf(c)), web.Printer(c).Locale()
	all := t.Products()
	if len(all) == 1 {
		return web.Redirect(c, guideURL(all[0]))
	}
	var rows []guideRow
	for _, item := range all {
		rows = append(rows, guideRow{item.Name.In(l), item.Summary.In(l), guideURL(item)})
	}
	return web.Render(c, fiber.StatusOK, guidesPage(rows))
}

// guideRow is one product in the list of guides.
type guideRow struct{ Name, Summary, Href string }

// guideView is one guide as a page.
type guideView struct {
	guide.Guide
	PDF string
}

// showGuide is a product's guide, written from its live definition; with .pdf the same to print.
func (p *Portal) showGuide(c *fiber.Ctx) error {
	t, say := tenantOf(web.SiteOf(c)), web.Printer(c)
	name, pdf := strings.CutSuffix(c.Params("product"), ".pdf")
	i := slices.IndexFunc(t.Products(), func(x tenant.Product) bool { return name != "" && (x.Slug == name || x.Code == name) })
	if i < 0 {
		return fault.New(fault.NotFound, "web.not_found")
	}
	item := t.Products()[i]
	g := guide.Build(t, item, say.Locale())
	if !pdf {
		return web.Render(c, fiber.StatusOK, guidePage(guideView{Guide: g, PDF: guideURL(item) + ".pdf"}))
	}
	body, err := guide.PDF(g)
	if err != nil {
		return fmt.Errorf("portal: guide: %w", err)
	}
	c.Set(fiber.HeaderContentDisposition, `inline; filename="guide-`+strings.ToLower(item.Code)+`.pdf"`)
	c.Set(fiber.HeaderContentType, "application/pdf")
	return c.Send(body)
}

// fieldRun is a stretch of a group's fields: those about which there is something to say, or the bare names of those that
// explain themselves.
type fieldRun struct {
	Said  []ui.Datum
	Plain string
}

// fieldRuns are a group's fields in their order, so that a name alone does not take a row of its own.
func fieldRuns(fields []guide.Field, say i18n.Printer) []fieldRun {
	var out []fieldRun
	for _, f := range fields {
		note := strings.ReplaceAll(f.Note(say), "\n", say.T("after.semicolon"))
		if len(out) == 0 || (note == "") != (out[len(out)-1].Plain != "") {
			out = append(out, fieldRun{})
		}
		last := &out[len(out)-1]
		switch {
		case note != "":
			last.Said = append(last.Said, ui.Datum{Label: f.Name(), Value: note})
		case last.Plain == "":
			last.Plain = f.Name()
		default:
			last.Plain += say.T("after.and") + f.Name()
		}
	}
	return out
}

// rowsOf is the rows of a section as a list to read.
func rowsOf(rows []guide.Row) []ui.Datum {
	var out []ui.Datum
	for _, r := range rows {
		out = append(out, ui.Datum{Label: r.Label, Value: r.Text, Note: r.Note})
	}
	return out
}
