package demopay

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"certsaas/core/payment"
)

// backoff is the wait after each failed delivery; after the last one the
// company gives up, and the platform has to ask.
var backoff = []time.Duration{time.Second, 2 * time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour}

// text is what is signed: every parameter but sign, sorted, k=v&k=v.
func text(v url.Values) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(v)) {
		if k != "sign" {
			pairs = append(pairs, k+"="+v.Get(k))
		}
	}
	return strings.Join(pairs, "&")
}

// message is a signed notification of a trade, an encoded form.
func (p *Provider) message(t trade, n notice) (string, error) {
	v := url.Values{}
	for k, s := range map[string]string{
		"notify_id": n.ID, "merchant": t.Merchant, "channel": t.Channel, "out_trade_no": t.OutTradeNo, "trade_no": t.TradeNo,
		"amount_fen": strconv.FormatInt(t.AmountFen, 10), "currency": "CNY", "status": n.Status, "paid_at": t.PaidAt.Format(time.RFC3339),
	} {
		v.Set(k, s)
	}
	if n.RefundFen > 0 {
		v.Set("refund_fen", strconv.FormatInt(n.RefundFen, 10))
	}
	sum := sha256.Sum256([]byte(text(v)))
	sig, err := rsa.SignPKCS1v15(rand.Reader, p.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("demopay: sign: %w", err)
	}
	v.Set("sign", base64.StdEncoding.EncodeToString(sig))
	return v.Encode(), nil
}

// Notification is the signed body of a trade's last notification, for tests
// that deliver it themselves.
func (p *Provider) Notification(code string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok := p.trades[code]
	if !ok || len(t.Notices) == 0 {
		return "", errNoTrade
	}
	return p.message(*t, t.Notices[len(t.Notices)-1])
}

// ParseNotification verifies a notification with the company's public key.
func (g *gateway) ParseNotification(_ context.Context, _ http.Header, body []byte) (payment.Notification, error) {
	v, err := url.ParseQuery(string(body))
	if err != nil {
		return payment.Notification{}, fmt.Errorf("demopay: notify: %w: %w", payment.ErrMalformed, err)
	}
	for k, list := range v {
		if len(list) != 1 {
			return payment.Notification{}, fmt.Errorf("demopay: notify: %w: %q comes %d times", payment.ErrMalformed, k, len(list))
		}
	}
	sig, err := base64.StdEncoding.DecodeString(v.Get("sign"))
	sum := sha256.Sum256([]byte(text(v)))
	if err != nil || rsa.VerifyPKCS1v15(g.key, crypto.SHA256, sum[:], sig) != nil {
		return payment.Notification{}, fmt.Errorf("demopay: notify: %w", payment.ErrBadSignature)
	}
	if v.Get("channel") != g.channel {
		return payment.Notification{}, fmt.Errorf("demopay: notify: %w", payment.ErrWrongApp)
	}
	fen, err := strconv.ParseInt(v.Get("amount_fen"), 10, 64)
	if err != nil {
		return payment.Notification{}, fmt.Errorf("demopay: notify: %w: %w", payment.ErrMalformed, err)
	}
	n := payment.Notification{EventID: v.Get("notify_id"), Kind: payment.NoteOther, OutTradeNo: v.Get("out_trade_no"), TradeNo: v.Get("trade_no"),
		AmountFen: fen, Currency: v.Get("currency"), Payee: v.Get("merchant"), PaidAt: at(v.Get("paid_at"))}
	switch v.Get("status") {
	case "PAID":
		n.Kind = payment.NotePaid
	case "REFUND":
		n.Kind = payment.NoteRefund
	}
	return n, nil
}

// localClient posts to this machine for *.localhost (RFC 6761 §6.3), which not
// every resolver knows, and never through a proxy.
func localClient() *http.Client {
	dialer := &net.Dialer{Timeout: 5 * time.Second}
	return &http.Client{
		Timeout:       5 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			host, port, err := net.SplitHostPort(addr)
			if err == nil && strings.HasSuffix(strings.ToLower(host), ".localhost") {
				addr = net.JoinHostPort("127.0.0.1", port)
			}
			return dialer.DialContext(ctx, network, addr)
		}},
	}
}

// Run delivers notifications until ctx ends.
func (p *Provider) Run(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		p.DeliverDue(ctx)
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-tick.C:
		}
	}
}

// due is a notification whose time has come, with its message.
type due struct {
	code, id, url, body string
}

// DeliverDue posts every notification whose time has come, once, and returns
// how many arrived.
func (p *Provider) DeliverDue(ctx context.Context) int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	arrived := 0
	slots := make(chan struct{}, 8)
	for _, d := range p.takeDue() {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			ok := p.post(ctx, d)
			if err := p.settle(d, ok); err != nil {
				slog.ErrorContext(ctx, "demopay: books", "error", err)
			}
			if ok {
				mu.Lock()
				arrived++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return arrived
}

// takeDue lists due notifications and puts their next try off, so that nobody
// takes them twice.
func (p *Provider) takeDue() []due {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	var list []due
	for _, t := range p.trades {
		for i := range t.Notices {
			n := &t.Notices[i]
			if n.Done || n.NextAt.After(now) {
				continue
			}
			body, err := p.message(*t, *n)
			if err != nil {
				slog.Error("demopay: notify", "error", err)
				continue
			}
			n.NextAt = now.Add(backoff[min(n.Tries, len(backoff)-1)] + 10*time.Second)
			list = append(list, due{code: t.Code, id: n.ID, url: t.NotifyURL, body: body})
		}
	}
	return list
}

func (p *Provider) post(ctx context.Context, d due) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.url, strings.NewReader(d.body))
	if err != nil {
		return false
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
	res, err := p.opts.HTTP.Do(req)
	if err != nil {
		slog.DebugContext(ctx, "demopay: notification not delivered", "error", err)
		return false
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64))
	return err == nil && res.StatusCode == http.StatusOK && string(answer) == "success"
}

// settle writes down how a delivery went.
func (p *Provider) settle(d due, ok bool) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := p.trades[d.code]
	for i := range t.Notices {
		if n := &t.Notices[i]; n.ID == d.id {
			n.NextAt = p.now().Add(backoff[min(n.Tries, len(backoff)-1)])
			n.Tries++
			n.Done = ok || n.Tries > len(backoff)
		}
	}
	return p.save(t)
}
