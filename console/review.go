package console

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/letter"
	"certsaas/core/material"
	"certsaas/core/order"
	"certsaas/core/review"
	"certsaas/core/rules"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

func (k *Console) reviewRoutes() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/orders/:tenant/:id/review", Action: authz.OrderReview, Handler: k.showReview},
		{Method: "POST", Path: "/orders/:tenant/:id/review", Action: authz.OrderReview, Handler: k.decide},
		{Method: "POST", Path: "/orders/:tenant/:id/reveal/:field", Action: authz.OrderReveal, Handler: k.reveal},
		{Method: "GET", Path: "/files/:tenant/:id", Action: authz.FileView, Handler: k.file},
	}
}

// reviewView is the review desk of one order.
type reviewView struct {
	*dossier
	Docs        []ui.Doc
	Groups      []ui.FactGroup
	Letter      letter.Comparison
	Twins       []twin // other orders that share something with this one
	Checklist   []rules.Check
	Ticked      map[string]bool
	Reasons     []string
	SecondLook  bool // only what changed since the last round
	Whole       bool // everything, on a second look
	Stale       bool // the order changed since the page was made
	Taken       string
	DueTone     ui.Tone
	Due         string
	Next, Prev  string // the neighbours in the queue
	CanReveal   bool
	typedReject map[string]string // what was typed before an error
}

// typed is the reason that was typed against a field before the page came back with an error.
func (v *reviewView) typed(field string) (string, bool) {
	reason, ok := v.typedReject[field]
	return reason, ok
}

// twin is another order with the same company, dealer number, key or picture.
type twin struct {
	Why, Number, Href, State string
	Tone                     ui.Tone
}

// showReview opens the desk and takes the order for this reviewer.
func (k *Console) showReview(c *fiber.Ctx) error {
	d, err := k.open(c)
	if err != nil {
		return err
	}
	if d.Order.State != order.InReview {
		web.Flash(c, ui.Info, "console.review.over", "State", d.State)
		return web.Redirect(c, d.path(""))
	}
	v, err := k.reviewView(c, d, review.Verdict{})
	if err != nil {
		return err
	}
	return k.renderReview(c, fiber.StatusOK, v)
}

func (k *Console) renderReview(c *fiber.Ctx, status int, v *reviewView) error {
	f, err := k.frame(c, v.Number+" · "+v.Name, "/queue/review")
	if err != nil {
		return err
	}
	f.Full, f.Actions = true, deskHead(v)
	f.Crumbs = []ui.Link{{Label: web.Printer(c).T("console.desk.review"), Href: "/queue/review"}}
	f.Banner = v.Taken
	return web.Render(c, status, reviewPage(f, v))
}

// reviewView reads the desk of an order in review, claiming it where nobody else holds it.
func (k *Console) reviewView(c *fiber.Ctx, d *dossier, typed review.Verdict) (*reviewView, error) {
	ctx, p := c.UserContext(), web.Printer(c)
	v := &reviewView{dossier: d, CanReveal: k.mayReveal(ctx, d), Ticked: typed.Checklist, typedReject: map[string]string{}}
	for _, r := range typed.Remarks {
		v.typedReject[r.Target] = r.Reason
	}
	err := k.inTenant(ctx, d.Tenant, func(ctx context.Context, tx *db.Tx) error { return k.Orders.Claim(ctx, tx, &d.Order) })
	switch {
	case errors.Is(err, fault.Conflict):
		who, err := k.names(ctx)
		if err != nil {
			return nil, err
		}
		v.Taken = p.T("console.review.taken", "Name", who.of(d.ClaimedBy))
	case err != nil:
		return nil, err
	}
	var matches []twin
	err = k.inTenant(ctx, d.Tenant, func(ctx context.Context, tx *db.Tx) error {
		var err error
		if v.Letter, err = k.Letters.Comparison(ctx, tx, d.ID); err != nil {
			return err
		}
		matches, err = k.samePictures(ctx, tx, c, d)
		return err
	})
	if err != nil {
		return nil, err
	}
	if v.Twins, err = k.twins(c, d); err != nil {
		return nil, err
	}
	v.Twins = append(v.Twins, matches...)
	for _, ch := range d.Item.Review.Checklist {
		if ch.When.Holds(d.Answers, d.Facts, true) {
			v.Checklist = append(v.Checklist, ch)
		}
	}
	for _, r := range d.Item.Review.Reasons {
		v.Reasons = append(v.Reasons, r.Text.In(d.Site.Languages()[0])) // the applicant reads it
	}
	v.DueTone, v.Due = k.dueWord(p, d.Order, k.Clock.Now())
	v.SecondLook = len(d.Rounds) > 0
	v.Whole = c.Query("all") != "" || c.FormValue("all") != ""
	k.lay(c, v)
	v.Next, v.Prev, err = k.neighbours(ctx, d)
	return v, err
}

