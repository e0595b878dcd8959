package identifier

import (
	"regexp"
	"strings"

	"golang.org/x/text/unicode/norm"
)

var (
	mobileFormat = regexp.MustCompile(`^1[3-9][0-9]{9}$`)
	// Two-digit areas have 8-digit numbers, three-digit areas 7 or 8; an
	// extension follows a hyphen. Groups: area, number in two parts, extension.
	bigCity     = regexp.MustCompile(`^(0(?:10|2[0-57-9]))-?([2-9][0-9]{3})-?([0-9]{4})(?:-([0-9]{1,6}))?$`)
	otherArea   = regexp.MustCompile(`^(0[3-9][0-9]{2})-?([2-9][0-9]{2,3})-?([0-9]{4})(?:-([0-9]{1,6}))?$`)
	service     = regexp.MustCompile(`^([48]00)([0-9]{3})([0-9]{4})$`)
	countryCode = regexp.MustCompile(`^(?:\+86|0086|86-)-?`)
	extension   = regexp.MustCompile(`-?(?:转|分机|EXT\.?|X)-?`)
	hyphens     = regexp.MustCompile(`-{2,}`)
)

// Mobile checks a mainland mobile number; Value is its 11 digits, without
// +86, 0086 or 86. Segments are not looked up: new ones open all the time and
// a list would refuse live numbers. Login and orders compare Value. req: B14 B24 K10
func Mobile(s string) Verdict {
	c, v, done := code(dropParens(s))
	if done {
		v.Changed = v.Value != s
		return v
	}
	c = strings.ReplaceAll(c, ".", "")
	for _, p := range []string{"+86", "0086", "86"} {
		if len(c) == len(p)+11 && strings.HasPrefix(c, p) {
			c = c[len(p):]
			break
		}
	}
	switch {
	case !digits(c):
		return verdict(s, c, CodeCharset)
	case len(c) != 11:
		return verdict(s, c, CodeLength)
	case !mobileFormat.MatchString(c):
		return verdict(s, c, CodeFormat)
	}
	return verdict(s, c, CodeOK)
}

// Landline checks a mainland fixed-line number with its area code, or a 400 or
// 800 service number; Kind tells which. Value is canonical: 010-50947500,
// 0755-89888888-1234 (extension last), 400-666-3999. req: B25
func Landline(s string) Verdict {
	if v, bad := unreadable(s); bad {
		return v
	}
	c := dialled(s)
	switch {
	case c == "":
		return verdict(s, c, CodeEmpty)
	case !printableASCII(c) || strings.Trim(c, "0123456789-") != "":
		return verdict(s, c, CodeCharset)
	}
	if m := service.FindStringSubmatch(strings.ReplaceAll(c, "-", "")); m != nil {
		return verdict(s, strings.Join(m[1:], "-"), CodeOK).as(KindServiceNumber)
	}
	for _, format := range []*regexp.Regexp{bigCity, otherArea} {
		if m := format.FindStringSubmatch(c); m != nil {
			value := m[1] + "-" + m[2] + m[3]
			if m[4] != "" {
				value += "-" + m[4]
			}
			return verdict(s, value, CodeOK).as(KindFixedLine)
		}
	}
	if n := len(strings.ReplaceAll(c, "-", "")); n < 10 || n > 18 {
		return verdict(s, c, CodeLength)
	}
	return verdict(s, c, CodeFormat)
}

// dialled reduces a written number to digits and single hyphens: country code
// off, every separator a hyphen, the word before the extension too.
func dialled(s string) string {
	c := strings.Map(func(r rune) rune {
		switch {
		case isBlank(r), isHyphen(r), r == '(', r == ')', r == '.':
			return '-'
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		}
		return r
	}, norm.NFKC.String(s))
	c = strings.Trim(hyphens.ReplaceAllString(c, "-"), "-")
	if cut := countryCode.ReplaceAllString(c, ""); cut != c {
		c = strings.TrimLeft(cut, "-")
		if !strings.HasPrefix(c, "0") && !strings.HasPrefix(c, "400") && !strings.HasPrefix(c, "800") {
			c = "0" + c // dialled from abroad, the area code loses its 0
		}
	}
	return strings.Trim(hyphens.ReplaceAllString(extension.ReplaceAllString(c, "-"), "-"), "-")
}
