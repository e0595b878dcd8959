package portal

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// perPage is how many orders a page of the centre lists.
const perPage = 10

// tab is one part of the order centre.
type tab struct {
	ID     string
	States []order.State
	Counts bool // the applicant has something to do there
}

// tabsOf are the parts of a tenant's order centre: only what its products can lead to (req B55 B56 K43).
func tabsOf(t *tenant.Tenant) []tab {
	var pays, installs, makes bool
	for _, p := range t.Products() {
		pays = pays || !p.Free()
		installs = installs || p.Fulfilment == "install"
		makes = makes || p.Fulfilment == "produce" || p.Fulfilment == "unlock"
	}
	out := []tab{{ID: "all"}, {"draft", []order.State{order.Draft}, false}}
	if pays {
		out = append(out, tab{"pay", []order.State{order.AwaitingPayment, order.PaymentCheck}, true})
	}
	out = append(out, tab{"review", []order.State{order.InReview}, false}, tab{"fix", []order.State{order.Rejected}, true})
	if installs {
		out = append(out, tab{"install", []order.State{order.ReadyToInstall}, true})
	}
	if makes {
		out = append(out, tab{"make", []order.State{order.AwaitingKey, order.InProduction, order.ToDeliver}, false})
	}
	return append(out, tab{"done", []order.State{order.Completed}, false},
		tab{"closed", []order.State{order.Cancelled, order.Lapsed, order.Refunding, order.Refunded}, false})
}

// ordersView is the order centre.
type ordersView struct {
	Lead   string
	Tabs   []ui.TabItem
	Tab    string
	Query  string
	Rows   []orderRow
	Pager  ui.PagerProps
	Search bool // a number was looked for
}

// orderRow is one order of the list.
type orderRow struct {
	URL, Number, Product, Org, Made, Total, State string
	Tone                                          ui.Tone
	Act                                           ui.Link // the one thing to do
}

// listOrders is 我的订单: the orders of the caller's login, by state (req K43).
func (p *Portal) listOrders(c *fiber.Ctx) error {
	me := who(c)
	if me == uuid.Nil {
		return fault.New(fault.Unauthenticated, "authz.login")
	}
	site := web.SiteOf(c)
	t := tenantOf(site)
	tabs := tabsOf(t)
	at := max(slices.IndexFunc(tabs, func(x tab) bool { return x.ID == c.Query("tab") }), 0)
	page := web.PageNumber(c)
	v := ordersView{Tab: tabs[at].ID, Query: strings.TrimSpace(c.Query("q")), Lead: t.Names().Full.In(web.Printer(c).Locale())}
	v.Search = v.Query != ""
	f := order.Filter{Account: me, States: tabs[at].States, Number: v.Query, Limit: perPage, Offset: (min(page, 1000) - 1) * perPage}
	list, total, err := p.Orders.List(c.UserContext(), site.Tenant, f)
	if err != nil {
		return err
	}
	if v.Rows, err = p.rows(c.UserContext(), list, web.Printer(c)); err != nil {
		return err
	}
	if v.Tabs, err = p.tabs(c, tabs, at, me); err != nil {
		return err
	}
	v.Pager = ui.PagerProps{Page: page, Pages: (total + perPage - 1) / perPage, Total: total, Href: func(n int) string {
		return "/orders?" + url.Values{"tab": {v.Tab}, "q": {v.Query}, "page": {strconv.Itoa(n)}}.Encode()
	}}
	return web.Render(c, fiber.StatusOK, ordersPage(v))
}

// tabs draws the parts, with how many orders wait for the applicant.
func (p *Portal) tabs(c *fiber.Ctx, tabs []tab, at int, me uuid.UUID) ([]ui.TabItem, error) {
	say := web.Printer(c)
	var out []ui.TabItem
	for i, x := range tabs {
		item := ui.TabItem{Label: say.T("after.tab." + x.ID), Href: "/orders?tab=" + x.ID, Active: i == at}
		if x.Counts {
			_, n, err := p.Orders.List(c.UserContext(), web.SiteOf(c).Tenant, order.Filter{Account: me, States: x.States, Limit: 1})
			if err != nil {
				return nil, err
			}
			item.Count = n
		}
		out = append(out, item)
	}
	return out, nil
}

func (p *Portal) rows(ctx context.Context, list []order.Order, say i18n.Printer) ([]orderRow, error) {
	l := say.Locale()
	var out []orderRow
	for _, o := range list {
		t, err := p.Tenants.At(ctx, o.Tenant, o.Release)
		if err != nil {
			return nil, err
		}
		item, _ := t.Product(o.Product)
		out = append(out, orderRow{URL: orderURL(o), Number: o.Number, Product: item.Name.In(l), Org: o.Organisation(), Made: ui.DateTime(o.CreatedAt),
			Total: ui.Money(o.TotalFen), State: stateOf(o.State, say), Tone: toneOf(o.State), Act: actOf(o, say)})
	}
	return out, nil
}

// applicant's words for states that are named after the staff's work.
var says = map[order.State]string{order.InReview: "after.says.in_review", order.PaymentCheck: "after.says.payment_check", order.InProduction: "after.says.in_production"}

// stateOf is a state as its applicant reads it.
func stateOf(s order.State, say i18n.Printer) string {
	if id, ok := says[s]; ok {
		return say.T(id)
	}
	return say.T("order.state." + string(s))
}

// toneOf colours a state.
func toneOf(s order.State) ui.Tone {
	switch s {
	case order.AwaitingPayment, order.AwaitingKey, order.ReadyToInstall, order.Refunding: // the applicant's turn, or money on its way
		return ui.Warn
	case order.Rejected:
		return ui.Danger
	case order.Completed:
		return ui.Good
	case order.PaymentCheck, order.InReview, order.InProduction, order.ToDeliver:
		return ui.Info
	}
	return ui.Plain
}

// actOf is the short way from the list to the one thing to do. Downloading leads to the order first, as the guide says (req B56).
func actOf(o order.Order, say i18n.Printer) ui.Link {
	switch o.State {
	case order.Draft:
		return ui.Link{Label: say.T("after.act.go_on"), Href: orderURL(o)}
	case order.AwaitingPayment:
		return ui.Link{Label: say.T("after.act.pay"), Href: orderURL(o) + "/pay"}
	case order.Rejected:
		return ui.Link{Label: say.T("after.act.fix"), Href: orderURL(o)}
	case order.ReadyToInstall:
		return ui.Link{Label: say.T("after.act.install"), Href: orderURL(o)}
	}
	return ui.Link{Label: say.T("after.act.view"), Href: orderURL(o)}
}

// stageOf is where an order stands on its product's way (see stages).
func stageOf(o order.Order, item tenant.Product) string {
	switch o.State {
	case order.AwaitingPayment, order.PaymentCheck:
		return stagePay
	case order.InReview, order.Rejected:
		return stageReview
	case order.AwaitingKey:
		return stageSendIn
	case order.ReadyToInstall:
		return stageInstall
	case order.InProduction, order.ToDeliver:
		if item.Fulfilment == "unlock" {
			return stageUnlock
		}
		return stageMake
	case order.Completed:
		return stageDone
	case order.Draft:
		if steps := item.StepsAt("order"); len(steps) > 0 {
			return "fill:" + steps[0].ID
		}
	}
	return ""
}
