package wechat

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"certsaas/core/payment"
)

// envelope is a notification before its resource is decrypted.
type envelope struct {
	ID        string `json:"id"`
	EventType string `json:"event_type"`
	Resource  struct {
		Algorithm      string `json:"algorithm"`
		OriginalType   string `json:"original_type"`
		Ciphertext     string `json:"ciphertext"`
		Nonce          string `json:"nonce"`
		AssociatedData string `json:"associated_data"`
	} `json:"resource"`
}

// ParseNotification verifies the signature over the raw bytes, decrypts the
// resource (AEAD_AES_256_GCM under the APIv3 key) and only then reads it.
func (g *Gateway) ParseNotification(_ context.Context, headers http.Header, body []byte) (payment.Notification, error) {
	if err := g.verify(headers, body); err != nil {
		return payment.Notification{}, err
	}
	var env envelope
	if err := json.Unmarshal(body, &env); err != nil {
		return payment.Notification{}, fmt.Errorf("wechat: notify: %w: %w", payment.ErrMalformed, err)
	}
	plain, err := g.decrypt(env)
	if err != nil {
		return payment.Notification{}, err
	}
	var t transaction
	if err := json.Unmarshal(plain, &t); err != nil {
		return payment.Notification{}, fmt.Errorf("wechat: notify: %w: %w", payment.ErrMalformed, err)
	}
	if strings.HasPrefix(env.EventType, "REFUND.") {
		// Refund notices carry no appid.
		if t.MchID != g.cfg.MchID {
			return payment.Notification{}, fmt.Errorf("wechat: notify: %w", payment.ErrWrongApp)
		}
		return payment.Notification{EventID: env.ID, Kind: payment.NoteRefund, OutTradeNo: t.OutTradeNo, TradeNo: t.TransactionID,
			AmountFen: t.Amount.Total, Currency: "CNY", Payee: t.MchID}, nil
	}
	if t.AppID != g.cfg.AppID {
		return payment.Notification{}, fmt.Errorf("wechat: notify: %w", payment.ErrWrongApp)
	}
	kind := payment.NoteOther
	if env.EventType == "TRANSACTION.SUCCESS" && env.Resource.OriginalType == "transaction" && t.TradeState == "SUCCESS" {
		kind = payment.NotePaid
	}
	return payment.Notification{EventID: env.ID, Kind: kind, OutTradeNo: t.OutTradeNo, TradeNo: t.TransactionID,
		AmountFen: t.Amount.Total, Currency: t.Amount.Currency, Payee: t.MchID, PaidAt: instant(t.SuccessTime)}, nil
}

func (g *Gateway) decrypt(env envelope) ([]byte, error) {
	r := env.Resource
	sealed, err := base64.StdEncoding.DecodeString(r.Ciphertext)
	if err != nil || r.Algorithm != "AEAD_AES_256_GCM" || len(r.Nonce) != 12 {
		return nil, fmt.Errorf("wechat: notify: %w: resource", payment.ErrMalformed)
	}
	block, err := aes.NewCipher(g.cfg.APIv3Key)
	if err != nil {
		return nil, fmt.Errorf("wechat: notify: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("wechat: notify: %w", err)
	}
	plain, err := aead.Open(nil, []byte(r.Nonce), sealed, []byte(r.AssociatedData))
	if err != nil {
		return nil, fmt.Errorf("wechat: notify: %w: resource does not decrypt", payment.ErrBadSignature)
	}
	return plain, nil
}
