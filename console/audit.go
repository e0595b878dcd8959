package console

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/order"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

const auditPage = 50

// auditView is the audit trail with its filters.
type auditView struct {
	Tenant, Action, Resource, Actor, Outcome string
	From, To                                 string // days, as in a date field
	Houses                                   []ui.Option
	Rows                                     []ui.Row
	Total, Page                              int
	Export                                   string
	href                                     func(page int) string
}

func (k *Console) audit(c *fiber.Ctx) error {
	all, err := k.houses(c)
	if err != nil {
		return err
	}
	v, q := auditQuery(c, all)
	q.Limit, q.Offset = auditPage, (v.Page-1)*auditPage
	list, total, err := audit.List(c.UserContext(), k.DB, q)
	if err != nil {
		return err
	}
	v.Total = total
	for _, l := range list {
		v.Rows = append(v.Rows, k.auditRow(c.UserContext(), l, all, web.Printer(c).T))
	}
	f, err := k.frame(c, web.Printer(c).T("console.nav.audit"), "/audit")
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, auditTrail(f, v))
}

// auditQuery reads the filters of the trail out of the address.
func auditQuery(c *fiber.Ctx, all []house) (auditView, audit.Query) {
	word := func(name string) string { return strings.TrimSpace(c.Query(name)) }
	v := auditView{Tenant: word("tenant"), Action: word("action"), Resource: word("resource"), Actor: word("actor"), Outcome: word("outcome"),
		From: word("from"), To: word("to"), Page: web.PageNumber(c), Houses: []ui.Option{{Value: "-", Label: web.Printer(c).T("console.audit.platform")}}}
	q := audit.Query{Action: v.Action, Resource: v.Resource, Actor: v.Actor, Denied: v.Outcome == "denied", Platform: v.Tenant == "-"}
	if day, err := clock.ParseDate(v.From); err == nil {
		q.From = day.At(0, 0, clock.Shanghai)
	}
	if day, err := clock.ParseDate(v.To); err == nil {
		q.To = day.AddDays(1).At(0, 0, clock.Shanghai)
	}
	for _, h := range all {
		v.Houses = append(v.Houses, ui.Option{Value: h.Slug, Label: h.Name})
		if h.Slug == v.Tenant {
			q.Tenant = h.ID
		}
	}
	kept := url.Values{}
	for name, value := range map[string]string{"tenant": v.Tenant, "action": v.Action, "resource": v.Resource, "actor": v.Actor, "outcome": v.Outcome, "from": v.From, "to": v.To} {
		if value != "" {
			kept.Set(name, value)
		}
	}
	v.Export = "/audit/export?" + kept.Encode()
	v.href = func(page int) string {
		kept.Set("page", strconv.Itoa(page))
		return "/audit?" + kept.Encode()
	}
	return v, q
}

// exportAudit writes the entries that fit the filters, the newest first. The export is itself in the trail.
func (k *Console) exportAudit(c *fiber.Ctx) error {
	all, err := k.houses(c)
	if err != nil {
		return err
	}
	_, q := auditQuery(c, all)
	q.Limit = 500
	p := web.Printer(c)
	table := [][]string{{}}
	for _, id := range []string{"console.col.at", "console.col.tenant", "console.audit.actor", "console.audit.action", "console.audit.code", "console.audit.resource", "console.audit.detail", "console.audit.outcome"} {
		table[0] = append(table[0], p.T(id))
	}
	for q.Offset < exportLimit {
		list, _, err := audit.List(c.UserContext(), k.DB, q)
		if err != nil {
			return err
		}
		for _, l := range list {
			table = append(table, []string{ui.DateTime(l.At), tenantName(l, all, p.T), firstOf(l.ActorName, p.T("console.actor."+l.ActorKind)), actWord(l.Action, p.T), l.Action, l.Resource,
				detailText(l.Detail), outcomeWord(l, p.T)})
		}
		if len(list) < q.Limit {
			break
		}
		q.Offset += q.Limit
	}
	return k.sendCSV(c, "audit", table)
}

