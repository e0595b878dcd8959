package account_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"certsaas/core/account"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/fault"
)

// wrongCode is a code that is not p's.
func wrongCode(p account.Proof) account.Proof {
	last := p.Code[5]
	p.Code = p.Code[:5] + string('0'+(last-'0'+1)%10)
	return p
}

// O1: 200 parallel guesses from as many addresses: at most five are looked at, and then even the right code is dead.
func TestParallelGuesses(t *testing.T) {
	t.Parallel()
	h := newHouse(t, account.Limits{})
	p := h.send(t, account.PurposeLogin, mobile, home)
	var mu sync.Mutex
	got := map[string]int{}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			guess := wrongCode(p)
			guess.Client = from(fmt.Sprintf("203.%d.113.9", i), home.Browser)
			id := sentence(h.try(t, guess))
			mu.Lock()
			got[id]++
			mu.Unlock()
		}()
	}
	wg.Wait()
	if got["account.code_wrong"] != 4 || got["account.code_dead"] != 196 { // the fifth wrong try kills it
		t.Errorf("answers %v", got)
	}
	var tries int
	coretest.OwnerRow(t, h.db, []any{&tries}, `SELECT tries FROM challenges`)
	if tries != 5 {
		t.Errorf("%d tries were looked at, want 5", tries)
	}
	if err := h.try(t, p); sentence(err) != "account.code_dead" {
		t.Errorf("the right code as sixth try: %v", err)
	}
}

// O4: a code is good once, for its purpose, order, mobile, browser and tenant only, and while it is the newest and alive. req: K36
func TestCodeIsBound(t *testing.T) {
	t.Parallel()
	other := db.NewID()
	for name, c := range map[string]struct {
		change func(t *testing.T, h *house, p account.Proof) account.Proof
		want   string
	}{
		"as sent":     {func(_ *testing.T, _ *house, p account.Proof) account.Proof { return p }, ""},
		"full-width":  {func(_ *testing.T, _ *house, p account.Proof) account.Proof { p.Code = wide(p.Code); return p }, ""},
		"other order": {func(_ *testing.T, _ *house, p account.Proof) account.Proof { p.Order = other; return p }, "account.code_dead"},
		"other purpose": {func(_ *testing.T, _ *house, p account.Proof) account.Proof {
			p.Purpose, p.Order = account.PurposeLogin, [16]byte{}
			return p
		}, "account.code_dead"},
		"other mobile":  {func(_ *testing.T, _ *house, p account.Proof) account.Proof { p.Mobile = "13900139000"; return p }, "account.code_dead"},
		"other browser": {func(_ *testing.T, _ *house, p account.Proof) account.Proof { p.Client.Browser = "b2"; return p }, "account.code_dead"},
		"other tenant":  {func(_ *testing.T, h *house, p account.Proof) account.Proof { h.tenant = other; return p }, "account.code_dead"},
		"used": {func(t *testing.T, h *house, p account.Proof) account.Proof {
			if err := h.try(t, p); err != nil {
				t.Error(err)
			}
			return p
		}, "account.code_dead"},
		"after resend": {func(t *testing.T, h *house, p account.Proof) account.Proof {
			h.clock.Advance(time.Minute)
			if n := h.send(t, account.PurposeOrder, mobile, home); n.Code == p.Code {
				t.Skip("the same six digits twice: one in a million")
			}
			return p
		}, "account.code_wrong"},
		"just in time": {func(_ *testing.T, h *house, p account.Proof) account.Proof {
			h.clock.Advance(299 * time.Second)
			return p
		}, ""},
		"too late": {func(_ *testing.T, h *house, p account.Proof) account.Proof {
			h.clock.Advance(300 * time.Second)
			return p
		}, "account.code_dead"},
		"five digits": {func(_ *testing.T, _ *house, p account.Proof) account.Proof { p.Code = p.Code[:5]; return p }, "account.code_format"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t, account.Limits{})
			p := h.send(t, account.PurposeOrder, mobile, home)
			if got := sentence(h.try(t, c.change(t, h, p))); got != c.want {
				t.Errorf("answer %q, want %q", got, c.want)
			}
		})
	}
}

// wide is a text in full-width characters.
func wide(code string) string {
	return strings.Map(func(r rune) rune {
		if r > ' ' && r <= '~' {
			return r - '!' + '！'
		}
		return r
	}, code)
}

// What the code is for fails: the code is not spent. It succeeds in parallel: once.
func TestCodeIsSpentWithTheAct(t *testing.T) {
	t.Parallel()
	h := newHouse(t, account.Limits{})
	p := h.send(t, account.PurposeLogin, mobile, home)
	boom := errors.New("boom")
	if err := h.WithCode(t.Context(), h.tenant, p, func(context.Context, *db.Tx, string) error { return boom }); !errors.Is(err, boom) {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	good := 0
	for range 20 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if h.try(t, p) == nil {
				mu.Lock()
				good++
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	if good != 1 {
		t.Errorf("the code was good %d times", good)
	}
}

// A hundred parallel requests send one text message; the next may come after the product's wait. req: K36
func TestOneMessageForParallelRequests(t *testing.T) {
	t.Parallel()
	h := newHouse(t, account.Limits{IPHour: 1000, NetHour: 1000})
	ask := func() error {
		_, err := h.SendCode(t.Context(), h.tenant, account.CodeRequest{Purpose: account.PurposeLogin, Mobile: mobile, Client: home, Lifetime: time.Minute, Resend: time.Minute})
		return err
	}
	var wg sync.WaitGroup
	for range 100 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			if err := ask(); err != nil && !errors.Is(err, fault.RateLimited) {
				t.Error(err)
			}
		}()
	}
	wg.Wait()
	if n := len(h.sms.Sent()); n != 1 {
		t.Fatalf("%d messages, want 1", n)
	}
	h.clock.Advance(59 * time.Second)
	if f := fault.From(ask()); f == nil || f.Args["Seconds"] != 1 {
		t.Errorf("after 59 s: %v", f)
	}
	h.clock.Advance(time.Second)
	if err := ask(); err != nil {
		t.Errorf("after 60 s: %v", err)
	}
}

