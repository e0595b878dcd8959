package console

import (
	"context"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/identifier"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/core/web"
)

// names are the staff by id, for "claimed by" and "decided by".
type names map[uuid.UUID]string

func (n names) of(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	if s, ok := n[id]; ok {
		return s
	}
	return id.String()[:8]
}

func (k *Console) names(ctx context.Context) (names, error) {
	list, err := k.Staff.List(ctx)
	if err != nil {
		return nil, err
	}
	out := names{}
	for _, p := range list {
		out[p.ID] = p.Name
	}
	return out, nil
}

// house is a tenant as lists show it: name, and a dot in its own colour.
type house struct {
	ID           uuid.UUID
	Slug         string
	Name, Colour string
	Tenant       *tenant.Tenant
}

// product is one of the house's, by today's release; a suspended tenant has none.
func (h house) product(code string) (tenant.Product, bool) {
	if h.Tenant == nil {
		return tenant.Product{}, false
	}
	return h.Tenant.Product(code)
}

// houses are all published tenants in the reader's language.
func (k *Console) houses(c *fiber.Ctx) ([]house, error) {
	all, err := k.Tenants.All(c.UserContext())
	if err != nil {
		return nil, err
	}
	out := make([]house, len(all))
	for i, t := range all {
		out[i] = houseOf(t, web.PageOf(c).Locale())
	}
	return out, nil
}

func houseOf(t *tenant.Tenant, locale string) house {
	return house{ID: t.ID(), Slug: t.Slug(), Name: t.Names().Short.In(locale), Colour: t.Theme().Brand, Tenant: t}
}

func houseByID(all []house, id uuid.UUID) house {
	for _, h := range all {
		if h.ID == id {
			return h
		}
	}
	return house{ID: id, Name: id.String()[:8], Colour: "#888888"}
}

// place is the tenant and the thing a path names: /…/:tenant/:id. A tenant is named by its slug; an id that is none
// names nothing, which the message none says.
func (k *Console) place(c *fiber.Ctx, param, none string) (*tenant.Tenant, uuid.UUID, error) {
	t, err := k.Tenants.BySlug(c.UserContext(), c.Params("tenant"))
	if err != nil {
		return nil, uuid.Nil, err
	}
	id, err := uuid.Parse(c.Params(param))
	if err != nil {
		return nil, uuid.Nil, fault.New(fault.NotFound, none)
	}
	return t, id, nil
}

// orderPath is an order's page, or one of its desks: "" or "/review".
func orderPath(slug string, id uuid.UUID, desk string) string {
	return "/orders/" + slug + "/" + id.String() + desk
}

// company is the order's applicant as lists show it: a company by name, a person masked.
func company(o order.Order) string {
	if o.Answers["org_name"] != "" {
		return o.Answers["org_name"]
	}
	return identifier.MaskName(o.Organisation())
}

// inTenant reads within one tenant.
func (k *Console) inTenant(ctx context.Context, id uuid.UUID, fn func(ctx context.Context, tx *db.Tx) error) error {
	return k.DB.WithTenant(ctx, id, fn)
}