// lay puts documents and data on the desk, in the form's order; on a second look only what changed and what was refused.
func (k *Console) lay(c *fiber.Ctx, v *reviewView) {
	p := web.Printer(c)
	warnings, wrong := problems(v.Checked.Warnings, p), problems(v.Checked.Problems, p)
	printed := map[string]letter.Line{}
	for _, l := range v.Letter.Lines {
		printed[l.Name] = l
	}
	was := map[string]form.Change{}
	for _, ch := range review.Changes(v.Item, v.Rounds, v.Answers) {
		was[ch.Field.Key] = ch
	}
	refused := map[string]string{}
	if v.SecondLook {
		for _, r := range v.Rounds[len(v.Rounds)-1].Remarks {
			refused[r.Target] = r.Reason
		}
	}
	for _, g := range v.Item.Form.Groups {
		group := ui.FactGroup{Title: g.Title.In(v.Locale)}
		for _, fd := range g.Fields {
			ch, changed := was[fd.Key]
			_, back := refused[fd.Key]
			if !v.Visible[fd.Key] || (v.SecondLook && !v.Whole && !changed && !back) {
				continue
			}
			f := k.fact(v, fd, p.T)
			switch {
			case wrong[fd.Key] != "":
				f.Check, f.Note = ui.Danger, wrong[fd.Key]
			case warnings[fd.Key] != "":
				f.Check, f.Note = ui.Warn, warnings[fd.Key]+p.T("console.review.soft")
			}
			if l, ok := printed[fd.Key]; ok && l.Changed() {
				f.Letter, f.Check = v.shown(fd, l.Printed), ui.Danger
			}
			if changed && !fd.IsFile() {
				f.Was = firstOf(v.shown(fd, ch.Old), p.T("ui.none"))
			}
			f.Reason, f.Refused = v.typed(fd.Key)
			if back && f.Check == ui.Good && !fd.IsFile() {
				f.Check, f.Note = ui.Plain, ""
			}
			if back {
				f.Note = strings.TrimSpace(p.T("console.review.refused_before", "Reason", refused[fd.Key]) + " " + f.Note)
			}
			group.Facts = append(group.Facts, f)
		}
		if len(group.Facts) > 0 {
			v.Groups = append(v.Groups, group)
		}
	}
}

// fact is one datum, or one document with what its automatic look found; a document also goes to the left side.
func (k *Console) fact(v *reviewView, fd form.Field, t func(string, ...any) string) ui.Fact {
	value := v.Answers[fd.Key]
	f := ui.Fact{Field: fd.Key, Label: fd.Label.In(v.Locale), Value: v.shown(fd, value), Reject: v.Taken == ""}
	if !fd.IsFile() {
		if v.CanReveal && v.hidden(fd) {
			f.Reveal = v.path("/reveal/" + fd.Key)
		}
		if isValidated(fd, value) {
			f.Check, f.Note = ui.Good, t("console.review.form_ok")
		}
		return f
	}
	file, ok := v.file(fd.Key)
	if !ok {
		f.Value = ""
		return f
	}
	f.Value = t("console.review.picture", "Width", file.Width, "Height", file.Height)
	f.Check = findingTone(file.Findings)
	var notes []string
	for _, x := range file.Findings {
		notes = append(notes, t(x.ID, args(x.Args)...))
	}
	if fd.Type == form.Letter && v.Letter.Scan != nil {
		notes = append([]string{t("letter.result." + string(v.Letter.Scan.Result))}, notes...)
		if v.Letter.Scan.Result != letter.OK {
			f.Check = ui.Danger
		}
	}
	f.Note = strings.Join(notes, " ")
	if f.Note == "" {
		f.Note = t("console.review.picture_ok")
	}
	v.Docs = append(v.Docs, ui.Doc{Label: f.Label, URL: filePath(v.House.Slug, file.ID), State: f.Check, Field: fd.Key})
	return f
}

func args(m map[string]any) []any {
	var kv []any
	for name, value := range m {
		kv = append(kv, name, value)
	}
	return kv
}

// findingTone is the verdict of an automatic look.
func findingTone(found []material.Finding) ui.Tone {
	tone := ui.Good
	for _, f := range found {
		if f.Refuses {
			return ui.Danger
		}
		tone = ui.Warn
	}
	return tone
}

