package portal

import (
	"slices"

	"certsaas/core/i18n"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/core/web/ui"
)

// Stages of an order's way besides the steps of its form, which are "fill:<step>".
const (
	stageConfirm = "confirm"
	stagePay     = "pay"
	stageReview  = "review"
	stageSendIn  = "send_in"
	stageInstall = "install"
	stageMake    = "make"
	stageUnlock  = "unlock"
	stageDone    = "done"
)

// stages are the ids of a product's way, in order (req B10).
func stages(item tenant.Product) []string {
	var out []string
	for _, st := range item.StepsAt("order") {
		out = append(out, "fill:"+st.ID)
	}
	if item.Confirm.Page {
		out = append(out, stageConfirm)
	}
	settle := []string{stagePay, stageReview}
	if item.Payment.When == "after_review" {
		slices.Reverse(settle)
	}
	if item.Free() {
		settle = []string{stageReview}
	}
	if item.Inbound.Required {
		at := stageReview
		if !item.Free() && (item.Inbound.When == "after_payment" || item.Payment.When == "after_review") { // whichever comes last
			at = stagePay
		}
		settle = slices.Insert(settle, slices.Index(settle, at)+1, stageSendIn)
	}
	out = append(out, settle...)
	if end, ok := map[string]string{"install": stageInstall, "produce": stageMake, "unlock": stageUnlock}[item.Fulfilment]; ok {
		out = append(out, end)
	}
	return append(out, stageDone)
}

// journey draws a product's way with the order at a stage; "" draws it before it begins.
func journey(item tenant.Product, stage string, say i18n.Printer) []ui.Step {
	ids := stages(item)
	labels := make([]string, len(ids))
	for i, id := range ids {
		labels[i] = stageLabel(item, id, say)
	}
	at := slices.Index(ids, stage)
	if stage == stageDone {
		at = len(ids)
	}
	return ui.Steps(at, labels...)
}

// troubled is a way whose current step came back with a reason.
func troubled(way []ui.Step) []ui.Step {
	for i := range way {
		if way[i].State == ui.StepNow {
			way[i].State = ui.StepTrouble
		}
	}
	return way
}

// wayOf is the way of an order as it stands; nil when it was broken off.
func wayOf(o order.Order, item tenant.Product, say i18n.Printer) []ui.Step {
	switch o.State { // it goes no further
	case order.Cancelled, order.Lapsed, order.Refunding, order.Refunded:
		return nil
	}
	way := journey(item, stageOf(o, item), say)
	if o.State == order.Rejected {
		return troubled(way)
	}
	return way
}

func stageLabel(item tenant.Product, id string, say i18n.Printer) string {
	for _, st := range item.StepsAt("order") {
		if id == "fill:"+st.ID {
			return st.Title.In(say.Locale())
		}
	}
	return say.T("portal.stage." + id)
}
