package console

import (
	"context"
	"fmt"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/authz"
	"certsaas/core/i18n"
	"certsaas/core/outbox"
	"certsaas/core/payment"
	"certsaas/core/web"
	"certsaas/core/web/ui"
	"certsaas/scheduler"
)

func (k *Console) watchRoutes() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/audit", Action: authz.AuditView, Handler: k.audit},
		{Method: "GET", Path: "/audit/export", Action: authz.AuditView, Handler: k.exportAudit},
		{Method: "GET", Path: "/health", Action: authz.HealthView, Handler: k.health},
	}
}

// worries are what is late, for those who look after the platform.
func (k *Console) worries(ctx context.Context) ([]web.Worry, error) {
	if k.Worries == nil || !k.may(ctx, authz.HealthView) {
		return nil, nil
	}
	return k.Worries(ctx)
}

// worryLines says each in a sentence.
func (k *Console) worryLines(p i18n.Printer, list []web.Worry) []string {
	var out []string
	for _, w := range list {
		since, name := "", w.Name
		if !w.Since.IsZero() {
			since = ago(p, k.Clock.Now().Sub(w.Since))
		}
		id := "console.worry." + w.Kind
		if w.Kind == web.JobLate {
			name = p.T("console.job." + w.Name)
			if since == "" {
				id = "console.worry.job_never"
			}
		}
		out = append(out, p.T(id, "Name", name, "Age", since, "Count", w.Count))
	}
	return out
}

// healthView is how the platform is doing.
type healthView struct {
	Worries []string
	Jobs    []ui.Row
	Outbox  outbox.Backlog
	Dead    []ui.Row
	Notices []ui.Row
	Oldest  string
}

func (k *Console) health(c *fiber.Ctx) error {
	ctx, p := c.UserContext(), web.Printer(c)
	var v healthView
	worries, err := k.worries(ctx)
	if err != nil {
		return err
	}
	v.Worries = k.worryLines(p, worries)
	if k.Jobs != nil {
		jobs, err := k.Jobs(ctx)
		if err != nil {
			return err
		}
		for _, j := range jobs {
			v.Jobs = append(v.Jobs, jobRow(j, p.T))
		}
	}
	all, err := k.houses(c)
	if err != nil {
		return err
	}
	if v.Outbox, err = outbox.Look(ctx, k.DB, 50); err != nil {
		return err
	}
	if !v.Outbox.Oldest.IsZero() {
		v.Oldest = ago(p, k.Clock.Now().Sub(v.Outbox.Oldest))
	}
	for _, d := range v.Outbox.Letters {
		v.Dead = append(v.Dead, ui.Row{Cells: []ui.Cell{{Text: ui.DateTime(d.At)}, {Body: mark(houseByID(all, d.Tenant))}, {Text: d.Kind, Mono: true, Sub: d.Ref.String()}, {Text: strconv.Itoa(d.Attempts)}, {Text: d.Error}}})
	}
	notices, err := k.Payments.RefusedNotices(ctx, 50)
	if err != nil {
		return err
	}
	v.Notices = noticeRows(notices, all, p.T)
	f, err := k.frame(c, p.T("console.nav.health"), "/health")
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, healthPage(f, v))
}

func noticeRows(list []payment.Notice, all []house, t func(string, ...any) string) []ui.Row {
	var rows []ui.Row
	for _, n := range list {
		rows = append(rows, ui.Row{Cells: []ui.Cell{{Text: ui.DateTime(n.At)}, {Body: mark(houseByID(all, n.Tenant))}, {Text: t("payment.channel." + n.Channel)}, {Text: n.Verdict, Mono: true}}})
	}
	return rows
}

// span is how often a job runs, in the largest unit that divides it: 1 小时, 5 分钟, 20 秒.
func span(d time.Duration, t func(string, ...any) string) string {
	switch {
	case d%time.Hour == 0:
		return t("console.when.hours", "Count", int(d/time.Hour))
	case d%time.Minute == 0:
		return t("console.when.minutes", "Count", int(d/time.Minute))
	}
	return t("console.when.seconds", "Count", int(d/time.Second))
}

func jobRow(j scheduler.Health, t func(string, ...any) string) ui.Row {
	state, row := ui.Tag(ui.Good, t("console.health.fine")), ui.Row{}
	switch {
	case j.Late:
		state, row.Tone = ui.Tag(ui.Danger, t("console.health.late")), ui.Danger
	case j.LastError != "":
		state = ui.Tag(ui.Warn, t("console.health.failed"))
	}
	next := ""
	if j.LastStart != nil {
		next = ui.DateTime(j.LastStart.Add(j.Every))
	}
	var did []string
	for kind, n := range j.Report {
		if n != 0 {
			did = append(did, fmt.Sprintf("%s %d", kind, n))
		}
	}
	sort.Strings(did)
	row.Cells = []ui.Cell{{Text: t("console.job." + j.Name), Sub: j.Name + " · " + t("console.health.every", "Every", span(j.Every, t))}, {Body: state}, {Text: dateTime(j.LastStart)}, {Text: dateTime(j.LastSuccess)}, {Text: next},
		{Text: strings.Join(did, ", "), Sub: j.LastError}}
	return row
}
