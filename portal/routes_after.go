package portal

import "certsaas/core/web"

// routesAfter is the route table from payment on.
func (p *Portal) routesAfter() []web.Route { return nil }
