package console

import (
	"context"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/account"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/identifier"
	"certsaas/core/reminder"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

const forecastDays = 14

func (k *Console) reminderRoutes() []web.Route {
	if k.Reminders == nil {
		return nil
	}
	const one = "/reminders/:tenant/:certificate"
	return []web.Route{
		{Method: "GET", Path: "/reminders", Action: authz.QueueView, Handler: k.reminders},
		{Method: "POST", Path: "/reminders/tasks/:tenant/:task", Action: authz.QueueView, Handler: k.finishTask},
		{Method: "GET", Path: one, Action: authz.OrderView, Handler: k.told},
		{Method: "POST", Path: one + "/mute", Action: authz.OrderReview, Handler: k.mute},
		{Method: "POST", Path: one + "/unmute", Action: authz.OrderReview, Handler: k.unmute},
		{Method: "POST", Path: one + "/test", Action: authz.OrderReview, Handler: k.testReminder},
		{Method: "POST", Path: one + "/contact", Action: authz.OrderReview, Handler: k.askContact, Body: 3 << 20},
		{Method: "POST", Path: one + "/contact/agree", Action: authz.OrderReview, Handler: k.agreeContact},
		{Method: "POST", Path: one + "/contact/refuse", Action: authz.OrderReview, Handler: k.refuseContact},
		{Method: "GET", Path: one + "/contact/paper", Action: authz.OrderReview, Handler: k.contactPaper},
	}
}

// remindersView is the page of what is coming, what is left to do, and whose certificates end.
type remindersView struct {
	Tomorrow string
	Days     []ui.Row
	Tasks    []taskRow
	Rows     []ui.Row
	Filter   ui.FilterProps
	Page     int
	More     bool
	href     func(page int) string
}

type taskRow struct {
	House   house
	Company string
	Kind    string
	At      string
	Href    string
	Done    string
}

func (k *Console) reminders(c *fiber.Ctx) error {
	all, err := k.houses(c)
	if err != nil {
		return err
	}
	p := web.Printer(c)
	v := remindersView{Page: web.PageNumber(c)}
	slug, tenantID := c.Query("tenant"), uuid.Nil
	sel := ui.FilterSelect{Name: "tenant", Label: p.T("console.col.tenant"), Value: slug}
	for _, h := range all {
		sel.Options = append(sel.Options, ui.Option{Value: h.Slug, Label: h.Name})
		if h.Slug == slug {
			tenantID = h.ID
		}
	}
	v.Filter = ui.FilterProps{Action: "/reminders", Selects: []ui.FilterSelect{sel}, Reset: "/reminders"}
	if err := k.coming(c, p, &v); err != nil {
		return err
	}
	tasks, err := k.Reminders.Tasks(c.UserContext(), shownTasks)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		h := houseByID(all, t.Tenant)
		company, err := k.certified(c.UserContext(), t.Tenant, t.Certificate)
		if err != nil {
			return err
		}
		v.Tasks = append(v.Tasks, taskRow{House: h, Company: company, Kind: p.T("remind.kind_" + t.Kind), At: ui.DateTime(t.CreatedAt),
			Href: toldPath(h.Slug, t.Certificate), Done: "/reminders/tasks/" + h.Slug + "/" + t.ID.String()})
	}
	list, err := k.Reminders.Endings(c.UserContext(), tenantID, pageSize+1, (v.Page-1)*pageSize)
	if err != nil {
		return err
	}
	v.More = len(list) > pageSize
	for _, e := range list[:min(len(list), pageSize)] {
		v.Rows = append(v.Rows, endingRow(p, houseByID(all, e.Tenant), e))
	}
	v.href = func(page int) string { return "/reminders?tenant=" + escape(slug) + "&page=" + strconv.Itoa(page) }
	f, err := k.frame(c, p.T("console.nav.reminders"), "/reminders")
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, remindersPage(f, v))
}

// shownTasks is how much work for people the page lists.
const shownTasks = 50

// certified is whose certificate it is, as the certificate says; a person is masked.
func (k *Console) certified(ctx context.Context, tenantID, certificate uuid.UUID) (name string, err error) {
	err = k.inTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		x, err := k.Issuance.Certificate(ctx, tx, certificate)
		if err != nil || x == nil {
			return err
		}
		s := x.Certificate.X509().Subject
		if name = strings.Join(s.Organization, " "); name == "" {
			name = identifier.MaskName(s.CommonName)
		}
		return nil
	})
	return name, err
}

