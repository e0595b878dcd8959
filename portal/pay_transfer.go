package portal

import (
	"io"
	"mime/multipart"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"certsaas/core/clock"
	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/material"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// slip is what a payer types from his transfer slip (req B50), as typed.
type slip struct {
	PayerName, PayerLast4, Amount, Day, Remark string
	Picture                                    ui.UploadProps
}

// transferView is the page of a bank transfer.
type transferView struct {
	payView
	Account []ui.Datum
	Note    string
	Slip    slip
	Today   string
}

// transferring reads the order of a transfer page; the answer is sent when there is nothing to transfer.
func (p *Portal) transferring(c *fiber.Ctx) (x paying, answered bool, err error) {
	if x, err = p.paying(c); err != nil {
		return x, false, err
	}
	switch {
	case !x.due():
		return x, true, web.Redirect(c, elsewhere(x.w))
	case x.desk.Bank == nil:
		return x, true, web.Redirect(c, x.url)
	}
	return x, false, nil
}

// showTransfer is the account to send money to, and the form for the slip (req B49–B51).
func (p *Portal) showTransfer(c *fiber.Ctx) error {
	x, answered, err := p.transferring(c)
	if err != nil || answered {
		return err
	}
	return web.Render(c, fiber.StatusOK, transferPage(p.transferView(c, x, typedBefore(x))))
}

// typedBefore is what the payer typed for a voucher that came back, so that he corrects it instead of typing it again; before the
// first, the applicant himself is taken for the payer.
func typedBefore(x paying) slip {
	v := x.desk.Voucher
	if v == nil || v.State != payment.VoucherRejected {
		return slip{PayerName: x.w.Organisation()}
	}
	return slip{PayerName: v.PayerName, PayerLast4: v.PayerLast4, Amount: yuan(v.AmountFen), Day: v.TransferredOn.String(), Remark: v.Remark}
}

// submitTransfer hands the voucher in; without scripts it takes the picture first.
func (p *Portal) submitTransfer(c *fiber.Ctx) error {
	x, answered, err := p.transferring(c)
	if err != nil || answered {
		return err
	}
	s := slip{PayerName: c.FormValue("payer_name"), PayerLast4: c.FormValue("payer_last4"), Amount: c.FormValue("amount"),
		Day: c.FormValue("transferred_on"), Remark: c.FormValue("remark")}
	if x, err = p.takeSlip(c, x); err != nil {
		return web.Retry(c, beside(err, "file"), transferPage(p.transferView(c, x, s)))
	}
	if c.FormValue("_step") != "next" && c.FormValue("_step") != "" {
		return web.Render(c, fiber.StatusOK, transferPage(p.transferView(c, x, s)))
	}
	in := payment.VoucherInput{PayerName: s.PayerName, PayerLast4: s.PayerLast4, Remark: s.Remark}
	in.AmountFen, _ = fen(s.Amount)
	in.TransferredOn, _ = clock.ParseDate(strings.TrimSpace(s.Day))
	if f, ok := x.w.Files[payment.VoucherField]; ok {
		in.File = f.ID
	}
	if _, err := p.Payments.SubmitVoucher(c.UserContext(), x.w.Tenant, x.w.ID, in); err != nil {
		return web.Retry(c, err, transferPage(p.transferView(c, x, s)))
	}
	return web.Redirect(c, orderURL(x.w.Order)+"/paid")
}

// takeSlip stores a picture that came with the form.
func (p *Portal) takeSlip(c *fiber.Ctx, x paying) (paying, error) {
	h, err := c.FormFile("file_file")
	if err != nil || h.Size == 0 {
		return x, nil
	}
	if _, err := p.storeSlip(c, x.w.Order, h); err != nil {
		return x, err
	}
	fresh, err := p.paying(c)
	if err != nil {
		return x, err
	}
	return fresh, nil
}

func (p *Portal) storeSlip(c *fiber.Ctx, o order.Order, h *multipart.FileHeader) (material.File, error) {
	raw, err := contents(h)
	if err != nil {
		return material.File{}, err
	}
	return p.Materials.Upload(c.UserContext(), o.Tenant, o.ID, payment.VoucherField, h.Filename, raw)
}

func contents(h *multipart.FileHeader) ([]byte, error) {
	f, err := h.Open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// uploadVoucher takes the picture from the tile's script and answers with the tile.
func (p *Portal) uploadVoucher(c *fiber.Ctx) error {
	h, err := c.FormFile("file")
	if err != nil {
		return fault.InvalidFields(fault.At("file", "material.empty"))
	}
	o, err := p.Orders.Find(c.UserContext(), web.SiteOf(c).Tenant, orderID(c))
	if err != nil {
		return err
	}
	f, err := p.storeSlip(c, o, h)
	if err != nil {
		return beside(err, "file")
	}
	return web.Render(c, fiber.StatusOK, ui.Upload(p.slipTile(o, p.voucherLimit(c, o), &f, web.Printer(c))))
}

// voucherByPhone opens the tile's panel with a code for the phone (req B51).
func (p *Portal) voucherByPhone(c *fiber.Ctx) error {
	o, err := p.Orders.Find(c.UserContext(), web.SiteOf(c).Tenant, orderID(c))
	if err != nil {
		return err
	}
	token, _, err := p.Materials.NewTicket(c.UserContext(), o.Tenant, o.ID, payment.VoucherField)
	if err != nil {
		return err
	}
	if !web.Partial(c) {
		return web.Redirect(c, orderURL(o)+"/pay/transfer")
	}
	state, err := p.Materials.TicketState(c.UserContext(), o.Tenant, o.ID, payment.VoucherField)
	if err != nil {
		return err
	}
	tile := p.slipTile(o, p.voucherLimit(c, o), state.File, web.Printer(c))
	tile.PhoneURL = web.PageOf(c).Public + "/u/" + token
	tile.Poll = orderURL(o) + "/pay/voucher/state"
	return web.Render(c, fiber.StatusOK, ui.Upload(tile))
}

// voucherState tells the desktop's page whether the phone's picture came.
func (p *Portal) voucherState(c *fiber.Ctx) error {
	o, err := p.Orders.Find(c.UserContext(), web.SiteOf(c).Tenant, orderID(c))
	if err != nil {
		return err
	}
	st, err := p.Materials.TicketState(c.UserContext(), o.Tenant, o.ID, payment.VoucherField)
	if err != nil {
		return err
	}
	switch st.Status {
	case material.TicketUsed:
		return web.Render(c, fiber.StatusOK, ui.Upload(p.slipTile(o, p.voucherLimit(c, o), st.File, web.Printer(c))))
	case material.TicketExpired, material.TicketNone:
		return c.SendStatus(fiber.StatusGone)
	case material.TicketWaiting:
	}
	return c.SendStatus(fiber.StatusNoContent)
}

func (p *Portal) voucherLimit(c *fiber.Ctx, o order.Order) int {
	t, err := p.Tenants.At(c.UserContext(), o.Tenant, o.Release)
	if err != nil {
		return 0
	}
	item, _ := t.Product(o.Product)
	return item.Payment.Voucher.Limit()
}

// slipTile is the tile for the slip's picture.
func (p *Portal) slipTile(o order.Order, limit int, f *material.File, say i18n.Printer) ui.UploadProps {
	base := orderURL(o) + "/pay/voucher"
	u := ui.UploadProps{Name: "file", Label: say.T("after.voucher.picture"), Required: true, MaxBytes: limit, URL: base, Phone: base + "/phone",
		Limit: say.T("portal.upload_limit", "MB", megabytes(limit)), Wants: []string{say.T("after.voucher.wants")}}
	if f == nil || f.ID == uuid.Nil {
		return u
	}
	u.Value, u.Preview = f.ID.String(), "/files/"+f.ID.String()
	u.FileName = say.T("portal.picture_of", "Width", f.Width, "Height", f.Height, "Size", size(f.Bytes))
	for _, x := range f.Findings {
		u.Checks = append(u.Checks, ui.CheckItem{Tone: ui.Warn, Text: say.Format(x.ID, x.Args)})
	}
	if len(u.Checks) == 0 {
		u.Checks = []ui.CheckItem{{Tone: ui.Good, Text: say.T("portal.picture_fine")}}
	}
	return u
}

func (p *Portal) transferView(c *fiber.Ctx, x paying, s slip) transferView {
	say := web.Printer(c)
	l := say.Locale()
	v := transferView{Slip: s, Note: x.desk.Bank.Note.In(l), Today: clock.CivilDate(p.Clock.Now(), clock.Shanghai).String()}
	v.Kicker, v.Steps, v.URL, v.Tabs = x.w.Item.Name.In(l), journey(x.w.Item, stagePay, say), x.url, payTabs(x, say, true)
	v.Price, v.Later, v.Refused = p.priceLines(c.UserContext(), filling{w: x.w, say: say}, x.w.Lines, x.w.TotalFen), x.desk.PayLater, refusal(x)
	if x.w.LapsesAt != nil {
		v.Until = ui.DateTime(*x.w.LapsesAt)
	}
	b := x.desk.Bank
	v.Account = []ui.Datum{
		{Label: say.T("after.bank.name"), Value: b.Name.In(l), Copy: true},
		{Label: say.T("after.bank.number"), Value: b.Number, Mono: true, Copy: true},
		{Label: say.T("after.bank.bank"), Value: b.Bank.In(l), Copy: true},
	}
	if b.Code != "" {
		v.Account = append(v.Account, ui.Datum{Label: say.T("after.bank.code"), Value: b.Code, Mono: true, Copy: true})
	}
	v.Account = append(v.Account,
		ui.Datum{Label: say.T("after.bank.amount"), Value: yuan(x.w.TotalFen), Mono: true, Copy: true},
		ui.Datum{Label: say.T("after.bank.reference"), Value: x.desk.Reference, Mono: true, Copy: true, Note: say.T("after.bank.reference_help")})
	var f *material.File
	if have, ok := x.w.Files[payment.VoucherField]; ok {
		f = &have
	}
	v.Slip.Picture = p.slipTile(x.w.Order, x.w.Item.Payment.Voucher.Limit(), f, say)
	return v
}

// yuan is an amount as a bank form wants it: 1234.50.
func yuan(fen int64) string {
	return strconv.FormatInt(fen/100, 10) + "." + strconv.FormatInt(100+fen%100, 10)[1:]
}

// fen reads an amount as people type it: "200", "¥1,234.50", "２００．００元". False for anything else.
func fen(s string) (int64, bool) {
	plain := strings.Map(func(r rune) rune {
		switch {
		case r >= '０' && r <= '９':
			return r - '０' + '0'
		case r == '．':
			return '.'
		case strings.ContainsRune(" ,，¥￥元\u00a0\u3000", r):
			return -1
		}
		return r
	}, s)
	whole, part, _ := strings.Cut(plain, ".")
	if whole == "" || len(whole) > 10 || len(part) > 2 || utf8.RuneCountInString(whole) != len(whole) || strings.Trim(whole+part, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+(part + "00")[:2], 10, 64)
	return n, err == nil
}
