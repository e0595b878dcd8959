package console_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"certsaas/core/form"
	"certsaas/core/order"
)

// A transfer that fits is confirmed by one person of finance.
// req: B52
func TestVoucher(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.submitted(t, "byd", 0, nil)
	v := r.voucher(t, x, x.Organisation(), x.TotalFen)
	fin := r.login(t, "finance")
	must(t, strings.Contains(fin.get("/vouchers", 200).text("tbody"), x.Number), "not listed")
	for q, want := range map[string]bool{yuanText(x.TotalFen): true, x.Number[4:]: true, x.Organisation()[3:12]: true, "¥ 1.07": false, "别的公司": false} {
		must(t, strings.Contains(fin.get("/vouchers?q="+url.QueryEscape(q), 200).text("tbody"), x.Number) == want, "searching for %q", q)
	}
	sheet := csvOf(t, fin.get("/vouchers/export", 200))
	must(t, len(sheet) == 2 && sheet[1][0] == x.Number && sheet[1][3] == x.Organisation() && sheet[1][7] == yuanText(x.TotalFen), "export: %v", sheet)
	path := "/vouchers/byd/" + v.ID.String()
	desk := fin.get(path, 200)
	must(t, desk.Find(".film img").Length() == 1, "no picture")
	must(t, fin.get(desk.Find(".film a").AttrOr("href", ""), 200).header.Get("Content-Type") != "", "picture")
	fin.post(path+"/confirm", url.Values{"bank_txn_id": {"ICBC-1"}, "received": {"many"}}, 422)
	both := fin.post(path+"/confirm", url.Values{"bank_txn_id": {""}, "received": {""}}, 422)
	must(t, both.Find(".summary li").Length() == 2, "not said at once: %s", both.text(".summary"))
	differs := fin.post(path+"/confirm", url.Values{"bank_txn_id": {"ICBC-1"}, "received": {"1.00"}}, 422)
	must(t, strings.Contains(differs.body, "不一致"), "amount that differs: %s", differs.text(".summary"))
	fin.post(path+"/confirm", url.Values{"bank_txn_id": {"ICBC-1"}, "received": {yuanText(x.TotalFen)}}, 303)
	r.again(t, x, order.InReview)
	fin.get(path, 404)
}

// After a voucher the next one opens; one that waits for somebody else's second look does not.
func TestNextVoucher(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	var paths []string
	var amount string
	for i, mobile := range []string{"13800138000", "13800138001", "13800138002"} {
		x := r.submitted(t, "byd", 0, form.Answers{"mobile": mobile})
		payer := x.Organisation()
		if i == 0 {
			payer = "另一家公司" // a doubt: two persons
		}
		paths, amount = append(paths, "/vouchers/byd/"+r.voucher(t, x, payer, x.TotalFen).ID.String()), yuanText(x.TotalFen)
		r.Clock.Shift(time.Minute)
	}
	fin := r.login(t, "finance")
	for i, want := range []string{paths[1], paths[2], "/vouchers"} {
		fin.get(paths[i], 200)
		to := fin.post(paths[i]+"/confirm", url.Values{"bank_txn_id": {strconv.Itoa(1000 + i)}, "received": {amount}}, 303).location
		must(t, to == want, "after voucher %d: %s, want %s", i, to, want)
	}
	must(t, strings.Contains(fin.get("/vouchers", 200).text("tbody"), "演示财务 已初核，待复核"), "who looked first is not in the list")
}