// twins finds orders of the tenant that share company, code, dealer number or key with this one.
func (k *Console) twins(c *fiber.Ctx, d *dossier) ([]twin, error) {
	var out []twin
	dealer := order.Filter{Dealer: d.Answers["dealer_code"]}
	looks := []struct {
		why  string
		ask  bool
		f    order.Filter
		keep func(order.Order) bool
	}{
		{"company", company(d.Order) == d.Organisation() && d.Organisation() != "", order.Filter{Org: d.Organisation()}, nil},
		{"code", d.Code() != "", order.Filter{Code: d.Code()}, func(o order.Order) bool { return o.Organisation() != d.Organisation() }},
		{"dealer", dealer.Dealer != "", dealer, func(o order.Order) bool { return o.Code() != d.Code() }},
		{"key", d.OldCertificate != uuid.Nil, order.Filter{OldCert: d.OldCertificate}, nil},
		{"token", d.Answers["key_serial"] != "", order.Filter{Token: d.Answers["key_serial"]}, nil},
	}
	for _, l := range looks {
		if !l.ask {
			continue
		}
		l.f.Tenant, l.f.Limit = d.Tenant, 6
		list, _, err := k.Orders.Queue(c.UserContext(), l.f)
		if err != nil {
			return nil, err
		}
		for _, o := range list {
			if o.ID == d.ID || o.State == order.Draft || (l.keep != nil && !l.keep(o)) {
				continue
			}
			out = append(out, twin{Why: "console.twin." + l.why, Number: o.Number, Href: orderPath(d.House.Slug, o.ID, ""),
				State: web.Printer(c).T("order.state." + string(o.State)), Tone: stateTone(o.State)})
		}
	}
	return out, nil
}

// twinsShown is how many orders with the same picture a desk lists.
const twinsShown = 12

// samePictures finds this order's pictures in other orders, or at another field of its own.
func (k *Console) samePictures(ctx context.Context, tx *db.Tx, c *fiber.Ctx, d *dossier) ([]twin, error) {
	var out []twin
	for _, f := range d.Files {
		found, err := k.Materials.Same(ctx, tx, f)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			if len(out) == twinsShown {
				return out, nil
			}
			id := "console.twin.similar"
			if m.Exact {
				id = "console.twin.picture"
			}
			fd, _ := d.Item.Form.Field(f.Field)
			out = append(out, twin{Why: id, Number: m.Number, Href: orderPath(d.House.Slug, m.Order, ""), State: fd.Label.In(d.Locale), Tone: ui.Warn})
		}
	}
	return out, nil
}

// neighbours are the orders of the queue around this one that nobody else holds.
func (k *Console) neighbours(ctx context.Context, d *dossier) (next, prev string, err error) {
	list, err := k.reviewQueue(ctx)
	if err != nil {
		return "", "", err
	}
	i := slices.IndexFunc(list, func(o order.Order) bool { return o.ID == d.ID })
	if i < 0 {
		return "", "", nil
	}
	if i+1 < len(list) {
		next, err = k.pathOf(ctx, list[i+1], "/review")
	}
	if i > 0 && err == nil {
		prev, err = k.pathOf(ctx, list[i-1], "/review")
	}
	return next, prev, err
}

// reviewQueue is the most urgent orders in review that nobody else holds.
func (k *Console) reviewQueue(ctx context.Context) ([]order.Order, error) {
	list, _, err := k.Orders.Queue(ctx, order.Filter{States: []order.State{order.InReview}, Oldest: true, Limit: 100})
	me, now := authz.From(ctx).ID, k.Clock.Now()
	return slices.DeleteFunc(list, func(o order.Order) bool { return order.Claimed(o, now) && o.ClaimedBy != me }), err
}

func (k *Console) pathOf(ctx context.Context, o order.Order, desk string) (string, error) {
	t, err := k.Tenants.ByID(ctx, o.Tenant)
	if err != nil {
		return "", err
	}
	return orderPath(t.Slug(), o.ID, desk), nil
}

// decide takes a verdict and leads to the next order.
func (k *Console) decide(c *fiber.Ctx) error {
	t, id, err := k.place(c, "id")
	if err != nil {
		return err
	}
	verdict := k.verdict(c)
	o, err := k.Reviews.Decide(c.UserContext(), t.ID(), id, verdict)
	if err != nil {
		return k.retryReview(c, err, verdict)
	}
	flash := "console.review.rejected"
	if verdict.Approve {
		flash = "console.review.approved"
	}
	web.Flash(c, ui.Good, flash, "Number", o.Number)
	list, err := k.reviewQueue(c.UserContext())
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return web.Redirect(c, "/queue/review")
	}
	next, err := k.pathOf(c.UserContext(), list[0], "/review")
	if err != nil {
		return err
	}
	return web.Redirect(c, next)
}

