package console

import (
	"context"
	"slices"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/identifier"
	"certsaas/core/web/ui"
)

// changeView is a change of contact by paper that is under way.
type changeView struct {
	Facts   []ui.Datum
	Waiting bool // for a second person
	Mine    bool // the reader filed it and cannot decide
}

// change reads what is under way for a certificate; nil when nothing is.
func (k *Console) change(ctx context.Context, p i18n.Printer, tenantID, certificate uuid.UUID) (*changeView, error) {
	x, err := k.Reminders.OpenChange(ctx, tenantID, certificate)
	if err != nil || x == nil {
		return nil, err
	}
	v := &changeView{Waiting: x.State == "waiting", Mine: x.AskedBy == authz.From(ctx).ID, Facts: []ui.Datum{
		{Label: p.T("remind.change_mobile"), Value: identifier.MaskMobile(x.Mobile)}, {Label: p.T("remind.change_reason"), Value: x.Reason},
		{Label: p.T("remind.change_asked"), Value: x.AskedName, Note: ui.DateTime(x.AskedAt)}, {Label: p.T("remind.change_until"), Value: ui.Date(x.ExpiresAt)},
	}}
	if x.Decider != "" {
		v.Facts = append(v.Facts, ui.Datum{Label: p.T("remind.change_decided"), Value: x.Decider, Note: dateTime(x.DecidedAt)})
	}
	return v, nil
}

// askContact files a sealed paper of a holder whose mobile is lost.
func (k *Console) askContact(c *fiber.Ctx) error {
	return k.act(c, "remind.change_filed", func(tenantID, id uuid.UUID) error {
		paper, err := uploaded(c, "file")
		if err != nil {
			return err
		}
		err = k.Reminders.AskByPaper(c.UserContext(), tenantID, id, c.FormValue("new_mobile"), c.FormValue("change_reason"), paper)
		return renamed(err, map[string]string{"mobile": "new_mobile", "reason": "change_reason"})
	})
}

// renamed is an error whose fields bear the names they have on a page with several forms.
func renamed(err error, names map[string]string) error {
	f := fault.From(err)
	if f == nil {
		return err
	}
	out := *f
	out.Fields = slices.Clone(f.Fields)
	for i, x := range out.Fields {
		out.Fields[i].Name = firstOf(names[x.Name], x.Name)
	}
	return &out
}

func (k *Console) agreeContact(c *fiber.Ctx) error {
	return k.act(c, "remind.change_agreed", func(tenantID, id uuid.UUID) error { return k.Reminders.Decide(c.UserContext(), tenantID, id, true) })
}

func (k *Console) refuseContact(c *fiber.Ctx) error {
	return k.act(c, "remind.change_refused", func(tenantID, id uuid.UUID) error { return k.Reminders.Decide(c.UserContext(), tenantID, id, false) })
}

// contactPaper shows the picture of the paper; the look is part of the audit trail.
func (k *Console) contactPaper(c *fiber.Ctx) error {
	of, id, err := k.subject(c)
	if err != nil {
		return err
	}
	picture, err := k.Reminders.Paper(c.UserContext(), of.ID(), id)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "image/jpeg")
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.Send(picture)
}
