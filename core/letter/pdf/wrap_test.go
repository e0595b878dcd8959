package pdf

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func wrapped(t *testing.T, text string, ems float64) []string {
	t.Helper()
	f, err := face()
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, ln := range wrap(measure(f, Plain(text), 10), ems*10, 0) {
		var b strings.Builder
		for _, c := range ln.chars {
			b.WriteRune(c.r)
		}
		out = append(out, b.String())
	}
	return out
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		ems        float64
		want       []string
	}{
		{"full stop stays with its character", "甲乙丙丁。", 4, []string{"甲乙丙", "丁。"}},
		{"closing marks stay together", "甲乙丙丁）。", 4, []string{"甲乙丙", "丁）。"}},
		{"opening bracket goes on", "甲乙丙（丁）", 4, []string{"甲乙丙", "（丁）"}},
		{"latin word whole", "甲乙丙 USBKEY 丁", 5, []string{"甲乙丙", "USBKEY 丁"}},
		{"decimal whole", "甲乙丙丁3.14", 5, []string{"甲乙丙丁", "3.14"}},
		{"extensions may part", "为.jpeg、.jpg、.png。", 5, []string{"为.jpeg、", ".jpg、", ".png。"}},
		{"dashes whole", "甲乙丙——丁", 4.5, []string{"甲乙", "丙——丁"}},
		{"longer than a line", "abcdefghijklmnop", 4, []string{"abcdefg", "hijklmn", "op"}},
		{"line feeds", "甲\n\n乙", 4, []string{"甲", "", "乙"}},
		{"empty", "", 4, []string{""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(c.want, wrapped(t, c.text, c.ems)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever the text, nothing but spaces at breaks is lost, no line is too wide, and none begins with a closing mark.
func TestWrapProperties(t *testing.T) {
	t.Parallel()
	f, err := face()
	if err != nil {
		t.Fatal(err)
	}
	alphabet := []rune("甲乙丙丁𠮷，。）（；a1-. 　\n")
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		runes := make([]rune, rnd.IntN(60))
		for i := range runes {
			runes[i] = alphabet[rnd.IntN(len(alphabet))]
		}
		text, width := string(runes), 60+rnd.Float64()*100
		lines := wrap(measure(f, Plain(text), 10), width, 0)
		var all strings.Builder
		for i, ln := range lines {
			if ln.width > width+.001 {
				t.Fatalf("%q: line %d is %.1f wide, room %.1f", text, i, ln.width, width)
			}
			for _, c := range ln.chars {
				all.WriteRune(c.r)
			}
		}
		if strip(all.String()) != strip(text) {
			t.Fatalf("%q lost characters: %q", text, all.String())
		}
		for n := range len(lines) - 1 { // what flow goes on with below the code
			again := wrap(measure(f, Plain(text), 10)[lines[n].next:], width, 0)
			if diff := cmp.Diff(lines[n+1:], again, cmp.AllowUnexported(line{}, char{}), cmpopts.IgnoreFields(line{}, "next")); diff != "" {
				t.Fatalf("%q: after line %d: %s", text, n, diff)
			}
		}
	}
	for _, text := range []string{"甲乙，丙丁。戊己；庚辛）壬癸、甲乙丙丁！"} {
		for ems := 3.0; ems < 12; ems += .5 {
			for _, ln := range wrapped(t, text, ems) {
				if strings.ContainsRune(neverFirst, []rune(ln)[0]) {
					t.Errorf("at %.1f em a line begins with %q", ems, ln)
				}
			}
		}
	}
}

func strip(s string) string {
	return strings.NewReplacer(" ", "", "　", "", "\n", "").Replace(s)
}

func TestChineseNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]string{1: "一", 10: "十", 11: "十一", 20: "二十", 99: "九十九", 100: "100"} {
		if got := chineseNumber(n); got != want {
			t.Errorf("chineseNumber(%d) = %q, want %q", n, got, want)
		}
	}
}

// A stretched line is as wide as its room, and no word is pulled apart.
func TestStretch(t *testing.T) {
	t.Parallel()
	f, err := face()
	if err != nil {
		t.Fatal(err)
	}
	chars := measure(f, Plain("甲乙USBKEY丙13800138000丁，"), 10)
	before := total(chars)
	stretch(chars, 6)
	if got := total(chars); got < before+5.99 || got > before+6.01 {
		t.Errorf("%.2f wide, want %.2f", got, before+6)
	}
	for i, c := range chars[:len(chars)-1] {
		if (c.after != 0) == (inWord(c.r) && inWord(chars[i+1].r)) {
			t.Errorf("after %q: %.2f", c.r, c.after)
		}
	}
	far := measure(f, Plain("甲乙"), 10)
	stretch(far, 50)
	if far[0].after != 0 {
		t.Error("a line was torn apart")
	}
}
