package console_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/authz"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/form"
	"certsaas/core/order"
	"certsaas/core/web/ui"
)

func yuanText(fen int64) string { return fmt.Sprintf("%d.%02d", fen/100, fen%100) }

// approved is an order whose review passed.
func (r *rig) approved(t *testing.T, rev *browser, slug string, product int, change form.Answers) placed {
	t.Helper()
	x := r.inReview(t, slug, product, change)
	v := checks(rev.get(x.path("/review"), 200))
	v.Set("decision", "approve")
	rev.post(x.path("/review"), v, 303)
	r.Drain()
	o, err := r.Orders.Find(x.ctx, x.Tenant, x.ID)
	if err != nil {
		t.Fatal(err)
	}
	x.Order = o
	return x
}

// written puts an order's keys behind it, as the producer's desk would with the key agent (driven in produce_test.go).
func (r *rig) written(t *testing.T, x placed, serial string) placed {
	t.Helper()
	err := r.DB.WithTenant(r.As(authz.Principal{Kind: authz.Staff, ID: r.person(t, "producer").ID, Name: "演示制证员", Roles: []string{authz.RoleProducer}}), x.Tenant, func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE order_items SET state = 'done', token_serial = $3 || seq WHERE tenant_id = $1 AND order_id = $2`, x.Tenant, x.ID, serial); err != nil {
			return err
		}
		o, err := r.Orders.LoadForUpdate(ctx, tx, x.ID)
		if err != nil {
			return err
		}
		return r.Orders.Advance(ctx, tx, &o, order.KeyWritten, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	return r.again(t, x, order.ToDeliver)
}

// A waybill that looks unlike the carrier's is asked about; serial, order and waybill stay together; one message goes out.
// req: K39 K40 K41
func TestShipping(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rev, pro := r.login(t, "reviewer"), r.login(t, "producer")
	x := r.written(t, r.approved(t, rev, "kinglong", 0, nil), "DEMO-SN-")
	must(t, strings.Contains(pro.get("/queue/shipping", 200).text("tbody"), x.Number), "not listed")
	desk := pro.get(x.path("/shipping"), 200)
	must(t, strings.Contains(desk.text("main"), "DEMO-SN-1"), "the key's serial is not beside the order")
	must(t, desk.Find(`input[name=carrier][value=sf][checked]`).Length() == 1, "the applicant's carrier is not chosen")
	must(t, desk.Find(`input[name=confirm]`).Length() == 0, "asked before there is a reason")
	must(t, r.audited(t, "order.consignee", x.ID) == 1, "the look at the address is not audited")
	form := url.Values{"version": {fmt.Sprint(x.Version)}, "purpose": {"key"}, "carrier": {"sf"}, "waybill": {""}}
	pro.post(x.path("/shipping"), form, 422)
	form.Set("waybill", "773123456789012") // another carrier's
	asked := pro.post(x.path("/shipping"), form, 422)
	must(t, asked.Find(`input[name=confirm]`).Length() == 1, "no way to confirm: %s", asked.text(".summary"))
	must(t, asked.Find(`input[name=waybill]`).AttrOr("value", "") == "773123456789012", "what was typed is lost")
	stale := url.Values{"version": {"1"}, "purpose": {"key"}, "carrier": {"sf"}, "waybill": {"SF7444400043266"}}
	pro.post(x.path("/shipping"), stale, 409)
	form.Set("confirm", "yes")
	pro.post(x.path("/shipping"), form, 303)
	r.again(t, x, order.Completed)
	r.Drain()
	n := 0
	for _, m := range r.SMS.Sent() {
		if strings.Contains(m.Text, "773123456789012") {
			n++
		}
	}
	must(t, n == 1, "%d messages about the shipment", n)
	must(t, strings.Contains(pro.get(x.path(""), 200).text("main"), "773123456789012"), "waybill is not on the order's page")
}

// An issued invoice is uploaded once; its number serves one order.
func TestInvoices(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rev, fin := r.login(t, "reviewer"), r.login(t, "finance")
	wants := form.Answers{"invoice_wanted": "yes", "invoice_kind": "e"}
	a := r.approved(t, rev, "kinglong", 0, wants)
	b := r.approved(t, rev, "kinglong", 0, form.Answers{"invoice_wanted": "yes", "invoice_kind": "e", "mobile": "13900139000"})
	list := fin.get("/invoices", 200)
	must(t, strings.Contains(list.text("tbody"), a.Number) && strings.Contains(list.text("tbody"), b.Number), "not listed: %s", list.text("main"))
	pdf := []byte("%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
	number := "26112000000000000001"
	path := func(x placed) string { return "/invoices/kinglong/" + x.ID.String() }
	fin.get(path(a), 200)
	fin.upload(path(a), map[string]string{"number": "12", "issued_on": "2026-11-30"}, pdf, 422)
	none := fin.upload(path(a), map[string]string{"number": number, "issued_on": "2026-11-30"}, nil, 422)
	must(t, strings.Contains(none.body, "请上传开好的发票文件"), "no file: %s", none.text(".summary"))
	fin.upload(path(a), map[string]string{"number": number, "issued_on": "2026-11-30"}, pdf, 303)
	twice := fin.upload(path(b), map[string]string{"number": number, "issued_on": "2026-11-30"}, pdf, 422)
	must(t, strings.Contains(twice.body, "已用于另一张订单"), "duplicate: %s", twice.text(".summary"))
	must(t, !strings.Contains(fin.get("/invoices", 200).text("tbody"), a.Number), "issued, and still listed")
	row := csvOf(t, fin.get("/invoices/export", 200))[1]
	must(t, slices.Contains(row, "6%") || slices.Contains(row, "13%"), "no tax rate: %v", row)
	must(t, strings.Contains(fin.get(path(b), 200).text("main"), "不含税 ¥"), "the tax is not told: %s", fin.get(path(b), 200).text("main"))
}

// A tenant that is suspended leaves orders, keys and invoices behind: every list still opens.
func TestSuspendedTenantsWork(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rev, fin, prod := r.login(t, "reviewer"), r.login(t, "finance"), r.login(t, "producer")
	r.approved(t, rev, "kinglong", 0, form.Answers{"invoice_wanted": "yes", "invoice_kind": "e"})
	r.inReview(t, "kinglong", 0, form.Answers{"mobile": "13900139000"})
	r.holder(t, "13800138000", "演示汽车销售（深圳）有限公司", 7)
	coretest.OwnerExec(t, r.DB, `UPDATE tenants SET state = 'suspended'`)
	r.Clock.Shift(time.Minute)
	for b, paths := range map[*browser][]string{
		rev: {"/", "/queue/review", "/orders", "/reminders", "/tenants"}, fin: {"/", "/invoices", "/invoices/export", "/vouchers", "/refunds"},
		prod: {"/", "/queue/production", "/queue/shipping", "/papers"},
	} {
		for _, path := range paths {
			b.get(path, 200)
		}
	}
}

// No cell of an export is a formula.
func TestExport(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	evil := "=HYPERLINK(1)公司"
	x := r.draft(t, "kinglong", 0, nil)
	// such a name does not pass the form; an older order may hold one all the same
	plant(t, r, x, evil)
	adm := r.login(t, "admin")
	table := csvOf(t, adm.get("/orders/export?state=draft", 200))
	found := false
	for _, row := range table {
		for _, cell := range row {
			if cell != "" && strings.ContainsRune("=+-@\t", rune(cell[0])) {
				t.Errorf("formula: %q", cell)
			}
			found = found || cell == "'"+evil
		}
	}
	must(t, found, "the planted row is missing: %v", table)
	var n int
	err := r.DB.WithSystem(r.As(authz.System("test")), "test", func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRow(ctx, `SELECT count(*) FROM audit_entries WHERE action = 'list.export' AND tenant_id = $1`, uuid.Nil).Scan(&n)
	})
	must(t, err == nil && n == 1, "exports in the trail: %d %v", n, err)
}

func csvOf(t *testing.T, p page) [][]string {
	t.Helper()
	body := strings.TrimPrefix(p.body, "\uFEFF")
	must(t, body != p.body, "no byte order mark")
	must(t, strings.HasPrefix(p.header.Get("Content-Disposition"), "attachment"), "not a download")
	table, err := csv.NewReader(strings.NewReader(body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// plant writes a company name into a stored order past the form.
func plant(t *testing.T, r *rig, x placed, name string) {
	t.Helper()
	err := r.DB.WithTenant(r.As(authz.System("test")), x.Tenant, func(ctx context.Context, tx *db.Tx) error {
		keys, err := r.Vault.Keys(ctx, tx, x.Tenant)
		if err != nil {
			return err
		}
		sealed := keys.Seal("orders.answers", x.ID, []byte(`{"org_name":"`+name+`"}`))
		_, err = tx.Exec(ctx, `UPDATE orders SET answers_sealed = $3 WHERE tenant_id = $1 AND id = $2`, x.Tenant, x.ID, sealed)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// Orders are found by number, mobile, company and code, and by nothing else.
func TestSearch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.submitted(t, "kinglong", 0, form.Answers{"org_name": "演示查找（厦门）有限公司"})
	y := r.submitted(t, "byd", 0, form.Answers{"mobile": "13900139000"})
	adm := r.login(t, "admin")
	for q, want := range map[string]string{
		"138 0013 8000": x.Number, "演示查找(厦门)有限公司": x.Number, x.Code(): x.Number, "13900139000": y.Number,
		"演示查找": "", "13700137000": "",
	} {
		got := adm.get("/orders?q="+url.QueryEscape(q), 200).text("tbody")
		must(t, strings.Contains(got, want) && (want != "" || got == ""), "%q finds %q, want %q", q, got, want)
	}
	must(t, adm.get("/orders?q="+x.Number, 303).location == x.path(""), "a number does not lead to its order")
	must(t, strings.Contains(adm.get("/", 200).Find(`form[action="/orders"] [name=q]`).AttrOr("placeholder", ""), "订单号"), "no search at home")
	z := r.draft(t, "byd", 0, form.Answers{"mobile": "13900139001"})
	must(t, !strings.Contains(adm.get("/orders", 200).text("tbody"), z.Number), "what nobody handed in fills the list")
	must(t, strings.Contains(adm.get("/orders?state=draft", 200).text("tbody"), z.Number), "a draft is not found by its state")
	must(t, strings.Contains(adm.get("/orders?q=13900139001", 200).text("tbody"), z.Number), "a caller's draft is not found")
	adm.get("/orders/byd/"+x.ID.String(), 404) // another tenant's order
	got := adm.get("/orders?tenant=byd", 200).text("tbody")
	must(t, strings.Contains(got, y.Number) && !strings.Contains(got, x.Number), "filter by tenant: %s", got)
}

// Staff are added with a second factor that is shown once, and lose their access at once; nobody locks himself out.
func TestStaff(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	adm := r.login(t, "admin")
	adm.get("/staff/new", 200)
	adm.post("/staff", url.Values{"login": {"x"}}, 422)
	made := adm.post("/staff", url.Values{"login": {"newcomer"}, "name": {"演示新人"}, "password": {"correct horse battery 7"}, "roles": {"reviewer"}}, 200)
	must(t, made.Find(".qr svg").Length() == 1, "no QR of the second factor")
	id := r.person(t, "reviewer").ID.String()
	rev := r.login(t, "reviewer")
	rev.get("/queue/review", 200)
	adm.post("/staff/"+id+"/roles", url.Values{"roles": {"producer"}}, 303)
	rev.get("/queue/review", 403)
	adm.post("/staff/"+id+"/disable", nil, 303)
	rev.get("/", 303)
	me := r.person(t, "admin").ID.String()
	adm.post("/staff/"+me+"/disable", nil, 409)
	adm.get("/staff", 200)
}

// Tenants, audit trail and health are there for those who keep the platform.
func TestWatching(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.inReview(t, "kinglong", 0, nil)
	on, aud := r.login(t, "onboarding"), r.login(t, "auditor")
	must(t, strings.Contains(on.get("/tenants", 200).text("tbody"), "kinglong"), "no tenants")
	must(t, strings.Contains(on.get("/tenants/kinglong", 200).text("main"), "CERT272353"), "no products")
	must(t, strings.Contains(on.get("/tenants/kinglong/releases/1", 200).text("main"), "tenant.yaml"), "no files")
	on.get("/tenants/nobody", 404)
	trail := aud.get("/audit?tenant=kinglong&resource="+url.QueryEscape("order/"+x.ID.String()), 200)
	must(t, strings.Contains(trail.text("tbody"), "order.submit"), "trail: %s", trail.text("tbody"))
	must(t, strings.Contains(trail.text("tbody"), "提交订单") && trail.Find(`tbody a[href="`+x.path("")+`"]`).Length() > 0, "an entry has no words or leads nowhere: %s", trail.text("tbody"))
	day := ui.Date(r.Clock.Now())
	must(t, strings.Contains(aud.get("/audit?from="+day+"&to="+day, 200).text("tbody"), "order.submit"), "nothing of today")
	must(t, aud.get("/audit?to=2020-01-01", 200).text("tbody") == "" && aud.get("/audit?from=2099-01-01", 200).text("tbody") == "", "other days' entries")
	sheet := csvOf(t, aud.get("/audit/export?tenant=kinglong&action=order.submit", 200))
	must(t, len(sheet) == 2 && sheet[1][3] == "提交订单" && sheet[1][4] == "order.submit" && sheet[1][5] == "order/"+x.ID.String(), "export: %v", sheet)
	must(t, strings.Contains(aud.get("/audit?action=list.export", 200).text("tbody"), "导出列表"), "the export is not in the trail")
	must(t, !strings.Contains(aud.get("/audit?action=staff.", 200).text("tbody"), "order.submit"), "filter by action")
	health := aud.get("/health", 200)
	must(t, strings.Contains(health.text("main"), "lapse"), "no jobs: %s", health.text("main"))
}

// What is over its three working days is late on the home page, in the rail and in the queue.
// req: K39
func TestLate(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.inReview(t, "kinglong", 0, nil)
	r.Clock.Shift(10 * 24 * time.Hour)
	rev := r.login(t, "reviewer")
	home := rev.get("/", 200)
	must(t, strings.Contains(home.text("tbody"), "1 件超时"), "home: %s", home.text("tbody"))
	must(t, home.Find(".rail .count.late").Length() == 1, "the rail shows nothing late")
	must(t, strings.Contains(rev.get("/queue/review", 200).text(".due"), "已超时"), "queue")
	must(t, strings.Contains(rev.get(x.path("/review"), 200).text(".verdict .due"), "已超时"), "desk")
}

// The approval is told to the registered mobile; then a paper invoice is issued by finance and posted by the producer.
// req: B9 B54
func TestPaperInvoice(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	rev, fin, pro := r.login(t, "reviewer"), r.login(t, "finance"), r.login(t, "producer")
	x := r.approved(t, rev, "byd", 0, form.Answers{"invoice_wanted": "yes", "invoice_kind": "paper", "carrier": "sto"})
	if m, ok := r.SMS.Last("13800138000"); !ok || !strings.Contains(m.Text, "审核通过") {
		t.Errorf("no message about the approval: %+v", m)
	}
	fin.get("/invoices", 200)
	pdf := []byte("%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n")
	fin.upload("/invoices/byd/"+x.ID.String(), map[string]string{"number": "12345678", "issued_on": "2026-11-30"}, pdf, 303)
	must(t, strings.Contains(pro.get("/papers", 200).text("tbody"), x.Number), "not listed")
	p := pro.get(x.path("/shipping"), 200)
	v := url.Values{"version": {p.Find("main input[name=version]").AttrOr("value", "")}, "purpose": {p.Find("main input[name=purpose]").AttrOr("value", "")},
		"carrier": {"sto"}, "waybill": {"773123456789012"}}
	must(t, v.Get("purpose") == "invoice", "purpose %q", v.Get("purpose"))
	must(t, p.Find(`.crumbs a[href="/papers"]`).Length() == 1, "the way back leads to another desk: %s", p.text(".crumbs"))
	must(t, pro.post(x.path("/shipping"), v, 303).location == "/papers", "after a paper invoice another desk opens")
	must(t, pro.get("/papers", 200).text("tbody") == "", "posted, and still listed")
}