// auditRow is one entry: what was done in words, and under them the code by which the trail is searched.
func (k *Console) auditRow(ctx context.Context, l audit.Line, all []house, t func(string, ...any) string) ui.Row {
	row, tone, house := ui.Row{}, ui.Good, ui.Cell{Text: tenantName(l, all, t)}
	if l.Tenant != uuid.Nil {
		house = ui.Cell{Body: mark(houseByID(all, l.Tenant))}
	}
	if l.Denied {
		tone, row.Tone = ui.Danger, ui.Danger
	}
	sealed := ""
	if !l.Sealed {
		sealed = t("console.audit.unsealed")
	}
	row.Cells = []ui.Cell{{Text: ui.DateTime(l.At), Sub: sealed}, house, {Text: firstOf(l.ActorName, t("console.actor."+l.ActorKind))}, {Text: actWord(l.Action, t), Sub: l.Action},
		{Body: thing(l.Resource, k.thingPath(ctx, l, all)), Sub: detailText(l.Detail)}, {Body: ui.Tag(tone, outcomeWord(l, t))}}
	return row
}

func tenantName(l audit.Line, all []house, t func(string, ...any) string) string {
	if l.Tenant == uuid.Nil {
		return t("console.audit.platform")
	}
	return houseByID(all, l.Tenant).Name
}

func outcomeWord(l audit.Line, t func(string, ...any) string) string {
	if l.Denied {
		return t("console.audit.denied")
	}
	return t("console.audit.done")
}

// thingPath is the page of what an entry is about, for who may open it; "" when it has none.
func (k *Console) thingPath(ctx context.Context, l audit.Line, all []house) string {
	kind, rest, _ := strings.Cut(l.Resource, "/")
	id, err := uuid.Parse(rest)
	h := houseByID(all, l.Tenant)
	switch {
	case err != nil:
	case kind == "order" && h.Slug != "":
		return orderPath(h.Slug, id, "")
	case kind == "certificate" && h.Slug != "" && k.Reminders != nil:
		return toldPath(h.Slug, id)
	case kind == "staff" && k.may(ctx, authz.StaffManage):
		return "/staff/" + id.String()
	}
	return ""
}

// actWord is an action in words: an order's event as its time line says it, others by name; one without a word is its code.
func actWord(action string, t func(string, ...any) string) string {
	if ev, ok := strings.CutPrefix(action, "order."); ok && slices.ContainsFunc(order.Edges(), func(e order.Edge) bool { return string(e.Event) == ev }) {
		return t("order.event." + ev)
	}
	if slices.Contains(acts, action) {
		return t("console.act." + action)
	}
	return action
}

// detailText is an entry's detail, name by name.
func detailText(detail map[string]any) string {
	var out []string
	for name, value := range detail {
		out = append(out, fmt.Sprintf("%s: %v", name, value))
	}
	slices.Sort(out)
	return strings.Join(out, "; ")
}

// acts are the actions that have words: console.act.<action>.
var acts = strings.Fields(`
	account.create account.register account.provision account.login account.password
	certificate.prepared certificate.issued certificate.abandoned certificate.imported certificate.revoked
	file.attach file.upload file.view
	invoice.requested invoice.changed invoice.issued invoice.shipped invoice.withdrawn
	key.authorised key.failed key.more_attempts key.old_unproved key.sent_in
	letter.issue letter.void
	list.export
	order.start order.save order.claim order.review order.reveal order.consignee order.renewal order.overdue order.forgotten order.destroy
	payment.begin payment.notification payment.mismatch
	refund.propose refund.approve refund.decline refund.done refund.refused
	reminder.mute reminder.unmute reminder.test reminder.roster reminder.task_done reminder.undeliverable reminder.contact_asked reminder.contact_changed reminder.contact_paper
	staff.add staff.login staff.roles staff.password staff.second_factor staff.enable staff.disable
	tenant.apply tenant.publish
	vault.rotate
	voucher.confirm voucher.reject
`)
