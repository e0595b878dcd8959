package console

import (
	"time"

	"certsaas/core/i18n"
	"certsaas/core/order"
	"certsaas/core/web/ui"
)

// officeDay is a full working day (core/clock).
const officeDay = 8*time.Hour + 30*time.Minute

// ago is an age in the largest unit that fits: "3 天", "5 小时", "12 分钟".
func ago(p i18n.Printer, d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return p.T("console.when.days", "Count", int(d/(24*time.Hour)))
	case d >= time.Hour:
		return p.T("console.when.hours", "Count", int(d/time.Hour))
	}
	return p.T("console.when.minutes", "Count", max(1, int(d/time.Minute)))
}

// dueWord is age and due time in one word: 还剩 1 工作日, 已超时 3 小时, 已暂停 (req K39).
func (k *Console) dueWord(p i18n.Printer, o order.Order, now time.Time) (ui.Tone, string) {
	if o.PausedAt != nil {
		return ui.Plain, p.T("console.when.paused")
	}
	if o.DueAt == nil {
		return ui.Plain, p.T("console.when.waits", "Age", ago(p, now.Sub(o.UpdatedAt)))
	}
	return k.dueIn(p, *o.DueAt, now)
}

func (k *Console) dueIn(p i18n.Printer, due, now time.Time) (ui.Tone, string) {
	if late := now.Sub(due); late > 0 {
		return ui.Danger, p.T("console.when.late", "Age", ago(p, late))
	}
	if days := k.Calendar.RemainingWorkdays(now, due); days > 1 {
		return ui.Good, p.T("console.when.left_days", "Count", days)
	} else if days == 1 {
		return ui.Warn, p.T("console.when.left_days", "Count", 1)
	}
	left := k.Calendar.WorkingTimeLeft(now, due)
	if left > officeDay {
		left = officeDay
	}
	return ui.Warn, p.T("console.when.today", "Age", ago(p, left))
}

// lately is an instant in a list: without its year while that is this year's.
func lately(t *time.Time, now time.Time) string {
	if t == nil {
		return "–"
	}
	at := t.In(ui.Shanghai)
	if at.Year() == now.In(ui.Shanghai).Year() {
		return at.Format("01-02 15:04")
	}
	return ui.DateTime(at)
}

// dateTime is an instant on paper; "" for none.
func dateTime(t *time.Time) string {
	if t == nil {
		return ""
	}
	return ui.DateTime(*t)
}
