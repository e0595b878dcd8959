package identifier

import (
	"strings"
	"unicode/utf8"
)

// The masks show personal data only as far as its holder would recognise it
// (PIPL art. 51). They work on normalised values, and hide at least as much of
// anything else: what is too short to be shown in part comes out as stars.

// MaskMobile returns 138****8000.
func MaskMobile(s string) string { return keepEnds(s, 3, 4) }

// MaskID returns 110105********002X for an 18-character number; of shorter
// document numbers a quarter at each end.
func MaskID(s string) string {
	n := utf8.RuneCountInString(s)
	if n == 18 {
		return keepEnds(s, 6, 4)
	}
	return keepEnds(s, n/4, n/4)
}

// MaskName returns the first character and a star for every other one: 张*,
// 欧***. A name of one character is a star.
func MaskName(s string) string { return keepEnds(s, 1, 0) }

// MaskEmail returns a***@x.cn: three stars whatever the length. Without an @
// it is all stars.
func MaskEmail(s string) string {
	at := strings.LastIndexByte(s, '@')
	if at < 0 {
		return keepEnds(s, 0, 0)
	}
	first, n := utf8.DecodeRuneInString(s[:at])
	if n == at { // a single character would be the whole secret
		return "***" + s[at:]
	}
	return string(first) + "***" + s[at:]
}

// keepEnds keeps head and tail characters and stars out the rest; a text no
// longer than both ends is starred out whole.
func keepEnds(s string, head, tail int) string {
	r := []rune(s)
	if len(r) <= head+tail {
		return strings.Repeat("*", len(r))
	}
	return string(r[:head]) + strings.Repeat("*", len(r)-head-tail) + string(r[len(r)-tail:])
}
