package portal

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/authz"
	"certsaas/core/web"
)

// slow is the time a handler has that decodes pictures.
const slow = 60 * time.Second

// routesOrder is the route table from the entry to the submitted order.
func (p *Portal) routesOrder() []web.Route {
	const get, post = fiber.MethodGet, fiber.MethodPost
	table := []web.Route{
		{Method: get, Path: "/", Handler: p.home},
		{Method: get, Path: "/s/:slug", Handler: p.shortLink},
		{Method: get, Path: "/createOrder", Handler: p.createOrder},
		{Method: get, Path: "/agreements/:agreement", Handler: p.agreement},
		{Method: get, Path: "/samples/:name", Handler: p.sample},

		{Method: get, Path: "/register", Handler: p.showRegister},
		{Method: post, Path: "/register", Handler: p.register},
		{Method: get, Path: "/login", Handler: p.showLogin},
		{Method: post, Path: "/login", Handler: p.login},
		{Method: post, Path: "/logout", Handler: p.logout},
		{Method: get, Path: "/password", Handler: p.showPassword},
		{Method: post, Path: "/password", Handler: p.changePassword},
		{Method: post, Path: "/code", Handler: p.codeByMobile},

		{Method: post, Path: "/orders", Handler: p.startOrder}, // the product decides whether a login is needed
		{Method: get, Path: "/orders/:id/fill/:step", Action: authz.OrderEdit, Handler: p.showStep},
		{Method: post, Path: "/orders/:id/fill/:step", Action: authz.OrderEdit, Handler: p.saveStep, Body: everyFile, Timeout: slow},
		{Method: post, Path: "/orders/:id/fill/:step/price", Action: authz.OrderEdit, Handler: p.price},
		{Method: post, Path: "/orders/:id/fill/:step/draft", Action: authz.OrderEdit, Handler: p.draft},
		{Method: post, Path: "/orders/:id/files/:field", Action: authz.FileUpload, Handler: p.putFile, Body: oneFile, Timeout: slow},
		{Method: post, Path: "/orders/:id/files/:field/phone", Action: authz.FileUpload, Handler: p.askPhone, Body: everyFile, Timeout: slow},
		{Method: get, Path: "/orders/:id/files/:field/state", Action: authz.FileView, Handler: p.phoneState},
		{Method: get, Path: "/files/:file", Action: authz.FileView, Handler: p.showFile},
		{Method: get, Path: "/u/:token", Handler: p.showPhone},
		{Method: post, Path: "/u/:token", Handler: p.phoneUpload, Body: oneFile, Timeout: slow},
		{Method: get, Path: "/orders/:id/letter", Action: authz.LetterDownload, Handler: p.showLetter},
		{Method: get, Path: "/orders/:id/letter.pdf", Action: authz.LetterDownload, Handler: p.letterPDF},
		{Method: get, Path: "/orders/:id/letter/print", Action: authz.LetterDownload, Handler: p.letterPrint},
		{Method: get, Path: "/orders/:id/confirm", Action: authz.OrderEdit, Handler: p.showConfirm},
		{Method: post, Path: "/orders/:id/confirm", Action: authz.OrderEdit, Handler: p.confirm},
		{Method: post, Path: "/orders/:id/confirm/code", Action: authz.OrderEdit, Handler: p.orderCode},
	}
	if p.Demo {
		table = append(table, web.Route{Method: get, Path: "/orders/:id/letter/specimen.jpg", Action: authz.LetterDownload, Handler: p.letterSpecimen})
	}
	return table
}

// routesPlatform is the route table of the platform's own host.
func (p *Portal) routesPlatform() []web.Route {
	const get = fiber.MethodGet
	return []web.Route{
		{Method: get, Path: "/", Handler: p.landing},
		{Method: get, Path: "/s/:slug", Handler: p.forward},
		{Method: get, Path: "/createOrder", Handler: p.forwardCode},
		{Method: get, Path: "/certsaas_cloud_portal", Handler: p.oldPortal},
		{Method: get, Path: "/certsaas_cloud_console", Handler: p.oldConsole},
		{Method: get, Path: "/login", Handler: p.oldConsole}, // whose login? the enterprise decides
	}
}
