package channel

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"certsaas/core/clock"
	"certsaas/core/fault"
)

// Tencent is the SMS adapter for Tencent Cloud (API 2021-01-11, action SendSms,
// signature TC3-HMAC-SHA256). Number and code travel in the body only, never in
// a URL that a proxy would log.
type Tencent struct {
	SecretID  string
	SecretKey string
	AppID     string                     // SmsSdkAppId
	Signature string                     // filed signature used when a message has none
	Templates map[string]TencentTemplate // by Message.Template
	Endpoint  string                     // "" = https://sms.tencentcloudapi.com
	Region    string                     // "" = ap-guangzhou
	Client    *http.Client               // nil = a client with a 5 s timeout
	Clock     clock.Clock
}

// TencentTemplate is an approved template: its id and our placeholders in its order.
type TencentTemplate struct {
	ID     string
	Params []string
}

type tencentRequest struct {
	PhoneNumberSet   []string
	SmsSdkAppId      string
	SignName         string
	TemplateId       string
	TemplateParamSet []string
	SessionContext   string
}

type tencentResponse struct {
	Response struct {
		Error *struct {
			Code string
		}
		SendStatusSet []struct {
			SerialNo string
			Code     string
		}
	}
}

var defaultClient = &http.Client{Timeout: 5 * time.Second}

// Send submits the message; acceptance by the provider counts as sent.
func (t *Tencent) Send(ctx context.Context, m Message) (string, error) {
	tpl, ok := t.Templates[m.Template]
	if !ok {
		return "", fault.New(fault.Invalid, "channel.template", "Template", m.Template)
	}
	params := make([]string, 0, len(tpl.Params))
	for _, name := range tpl.Params {
		v, ok := m.Params[name]
		if !ok {
			return "", fault.New(fault.Invalid, "channel.placeholder", "Template", m.Template, "Placeholder", name)
		}
		params = append(params, v)
	}
	sign := m.Signature
	if sign == "" {
		sign = t.Signature
	}
	body, err := json.Marshal(tencentRequest{
		PhoneNumberSet: []string{"+86" + m.To}, SmsSdkAppId: t.AppID, SignName: sign,
		TemplateId: tpl.ID, TemplateParamSet: params, SessionContext: m.ID,
	})
	if err != nil {
		return "", fmt.Errorf("channel: tencent request: %w", err)
	}
	req, err := t.request(ctx, body)
	if err != nil {
		return "", err
	}
	return t.do(req)
}

// request builds the signed call.
func (t *Tencent) request(ctx context.Context, body []byte) (*http.Request, error) {
	endpoint := t.Endpoint
	if endpoint == "" {
		endpoint = "https://sms.tencentcloudapi.com"
	}
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" {
		return nil, fault.Wrap(fault.Invalid, "channel.endpoint", err)
	}
	if u.Path == "" {
		u.Path = "/"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("channel: tencent request: %w", err)
	}
	region := t.Region
	if region == "" {
		region = "ap-guangzhou"
	}
	now := t.Clock.Now().UTC()
	req.Header.Set("Content-Type", tencentContentType)
	req.Header.Set("X-TC-Action", "SendSms")
	req.Header.Set("X-TC-Version", "2021-01-11")
	req.Header.Set("X-TC-Region", region)
	req.Header.Set("X-TC-Timestamp", strconv.FormatInt(now.Unix(), 10))
	req.Header.Set("Authorization", SignTC3(t.SecretID, t.SecretKey, "sms", u.Host, body, now))
	return req, nil
}

// do sends the call and reads the answer, at most 64 KiB of it.
func (t *Tencent) do(req *http.Request) (string, error) {
	client := t.Client
	if client == nil {
		client = defaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, "channel.failed", err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, "channel.failed", err)
	}
	if resp.StatusCode != http.StatusOK {
		return "", fault.Wrap(fault.Unavailable, "channel.failed", fmt.Errorf("tencent: http status %d", resp.StatusCode))
	}
	var out tencentResponse
	if err := json.Unmarshal(data, &out); err != nil {
		return "", fault.Wrap(fault.Unavailable, "channel.failed", fmt.Errorf("tencent: answer: %w", err))
	}
	if e := out.Response.Error; e != nil {
		return "", tencentFault(e.Code)
	}
	if len(out.Response.SendStatusSet) != 1 {
		return "", fault.Wrap(fault.Unavailable, "channel.failed", fmt.Errorf("tencent: %d statuses for one message", len(out.Response.SendStatusSet)))
	}
	if st := out.Response.SendStatusSet[0]; st.Code != "Ok" {
		return "", tencentFault(st.Code)
	}
	return out.Response.SendStatusSet[0].SerialNo, nil
}

// tencentFault sorts a provider's code into a kind: caps of the provider end by
// themselves, wrong parameters do not, anything else may.
func tencentFault(code string) error {
	cause := fmt.Errorf("tencent: %s", code)
	switch {
	case strings.HasPrefix(code, "LimitExceeded"):
		return fault.Wrap(fault.RateLimited, "channel.limited", cause)
	case strings.HasPrefix(code, "InvalidParameter"), strings.HasPrefix(code, "FailedOperation.PhoneNumber"), strings.HasPrefix(code, "FailedOperation.Template"):
		return fault.Wrap(fault.Invalid, "channel.refused", cause)
	}
	return fault.Wrap(fault.Unavailable, "channel.failed", cause)
}

const tencentContentType = "application/json; charset=utf-8"

// SignTC3 is the Authorization header of a JSON POST to "/" of host at the
// given time (Tencent Cloud API, signature v3, signed headers content-type and host).
func SignTC3(id, key, service, host string, body []byte, at time.Time) string {
	date := at.UTC().Format("2006-01-02")
	scope := date + "/" + service + "/tc3_request"
	canonical := "POST\n/\n\ncontent-type:" + tencentContentType + "\nhost:" + host + "\n\ncontent-type;host\n" + hexSHA256(body)
	toSign := "TC3-HMAC-SHA256\n" + strconv.FormatInt(at.Unix(), 10) + "\n" + scope + "\n" + hexSHA256([]byte(canonical))
	k := hmacSHA256([]byte("TC3"+key), date)
	k = hmacSHA256(k, service)
	k = hmacSHA256(k, "tc3_request")
	return "TC3-HMAC-SHA256 Credential=" + id + "/" + scope + ", SignedHeaders=content-type;host, Signature=" + hex.EncodeToString(hmacSHA256(k, toSign))
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func hmacSHA256(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(s))
	return h.Sum(nil)
}
