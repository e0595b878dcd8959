package account_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"certsaas/core/account"
	"certsaas/core/coretest"
	"certsaas/core/fault"
)

// attackers is how many requests of an attack are under way at once.
const attackers = 8

// attack makes n requests, several at once, and counts what each came to.
func attack(n int, request func(i int) string) map[string]int {
	var mu sync.Mutex
	got, next := map[string]int{}, 0
	var wg sync.WaitGroup
	for range attackers {
		wg.Go(func() {
			for {
				mu.Lock()
				i := next
				next++
				mu.Unlock()
				if i >= n {
					return
				}
				outcome := request(i)
				mu.Lock()
				got[outcome]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return got
}

// address is the i-th of many, each in a network of its own.
func address(i int) string { return fmt.Sprintf("%d.%d.%d.9", 11+i>>16, i>>8&255, i&255) }

// TestGuessingWide (reliability O2): an attacker has a live code sent to each of very many numbers, asks from his own browser,
// and has one guess at each, within the hour, from one address, from fifty and from thousands. His addresses' own limits stop
// the few, the common limit the many, which leaves each address one look. An alarm is raised, he is right no more often than
// chance would have it for what was looked at, and an honest person still gets in at his first try.
func TestGuessingWide(t *testing.T) {
	t.Parallel()
	numbers := coretest.Size(140, 100_000)
	limits := account.DefaultLimits()
	if numbers < 1000 { // the same attack against limits as small as it
		limits = account.Limits{WrongIP: 20, WrongNet: 60, WrongAll: 50, TightIP: 1, TightNet: 5}
	}
	for _, addresses := range []int{1, coretest.Size(6, 50), coretest.Size(70, 5000)} {
		t.Run(fmt.Sprintf("%d addresses", addresses), func(t *testing.T) {
			t.Parallel()
			guessWide(t, numbers, addresses, limits)
		})
	}
}

func guessWide(t *testing.T, numbers, addresses int, limits account.Limits) {
	open := limits
	open.BlockHour, open.IPHour, open.NetHour, open.TenantDay = 1<<40, 1<<40, 1<<40, 1<<40 // sending is TestPumping's
	h := newHouse(t, open)
	honest := h.send(t, account.PurposeLogin, mobile, home)
	number := func(i int) string { return fmt.Sprintf("139%08d", i) }
	const guess = "135790"
	right := h.sendMany(t, numbers, number, guess)
	begin := time.Now()
	got := attack(numbers, func(i int) string {
		err := h.try(t, account.Proof{Purpose: account.PurposeLogin, Mobile: number(i), Code: guess, Client: from(address(i%addresses), "attacker")})
		switch {
		case err == nil && right[number(i)]:
			return "hit"
		case errors.Is(err, fault.RateLimited):
			return "limited"
		}
		return sentence(err)
	})
	took := time.Since(begin)
	looked := got["account.code_wrong"] + got["hit"]
	// before the common limit each address has WrongIP looks, after it TightIP; some are under way when it is reached
	most := min(numbers, addresses*int(limits.WrongIP), int(limits.WrongAll)+addresses*int(limits.TightIP)+attackers)
	least := min(numbers, addresses*int(limits.WrongIP), int(limits.WrongAll))
	t.Logf("%d guesses from %d addresses: %d looked at (at most %d), %d hits of %d possible, chance would have %.4f; alarms %+v; %s, %.0f/s",
		numbers, addresses, looked, most, got["hit"], len(right), float64(looked)/1e6, h.raised(), took.Round(time.Second), float64(numbers)/took.Seconds())
	if looked+got["limited"] != numbers || looked > most || looked < least {
		t.Errorf("answers %v: %d were looked at, want %d to %d, and all others limited", got, looked, least, most)
	}
	if got["hit"] > 1 { // of five thousand looks: one is right once in 200 runs, two once in 80,000
		t.Errorf("%d hits in %d looks", got["hit"], looked)
	}
	want := 0
	if int64(looked) >= limits.WrongAll {
		want = 1
	}
	if a := h.raised(); len(a) != want || want == 1 && a[0].Scope != "code-fail/all" {
		t.Errorf("alarms %+v, want %d", a, want)
	}
	if err := h.try(t, honest); err != nil {
		t.Errorf("honest person: %v", err)
	}
}

// sendMany has a code sent to each of many numbers, to the attacker's browser, and gives those where a guess would be right.
func (h *house) sendMany(t *testing.T, n int, number func(i int) string, guess string) map[string]bool {
	t.Helper()
	got := attack(n, func(i int) string {
		_, err := h.SendCode(t.Context(), h.tenant, account.CodeRequest{Purpose: account.PurposeLogin, Mobile: number(i),
			Client: from(address(i), "attacker"), Lifetime: time.Hour})
		return sentence(err)
	})
	if got[""] != n {
		t.Fatalf("sending: %v", got)
	}
	right := map[string]bool{}
	for _, m := range h.sms.Sent() {
		if m.Params["code"] == guess {
			right[m.To] = true
		}
	}
	return right
}

// TestPumping (reliability O3) has codes sent for the sake of the fee, each request from an address of its own, within a day:
// to a prefix's numbers in order, where the limit of each block stops it; to a few numbers of every block, where the tenant's
// budget does and raises its alarms; to foreign numbers, of which none is sent to and none is counted; to one number in
// hundreds of spellings, which is one number.
func TestPumping(t *testing.T) {
	t.Parallel()
	sends := coretest.Size(150, 10_000)
	limits := account.DefaultLimits()
	if sends < 1000 {
		limits.BlockHour, limits.TenantDay = 5, 40
	}
	t.Run("in order", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, limits)
		got := h.pump(t, sends, func(i int) string { return fmt.Sprintf("139%08d", i) })
		blocks := (sends + 999) / 1000
		if want := blocks * int(limits.BlockHour); len(h.sms.Sent()) != want || got["throttle.limited_minutes"] != sends-want {
			t.Errorf("%d messages into %d blocks of a thousand, want %d; answers %v", len(h.sms.Sent()), blocks, want, got)
		}
		t.Logf("%d sends in order: %d messages", sends, len(h.sms.Sent()))
	})
	t.Run("spread", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, limits)
		perBlock := min(10, int(limits.BlockHour)-1)
		got := h.pump(t, sends, func(i int) string { return fmt.Sprintf("138%05d%03d", i/perBlock, i%perBlock*97) })
		if n := len(h.sms.Sent()); n != int(limits.TenantDay) || got["account.budget"] != sends-n {
			t.Errorf("%d messages, the day's budget is %d; answers %v", n, limits.TenantDay, got)
		}
		a := h.raised()
		if len(a) != 2 || a[0].Count != limits.TenantDay*limits.WarnPercent/100 || a[1].Count != limits.TenantDay {
			t.Errorf("alarms %+v", a)
		}
		t.Logf("%d sends to all blocks: %d messages, alarms at %d and %d", sends, len(h.sms.Sent()), a[0].Count, a[1].Count)
	})
	t.Run("foreign", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, limits)
		all := foreign()
		got := h.pump(t, coretest.Size(len(all), sends), func(i int) string { return all[i%len(all)] })
		if n := len(h.sms.Sent()); n != 0 || len(got) != 1 || got["account.mobile_invalid"] == 0 {
			t.Errorf("%d messages abroad; answers %v", n, got)
		}
		var counted int
		coretest.OwnerRow(t, h.db, []any{&counted}, `SELECT (SELECT count(*) FROM rate_counters) + (SELECT count(*) FROM challenges)`)
		if counted != 0 {
			t.Errorf("%d rows were written for them", counted)
		}
		t.Logf("%v of %d spellings of foreign numbers", got, len(all))
	})
	t.Run("spellings", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t, limits)
		all := spellings()
		sent := 0
		for i := range all { // two minutes apart: the wait between two codes is never what stops them
			_, err := h.SendCode(t.Context(), h.tenant, account.CodeRequest{Purpose: account.PurposeLogin, Mobile: all[i], Client: from(address(i), "b")})
			if err == nil {
				sent++
			} else if !errors.Is(err, fault.RateLimited) {
				t.Errorf("%q: %v", all[i], err)
			}
			h.clock.Advance(2 * time.Minute)
		}
		var keys int
		coretest.OwnerRow(t, h.db, []any{&keys}, `SELECT count(DISTINCT mobile_index) FROM challenges`)
		if len(all) < 400 || keys != 1 || sent != int(limits.NumberDay) || len(h.sms.Sent()) != sent {
			t.Errorf("%d spellings of one number within %s are %d numbers and %d messages, want 1 and %d", len(all), time.Duration(len(all))*2*time.Minute, keys, sent, limits.NumberDay)
		}
		t.Logf("%d spellings: %d messages to %d number", len(all), sent, keys)
	})
}

