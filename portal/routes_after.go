package portal

import (
	"time"

	"certsaas/core/authz"
	"certsaas/core/web"
)

// voucherBody bounds the request that carries a voucher's picture: 2 MiB and what a form adds to it.
const voucherBody = 3 << 20

// routesAfter is the route table from payment on.
func (p *Portal) routesAfter() []web.Route {
	pay := []web.Route{
		{Method: "GET", Path: "/orders/:id/pay", Action: authz.OrderPay, Handler: p.showPay},
		{Method: "POST", Path: "/orders/:id/pay", Action: authz.OrderPay, Handler: p.beginPay, Timeout: 30 * time.Second},
		{Method: "GET", Path: "/orders/:id/pay/status", Action: authz.OrderPay, Handler: p.payStatus},
		{Method: "POST", Path: "/orders/:id/pay/check", Action: authz.OrderPay, Handler: p.checkPay, Timeout: 30 * time.Second},
		{Method: "GET", Path: "/orders/:id/pay/transfer", Action: authz.OrderPay, Handler: p.showTransfer},
		{Method: "POST", Path: "/orders/:id/pay/transfer", Action: authz.OrderPay, Handler: p.submitTransfer, Body: voucherBody},
		{Method: "POST", Path: "/orders/:id/pay/voucher", Action: authz.FileUpload, Handler: p.uploadVoucher, Body: voucherBody},
		{Method: "POST", Path: "/orders/:id/pay/voucher/phone", Action: authz.FileUpload, Handler: p.voucherByPhone},
		{Method: "GET", Path: "/orders/:id/pay/voucher/state", Action: authz.FileView, Handler: p.voucherState},
		{Method: "GET", Path: "/orders/:id/paid", Action: authz.OrderView, Handler: p.showPaid},
		{Method: "POST", Path: "/notify/:channel", Machine: true, Handler: p.notified, Body: 64 << 10},
	}
	orders := []web.Route{
		{Method: "GET", Path: "/orders", Action: authz.OrderView, Handler: p.listOrders},
		{Method: "GET", Path: "/orders/:id", Action: authz.OrderView, Handler: p.showOrder},
		{Method: "POST", Path: "/orders/:id/cancel", Action: authz.OrderCancel, Handler: p.cancelOrder},
		{Method: "POST", Path: "/orders/:id/refund", Action: authz.RefundRequest, Handler: p.requestRefund},
		{Method: "GET", Path: "/orders/:id/after/:step", Action: authz.OrderEdit, Handler: p.showAfter},
		{Method: "POST", Path: "/orders/:id/after/:step", Action: authz.OrderEdit, Handler: p.saveAfter},
		{Method: "GET", Path: "/orders/:id/invoice", Action: authz.InvoiceDownload, Handler: p.downloadInvoice},
		{Method: "GET", Path: "/orders/:id/certificates/:cert", Action: authz.OrderView, Handler: p.downloadCertificate},
		{Method: "GET", Path: "/certificates", Action: authz.OrderView, Handler: p.listCertificates},
	}
	key := []web.Route{
		{Method: "GET", Path: "/orders/:id/key/:item", Action: authz.CertInstall, Handler: p.showKey, Connect: web.AgentOrigins()},
		{Method: "POST", Path: "/orders/:id/key/:item/ticket", Action: authz.CertInstall, Handler: p.keyTicket},
		{Method: "POST", Path: "/orders/:id/key/:item/enroll", Action: authz.CertInstall, Handler: p.keyEnroll},
		{Method: "POST", Path: "/orders/:id/key/:item/confirm", Action: authz.CertInstall, Handler: p.keyConfirm},
		{Method: "POST", Path: "/orders/:id/key/:item/cleanup", Action: authz.CertInstall, Handler: p.keyCleanup},
		{Method: "POST", Path: "/orders/:id/key/:item/report", Action: authz.CertInstall, Handler: p.keyReport},
	}
	open := []web.Route{
		{Method: "GET", Path: "/guide", Handler: p.listGuides},
		{Method: "GET", Path: "/guide/:product", Handler: p.showGuide},
		{Method: "GET", Path: "/v/:no", Handler: p.showVerify},
		{Method: "POST", Path: "/v/:no", Handler: p.verifyLetter},
		{Method: "GET", Path: "/keyagent", Handler: p.showAgent},
		{Method: "GET", Path: "/keyagent/client.js", Handler: p.agentScript},
	}
	return append(append(append(pay, orders...), key...), open...)
}

// routesPKI is what relying parties ask the platform's host for: revocation lists, issuers' certificates and whether a
// certificate holds, at the addresses that certificates name (RFC 5280 §4.2.1.13, §4.2.2.1).
func (p *Portal) routesPKI() []web.Route {
	return []web.Route{
		{Method: "GET", Path: "/crl/:name", Handler: p.serveCRL},
		{Method: "POST", Path: "/ocsp/:authority", Handler: p.serveOCSP, Machine: true},
		{Method: "GET", Path: "/ocsp/:authority/*", Handler: p.serveOCSP, Machine: true},
	}
}