// verdict reads what was decided: decision, checklist, and a reason for each refused target.
func (k *Console) verdict(c *fiber.Ctx) review.Verdict {
	v := review.Verdict{Approve: c.FormValue("decision") == "approve", Checklist: map[string]bool{}}
	v.Version, _ = strconv.Atoi(c.FormValue("version"))
	for _, id := range values(c, "check") {
		v.Checklist[id] = true
	}
	for _, target := range values(c, "reject") {
		v.Remarks = append(v.Remarks, review.Remark{Target: target, Reason: strings.TrimSpace(c.FormValue("reason." + target))})
	}
	return v
}

// values are all values of a repeated form field.
func values(c *fiber.Ctx, name string) []string {
	var out []string
	for _, b := range c.Request().PostArgs().PeekMulti(name) {
		out = append(out, string(b))
	}
	return out
}

// retryReview shows the desk again with what was ticked and typed; an order that changed or is somebody else's is not shown
// as if it could be decided.
func (k *Console) retryReview(c *fiber.Ctx, err error, verdict review.Verdict) error {
	f := fault.From(err)
	if f == nil || (f.Kind != fault.Invalid && f.Kind != fault.Conflict) {
		return err
	}
	d, again := k.open(c)
	if again != nil {
		return again
	}
	if d.Order.State != order.InReview {
		web.Flash(c, ui.Danger, f.ID)
		return web.Redirect(c, d.path(""))
	}
	v, again := k.reviewView(c, d, verdict)
	if again != nil {
		return again
	}
	v.Stale = f.Kind == fault.Conflict
	web.PageOf(c).Errors = web.FormErrors(err, web.Printer(c))
	return k.renderReview(c, web.Status(err), v)
}

// reveal shows one masked value to somebody who says why; the look is part of the audit trail.
func (k *Console) reveal(c *fiber.Ctx) error {
	d, err := k.open(c)
	if err != nil {
		return err
	}
	fd, ok := d.Item.Form.Field(c.Params("field"))
	if !ok || !d.Visible[fd.Key] || fd.IsFile() {
		return fault.New(fault.NotFound, "web.not_found")
	}
	if err := k.Authz.Check(c.UserContext(), authz.OrderReveal, d.Resource(nil)); err != nil {
		return err
	}
	reason := c.FormValue("why")
	if !slices.Contains(revealReasons, reason) {
		return fault.InvalidFields(fault.At("why", "console.reveal.why_missing"))
	}
	err = k.inTenant(c.UserContext(), d.Tenant, func(ctx context.Context, tx *db.Tx) error {
		return audit.Record(ctx, tx, audit.Entry{Action: "order.reveal", Resource: "order/" + d.ID.String(), Detail: map[string]any{"field": fd.Key, "why": reason}})
	})
	if err != nil {
		return err
	}
	if web.Partial(c) {
		return c.JSON(fiber.Map{"value": d.Answers[fd.Key]})
	}
	d.Shown[fd.Key] = true
	if d.Order.State != order.InReview {
		return k.renderOrder(c, d)
	}
	v, err := k.reviewView(c, d, review.Verdict{})
	if err != nil {
		return err
	}
	return k.renderReview(c, fiber.StatusOK, v)
}

// revealReasons are the reasons for looking at personal data; their words are console.reveal.<reason>.
var revealReasons = []string{"document", "contact", "complaint"}

// file hands out a picture or paper of an order; who looked is part of the audit trail.
func (k *Console) file(c *fiber.Ctx) error {
	t, id, err := k.place(c, "id")
	if err != nil {
		return err
	}
	f, data, err := k.Materials.Open(c.UserContext(), t.ID(), id)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, f.MediaType)
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; sandbox")
	if !strings.HasPrefix(f.MediaType, "image/") {
		c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+f.Name(f.Order.String())+`"`)
	}
	return c.Send(data)
}

// letterTone is what the code on the letter's scan says, as a colour.
func (v *reviewView) letterTone() ui.Tone {
	switch {
	case v.Letter.Scan == nil, v.Letter.Scan.Result == letter.Missing, v.Letter.Scan.Result == letter.Undecided:
		return ui.Warn
	case v.Letter.Scan.Result == letter.OK && !v.Letter.Voided:
		return ui.Good
	}
	return ui.Danger
}

// changedLines are the letter's values that differ from the order's and stand beside no field of the form.
func (v *reviewView) changedLines() []letter.Line {
	var out []letter.Line
	for _, l := range v.Letter.Lines {
		if _, isField := v.Item.Form.Field(l.Name); l.Changed() && !isField {
			if l.Label == "" {
				l.Label = l.Name
			}
			out = append(out, l)
		}
	}
	return out
}

// label is what the form calls a field.
func (d *dossier) label(key string) string {
	if fd, ok := d.Item.Form.Field(key); ok {
		return fd.Label.In(d.Locale)
	}
	return key
}
