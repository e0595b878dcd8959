package console

import (
	"context"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/fault"
	"certsaas/core/identifier"
	"certsaas/core/order"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

const pageSize = 20

func (k *Console) queueRoutes() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/queue/:desk", Action: authz.QueueView, Handler: k.queue},
		{Method: "GET", Path: "/queue/:desk/export", Action: authz.QueueView, Handler: k.exportQueue},
		{Method: "GET", Path: "/orders", Action: authz.QueueView, Handler: k.orders},
		{Method: "GET", Path: "/orders/export", Action: authz.QueueView, Handler: k.exportOrders},
	}
}

// listView is a list of orders with its filters.
type listView struct {
	Path, Query, Tenant, Product, State string
	Claims                              bool // orders are taken before they are worked on
	Export                              string
	Houses                              []house
	Products                            []ui.Option
	States                              []ui.Option
	Rows                                []orderRow
	Total, Page                         int
	Empty                               string // console.list.<Empty> says why there is nothing
	href                                func(page int) string
}

// orderRow is an order in a list.
type orderRow struct {
	order.Order
	House              house
	Href               string
	Item, Company, Who string
	State              string
	Tone               ui.Tone
	DueTone            ui.Tone
	Due                string
	Submitted          string
}

// numberForm is how order numbers look: the tenant's letters, the day, a counter.
var numberForm = regexp.MustCompile(`^[A-Z][A-Z0-9-]*\d{8,}$`)

// codeForm is how company codes look.
var codeForm = regexp.MustCompile(`^[0-9A-Z]{8,18}(-[0-9A-Z])?$`)

// search finds out what a text stands for: an order's number, a mobile, a company's code or its name.
func search(f order.Filter, text string) order.Filter {
	text = strings.TrimSpace(text)
	plain := strings.ToUpper(identifier.Normalise(text))
	switch {
	case text == "":
	case identifier.Mobile(text).Accepted():
		f.Mobile = identifier.Mobile(text).Value
	case identifier.USCC(text).Accepted():
		f.Code = identifier.USCC(text).Value
	case numberForm.MatchString(plain):
		f.Number = plain
	case codeForm.MatchString(plain):
		f.Code = plain
	default:
		f.Org = identifier.OrgName(text).Value
	}
	return f
}

// filter reads the filters of a list out of the address.
func (k *Console) filter(c *fiber.Ctx, all []house) order.Filter {
	f := search(order.Filter{Product: c.Query("product")}, c.Query("q"))
	for _, h := range all {
		if h.Slug == c.Query("tenant") {
			f.Tenant = h.ID
		}
	}
	return f
}

// queue lists the orders of one desk, the most urgent first.
func (k *Console) queue(c *fiber.Ctx) error {
	d, err := k.deskOf(c)
	if err != nil {
		return err
	}
	title := web.Printer(c).T("console.desk." + d.Key)
	return k.list(c, title, d.Href, func(f order.Filter) order.Filter {
		f.States, f.Oldest = []order.State{d.State}, true
		return f
	})
}

// deskOf is the desk a path names, for those who work on it.
func (k *Console) deskOf(c *fiber.Ctx) (desk, error) {
	d, ok := deskByKey(c.Params("desk"))
	if !ok || !strings.HasPrefix(d.Href, "/queue/") {
		return desk{}, fault.New(fault.NotFound, "web.not_found")
	}
	return d, k.Authz.CheckRoute(c.UserContext(), d.Action, uuid.Nil)
}

// orders lists and searches all orders.
func (k *Console) orders(c *fiber.Ctx) error {
	return k.list(c, web.Printer(c).T("console.nav.orders"), "/orders", inState(c))
}

// inState narrows a list to the state the address asks for. Without one it leaves out what nobody handed in, most of which
// reminders opened, unless something is searched for.
func inState(c *fiber.Ctx) func(order.Filter) order.Filter {
	return func(f order.Filter) order.Filter {
		if s := order.State(c.Query("state")); slices.Contains(order.States(), s) {
			f.States = []order.State{s}
		} else if c.Query("q") == "" {
			f.States = slices.DeleteFunc(slices.Clone(order.States()), func(s order.State) bool { return s == order.Draft })
		}
		return f
	}
}

func (k *Console) list(c *fiber.Ctx, title, path string, narrow func(order.Filter) order.Filter) error {
	v, f, err := k.listView(c, path)
	if err != nil {
		return err
	}
	f = narrow(f)
	f.Limit, f.Offset = pageSize, (v.Page-1)*pageSize
	list, total, err := k.Orders.Queue(c.UserContext(), f)
	if err != nil {
		return err
	}
	v.Total = total
	if v.Rows, err = k.rows(c, list, v.Houses); err != nil {
		return err
	}
	if path == "/orders" && f.Number != "" && len(v.Rows) == 1 { // who types a number wants that order
		return web.Redirect(c, orderPath(v.Rows[0].House.Slug, v.Rows[0].ID, ""))
	}
	fr, err := k.frame(c, title, path)
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, listPage(fr, v))
}

