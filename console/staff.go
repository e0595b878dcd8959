package console

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/fault"
	"certsaas/core/staff"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

func (k *Console) staffRoutes() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/staff", Action: authz.StaffManage, Handler: k.staffList},
		{Method: "GET", Path: "/staff/new", Action: authz.StaffManage, Handler: k.newPerson},
		{Method: "POST", Path: "/staff", Action: authz.StaffManage, Handler: k.addPerson},
		{Method: "GET", Path: "/staff/:person", Action: authz.StaffManage, Handler: k.showPerson},
		{Method: "POST", Path: "/staff/:person/:act", Action: authz.StaffManage, Handler: k.changePerson},
	}
}

func (k *Console) staffList(c *fiber.Ctx) error {
	list, err := k.Staff.List(c.UserContext())
	if err != nil {
		return err
	}
	p := web.Printer(c)
	var rows []ui.Row
	for _, x := range list {
		state := ui.Tag(ui.Good, p.T("console.staff.active"))
		if !x.Active {
			state = ui.Tag(ui.Plain, p.T("console.staff.disabled"))
		}
		rows = append(rows, ui.Row{Href: "/staff/" + x.ID.String(), Cells: []ui.Cell{
			{Text: x.Login, Mono: true}, {Text: x.Name}, {Text: roleNames(p.T, x.Roles)}, {Body: state}, {Text: ui.Date(x.CreatedAt)},
		}})
	}
	f, err := k.frame(c, p.T("console.nav.staff"), "/staff")
	if err != nil {
		return err
	}
	f.Actions = ui.Button(ui.ButtonProps{Label: p.T("console.staff.new"), Kind: ui.Primary, Href: "/staff/new"})
	return web.Render(c, fiber.StatusOK, staffPage(f, rows))
}

func roleNames(t func(string, ...any) string, roles []string) string {
	out := ""
	for i, r := range roles {
		if i > 0 {
			out += t("console.list.comma")
		}
		out += t("console.role." + r)
	}
	return out
}

// personView is the form of a new or known person.
type personView struct {
	staff.Person
	New bool
	Me  bool // the reader himself: he cannot lock himself out

	Trail string // where the audit trail says what he did; "" for who may not read it
}

// has tells whether a role is ticked.
func (v personView) has(role string) bool {
	for _, r := range v.Roles {
		if r == role {
			return true
		}
	}
	return false
}

func (k *Console) newPerson(c *fiber.Ctx) error {
	return k.renderPerson(c, personView{New: true}, nil)
}

func (k *Console) renderPerson(c *fiber.Ctx, v personView, problem error) error {
	p := web.Printer(c)
	title := p.T("console.staff.new")
	if !v.New {
		title = v.Name
		if k.may(c.UserContext(), authz.AuditView) {
			v.Trail = "/audit?actor=" + escape(v.Name)
		}
	}
	f, err := k.frame(c, title, "/staff")
	if err != nil {
		return err
	}
	f.Crumbs = []ui.Link{{Label: p.T("console.nav.staff"), Href: "/staff"}}
	if problem != nil {
		return web.Retry(c, problem, personPage(f, v))
	}
	return web.Render(c, fiber.StatusOK, personPage(f, v))
}

// addPerson makes a person and shows his second factor, once.
func (k *Console) addPerson(c *fiber.Ctx) error {
	v := personView{New: true, Person: staff.Person{Login: c.FormValue("login"), Name: c.FormValue("name"), Roles: values(c, "roles")}}
	e, err := k.Staff.Add(c.UserContext(), staff.NewPerson{Login: v.Login, Name: v.Name, Password: c.FormValue("password"), Roles: v.Roles})
	if err != nil {
		return k.renderPerson(c, v, err)
	}
	return k.renderEnrolment(c, v.Name, e)
}

func (k *Console) renderEnrolment(c *fiber.Ctx, name string, e staff.Enrolment) error {
	f, err := k.frame(c, name, "/staff")
	if err != nil {
		return err
	}
	f.Crumbs = []ui.Link{{Label: web.Printer(c).T("console.nav.staff"), Href: "/staff"}}
	return web.Render(c, fiber.StatusOK, enrolmentPage(f, e))
}

func (k *Console) person(c *fiber.Ctx) (personView, error) {
	id, err := uuid.Parse(c.Params("person"))
	if err != nil {
		return personView{}, fault.New(fault.NotFound, "staff.none")
	}
	p, err := k.Staff.Find(c.UserContext(), id)
	return personView{Person: p, Me: id == authz.From(c.UserContext()).ID}, err
}

func (k *Console) showPerson(c *fiber.Ctx) error {
	v, err := k.person(c)
	if err != nil {
		return err
	}
	return k.renderPerson(c, v, nil)
}

// changePerson does one act on a person. Nobody takes his own access or administration away: somebody else must.
func (k *Console) changePerson(c *fiber.Ctx) error {
	v, err := k.person(c)
	if err != nil {
		return err
	}
	ctx, act := c.UserContext(), c.Params("act")
	if v.Me && (act == "disable" || act == "roles" || act == "factor") {
		return k.renderPerson(c, v, fault.New(fault.Conflict, "console.staff.yourself"))
	}
	switch act {
	case "roles":
		v.Roles = values(c, "roles")
		err = k.Staff.SetRoles(ctx, v.ID, v.Roles)
	case "password":
		err = k.Staff.SetPassword(ctx, v.ID, c.FormValue("password"))
	case "disable":
		err = k.Staff.Disable(ctx, v.ID)
	case "enable":
		err = k.Staff.Enable(ctx, v.ID)
	case "logout":
		err = k.Staff.LogoutEverywhere(ctx, v.ID)
	case "factor":
		e, err := k.Staff.ResetSecondFactor(ctx, v.ID)
		if err != nil {
			return k.renderPerson(c, v, err)
		}
		return k.renderEnrolment(c, v.Name, e)
	default:
		return fault.New(fault.NotFound, "web.not_found")
	}
	if err != nil {
		return k.renderPerson(c, v, err)
	}
	web.Flash(c, ui.Good, "console.staff.done_"+act, "Name", v.Name)
	return web.Redirect(c, "/staff")
}
