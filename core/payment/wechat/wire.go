package wechat

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"certsaas/core/payment"
)

const (
	maxAnswer = 1 << 20
	maxSkew   = 300 * time.Second // domain §3.2
)

// call signs and sends one request, verifies the answer and decodes it into out.
func (g *Gateway) call(ctx context.Context, method, path string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return fmt.Errorf("wechat: encode: %w", err)
		}
	}
	auth, err := g.authorization(method, path, body)
	if err != nil {
		return fmt.Errorf("wechat: sign: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, g.cfg.BaseURL+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("wechat: request: %w", err)
	}
	req.Header.Set("Authorization", auth)
	req.Header.Set("Accept", "application/json")
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := g.cfg.HTTP.Do(req)
	if err != nil {
		return away(fmt.Errorf("wechat: %s: %w", path, err))
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return away(fmt.Errorf("wechat: %s: %w", path, err))
	}
	return g.readAnswer(res.StatusCode, res.Header, answer, out)
}

// readAnswer verifies every answer but an outage's: a 5xx may come from a
// machine in between and is an outage whatever it says.
func (g *Gateway) readAnswer(status int, h http.Header, body []byte, out any) error {
	if status >= 500 {
		return away(&apiError{Status: status})
	}
	if err := g.verify(h, body); err != nil {
		return away(err)
	}
	if status/100 != 2 {
		e := &apiError{Status: status}
		var fields struct{ Code, Message string }
		if json.Unmarshal(body, &fields) == nil {
			e.Code, e.Message = fields.Code, fields.Message
		}
		return away(e)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return away(fmt.Errorf("wechat: %w: %w", payment.ErrMalformed, err))
	}
	return nil
}

// authorization signs "METHOD\npath\ntimestamp\nnonce\nbody\n".
func (g *Gateway) authorization(method, path string, body []byte) (string, error) {
	raw := make([]byte, 16)
	if _, err := rand.Read(raw); err != nil {
		return "", err
	}
	nonce := hex.EncodeToString(raw)
	ts := strconv.FormatInt(g.cfg.Clock.Now().Unix(), 10)
	sum := sha256.Sum256([]byte(method + "\n" + path + "\n" + ts + "\n" + nonce + "\n" + string(body) + "\n"))
	sig, err := rsa.SignPKCS1v15(rand.Reader, g.cfg.PrivateKey, crypto.SHA256, sum[:])
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(`WECHATPAY2-SHA256-RSA2048 mchid="%s",nonce_str="%s",timestamp="%s",serial_no="%s",signature="%s"`,
		g.cfg.MchID, nonce, ts, g.cfg.SerialNo, base64.StdEncoding.EncodeToString(sig)), nil
}

// verify checks the signature headers over the raw body: "timestamp\nnonce\nbody\n".
func (g *Gateway) verify(h http.Header, body []byte) error {
	ts, nonce := h.Get("Wechatpay-Timestamp"), h.Get("Wechatpay-Nonce")
	key, known := g.cfg.Keys[h.Get("Wechatpay-Serial")]
	if !known || (h.Get("Wechatpay-Signature-Type") != "" && h.Get("Wechatpay-Signature-Type") != "WECHATPAY2-SHA256-RSA2048") {
		return fmt.Errorf("wechat: %w: unknown key or type", payment.ErrBadSignature)
	}
	sig, err := base64.StdEncoding.DecodeString(h.Get("Wechatpay-Signature"))
	if err != nil {
		return fmt.Errorf("wechat: %w", payment.ErrBadSignature)
	}
	sum := sha256.Sum256([]byte(ts + "\n" + nonce + "\n" + string(body) + "\n"))
	if rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) != nil {
		return fmt.Errorf("wechat: %w", payment.ErrBadSignature)
	}
	sec, err := strconv.ParseInt(ts, 10, 64)
	if err != nil {
		return fmt.Errorf("wechat: %w: timestamp", payment.ErrMalformed)
	}
	if d := g.cfg.Clock.Now().Sub(time.Unix(sec, 0)); d >= maxSkew || d <= -maxSkew {
		return fmt.Errorf("wechat: %w", payment.ErrStale)
	}
	return nil
}
