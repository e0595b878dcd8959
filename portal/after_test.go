package portal_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"certsaas/core/authz"
	coreform "certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/tenant"
	"certsaas/tenants"
)

// harbour installs a tenant that shares nothing with the two: review first, transfer only, the key is sent in. Its unlock
// product also asks for the invoice after the approval.
func (w *world) harbour() *tenant.Tenant {
	w.T.Helper()
	const root = "../core/tenant/testdata/packs/harbour"
	pack := fstest.MapFS{}
	names, err := fsNames(root)
	if err != nil {
		w.T.Fatal(err)
	}
	for _, n := range names {
		data, err := os.ReadFile(root + "/" + n)
		if err != nil {
			w.T.Fatal(err)
		}
		if n == "products/unlock.yaml" {
			s := strings.Replace(string(data), "form:\n", "  - {id: invoice, when: after_approval, title: {en: Invoice, zh-CN: 发票}}\nform:\n", 1)
			s = strings.Replace(s, "    - {use: send_in, step: send_in}\n", "    - {use: send_in, step: send_in}\n    - {id: invoice, step: invoice, title: {en: Invoice, zh-CN: 发票}, fields: [invoice_wanted, invoice_kind, {key: invoice_title, use: invoice_title, source: answers.org_name}]}\n", 1)
			s += "invoice:\n  offered: true\n  default: \"no\"\n  ask_when: after_approval\n  title: editable\n  kinds: [{code: e, label: {en: E-invoice, zh-CN: 电子发票}}]\n"
			data = []byte(s)
		}
		pack[n] = &fstest.MapFile{Data: data}
	}
	def, problems := tenant.Load(tenants.Base(), pack)
	if err := problems.Err(); err != nil {
		w.T.Fatal(err)
	}
	if _, err := w.Releases.Install(w.system("test/install"), def); err != nil {
		w.T.Fatal(err)
	}
	return w.Tenant("harbour")
}

// Reviewed first, so nothing is paid before; then the key is sent in under a waybill, and the invoice is asked for.
func TestReviewFirstSendInAndInvoice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	h := w.harbour()
	item, _ := h.Product("HB-UNLOCK")
	typed := map[string]string{}
	for k, v := range item.Form.Sample(0, coreform.SampleEnv()) {
		if _, ok := item.Form.Steps("details").Field(k); ok {
			typed[k] = v
		}
	}
	b := w.registered("keys.harbour.example", "13800138000")
	p := b.follow(b.submit(b.open("/s/hb-unlock?lang=zh-CN"), ".band form", "", nil))
	done := b.submit(p, form, "next", typed)
	if done.Status != 303 {
		t.Fatalf("%d %v", done.Status, done.errors())
	}
	o := w.order("harbour", p.Path)
	equal(t, "review first", order.InReview, o.State)
	url := "/orders/" + o.ID.String()
	equal(t, "no payment before the review", url, b.get(url+"/pay").Header.Get("Location"))
	equal(t, "no code before the review", url, b.get(url+"/pay/transfer").Header.Get("Location"))
	b.open(url).hasNot(".next", "支付")
	equal(t, "not open yet", url, b.get(url+"/after/send_in").Header.Get("Location"))
	equal(t, "no such step", 404, b.get(url+"/after/details").Status)

	w.Drain()
	if w.current(o).State == order.InReview {
		w.approve(o)
	}
	equal(t, "then the money", order.AwaitingPayment, w.current(o).State)
	w.transferred(b, o, typed["org_name"])

	p = b.open(url)
	p.has(".next", "待寄回", "口岸大厦 3 号窗口")
	step := b.open(p.Find(".next .btn-primary").AttrOr("href", ""))
	step.has(".lead", "口岸大厦")
	bad := b.submit(step, "form#after", "next", map[string]string{"inbound_carrier": "sf", "inbound_waybill": "1"})
	equal(t, "bad waybill", 422, bad.Status)
	if bad.errors()["inbound_waybill"] == "" {
		t.Errorf("errors %v", bad.errors())
	}
	p = b.follow(b.submit(step, "form#after", "next", map[string]string{"inbound_carrier": "sf", "inbound_waybill": "sf7444400043266"}))
	p.has(".next", "寄送中", "SF7444400043266")
	p.has(".waybill", "SF7444400043266")

	inv := b.open(p.Find(`a.btn:contains("发票")`).AttrOr("href", ""))
	p = b.follow(b.submit(inv, "form#after", "next", map[string]string{"invoice_wanted": "yes", "invoice_kind": "e", "invoice_title": "演示货代有限公司"}))
	p.has("main", "待开票", "演示货代有限公司")
	if p.Find(`.card a.btn[href$="/after/invoice"]`).Length() != 0 {
		t.Error("the invoice can be asked for twice")
	}
}

// fsNames lists a folder's files.
func fsNames(root string) ([]string, error) {
	var out []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, name)
		}
		return err
	})
	return out, err
}

// transferred pays by the only way there is, and finance finds the money.
func (w *world) transferred(b *browser, o order.Order, payer string) {
	w.T.Helper()
	url := "/orders/" + o.ID.String()
	pay := b.follow(b.get(url + "/pay")) // transfer is the only way
	pay.has("main", "港湾港口集团", "4000021209200012345", "¥30.00")
	equal(w.T, "tabs", 0, pay.Find(".tabs").Length())
	got := b.submit(pay, "form#voucher", "next", map[string]string{"payer_name": payer, "payer_last4": "2345", "amount": "30", "transferred_on": "2026-11-30"},
		map[string]file{"file_file": {"slip.jpg", photo(w.T, 1000, 700, "", false)}})
	if got.Status != 303 {
		w.T.Fatalf("voucher: %d %v", got.Status, got.errors())
	}
	list, err := w.Payments.Vouchers(w.staff(authz.RoleFinance), 10)
	if err != nil || len(list) != 1 {
		w.T.Fatalf("%v %v", list, err)
	}
	if _, err := w.Payments.Confirm(w.staff(authz.RoleFinance), o.Tenant, list[0].ID, "20261130-0001", 3000); err != nil {
		w.T.Fatal(err)
	}
	w.Drain()
}
