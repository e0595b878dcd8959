package identifier

import (
	"regexp"
	"strings"
	"sync"
)

// DealerCodeLength is how many characters of a dealer code are asked for (前十位, req B26).
const DealerCodeLength = 10

var (
	postalRegions = twoDigitSet("01-07 10-13 15-16 20-27 30-36 40-47 50-57 61-67 71-75 81 83-84 86")
	taxLegacy     = regexp.MustCompile(`^([0-9]{17}|[0-9]{17}[0-9X][0-9]{2})$`)
	dealerDefault = regexp.MustCompile(`^[A-Z0-9]{10}$`)
)

// twoDigitSet reads "01-07 10" into the set 01, 02, … 07, 10.
func twoDigitSet(spec string) map[string]bool {
	set := map[string]bool{}
	for part := range strings.FieldsSeq(spec) {
		from, to, isRange := strings.Cut(part, "-")
		if !isRange {
			to = from
		}
		for n := number(from); n <= number(to); n++ {
			set[string([]byte{'0' + byte(n/10), '0' + byte(n%10)})] = true
		}
	}
	return set
}

func number(two string) int { return int(two[0]-'0')*10 + int(two[1]-'0') }

// PostalCode checks a six-digit postal code by its first two digits; a leading
// zero is right (Inner Mongolia, Shanxi, Hebei). 999077 and 999078 are Hong Kong and Macau.
func PostalCode(s string) Verdict {
	c, v, done := code(s)
	switch {
	case done:
		return v
	case !digits(c):
		return verdict(s, c, CodeCharset)
	case len(c) != 6:
		return verdict(s, c, CodeLength)
	case c == "999077" || c == "999078":
		return verdict(s, c, CodeOK)
	case !postalRegions[c[:2]]:
		return verdict(s, c, CodeRegion)
	}
	return verdict(s, c, CodeOK)
}

// TaxNumber checks a buyer's 纳税人识别号; Kind tells which form it has. 18
// characters are a unified social credit code, or the resident number of a
// natural person; 15 are a region and an organisation code; 17 and 20 are those
// of individual businesses, built on resident numbers. A wrong check digit is a
// warning in all of them. req: B31 K27
func TaxNumber(s string) Verdict {
	c, v, done := code(s)
	if done {
		return v
	}
	switch len(c) {
	case 15:
		return taxRegion(s, c)
	case 17, 20:
		v = verdict(s, c, CodeOK)
		if !taxLegacy.MatchString(c) {
			v.Code = CodeCharset
		} else if len(c) == 20 && residentShape(s, c[:18]).Code != CodeOK {
			v.Code = CodeCheck
			v = v.soft()
		}
		return v.as(KindTaxLegacy)
	case 18:
		v = USCC(s)
		if r := residentShape(s, c); v.Code != CodeOK && r.Code == CodeOK {
			return r
		}
		return v
	}
	return verdict(s, c, CodeLength)
}

func taxRegion(typed, c string) Verdict {
	v := verdict(typed, c, CodeOK)
	switch org := OrgCode(c[6:]); {
	case !digits(c[:6]) || org.Code == CodeCharset:
		v.Code = CodeCharset
	case org.Code != CodeOK:
		v.Code = org.Code
		v = v.soft()
	}
	return v.as(KindTaxRegion)
}

// BankAccount checks a company's account: 8 to 32 digits, leading zeros
// allowed. No check digit: company accounts have none in common. req: B49
func BankAccount(s string) Verdict {
	c, v, done := code(s)
	switch {
	case done:
		return v
	case !digits(c):
		return verdict(s, c, CodeCharset)
	case len(c) < 8 || len(c) > 32:
		return verdict(s, c, CodeLength)
	case sameRune(c):
		return verdict(s, c, CodeTrivial)
	}
	return verdict(s, c, CodeOK)
}

// PersonalCard checks a personal bank card: 16 to 19 digits, Luhn (ISO/IEC 7812-1).
func PersonalCard(s string) Verdict {
	v := BankAccount(s)
	switch {
	case v.Code != CodeOK:
	case len(v.Value) < 16 || len(v.Value) > 19:
		v.Code = CodeLength
	case !luhn(v.Value):
		v.Code = CodeCheck
	}
	return v
}

func luhn(c string) bool {
	sum := 0
	for i := range len(c) {
		d := int(c[len(c)-1-i] - '0')
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// DealerCode checks the first ten characters of a dealer code against pattern
// (empty: ten letters and digits), an RE2 expression matched against the whole
// normalised value. A longer value whose first ten characters match is cut to
// them with the warning TRUNCATED (已取前十位): keep what was typed for the
// audit trail. A shorter one is SHORT. req: B26
func DealerCode(s, pattern string) Verdict {
	format, err := compile(pattern)
	c, v, done := code(s)
	switch {
	case done:
		return v
	case err != nil:
		return verdict(s, c, CodePattern)
	case format.MatchString(c):
		return verdict(s, c, CodeOK)
	case len(c) > DealerCodeLength && format.MatchString(c[:DealerCodeLength]):
		return verdict(s, c[:DealerCodeLength], CodeTruncated).soft()
	case pattern != "":
		return verdict(s, c, CodeFormat)
	case !alnum(c):
		return verdict(s, c, CodeCharset)
	}
	return verdict(s, c, CodeShort)
}

// compiled keeps the patterns of tenants' definitions: few, and used for every answer.
var compiled sync.Map // string → *regexp.Regexp

func compile(pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return dealerDefault, nil
	}
	if re, ok := compiled.Load(pattern); ok {
		return re.(*regexp.Regexp), nil
	}
	re, err := regexp.Compile(`^(?:` + pattern + `)$`)
	if err != nil {
		return nil, err
	}
	compiled.Store(pattern, re)
	return re, nil
}
