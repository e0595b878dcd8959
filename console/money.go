package console

import (
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/authz"
	"certsaas/core/fault"
	"certsaas/core/identifier"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

func (k *Console) moneyRoutes() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/vouchers", Action: authz.PaymentConfirm, Handler: k.vouchers},
		{Method: "GET", Path: "/vouchers/export", Action: authz.PaymentConfirm, Handler: k.exportVouchers},
		{Method: "GET", Path: "/vouchers/:tenant/:id", Action: authz.PaymentConfirm, Handler: k.showVoucher},
		{Method: "POST", Path: "/vouchers/:tenant/:id/confirm", Action: authz.PaymentConfirm, Handler: k.confirmVoucher},
		{Method: "POST", Path: "/vouchers/:tenant/:id/reject", Action: authz.PaymentConfirm, Handler: k.rejectVoucher},
		{Method: "GET", Path: "/refunds", Action: authz.RefundApprove, Handler: k.refunds},
		{Method: "GET", Path: "/refunds/:tenant/:id", Action: authz.RefundApprove, Handler: k.showRefund},
		{Method: "POST", Path: "/refunds/:tenant/:id/approve", Action: authz.RefundApprove, Handler: k.approveRefund},
		{Method: "POST", Path: "/refunds/:tenant/:id/decline", Action: authz.RefundApprove, Handler: k.declineRefund},
		{Method: "POST", Path: "/refunds/:tenant/:id/sent", Action: authz.RefundApprove, Handler: k.sentRefund},
	}
}

// listed is how many vouchers or refunds a page lists.
const listed = 200

// yuan reads an amount as people type it, "1,234.50" or "¥260", in fen; false when it is none.
func yuan(s string) (int64, bool) {
	s = strings.NewReplacer(",", "", "¥", "", "￥", "", "元", "", "．", ".").Replace(identifier.Normalise(s))
	whole, cents, _ := strings.Cut(s, ".")
	if whole == "" || len(cents) > 2 || len(whole) > 10 {
		return 0, false
	}
	for len(cents) < 2 {
		cents += "0"
	}
	n, err := strconv.ParseUint(whole+cents, 10, 62)
	return int64(n), err == nil
}

// voucherView is the desk of one bank transfer (req B52 B54).
type voucherView struct {
	*dossier
	payment.Voucher
	Flags         []string
	First         string // who confirmed already, when a second person must
	Mine          bool   // … and it was the reader
	TxnID, Amount string // as typed
	RejectReason  string
}

// path is the voucher's address.
func (v *voucherView) path(act string) string {
	return "/vouchers/" + v.House.Slug + "/" + v.Voucher.ID.String() + act
}

func (k *Console) vouchers(c *fiber.Ctx) error {
	list, err := k.Payments.Vouchers(c.UserContext(), listed)
	if err != nil {
		return err
	}
	all, err := k.houses(c)
	if err != nil {
		return err
	}
	who, err := k.names(c.UserContext())
	if err != nil {
		return err
	}
	p := web.Printer(c)
	var rows []ui.Row
	for _, v := range list {
		h := houseByID(all, v.Tenant)
		o, err := k.Orders.Find(c.UserContext(), v.Tenant, v.Order)
		if err != nil {
			return err
		}
		if !fits(c.Query("q"), o.Number, company(o), v.PayerName, v.Remark, ui.Money(v.AmountFen)) {
			continue
		}
		flags := ui.Cell{Text: "–"}
		if len(v.Flags) > 0 {
			flags = ui.Cell{Body: ui.Tag(ui.Warn, p.T("console.voucher.flags", "Count", len(v.Flags)))}
		}
		if v.NeedsSecond() {
			flags.Sub = p.T("console.voucher.half", "Name", who.of(v.DecidedBy))
		}
		due, tone := k.dueCell(p, h, o, v.CreatedAt)
		rows = append(rows, ui.Row{Href: "/vouchers/" + h.Slug + "/" + v.ID.String(), Tone: tone, Cells: []ui.Cell{
			{Text: o.Number, Mono: true}, {Body: mark(h)}, {Text: company(o)}, {Text: v.TransferredOn.String()}, {Text: ui.Money(v.DueFen)}, {Text: ui.Money(v.AmountFen)}, flags, due,
		}})
	}
	f, err := k.frame(c, p.T("console.desk.payment"), "/vouchers")
	if err != nil {
		return err
	}
	return web.Render(c, fiber.StatusOK, vouchersPage(f, pileView{Query: c.Query("q"), Rows: rows}))
}

