package console

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/authz"
	"certsaas/core/fault"
	"certsaas/core/letter"
	"certsaas/core/order"
	"certsaas/core/review"
	"certsaas/core/rules"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

func (k *Console) reviewRoutes() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/orders/:tenant/:id/review", Action: authz.OrderReview, Handler: k.showReview},
		{Method: "POST", Path: "/orders/:tenant/:id/review", Action: authz.OrderReview, Handler: k.decide},
		{Method: "POST", Path: "/orders/:tenant/:id/reveal/:field", Action: authz.OrderReveal, Handler: k.reveal},
		{Method: "GET", Path: "/files/:tenant/:id", Action: authz.FileView, Handler: k.file},
	}
}

// reviewView is the review desk of one order.
type reviewView struct {
	*dossier
	Docs        []ui.Doc
	Groups      []ui.FactGroup
	Letter      letter.Comparison
	Twins       []twin // other orders that share something with this one
	Checklist   []rules.Check
	Ticked      map[string]bool
	Reasons     []string
	SecondLook  bool // only what changed since the last round
	Whole       bool // everything, on a second look
	Stale       bool // the order changed since the page was made
	Taken       string
	DueTone     ui.Tone
	Due         string
	Next, Prev  string // the neighbours in the queue
	Place       int    // where in the queue this order stands, from 1; 0 when somebody else holds it
	Queue       string // how many there are
	CanReveal   bool
	typedReject map[string]string // what was typed before an error
}

// showReview opens the desk and takes the order for this reviewer.
func (k *Console) showReview(c *fiber.Ctx) error {
	d, err := k.open(c)
	if err != nil {
		return err
	}
	if d.Order.State != order.InReview {
		web.Flash(c, ui.Info, "console.review.over", "State", d.State)
		return web.Redirect(c, d.path(""))
	}
	v, err := k.reviewView(c, d, review.Verdict{})
	if err != nil {
		return err
	}
	return k.renderReview(c, fiber.StatusOK, v)
}

func (k *Console) renderReview(c *fiber.Ctx, status int, v *reviewView) error {
	f, err := k.frame(c, v.Number+dot+v.Name, "/queue/review")
	if err != nil {
		return err
	}
	f.Full, f.Actions = true, deskHead(v)
	f.Crumbs = []ui.Link{{Label: web.Printer(c).T("console.desk.review"), Href: "/queue/review"}}
	f.Banner = v.Taken
	return web.Render(c, status, reviewPage(f, v))
}

// neighbours finds the orders of the queue around this one that nobody else holds; from an order that somebody else holds the
// way leads to the first.
func (k *Console) neighbours(ctx context.Context, v *reviewView) (err error) {
	list, err := k.reviewQueue(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(o order.Order) bool { return o.ID == v.ID })
	if v.Place, v.Queue = i+1, strconv.Itoa(len(list)); len(list) >= lookahead {
		v.Queue += "+"
	}
	if i+1 < len(list) {
		v.Next, err = k.pathOf(ctx, list[i+1], "/review")
	}
	if i > 0 && err == nil {
		v.Prev, err = k.pathOf(ctx, list[i-1], "/review")
	}
	return err
}

// lookahead is how far into the queue a desk sees.
const lookahead = 100

// reviewQueue is the most urgent orders in review that nobody else holds.
func (k *Console) reviewQueue(ctx context.Context) ([]order.Order, error) {
	list, _, err := k.Orders.Queue(ctx, order.Filter{States: []order.State{order.InReview}, Oldest: true, Limit: lookahead})
	me, now := authz.From(ctx).ID, k.Clock.Now()
	return slices.DeleteFunc(list, func(o order.Order) bool { return order.Claimed(o, now) && o.ClaimedBy != me }), err
}

func (k *Console) pathOf(ctx context.Context, o order.Order, desk string) (string, error) {
	t, err := k.Tenants.ByID(ctx, o.Tenant)
	if err != nil {
		return "", err
	}
	return orderPath(t.Slug(), o.ID, desk), nil
}

// decide takes a verdict and leads to the next order.
func (k *Console) decide(c *fiber.Ctx) error {
	t, id, err := k.place(c, "id", "order.not_found")
	if err != nil {
		return err
	}
	verdict := k.verdict(c)
	o, err := k.Reviews.Decide(c.UserContext(), t.ID(), id, verdict)
	if err != nil {
		return k.retryReview(c, err, verdict)
	}
	flash := "console.review.rejected"
	if verdict.Approve {
		flash = "console.review.approved"
	}
	web.Flash(c, ui.Good, flash, "Number", o.Number)
	list, err := k.reviewQueue(c.UserContext())
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return web.Redirect(c, "/queue/review")
	}
	next, err := k.pathOf(c.UserContext(), list[0], "/review")
	if err != nil {
		return err
	}
	return web.Redirect(c, next)
}

// verdict reads what was decided: decision, checklist, and a reason for each refused target.
func (k *Console) verdict(c *fiber.Ctx) review.Verdict {
	v := review.Verdict{Approve: c.FormValue("decision") == "approve", Checklist: map[string]bool{}}
	v.Version, _ = strconv.Atoi(c.FormValue("version"))
	for _, id := range values(c, "check") {
		v.Checklist[id] = true
	}
	for _, target := range values(c, "reject") {
		v.Remarks = append(v.Remarks, review.Remark{Target: target, Reason: strings.TrimSpace(c.FormValue("reason." + target))})
	}
	return v
}

// values are all values of a repeated form field.
func values(c *fiber.Ctx, name string) []string {
	var out []string
	for _, b := range c.Request().PostArgs().PeekMulti(name) {
		out = append(out, string(b))
	}
	return out
}

// retryReview shows the desk again with what was ticked and typed; an order that changed or is somebody else's is not shown
// as if it could be decided.
func (k *Console) retryReview(c *fiber.Ctx, err error, verdict review.Verdict) error {
	f := fault.From(err)
	if f == nil || (f.Kind != fault.Invalid && f.Kind != fault.Conflict) {
		return err
	}
	d, again := k.open(c)
	if again != nil {
		return again
	}
	if d.Order.State != order.InReview {
		web.Flash(c, ui.Danger, f.ID)
		return web.Redirect(c, d.path(""))
	}
	if f.Kind == fault.Conflict { // what was ticked was ticked about what stood there before
		v, again := k.reviewView(c, d, review.Verdict{})
		if again != nil {
			return again
		}
		v.Stale = v.Taken == ""
		return k.renderReview(c, web.Status(err), v)
	}
	v, again := k.reviewView(c, d, verdict)
	if again != nil {
		return again
	}
	web.PageOf(c).Errors = web.FormErrors(err, web.Printer(c))
	return k.renderReview(c, web.Status(err), v)
}
