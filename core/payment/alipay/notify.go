package alipay

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"certsaas/core/payment"
)

// ParseNotification verifies an asynchronous notification: a form, decoded
// once, signed by Alipay over everything but sign and sign_type. A parameter
// that comes twice, another charset or another signature type is refused.
func (g *Gateway) ParseNotification(_ context.Context, _ http.Header, body []byte) (payment.Notification, error) {
	params, err := formOnce(body)
	if err != nil {
		return payment.Notification{}, err
	}
	if params["sign_type"] != "RSA2" {
		return payment.Notification{}, fmt.Errorf("alipay: notify: %w: sign_type %q", payment.ErrBadSignature, params["sign_type"])
	}
	if c := params["charset"]; c != "" && c != "utf-8" && c != "UTF-8" {
		return payment.Notification{}, fmt.Errorf("alipay: notify: %w: charset %q", payment.ErrMalformed, c)
	}
	if !verify(g.cfg.AlipayKey, signedText(params, "sign", "sign_type"), params["sign"]) {
		return payment.Notification{}, fmt.Errorf("alipay: notify: %w", payment.ErrBadSignature)
	}
	if params["app_id"] != g.cfg.AppID {
		return payment.Notification{}, fmt.Errorf("alipay: notify: %w", payment.ErrWrongApp)
	}
	fen, err := Fen(params["total_amount"])
	if err != nil {
		return payment.Notification{}, fmt.Errorf("alipay: notify: %w", err)
	}
	return payment.Notification{
		EventID: params["notify_id"], Kind: kindOf(params), OutTradeNo: params["out_trade_no"], TradeNo: params["trade_no"],
		AmountFen: fen, Currency: "CNY", Payee: params["seller_id"], PaidAt: g.instant(params["gmt_payment"]),
	}, nil
}

// kindOf reads the trade status. A refund repeats TRADE_SUCCESS (partial) or
// sends TRADE_CLOSED (full), told apart only by the refund fields (domain §3.1 no. 4).
func kindOf(params map[string]string) payment.NotificationKind {
	if params["refund_fee"] != "" || params["gmt_refund"] != "" || params["out_biz_no"] != "" {
		return payment.NoteRefund
	}
	switch params["trade_status"] {
	case "TRADE_SUCCESS", "TRADE_FINISHED":
		return payment.NotePaid
	case "TRADE_CLOSED":
		return payment.NoteClosed
	default:
		return payment.NoteOther
	}
}

func formOnce(body []byte) (map[string]string, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("alipay: notify: %w: %w", payment.ErrMalformed, err)
	}
	params := make(map[string]string, len(values))
	for k, v := range values {
		if len(v) != 1 {
			return nil, fmt.Errorf("alipay: notify: %w: %q comes %d times", payment.ErrMalformed, k, len(v))
		}
		params[k] = v[0]
	}
	return params, nil
}
