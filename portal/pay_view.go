package portal

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/i18n"
	"certsaas/core/order"
	"certsaas/core/payment"
	"certsaas/core/web"
	"certsaas/core/web/ui"
)

// payView is the payment page.
type payView struct {
	Kicker  string
	Steps   []ui.Step
	URL     string
	Tabs    []ui.TabItem
	Price   ui.PriceProps
	Until   string // when the unpaid order lapses
	Later   bool   // 稍后支付 is offered (req B53)
	Choices []ui.Option
	Chosen  string
	Code    *codeView // the code to scan; nil: choose first
	Lapsed  bool      // the last code ended unpaid
	Refused string    // why finance sent the last voucher back
}

// codeView is a code to scan.
type codeView struct {
	Channel, Name string
	Text          string // of the QR
	Open          string // address to pay at on this very phone; "" none
	Until         string
	Demo          string // the demonstration company's pay page
	Others        bool   // there is another channel to change to
	InWeChat      bool   // WeChat's own browser, which does not open Alipay
	Phone         bool   // a phone's browser
}

func (p *Portal) payView(c *fiber.Ctx, x paying) payView {
	say := web.Printer(c)
	v := payView{Kicker: x.w.Item.Name.In(say.Locale()), Steps: journey(x.w.Item, stagePay, say), URL: x.url, Tabs: payTabs(x, say, false),
		Price: p.priceLines(c.UserContext(), filling{w: x.w, say: say}, x.w.Lines, x.w.TotalFen), Later: x.desk.PayLater, Lapsed: c.Query("lapsed") != "", Refused: refusal(x)}
	if x.w.LapsesAt != nil {
		v.Until = ui.DateTime(*x.w.LapsesAt)
	}
	for _, m := range x.online() {
		v.Choices = append(v.Choices, ui.Option{Value: m, Label: say.T("payment.channel." + m), Help: say.T("after.pay.help." + m)})
	}
	v.Chosen = x.online()[0]
	a := x.desk.Attempt
	if a == nil {
		return v
	}
	v.Chosen = a.Channel
	if c.Query("choose") == "" {
		v.Code = p.code(c, *a, say, len(v.Choices) > 1)
	}
	return v
}

func (p *Portal) code(c *fiber.Ctx, a payment.Payment, say i18n.Printer, others bool) *codeView {
	agent := c.Get(fiber.HeaderUserAgent)
	v := &codeView{Channel: a.Channel, Name: say.T("payment.channel." + a.Channel), Text: a.Code, Until: ui.DateTime(a.ExpiresAt), Others: others,
		Phone: strings.Contains(agent, "Mobile"), InWeChat: strings.Contains(agent, "MicroMessenger") && a.Channel == payment.Alipay}
	v.Open = a.URL
	if p.Demo {
		v.Demo, v.Open = a.URL, ""
		if v.Demo == "" {
			v.Demo = a.Code
		}
	}
	return v
}

// payTabs are the two ways to pay (req B47), drawn when both are offered.
func payTabs(x paying, say i18n.Printer, transfer bool) []ui.TabItem {
	if len(x.online()) == 0 || x.desk.Bank == nil {
		return nil
	}
	return []ui.TabItem{
		{Label: say.T("after.pay.online"), Href: x.url, Active: !transfer},
		{Label: say.T("payment.channel.bank_transfer"), Href: x.url + "/transfer", Active: transfer},
	}
}

// refusal is why finance sent the newest voucher back.
func refusal(x paying) string {
	if v := x.desk.Voucher; v != nil && v.State == payment.VoucherRejected && x.w.State == order.AwaitingPayment {
		return v.Reason
	}
	return ""
}

// paidView is the page after paying or handing a voucher in.
type paidView struct {
	Kicker, Title, Lead string
	Steps               []ui.Step
	URL                 string // of the order
	Facts               []ui.Datum
}

func (p *Portal) paidView(c *fiber.Ctx, x paying) paidView {
	say := web.Printer(c)
	v := paidView{Kicker: x.w.Item.Name.In(say.Locale()), Title: say.T("after.paid.title"), Lead: say.T("after.paid.lead"), URL: orderURL(x.w.Order),
		Steps: journey(x.w.Item, stageOf(x.w.Order, x.w.Item), say)}
	switch x.w.State {
	case order.PaymentCheck:
		v.Lead = say.T("after.paid.lead_voucher")
	case order.InReview:
	default:
		v.Title, v.Lead = say.T("after.paid.title_done"), say.T("after.paid.lead_done")
	}
	v.Facts = []ui.Datum{
		{Label: say.T("portal.order_number"), Value: x.w.Number, Mono: true, Copy: true},
		{Label: say.T("after.amount"), Value: ui.Money(x.w.TotalFen)},
	}
	if a := x.desk.Paid; a != nil && a.PaidAt != nil {
		v.Facts = append(v.Facts, ui.Datum{Label: say.T("after.paid.by"), Value: say.T("payment.channel." + a.Channel)},
			ui.Datum{Label: say.T("after.paid.at"), Value: ui.DateTime(*a.PaidAt)})
	}
	if x.w.State == order.InReview && x.w.DueAt != nil {
		v.Facts = append(v.Facts, ui.Datum{Label: say.T("after.due"), Value: ui.DateTime(*x.w.DueAt)})
	}
	return v
}

// payRefresh makes a page without scripts look again while a code is open.
func payRefresh(v payView) int {
	if v.Code == nil {
		return 0
	}
	return 5
}
