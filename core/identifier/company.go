package identifier

import (
	"regexp"
	"strings"
)

// Alphabet of GB 32100-2015: no I, O, S, V, Z. The position is the value.
const usccAlphabet = "0123456789ABCDEFGHJKLMNPQRTUWXY"

var (
	usccWeights = [17]int{1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28}
	orgWeights  = [8]int{3, 7, 9, 10, 5, 8, 4, 2}
	usccFormat  = regexp.MustCompile(`^[1-9ANY][1-59][0-9]{6}[0-9A-HJ-NP-RTUWXY]{10}$`)
	orgFormat   = regexp.MustCompile(`^[0-9A-Z]{8}[0-9X]$`)
	orgReserved = regexp.MustCompile(`^PDY[0-9]{5}`)
)

// USCC checks a unified social credit code, 18 characters (GB 32100-2015).
// LENGTH and CHARSET are errors. CHECK is a warning for the reviewer
// (核对执照后放行), never an error: early codes of Fujian and Xiamen were
// legally issued with a wrong check character. INNER, the check digit of the
// organisation code inside, is a warning too. req: B40 K17
func USCC(s string) Verdict {
	c, v, done := code(s)
	switch {
	case done:
	case len(c) != 18:
		v = verdict(s, c, CodeLength)
	case !usccFormat.MatchString(c):
		v = verdict(s, c, CodeCharset)
	case usccCheck(c) != c[17]:
		v = verdict(s, c, CodeCheck).soft()
	case orgCheck(c[8:16]) != c[16]:
		v = verdict(s, c, CodeInner).soft()
	default:
		v = verdict(s, c, CodeOK)
	}
	return v.as(KindUSCC)
}

// usccCheck computes the 18th character. The second mod 31 is the one that
// some libraries forget: without it remainder 0 has no character.
func usccCheck(c string) byte {
	sum := 0
	for i, w := range usccWeights {
		sum += strings.IndexByte(usccAlphabet, c[i]) * w
	}
	return usccAlphabet[(31-sum%31)%31]
}

// OrgCode checks an organisation code, 9 characters, printed XXXXXXXX-X
// (GB 11714-1997). The self-defined zone PDY00001–PDY99999 is refused as
// RESERVED, one character repeated as TRIVIAL. req: B42 K17
func OrgCode(s string) Verdict {
	c, v, done := code(s)
	switch {
	case done:
	case len(c) != 9:
		v = verdict(s, c, CodeLength)
	case !orgFormat.MatchString(c):
		v = verdict(s, c, CodeCharset)
	case orgReserved.MatchString(c):
		v = verdict(s, c, CodeReserved)
	case sameRune(c):
		v = verdict(s, c, CodeTrivial)
	case orgCheck(c[:8]) != c[8]:
		v = verdict(s, c, CodeCheck)
	default:
		v = verdict(s, c, CodeOK)
	}
	return v.as(KindOrgCode)
}

// orgCheck computes the 9th character from the first 8.
func orgCheck(body string) byte {
	sum := 0
	for i, w := range orgWeights {
		n := int(body[i] - '0')
		if body[i] >= 'A' {
			n = int(body[i]-'A') + 10
		}
		sum += n * w
	}
	return "0X987654321"[sum%11]
}

// RegistrationNumber checks a business registration number, 15 digits with a
// check digit (GS 15-2006, ISO 7064 MOD 11,10). The 13 digits of papers before
// 2007 have none: a warning, OLD13. req: B42
func RegistrationNumber(s string) Verdict {
	c, v, done := code(s)
	switch {
	case done:
	case len(c) != 15 && len(c) != 13:
		v = verdict(s, c, CodeLength)
	case !digits(c):
		v = verdict(s, c, CodeCharset)
	case sameRune(c):
		v = verdict(s, c, CodeTrivial)
	case len(c) == 13:
		v = verdict(s, c, CodeOld13).soft()
	case !mod1110(c):
		v = verdict(s, c, CodeCheck)
	default:
		v = verdict(s, c, CodeOK)
	}
	return v.as(KindRegNo)
}

// mod1110 runs ISO 7064 MOD 11,10 over digits, the last one being the check digit.
func mod1110(c string) bool {
	p := 10
	last := len(c) - 1
	for i := range last {
		s := (p + int(c[i]-'0')) % 10
		if s == 0 {
			s = 10
		}
		p = 2 * s % 11
	}
	return (p+int(c[last]-'0'))%10 == 1
}

// CombinedOrgCode checks the one field that takes a unified social credit code,
// or where licences are not merged yet an organisation code or a registration
// number. Verdict.Kind tells which it is, by length; no kind when the length
// fits none. req: K17
func CombinedOrgCode(s string) Verdict {
	c, v, done := code(s)
	if done {
		return v
	}
	switch len(c) {
	case 18:
		return USCC(s)
	case 9:
		return OrgCode(s)
	case 15, 13:
		return RegistrationNumber(s)
	}
	return verdict(s, c, CodeLength)
}