// A doubtful voucher takes two different persons.
// req: B52
func TestVoucherTwoPersons(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.submitted(t, "byd", 0, nil)
	v := r.voucher(t, x, "另一家公司", x.TotalFen)
	fin, second := r.login(t, "finance"), r.login(t, "finance2")
	path := "/vouchers/byd/" + v.ID.String()
	must(t, strings.Contains(fin.get(path, 200).text(".notice"), "付款方与申请单位不一致"), "the doubt is not shown")
	form := url.Values{"bank_txn_id": {"ICBC-2"}, "received": {yuanText(x.TotalFen)}}
	fin.post(path+"/confirm", form, 303)
	r.again(t, x, order.PaymentCheck)
	must(t, fin.get(path, 200).Find(`[name=bank_txn_id]`).Length() == 0, "the first person is asked again")
	fin.post(path+"/confirm", form, 409)
	r.again(t, x, order.PaymentCheck)
	must(t, strings.Contains(second.get(path, 200).text(".notice"), "演示财务"), "who was first is not shown")
	second.post(path+"/confirm", form, 303)
	r.again(t, x, order.InReview)
}

// A voucher is sent back with a reason.
func TestVoucherRejected(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.submitted(t, "byd", 0, nil)
	v := r.voucher(t, x, x.Organisation(), x.TotalFen)
	fin := r.login(t, "finance")
	path := "/vouchers/byd/" + v.ID.String()
	fin.get(path, 200)
	fin.post(path+"/reject", nil, 422)
	fin.post(path+"/reject", url.Values{"reason": {"未查到该笔到账"}}, 303)
	r.again(t, x, order.AwaitingPayment)
	must(t, strings.Contains(fin.get(x.path(""), 200).text(".timeline"), "未查到该笔到账"), "the reason is not on the time line")
}

// A refund is asked for by a reviewer and agreed by finance.
func TestRefund(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.inReview(t, "kinglong", 0, nil)
	rev, fin := r.login(t, "reviewer"), r.login(t, "finance")
	rev.get(x.path(""), 200)
	rev.post(x.path("/refund"), nil, 422)
	rev.post(x.path("/refund"), url.Values{"reason": {"供应商不再办理"}}, 303)
	r.again(t, x, order.Refunding)
	list := fin.get("/refunds", 200)
	href := list.Find("tbody a").AttrOr("href", "")
	page := fin.get(href, 200)
	must(t, strings.Contains(page.text("main"), "供应商不再办理"), "no reason: %s", page.text("main"))
	fin.post(href+"/approve", nil, 303)
	r.again(t, x, order.Refunded)
	must(t, strings.Contains(fin.get("/refunds", 200).body, "没有待处理的退款"), "still listed")
}

// A bank transfer goes back by hand: agreed, then noted as sent.
func TestRefundOfTransfer(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.submitted(t, "byd", 0, nil)
	v := r.voucher(t, x, x.Organisation(), x.TotalFen)
	fin, rev := r.login(t, "finance"), r.login(t, "reviewer")
	fin.get("/", 200)
	fin.post("/vouchers/byd/"+v.ID.String()+"/confirm", url.Values{"bank_txn_id": {"ICBC-3"}, "received": {yuanText(x.TotalFen)}}, 303)
	rev.get(x.path(""), 200)
	rev.post(x.path("/refund"), url.Values{"reason": {"重复下单"}}, 303)
	href := fin.get("/refunds", 200).Find("tbody a").AttrOr("href", "")
	fin.post(href+"/approve", nil, 303)
	r.again(t, x, order.Refunding)
	fin.post(href+"/sent", nil, 422)
	fin.post(href+"/sent", url.Values{"bank_txn_id": {"OUT-1"}}, 303)
	r.again(t, x, order.Refunded)
}

// A declined refund lets the order go on where it stood.
func TestRefundDeclined(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.inReview(t, "kinglong", 0, nil)
	rev, fin := r.login(t, "reviewer"), r.login(t, "finance")
	rev.get(x.path(""), 200)
	rev.post(x.path("/refund"), url.Values{"reason": {"想退"}}, 303)
	href := fin.get("/refunds", 200).Find("tbody a").AttrOr("href", "")
	fin.post(href+"/decline", nil, 422)
	fin.post(href+"/decline", url.Values{"reason": {"不符合退款条件"}}, 303)
	r.again(t, x, order.InReview)
}
