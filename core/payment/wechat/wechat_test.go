package wechat_test

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"certsaas/core/clock"
	"certsaas/core/fault"
	"certsaas/core/payment"
	"certsaas/core/payment/wechat"
)

var keys = sync.OnceValue(func() (k [3]*rsa.PrivateKey) {
	for i := range k {
		var err error
		if k[i], err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err)
		}
	}
	return k
})

const apiKey = "0123456789abcdef0123456789abcdef"

var now = time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)

func sign(t testing.TB, k *rsa.PrivateKey, s string) string {
	t.Helper()
	sum := sha256.Sum256([]byte(s))
	sig, err := rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(sig)
}

// headers are WeChat's signature headers over body, signed at an instant.
func headers(t testing.TB, serial string, k *rsa.PrivateKey, at time.Time, body string) http.Header {
	ts := strconv.FormatInt(at.Unix(), 10)
	h := http.Header{}
	h.Set("Wechatpay-Timestamp", ts)
	h.Set("Wechatpay-Nonce", "nonce1")
	h.Set("Wechatpay-Serial", serial)
	h.Set("Wechatpay-Signature", sign(t, k, ts+"\nnonce1\n"+body+"\n"))
	return h
}

// fake is WeChat's gateway: it verifies our Authorization and signs its answers.
type fake struct {
	t      testing.TB
	answer func(method, path string, body map[string]any) (int, string)
	spoil  func(string) string
}

var authorization = regexp.MustCompile(`^WECHATPAY2-SHA256-RSA2048 mchid="1900000001",nonce_str="([^"]+)",timestamp="(\d+)",serial_no="OURS",signature="([^"]+)"$`)

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	m := authorization.FindStringSubmatch(r.Header.Get("Authorization"))
	if m == nil {
		f.t.Errorf("Authorization %q", r.Header.Get("Authorization"))
		return
	}
	sum := sha256.Sum256([]byte(r.Method + "\n" + r.URL.RequestURI() + "\n" + m[2] + "\n" + m[1] + "\n" + string(raw) + "\n"))
	sig, _ := base64.StdEncoding.DecodeString(m[3])
	if rsa.VerifyPKCS1v15(&keys()[0].PublicKey, crypto.SHA256, sum[:], sig) != nil {
		f.t.Errorf("%s %s is not signed by us", r.Method, r.URL)
	}
	var body map[string]any
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &body); err != nil {
			f.t.Error(err)
		}
	}
	status, out := f.answer(r.Method, r.URL.RequestURI(), body)
	for k, v := range headers(f.t, "PUB_KEY_ID_1", keys()[1], now, out) {
		w.Header()[k] = v
	}
	if f.spoil != nil {
		out = f.spoil(out)
	}
	w.WriteHeader(status)
	if status != http.StatusNoContent {
		_, _ = io.WriteString(w, out)
	}
}

