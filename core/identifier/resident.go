package identifier

import (
	"regexp"
	"strconv"
	"time"

	"certsaas/core/clock"
)

const (
	adult  = 18  // years; a younger agent cannot act for a company
	oldest = 120 // years; above it a reviewer looks
)

var (
	residentWeights = [17]int{7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2}
	residentFormat  = regexp.MustCompile(`^[0-9]{17}[0-9X]$`)
	provinces       = twoDigitSet("11-15 21-23 31-37 41-46 50-54 61-65 71")
)

// ResidentID checks an 18-character resident number (GB 11643-1999) and its
// cousins, told apart by Verdict.Kind: the residence permit of people from
// Hong Kong, Macau and Taiwan (810000, 820000, 830000) and the foreigner's
// permanent residence card that starts with 9. The county is not looked up:
// abolished codes stay valid. REGION, DATE, FUTURE, CHECK and MINOR (younger
// than 18) are errors, AGE (older than 120) is a warning, a 15-digit number is
// refused as OLD15. today decides by its date in Asia/Shanghai; a zero today
// makes every birth FUTURE. req: K12
func ResidentID(s string, today time.Time) Verdict {
	c, v, done := code(s)
	if done {
		return v
	}
	if v = residentShape(s, c); v.Code != CodeOK {
		return v
	}
	return verdict(s, c, ageCode(birthDate(c), clock.CivilDate(today, clock.Shanghai))).softIf(CodeAge).as(v.Kind)
}

// residentShape does all checks that need no present day.
func residentShape(typed, c string) Verdict {
	switch {
	case len(c) == 15 && digits(c):
		return verdict(typed, c, CodeOld15).as(KindCitizen)
	case len(c) != 18:
		return verdict(typed, c, CodeLength)
	case !residentFormat.MatchString(c):
		return verdict(typed, c, CodeCharset)
	}
	kind := residentKind(c)
	switch {
	case kind == "":
		return verdict(typed, c, CodeRegion)
	case !birthDate(c).Valid():
		return verdict(typed, c, CodeDate).as(kind)
	case residentCheck(c) != c[17]:
		return verdict(typed, c, CodeCheck).as(kind)
	}
	return verdict(typed, c, CodeOK).as(kind)
}

// residentKind tells the document by its leading digits; empty when no region has them.
func residentKind(c string) Kind {
	switch c[:6] {
	case "810000", "820000", "830000":
		return KindResidence
	}
	switch {
	case c[0] == '9' && provinces[c[1:3]]:
		return KindForeignPR
	case c[0] != '9' && provinces[c[:2]]:
		return KindCitizen
	}
	return ""
}

// birthDate reads digits 7–14; the day need not exist.
func birthDate(c string) clock.Date {
	n, _ := strconv.Atoi(c[6:14]) // digits by residentFormat
	return clock.Date{Year: n / 10000, Month: time.Month(n / 100 % 100), Day: n % 100}
}

// ageCode judges a birth date. Someone born on 29 February comes of age on
// 28 February in a common year.
func ageCode(born, today clock.Date) Code {
	switch {
	case born.After(today):
		return CodeFuture
	case born.AddYears(adult).After(today):
		return CodeMinor
	case born.AddYears(oldest + 1).Before(today):
		return CodeAge
	}
	return CodeOK
}

// residentCheck computes the last character (ISO 7064 MOD 11-2).
func residentCheck(c string) byte {
	sum := 0
	for i, w := range residentWeights {
		sum += int(c[i]-'0') * w
	}
	return "10X98765432"[sum%11]
}
