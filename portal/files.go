package portal

import (
	"io"
	"mime/multipart"
	"path/filepath"
	"slices"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/fault"
	"certsaas/core/form"
	"certsaas/core/material"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// Limits of request bodies that carry pictures. A field's own limit (req B41) is checked by core/material, which says what
// is wrong; these only keep larger bodies from being read at all.
const (
	oneFile    = 9 << 20  // a phone's photograph
	everyFile  = 24 << 20 // a whole page of pictures, without scripts
	fileSuffix = "_file"
)

// takeFiles stores the pictures that a page without scripts sent with its form, and checks the step again when any came.
func (p *Portal) takeFiles(c *fiber.Ctx, f *filling, res *form.Result) (refused turnedDown, err error) {
	body, err := c.MultipartForm()
	if err != nil {
		return refused, nil // not a form with files
	}
	came := false
	for fd := range f.w.Item.Form.Steps(f.step.ID).Fields() {
		heads := body.File[fd.Key+fileSuffix]
		if !fd.IsFile() || len(heads) == 0 || heads[0].Size == 0 && heads[0].Filename == "" {
			continue
		}
		came = true
		err := p.upload(c, f.w.ID, fd.Key, heads[0])
		if flt := fault.From(err); flt != nil && (web.Mendable(flt) || flt.Kind == fault.TooLarge) {
			refused.full = refused.full || flt.Kind == fault.Unavailable
			refused.Errors = append(refused.Errors, ui.FieldError{Name: fd.Key, Text: sentence(flt, fd.Key, f)})
		} else if err != nil {
			return refused, err
		}
	}
	if !came {
		return refused, nil
	}
	*res, err = p.store(c, f, typed(c, f.w, f.step.ID, ""))
	res.Problems = slices.DeleteFunc(res.Problems, func(pr form.Problem) bool { // one message a field is enough
		return slices.ContainsFunc(refused.Errors, func(e ui.FieldError) bool { return e.Name == pr.Field })
	})
	return refused, err
}

// turnedDown is what was wrong with the pictures of a form.
type turnedDown struct {
	ui.Errors
	full bool // one could not be stored: the form was right
}

// status is the one of the page that says so, with other problems or without.
func (r turnedDown) status(problems ui.Errors) int {
	switch {
	case r.full:
		return fiber.StatusServiceUnavailable
	case len(problems) > 0:
		return fiber.StatusUnprocessableEntity
	}
	return fiber.StatusOK
}

// beside puts an error about a picture beside the input that it came from.
func beside(err error, input string) error {
	f := fault.From(err)
	about := f != nil && (f.Kind == fault.TooLarge || f.Kind == fault.Invalid || f.Kind == fault.Unavailable && len(f.Fields) > 0)
	if !about {
		return err
	}
	at := fault.Field{Name: input, ID: f.ID, Args: f.Args}
	if len(f.Fields) > 0 {
		at.ID, at.Args = f.Fields[0].ID, f.Fields[0].Args
	}
	out := fault.InvalidFields(at)
	if out.Err = f; f.Kind == fault.Unavailable {
		out.Kind = f.Kind
	}
	return out
}

// sentence is what a fault says about a field.
func sentence(flt *fault.Error, field string, f *filling) string {
	for _, x := range flt.Fields {
		if x.Name == field || len(flt.Fields) == 1 {
			return f.say.Format(x.ID, x.Args)
		}
	}
	return f.say.Format(flt.ID, flt.Args)
}

// upload hands one part of a multipart body to core/material.
func (p *Portal) upload(c *fiber.Ctx, orderID uuid.UUID, field string, head *multipart.FileHeader) error {
	raw, err := readPart(head)
	if err != nil {
		return err
	}
	_, err = p.Materials.Upload(c.UserContext(), web.SiteOf(c).Tenant, orderID, field, filepath.Base(head.Filename), raw)
	return err
}

func readPart(head *multipart.FileHeader) ([]byte, error) {
	file, err := head.Open()
	if err != nil {
		return nil, fault.Wrap(fault.Invalid, "portal.upload_broken", err)
	}
	defer func() { _ = file.Close() }()
	raw := make([]byte, min(head.Size, oneFile+1))
	if _, err := io.ReadFull(file, raw); err != nil {
		return nil, fault.Wrap(fault.Invalid, "portal.upload_broken", err)
	}
	return raw, nil
}

// putFile takes a picture from the tile's script and answers with the tile again.
func (p *Portal) putFile(c *fiber.Ctx) error {
	head, err := c.FormFile("file")
	if err != nil {
		return fault.New(fault.Invalid, "portal.upload_broken")
	}
	raw, err := readPart(head)
	if err != nil {
		return err
	}
	c.Request().RemoveMultipartFormFiles() // many pictures may wait for their turn to be decoded: one copy of each is enough
	_, err = p.Materials.Upload(c.UserContext(), web.SiteOf(c).Tenant, orderID(c), c.Params("field"), filepath.Base(head.Filename), raw)
	if err != nil {
		return err
	}
	return p.tileAgain(c, "")
}

// tileAgain is a field's tile as it stands now; token opens the panel with the phone's code.
func (p *Portal) tileAgain(c *fiber.Ctx, token string) error {
	f, fd, err := p.fileField(c)
	if err != nil {
		return err
	}
	s := p.sheet(f.w, f.step.ID, f.say)
	return web.Render(c, fiber.StatusOK, ui.Upload(p.withPhone(c, s.tile(fd, false), token)))
}

// withPhone opens a tile's panel with the code for the phone.
func (p *Portal) withPhone(c *fiber.Ctx, u ui.UploadProps, token string) ui.UploadProps {
	if token != "" {
		u.PhoneURL, u.Poll = web.PageOf(c).Public+"/u/"+token, u.URL+"/state"
	}
	return u
}

// fileField finds the order, the step and the field of a tile's address.
func (p *Portal) fileField(c *fiber.Ctx) (filling, form.Field, error) {
	w, err := p.open(c.UserContext(), web.SiteOf(c).Tenant, orderID(c))
	if err != nil {
		return filling{}, form.Field{}, err
	}
	f := filling{w: w, say: web.Printer(c)}
	for _, g := range w.Item.Form.Groups {
		for _, fd := range g.Fields {
			if fd.Key != c.Params("field") || !fd.IsFile() {
				continue
			}
			i := slices.IndexFunc(w.Item.Steps, func(st tenant.Step) bool { return st.ID == g.Step })
			f.step = w.Item.Steps[max(i, 0)]
			return f, fd, nil
		}
	}
	return f, form.Field{}, fault.New(fault.NotFound, "material.no_field")
}

// askPhone opens a ten-minute ticket for a phone (req B36 K14). A script gets the tile with the code; without scripts the
// page's form was posted here, so it is stored first and the page comes back with the code on it.
func (p *Portal) askPhone(c *fiber.Ctx) error {
	f, fd, err := p.fileField(c)
	if err != nil {
		return err
	}
	if !web.Partial(c) && f.w.Editable() {
		if _, err := p.store(c, &f, typed(c, f.w, f.step.ID, "")); err != nil {
			return err
		}
	}
	token, _, err := p.Materials.NewTicket(c.UserContext(), f.w.Tenant, f.w.ID, fd.Key)
	if err != nil {
		return err
	}
	if web.Partial(c) {
		return p.tileAgain(c, token)
	}
	s := p.sheet(f.w, f.step.ID, f.say)
	s.phone = func(key string, u ui.UploadProps) ui.UploadProps {
		if key == fd.Key {
			return p.withPhone(c, u, token)
		}
		return u
	}
	return web.Render(c, fiber.StatusOK, formPage(p.formView(c, f, s, "")))
}

// phoneState answers the tile's question whether the phone has sent its picture.
func (p *Portal) phoneState(c *fiber.Ctx) error {
	st, err := p.Materials.TicketState(c.UserContext(), web.SiteOf(c).Tenant, orderID(c), c.Params("field"))
	switch {
	case err != nil:
		return err
	case st.Status == material.TicketUsed:
		return p.tileAgain(c, "")
	case st.Status == material.TicketWaiting:
		return c.SendStatus(fiber.StatusNoContent)
	}
	return c.SendStatus(fiber.StatusGone)
}

// showFile gives a stored picture to a caller who may see it.
func (p *Portal) showFile(c *fiber.Ctx) error {
	id, err := uuid.Parse(c.Params("file"))
	if err != nil {
		return fault.New(fault.NotFound, "material.not_found")
	}
	file, raw, err := p.Materials.Open(c.UserContext(), web.SiteOf(c).Tenant, id)
	if err != nil {
		return err
	}
	if file.Width == 0 { // papers have their own address
		return fault.New(fault.NotFound, "material.not_found")
	}
	c.Set(fiber.HeaderContentType, file.MediaType)
	c.Set(fiber.HeaderContentDisposition, "inline")
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; sandbox; frame-ancestors 'none'")
	return c.Send(raw)
}

// showPhone is the phone's page: what to photograph.
func (p *Portal) showPhone(c *fiber.Ctx) error {
	v, err := p.phoneView(c)
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, phonePage(v))
}

