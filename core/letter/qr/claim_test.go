package qr_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"certsaas/core/letter/qr"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		values map[string]string
		want   string
	}{
		{nil, `{}`},
		{map[string]string{"b": "2", "a": "1", "B": ""}, `{"B":"","a":"1","b":"2"}`},
		{map[string]string{"org": `<甲&乙>"\` + "\n\t\x01\u2028/𠮷"}, `{"org":"<甲&乙>\"\\\n\t\u0001` + "\u2028" + `/𠮷"}`},
	} {
		if got := string(qr.Canonical(c.values)); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}

// The vector fixes canonical form, message and encoding: letters already printed must stay verifiable.
// Digest and signature were computed independently by the reference arithmetic of RFC 8032 in another language.
func TestVector(t *testing.T) {
	t.Parallel()
	pub, text, digest := payload()
	if got := hex.EncodeToString(pub); got != "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8" {
		t.Errorf("public key %s", got)
	}
	const sum = "8927627d29c54b0e3f9c329645894a6da5e6a88543440b204327889357a15c1e"
	if got := hex.EncodeToString(digest[:]); got != sum {
		t.Errorf("digest %s", got)
	}
	const want = "https://byd.certsaas.example/v/BYD-20261128-000123#iSdifSnFSw4_nDKWRYlKbQ.E6hZbdK2DMLeka9d-d1KAV8TWuR8T61FMfxDTqlkR9r6Y12EKRzbDSXAYNpkMe_OO6oqx9nLgiABAl0vldcFCg"
	if text != want {
		t.Errorf("payload %s", text)
	}
	m, err := qr.Encode(text)
	if err != nil || m.Size() > 57 {
		t.Errorf("%d modules (%v), want at most version 10", m.Size(), err)
	}
}

// req: B45 K22
func TestClaimProvesWhatWasPrinted(t *testing.T) {
	t.Parallel()
	pub, text, digest := payload()
	claim, err := qr.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := qr.Verify(pub, claim); err != nil {
		t.Error(err)
	}
	if claim.No != "BYD-20261128-000123" || claim.BaseURL != "https://byd.certsaas.example" || !claim.Matches(digest) {
		t.Errorf("%+v", claim)
	}
	changed := qr.Digest(map[string]string{"org": "演示有限公司", "code": "91350200MA2XN1AB0Y"})
	if claim.Matches(changed) {
		t.Error("changed data still match the printed letter")
	}
	for name, forge := range map[string]func(*qr.Claim){
		"number":    func(c *qr.Claim) { c.No = "BYD-20261128-000124" },
		"digest":    func(c *qr.Claim) { copy(c.Digest[:], changed[:]) },
		"signature": func(c *qr.Claim) { c.Sig[5] ^= 1 },
	} {
		forged := claim
		forge(&forged)
		if err := qr.Verify(pub, forged); !errors.Is(err, qr.ErrForged) {
			t.Errorf("forged %s: %v", name, err)
		}
	}
	other := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	for _, key := range []ed25519.PublicKey{other, nil, pub[:31]} {
		if err := qr.Verify(key, claim); !errors.Is(err, qr.ErrForged) {
			t.Errorf("key %x: %v", key, err)
		}
	}
}

func TestParseRefusesWhatWeDoNotPrint(t *testing.T) {
	t.Parallel()
	_, text, _ := payload()
	for _, bad := range []string{
		"", "https://byd.certsaas.example/v/1", text + "A", text[:len(text)-1], strings.Replace(text, "https", "javascript", 1),
		strings.Replace(text, "/v/", "/w/", 1), strings.Replace(text, ".", "=", 3), text + "\n", " " + text,
		strings.Replace(text, "BYD-2", "BYD_2", 1), strings.Replace(text, "BYD", "../BYD", 1) + "\x00",
		text[:len(text)-1] + nextSpelling(text[len(text)-1]), // same bytes, other unused bits
	} {
		if c, err := qr.Parse(bad); !errors.Is(err, qr.ErrNotClaim) {
			t.Errorf("%q accepted: %+v", bad, c)
		}
	}
}

func nextSpelling(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.IndexByte(alphabet, c)+1])
}

// The runs are the dark modules, each once.
func TestRuns(t *testing.T) {
	t.Parallel()
	m, err := qr.Encode("https://pay.example/qr?a=1&b=2")
	if err != nil {
		t.Fatal(err)
	}
	dark, inRuns := 0, 0
	for y := range m.Size() {
		for x := range m.Size() {
			if m.Dark(x, y) {
				dark++
			}
		}
	}
	m.Runs(func(_, _, n int) { inRuns += n })
	if diff := cmp.Diff(dark, inRuns); dark == 0 || diff != "" {
		t.Errorf("runs cover other modules: %s", diff)
	}
}

func FuzzParse(f *testing.F) {
	pub, text, _ := payload()
	f.Add(text)
	f.Add("https://a/v/1#.")
	f.Fuzz(func(t *testing.T, in string) {
		c, err := qr.Parse(in)
		if err != nil {
			return
		}
		if qr.Verify(pub, c) == nil && in != text && !strings.HasSuffix(in, text[strings.Index(text, "/v/"):]) {
			t.Errorf("%q verifies", in)
		}
		var digest [32]byte
		copy(digest[:], c.Digest[:])
		if again := qr.Payload(c.BaseURL, c.No, digest, c.Sig[:]); again != in && !strings.HasSuffix(c.BaseURL, "/") {
			t.Errorf("%q written again is %q", in, again)
		}
	})
}
