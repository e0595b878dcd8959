package portal

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/i18n"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// filling is one step of one order in the hands of its owner.
type filling struct {
	w    placed
	step tenant.Step
	say  i18n.Printer
}

func (f filling) url() string { return fillURL(f.w.Order, f.step.ID) }

func fillURL(o order.Order, step string) string {
	return "/orders/" + o.ID.String() + "/fill/" + url.PathEscape(step)
}

// filling finds the step a path names. errElsewhere: the order has left its form.
func (p *Portal) filling(c *fiber.Ctx) (filling, error) {
	w, err := p.open(c.UserContext(), web.SiteOf(c).Tenant, orderID(c))
	if err != nil {
		return filling{}, err
	}
	f := filling{w: w, say: web.Printer(c)}
	for _, st := range w.Item.StepsAt("order") {
		if st.ID == c.Params("step") {
			f.step = st
		}
	}
	if f.step.ID == "" {
		return f, fault.New(fault.NotFound, "order.no_step")
	}
	if !w.Editable() {
		return f, errElsewhere
	}
	return f, nil
}

var errElsewhere = errors.New("portal: the order has left its form")

// showStep is a page of the form: what was stored, or after a rejection what was refused and why.
func (p *Portal) showStep(c *fiber.Ctx) error {
	f, err := p.filling(c)
	if errors.Is(err, errElsewhere) {
		return web.Redirect(c, after(f.w.Order))
	}
	if err != nil {
		return err
	}
	s := p.sheet(f.w, f.step.ID, f.say)
	page := web.PageOf(c)
	if f.w.State == order.Rejected {
		page.Errors = s.remarks()
	}
	if c.Query("check") != "" {
		_, err := p.Orders.Ready(c.UserContext(), f.w.Tenant, f.w.ID)
		page.Errors = s.onPage(web.FormErrors(spoken(err, f.say), f.say))
	}
	return web.Render(c, fiber.StatusOK, formPage(p.formView(c, f, s, "")))
}

// remarks are the reviewer's reasons at the refused fields of this page (req K44).
func (s *sheet) remarks() ui.Errors {
	var out ui.Errors
	for _, r := range s.w.Remarks {
		if _, ok := s.part.Field(r.Target); ok {
			out = append(out, ui.FieldError{Name: r.Target, Text: s.say.T("portal.remark", "Reason", r.Reason)})
		}
	}
	return out
}

// onPage keeps the errors that this page can show: its own fields' and the whole order's.
func (s *sheet) onPage(all ui.Errors) ui.Errors {
	return slices.DeleteFunc(all, func(e ui.FieldError) bool {
		_, ok := s.part.Field(e.Name)
		return e.Name != "" && !ok
	})
}

// saveStep takes a page of the form: stores what was typed, valid or not, and does what the pressed button says.
func (p *Portal) saveStep(c *fiber.Ctx) error {
	f, err := p.filling(c)
	if errors.Is(err, errElsewhere) {
		return web.Redirect(c, after(f.w.Order))
	}
	if err != nil {
		return err
	}
	pressed := c.FormValue("_step")
	res, err := p.store(c, &f, typed(c, f.w, f.step.ID, pressed))
	if err != nil {
		return err
	}
	refused, err := p.takeFiles(c, &f, &res)
	if err != nil {
		return err
	}
	s := p.sheet(f.w, f.step.ID, f.say)
	s.hear(res, f.say)
	problems := append(refused.Errors, spokenProblems(res, f.say)...)
	switch {
	case strings.HasPrefix(pressed, "letter-"):
		return p.toLetter(c, f, s, problems, pressed)
	case pressed != "next" && pressed != "":
		web.PageOf(c).Errors = refused.Errors
		return web.Render(c, refused.status(refused.Errors), formPage(p.formView(c, f, s, "")))
	case len(problems) > 0:
		web.PageOf(c).Errors = s.inOrder(problems)
		return web.Render(c, refused.status(problems), formPage(p.formView(c, f, s, "")))
	}
	if seen := hintsOf(res); seen != "" && seen != c.FormValue("_seen") {
		return web.Render(c, fiber.StatusOK, formPage(p.formView(c, f, s, seen)))
	}
	for i, n := range res.Notes {
		if i < 4 {
			web.Flash(c, ui.Info, n.ID, flatten(n.In(f.say.Locale()).Args)...)
		}
	}
	return p.goOn(c, f, s)
}

