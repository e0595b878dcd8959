package account_test

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"certsaas/core/account"
	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/i18n"
	"certsaas/core/vault"
)

const (
	mobile   = "13800138000"
	password = "correct horse"
)

var start = time.Date(2026, 11, 28, 2, 0, 0, 0, time.UTC)

// house is a service on a database of its own, with a clock that stands still.
type house struct {
	*account.Service
	db     *db.DB
	clock  *clock.Fake
	sms    *channel.Recording
	tenant uuid.UUID
	mu     sync.Mutex // over alarms: they come from many goroutines
	alarms []account.Alarm
}

func newHouse(t testing.TB, limits account.Limits) *house {
	t.Helper()
	h := &house{clock: clock.NewFake(start), sms: &channel.Recording{}, tenant: db.NewID()}
	h.db = coretest.DBAt(t, h.clock)
	v, err := vault.Open(t.Context(), vault.Config{KEK: strings.Repeat("a1", 32)}, h.db)
	if err != nil {
		t.Fatal(err)
	}
	h.Service = account.New(account.Deps{
		DB: h.db, Vault: v, Sender: h.sms, Texts: i18n.Must(account.Messages), Limits: limits,
		Alarm: func(_ context.Context, a account.Alarm) {
			h.mu.Lock()
			defer h.mu.Unlock()
			h.alarms = append(h.alarms, a)
		},
	})
	return h
}

// raised are the alarms so far.
func (h *house) raised() []account.Alarm {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.alarms)
}

func from(ip, browser string) account.Client {
	return account.Client{IP: netip.MustParseAddr(ip), Browser: browser}
}

var home = from("198.51.100.7", "browser-1")

// send asks for a code and reads it from the text message.
func (h *house) send(t testing.TB, p account.Purpose, number string, c account.Client) account.Proof {
	t.Helper()
	sent, err := h.SendCode(t.Context(), h.tenant, account.CodeRequest{Purpose: p, Mobile: number, Client: c, Order: orderFor(p)})
	if err != nil {
		t.Fatalf("send %s: %v", p, err)
	}
	m, ok := h.sms.Last(sent.Mobile)
	if !ok || !strings.Contains(m.Text, m.Params["code"]) {
		t.Fatalf("no text message with the code: %+v", m)
	}
	return account.Proof{Purpose: p, Mobile: number, Code: m.Params["code"], Client: c, Order: orderFor(p)}
}

var theOrder = db.NewID()

func orderFor(p account.Purpose) uuid.UUID {
	if p == account.PurposeOrder {
		return theOrder
	}
	return uuid.Nil
}

func (h *house) register(t testing.TB, number string) account.Account {
	t.Helper()
	a, err := h.Register(t.Context(), h.tenant, h.send(t, account.PurposeRegister, number, home), password)
	if err != nil {
		t.Fatal(err)
	}
	h.clock.Advance(2 * time.Minute) // past the resend wait
	return a
}

func (h *house) try(t testing.TB, p account.Proof) error {
	t.Helper()
	return h.WithCode(t.Context(), h.tenant, p, func(context.Context, *db.Tx, string) error { return nil })
}

// sentence is the message id a person reads: of the field if there is one.
func sentence(err error) string {
	f := fault.From(err)
	switch {
	case err == nil:
		return ""
	case f == nil:
		return "internal: " + err.Error()
	case len(f.Fields) > 0:
		return f.Fields[0].ID
	}
	return f.ID
}

// req: B13 B14 B15
func TestRegisterThenLogIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t, account.Limits{})
	a := h.register(t, "+86 138-0013-8000")
	if a.Mobile != mobile || !a.HasPassword {
		t.Fatalf("account %+v", a)
	}
	s, err := h.LoginByPassword(t.Context(), h.tenant, mobile, password, home, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := h.Authenticate(t.Context(), h.tenant, s.Token)
	if err != nil || got.Account.ID != a.ID || got.Account.Mobile != mobile || got.Account.LastLoginAt == nil {
		t.Fatalf("session %+v, %v", got, err)
	}
	if p := got.Account.Principal(); p.Tenant != h.tenant || p.Name != "138****8000" {
		t.Errorf("principal %+v", p)
	}
	// once more, with the code proved: told plainly
	p := h.send(t, account.PurposeRegister, mobile, home)
	if _, err := h.Register(t.Context(), h.tenant, p, password); sentence(err) != "account.exists" {
		t.Errorf("registered twice: %v", err)
	}
	for _, bad := range []string{"12800138000", "1380013800", "+852 61234567", ""} {
		if _, err := h.SendCode(t.Context(), h.tenant, account.CodeRequest{Purpose: account.PurposeRegister, Mobile: bad, Client: home}); sentence(err) != "account.mobile_invalid" {
			t.Errorf("code for %q: %v", bad, err)
		}
	}
}

