package account_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"certsaas/core/account"
	"certsaas/core/authz"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/fault"
)

// ASVS 6.3.8: whether a mobile has an account shows neither in words nor in time.
func TestNoEnumeration(t *testing.T) {
	h := newHouse(t, account.Limits{IPHour: 1000, NetHour: 1000, LoginIP: 1000, LoginNet: 1000, LoginPair: 1000, LoginNumber: 1000})
	h.register(t, mobile)
	const stranger = "13900139000"
	texts := map[string][]string{}
	times := map[string][]time.Duration{}
	for range 15 {
		for _, m := range []string{mobile, stranger} {
			begin := clock.System().Now()
			_, err := h.LoginByPassword(t.Context(), h.tenant, m, "wrong horse", home, "")
			times[m] = append(times[m], clock.System().Now().Sub(begin))
			texts[m] = append(texts[m], err.Error())
			for _, p := range []account.Purpose{account.PurposeLogin, account.PurposePassword, account.PurposeRegister} {
				h.clock.Advance(24 * time.Hour)
				sent, err := h.SendCode(t.Context(), h.tenant, account.CodeRequest{Purpose: p, Mobile: m, Client: home})
				texts[m] = append(texts[m], fmt.Sprint(sent.ExpiresAt.Sub(h.clock.Now()), sent.ResendAt.Sub(h.clock.Now()), err))
				_, err = h.LoginByCode(t.Context(), h.tenant, account.Proof{Mobile: m, Code: "000000", Client: from("198.51.100.8", "x")}, "")
				texts[m] = append(texts[m], sentence(err))
			}
		}
	}
	if !slices.Equal(texts[mobile], texts[stranger]) {
		t.Errorf("answers differ:\n%q\n%q", texts[mobile], texts[stranger])
	}
	// the fastest of each: a busy machine only ever adds time
	known, unknown := slices.Min(times[mobile]), slices.Min(times[stranger])
	if d := (known - unknown).Abs(); d > 20*time.Millisecond {
		t.Errorf("%v for a known mobile, %v for an unknown one", known, unknown)
	}
}

// Guessing a password from one place stops soon; it does not keep the owner out elsewhere.
func TestPasswordGuessing(t *testing.T) {
	t.Parallel()
	h := newHouse(t, account.Limits{LoginPair: 3, LoginIP: 6})
	h.register(t, mobile)
	thief := from("203.0.113.5", "thief")
	guess := func(number string) error {
		_, err := h.LoginByPassword(t.Context(), h.tenant, number, "wrong horse", thief, "")
		return err
	}
	for i := range 6 {
		want := fault.Unauthenticated
		if i >= 3 {
			want = fault.RateLimited
		}
		if err := guess(mobile); !errors.Is(err, want) {
			t.Errorf("guess %d: %v, want %s", i+1, err, want)
		}
	}
	if _, err := h.LoginByPassword(t.Context(), h.tenant, mobile, password, thief, ""); !errors.Is(err, fault.RateLimited) {
		t.Errorf("the right password after too many wrong ones from there: %v", err)
	}
	for i := range 5 {
		want := fault.Unauthenticated
		if i >= 3 {
			want = fault.RateLimited
		}
		if err := guess(fmt.Sprintf("1390013900%d", i)); !errors.Is(err, want) {
			t.Errorf("number %d from one address: %v, want %s", i, err, want)
		}
	}
	if _, err := h.LoginByPassword(t.Context(), h.tenant, mobile, password, home, ""); err != nil {
		t.Errorf("the owner at home: %v", err)
	}
	h.clock.Advance(2 * time.Hour)
	if _, err := h.LoginByPassword(t.Context(), h.tenant, mobile, password, thief, ""); err != nil {
		t.Errorf("there again, hours later: %v", err)
	}
	var denied, named int
	coretest.OwnerRow(t, h.db, []any{&denied, &named}, `SELECT count(*) FILTER (WHERE outcome = 'denied' AND action = 'account.login'),
		count(*) FILTER (WHERE audit_entries::text LIKE '%13800138000%') FROM audit_entries`)
	if denied != 6 || named != 0 {
		t.Errorf("%d refusals in the audit trail, want 6; %d entries show the mobile", denied, named)
	}
}

// A mobile under attack from everywhere: the password is off for the day, the code still opens.
func TestMobileUnderAttackLogsInByCode(t *testing.T) {
	t.Parallel()
	h := newHouse(t, account.Limits{LoginNumber: 4})
	h.register(t, mobile)
	for i := range 5 {
		_, _ = h.LoginByPassword(t.Context(), h.tenant, mobile, "wrong horse", from(fmt.Sprintf("203.%d.113.5", i), "thief"), "")
	}
	if _, err := h.LoginByPassword(t.Context(), h.tenant, mobile, password, home, ""); !errors.Is(err, fault.RateLimited) {
		t.Errorf("password: %v", err)
	}
	if _, err := h.LoginByCode(t.Context(), h.tenant, h.send(t, account.PurposeLogin, mobile, home), ""); err != nil {
		t.Errorf("code: %v", err)
	}
}

func TestProvision(t *testing.T) {
	t.Parallel()
	h := newHouse(t, account.Limits{})
	if _, err := h.Provision(t.Context(), h.tenant, mobile, password); !errors.Is(err, fault.Denied) {
		t.Errorf("anybody may: %v", err)
	}
	ctx := authz.WithPrincipal(t.Context(), authz.System("demo"))
	a, err := h.Provision(ctx, h.tenant, mobile, password)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := h.Provision(ctx, h.tenant, mobile, "battery staple"); err != nil || again.ID != a.ID {
		t.Errorf("once more: %+v %v", again, err)
	}
	if _, err := h.LoginByPassword(t.Context(), h.tenant, mobile, password, home, ""); err != nil {
		t.Errorf("the first password: %v", err)
	}
}
