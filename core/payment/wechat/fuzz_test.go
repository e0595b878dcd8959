package wechat_test

import (
	"encoding/json"
	"testing"

	"certsaas/core/payment"
)

// FuzzNotification reads what anybody may post as a notification, the same as if WeChat had signed it, and any resource as if WeChat had
// sealed and signed it: nothing unsigned or unsealed is believed, and what is believed is ours.
func FuzzNotification(f *testing.F) {
	g := gateway(f, &fake{})
	plain := `{"mchid":"1900000001","appid":"wx0001","out_trade_no":"W00001","transaction_id":"42","trade_state":"SUCCESS","success_time":"2026-11-28T10:01:00+08:00","amount":{"total":20000,"currency":"CNY"}}`
	f.Add("TRANSACTION.SUCCESS", "transaction", plain, notice("TRANSACTION.SUCCESS", "transaction", "AAAA"))
	f.Add("REFUND.SUCCESS", "refund", plain, "{}")
	f.Add("REFUND.", "", `{"mchid":"1900000001","amount":{"total":-1}}`, `{"resource":{"algorithm":"AEAD_AES_256_GCM","nonce":"123456789012","ciphertext":""}}`)
	f.Add("", "", `{"amount":null,"mchid":7}`, "null")
	f.Fuzz(func(t *testing.T, event, original, plain, body string) {
		unsigned := headers(t, "PUB_KEY_ID_1", keys()[0], now, body) // by a key that is not WeChat's
		if n, err := g.ParseNotification(t.Context(), unsigned, []byte(body)); err == nil {
			t.Fatalf("believed without WeChat's signature: %+v", n)
		}
		if n, err := g.ParseNotification(t.Context(), headers(t, "PUB_KEY_ID_1", keys()[1], now, body), []byte(body)); err == nil {
			t.Fatalf("believed without the APIv3 key: %+v", n)
		}
		whole := notice(event, original, seal(t, apiKey, plain))
		if !json.Valid([]byte(whole)) {
			return
		}
		n, err := g.ParseNotification(t.Context(), headers(t, "PUB_KEY_ID_1", keys()[1], now, whole), []byte(whole))
		if err == nil && (n.Payee != "1900000001" || n.Kind == payment.NotePaid && event != "TRANSACTION.SUCCESS") {
			t.Fatalf("believed: %+v of %s", n, plain)
		}
	})
}
