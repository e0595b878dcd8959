package console

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"strings"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/audit"
	"certsaas/core/db"
	"certsaas/core/order"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// exportLimit is how many rows one export may hold; a longer list is narrowed first.
const exportLimit = 5000

// plainCell keeps a spreadsheet from reading a cell as a formula (ASVS 5.0 1.2.10).
func plainCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n\x00|%", rune(s[0])) {
		return "'" + s
	}
	for _, full := range []string{"＝", "＋", "－", "＠"} { // some spreadsheets read full-width signs the same
		if strings.HasPrefix(s, full) {
			return "'" + s
		}
	}
	return s
}

// yuanOf is an amount as spreadsheets read it: 1234.50.
func yuanOf(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

// sendCSV writes a table as a download: UTF-8 with a mark, so that spreadsheets read Chinese; every cell escaped.
func (k *Console) sendCSV(c *fiber.Ctx, name string, rows [][]string) error {
	err := k.DB.WithSystem(c.UserContext(), "console/export", func(ctx context.Context, tx *db.Tx) error {
		return audit.Record(ctx, tx, audit.Entry{Action: "list.export", Resource: "list/" + name, Detail: map[string]any{"rows": len(rows) - 1}})
	})
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.WriteString("\uFEFF")
	w := csv.NewWriter(&b)
	w.UseCRLF = true
	for _, row := range rows {
		safe := make([]string, len(row))
		for i, s := range row {
			safe[i] = plainCell(s)
		}
		if err := w.Write(safe); err != nil {
			return fmt.Errorf("console: csv: %w", err)
		}
	}
	w.Flush()
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+"-"+k.Clock.Now().In(ui.Shanghai).Format("20060102-1504")+`.csv"`)
	return c.Send(b.Bytes())
}

func (k *Console) exportQueue(c *fiber.Ctx) error {
	d, err := k.deskOf(c)
	if err != nil {
		return err
	}
	return k.export(c, d.Key, d.Href, func(f order.Filter) order.Filter {
		f.States, f.Oldest = []order.State{d.State}, true
		return f
	})
}

func (k *Console) exportOrders(c *fiber.Ctx) error {
	return k.export(c, "orders", "/orders", inState(c))
}

// export writes every order that fits the filters, page by page.
func (k *Console) export(c *fiber.Ctx, name, path string, narrow func(order.Filter) order.Filter) error {
	v, f, err := k.listView(c, path)
	if err != nil {
		return err
	}
	f = narrow(f)
	f.Limit = 200
	p := web.Printer(c)
	table := [][]string{{}}
	for _, id := range []string{"number", "tenant", "item", "company", "state", "total", "submitted", "due", "claimed"} {
		table[0] = append(table[0], p.T("console.col."+id))
	}
	for f.Offset < exportLimit {
		list, _, err := k.Orders.Queue(c.UserContext(), f)
		if err != nil {
			return err
		}
		rows, err := k.rows(c, list, v.Houses)
		if err != nil {
			return err
		}
		for _, r := range rows {
			table = append(table, []string{r.Number, r.House.Name, r.Item, r.Company, r.State, yuanOf(r.TotalFen),
				dateTime(r.SubmittedAt), dateTime(r.DueAt), r.Who})
		}
		if len(list) < f.Limit {
			break
		}
		f.Offset += f.Limit
	}
	return k.sendCSV(c, name, table)
}
