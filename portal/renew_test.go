package portal_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/db"
	"certsaas/core/order"
	"certsaas/core/tenant"
)

// reminded is a holder's certificate, and the link of the message that he got about it.
func (w *world) reminded(slug, code, mobile, company string, ago time.Duration) (certificate uuid.UUID, link string) {
	w.T.Helper()
	certificate = w.holdsOf(slug, code, mobile, company, "KEY0001", ago)
	ctx := w.system("platform/demo")
	err := w.DB.WithTenant(ctx, w.Tenant(slug).ID(), func(ctx context.Context, tx *db.Tx) error {
		a, _, err := w.Accounts.FindOrCreate(ctx, tx, mobile)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `UPDATE certificates SET account_id = $3 WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), certificate, a.ID)
		return err
	})
	if err != nil {
		w.T.Fatal(err)
	}
	w.remind()
	m, ok := w.SMS.Last(mobile)
	if !ok {
		w.T.Fatal("no message came")
	}
	_, path, ok := strings.Cut(m.Params["link"], "8080")
	if !ok {
		w.T.Fatalf("no link in %v", m.Params)
	}
	return certificate, path
}

// remind is what the scheduler does.
func (w *world) remind() {
	w.T.Helper()
	ctx := w.T.Context()
	_, err := w.Reminders.Sweep(ctx)
	if err == nil {
		_, err = w.Reminders.OpenOrders(ctx, 100)
	}
	if err == nil {
		_, err = w.Reminders.FormNotices(ctx, 100)
	}
	if err == nil {
		_, err = w.Reminders.Send(ctx, 100)
	}
	if err != nil {
		w.T.Fatal(err)
	}
}

// From the message to the payment: a masked name, a code, "still correct?", what lateness costs, what must be given anew, and
// afterwards a link that says so.
// req: B5 B68
func TestReminderLeadsToPayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Clock.Shift(2 * time.Hour)
	_, link := w.reminded("byd", "BYD-GQGX", "13800138000", "演示汽车销售（深圳）有限公司", 372*day)
	b := w.byd()
	p := b.open(link)
	p.has("body", "演示**********公司", "登记的手机号")
	p.hasNot("body", "13800138000", "138****8000", "演示汽车")
	equal(t, "referrer policy", "same-origin", p.Header.Get("Referrer-Policy")) // no-referrer would make browsers send the code without an Origin
	p = b.submit(p, "main form", "send", nil)
	p.has(".notice", "验证码已发送")
	wrong := b.submit(p, "main form", "submit", map[string]string{"code": "000000"})
	if wrong.Status != 422 || wrong.errors()["code"] == "" {
		t.Errorf("wrong code: %d %v", wrong.Status, wrong.errors())
	}
	p = b.submit(p, "main form", "submit", map[string]string{"code": w.code("13800138000")})
	renewal := p.Header.Get("Location")
	p = b.follow(p)
	p.has("h1", "请核对更新信息")
	p.has("main", "证书已于", "过期后有效期自签发之日起算", "还需要补充", "授权书")
	p.has(".price", "¥200.00")
	equal(t, "name from the certificate", true, strings.Contains(p.text(".answers"), "演示汽车销售（深圳）有限公司"))

	// who begins a renewal himself is led to the one that waits
	again := b.submit(b.open("/s/byd-gqgx"), ".band form", "", nil)
	equal(t, "a second renewal", renewal, again.Header.Get("Location"))

	// the holder gives what is missing on the form, and comes back
	p = b.open(p.Find(`a.btn:contains("修改信息")`).AttrOr("href", ""))
	p = b.follow(b.submit(p, form, "next", company()))
	typed := map[string]string{"merged": "yes", "uscc": "91350200MA2XYKHT6G"}
	b.submit(p, form, "letter-pdf", typed)
	l := b.letterOf("byd", w.order("byd", p.Path))
	b.submit(p, form, "upload", typed, map[string]file{
		"licence_image_file": {"执照.jpg", photo(t, 1200, 900, "", false)}, "letter_file": {"letter.jpeg", photo(t, 1100, 1500, l.Payload, true)},
	})
	p = b.open(renewal)
	p.hasNot("main", "还需要补充")
	p.has("main", "演示汽车销售（深圳）有限公司", "信息无误，去支付")
	done := b.submit(p, "form#renew", "", map[string]string{"eligible": "yes"})
	if done.Status != 303 || !strings.HasSuffix(done.Header.Get("Location"), "/pay") {
		t.Fatalf("%d → %s %v\n%s", done.Status, done.Header.Get("Location"), done.errors(), done.text("main"))
	}
	o := w.order("byd", done.Header.Get("Location"))
	equal(t, "state", order.AwaitingPayment, o.State)
	w.byd().open(link).has("main", "已经更新、补办或正在办理中")
	again = b.get(renewal)
	if again.Status != 303 || !strings.HasSuffix(again.Header.Get("Location"), "/pay") {
		t.Errorf("used twice: %d → %s", again.Status, again.Header.Get("Location"))
	}
	before := len(w.SMS.Sent())
	w.Clock.Shift(40 * day)
	w.remind()
	equal(t, "messages after the renewal", before, len(w.SMS.Sent()))
}

// A first purchase is renewed by another product of the tenant; in time, no day is lost. Somebody else's login, an altered
// link and one of another tenant lead nowhere.
// req: K53
func TestReminderOfAFirstPurchase(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Clock.Shift(2 * time.Hour)
	certificate, link := w.reminded("kinglong", "CERT272353", "13900139000", "演示零部件（厦门）有限公司", 336*day)
	b := w.kinglong()
	p := b.submit(b.open(link), "main form", "send", nil)
	p = b.follow(b.submit(p, "main form", "submit", map[string]string{"code": w.code("13900139000")}))
	p.has("main", "现在更新，有效期至 2027-12", "剩余天数不损失", "13900139000", "演示零部件（厦门）有限公司", "还需要补充")
	p.has(".price", "企业电子钥匙更新", "¥180.00")

	altered := link[:len(link)-3] + "AAA"
	if got := b.get(altered); got.Status != 404 || !strings.Contains(got.text("h1"), "链接无效") {
		t.Errorf("altered: %d %s", got.Status, got.text("h1"))
	}
	if got := w.byd().get(link); got.Status != 404 {
		t.Errorf("at another tenant: %d", got.Status)
	}
	other := w.kinglong()
	p = other.submit(other.open("/login"), "main form", "send", map[string]string{"mobile": "13900139001", "by": "code"})
	err := w.DB.WithTenant(w.system("platform/demo"), w.Tenant("kinglong").ID(), func(ctx context.Context, tx *db.Tx) error {
		_, _, err := w.Accounts.FindOrCreate(ctx, tx, "13900139001")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	p = other.submit(p, "main form", "", map[string]string{"mobile": "13900139001", "code": w.code("13900139001"), "by": "code"})
	if p.Status != 303 {
		t.Fatalf("login: %d %v", p.Status, p.errors())
	}
	if got := other.get("/renew/" + certificate.String()); got.Status != 404 {
		t.Errorf("somebody else's login: %d", got.Status)
	}
	other.open(link).has("main", "获取验证码") // the link asks for the holder's code all the same
}

// A price that changed between the message and the confirmation is said before anybody confirms (issue 4 §4.6).
// req: B68
func TestPriceChangedBetweenMessageAndConfirmation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Clock.Shift(2 * time.Hour)
	certificate, link := w.reminded("kinglong", "CERT272353", "13900139000", "演示零部件（厦门）有限公司", 336*day)
	ctx := w.system("test/publish")
	stored, err := w.Releases.Release(ctx, w.Tenant("kinglong").ID(), 0)
	if err != nil {
		t.Fatal(err)
	}
	def := stored.Definition
	def.Files = maps.Clone(def.Files)
	def.Files["products/gengxin.yaml"] = strings.Replace(def.Files["products/gengxin.yaml"], "unit: 180.00", "unit: 190.00", 1)
	done, err := w.Releases.Apply(ctx, def, tenant.AnyRelease)
	if err == nil {
		err = w.Releases.Publish(ctx, done.Tenant, done.Number)
	}
	if err != nil {
		t.Fatal(err)
	}
	b := w.kinglong()
	p := b.submit(b.open(link), "main form", "send", nil)
	b.follow(b.submit(p, "main form", "submit", map[string]string{"code": w.code("13900139000")}))
	p = b.open("/renew/" + certificate.String())
	p.has(".notice.tone-warn", "价格已变动", "¥180.00", "¥190.00")
	p.has(".price", "¥190.00")
}