// pileView is a list that is read whole: what was searched for in it, and what was found.
type pileView struct {
	Query string
	Rows  []ui.Row
}

// filter is the search above such a list.
func (v pileView) filter(path, hint string) ui.FilterProps {
	return ui.FilterProps{Action: path, Query: v.Query, Hint: hint, Reset: path}
}

// exportVouchers writes the transfers that wait, to be laid beside a bank statement. Payers stand in full: the export is in the
// audit trail.
func (k *Console) exportVouchers(c *fiber.Ctx) error {
	list, err := k.Payments.Vouchers(c.UserContext(), listed)
	if err != nil {
		return err
	}
	all, err := k.houses(c)
	if err != nil {
		return err
	}
	p := web.Printer(c)
	table := [][]string{{}}
	for _, id := range []string{"console.col.number", "console.col.tenant", "console.col.company", "console.voucher.payer", "console.voucher.last4", "console.voucher.date",
		"console.col.owed", "console.col.typed", "console.voucher.remark", "console.col.flags"} {
		table[0] = append(table[0], p.T(id))
	}
	for _, v := range list {
		o, err := k.Orders.Find(c.UserContext(), v.Tenant, v.Order)
		if err != nil {
			return err
		}
		var flags []string
		for _, f := range v.Flags {
			flags = append(flags, p.T("payment.flag."+f))
		}
		table = append(table, []string{o.Number, houseByID(all, v.Tenant).Name, company(o), v.PayerName, v.PayerLast4, v.TransferredOn.String(),
			yuanOf(v.DueFen), yuanOf(v.AmountFen), v.Remark, strings.Join(flags, "; ")})
	}
	return k.sendCSV(c, "vouchers", table)
}

// nextVoucher leads to the voucher that this person can decide next, or to the list.
func (k *Console) nextVoucher(c *fiber.Ctx) error {
	list, err := k.Payments.Vouchers(c.UserContext(), listed)
	if err != nil {
		return err
	}
	for _, v := range list {
		if v.NeedsSecond() && v.DecidedBy == authz.From(c.UserContext()).ID {
			continue
		}
		t, err := k.Tenants.ByID(c.UserContext(), v.Tenant)
		if err != nil {
			return err
		}
		return web.Redirect(c, "/vouchers/"+t.Slug()+"/"+v.ID.String())
	}
	return web.Redirect(c, "/vouchers")
}

// voucher finds a voucher that waits for finance, with its order.
func (k *Console) voucher(c *fiber.Ctx) (*voucherView, error) {
	t, id, err := k.place(c, "id", "order.not_found")
	if err != nil {
		return nil, err
	}
	list, err := k.Payments.Vouchers(c.UserContext(), 1000)
	if err != nil {
		return nil, err
	}
	for _, x := range list {
		if x.Tenant == t.ID() && x.ID == id {
			d, err := k.dossierOf(c, houseOf(t, web.PageOf(c).Locale()), x.Order)
			if err != nil {
				return nil, err
			}
			return k.voucherView(c, d, x)
		}
	}
	return nil, fault.New(fault.NotFound, "payment.voucher_not_found")
}

func (k *Console) voucherView(c *fiber.Ctx, d *dossier, x payment.Voucher) (*voucherView, error) {
	v := &voucherView{dossier: d, Voucher: x, TxnID: c.FormValue("bank_txn_id"), Amount: c.FormValue("received"), RejectReason: c.FormValue("reason")}
	for _, f := range x.Flags {
		v.Flags = append(v.Flags, web.Printer(c).T("payment.flag."+f))
	}
	if x.NeedsSecond() {
		who, err := k.names(c.UserContext())
		if err != nil {
			return nil, err
		}
		v.First, v.Mine = who.of(x.DecidedBy), x.DecidedBy == authz.From(c.UserContext()).ID
	}
	return v, nil
}

