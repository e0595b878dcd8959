package channel_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/fault"
)

// The example of the provider's documentation of signature v3 (with its EXAMPLE credentials).
func TestSignTC3(t *testing.T) {
	t.Parallel()
	body := `{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}`
	got := channel.SignTC3("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", "cvm", "cvm.tencentcloudapi.com",
		[]byte(body), time.Unix(1551113065, 0))
	want := "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host, " +
		"Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

const secretKey = "演示密钥-demo"

// provider is a stand-in that verifies the signature the provider's way: from the headers the request itself names.
func provider(t *testing.T, at time.Time, answer string) (*channel.Tencent, *map[string]any) {
	t.Helper()
	got := map[string]any{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		if why := verify(r, body, at); why != "" {
			fmt.Fprintf(w, `{"Response":{"Error":{"Code":"AuthFailure.%s","Message":"x"}}}`, why)
			return
		}
		if err := json.Unmarshal(body, &got); err != nil {
			t.Error(err)
		}
		got["query"] = r.URL.RawQuery
		fmt.Fprint(w, answer)
	}))
	t.Cleanup(srv.Close)
	return &channel.Tencent{
		SecretID: "AKID", SecretKey: secretKey, AppID: "1400000000", Signature: "演示平台", Endpoint: srv.URL, Clock: clock.NewFake(now),
		Templates: map[string]channel.TencentTemplate{"code": {ID: "1001", Params: []string{"code", "minutes"}}},
	}, &got
}

func verify(r *http.Request, body []byte, at time.Time) string {
	parts := map[string]string{}
	auth, ok := strings.CutPrefix(r.Header.Get("Authorization"), "TC3-HMAC-SHA256 ")
	if !ok {
		return "Scheme"
	}
	for _, p := range strings.Split(auth, ", ") {
		k, v, _ := strings.Cut(p, "=")
		parts[k] = v
	}
	ts, err := strconv.ParseInt(r.Header.Get("X-TC-Timestamp"), 10, 64)
	if err != nil || time.Unix(ts, 0).Sub(at).Abs() > 5*time.Minute {
		return "SignatureExpire"
	}
	var canonical strings.Builder
	for _, h := range strings.Split(parts["SignedHeaders"], ";") {
		v := r.Header.Get(h)
		if h == "host" {
			v = r.Host
		}
		canonical.WriteString(h + ":" + strings.ToLower(v) + "\n")
	}
	sum := func(s string) string { h := sha256.Sum256([]byte(s)); return hex.EncodeToString(h[:]) }
	mac := func(k []byte, s string) []byte { h := hmac.New(sha256.New, k); h.Write([]byte(s)); return h.Sum(nil) }
	_, scope, _ := strings.Cut(parts["Credential"], "/")
	date := time.Unix(ts, 0).UTC().Format("2006-01-02")
	if scope != date+"/sms/tc3_request" || r.Header.Get("X-TC-Action") != "SendSms" || r.Header.Get("X-TC-Version") != "2021-01-11" {
		return "Scope"
	}
	toSign := fmt.Sprintf("TC3-HMAC-SHA256\n%d\n%s\n%s", ts, scope, sum(r.Method+"\n"+r.URL.Path+"\n"+r.URL.RawQuery+"\n"+canonical.String()+"\n"+parts["SignedHeaders"]+"\n"+sum(string(body))))
	key := mac(mac(mac([]byte("TC3"+secretKey), date), "sms"), "tc3_request")
	if hex.EncodeToString(mac(key, toSign)) != parts["Signature"] {
		return "SignatureFailure"
	}
	return ""
}

const accepted = `{"Response":{"SendStatusSet":[{"SerialNo":"5000:1045","Code":"Ok"}],"RequestId":"x"}}`

var smsMessage = channel.Message{ID: "m1", Channel: channel.SMS, To: "13800138000", Template: "code", Params: map[string]string{"code": "123456", "minutes": "5"}}

func TestTencentSends(t *testing.T) {
	t.Parallel()
	s, got := provider(t, now, accepted)
	id, err := s.Send(t.Context(), smsMessage)
	if err != nil || id != "5000:1045" {
		t.Fatalf("%q %v", id, err)
	}
	g := *got
	if s := fmt.Sprintf("%v|%v|%v|%v|%v", g["PhoneNumberSet"], g["TemplateId"], g["TemplateParamSet"], g["SignName"], g["query"]); s !=
		"[+8613800138000]|1001|[123456 5]|演示平台|" {
		t.Errorf("request %s", s)
	}
}

func TestTencentFails(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		at     time.Time
		answer string
		change func(s *channel.Tencent, m *channel.Message)
		want   fault.Kind
	}{
		"wrong key":     {now, accepted, func(s *channel.Tencent, _ *channel.Message) { s.SecretKey = "other" }, fault.Unavailable},
		"clock off":     {now.Add(time.Hour), accepted, nil, fault.Unavailable},
		"daily cap":     {now, `{"Response":{"SendStatusSet":[{"Code":"LimitExceeded.PhoneNumberDailyLimit"}]}}`, nil, fault.RateLimited},
		"bad number":    {now, `{"Response":{"SendStatusSet":[{"Code":"InvalidParameterValue.IncorrectPhoneNumber"}]}}`, nil, fault.Invalid},
		"broken answer": {now, `<html>`, nil, fault.Unavailable},
		"no status":     {now, `{"Response":{}}`, nil, fault.Unavailable},
		"no template":   {now, accepted, func(_ *channel.Tencent, m *channel.Message) { m.Template = "x" }, fault.Invalid},
		"no value":      {now, accepted, func(_ *channel.Tencent, m *channel.Message) { m.Params = nil }, fault.Invalid},
		"away":          {now, accepted, func(s *channel.Tencent, _ *channel.Message) { s.Endpoint = "http://127.0.0.1:1" }, fault.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := provider(t, c.at, c.answer)
			m := smsMessage
			if c.change != nil {
				c.change(s, &m)
			}
			_, err := s.Send(t.Context(), m)
			if !errors.Is(err, c.want) {
				t.Errorf("%v, want %s", err, c.want)
			}
			if err != nil && (strings.Contains(err.Error(), m.To) || strings.Contains(err.Error(), "123456")) {
				t.Errorf("the error tells number or code: %v", err)
			}
		})
	}
}
