package portal_test

import (
	"net/url"
	"strings"
	"testing"
)

// The first page of BYD's renewal: who runs it, who it is for, what it costs, what to have at hand, how it goes.
// req: B1 B2 B4 B5 B6 B7 B10 B11 B12 B13
func TestBYDEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.byd()
	p := b.open("/s/byd-gqgx")
	p.has(".band", "USBKEY 过期更新", "比亚迪唯一指定 USBKEY 办理厂商", "北京天威诚信电子商务服务有限公司")
	p.has("main", "适用于比亚迪代理商平台所有 USBKEY 过期之后", "我确认仍具有比亚迪代理商平台代理商资格", "营业执照", "公章", "¥200.00", "1 年", "3 个工作日", "IE8、9、10、11", "阅读办理须知")
	p.has(".stepper", "填写信息", "实名认证", "支付", "审核", "下载证书", "完成")
	equal(t, "main buttons", 1, p.Find("main .btn-primary, .band .btn-primary").Length())
	equal(t, "guide", "/guide/BYD-GQGX", p.Find(".entry-guide a").AttrOr("href", ""))
	if len(p.Body) > 60<<10 {
		t.Errorf("the page has %d bytes", len(p.Body))
	}
	next := p.Find(`.band a.btn-primary`).AttrOr("href", "")
	equal(t, "register first", "/register?next="+url.QueryEscape("/s/byd-gqgx"), next)
	b.open("/").has("h1", "USBKEY 过期更新")
	equal(t, "unknown link", 404, b.get("/s/nothing").Status)
	equal(t, "another tenant's link", 404, b.get("/s/kinglong-chugou").Status)
	// without an account the order does not begin
	again := b.submit(w.kinglong().open(chugou), ".band form", "", map[string]string{"product": "BYD-GQGX"})
	if again.Status == 303 && !strings.HasPrefix(again.Header.Get("Location"), "/login") {
		t.Errorf("begun without account: %s", again.Header.Get("Location"))
	}
}

// The first page of King Long's purchase: its condition, price and way, and no registration before it.
// req: K1 K2 K4
func TestKingLongEntry(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.kinglong()
	p := b.open(chugou)
	p.has("main", "已获得厦门金龙客车招采平台证书资格", "¥260.00", "快递给收件人")
	p.has(".stepper", "填写申请信息", "确认", "支付", "审核", "制证发货", "完成")
	p.has(".band form", "立即办理")
	b.open("/").has("main", "企业电子钥匙初购", "企业电子钥匙更新")
	b.open("/?lang=en").has("main", "First purchase of an electronic key")
}

// The platform's own host leads printed addresses on, the new and the old ones.
// req: B12 K4 K29
func TestPlatformLeadsOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.browser("localhost:8080")
	b.open("/").has("main", "比亚迪", "金龙")
	for path, to := range map[string]string{
		"/s/byd-gqgx": "byd.localhost:8080/s/byd-gqgx", "/createOrder?productCode=CERT272353": "kinglong.localhost:8080/s/kinglong-chugou",
	} {
		p := b.get(path)
		if p.Status != 302 || !strings.HasSuffix(p.Header.Get("Location"), to) {
			t.Errorf("%s = %d → %s", path, p.Status, p.Header.Get("Location"))
		}
	}
	equal(t, "unknown code", 404, b.get("/createOrder?productCode=NONE").Status)
	old := b.open("/certsaas_cloud_portal/")
	if old.Find(`form[action="/createOrder"] [name="productCode"]`).Length() != 1 || old.Find(`script[src*="oldlink"]`).Length() != 1 {
		t.Error("the old portal's address leads nowhere")
	}
	if got := b.open("/certsaas_cloud_console/").Find(`a[href*="kinglong.localhost:8080/orders"]`).Length(); got != 1 {
		t.Error("the old console's address does not lead to the orders")
	}
}
