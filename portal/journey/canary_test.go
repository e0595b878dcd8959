package journey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"certsaas/core/coretest/program"
	"certsaas/core/db/embedpg"
)

// Canaries are personal data of nobody, used nowhere else: ID number and credit code with right check digits, mobiles of the
// reserved block.
const (
	canaryToken  = "NEW-KEY-4"
	canaryPIN    = "Pin7Kanarie" // typed once, and wrong
	canaryID     = "350200198711030730"
	canaryUSCC   = "91350203MA7CNRY30U"
	canaryDealer = "13800138071"
	canaryBuyer  = "13800138073"
	canaryOrg    = "演示隐私供应链（厦门）有限公司"
)

var canaries = map[string]string{
	"ID number": canaryID, "credit code": canaryUSCC, "mobile of a login": canaryDealer, "mobile of an agent": canaryBuyer, "mobile of a consignee": "13800138074",
	"company": canaryOrg, "company of the renewal": "演示隐私汽车销售有限公司", "agent": "隐私演示甲", "consignee": "隐私演示乙", "e-mail": "canary-agent@example.com",
	"e-mail of the invoice": "canary-invoice@example.com", "landline": "010-61237109", "dealer code": "7109223456", "street": "演示隐私路七十一号", "password": "canary-Secret-2026",
	"PIN": canaryPIN, "staff's password": "demo-Staff-2026", "payer": "演示隐私付款有限公司", "bank account of a transfer": "6222021234507109284",
	"bank account of a refund": "6222029876507109371", "Exif of a picture": "canary-exif-of-a-picture", "comment of a picture": "canary-comment-of-a-picture", "name of a picture's file": "演示隐私照片",
	"why a voucher comes back": "凭证上是演示隐私丙的私人账户",
}

// bird is a photograph that says more than its pixels.
func bird(t *testing.T, picture []byte) program.File {
	t.Helper()
	segment := func(marker byte, text string) string {
		return string([]byte{0xff, marker, byte((len(text) + 2) >> 8), byte(len(text) + 2)}) + text
	}
	head := segment(0xe1, "Exif\x00\x00II*\x00\x08\x00\x00\x00\x00\x00\x00\x00\x00\x00"+canaries["Exif of a picture"]) + segment(0xfe, canaries["comment of a picture"])
	return program.File{Name: canaries["name of a picture's file"] + ".jpg", Data: slices.Concat(picture[:2], []byte(head), picture[2:])}
}

// TestK1Canaries (reliability K1) gives personal data to the running program through two orders: a renewal that is paid by bank
// transfer and asked back, and a purchase up to the key, the waybill and the invoice. PostgreSQL logs every statement
// with its parameters meanwhile, the program at debug level. Then every byte of the data directory (database, write-ahead log,
// files, audit checkpoints), of the logs, of the temporary directory, of /metrics and of a dump is searched. What outside
// parties hold is left out: messages.jsonl, which is the phone, and in demo-token, which is the USBKEY, the subject of its certificate.
func TestK1Canaries(t *testing.T) {
	t.Parallel()
	w := visit(t)
	w.logStatements(true)
	number := w.canaryRenewal()
	bought := w.canaryPurchase()
	w.logStatements(false)
	found := newNeedles(w.withCodes())
	control := newNeedles(map[string]string{"control": bought}) // an order's number is no secret: where it is not, nothing was searched
	search := func(where string, heap []byte, present bool) {
		for _, f := range found.in(heap) {
			if !w.outside(where, f) {
				t.Errorf("%s: %s", where, f)
			}
		}
		if present && len(control.in(heap)) == 0 {
			t.Errorf("%s does not even name order %s", where, bought)
		}
	}
	w.checkpoint()
	written := 0
	w.everyFile(func(path string, heap []byte) {
		written += len(heap)
		search(path, heap, strings.HasSuffix(path, "postgres.log"))
	})
	search("pg_dump", []byte(w.dump()), true)
	search("metrics", w.metrics(), false)
	t.Logf("%d canaries, %d bytes of files, orders %s and %s", len(canaries), written, number, bought)
}

// withCodes adds the codes that the canaries' phones were sent.
func (w town) withCodes() map[string]string {
	w.t.Helper()
	all, err := w.Messages()
	if err != nil {
		w.t.Fatal(err)
	}
	out := map[string]string{}
	for what, text := range canaries {
		out[what] = text
	}
	for _, m := range all {
		if code := m.Params["code"]; code != "" && (m.To == canaryDealer || m.To == canaryBuyer) {
			out[fmt.Sprintf("code %d", len(out))] = code
		}
	}
	if len(out) < len(canaries)+2 {
		w.t.Errorf("%d codes were sent", len(out)-len(canaries))
	}
	return out
}

