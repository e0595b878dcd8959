package journey

import (
	"crypto/x509"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"certsaas/core/coretest/program"
)

const (
	harbourPack   = "../../core/tenant/testdata/packs/harbour"
	harbourMobile = "13800138051"
	harbourName   = "港湾演示货运有限公司"
	harbourUSCC   = "91350200MA2XYKHT6G"
)

// TestThirdTenant brings a tenant that shares nothing with the other two into the running program, by its pack alone, and
// walks its three products to their end: a key for members that the enterprise pays, its replacement, an unlocking.
func TestThirdTenant(t *testing.T) {
	t.Parallel()
	w := visit(t)
	w.cli(0, "tenant", "apply", harbourPack)
	w.packsComeBackAsTheyAre()
	v := w.NewVisitor(t)
	v.Open(fmt.Sprintf("http://keys.harbour.example:%d/s/hb-member", w.Port)).Sees("会员钥匙").Follow("注册并办理")
	w.register(v, harbourMobile)
	first := w.member(v)
	w.replacement(v, first)
	w.unlock(v)
}

// cli runs certsaas beside the running program and looks at its exit code.
func (w town) cli(code int, args ...string) string {
	w.t.Helper()
	out, got, err := w.Command(w.t.Context(), args...)
	if err != nil || got != code {
		w.t.Fatalf("certsaas %s: exit %d, want %d (%v)\n%s", strings.Join(args, " "), got, code, err, out)
	}
	return out
}

// packsComeBackAsTheyAre exports each tenant and applies what came out: nothing changes.
func (w town) packsComeBackAsTheyAre() {
	w.t.Helper()
	for _, slug := range []string{"byd", "kinglong", "harbour"} {
		dir := filepath.Join(w.t.TempDir(), slug)
		w.cli(0, "tenant", "export", slug, dir)
		if said := w.cli(0, "tenant", "plan", dir); !strings.Contains(said, "is up to date") {
			w.t.Errorf("%s: plan of what was exported: %s", slug, said)
		}
		if said := w.cli(0, "tenant", "apply", dir); !strings.Contains(said, "is up to date") {
			w.t.Errorf("%s: apply of what was exported: %s", slug, said)
		}
	}
}

// member orders a key that the enterprise pays: approved by the roster, made, handed over at the counter.
func (w town) member(v *program.Visitor) *x509.Certificate {
	w.t.Helper()
	v.Form("product").Press("立即办理")
	v.Form("member_no").SetAll(map[string]string{"member_no": "HB-0001", "org_name": harbourName, "uscc": harbourUSCC, "agent_name": "吴演示", "carrier": "desk"}).Press("")
	w.submitted(v)
	order, number := v.URL.String(), w.numberOf(v)
	cert := w.made(number, "NEW-KEY-2")
	if years := cert.NotAfter.Sub(cert.NotBefore).Hours() / 24 / 365; years < 2.9 || years > 3.1 {
		w.t.Errorf("the member's certificate holds for %.1f years", years)
	}
	w.handOver(number)
	v.Await(order, "已完成")
	return cert
}

// submitted goes from the form to the order's page: over a confirmation page where the product has one.
func (w town) submitted(v *program.Visitor) {
	w.t.Helper()
	for range 3 {
		switch {
		case strings.HasSuffix(v.URL.Path, "/confirm"):
			v.Button("提交订单")
		case strings.Contains(v.URL.Path, "/fill/") && strings.Contains(v.Text(), "请再核对一遍"):
			v.Form("_seen").Press("")
		}
	}
	if strings.Contains(v.URL.Path, "/fill/") {
		w.t.Fatalf("not handed in: %s\n%s", v.URL, v.Text())
	}
}

// made has the producer write a key and gives the certificate in it.
func (w town) made(number, token string, wrong ...string) *x509.Certificate {
	w.t.Helper()
	producer := w.clerk("producer")
	w.writeKey(producer, number, token, wrong...)
	producer.Close()
	id, cert := w.one(token)
	w.provesItself(token, id, cert)
	return cert
}

// handOver gives a key out at the counter.
func (w town) handOver(number string) {
	w.t.Helper()
	w.desk("producer", func(v *program.Visitor) {
		v.Await(w.URL("console", "/queue/shipping"), number).Follow(number)
		v.Form("waybill").Set("carrier", "pickup").Press("确认发出").Sees("已发出")
	})
}

