package guide_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"certsaas/core/guide"
	"certsaas/core/i18n"
	"certsaas/core/tenant"
	"certsaas/tenants"
)

// slugs are our packs, and one of the tests that shares nothing with them.
var slugs = append(tenants.Slugs(), "harbour")

func pack(t *testing.T, slug string) *tenant.Tenant {
	t.Helper()
	files := tenants.Pack(slug)
	if slug == "harbour" {
		files = os.DirFS("../tenant/testdata/packs/harbour")
	}
	def, ps := tenant.Load(tenants.Base(), files)
	if len(ps) > 0 {
		t.Fatalf("%s: %v", slug, ps)
	}
	tn, ps := tenant.Compile(def)
	if len(ps) > 0 {
		t.Fatalf("%s: %v", slug, ps)
	}
	return tn
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(guide.Messages) {
		t.Error(p)
	}
}

// Every rule of the guides that a reader must find in 办理须知.
func TestGuideSays(t *testing.T) {
	t.Parallel()
	cases := []struct {
		slug, code string
		want       []string
	}{
		// req: B1 B2 B3 B4 B5 B6 B7 B8 B9 B10 B11 B12 B16 B17
		{"byd", "BYD-GQGX", []string{"北京天威诚信电子商务服务有限公司", "有效期为一年", "过期之后将无法再使用", "正确更新、管理和使用", "需继续使用 USBKEY",
			"仔细阅读", "请确认还具有比亚迪代理商平台代理商资格", "自行下载打印", "一个月内", "默认申通快递", "IE8、9、10、11", "真实有效的手机号",
			"企业信息、代理人信息、配送信息、发票信息", "标“*”的为必填项"}},
		// req: B18 B22 B27 B28 B29 B30 B31 B32 B35 B36 B41 B43 B44 B45 B47 B49 B51 B53 B57 B59
		{"byd", "BYD-GQGX", []string{"企业", "个人", "申通快递", "顺丰快递", "申通快递费用由天威诚信承担", "顺丰快递（费用由客户承担）", "默认不需要开票", "抬头默认为单位名称",
			"增值税电子普通发票", "增值税普通发票（纸质）", ".jpeg、.jpg、.png，每张不超过 2M", "微信扫码上传", "在线直接打印", "加盖单位实体公章", "授权书的信息不可更改",
			"支付宝、微信支付、银行汇款/转账", "0200000000000000001", "汇款凭证", "稍后支付", "输入用户口令", "重试"}},
		// req: B60 B61 B62
		{"byd", "BYD-GQGX", []string{"客户服务部", "400-666-3999", "customer-service@itrus.com.cn"}},
		// req: K1 K2 K3 K5 K6 K14 K20 K21 K22 K23 K25 K26 K27 K28 K31 K33 K37 K38 K39 K40 K41 K45 K46 K47
		{"kinglong", "CERT272353", []string{"请确认已获得厦门金龙客车招采平台证书资格", "仅提供电子发票", "已完成订单", "产品规格、", "标“*”的为必填项", "扫码上传",
			"下载 PDF 版后打印", "须为彩色图片", "需与在线填写一致", "企业实体公章", "顺丰到付", "默认需要开具发票", "确认信息", "勾选协议", "支付宝", "审核",
			"3 个工作日内制作并寄出", "短信", "审核通过、审核拒绝、USBKEY 发货"}},
		// req: K55 K56 K57 K58 K59 K60
		{"kinglong", "CERT272353", []string{"可拨打服务电话", "400-666-3999", "9:00-17:30", "010-50947500", "上地八街7号院4号楼4层", "北京天威诚信电子商务服务有限公司"}},
	}
	for _, c := range cases {
		tn := pack(t, c.slug)
		p, ok := tn.Product(c.code)
		if !ok {
			t.Fatalf("%s has no %s", c.slug, c.code)
		}
		text := guide.Build(tn, p, i18n.ZH).Text()
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s %s: the guide does not say %q", c.slug, c.code, want)
			}
		}
	}
}

// req: B63 B64 B65 B66 B67 B68 B69 B70
// req: K48 K49 K50 K51 K52 K53 K54 K55
func TestEveryNotice(t *testing.T) {
	t.Parallel()
	rules := []string{"真实、准确、完整", "拔下", "禁止摔或使用硬物砸", "禁止私自借给他人", "申请补办", "即将到期", "违法、犯罪", "咨询"}
	for _, slug := range tenants.Slugs() {
		tn := pack(t, slug)
		for _, p := range tn.Products() {
			for _, locale := range tn.Languages() {
				g := guide.Build(tn, p, locale)
				i := 0
				for ; i < len(g.Sections) && g.Sections[i].Kind != "notices"; i++ {
				}
				if i == len(g.Sections) || len(g.Sections[i].Items) != len(rules) {
					t.Errorf("%s %s %s: want %d notices", slug, p.Code, locale, len(rules))
					continue
				}
				for k, rule := range rules {
					if got := g.Sections[i].Items[k]; locale == i18n.ZH && !strings.Contains(got, rule) {
						t.Errorf("%s %s: notice %d %q does not say %q", slug, p.Code, k+1, got, rule)
					}
				}
			}
		}
	}
}

// The flow chart follows the product: B10's picture is lost, its content is generated.
// req: B10 B13 B33 B46
func TestFlow(t *testing.T) {
	t.Parallel()
	for slug, want := range map[string]string{
		"byd":      "account fill fill letter pay review install done",
		"kinglong": "fill letter confirm pay review make ship done",
	} {
		tn := pack(t, slug)
		var ids []string
		for _, s := range guide.Build(tn, tn.Products()[0], i18n.ZH).Sections {
			for _, f := range s.Flow {
				ids = append(ids, f.ID)
				if f.Title == "" || f.Text == "" {
					t.Errorf("%s: step %s without words", slug, f.ID)
				}
			}
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s: %s, want %s", slug, got, want)
		}
	}
}

// No sentence of a guide is a bare message id, in any language, and its PDF is the same twice.
func TestPDF(t *testing.T) {
	t.Parallel()
	for _, slug := range slugs {
		tn := pack(t, slug)
		for _, p := range tn.Products() {
			for _, locale := range tn.Languages() {
				g := guide.Build(tn, p, locale)
				if strings.Contains(g.Text(), "guide.") {
					t.Errorf("%s %s %s: a message is missing", slug, p.Code, locale)
				}
				one, err := guide.PDF(g)
				if err != nil {
					t.Fatal(err)
				}
				two, err := guide.PDF(g)
				if err != nil || !bytes.Equal(one, two) || !bytes.HasPrefix(one, []byte("%PDF-")) {
					t.Errorf("%s %s %s: the PDF differs from print to print (%v)", slug, p.Code, locale, err)
				}
			}
		}
	}
}