// coming fills in the forecast.
func (k *Console) coming(c *fiber.Ctx, p i18n.Printer, v *remindersView) error {
	days, err := k.Reminders.Forecast(c.UserContext(), forecastDays)
	if err != nil {
		return err
	}
	for _, d := range days {
		v.Days = append(v.Days, ui.Row{Cells: []ui.Cell{{Text: d.On.String()}, {Text: strconv.Itoa(d.Certificates)}, {Text: strconv.Itoa(d.Messages)}, {Text: strconv.Itoa(d.People)}}})
	}
	v.Tomorrow = p.T("remind.forecast_text", "Day", days[0].On.String(), "People", days[0].People, "Messages", days[0].Messages)
	return nil
}

func toldPath(slug string, certificate uuid.UUID) string {
	return "/reminders/" + slug + "/" + certificate.String()
}

var reminderTones = map[string]ui.Tone{"sent": ui.Good, "pending": ui.Info, "undeliverable": ui.Danger, "failed": ui.Danger, "open": ui.Info, "ordered": ui.Good}

func toneOf(state string) ui.Tone {
	if t, ok := reminderTones[state]; ok {
		return t
	}
	return ui.Plain
}

func endingRow(p i18n.Printer, h house, e reminder.Ending) ui.Row {
	product := e.Product
	if item, ok := h.product(e.Product); ok {
		product = item.Name.In(p.Locale())
	}
	last := ui.Cell{Body: ui.Tag(toneOf(e.State), p.T("remind.state_"+e.State))}
	if e.Muted {
		last = ui.Cell{Body: ui.Tag(ui.Plain, p.T("remind.muted"))}
	}
	return ui.Row{Href: toldPath(h.Slug, e.Certificate), Cells: []ui.Cell{
		{Text: e.Company}, {Body: mark(h)}, {Text: product}, {Text: ui.Date(e.NotAfter)}, last, {Body: ui.Tag(toneOf(e.Renewal), p.T("remind.renewal_"+e.Renewal))},
	}}
}

// toldView is everything that was said about one certificate.
type toldView struct {
	URL      string
	Facts    []ui.Datum
	Messages []ui.Row
	Rows     []ui.Row
	Silence  string
	May      bool // mute and test
	Order    string
	Until    string // proposed
	Change   *changeView
	Typed    func(field string) string // what was typed wrongly stays
}

// subject is the certificate that a path names, and whose tenant it is.
func (k *Console) subject(c *fiber.Ctx) (*tenant.Tenant, uuid.UUID, error) {
	return k.place(c, "certificate", "reminder.no_certificate")
}

func (k *Console) told(c *fiber.Ctx) error {
	f, v, err := k.toldView(c)
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, toldPage(f, v))
}

func (k *Console) toldView(c *fiber.Ctx) (ui.ConsoleProps, toldView, error) {
	of, id, err := k.subject(c)
	if err != nil {
		return ui.ConsoleProps{}, toldView{}, err
	}
	t, err := k.Reminders.Told(c.UserContext(), of.ID(), id)
	if err != nil {
		return ui.ConsoleProps{}, toldView{}, err
	}
	p := web.Printer(c)
	v := toldView{URL: toldPath(of.Slug(), id), May: k.may(c.UserContext(), authz.OrderReview),
		Until: clock.CivilDate(k.Clock.Now().AddDate(0, 3, 0), clock.Shanghai).String()}
	product := t.Product
	if item, ok := t.Tenant.Product(t.Product); ok {
		product = item.Name.In(p.Locale())
	}
	next := p.T("remind.next_none")
	if t.Next != nil {
		next = p.T("remind.next_on", "Day", t.Next.On.String(), "Offset", offsetWord(p, t.Next.Offset))
	}
	v.Facts = []ui.Datum{
		{Label: p.T("remind.product"), Value: product}, {Label: p.T("remind.ends"), Value: ui.Date(t.NotAfter)},
		{Label: p.T("remind.next"), Value: next}, {Label: p.T("remind.renewal"), Body: ui.Tag(toneOf(t.Renewal), p.T("remind.renewal_"+t.Renewal))},
	}
	if t.OrderID != uuid.Nil {
		v.Order = orderPath(of.Slug(), t.OrderID, "")
	}
	if m := t.Silence; m != nil {
		v.Silence = p.T("remind.mute_is", "Until", ui.Date(m.Until), "Reason", m.Reason, "By", m.SetBy)
	}
	for _, m := range t.Messages {
		v.Messages = append(v.Messages, ui.Row{Cells: []ui.Cell{{Text: ui.DateTime(m.At)}, {Text: p.T("remind.by_" + m.Channel)}, {Text: maskedAddress(m.Channel, m.To), Mono: true, Sub: p.T("remind.who_" + toWhom(m.Event))},
			{Body: ui.Tag(toneOf(m.State), p.T("remind.state_"+m.State))}, {Text: withoutLink(m.Text)}}})
	}
	for _, r := range t.Rows {
		why := ""
		if r.Reason != "" {
			why = p.T("remind.why_" + r.Reason)
		}
		v.Rows = append(v.Rows, ui.Row{Cells: []ui.Cell{{Text: offsetWord(p, r.Offset)}, {Text: r.Due.String()}, {Text: p.T("remind.by_" + r.Channel)},
			{Body: ui.Tag(toneOf(r.State), p.T("remind.state_"+r.State))}, {Text: why}}})
	}
	v.Typed = func(field string) string { return c.FormValue(field) }
	if v.Change, err = k.change(c.UserContext(), p, of.ID(), id); err != nil {
		return ui.ConsoleProps{}, toldView{}, err
	}
	f, err := k.frame(c, t.Company, "/reminders")
	f.Crumbs = []ui.Link{{Label: p.T("console.nav.reminders"), Href: "/reminders"}}
	f.Actions = mark(houseOf(of, p.Locale()))
	return f, v, err
}