func (k *Console) showVoucher(c *fiber.Ctx) error {
	v, err := k.voucher(c)
	if err != nil {
		return err
	}
	return k.renderVoucher(c, v, nil)
}

// renderVoucher shows the desk, after an error with what was typed.
func (k *Console) renderVoucher(c *fiber.Ctx, v *voucherView, problem error) error {
	f, err := k.frame(c, v.Number+dot+v.Name, "/vouchers")
	if err != nil {
		return err
	}
	f.Full, f.Actions = true, mark(v.House)
	f.Crumbs = []ui.Link{{Label: web.Printer(c).T("console.desk.payment"), Href: "/vouchers"}}
	if problem != nil {
		return web.Retry(c, problem, voucherPage(f, v))
	}
	return web.Render(c, fiber.StatusOK, voucherPage(f, v))
}

func (k *Console) confirmVoucher(c *fiber.Ctx) error {
	v, err := k.voucher(c)
	if err != nil {
		return err
	}
	received, ok := yuan(v.Amount)
	if !ok { // said together with what else is missing
		var wrong []fault.Field
		if strings.TrimSpace(v.TxnID) == "" {
			wrong = append(wrong, fault.At("bank_txn_id", "payment.bank_line"))
		}
		return k.renderVoucher(c, v, fault.InvalidFields(append(wrong, fault.At("received", "console.voucher.amount"))...))
	}
	done, err := k.Payments.Confirm(c.UserContext(), v.Voucher.Tenant, v.Voucher.ID, v.TxnID, received)
	if err != nil {
		return k.renderVoucher(c, v, err)
	}
	flash := "console.voucher.confirmed"
	if done.NeedsSecond() {
		flash = "console.voucher.first"
	}
	web.Flash(c, ui.Good, flash, "Number", v.Number)
	return k.nextVoucher(c)
}

func (k *Console) rejectVoucher(c *fiber.Ctx) error {
	v, err := k.voucher(c)
	if err != nil {
		return err
	}
	if _, err := k.Payments.Reject(c.UserContext(), v.Voucher.Tenant, v.Voucher.ID, v.RejectReason); err != nil {
		return k.renderVoucher(c, v, err)
	}
	web.Flash(c, ui.Good, "console.voucher.rejected", "Number", v.Number)
	return k.nextVoucher(c)
}

// moneyData is what was paid and what goes back, for the order's page.
func (v *orderView) moneyData(t func(string, ...any) string) []ui.Datum {
	var out []ui.Datum
	if p := v.Pay.Paid; p != nil {
		out = append(out, ui.Datum{Label: t("payment.channel." + p.Channel), Value: ui.Money(p.AmountFen), Note: dateTime(p.PaidAt)},
			ui.Datum{Label: t("console.col.trade"), Value: p.TradeNo, Mono: true})
	}
	if x := v.Pay.Voucher; x != nil {
		out = append(out, ui.Datum{Label: t("console.order.voucher"), Value: t("payment.voucher." + string(x.State)), Note: firstOf(x.Reason, ui.Money(x.AmountFen))})
	}
	for _, r := range v.Pay.Refunds {
		out = append(out, ui.Datum{Label: t("payment.cause." + string(r.Cause)), Value: ui.Money(r.AmountFen), Note: t("payment.refund." + string(r.State))})
	}
	return out
}

// keyRows are the keys of an order.
func keyRows(d *dossier, t func(string, ...any) string) []ui.Row {
	tones := map[order.ItemState]ui.Tone{order.ItemDone: ui.Good, order.ItemIssued: ui.Warn, order.ItemWaiting: ui.Info}
	var rows []ui.Row
	for _, it := range d.Keys {
		rows = append(rows, ui.Row{Cells: []ui.Cell{{Text: strconv.Itoa(it.Seq)}, {Text: firstOf(it.TokenSerial, "–"), Mono: true}, {Body: ui.Tag(tones[it.State], t("console.key."+string(it.State)))}}})
	}
	return rows
}
