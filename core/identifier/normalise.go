package identifier

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// maxTyped bounds the work done for one value, in bytes; no identifier or name is near it.
const maxTyped = 2048

// Normalise brings a code or number into the form in which it is compared and
// stored: NFKC (full-width becomes half-width), blanks (with U+3000 and
// no-break space) and hyphens (U+002D, U+2010–2015) removed, a–z upper-cased.
// Only ASCII letters are upper-cased, so that no foreign letter turns into a
// Latin one. Normalise(Normalise(s)) == Normalise(s).
func Normalise(s string) string {
	kept := strings.Map(func(r rune) rune {
		switch {
		case isBlank(r), isHyphen(r):
			return -1
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		}
		return r
	}, norm.NFKC.String(strings.ToValidUTF8(s, "\uFFFD"))) // a broken byte would hide what follows it from NFKC
	return norm.NFKC.String(kept) // an accent may now touch a letter
}

func isBlank(r rune) bool { return unicode.IsSpace(r) }

func isHyphen(r rune) bool { return r == '-' || r >= 0x2010 && r <= 0x2015 }

// code normalises s and does the checks that all ASCII families share; done
// means that the verdict is already known.
func code(s string) (value string, v Verdict, done bool) {
	if v, done = unreadable(s); done {
		return "", v, true
	}
	value = Normalise(s)
	switch {
	case value == "":
		return value, verdict(s, value, CodeEmpty), true
	case !printableASCII(value):
		return value, verdict(s, value, CodeCharset), true
	}
	return value, Verdict{}, false
}

// unreadable refuses what is not worth normalising: not UTF-8, or endless.
func unreadable(s string) (Verdict, bool) {
	switch {
	case len(s) > maxTyped:
		return verdict(s, "", CodeLength), true
	case !utf8.ValidString(s):
		return verdict(s, "", CodeCharset), true
	}
	return Verdict{}, false
}

func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// digits tells whether s is made of 0–9 only.
func digits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}

// alnum tells whether s is made of 0–9 and A–Z only.
func alnum(s string) bool {
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && (s[i] < 'A' || s[i] > 'Z') {
			return false
		}
	}
	return true
}

// sameRune tells whether s repeats one byte: 000000000.
func sameRune(s string) bool { return s != "" && strings.Count(s, s[:1]) == len(s) }

// privateUse tells whether r lies in a private use area, where old GB 18030
// fonts kept rare characters of names.
func privateUse(r rune) bool { return unicode.Is(unicode.Co, r) }