// goOn leads from a complete step to the next, to the confirmation, or hands the order in.
func (p *Portal) goOn(c *fiber.Ctx, f filling, s *sheet) error {
	if next, ok := nextStep(f.w, f.step.ID); ok {
		return web.Redirect(c, fillURL(f.w.Order, next))
	}
	if f.w.State == order.Draft && (f.w.Item.Confirm.Page || f.w.Item.Confirm.Code || f.w.Item.Confirm.Agreement != "") {
		return web.Redirect(c, "/orders/"+f.w.ID.String()+"/confirm")
	}
	o, err := p.Orders.Submit(c.UserContext(), f.w.Tenant, f.w.ID, order.Submission{})
	if err != nil {
		return p.refused(c, f, s, err)
	}
	if f.w.State == order.Rejected {
		web.Flash(c, ui.Good, "portal.resubmitted")
	}
	return web.Redirect(c, after(o))
}

// refused shows what stands in the way of an order: here when this page has it, else on the page that does.
func (p *Portal) refused(c *fiber.Ctx, f filling, s *sheet, err error) error {
	flt := fault.From(err)
	if flt == nil || flt.Kind != fault.Invalid {
		return err
	}
	if step, ok := stepOf(f.w.Item, flt.Fields); ok && step != f.step.ID {
		return web.Redirect(c, fillURL(f.w.Order, step)+"?check=1")
	}
	web.PageOf(c).Errors = s.inOrder(s.onPage(web.FormErrors(spoken(err, f.say), f.say)))
	return web.Render(c, fiber.StatusUnprocessableEntity, formPage(p.formView(c, f, s, "")))
}

// stepOf is the first step that asks one of the fields.
func stepOf(item tenant.Product, fields []fault.Field) (string, bool) {
	for _, st := range item.StepsAt("order") {
		part := item.Form.Steps(st.ID)
		for _, x := range fields {
			if _, ok := part.Field(x.Name); ok {
				return st.ID, true
			}
		}
	}
	return "", false
}

// nextStep is the step after one; after a rejection the next that has something open.
func nextStep(w placed, step string) (string, bool) {
	steps := w.Item.StepsAt("order")
	at := slices.IndexFunc(steps, func(st tenant.Step) bool { return st.ID == step })
	for _, st := range steps[at+1:] {
		if w.State != order.Rejected || anyOpen(w, st.ID) {
			return st.ID, true
		}
	}
	return "", false
}

// FirstStep is where an order's owner goes on filling in: the first step that is open and not complete.
func firstStep(w placed) string {
	steps := w.Item.StepsAt("order")
	for _, st := range steps {
		if w.State == order.Rejected && anyOpen(w, st.ID) {
			return st.ID
		}
	}
	if next, ok := nextStep(w, w.SavedStep); ok && w.State != order.Rejected && w.SavedStep != "" {
		return next
	}
	if w.SavedStep != "" && w.State != order.Rejected {
		return w.SavedStep
	}
	return steps[0].ID
}

func anyOpen(w placed, step string) bool {
	open := w.Open(w.Item)
	return w.Item.Form.Steps(step).Has(func(fd form.Field) bool { return open[fd.Key] })
}

