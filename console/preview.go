package console

import (
	"context"
	"strconv"

	"certsaas/core/i18n"
	"certsaas/core/reminder"
	"certsaas/core/tenant"
	"certsaas/core/web/ui"
)

// previewDays is how far ahead a change of rules is shown.
const previewDays = 30

// previewView is what a release that waits would change about reminders.
type previewView struct {
	Same              bool
	Now, Next, AtOnce string
	Past              string // "" when there is nothing of it
	Urgent            bool   // something is due at once
	Rows              []ui.Row
}

// preview works out what publishing a definition would do to reminders (issue 4 §1); nil when it cannot be told.
func (k *Console) preview(ctx context.Context, p i18n.Printer, def tenant.Definition) (*previewView, error) {
	if k.Reminders == nil {
		return nil, nil
	}
	next, problems := tenant.Compile(def)
	if len(problems) > 0 {
		return nil, nil // publishing it says what is wrong
	}
	x, err := k.Reminders.Preview(ctx, next, previewDays)
	if err != nil {
		return nil, err
	}
	v := &previewView{Same: x.Same}
	if x.Same {
		return v, nil
	}
	say := func(id string, d reminder.Day) string {
		return p.T(id, "Day", d.On.String(), "People", d.People, "Messages", d.Messages, "Certificates", d.Certificates)
	}
	v.Now, v.Next = say("remind.preview_now", x.Now[0]), say("remind.preview_next", x.Next[0])
	v.AtOnce, v.Urgent = say("remind.preview_at_once", x.AtOnce), x.AtOnce.Certificates > 0
	if !v.Urgent {
		v.AtOnce = p.T("remind.preview_nothing")
	}
	if x.Past > 0 {
		v.Past = p.T("remind.preview_past", "Count", x.Past)
	}
	for i, d := range x.Now {
		v.Rows = append(v.Rows, previewRow(d, x.Next[i]))
	}
	return v, nil
}

// previewRow is one day under both rules; a day that changes is marked.
func previewRow(now, next reminder.Day) ui.Row {
	row := ui.Row{Cells: []ui.Cell{{Text: now.On.String()}, {Text: strconv.Itoa(now.Messages)}, {Text: strconv.Itoa(now.People)}, {Text: strconv.Itoa(next.Messages)}, {Text: strconv.Itoa(next.People)}}}
	switch d := next.Messages - now.Messages; {
	case d > 0:
		row.Cells = append(row.Cells, ui.Cell{Body: ui.Tag(ui.Warn, "+"+strconv.Itoa(d))})
	case d < 0:
		row.Cells = append(row.Cells, ui.Cell{Body: ui.Tag(ui.Info, strconv.Itoa(d))})
	default:
		row.Cells = append(row.Cells, ui.Cell{Text: "–"})
	}
	return row
}
