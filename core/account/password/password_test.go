package password_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"certsaas/core/account/password"
	"certsaas/core/fault"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for plain, want := range map[string]string{
		"":                                 "password.short",
		"1234567":                          "password.short",
		"\xff\xfe\xfd\xfc\xfb\xfa\xf9\xf8": "password.short",
		"12345678":                         "password.trivial",
		"87654321":                         "password.trivial",
		"aaaaaaaaaa":                       "password.trivial",
		strings.Repeat("长", password.MaxLength+1): "password.long",
		"correct horse": "",
		"密码不是这个吧啊":      "",
	} {
		got := ""
		if f := fault.From(password.Check("password", plain)); f != nil {
			got = f.Fields[0].ID
		}
		if got != want {
			t.Errorf("Check(%q) = %q, want %q", plain, got, want)
		}
	}
}

func TestHashAndMatch(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	hash, err := password.Hash(ctx, "correct horse")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash parameters: %s", hash)
	}
	for _, c := range []struct {
		plain, hash string
		want        bool
	}{
		{"correct horse", hash, true}, {"correct horsf", hash, false}, {"", hash, false},
		{"correct horse", "", false}, {"", "", false}, // no account: false after the same work
		{strings.Repeat("a", 1<<20), hash, false},
	} {
		got, err := password.Matches(ctx, c.plain, c.hash)
		if err != nil || got != c.want {
			t.Errorf("Matches(%.20q) = %t %v, want %t", c.plain, got, err, c.want)
		}
	}
	if _, err := password.Matches(ctx, "x", "rubbish"); err == nil {
		t.Error("a broken stored hash was taken for a wrong password")
	}
}

// A storm of checks waits for its turn; those whose time runs out are told so and cost nothing.
func TestStormWaits(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), 150*time.Millisecond)
	defer cancel()
	var wg sync.WaitGroup
	errs := make([]error, 100)
	for i := range errs {
		wg.Add(1)
		go func() {
			defer wg.Done()
			_, errs[i] = password.Matches(ctx, "x", "")
		}()
	}
	wg.Wait()
	busy := 0
	for _, err := range errs {
		if errors.Is(err, fault.Unavailable) {
			busy++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	if busy == 0 {
		t.Error("100 hashes in 150 ms: nothing waited")
	}
}
