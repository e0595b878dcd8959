package identifier

import (
	"regexp"
	"strings"
	"time"
)

var (
	passportFormat = regexp.MustCompile(`^(E[0-9]{8}|E[A-HJ-NP-Z][0-9]{7}|G[0-9]{8}|(PE|SE|DE|MA)[0-9]{7}|1[45][0-9]{7}|[KH][A-Z]?[0-9]{7,8})$`)
	permitFormat   = regexp.MustCompile(`^[HM][0-9]{8}([0-9]{2})?$`)
	taiwanFormat   = regexp.MustCompile(`^([0-9]{8}|[0-9]{10}[A-Z]?)$`)
	oldPRFormat    = regexp.MustCompile(`^[A-Z]{3}[0-9]{12}$`)
)

// shaped checks a code by length and format only: these documents have no public check digit.
func shaped(s string, shortest, longest int, format *regexp.Regexp) Verdict {
	c, v, done := code(s)
	switch {
	case done:
		return v
	case !alnum(c):
		return verdict(s, c, CodeCharset)
	case len(c) < shortest || len(c) > longest:
		return verdict(s, c, CodeLength)
	case !format.MatchString(c):
		return verdict(s, c, CodeFormat)
	}
	return verdict(s, c, CodeOK)
}

// Passport checks a Chinese passport: E…, EA… (no I, no O), G…, diplomatic and
// service PE/SE/DE, MA (Macau), 14…/15…, K…/H… (Hong Kong). req: K12
func Passport(s string) Verdict { return shaped(s, 8, 10, passportFormat) }

// ForeignPassport checks another country's passport: 5 to 17 letters and
// digits, at least one digit. req: K12
func ForeignPassport(s string) Verdict {
	v := shaped(s, 5, 17, anyAlnum)
	if v.Code == CodeOK && !strings.ContainsAny(v.Value, "0123456789") {
		v.Code = CodeFormat
	}
	return v
}

var anyAlnum = regexp.MustCompile(`^[A-Z0-9]+$`)

// HKMacauPermit checks 港澳居民来往内地通行证: H or M, 8 digits, and on old
// cards 2 more for the issue. req: K12
func HKMacauPermit(s string) Verdict { return shaped(s, 9, 11, permitFormat) }

// TaiwanPermit checks 台湾居民来往大陆通行证: 8 digits (card), or the old 10
// digits with a letter that is printed in parentheses, which are dropped. req: K12
func TaiwanPermit(s string) Verdict {
	v := shaped(dropParens(s), 8, 11, taiwanFormat)
	v.Changed = v.Value != s
	return v
}

func dropParens(s string) string { return parens.Replace(s) }

var parens = strings.NewReplacer("(", "", ")", "", "（", "", "）", "")

// ForeignPR checks 外国人永久居留身份证: the 18-character card in force since
// 2023, with a check digit, or the old one of 3 letters and 12 digits. req: K12
func ForeignPR(s string, today time.Time) Verdict {
	c, v, done := code(s)
	switch {
	case done:
		return v
	case len(c) == 15:
		return shaped(s, 15, 15, oldPRFormat).as(KindForeignPROld)
	}
	v = ResidentID(s, today)
	if v.Kind != "" && v.Kind != KindForeignPR {
		v.Code, v.Soft = CodeFormat, false // somebody else's card
	}
	return v
}