// store saves the typed answers of the step and refreshes what the page knows.
func (p *Portal) store(c *fiber.Ctx, f *filling, answers form.Answers) (form.Result, error) {
	o, res, err := p.Orders.SaveStep(c.UserContext(), f.w.Tenant, f.w.ID, f.step.ID, answers)
	if err != nil {
		return res, err
	}
	f.w, err = p.dress(c.UserContext(), o)
	return res, err
}

// typed reads the step's answers from the request. A field that copies another and was left empty takes its copy (req
// B31 K27); "+" and "−" pressed without scripts move the quantity (req B19).
func typed(c *fiber.Ctx, w placed, step, pressed string) form.Answers {
	part := w.Item.Form.Steps(step)
	out := form.Answers{}
	for fd := range part.Fields() {
		if !fd.IsFile() && !fd.ReadOnly {
			out[fd.Key] = c.FormValue(fd.Key)
		}
		if by, ok := map[string]int{fd.Key + "+1": 1, fd.Key + "-1": -1}[pressed]; ok && fd.Type == form.Quantity {
			n, _ := strconv.Atoi(strings.TrimSpace(out[fd.Key]))
			out[fd.Key] = strconv.Itoa(min(max(n+by, fd.Min), max(fd.Max, fd.Min)))
		}
	}
	known := maps.Clone(w.Answers)
	if known == nil {
		known = form.Answers{}
	}
	maps.Copy(known, out)
	for fd := range part.Fields() {
		if out[fd.Key] == "" && w.Answers[fd.Key] == "" && fd.Source != "" && !fd.IsFile() && !fd.ReadOnly {
			one := form.Form{Groups: []form.Group{{Fields: []form.Field{fd}}}}
			delete(known, fd.Key)
			if v := one.Prefill(known, form.Env{})[fd.Key]; v != "" {
				out[fd.Key], known[fd.Key] = v, v
			}
		}
	}
	return out
}

// hear notes warnings and notes of a check, and a reviewer's reasons, for the fields they belong to.
func (s *sheet) hear(res form.Result, say i18n.Printer) {
	for _, r := range s.w.Remarks {
		s.said[r.Target] = said{warning: say.T("portal.remark", "Reason", r.Reason)}
	}
	for _, n := range res.Notes {
		s.said[n.Field] = said{note: n.Say(say)}
	}
	for _, n := range res.Warnings {
		s.said[n.Field] = said{warning: n.Say(say)}
	}
}

// inOrder sorts errors as the page goes, those of the whole form first.
func (s *sheet) inOrder(errs ui.Errors) ui.Errors {
	at := map[string]int{}
	for fd := range s.part.Fields() {
		at[fd.Key] = len(at) + 1
	}
	slices.SortStableFunc(errs, func(a, b ui.FieldError) int { return at[a.Name] - at[b.Name] })
	return errs
}

// spokenProblems are a check's problems as a page's errors.
func spokenProblems(res form.Result, say i18n.Printer) ui.Errors {
	var out ui.Errors
	for _, pr := range res.Problems {
		out = append(out, ui.FieldError{Name: pr.Field, Text: pr.Say(say)})
	}
	return out
}

// spoken puts labels that an error carries into the reader's language.
func spoken(err error, say i18n.Printer) error {
	f := fault.From(err)
	if f == nil {
		return err
	}
	for i, x := range f.Fields {
		f.Fields[i].Args = form.Problem{Args: x.Args}.In(say.Locale()).Args
	}
	return err
}

// hintsOf names the warnings of a check, so that the same ones are shown once only.
func hintsOf(res form.Result) string {
	if len(res.Warnings) == 0 {
		return ""
	}
	h := sha256.New()
	for _, w := range res.Warnings {
		fmt.Fprintf(h, "%s %s %s\n", w.Field, w.ID, res.Answers[w.Field])
	}
	return hex.EncodeToString(h.Sum(nil)[:8])
}

func flatten(args map[string]any) []any {
	var kv []any
	for k, v := range args {
		kv = append(kv, k, v)
	}
	return kv
}

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
