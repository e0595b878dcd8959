package alipay_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"certsaas/core/clock"
	"certsaas/core/fault"
	"certsaas/core/payment"
	"certsaas/core/payment/alipay"
)

var keys = sync.OnceValue(func() (k [2]*rsa.PrivateKey) {
	for i := range k {
		var err error
		if k[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return k
})

func ours() *rsa.PrivateKey   { return keys()[0] }
func theirs() *rsa.PrivateKey { return keys()[1] }

// text is Alipay's string to sign, written here a second time on purpose.
func text(v url.Values, without ...string) string {
	var names []string
	for k := range v {
		if v.Get(k) != "" && !slices.Contains(without, k) {
			names = append(names, k)
		}
	}
	slices.Sort(names)
	for i, k := range names {
		names[i] = k + "=" + v.Get(k)
	}
	return strings.Join(names, "&")
}

func sign(t testing.TB, k *rsa.PrivateKey, s string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(s))
	sig, err := rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sig)
}

// fake is Alipay's gateway: it verifies each request with our public key and
// signs the response node's bytes with its own.
type fake struct {
	t      testing.TB
	answer func(method string, biz map[string]any) string // response node
	spoil  func(body string) string
	status int
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	v, err := url.ParseQuery(string(body))
	if err != nil {
		f.t.Errorf("request is no form: %v", err)
	}
	sum := sha256.Sum256([]byte(text(v, "sign")))
	sig, _ := base64.StdEncoding.DecodeString(v.Get("sign"))
	if err := rsa.VerifyPKCS1v15(&ours().PublicKey, crypto.SHA256, sum[:], sig); err != nil {
		f.t.Errorf("request of %s is not signed by us", v.Get("method"))
	}
	if f.status != 0 {
		w.WriteHeader(f.status)
		return
	}
	var biz map[string]any
	if err := json.Unmarshal([]byte(v.Get("biz_content")), &biz); err != nil {
		f.t.Errorf("biz_content: %v", err)
	}
	node := f.answer(v.Get("method"), biz)
	out := fmt.Sprintf(`{"%s_response":%s,"sign":"%s"}`, strings.ReplaceAll(v.Get("method"), ".", "_"), node, sign(f.t, theirs(), node))
	if f.spoil != nil {
		out = f.spoil(out)
	}
	_, _ = io.WriteString(w, out)
}

var now = time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)

