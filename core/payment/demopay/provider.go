// Package demopay is a payment company that exists for demonstrations and
// tests: an outside party of its own, with a key, trades that survive a
// restart, a page to pay on, and signed notifications over HTTP.
//
// In: attempts from the platform's side (Gateway), a payer's tap on the pay
// page (Routes). Out: codes, trade states, notifications. No money moves, and
// every page says so (演示支付). It stands in for both alipay and wechat.
package demopay

import (
	"bufio"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base32"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"certsaas/core/clock"
)

// Options say where the company keeps its books and how it is reached.
type Options struct {
	Dir     string       // DATA_DIR/demopay: its key (0600) and its trades
	BaseURL string       // scheme and host the pay page is opened at, e.g. http://localhost:8080
	Clock   clock.Clock  //
	HTTP    *http.Client // for notifications; nil: five seconds' patience, *.localhost is this machine
}

// Provider is the company. It is safe for concurrent use.
type Provider struct {
	opts Options
	key  *rsa.PrivateKey
	wake chan struct{}

	mu     sync.Mutex
	trades map[string]*trade // by code
	byNo   map[string]*trade // by merchant, channel and the platform's number
	file   *os.File
	test   controls
}

// controls are the faults a test may order.
type controls struct {
	drop  bool
	delay time.Duration
	fail  int
}

// trade is one line of the books; the last line of a code counts.
type trade struct {
	Code         string    `json:"code"`
	Channel      string    `json:"channel"`
	Merchant     string    `json:"merchant"`
	MerchantName string    `json:"merchant_name"`
	OutTradeNo   string    `json:"out_trade_no"`
	TradeNo      string    `json:"trade_no"`
	AmountFen    int64     `json:"amount_fen"`
	Subject      string    `json:"subject"`
	NotifyURL    string    `json:"notify_url"`
	State        string    `json:"state"` // waiting, paid, closed
	ExpiresAt    time.Time `json:"expires_at"`
	PaidAt       time.Time `json:"paid_at,omitzero"`
	Refunds      []refund  `json:"refunds,omitempty"`
	Notices      []notice  `json:"notices,omitempty"`
}

const (
	waiting = "waiting"
	paid    = "paid"
	closed  = "closed"
)

type refund struct {
	OutRefundNo string    `json:"out_refund_no"`
	AmountFen   int64     `json:"amount_fen"`
	At          time.Time `json:"at"`
}

// notice is a notification to be delivered.
type notice struct {
	ID        string    `json:"id"`
	Status    string    `json:"status"` // PAID, REFUND
	RefundFen int64     `json:"refund_fen,omitempty"`
	Tries     int       `json:"tries"`
	NextAt    time.Time `json:"next_at"`
	Done      bool      `json:"done"` // delivered, dropped or given up
}

// Open reads the books, or begins them.
func Open(o Options) (*Provider, error) {
	if o.Clock == nil || o.Dir == "" || o.BaseURL == "" {
		return nil, errors.New("demopay: directory, base URL and clock must be set")
	}
	if o.HTTP == nil {
		o.HTTP = localClient()
	}
	o.BaseURL = strings.TrimRight(o.BaseURL, "/")
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("demopay: open: %w", err)
	}
	p := &Provider{opts: o, wake: make(chan struct{}, 1), trades: map[string]*trade{}, byNo: map[string]*trade{}}
	var err error
	if p.key, err = loadKey(filepath.Join(o.Dir, "key.pem")); err != nil {
		return nil, err
	}
	books := filepath.Join(o.Dir, "trades.jsonl")
	if err := p.load(books); err != nil {
		return nil, err
	}
	if p.file, err = os.OpenFile(books, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, fmt.Errorf("demopay: open: %w", err)
	}
	return p, nil
}

// Close closes the books.
func (p *Provider) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.file.Close()
}

func loadKey(path string) (*rsa.PrivateKey, error) {
	raw, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return makeKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("demopay: key: %w", err)
	}
	block, _ := pem.Decode(raw)
	if block == nil {
		return nil, fmt.Errorf("demopay: key: %s holds no PEM", path)
	}
	key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("demopay: key: %w", err)
	}
	return key, nil
}

func makeKey(path string) (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("demopay: key: %w", err)
	}
	out := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := os.WriteFile(path, out, 0o600); err != nil {
		return nil, fmt.Errorf("demopay: key: %w", err)
	}
	return key, nil
}

// load reads every line; a last line cut off by a crash is left out.
func (p *Provider) load(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("demopay: load: %w", err)
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var t trade
		if json.Unmarshal(lines.Bytes(), &t) == nil && t.Code != "" {
			p.index(&t)
		}
	}
	return lines.Err()
}

func (p *Provider) index(t *trade) {
	p.trades[t.Code] = t
	p.byNo[number(t.Merchant, t.Channel, t.OutTradeNo)] = t
}

func number(merchant, channel, no string) string { return merchant + "|" + channel + "|" + no }

// save appends a trade to the books; the caller holds mu. A leading newline
// keeps a line apart from one that a crash cut off.
func (p *Provider) save(t *trade) error {
	line, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("demopay: save: %w", err)
	}
	if _, err := p.file.Write(append(append([]byte{'\n'}, line...), '\n')); err != nil {
		return fmt.Errorf("demopay: save: %w", err)
	}
	p.index(t)
	return nil
}

// now is the present, in the precision the books keep.
func (p *Provider) now() time.Time { return p.opts.Clock.Now().UTC().Truncate(time.Second) }

// expired tells whether a waiting trade can no longer be paid.
func (t *trade) expired(now time.Time) bool { return t.State == waiting && !now.Before(t.ExpiresAt) }

// newID is 26 letters and digits that nobody guesses.
func newID() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	return strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw))
}

// DropNotifications makes notifications get lost on their way, or stops it.
func (p *Provider) DropNotifications(drop bool) { p.order(func(c *controls) { c.drop = drop }) }

// Delay holds back notifications of later payments.
func (p *Provider) Delay(d time.Duration) { p.order(func(c *controls) { c.delay = d }) }

// Fail makes the next n calls of the platform end as if nobody were there.
func (p *Provider) Fail(n int) { p.order(func(c *controls) { c.fail = n }) }

func (p *Provider) order(change func(*controls)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.test)
}