// toWhom is the rung of the ladder that a message spoke to.
func toWhom(event string) string {
	switch event {
	case "remind_roster":
		return "roster"
	case "remind_admin":
		return "admin"
	}
	return "holder"
}

// maskedAddress shows an address as far as its holder would recognise it.
func maskedAddress(channel, to string) string {
	if channel == "email" {
		return identifier.MaskEmail(to)
	}
	return identifier.MaskMobile(to)
}

// withoutLink leaves a link's secret out of a message's text: it is the holder's alone.
func withoutLink(text string) string {
	at := strings.Index(text, "/r/")
	if at < 0 {
		return text
	}
	end := at + len("/r/")
	for end < len(text) && (text[end] == '-' || text[end] == '_' || text[end] >= '0' && text[end] <= '9' || text[end] >= 'A' && text[end] <= 'Z' || text[end] >= 'a' && text[end] <= 'z') {
		end++
	}
	return text[:at] + "/r/…" + text[end:]
}

func offsetWord(p i18n.Printer, offset int) string {
	switch {
	case offset > 0:
		return p.T("remind.before", "Days", offset)
	case offset == 0:
		return p.T("remind.today")
	}
	return p.T("remind.after", "Days", -offset)
}

func (k *Console) finishTask(c *fiber.Ctx) error {
	of, id, err := k.place(c, "task", "reminder.no_task")
	if err != nil {
		return err
	}
	if err := k.Reminders.FinishTask(c.UserContext(), of.ID(), id); err != nil {
		return err
	}
	web.Flash(c, ui.Good, "remind.done_flash")
	return web.Redirect(c, "/reminders")
}

// act does something about a certificate and comes back to its page; what was typed wrongly is said there.
func (k *Console) act(c *fiber.Ctx, flash string, do func(tenantID, certificate uuid.UUID) error) error {
	of, id, err := k.subject(c)
	if err != nil {
		return err
	}
	if err := do(of.ID(), id); err != nil {
		f, v, viewErr := k.toldView(c)
		if viewErr != nil {
			return viewErr
		}
		return web.Retry(c, err, toldPage(f, v))
	}
	web.Flash(c, ui.Good, flash)
	return web.Redirect(c, toldPath(of.Slug(), id))
}

func (k *Console) mute(c *fiber.Ctx) error {
	return k.act(c, "remind.muted_flash", func(tenantID, id uuid.UUID) error {
		day, err := clock.ParseDate(strings.TrimSpace(c.FormValue("until")))
		if err != nil {
			return fault.InvalidFields(fault.At("until", "reminder.mute_until"))
		}
		return k.Reminders.Mute(c.UserContext(), tenantID, id, day.AddDays(1).At(0, 0, clock.Shanghai), c.FormValue("reason"))
	})
}

func (k *Console) unmute(c *fiber.Ctx) error {
	return k.act(c, "remind.unmuted_flash", func(tenantID, id uuid.UUID) error { return k.Reminders.Unmute(c.UserContext(), tenantID, id) })
}

// testReminder sends the message of 30 days before the end to a mobile of the reader's choice.
func (k *Console) testReminder(c *fiber.Ctx) error {
	return k.act(c, "remind.test_flash", func(tenantID, id uuid.UUID) error {
		mobile, err := account.Normalise(c.FormValue("mobile"))
		if err != nil {
			return err
		}
		return k.Reminders.TestSend(c.UserContext(), tenantID, id, 30, "sms", mobile)
	})
}
