package alipay

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"certsaas/core/clock"
	"certsaas/core/payment"
)

// maxAnswer bounds what we read of an answer.
const maxAnswer = 1 << 20

// call signs and sends one method, verifies the answer and decodes it into out.
func (g *Gateway) call(ctx context.Context, method, notifyURL string, biz map[string]any, out any) error {
	content, err := json.Marshal(biz)
	if err != nil {
		return fmt.Errorf("alipay: %s: encode: %w", method, err)
	}
	params := map[string]string{
		"app_id": g.cfg.AppID, "method": method, "format": "JSON", "charset": "utf-8", "sign_type": "RSA2",
		"timestamp": g.cfg.Clock.Now().In(clock.Shanghai).Format(timeLayout), "version": "1.0",
		"notify_url": notifyURL, "biz_content": string(content),
	}
	sig, err := sign(g.cfg.PrivateKey, signedText(params, "sign"))
	if err != nil {
		return fmt.Errorf("alipay: %s: sign: %w", method, err)
	}
	form := url.Values{"sign": {sig}}
	for k, v := range params {
		if v != "" {
			form.Set(k, v)
		}
	}
	body, err := g.post(ctx, form)
	if err != nil {
		return away(fmt.Errorf("alipay: %s: %w", method, err))
	}
	return g.readAnswer(method, body, out)
}

func (g *Gateway) post(ctx context.Context, form url.Values) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.cfg.GatewayURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
	res, err := g.cfg.HTTP.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("gateway answers %s", res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, maxAnswer))
}

// readAnswer verifies an answer over the very bytes of its response node.
func (g *Gateway) readAnswer(method string, body []byte, out any) error {
	var envelope map[string]json.RawMessage
	if err := json.Unmarshal(body, &envelope); err != nil {
		return away(fmt.Errorf("alipay: %s: %w: %w", method, payment.ErrMalformed, err))
	}
	raw := envelope[strings.ReplaceAll(method, ".", "_")+"_response"]
	if raw == nil {
		raw = envelope["error_response"]
	}
	var sig string
	if err := json.Unmarshal(envelope["sign"], &sig); raw == nil || err != nil {
		return away(fmt.Errorf("alipay: %s: %w: no response or no signature", method, payment.ErrMalformed))
	}
	if !verify(g.cfg.AlipayKey, string(raw), sig) {
		return away(fmt.Errorf("alipay: %s: %w", method, payment.ErrBadSignature))
	}
	var head struct {
		Code    string `json:"code"`
		SubCode string `json:"sub_code"`
		SubMsg  string `json:"sub_msg"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return away(fmt.Errorf("alipay: %s: %w: %w", method, payment.ErrMalformed, err))
	}
	if head.Code != "10000" {
		return away(&bizError{Method: method, Code: head.Code, SubCode: head.SubCode, SubMsg: head.SubMsg})
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return away(fmt.Errorf("alipay: %s: %w: %w", method, payment.ErrMalformed, err))
	}
	return nil
}

// signedText joins all parameters with a value, but for the named ones, sorted
// by name: k=v&k=v (domain §3.1). Parameters we do not know stay in.
func signedText(params map[string]string, without ...string) string {
	keys := slices.Sorted(maps.Keys(params))
	var pairs []string
	for _, k := range keys {
		if params[k] != "" && !slices.Contains(without, k) {
			pairs = append(pairs, k+"="+params[k])
		}
	}
	return strings.Join(pairs, "&")
}

func sign(key *rsa.PrivateKey, text string) (string, error) {
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	return base64.StdEncoding.EncodeToString(sig), err
}

func verify(key *rsa.PublicKey, text, signature string) bool {
	sig, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	sum := sha256.Sum256([]byte(text))
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) == nil
}