func gateway(t testing.TB, f *fake) *alipay.Gateway {
	t.Helper()
	f.t = t
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	g, err := alipay.New(alipay.Config{GatewayURL: srv.URL, AppID: "2026000000000001", SellerID: "2088000000000001",
		PrivateKey: ours(), AlipayKey: &theirs().PublicKey, Clock: clock.NewFake(now)})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var attempt = payment.Attempt{OutTradeNo: "A0001", AmountFen: 20000, Subject: "证书更新", NotifyURL: "https://byd.example.com/notify/alipay", ExpiresAt: now.Add(30 * time.Minute)}

func TestCreateTellsAmountPayeeAndTimeout(t *testing.T) {
	t.Parallel()
	var got map[string]any
	g := gateway(t, &fake{answer: func(m string, biz map[string]any) string {
		got = biz
		return `{"code":"10000","msg":"Success","out_trade_no":"A0001","qr_code":"https:\/\/qr.alipay.com\/bax0001"}`
	}})
	c, err := g.Create(context.Background(), attempt)
	if err != nil {
		t.Fatal(err)
	}
	if c.Code != "https://qr.alipay.com/bax0001" {
		t.Errorf("code %q", c.Code)
	}
	want := map[string]any{"out_trade_no": "A0001", "total_amount": "200.00", "subject": "证书更新", "seller_id": "2088000000000001",
		"qr_code_timeout_express": "30m", "timeout_express": "30m"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestQueryStates(t *testing.T) {
	t.Parallel()
	paidAt := time.Date(2026, 11, 28, 2, 1, 0, 0, time.UTC)
	head := `{"code":"10000","out_trade_no":"A0001","trade_no":"2026112822","total_amount":"200.00",`
	cases := map[string]struct {
		node string
		want payment.Trade
	}{
		"waiting":   {head + `"trade_status":"WAIT_BUYER_PAY"}`, payment.Trade{State: payment.TradeWaiting, TradeNo: "2026112822", AmountFen: 20000}},
		"success":   {head + `"trade_status":"TRADE_SUCCESS","send_pay_date":"2026-11-28 10:01:00"}`, payment.Trade{State: payment.TradePaid, TradeNo: "2026112822", AmountFen: 20000, PaidAt: paidAt}},
		"closed":    {head + `"trade_status":"TRADE_CLOSED"}`, payment.Trade{State: payment.TradeClosed, TradeNo: "2026112822", AmountFen: 20000}},
		"refunded":  {head + `"trade_status":"TRADE_CLOSED","send_pay_date":"2026-11-28 10:01:00"}`, payment.Trade{State: payment.TradeRefunded, TradeNo: "2026112822", AmountFen: 20000, PaidAt: paidAt}},
		"unscanned": {`{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST","sub_msg":"交易不存在"}`, payment.Trade{State: payment.TradeUnknown}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := gateway(t, &fake{answer: func(string, map[string]any) string { return c.node }})
			got, err := g.Query(context.Background(), attempt)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestCloseAndRefund(t *testing.T) {
	t.Parallel()
	g := gateway(t, &fake{answer: func(m string, biz map[string]any) string {
		switch {
		case m == "alipay.trade.close" && biz["out_trade_no"] == "PAID":
			return `{"code":"40004","sub_code":"ACQ.TRADE_STATUS_ERROR"}`
		case m == "alipay.trade.close" && biz["out_trade_no"] == "NONE":
			return `{"code":"40004","sub_code":"ACQ.TRADE_NOT_EXIST"}`
		case m == "alipay.trade.close":
			return `{"code":"10000"}`
		case m == "alipay.trade.refund" && biz["out_request_no"] == "R1":
			return `{"code":"10000","fund_change":"Y"}`
		case m == "alipay.trade.refund" && biz["out_request_no"] == "R3":
			return `{"code":"40004","sub_code":"ACQ.SELLER_BALANCE_NOT_ENOUGH"}`
		case m == "alipay.trade.refund": // accepted, not moved
			return `{"code":"10000","fund_change":"N"}`
		case biz["out_request_no"] == "R2":
			return `{"code":"10000","out_request_no":"R2","refund_status":"REFUND_SUCCESS","refund_amount":"200.00"}`
		}
		return `{"code":"10000"}`
	}})
	ctx := context.Background()
	for no, want := range map[string]error{"OPEN": nil, "NONE": nil, "PAID": payment.ErrAlreadyPaid} {
		if err := g.Close(ctx, payment.Attempt{OutTradeNo: no}); !errors.Is(err, want) {
			t.Errorf("close %s: %v, want %v", no, err, want)
		}
	}
	for no, want := range map[string]payment.RefundState{"R1": payment.RefundDone, "R2": payment.RefundDone, "R3": payment.RefundFailed, "R4": payment.RefundPending} {
		got, err := g.Refund(ctx, attempt, payment.Refunding{OutRefundNo: no, AmountFen: 20000})
		if err != nil || got != want {
			t.Errorf("refund %s: %v %v, want %v", no, got, err, want)
		}
	}
}

// A reply changed on its way, or an outage, is an outside party away: never a payment.
func TestTamperedRepliesAreRefused(t *testing.T) {
	t.Parallel()
	node := `{"code":"10000","out_trade_no":"A0001","trade_no":"1","total_amount":"200.00","trade_status":"WAIT_BUYER_PAY"}`
	cases := map[string]fake{
		"status changed": {spoil: func(s string) string { return strings.Replace(s, "WAIT_BUYER_PAY", "TRADE_SUCCESS", 1) }},
		"one space":      {spoil: func(s string) string { return strings.Replace(s, `"code":"10000"`, `"code": "10000"`, 1) }},
		"no signature":   {spoil: func(s string) string { return s[:strings.Index(s, `,"sign"`)] + "}" }},
		"truncated":      {spoil: func(s string) string { return s[:40] }},
		"outage":         {status: 502},
	}
	for name, f := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f.answer = func(string, map[string]any) string { return node }
			got, err := gateway(t, &f).Query(context.Background(), attempt)
			if !errors.Is(err, fault.Unavailable) || got != (payment.Trade{}) {
				t.Errorf("got %+v, %v", got, err)
			}
		})
	}
}

func paidNotice() url.Values {
	return url.Values{"notify_id": {"n-1"}, "notify_type": {"trade_status_sync"}, "app_id": {"2026000000000001"}, "seller_id": {"2088000000000001"},
		"out_trade_no": {"A0001"}, "trade_no": {"2026112822"}, "total_amount": {"200.00"}, "receipt_amount": {"190.00"}, "trade_status": {"TRADE_SUCCESS"},
		"gmt_payment": {"2026-11-28 10:01:00"}, "charset": {"utf-8"}, "subject": {"证书 更新+1"}, "new_param_of_2027": {"x"}, "empty": {""}}
}

func signed(t testing.TB, v url.Values, k *rsa.PrivateKey) []byte {
	t.Helper()
	v.Set("sign_type", "RSA2")
	v.Set("sign", sign(t, k, text(v, "sign", "sign_type")))
	return []byte(v.Encode())
}

func TestNotification(t *testing.T) {
	t.Parallel()
	g := gateway(t, &fake{})
	with := func(change func(url.Values)) url.Values { v := paidNotice(); change(v); return v }
	paid := payment.Notification{EventID: "n-1", Kind: payment.NotePaid, OutTradeNo: "A0001", TradeNo: "2026112822", AmountFen: 20000,
		Currency: "CNY", Payee: "2088000000000001", PaidAt: time.Date(2026, 11, 28, 2, 1, 0, 0, time.UTC)}
	kind := func(k payment.NotificationKind) payment.Notification { n := paid; n.Kind = k; return n }
	cases := map[string]struct {
		body []byte
		want payment.Notification
		err  error
	}{
		"paid":           {signed(t, paidNotice(), theirs()), paid, nil},
		"finished":       {signed(t, with(func(v url.Values) { v.Set("trade_status", "TRADE_FINISHED") }), theirs()), paid, nil},
		"partial refund": {signed(t, with(func(v url.Values) { v.Set("refund_fee", "1.00") }), theirs()), kind(payment.NoteRefund), nil},
		"full refund":    {signed(t, with(func(v url.Values) { v.Set("trade_status", "TRADE_CLOSED"); v.Set("refund_fee", "200.00") }), theirs()), kind(payment.NoteRefund), nil},
		"closed":         {signed(t, with(func(v url.Values) { v.Set("trade_status", "TRADE_CLOSED") }), theirs()), kind(payment.NoteClosed), nil},
		"waiting":        {signed(t, with(func(v url.Values) { v.Set("trade_status", "WAIT_BUYER_PAY") }), theirs()), kind(payment.NoteOther), nil},
		"our own key":    {signed(t, paidNotice(), ours()), payment.Notification{}, payment.ErrBadSignature},
		"amount changed": {[]byte(strings.Replace(string(signed(t, paidNotice(), theirs())), "200.00", "200.01", 1)), payment.Notification{}, payment.ErrBadSignature},
		"one space":      {[]byte(strings.Replace(string(signed(t, paidNotice(), theirs())), "trade_no=2026", "trade_no=+2026", 1)), payment.Notification{}, payment.ErrBadSignature},
		"MD5":            {[]byte(strings.Replace(string(signed(t, paidNotice(), theirs())), "sign_type=RSA2", "sign_type=MD5", 1)), payment.Notification{}, payment.ErrBadSignature},
		"twice":          {append(signed(t, paidNotice(), theirs()), "&total_amount=200.00"...), payment.Notification{}, payment.ErrMalformed},
		"GBK":            {signed(t, with(func(v url.Values) { v.Set("charset", "GBK") }), theirs()), payment.Notification{}, payment.ErrMalformed},
		"other app":      {signed(t, with(func(v url.Values) { v.Set("app_id", "2026000000000002") }), theirs()), payment.Notification{}, payment.ErrWrongApp},
		"3 decimals":     {signed(t, with(func(v url.Values) { v.Set("total_amount", "200.001") }), theirs()), payment.Notification{}, payment.ErrMalformed},
		"no form":        {[]byte("%zz"), payment.Notification{}, payment.ErrMalformed},
		"empty":          {nil, payment.Notification{}, payment.ErrBadSignature},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := g.ParseNotification(context.Background(), nil, c.body)
			if !errors.Is(err, c.err) || (c.err == nil && err != nil) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestFen(t *testing.T) {
	t.Parallel()
	good := map[string]int64{"188.00": 18800, "188": 18800, "188.5": 18850, "0.01": 1, "0": 0}
	for in, want := range good {
		if got, err := alipay.Fen(in); err != nil || got != want {
			t.Errorf("Fen(%q) = %d, %v", in, got, err)
		}
	}
	for _, in := range []string{"", ".", "1.", ".5", "1.001", "-1", "+1", "1e3", " 1", "1,000", "１", "99999999999999999999"} {
		if got, err := alipay.Fen(in); err == nil {
			t.Errorf("Fen(%q) = %d, want an error", in, got)
		}
	}
	if got := alipay.Yuan(18805); got != "188.05" {
		t.Errorf("Yuan = %s", got)
	}
}