func (p *Portal) phoneView(c *fiber.Ctx) (phoneView, error) {
	k, err := p.Materials.OpenTicket(c.UserContext(), web.SiteOf(c).Tenant, c.Params("token"))
	if err != nil {
		return phoneView{}, err
	}
	say := web.Printer(c)
	s := &sheet{say: say, w: placed{Order: order.Order{}}}
	return phoneView{Label: k.Field.Label.In(say.Locale()), Number: k.Number, Wants: s.wants(k.Field), Max: k.Field.Upload.Limit(),
		Limit: say.T("portal.upload_limit", "MB", megabytes(k.Field.Upload.Limit())), Until: clockTime(k.Expires)}, nil
}

// phoneUpload takes the phone's picture.
func (p *Portal) phoneUpload(c *fiber.Ctx) error {
	v, err := p.phoneView(c)
	if err != nil {
		return err
	}
	head, err := c.FormFile("picture")
	if err != nil {
		return web.Retry(c, fault.InvalidFields(fault.At("picture", "material.empty")), phonePage(v))
	}
	raw, err := readPart(head)
	if err != nil {
		return web.Retry(c, err, phonePage(v))
	}
	file, err := p.Materials.UploadByTicket(c.UserContext(), web.SiteOf(c).Tenant, c.Params("token"), filepath.Base(head.Filename), raw)
	if err != nil {
		return web.Retry(c, beside(err, "picture"), phonePage(v))
	}
	s := &sheet{say: web.Printer(c)}
	v.Done, v.Checks = true, s.checks(form.Field{}, file)
	return web.Render(c, fiber.StatusOK, phonePage(v))
}

// sample gives a pack's drawing of what a picture should show.
func (p *Portal) sample(c *fiber.Ctx) error {
	name := c.Params("name")
	raw, ok := tenantOf(web.SiteOf(c)).Asset(name)
	if !ok || filepath.Ext(name) != ".svg" {
		return fault.New(fault.NotFound, "web.not_found")
	}
	c.Set(fiber.HeaderContentType, "image/svg+xml")
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'")
	c.Set(fiber.HeaderCacheControl, "max-age=86400")
	return c.Send(raw)
}