func (k *Console) listView(c *fiber.Ctx, path string) (listView, order.Filter, error) {
	all, err := k.houses(c)
	if err != nil {
		return listView{}, order.Filter{}, err
	}
	v := listView{Path: path, Query: c.Query("q"), Tenant: c.Query("tenant"), Product: c.Query("product"), Houses: all, Page: web.PageNumber(c), Empty: "empty"}
	locale := web.PageOf(c).Locale()
	for _, h := range all {
		if v.Tenant != "" && h.Slug != v.Tenant {
			continue
		}
		for _, p := range h.Tenant.Products() {
			v.Products = append(v.Products, ui.Option{Value: p.Code, Label: h.Name + " · " + p.Name.In(locale)})
		}
	}
	v.Claims = path == "/queue/review"
	if path == "/orders" {
		v.State, v.Empty = c.Query("state"), "fresh"
		for _, s := range order.States() {
			v.States = append(v.States, ui.Option{Value: string(s), Label: web.Printer(c).T("order.state." + string(s))})
		}
	}
	if v.Query != "" || v.Tenant != "" || v.Product != "" || v.State != "" {
		v.Empty = "none"
	}
	kept := url.Values{}
	for name, value := range map[string]string{"q": v.Query, "tenant": v.Tenant, "product": v.Product, "state": v.State} {
		if value != "" {
			kept.Set(name, value)
		}
	}
	v.Export = path + "/export?" + kept.Encode()
	v.href = func(page int) string {
		kept.Set("page", strconv.Itoa(page))
		return path + "?" + kept.Encode()
	}
	return v, k.filter(c, all), nil
}

// rows dresses orders for a list.
func (k *Console) rows(c *fiber.Ctx, list []order.Order, all []house) ([]orderRow, error) {
	who, err := k.names(c.UserContext())
	if err != nil {
		return nil, err
	}
	since, err := k.since(c.UserContext(), list)
	if err != nil {
		return nil, err
	}
	p, now, locale := web.Printer(c), k.Clock.Now(), web.PageOf(c).Locale()
	out := make([]orderRow, 0, len(list))
	for _, o := range list {
		h := houseByID(all, o.Tenant)
		r := orderRow{Order: o, House: h, Company: company(o), Item: o.Product, State: p.T("order.state." + string(o.State)), Tone: stateTone(o.State), Submitted: lately(o.SubmittedAt, now)}
		if h.Tenant != nil {
			if prod, ok := h.product(o.Product); ok {
				r.Item = prod.Name.In(locale)
			}
		}
		r.Href = orderPath(h.Slug, o.ID, k.deskPath(c.UserContext(), o.State))
		if o.State == order.InReview && order.Claimed(o, now) {
			r.Who = who.of(o.ClaimedBy)
		}
		if waits(o.State) {
			r.DueTone, r.Due = k.dueWord(p, k.atDesk(h.Tenant, o, since[o.ID]), now)
		}
		out = append(out, r)
	}
	return out, nil
}

// deskPath is where an order of a state is worked on, for those who may: "/review", …; "" is its own page.
func (k *Console) deskPath(ctx context.Context, s order.State) string {
	switch s {
	case order.InReview:
		if k.may(ctx, authz.OrderReview) {
			return "/review"
		}
	case order.InProduction, order.AwaitingKey:
		if k.may(ctx, authz.KeyWrite) {
			return "/production"
		}
	case order.ToDeliver:
		if k.may(ctx, authz.ShipmentCreate) {
			return "/shipping"
		}
	}
	return ""
}

// waits tells whether an order of this state waits for us or counts its time.
func waits(s order.State) bool {
	switch s {
	case order.PaymentCheck, order.InReview, order.AwaitingKey, order.InProduction, order.ToDeliver, order.Refunding:
		return true
	}
	return false
}

// stateTone colours a state: what waits for us, what waits for the applicant, what is over.
func stateTone(s order.State) ui.Tone {
	switch s {
	case order.InReview, order.PaymentCheck, order.InProduction, order.ToDeliver, order.Refunding:
		return ui.Info
	case order.Rejected, order.AwaitingPayment, order.AwaitingKey, order.ReadyToInstall:
		return ui.Warn
	case order.Completed:
		return ui.Good
	}
	return ui.Plain
}