// replacement replaces the lost key: review before payment, to the enterprise's own account, the old end date kept.
func (w town) replacement(v *program.Visitor, lost *x509.Certificate) {
	w.t.Helper()
	v.Open("/s/hb-replace").Form("product").Press("立即办理")
	f := v.Form("member_no")
	f.SetAll(map[string]string{"org_name": harbourName, "uscc": harbourUSCC, "member_no": "HB-0001", "loss": "lost", "agent_name": "吴演示",
		"email": "harbour@example.com", "signer": "legal", "carrier": "desk"})
	f.Attach("licence_image_file", program.File{Name: "licence.jpg", Data: program.Receipt(w.t, harbourName)}).Press("")
	w.submitted(v)
	order, number := v.URL.String(), w.numberOf(v)
	w.approvePlain(number)
	v.Await(order, "80.00")
	w.transferPlain(v, order, number, "80.00")
	cert := w.made(number, "NEW-KEY-3")
	if !cert.NotAfter.Equal(lost.NotAfter) {
		w.t.Errorf("the replacement ends %s, the lost key %s", cert.NotAfter, lost.NotAfter)
	}
	w.handOver(number)
	v.Await(order, "已完成")
	w.revoked(lost)
}

// transferPlain pays by bank transfer and has finance find the money.
func (w town) transferPlain(v *program.Visitor, order, number, amount string) {
	w.t.Helper()
	v.Open(order + "/pay/transfer").Sees("4000021209200012345")
	f := v.Form("payer_name").SetAll(map[string]string{"payer_name": harbourName, "payer_last4": "2345", "amount": amount,
		"transferred_on": time.Now().In(time.FixedZone("CST", 8*3600)).Format(time.DateOnly)})
	f.Attach("file_file", program.File{Name: "slip.jpg", Data: program.Receipt(w.t, number)}).Press("提交凭证")
	w.desk("finance", func(v *program.Visitor) {
		v.Await(w.URL("console", "/vouchers"), number).Follow(number)
		v.Form("bank_txn_id").Set("bank_txn_id", "DEMO-"+number).Set("received", amount).Press("确认到账").Sees("已确认到账")
	})
}

// unlock sends a blocked key in and gets it back.
func (w town) unlock(v *program.Visitor) {
	w.t.Helper()
	v.Open("/s/hb-unlock").Form("product").Press("立即办理")
	f := v.Form("member_no")
	f.SetAll(map[string]string{"member_no": "HB-0001", "org_name": harbourName, "key_serial": "HBK-00123", "agent_name": "吴演示", "carrier": "sf",
		"ship_name": "吴演示", "ship_mobile": harbourMobile, "ship_province": "福建省", "ship_city": "厦门市", "ship_county": "湖里区", "ship_street": "演示路 5 号"}).Press("")
	w.submitted(v)
	order, number := v.URL.String(), w.numberOf(v)
	v.Await(order, "请完成支付")
	if way := v.Page.Find(".band").Text(); strings.Index(way, "支付") > strings.Index(way, "寄回 USBKEY") {
		w.t.Errorf("the way is drawn in another order than it goes: %s", way)
	}
	w.transferPlain(v, order, number, "30.00")
	v.Await(order, "请寄回您的 USBKEY")
	v.Open(order+"/after/send_in").Form("inbound_waybill").Set("inbound_carrier", "sf").Set("inbound_waybill", "SF1234567890321").Press("提交")
	w.desk("producer", func(v *program.Visitor) {
		v.Await(w.URL("console", "/queue/awaiting_key"), number).Follow(number)
		v.Form("serial").Press("登记收到").Sees("已登记收到")
	})
	w.desk("producer", func(v *program.Visitor) {
		v.Await(w.URL("console", "/queue/production"), number).Follow(number).Button("处理完成")
		v.Await(w.URL("console", "/queue/shipping"), number).Follow(number)
		v.Form("waybill").Set("carrier", "sf").Set("waybill", "SF1234567890987").Press("确认发出").Sees("已发出")
	})
	v.Await(order, "已完成", "SF1234567890987")
}
