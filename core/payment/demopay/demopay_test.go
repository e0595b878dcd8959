package demopay_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"certsaas/core/clock"
	"certsaas/core/fault"
	"certsaas/core/payment"
	"certsaas/core/payment/demopay"
)

var start = time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)

func open(t testing.TB, dir string, c clock.Clock) *demopay.Provider {
	t.Helper()
	p, err := demopay.Open(demopay.Options{Dir: dir, BaseURL: "http://localhost:8080/", Clock: c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

// listener is the platform's notify address.
type listener struct {
	mu     sync.Mutex
	bodies []string
	answer string
	*httptest.Server
}

func listen(t testing.TB) *listener {
	l := &listener{answer: "success"}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.bodies = append(l.bodies, string(body))
		_, _ = io.WriteString(w, l.answer)
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *listener) got() []string { l.mu.Lock(); defer l.mu.Unlock(); return l.bodies }

func attempt(no, notify string) payment.Attempt {
	return payment.Attempt{OutTradeNo: no, AmountFen: 20000, Subject: "证书更新（演示）", NotifyURL: notify, ExpiresAt: start.Add(time.Hour)}
}

func codeOf(c payment.Created) string { return c.Code[strings.LastIndex(c.Code, "/")+1:] }

func TestPaidTradeIsAnnouncedUntilItArrives(t *testing.T) {
	t.Parallel()
	c := clock.NewFake(start)
	p, l := open(t, t.TempDir(), c), listen(t)
	g := p.Gateway(payment.Alipay, "M1", "演示收款方")
	created, err := g.Create(t.Context(), attempt("N0001", l.URL+"/notify/alipay"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "http://localhost:8080/demo-pay/t/"; !strings.HasPrefix(created.Code, want) {
		t.Errorf("code %q", created.Code)
	}
	l.answer = "fail"
	for range 2 { // tapping twice is one payment
		if err := p.Pay(codeOf(created)); err != nil {
			t.Fatal(err)
		}
	}
	if n := p.DeliverDue(t.Context()); n != 0 || len(l.got()) != 1 {
		t.Fatalf("arrived %d, posted %d", n, len(l.got()))
	}
	if p.DeliverDue(t.Context()); len(l.got()) != 1 {
		t.Fatal("repeated without a wait")
	}
	l.answer = "success"
	c.Advance(2 * time.Second)
	if n := p.DeliverDue(t.Context()); n != 1 {
		t.Fatalf("arrived %d", n)
	}
	c.Advance(24 * time.Hour)
	if p.DeliverDue(t.Context()); len(l.got()) != 2 {
		t.Errorf("repeated after success: %d", len(l.got()))
	}
	n, err := g.ParseNotification(t.Context(), nil, []byte(l.got()[1]))
	if err != nil || n.Kind != payment.NotePaid || n.AmountFen != 20000 || n.OutTradeNo != "N0001" || n.Payee != "M1" || n.Currency != "CNY" || !n.PaidAt.Equal(start) {
		t.Errorf("%+v %v", n, err)
	}
	for name, forged := range map[string]string{
		"amount":  strings.Replace(l.got()[1], "amount_fen=20000", "amount_fen=20001", 1),
		"added":   l.got()[1] + "&extra=1",
		"doubled": l.got()[1] + "&amount_fen=20000",
		"empty":   "",
	} {
		if n, err := g.ParseNotification(t.Context(), nil, []byte(forged)); err == nil || n != (payment.Notification{}) {
			t.Errorf("%s was believed: %+v", name, n)
		}
	}
	if _, err := p.Gateway(payment.WeChat, "M1", "").ParseNotification(t.Context(), nil, []byte(l.got()[1])); !errors.Is(err, payment.ErrWrongApp) {
		t.Errorf("the other channel believed it: %v", err)
	}
}

// The books, the key and undelivered notifications survive a restart, even one that cut a line off.
func TestBooksSurviveARestart(t *testing.T) {
	t.Parallel()
	dir, l := t.TempDir(), listen(t)
	c := clock.NewFake(start)
	p := open(t, dir, c)
	a := attempt("N0001", l.URL)
	created, err := p.Gateway(payment.WeChat, "M1", "x").Create(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Pay(codeOf(created)); err != nil {
		t.Fatal(err)
	}
	_ = p.Close()
	books := filepath.Join(dir, "trades.jsonl")
	raw, err := os.ReadFile(books)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(books, append(raw, `{"code":"half`...), 0o600); err != nil {
		t.Fatal(err)
	}
	p = open(t, dir, c)
	g := p.Gateway(payment.WeChat, "M1", "x")
	if tr, err := g.Query(t.Context(), a); err != nil || tr.State != payment.TradePaid || tr.AmountFen != 20000 {
		t.Fatalf("%+v %v", tr, err)
	}
	if n := p.DeliverDue(t.Context()); n != 1 {
		t.Fatalf("arrived %d", n)
	}
	if _, err := g.ParseNotification(t.Context(), nil, []byte(l.got()[0])); err != nil {
		t.Error(err)
	}
	if s, err := g.Refund(t.Context(), a, payment.Refunding{OutRefundNo: "R1", AmountFen: 20000}); err != nil || s != payment.RefundDone {
		t.Fatalf("%v %v", s, err)
	}
	_ = p.Close()
	p = open(t, dir, c)
	if in, out := p.Statement("M1"); in != 20000 || out != 20000 {
		t.Errorf("statement %d %d", in, out)
	}
}

func TestGatewayRules(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	c := clock.NewFake(start)
	p := open(t, t.TempDir(), c)
	g := p.Gateway(payment.Alipay, "M1", "x")
	a, b := attempt("N0001", "http://127.0.0.1:1/"), attempt("N0002", "http://127.0.0.1:1/")
	if tr, err := g.Query(ctx, a); err != nil || tr.State != payment.TradeUnknown {
		t.Errorf("%+v %v", tr, err)
	}
	if err := g.Close(ctx, a); err != nil {
		t.Error(err)
	}
	p.Fail(1)
	if _, err := g.Create(ctx, a); !errors.Is(err, fault.Unavailable) {
		t.Errorf("ordered failure: %v", err)
	}
	one, err := g.Create(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := g.Create(ctx, a); err != nil || again != one {
		t.Errorf("create again: %+v %v", again, err)
	}
	if err := g.Close(ctx, a); err != nil {
		t.Error(err)
	}
	if err := p.Pay(codeOf(one)); err == nil {
		t.Error("a closed trade was paid")
	}
	two, _ := g.Create(ctx, b)
	if err := p.Pay(codeOf(two)); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(ctx, b); !errors.Is(err, payment.ErrAlreadyPaid) {
		t.Errorf("close of a paid trade: %v", err)
	}
	if s, _ := g.Refund(ctx, b, payment.Refunding{OutRefundNo: "R1", AmountFen: 20001}); s != payment.RefundFailed {
		t.Errorf("refund of more than was paid: %v", s)
	}
	for range 2 {
		if s, _ := g.Refund(ctx, b, payment.Refunding{OutRefundNo: "R2", AmountFen: 20000}); s != payment.RefundDone {
			t.Errorf("refund: %v", s)
		}
	}
	if in, out := p.Statement("M1"); in != 20000 || out != 20000 {
		t.Errorf("statement %d %d", in, out)
	}
	three, _ := g.Create(ctx, attempt("N0003", "http://127.0.0.1:1/"))
	c.Advance(time.Hour)
	if err := p.Pay(codeOf(three)); err == nil {
		t.Error("an expired trade was paid")
	}
}

// req: B48 K37
func TestPayPage(t *testing.T) {
	t.Parallel()
	p := open(t, t.TempDir(), clock.NewFake(start))
	app := fiber.New()
	for _, r := range p.Routes() {
		app.Add(r.Method, r.Path, r.Handler)
	}
	created, err := p.Gateway(payment.Alipay, "M1", "天威诚信（演示）").Create(t.Context(), attempt("N0001", "http://127.0.0.1:1/"))
	if err != nil {
		t.Fatal(err)
	}
	path := "/demo-pay/t/" + codeOf(created)
	send := func(method, path string, header ...string) (*http.Response, string) {
		req := httptest.NewRequest(method, path, nil)
		req.Host = "localhost:8080"
		for i := 0; i+1 < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		res, err := app.Test(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		return res, string(body)
	}
	res, body := send("GET", path)
	for _, want := range []string{"这是演示支付", "200.00", "天威诚信（演示）", "证书更新（演示）", "确认付款", "取消"} {
		if !strings.Contains(body, want) {
			t.Errorf("page lacks %q", want)
		}
	}
	if csp := res.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || strings.Contains(body, "style=") || strings.Contains(body, "<script") {
		t.Errorf("CSP %q", csp)
	}
	if _, body := send("GET", path, "Accept-Language", "en-GB,en;q=0.9"); !strings.Contains(body, "no money is charged") {
		t.Error("no English page")
	}
	if res, _ := send("POST", path+"/pay", "Origin", "http://evil.example"); res.StatusCode != 403 {
		t.Errorf("another site's tap: %d", res.StatusCode)
	}
	if res, _ := send("POST", path+"/pay", "Sec-Fetch-Site", "cross-site"); res.StatusCode != 403 {
		t.Errorf("another site's tap: %d", res.StatusCode)
	}
	if res, _ := send("POST", path+"/pay", "Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-origin"); res.StatusCode != 303 {
		t.Errorf("tap: %d", res.StatusCode)
	}
	if _, body := send("GET", path); !strings.Contains(body, "支付成功") || strings.Contains(body, "确认付款") {
		t.Error("paid page")
	}
	if res, _ := send("POST", path+"/cancel"); res.StatusCode != 303 {
		t.Errorf("cancel after pay: %d", res.StatusCode)
	}
	if in, _ := p.Statement("M1"); in != 20000 {
		t.Errorf("cancel undid a payment: %d", in)
	}
	if res, body := send("GET", "/demo-pay/t/nothing"); res.StatusCode != 404 || !strings.Contains(body, "没有这笔交易") {
		t.Errorf("unknown code: %d", res.StatusCode)
	}
	if res, _ := send("GET", "/demo-pay/pay.css"); res.Header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Error("css")
	}
}
