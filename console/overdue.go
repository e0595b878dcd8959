package console

import (
	"context"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/i18n"
	"certsaas/core/invoice"
	"certsaas/core/order"
	"certsaas/core/overdue"
	"certsaas/core/tenant"
	"certsaas/core/web/ui"
)

// atDesk is an order whose due time is the desk's: the end of the working days that the desk has had since the order came to
// it, or what the applicant was promised when that is sooner (req K39; issue 4 §3).
func (k *Console) atDesk(t *tenant.Tenant, o order.Order, since time.Time) order.Order {
	if k.Overdue != nil && t != nil && !since.IsZero() && o.PausedAt == nil {
		o.DueAt = k.Overdue.Due(t, o.Product, string(o.State), since, o.DueAt)
	}
	return o
}

// since is when the orders of a list came to where they are.
func (k *Console) since(ctx context.Context, list []order.Order) (map[uuid.UUID]time.Time, error) {
	if k.Overdue == nil || len(list) == 0 {
		return nil, nil
	}
	return k.Overdue.Since(ctx, list)
}

// due is the word about an order's due time on its own pages.
func (k *Console) due(p i18n.Printer, d *dossier) (ui.Tone, string) {
	var since time.Time
	for _, e := range d.Line {
		if e.To == d.Order.State {
			since = e.At
		}
	}
	return k.dueWord(p, k.atDesk(d.House.Tenant, d.Order, since), k.Clock.Now())
}

// dueCell is the due time of an order in a list, and the row's tone.
func (k *Console) dueCell(p i18n.Printer, h house, o order.Order, since time.Time) (ui.Cell, ui.Tone) {
	tone, word := k.dueWord(p, k.atDesk(h.Tenant, o, since), k.Clock.Now())
	return ui.Cell{Body: ui.Due(tone, word)}, lateOnly(tone)
}

// invoiceDue is until when an invoice is to be issued; nil when no time is declared.
func (k *Console) invoiceDue(h house, x invoice.Invoice) *time.Time {
	if k.Overdue == nil || h.Tenant == nil || x.State != invoice.Requested {
		return x.DueAt
	}
	return k.Overdue.Due(h.Tenant, x.Product, overdue.Invoice, x.RequestedAt, x.DueAt)
}

// warned raises the counts of late work to the warnings that are open.
func (k *Console) warned(ctx context.Context, piles map[string]order.Count) error {
	if k.Overdue == nil || !k.may(ctx, authz.QueueView) {
		return nil
	}
	open, err := k.Overdue.Open(ctx)
	if err != nil {
		return err
	}
	for _, d := range desks {
		stage := string(d.State)
		if d.Key == "invoice" {
			stage = overdue.Invoice
		}
		if x := piles[d.Key]; x.N > 0 && open[stage] > x.Late {
			x.Late = min(open[stage], x.N)
			piles[d.Key] = x
		}
	}
	return nil
}
