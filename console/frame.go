package console

import (
	"context"
	"net/url"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"certsaas/core/authz"
	"certsaas/core/invoice"
	"certsaas/core/order"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// dot parts an order's number from its product in a heading; it ends a line and never begins one.
const dot = "\u00a0· "

func escape(s string) string { return url.QueryEscape(s) }

// desk is one queue of work: what waits in it and who may work on it.
type desk struct {
	Key    string      // name in addresses and message ids: console.desk.<key>
	State  order.State // orders that wait; "" for lists that are not of orders
	Action string      // who works on it
	Icon   string
	Href   string
}

// desks are the queues in the order of an order's life (req K38–K40).
var desks = []desk{
	{Key: "payment", State: order.PaymentCheck, Action: authz.PaymentConfirm, Icon: "yuan", Href: "/vouchers"},
	{Key: "review", State: order.InReview, Action: authz.OrderReview, Icon: "file", Href: "/queue/review"},
	{Key: "awaiting_key", State: order.AwaitingKey, Action: authz.KeyWrite, Icon: "key", Href: "/queue/awaiting_key"},
	{Key: "production", State: order.InProduction, Action: authz.KeyWrite, Icon: "key", Href: "/queue/production"},
	{Key: "shipping", State: order.ToDeliver, Action: authz.ShipmentCreate, Icon: "truck", Href: "/queue/shipping"},
	{Key: "paper", Action: authz.ShipmentCreate, Icon: "file", Href: "/papers"},
	{Key: "invoice", Action: authz.InvoiceUpload, Icon: "file", Href: "/invoices"},
	{Key: "refund", State: order.Refunding, Action: authz.RefundApprove, Icon: "yuan", Href: "/refunds"},
}

func deskByKey(key string) (desk, bool) {
	for _, d := range desks {
		if d.Key == key {
			return d, true
		}
	}
	return desk{}, false
}

// may tells whether the reader could open a page of an action at all.
func (k *Console) may(ctx context.Context, action string) bool {
	return k.Authz.CheckRoute(ctx, action, nobody) == nil
}

// waiting is how much work lies on a desk.
func (k *Console) waiting(ctx context.Context) (map[string]order.Count, error) {
	out := map[string]order.Count{}
	if !k.may(ctx, authz.QueueView) {
		return out, nil
	}
	counts, err := k.Orders.Counts(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range desks {
		if d.State != "" {
			out[d.Key] = counts[d.State]
		}
	}
	if k.may(ctx, authz.InvoiceUpload) {
		list, err := k.Invoices.Pending(ctx)
		if err != nil {
			return nil, err
		}
		out["invoice"] = k.sum(list)
	}
	if k.may(ctx, authz.ShipmentCreate) {
		list, err := k.Invoices.ToSend(ctx)
		if err != nil {
			return nil, err
		}
		out["paper"] = k.sum(list)
	}
	if k.may(ctx, authz.RefundApprove) {
		if out["refund"], err = k.refundsWaiting(ctx); err != nil {
			return nil, err
		}
	}
	return out, k.warned(ctx, out)
}

// sum counts invoices, those over their time, and finds the oldest.
func (k *Console) sum(list []invoice.Invoice) order.Count {
	var n order.Count
	for _, i := range list {
		n.N++
		if i.DueAt != nil && i.DueAt.Before(k.Clock.Now()) {
			n.Late++
		}
		if n.Oldest.IsZero() || i.RequestedAt.Before(n.Oldest) {
			n.Oldest = i.RequestedAt
		}
	}
	return n
}

func (k *Console) refundsWaiting(ctx context.Context) (order.Count, error) {
	list, err := k.openRefunds(ctx)
	if err != nil {
		return order.Count{}, err
	}
	n := order.Count{N: len(list)}
	if len(list) > 0 {
		n.Oldest = list[0].CreatedAt
	}
	return n, nil
}

// frame is the layout of a page: its title, and the rail with the work that waits. active is the address of the rail's
// own line.
func (k *Console) frame(c *fiber.Ctx, title, active string) (ui.ConsoleProps, error) {
	ctx := c.UserContext()
	n, err := k.waiting(ctx)
	if err != nil {
		return ui.ConsoleProps{}, err
	}
	p := web.Printer(c)
	item := func(id, href, icon string) ui.NavItem {
		return ui.NavItem{Label: p.T("console.nav." + id), Href: href, Icon: icon, Active: href == active}
	}
	groups := []ui.NavGroup{{Items: []ui.NavItem{item("home", "/", "home")}}}
	work := ui.NavGroup{Label: p.T("console.nav.work")}
	for _, d := range desks {
		if k.may(ctx, d.Action) {
			x := ui.NavItem{Label: p.T("console.desk." + d.Key), Href: d.Href, Icon: d.Icon, Active: d.Href == active}
			x.Count, x.Late = n[d.Key].N, n[d.Key].Late > 0
			work.Items = append(work.Items, x)
		}
	}
	if len(work.Items) > 0 {
		groups = append(groups, work)
	}
	look := ui.NavGroup{Label: p.T("console.nav.look")}
	for _, x := range []struct{ id, href, icon, action string }{
		{"orders", "/orders", "search", authz.QueueView}, {"reminders", "/reminders", "clock", authz.QueueView}, {"tenants", "/tenants", "building", authz.TenantView},
		{"staff", "/staff", "user", authz.StaffManage}, {"audit", "/audit", "lock", authz.AuditView}, {"health", "/health", "info", authz.HealthView},
	} {
		if k.may(ctx, x.action) && (x.id != "reminders" || k.Reminders != nil) {
			look.Items = append(look.Items, item(x.id, x.href, x.icon))
		}
	}
	worries, err := k.worries(ctx)
	if err != nil {
		return ui.ConsoleProps{}, err
	}
	if len(worries) > 0 {
		health := &look.Items[len(look.Items)-1] // the last line, for who may see worries sees it
		health.Count, health.Late = len(worries), true
	}
	groups = append(groups, look)
	return ui.ConsoleProps{Title: title, Nav: groups}, nil
}

// renderOne is the page of one thing of a desk's list, which list leads back to; problem is what was wrong with what was sent.
func (k *Console) renderOne(c *fiber.Ctx, number string, h house, list ui.Link, problem error, page func(ui.ConsoleProps) templ.Component) error {
	f, err := k.frame(c, number, list.Href)
	if err != nil {
		return err
	}
	f.Actions = mark(h)
	f.Crumbs = []ui.Link{list}
	if problem != nil {
		return web.Retry(c, problem, page(f))
	}
	return web.Render(c, fiber.StatusOK, page(f))
}