// pump asks for codes, each from an address of its own, and counts the answers.
func (h *house) pump(t *testing.T, n int, number func(i int) string) map[string]int {
	return attack(n, func(i int) string {
		_, err := h.SendCode(t.Context(), h.tenant, account.CodeRequest{Purpose: account.PurposeRegister, Mobile: number(i), Client: from(address(i), "pump")})
		return sentence(err)
	})
}

// foreign are numbers of other countries and regions, as people write them. Some have eleven digits, as mainland numbers
// have; +1 380 013 8000 has even the same ones as one of those.
func foreign() (out []string) {
	for _, code := range []string{"1", "7", "20", "33", "44", "49", "62", "81", "82", "84", "91", "234", "371", "852", "853", "886", "960"} {
		for _, rest := range []string{"13800138000", "9123456789", "61234567", "2025550123", "3800138000"} {
			for _, form := range []string{"+%s%s", "00%s%s", "+%s %s", "+%s-%s", "(+%s)%s", "＋%s%s"} {
				out = append(out, fmt.Sprintf(form, code, rest))
			}
		}
	}
	return out
}

// spellings are all the ways in which people write one number: with a country code or without, grouped or not, the groups
// apart by blanks or lines of several kinds, in digits of either width.
func spellings() (out []string) {
	groups := [][]string{{"138", "0013", "8000"}, {"1380", "013", "8000"}, {"138", "00138000"}, {"13800138000"}}
	for _, code := range []string{"", "+86", "0086", "86", "(+86)", "+86-", "（+86）", "86 "} {
		for _, between := range []string{" ", "-", ".", "\u3000", "\u00a0", "–", "—", "  ", " - "} {
			for _, g := range groups {
				s := code
				for i, part := range g {
					if i > 0 {
						s += between
					}
					s += part
				}
				for _, v := range []string{s, wide(s)} {
					if !slices.Contains(out, v) {
						out = append(out, v)
					}
				}
			}
		}
	}
	return out
}