// Every limit on sending, each by itself (O3; attack_test.go has the attacks).
func TestSendLimits(t *testing.T) {
	t.Parallel()
	h := newHouse(t, account.Limits{NumberHour: 3, NumberDay: 4, IPHour: 10, NetHour: 12, TenantDay: 18})
	ask := func(number, ip string) error {
		_, err := h.SendCode(t.Context(), h.tenant, account.CodeRequest{Purpose: account.PurposeLogin, Mobile: number, Client: from(ip, "b")})
		return err
	}
	count := func(n int, number func(i int) string, ip func(i int) string) (sent int) {
		for i := range n {
			switch err := ask(number(i), ip(i)); {
			case err == nil:
				sent++
			case !errors.Is(err, fault.RateLimited):
				t.Fatal(err)
			}
			h.clock.Advance(61 * time.Second)
		}
		return sent
	}
	spellings := []string{"13800138000", "+8613800138000", "0086 138 0013 8000", "138-0013-8000", "１３８００１３８０００", "+86（138）00138000"}
	apart := func(i int) string { return fmt.Sprintf("100.%d.0.1", i+1) }
	if n := count(len(spellings), func(i int) string { return spellings[i] }, apart); n != 3 {
		t.Errorf("one number an hour, however it is written: %d codes, want 3", n)
	}
	h.clock.Advance(time.Hour)
	if n := count(3, func(int) string { return mobile }, apart); n != 1 {
		t.Errorf("one number a day: %d more codes, want 1", n)
	}
	sequential := func(i int) string { return fmt.Sprintf("1390013%04d", i) }
	if n := count(15, sequential, func(int) string { return "203.0.113.1" }); n != 10 {
		t.Errorf("one address: %d codes, want 10", n)
	}
	if n := count(5, func(i int) string { return sequential(100 + i) }, func(i int) string { return fmt.Sprintf("203.0.113.%d", 10+i) }); n != 2 {
		t.Errorf("the address's neighbours: %d codes, want 2", n)
	}
	if n := count(5, func(i int) string { return sequential(200 + i) }, func(i int) string { return fmt.Sprintf("2001:db8:%d::1", i) }); n != 2 {
		t.Errorf("the tenant's budget: %d codes, want 2", n)
	}
	if sentence(ask("13700137000", "9.9.9.9")) != "account.budget" || len(h.sms.Sent()) != 18 {
		t.Errorf("%d messages went out, want 18", len(h.sms.Sent()))
	}
	var at []int64
	for _, a := range h.raised() {
		if a.Scope == "code-send/tenant" && a.Key == h.tenant.String() {
			at = append(at, a.Count)
		}
	}
	if !slices.Equal(at, []int64{12, 18}) { // 70 %, and all of it
		t.Errorf("alarms at %v", at)
	}
}

// A provider that fails: the person is told to ask again later, and a code that came through after all still works.
func TestSenderFails(t *testing.T) {
	t.Parallel()
	h := newHouse(t, account.Limits{})
	h.sms.FailNext(1)
	_, err := h.SendCode(t.Context(), h.tenant, account.CodeRequest{Purpose: account.PurposeLogin, Mobile: mobile, Client: home})
	if !errors.Is(err, fault.Unavailable) || sentence(err) != "account.code_unsent" {
		t.Fatal(err)
	}
	h.clock.Advance(time.Minute)
	if err := h.try(t, h.send(t, account.PurposeLogin, mobile, home)); err != nil {
		t.Error(err)
	}
}

// The tenant's own text is filled in, never run.
func TestTenantText(t *testing.T) {
	t.Parallel()
	h := newHouse(t, account.Limits{})
	ask := func(text string) error {
		_, err := h.SendCode(t.Context(), h.tenant, account.CodeRequest{Purpose: account.PurposeLogin, Mobile: mobile, Client: home,
			Text: text, Org: "演示{code}", Lifetime: time.Minute})
		return err
	}
	if err := ask("{nothing}"); !errors.Is(err, fault.Invalid) || len(h.sms.Sent()) != 0 {
		t.Fatalf("a text with a hole: %v", err)
	}
	if err := ask("{org} {{.Code}} ${code} {seconds}/{minutes}"); err != nil {
		t.Fatal(err)
	}
	m, _ := h.sms.Last(mobile)
	if want := "演示{code} {{.Code}} $" + m.Params["code"] + " 60/1"; m.Text != want {
		t.Errorf("text %q, want %q", m.Text, want)
	}
}

// Stored codes tell nothing: neither the digits nor a hash anybody could try a million codes on.
func TestStoredCode(t *testing.T) {
	t.Parallel()
	h := newHouse(t, account.Limits{})
	p := h.send(t, account.PurposeLogin, mobile, home)
	var size, clear int
	coretest.OwnerRow(t, h.db, []any{&size, &clear}, `SELECT length(code_mac), (SELECT count(*) FROM challenges c
		WHERE c::text LIKE '%' || $1 || '%' OR code_mac = sha256($1::bytea) OR code_mac = sha256(($1 || $2)::bytea)) FROM challenges`, p.Code, mobile)
	if size != 32 || clear != 0 {
		t.Errorf("mac of %d bytes, %d rows show the code", size, clear)
	}
}
