package console

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/authz"
	"certsaas/core/order"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

func (k *Console) homeRoutes() []web.Route {
	return []web.Route{{Method: "GET", Path: "/", Handler: staffOnly(k.home)}} // every role has a home
}

// pile is one desk on the home page.
type pile struct {
	desk
	order.Count
	Age string // how long the oldest waits; "" when nothing does
}

// homeView is where a person's day begins.
type homeView struct {
	Piles   []pile
	Held    []orderRow
	Worries []string
	Search  bool      // the reader may look for orders
	Waiting []ui.Link // releases that wait to be published, for who may
}

// home shows a person the work of his roles; those without any are led to what they keep.
func (k *Console) home(c *fiber.Ctx) error {
	ctx := c.UserContext()
	n, err := k.waiting(ctx)
	if err != nil {
		return err
	}
	var piles []pile
	for _, d := range desks {
		if k.may(ctx, d.Action) {
			x := pile{desk: d, Count: n[d.Key]}
			if x.N > 0 {
				x.Age = ago(web.Printer(c), k.Clock.Now().Sub(x.Oldest))
			}
			piles = append(piles, x)
		}
	}
	worries, err := k.worries(ctx)
	if err != nil {
		return err
	}
	v := homeView{Piles: piles, Worries: k.worryLines(web.Printer(c), worries), Search: k.may(ctx, authz.QueueView)}
	if v.Waiting, err = k.unpublished(c); err != nil {
		return err
	}
	if v.Held, err = k.held(c); err != nil {
		return err
	}
	f, err := k.frame(c, web.Printer(c).T("console.nav.home"), "/")
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, homePage(f, v))
}

// unpublished are the releases that wait to be published, newest of each tenant.
func (k *Console) unpublished(c *fiber.Ctx) ([]ui.Link, error) {
	if !k.may(c.UserContext(), authz.TenantPublish) {
		return nil, nil
	}
	list, err := k.Releases.List(c.UserContext())
	if err != nil {
		return nil, err
	}
	var out []ui.Link
	for _, s := range list {
		if s.Latest > s.Published {
			out = append(out, ui.Link{Label: k.houseName(c, s) + dot + web.Printer(c).T("console.tenant.unpublished", "Number", s.Latest), Href: releasePath(s.Slug, s.Latest)})
		}
	}
	return out, nil
}

// held are the orders that a reviewer opened and did not decide yet: nobody else can while they are his.
func (k *Console) held(c *fiber.Ctx) ([]orderRow, error) {
	ctx := c.UserContext()
	if !k.may(ctx, authz.OrderReview) {
		return nil, nil
	}
	list, _, err := k.Orders.Queue(ctx, order.Filter{States: []order.State{order.InReview}, Claimed: authz.From(ctx).ID, Oldest: true})
	if err != nil {
		return nil, err
	}
	now := k.Clock.Now()
	list = slices.DeleteFunc(list, func(o order.Order) bool { return !order.Claimed(o, now) })
	all, err := k.houses(c)
	if err != nil {
		return nil, err
	}
	return k.rows(c, list, all)
}