// The order's code makes the account and the session; the same mobile logs in by code later. req: K4 K34 K35 K42
func TestOrderFirst(t *testing.T) {
	t.Parallel()
	h := newHouse(t, account.Limits{})
	s, err := h.ConfirmOrder(t.Context(), h.tenant, h.send(t, account.PurposeOrder, mobile, home), "")
	if err != nil || s.Account.HasPassword {
		t.Fatalf("%+v %v", s, err)
	}
	h.clock.Advance(2 * time.Minute)
	again, err := h.LoginByCode(t.Context(), h.tenant, h.send(t, account.PurposeLogin, mobile, home), s.Token)
	if err != nil || again.Account.ID != s.Account.ID {
		t.Fatalf("login by code: %+v %v", again, err)
	}
	if _, err := h.Authenticate(t.Context(), h.tenant, s.Token); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("the browser's earlier session outlived the login: %v", err)
	}
	if again.Token == s.Token || len(again.Token) != 43 {
		t.Errorf("token %q is not 32 new bytes", again.Token)
	}
	// a password cannot open an account that has none
	for _, guess := range []string{"", "no account has this password"} {
		if _, err := h.LoginByPassword(t.Context(), h.tenant, mobile, guess, home, ""); sentence(err) != "account.login_wrong" {
			t.Errorf("password %q: %v", guess, err)
		}
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	h := newHouse(t, account.Limits{})
	h.register(t, mobile)
	s, err := h.LoginByPassword(t.Context(), h.tenant, mobile, password, home, "")
	if err != nil {
		t.Fatal(err)
	}
	p := h.send(t, account.PurposePassword, mobile, home)
	if err := h.ChangePassword(t.Context(), h.tenant, p, "short"); sentence(err) != "password.short" {
		t.Fatalf("short password: %v", err)
	}
	if err := h.ChangePassword(t.Context(), h.tenant, p, "battery staple"); err != nil {
		t.Fatalf("the refused password spent the code: %v", err)
	}
	if _, err := h.Authenticate(t.Context(), h.tenant, s.Token); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("session outlived the password: %v", err)
	}
	if _, err := h.LoginByPassword(t.Context(), h.tenant, mobile, password, home, ""); sentence(err) != "account.login_wrong" {
		t.Errorf("old password: %v", err)
	}
	if _, err := h.LoginByPassword(t.Context(), h.tenant, mobile, "battery staple", home, ""); err != nil {
		t.Errorf("new password: %v", err)
	}
	h.clock.Advance(2 * time.Minute)
	if err := h.ChangePassword(t.Context(), h.tenant, h.send(t, account.PurposePassword, "13900139000", home), password); sentence(err) != "account.none" {
		t.Errorf("unknown mobile, proved: %v", err)
	}
}

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	h := newHouse(t, account.Limits{})
	h.register(t, mobile)
	begin := func() string {
		s, err := h.LoginByPassword(t.Context(), h.tenant, mobile, password, home, "")
		if err != nil {
			t.Fatal(err)
		}
		return s.Token
	}
	alive := func(token string) bool {
		_, err := h.Authenticate(t.Context(), h.tenant, token)
		if err != nil && !errors.Is(err, fault.Unauthenticated) {
			t.Fatal(err)
		}
		return err == nil
	}
	idle := begin()
	h.clock.Advance(account.IdleLimit - time.Second)
	if !alive(idle) {
		t.Error("ended before the idle limit")
	}
	h.clock.Advance(account.IdleLimit - time.Second)
	if !alive(idle) {
		t.Error("a request did not keep the session alive")
	}
	h.clock.Advance(account.IdleLimit)
	if alive(idle) {
		t.Error("outlived the idle limit")
	}
	busy := begin()
	for range 14 { // 7 days in steps of 11 h 59 min and a little
		h.clock.Advance(account.IdleLimit - time.Minute)
		if !alive(busy) {
			t.Fatal("a busy session ended early")
		}
	}
	h.clock.Advance(15 * time.Minute)
	if alive(busy) {
		t.Error("outlived the absolute limit")
	}
	one, two := begin(), begin()
	if _, err := h.Authenticate(t.Context(), db.NewID(), one); !errors.Is(err, fault.Unauthenticated) {
		t.Errorf("the token opened another tenant: %v", err)
	}
	if err := h.Logout(t.Context(), h.tenant, one); err != nil || alive(one) || !alive(two) {
		t.Errorf("logout: %v", err)
	}
	h.clock.Advance(30 * 24 * time.Hour)
	if n, err := h.Sweep(t.Context(), 7*24*time.Hour); err != nil || n < 5 {
		t.Errorf("sweep removed %d rows, %v", n, err)
	}
	var clear int
	coretest.OwnerRow(t, h.db, []any{&clear}, `SELECT count(*) FROM accounts WHERE position('13800138000'::bytea IN mobile_sealed) > 0 OR password_hash NOT LIKE '$argon2id$%'`)
	if clear != 0 {
		t.Error("personal data or a password lies in clear")
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(account.Messages) {
		t.Error(p)
	}
}