// outside reports whether a find is what an outside party holds: the certificate in the key.
func (w town) outside(path, found string) bool {
	return strings.Contains(path, "demo-token"+string(filepath.Separator)) && (strings.HasPrefix(found, "company (") || strings.HasPrefix(found, "credit code ("))
}

// canaryRenewal registers a dealer who renews, pays by transfer and wants the money back on an account that he names.
func (w town) canaryRenewal() string {
	w.t.Helper()
	v := w.NewVisitor(w.t)
	v.Open(w.URL("", "/s/byd-gqgx")).Follow("注册并办理")
	since := now()
	v.Form("password").Set("mobile", canaryDealer).PressValue("_step", "send").Sees("验证码已发送")
	v.Form("password").Set("mobile", canaryDealer).Set("code", w.Code(w.t, canaryDealer, since)).Set("password", canaries["password"]).Set("agree", "yes").Press("注册").Sees("注册成功")
	v.Follow("立即登录").Form("password").Set("mobile", canaryDealer).Set("password", canaries["password"]+"!").Press("登录")
	v.Form("password").Set("mobile", canaryDealer).Set("password", canaries["password"]).Press("登录")
	v.Form("product").Press("立即办理")
	v.Form("org_name").SetAll(map[string]string{
		"eligible": "yes", "org_nature": "company", "org_name": canaries["company of the renewal"], "industry": "auto_sales", "agent_name": canaries["agent"], "email": canaries["e-mail"],
		"landline": canaries["landline"], "post": "manager", "dealer_code": canaries["dealer code"], "carrier": "sf", "ship_name": canaries["consignee"],
		"ship_mobile": canaries["mobile of a consignee"], "ship_province": "广东省", "ship_city": "广州市", "ship_county": "天河区", "ship_street": canaries["street"],
	}).Press("下一步").Sees("实名认证授权书")
	f := v.Form("merged").Set("merged", "yes").PressValue("_step", "refresh").Form("merged").Set("uscc", canaryUSCC)
	f.Attach("licence_image_file", bird(w.t, program.Picture(w.t, canaries["company of the renewal"])))
	pdf := w.letter(f, v, v.URL.String())
	v.Form("merged").Attach("letter_file", bird(w.t, program.Stamp(w.t, pdf))).Press("提交信息").Sees("支付宝")
	pay := v.URL.String()
	v.Open(pay + "/transfer")
	v.Form("payer_name").SetAll(map[string]string{"payer_name": canaries["payer"], "payer_last4": "9284", "amount": "200.00",
		"transferred_on": time.Now().In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly), "remark": "付款账号 " + canaries["bank account of a transfer"]}).
		Attach("file_file", bird(w.t, program.Receipt(w.t, "银行电子回单 演示 "+canaryUSCC))).Press("提交凭证")
	v.Follow("查看订单状态")
	number, order := w.numberOf(v), v.URL.String()
	w.refuseVoucher(number, canaries["why a voucher comes back"])
	v.Await(order, canaries["why a voucher comes back"]).Open(pay + "/transfer")
	v.Form("payer_name").Attach("file_file", bird(w.t, program.Receipt(w.t, "银行电子回单 演示 "+canaryOrg))).Press("提交凭证")
	for _, by := range [][2]string{{"finance", "已作第一次核款"}, {"finance2", "已确认到账"}} { // another company paid: two people look
		w.desk(by[0], func(v *program.Visitor) {
			v.Await(w.URL("console", "/vouchers"), number).Follow(number).Sees(canaries["payer"])
			v.Form("bank_txn_id").Set("bank_txn_id", "DEMO-"+number).Set("received", "200.00").Press("确认到账").Sees(by[1])
		})
	}
	v.Await(order, "审核中").Form("reason").Set("reason", "请退到 "+canaries["agent"]+" "+canaries["bank account of a refund"]).Press("")
	w.desk("finance", func(v *program.Visitor) {
		v.Await(w.URL("console", "/refunds"), number).Follow(number).Sees(canaries["bank account of a refund"])
	})
	return number
}

