package portal

import "certsaas/core/web"

// routesOrder is the route table from the entry to the submitted order.
func (p *Portal) routesOrder() []web.Route { return nil }

// routesPlatform is the route table of the platform's own host.
func (p *Portal) routesPlatform() []web.Route { return nil }
