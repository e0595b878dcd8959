package portal_test

import (
	"crypto/x509"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"certsaas/core/i18n"
	"certsaas/portal/aftertext"
)

func TestAfterMessages(t *testing.T) {
	t.Parallel()
	for _, problem := range i18n.Lint(aftertext.Messages) {
		t.Error(problem)
	}
}

// The guide is written from the live definition, as a page and as PDF, for every product, in both languages; it names the
// ways to get help.
// req: B60 B61 B62 B63 B70 K48 K55 K56 K57 K58 K59 K60
func TestGuides(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.byd()
	only := b.get("/guide")
	equal(t, "the only guide", "/guide/byd-gqgx", only.Header.Get("Location"))
	p := b.open("/guide/byd-gqgx")
	p.has("main", "过期更新定义", "填写申请信息", "支付办理费用", "使用注意事项", "天威诚信联系方式", "客户服务部", "400-666-3999", "customer-service@itrus.com.cn")
	equal(t, "rules of use", 8, p.Find(".rules li").Length())
	p.has(".plain-fields", "* 收件人、* 收件人手机号") // names that explain themselves share a line
	equal(t, "contents", p.Find(".guide-section").Length(), p.Find(".toc a").Length())
	p.Find(".toc a").Each(func(_ int, a *goquery.Selection) {
		if to := a.AttrOr("href", "-"); p.Find(to).Length() != 1 {
			t.Errorf("%s leads to %s, which is not there", a.Text(), to)
		}
	})
	p.has(".foot", "400-666-3999", "customer-service@itrus.com.cn")
	b.open("/guide/BYD-GQGX?lang=en").has("main", "What renewal is", "Rules of use", "Order now")

	k := w.kinglong()
	p = k.open("/guide")
	p.has("main", "企业电子钥匙初购", "企业电子钥匙更新")
	p.has(".foot", "北京天威诚信电子商务服务有限公司", "010-50947500", "400-666-3999", "9:00-17:30", "上地八街7号院4号楼4层")
	for _, name := range []string{"kinglong-chugou", "kinglong-gengxin"} {
		k.open("/guide/"+name).has("main", "010-50947500", "服务电话", "使用注意事项")
		pdf := k.get("/guide/" + name + ".pdf")
		if pdf.Status != 200 || pdf.Header.Get("Content-Type") != "application/pdf" || !strings.HasPrefix(string(pdf.Body), "%PDF") {
			t.Errorf("%s.pdf: %d %s", name, pdf.Status, pdf.Header.Get("Content-Type"))
		}
	}
	equal(t, "another tenant's guide", 404, k.get("/guide/byd-gqgx").Status)
	k.open("/keyagent").has("main", "证书助手", "Linux", "演示环境")
	js := k.get("/keyagent/client.js")
	if !strings.Contains(string(js.Body), "UKAgent") || !strings.HasPrefix(js.Header.Get("Content-Type"), "text/javascript") {
		t.Error("the agent's client is not served")
	}
}

// A letter's code is judged without a login and says nothing personal.
// req: B45 K22
func TestLetterCheck(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b, p := realname(t, w)
	b.submit(p, form, "letter-pdf", map[string]string{"merged": "yes", "uscc": "91350200MA2XYKHT6G"})
	l := b.letterOf("byd", w.order("byd", p.Path))
	path, code, ok := strings.Cut(strings.TrimPrefix(l.Payload, "http://byd.localhost:8080"), "#")
	if !ok || !strings.HasPrefix(path, "/v/") {
		t.Fatalf("payload %s", l.Payload)
	}
	reader := w.byd()
	page := reader.open(path)
	page.has("main", l.Number)
	good := reader.submit(page, "form#verify", "", map[string]string{"payload": code})
	good.has(".notice.tone-good", "由本平台生成，内容与当前订单一致", "2026-11-30")
	good.hasNot("main", "演示汽车", "91350200", "王")
	reader.submit(page, "form#verify", "", map[string]string{"payload": "abc.def"}).has(".notice.tone-warn", "无法确认")
	reader.submit(page, "form#verify", "", nil).has(".notice.tone-warn", "无法确认")
	fragment := reader.script(page, path, map[string][]string{"payload": {code}})
	if fragment.Find("h1").Length() != 0 || !strings.Contains(fragment.text("body"), "由本平台生成") {
		t.Errorf("fragment: %s", fragment.Body)
	}
	first := b.open(strings.Replace(p.Path, "/realname", "/form", 1))
	b.submit(first, form, "next", map[string]string{"org_name": "演示汽车服务（深圳）有限公司"})
	reader.submit(page, "form#verify", "", map[string]string{"payload": code}).has(".notice.tone-danger", "已作废")
	other := w.kinglong()
	other.submit(other.open(path), "form#verify", "", map[string]string{"payload": code}).has(".notice.tone-warn", "无法确认")
}

// Relying parties fetch the list and the issuer from the addresses that a certificate names.
func TestRevocationList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, cert := w.heldBy("13800138000")
	if _, err := w.Issuance.RefreshCRLs(t.Context(), w.CA); err != nil {
		t.Fatal(err)
	}
	leaf := cert.Certificate.X509()
	anybody := w.browser("localhost:8080")
	got := anybody.get(strings.TrimPrefix(leaf.IssuingCertificateURL[0], "http://localhost:8080"))
	issuer, err := x509.ParseCertificate(got.Body)
	if err != nil {
		t.Fatalf("%s: %d %v", leaf.IssuingCertificateURL, got.Status, err)
	}
	if err := leaf.CheckSignatureFrom(issuer); err != nil {
		t.Error(err)
	}
	got = anybody.get(strings.TrimPrefix(leaf.CRLDistributionPoints[0], "http://localhost:8080"))
	list, err := x509.ParseRevocationList(got.Body)
	if err != nil {
		t.Fatalf("%s: %d %v", leaf.CRLDistributionPoints, got.Status, err)
	}
	if err := list.CheckSignatureFrom(issuer); err != nil {
		t.Error(err)
	}
	equal(t, "type", "application/pkix-crl", got.Header.Get("Content-Type"))
	for _, name := range []string{"x.crl", "00000000-0000-0000-0000-000000000000.cer", "00000000-0000-0000-0000-000000000000.crl"} {
		equal(t, name, 404, anybody.get("/crl/"+name).Status)
	}
}