// canaryPurchase goes from the form to the key, its parcel and the invoice.
func (w town) canaryPurchase() string {
	w.t.Helper()
	v := w.NewVisitor(w.t)
	v.Open(w.URL("", "/createOrder?productCode=CERT272353")).Form("product").Press("立即办理")
	f := v.Form("org_name").SetAll(map[string]string{
		"eligible": "yes", "agent_name": canaries["agent"], "mobile": canaryBuyer, "email": canaries["e-mail"], "id_type": "resident_id", "id_no": canaryID,
		"org_name": canaryOrg, "org_type": "company", "org_code_any": canaryUSCC, "industry": "auto_parts", "carrier": "sf", "ship_name": canaries["consignee"],
		"ship_mobile": canaries["mobile of a consignee"], "ship_province": "福建省", "ship_city": "厦门市", "ship_county": "集美区", "ship_street": canaries["street"],
		"invoice_title": canaryOrg, "invoice_tax_no": canaryUSCC, "invoice_email": canaries["e-mail of the invoice"],
	})
	for _, side := range []string{"id_front", "id_back", "licence_image"} {
		f.Attach(side+"_file", bird(w.t, program.Picture(w.t, "演示 "+side+canaries["agent"])))
	}
	pdf := w.letter(f, v, v.URL.String())
	v.Form("org_name").Attach("letter_file", bird(w.t, program.Stamp(w.t, pdf))).Press("提交信息").Sees("确认信息", canaries["street"])
	v.Form("agree").Set("agree", "yes").Press("确定").Sees("短信验证")
	since := now()
	v.Form("code").PressValue("_step", "send").Sees("验证码已发送")
	v.Form("code").Set("code", w.Code(w.t, canaryBuyer, since)).Press("提交订单").Button("立即支付")
	w.payPlain(v)
	v.Follow("查看订单状态").Sees("审核中")
	number, order := w.numberOf(v), v.URL.String()
	w.approvePlain(number)
	w.made(number, canaryToken, canaryPIN)
	w.desk("producer", func(v *program.Visitor) {
		v.Await(w.URL("console", "/queue/shipping"), number).Follow(number).Sees(canaries["consignee"])
		v.Form("waybill").Set("carrier", "sf").Set("waybill", "SF1234567897109").Press("确认发出").Sees("已发出")
	})
	w.desk("finance", func(v *program.Visitor) {
		v.Await(w.URL("console", "/invoices"), number).Follow(number)
		v.Form("issued_on").Set("number", "26117000000123457109").Attach("file", program.File{Name: canaryOrg + ".pdf", Data: program.InvoicePDF(canaries["e-mail of the invoice"])}).Press("上传发票").Sees("的发票已上传")
	})
	v.Await(order, "已完成", "下载发票")
	return number
}

// superuser is a connection that sees everything.
func (w town) superuser() *pgx.Conn {
	w.t.Helper()
	socket, err := embedpg.Running(filepath.Join(w.Dir, "postgres"))
	if err != nil {
		w.t.Fatal(err)
	}
	conn, err := pgx.Connect(w.t.Context(), socket.URL(embedpg.Superuser, "certsaas"))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// logStatements has the database write all that it is asked, with all parameters, into its log.
func (w town) logStatements(all bool) {
	w.t.Helper()
	what := map[bool]string{true: "all", false: "none"}[all]
	conn := w.superuser()
	for _, sql := range []string{"ALTER SYSTEM SET log_statement = '" + what + "'", "SELECT pg_reload_conf()"} {
		if _, err := conn.Exec(w.t.Context(), sql); err != nil {
			w.t.Fatal(err)
		}
	}
}

// checkpoint brings what the database holds in memory into its files.
func (w town) checkpoint() {
	w.t.Helper()
	if _, err := w.superuser().Exec(w.t.Context(), "CHECKPOINT"); err != nil {
		w.t.Fatal(err)
	}
}

func (w town) dump() string {
	w.t.Helper()
	socket, err := embedpg.Running(filepath.Join(w.Dir, "postgres"))
	if err != nil {
		w.t.Fatal(err)
	}
	return w.tool("postgresql-client", "pg_dump", "--inserts", socket.URL(embedpg.Superuser, "certsaas"))
}

func (w town) metrics() []byte {
	w.t.Helper()
	res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/metrics", w.Port)) // not through a proxy: for this machine only
	if err != nil {
		w.t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || !strings.Contains(string(raw), "certsaas_") {
		w.t.Fatalf("metrics: %d %.200s", res.StatusCode, raw)
	}
	return raw
}

// everyFile reads what the program wrote: its data directory, its temporary directory, its log.
func (w town) everyFile(look func(path string, heap []byte)) {
	w.t.Helper()
	for _, root := range []string{w.Dir, traces} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) || err == nil && (!d.Type().IsRegular() || d.Name() == "messages.jsonl") {
				return nil
			}
			if err != nil {
				return err
			}
			heap, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) { // the database and the others in the house work on
				return nil
			}
			if err == nil {
				look(path, heap)
			}
			return err
		})
		if err != nil {
			w.t.Fatal(err)
		}
	}
}
