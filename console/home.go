package console

import (
	"github.com/gofiber/fiber/v2"

	"certsaas/core/order"
	"certsaas/core/web"
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
	f, err := k.frame(c, web.Printer(c).T("console.nav.home"), "/")
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, homePage(f, piles, k.worryLines(web.Printer(c), worries), len(worries)))
}
