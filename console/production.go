package console

import (
	"encoding/base64"
	"encoding/json"
	"strconv"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/delivery"
	"certsaas/core/fault"
	"certsaas/core/issuance"
	"certsaas/core/order"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

func (k *Console) productionRoutes() []web.Route {
	item := "/orders/:tenant/:id/items/:item"
	return []web.Route{
		{Method: "GET", Path: "/orders/:tenant/:id/production", Action: authz.KeyWrite, Handler: k.showProduction, Connect: web.AgentOrigins()},
		{Method: "POST", Path: "/orders/:tenant/:id/receive", Action: authz.KeyWrite, Handler: k.receiveKey},
		{Method: "POST", Path: item + "/authorise", Action: authz.KeyWrite, Handler: k.authoriseItem},
		{Method: "POST", Path: item + "/enroll", Action: authz.KeyWrite, Handler: k.enrollItem},
		{Method: "POST", Path: item + "/confirm", Action: authz.KeyWrite, Handler: k.confirmItem},
		{Method: "POST", Path: item + "/more", Action: authz.KeyWrite, Handler: k.allowMore},
		{Method: "POST", Path: item + "/serviced", Action: authz.KeyWrite, Handler: k.servicedItem},
	}
}

// productionView is the producer's desk of one order: its keys, one after the other.
type productionView struct {
	*dossier
	Now     *order.Item // the key that is next; nil when none is left or it is not the time
	DueTone ui.Tone
	Due     string
	Serial  string // as typed
}

func (k *Console) showProduction(c *fiber.Ctx) error {
	d, err := k.open(c)
	if err != nil {
		return err
	}
	return k.renderProduction(c, d, nil)
}

func (k *Console) renderProduction(c *fiber.Ctx, d *dossier, problem error) error {
	v := &productionView{dossier: d, Serial: firstOf(c.FormValue("serial"), d.Answers["key_serial"])}
	if d.Order.State == order.InProduction {
		for i, it := range d.Keys {
			if it.State == order.ItemWaiting || it.State == order.ItemIssued {
				v.Now = &d.Keys[i]
				break
			}
		}
	}
	v.DueTone, v.Due = k.due(web.Printer(c), d)
	key := "production"
	if d.Order.State == order.AwaitingKey {
		key = "awaiting_key"
	}
	queue, _ := deskByKey(key)
	f, err := k.frame(c, d.Number+dot+d.Name, queue.Href)
	if err != nil {
		return err
	}
	f.Actions = mark(d.House)
	f.Crumbs = []ui.Link{{Label: web.Printer(c).T("console.desk." + key), Href: queue.Href}}
	if problem != nil {
		return web.Retry(c, problem, productionPage(f, v))
	}
	return web.Render(c, fiber.StatusOK, productionPage(f, v))
}

// receiveKey notes that the applicant's key arrived.
func (k *Console) receiveKey(c *fiber.Ctx) error {
	d, err := k.open(c)
	if err != nil {
		return err
	}
	version, _ := strconv.Atoi(c.FormValue("version"))
	if err := k.Delivery.ReceiveKey(c.UserContext(), d.Tenant, d.ID, version, c.FormValue("serial")); err != nil {
		return k.renderProduction(c, d, err)
	}
	web.Flash(c, ui.Good, "console.production.received", "Number", d.Number)
	return web.Redirect(c, d.path("/production"))
}

// item is the tenant and the key a path names; the key must be one of the order's.
func (k *Console) item(c *fiber.Ctx) (*dossier, uuid.UUID, error) {
	d, err := k.open(c)
	if err != nil {
		return nil, uuid.Nil, err
	}
	for _, it := range d.Keys {
		if it.ID.String() == c.Params("item") {
			return d, it.ID, nil
		}
	}
	return nil, uuid.Nil, fault.New(fault.NotFound, "order.not_found")
}

// authoriseItem gives the page a ticket for the key agent.
func (k *Console) authoriseItem(c *fiber.Ctx) error {
	d, id, err := k.item(c)
	if err != nil {
		return err
	}
	a, err := k.Issuance.Authorise(c.UserContext(), d.Tenant, id, web.PageOf(c).Public)
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"ticket": a.Ticket, "nonce": a.Nonce, "alg": a.Algorithm, "hint": company(d.Order)})
}