func gateway(t testing.TB, f *fake) *wechat.Gateway {
	t.Helper()
	f.t = t
	srv := httptest.NewServer(f)
	t.Cleanup(srv.Close)
	g, err := wechat.New(wechat.Config{BaseURL: srv.URL, AppID: "wx0001", MchID: "1900000001", SerialNo: "OURS", PrivateKey: keys()[0],
		APIv3Key: []byte(apiKey), Clock: clock.NewFake(now),
		Keys: map[string]*rsa.PublicKey{"PUB_KEY_ID_1": &keys()[1].PublicKey, "CERT_2": &keys()[2].PublicKey}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var attempt = payment.Attempt{OutTradeNo: "W00001", AmountFen: 20000, Subject: strings.Repeat("证", 60), NotifyURL: "https://byd.example.com/notify/wechat", ExpiresAt: now.Add(30 * time.Minute)}

func TestCreate(t *testing.T) {
	t.Parallel()
	var got map[string]any
	g := gateway(t, &fake{answer: func(_, path string, body map[string]any) (int, string) {
		if path != "/v3/pay/transactions/native" {
			t.Errorf("path %s", path)
		}
		got = body
		return 200, `{"code_url":"weixin://wxpay/bizpayurl?pr=1"}`
	}})
	c, err := g.Create(context.Background(), attempt)
	if err != nil || c.Code != "weixin://wxpay/bizpayurl?pr=1" {
		t.Fatalf("%+v %v", c, err)
	}
	want := map[string]any{"appid": "wx0001", "mchid": "1900000001", "description": strings.Repeat("证", 42), "out_trade_no": "W00001",
		"time_expire": "2026-11-28T10:30:00+08:00", "notify_url": "https://byd.example.com/notify/wechat",
		"amount": map[string]any{"total": 20000.0, "currency": "CNY"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestQueryCloseRefund(t *testing.T) {
	t.Parallel()
	g := gateway(t, &fake{answer: func(method, path string, body map[string]any) (int, string) {
		switch {
		case path == "/v3/pay/transactions/out-trade-no/PAID01?mchid=1900000001":
			return 200, `{"mchid":"1900000001","out_trade_no":"PAID01","transaction_id":"42","trade_state":"SUCCESS","success_time":"2026-11-28T10:01:00+08:00","amount":{"total":20000,"currency":"CNY"}}`
		case path == "/v3/pay/transactions/out-trade-no/OPEN01?mchid=1900000001":
			return 200, `{"mchid":"1900000001","out_trade_no":"OPEN01","trade_state":"NOTPAY","amount":{"total":20000}}`
		case path == "/v3/pay/transactions/out-trade-no/SWAP01?mchid=1900000001":
			return 200, `{"mchid":"1900000001","out_trade_no":"PAID01","trade_state":"SUCCESS"}`
		case method == "GET" && strings.Contains(path, "/transactions/"):
			return 404, `{"code":"ORDER_NOT_EXIST"}`
		case path == "/v3/pay/transactions/out-trade-no/PAID01/close":
			return 400, `{"code":"ORDERPAID"}`
		case strings.HasSuffix(path, "/close"):
			return 204, ""
		case method == "POST" && body["out_refund_no"] == "R1":
			return 200, `{"out_refund_no":"R1","status":"PROCESSING"}`
		case path == "/v3/refund/domestic/refunds/R1":
			return 200, `{"out_refund_no":"R1","status":"SUCCESS"}`
		case path == "/v3/refund/domestic/refunds/R2":
			return 200, `{"out_refund_no":"R2","status":"ABNORMAL"}`
		}
		t.Errorf("unexpected %s %s", method, path)
		return 400, `{}`
	}})
	ctx := context.Background()
	query := func(no string) (payment.Trade, error) { return g.Query(ctx, payment.Attempt{OutTradeNo: no}) }
	for no, want := range map[string]payment.Trade{
		"PAID01": {State: payment.TradePaid, TradeNo: "42", AmountFen: 20000, PaidAt: now.Add(time.Minute)},
		"OPEN01": {State: payment.TradeWaiting, AmountFen: 20000},
		"NONE01": {State: payment.TradeUnknown},
	} {
		got, err := query(no)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", no, d)
		}
	}
	if got, err := query("SWAP01"); !errors.Is(err, payment.ErrMalformed) {
		t.Errorf("an answer about another trade was believed: %+v", got)
	}
	for no, want := range map[string]error{"PAID01": payment.ErrAlreadyPaid, "OPEN01": nil} {
		if err := g.Close(ctx, payment.Attempt{OutTradeNo: no}); !errors.Is(err, want) {
			t.Errorf("close %s: %v", no, err)
		}
	}
	if s, err := g.Refund(ctx, attempt, payment.Refunding{OutRefundNo: "R1", AmountFen: 20000}); err != nil || s != payment.RefundPending {
		t.Errorf("accepted is not done: %v %v", s, err)
	}
	for no, want := range map[string]payment.RefundState{"R1": payment.RefundDone, "R2": payment.RefundFailed} {
		if s, err := g.QueryRefund(ctx, attempt, payment.Refunding{OutRefundNo: no}); err != nil || s != want {
			t.Errorf("refund %s: %v %v", no, s, err)
		}
	}
}

func TestTamperedAnswersAreRefused(t *testing.T) {
	t.Parallel()
	f := &fake{
		answer: func(string, string, map[string]any) (int, string) {
			return 200, `{"mchid":"1900000001","out_trade_no":"W00001","trade_state":"NOTPAY","amount":{"total":20000}}`
		},
		spoil: func(s string) string { return strings.Replace(s, "NOTPAY", "SUCCESS", 1) },
	}
	got, err := gateway(t, f).Query(context.Background(), attempt)
	if !errors.Is(err, fault.Unavailable) || !errors.Is(err, payment.ErrBadSignature) || got != (payment.Trade{}) {
		t.Errorf("%+v %v", got, err)
	}
}

func seal(t testing.TB, key, plain string) string {
	t.Helper()
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(aead.Seal(nil, []byte("abcdefghijkl"), []byte(plain), []byte("transaction")))
}

func notice(event, kind, ciphertext string) string {
	return `{"id":"EV-1","create_time":"2026-11-28T10:01:00+08:00","resource_type":"encrypt-resource","event_type":"` + event + `","summary":"支付成功","resource":{"original_type":"` + kind + `","algorithm":"AEAD_AES_256_GCM","ciphertext":"` + ciphertext + `","associated_data":"transaction","nonce":"abcdefghijkl"}}`
}

func TestNotification(t *testing.T) {
	t.Parallel()
	g := gateway(t, &fake{})
	plain := `{"mchid":"1900000001","appid":"wx0001","out_trade_no":"W00001","transaction_id":"42","trade_state":"SUCCESS","success_time":"2026-11-28T10:01:00+08:00","amount":{"total":20000,"payer_total":19000,"currency":"CNY"}}`
	body := notice("TRANSACTION.SUCCESS", "transaction", seal(t, apiKey, plain))
	pub := func(b string) http.Header { return headers(t, "PUB_KEY_ID_1", keys()[1], now, b) }
	paid := payment.Notification{EventID: "EV-1", Kind: payment.NotePaid, OutTradeNo: "W00001", TradeNo: "42", AmountFen: 20000, Currency: "CNY",
		Payee: "1900000001", PaidAt: now.Add(time.Minute)}
	refund := payment.Notification{EventID: "EV-1", Kind: payment.NoteRefund, OutTradeNo: "W00001", TradeNo: "42", AmountFen: 20000, Currency: "CNY", Payee: "1900000001"}
	refundBody := notice("REFUND.SUCCESS", "refund", seal(t, apiKey, plain))
	otherApp := notice("TRANSACTION.SUCCESS", "transaction", seal(t, apiKey, strings.Replace(plain, "wx0001", "wx0002", 1)))
	otherKey := notice("TRANSACTION.SUCCESS", "transaction", seal(t, strings.Repeat("x", 32), plain))
	sealed := seal(t, apiKey, plain)
	flipped := notice("TRANSACTION.SUCCESS", "transaction", sealed[:len(sealed)-8]+"AAAAAAA=")
	probe := pub(body)
	probe.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+probe.Get("Wechatpay-Signature"))
	cases := map[string]struct {
		h    http.Header
		body string
		want payment.Notification
		err  error
	}{
		"public key":            {pub(body), body, paid, nil},
		"platform certificate":  {headers(t, "CERT_2", keys()[2], now, body), body, paid, nil},
		"refund":                {pub(refundBody), refundBody, refund, nil},
		"one space":             {pub(body), strings.Replace(body, `"id":`, `"id": `, 1), payment.Notification{}, payment.ErrBadSignature},
		"wrong key for serial":  {headers(t, "CERT_2", keys()[1], now, body), body, payment.Notification{}, payment.ErrBadSignature},
		"unknown serial":        {headers(t, "CERT_9", keys()[1], now, body), body, payment.Notification{}, payment.ErrBadSignature},
		"probe":                 {probe, body, payment.Notification{}, payment.ErrBadSignature},
		"a day old":             {headers(t, "PUB_KEY_ID_1", keys()[1], now.Add(-24*time.Hour), body), body, payment.Notification{}, payment.ErrStale},
		"a day early":           {headers(t, "PUB_KEY_ID_1", keys()[1], now.Add(24*time.Hour), body), body, payment.Notification{}, payment.ErrStale},
		"299 s old":             {headers(t, "PUB_KEY_ID_1", keys()[1], now.Add(-299*time.Second), body), body, paid, nil},
		"300 s old":             {headers(t, "PUB_KEY_ID_1", keys()[1], now.Add(-300*time.Second), body), body, payment.Notification{}, payment.ErrStale},
		"other application":     {pub(otherApp), otherApp, payment.Notification{}, payment.ErrWrongApp},
		"other merchant's seal": {pub(otherKey), otherKey, payment.Notification{}, payment.ErrBadSignature},
		"tag flipped":           {pub(flipped), flipped, payment.Notification{}, payment.ErrBadSignature},
		"no headers":            {http.Header{}, body, payment.Notification{}, payment.ErrBadSignature},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := g.ParseNotification(context.Background(), c.h, []byte(c.body))
			if !errors.Is(err, c.err) || (c.err == nil && err != nil) {
				t.Fatalf("error %v, want %v", err, c.err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