// enrollItem certifies the key pair that was made inside the key.
func (k *Console) enrollItem(c *fiber.Ctx) error {
	d, id, err := k.item(c)
	if err != nil {
		return err
	}
	var in struct{ Ticket, CSR, SN string }
	if err := json.Unmarshal(c.Body(), &in); err != nil {
		return fault.Wrap(fault.Invalid, "issuance.ticket", err)
	}
	if in.SN == "" { // a key without its number could not be told from another (req K40)
		return fault.New(fault.Invalid, "issuance.token_serial")
	}
	e, err := k.Issuance.Enroll(c.UserContext(), d.Tenant, id, issuance.Enrollment{
		Ticket: in.Ticket, Origin: web.PageOf(c).Public, CSR: []byte(in.CSR), TokenSerial: in.SN,
	})
	if err != nil {
		return err
	}
	chain := make([]string, len(e.Chain))
	for i, x := range e.Chain {
		chain[i] = string(x.PEM())
	}
	return c.JSON(fiber.Map{"cert": string(e.Certificate.PEM()), "chain": chain, "serial": e.Certificate.Serial()})
}

// confirmItem takes the new key's proof.
func (k *Console) confirmItem(c *fiber.Ctx) error {
	d, id, err := k.item(c)
	if err != nil {
		return err
	}
	var in struct{ Ticket, Proof string }
	err = json.Unmarshal(c.Body(), &in)
	proof, bad := base64.RawURLEncoding.DecodeString(in.Proof)
	if err != nil || bad != nil {
		return fault.New(fault.Invalid, "issuance.new_proof")
	}
	o, err := k.Issuance.Confirm(c.UserContext(), d.Tenant, id, in.Ticket, web.PageOf(c).Public, proof)
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"next": k.afterKey(c, d, o)})
}

// afterKey is where the desk goes on: the order's next key, or shipping.
func (k *Console) afterKey(c *fiber.Ctx, d *dossier, o order.Order) string {
	if o.State == order.ToDeliver {
		web.Flash(c, ui.Good, "console.production.all", "Number", d.Number)
		return d.path("/shipping")
	}
	web.Flash(c, ui.Good, "console.production.one")
	return d.path("/production")
}

// servicedItem notes that the work on a key that was sent in is done.
func (k *Console) servicedItem(c *fiber.Ctx) error {
	d, id, err := k.item(c)
	if err != nil {
		return err
	}
	o, err := k.Issuance.Serviced(c.UserContext(), d.Tenant, id)
	if err != nil {
		return k.renderProduction(c, d, err)
	}
	return web.Redirect(c, k.afterKey(c, d, o))
}

// allowMore lets a key that used its attempts up be tried again; it answers at the order's page, where dealers' own keys are seen too.
func (k *Console) allowMore(c *fiber.Ctx) error {
	d, id, err := k.item(c)
	if err != nil {
		return err
	}
	if err := k.Issuance.AllowMore(c.UserContext(), d.Tenant, id); err != nil {
		return err
	}
	web.Flash(c, ui.Good, "console.production.more_done", "Number", d.Number)
	return web.Redirect(c, d.path(""))
}

// written is how many keys of the order are done.
func (v *productionView) written() int {
	n := 0
	for _, it := range v.Keys {
		if it.State == order.ItemDone {
			n++
		}
	}
	return n
}

// stuck are the keys of the order that wait for a person.
func (d *dossier) stuck() []order.Item {
	var out []order.Item
	for _, it := range d.Keys {
		if it.Stuck() {
			out = append(out, it)
		}
	}
	return out
}

// inbound is the shipment under which the applicant sends his key in, if he said.
func (d *dossier) inbound() (delivery.Shipment, bool) {
	for _, s := range d.Ships {
		if s.Direction == delivery.In {
			return s, true
		}
	}
	return delivery.Shipment{}, false
}
