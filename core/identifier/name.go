package identifier

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	maxHan   = 30  // Chinese characters of a person's name
	maxLatin = 100 // characters of a name in Latin letters
	maxOrg   = 64  // characters: ub-organization-name of X.520
	minOrg   = 2

	middleDot = '·' // U+00B7, the standard 间隔号 of names
)

// dots maps what people type for the 间隔号 to U+00B7. It runs before NFKC,
// which would turn some of them into letters.
var dots = strings.NewReplacer("•", "·", "‧", "·", "∙", "·", "⋅", "·", "・", "·", "･", "·", "ㆍ", "·", "●", "·", "．", "·")

var (
	asciiDot   = regexp.MustCompile(`(\p{Han})\.(\p{Han})`)
	hanName    = regexp.MustCompile(`^\p{Han}+(?:·\p{Han}+)*$`)
	latinName  = regexp.MustCompile(`^\p{Latin}[\p{Latin} '\-.,]*$`)
	blankRuns  = regexp.MustCompile(`\s+`)
	latinBlank = regexp.MustCompile(`([\p{Latin}0-9&.,'+]) ([\p{Latin}0-9&'+])`)
)

// PersonName checks a name in Chinese characters: 2 to 30 of them, in parts
// joined by U+00B7 (买买提·艾力); other dots become U+00B7, blanks go. All of
// Unicode's Han is allowed, with 〇, 䶮 and the supplementary planes. ONE_CHAR
// and OVERRIDE (private use characters) are warnings: such people exist. req: B23 K9
func PersonName(s string) Verdict {
	if v, bad := unreadable(s); bad {
		return v
	}
	c := strings.Map(func(r rune) rune {
		if isBlank(r) {
			return -1
		}
		return r
	}, norm.NFKC.String(dots.Replace(s)))
	for prev := ""; prev != c; { // 甲.乙.丙 overlaps: once is not enough
		prev, c = c, asciiDot.ReplaceAllString(c, "$1·$2")
	}
	return verdict(s, c, hanCode(c)).softIf(CodeOneChar, CodeOverride).as(KindHan)
}

func hanCode(c string) Code {
	if c == "" {
		return CodeEmpty
	}
	private := false
	plain := strings.Map(func(r rune) rune {
		if privateUse(r) {
			private = true
			return '〇' // judge the rest of the name as if it were an ordinary character
		}
		return r
	}, c)
	n := utf8.RuneCountInString(plain) - strings.Count(plain, string(middleDot))
	switch {
	case !hanName.MatchString(plain):
		return CodeCharset
	case n > maxHan:
		return CodeLength
	case private:
		return CodeOverride
	case n == 1:
		return CodeOneChar
	}
	return CodeOK
}

// LatinName checks a name in Latin letters as foreign documents have it:
// letters with or without accents, blanks, ' - . and comma, at most 100
// characters. Case is kept, runs of blanks become one. req: K9 K12
func LatinName(s string) Verdict {
	if v, bad := unreadable(s); bad {
		return v
	}
	c := strings.TrimSpace(blankRuns.ReplaceAllString(spaced(quotes.Replace(norm.NFKC.String(s))), " "))
	v := verdict(s, c, CodeOK)
	switch {
	case c == "":
		v.Code = CodeEmpty
	case !latinName.MatchString(c):
		v.Code = CodeCharset
	case utf8.RuneCountInString(c) > maxLatin:
		v.Code = CodeLength
	}
	return v.as(KindLatin)
}

var quotes = strings.NewReplacer("’", "'", "‘", "'", "ʼ", "'", "`", "'", "‐", "-", "‑", "-", "–", "-")

// spaced turns every kind of blank into U+0020.
func spaced(s string) string {
	return strings.Map(func(r rune) rune {
		if isBlank(r) {
			return ' '
		}
		return r
	}, s)
}

// FullName checks a name in either script, for a person whose document decides
// which; Kind tells. req: K9
func FullName(s string) Verdict {
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Latin, r) }) &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		return LatinName(s)
	}
	return PersonName(s)
}

// OrgName checks an organisation's name and brings it into the form of the
// licence: NFKC, parentheses full-width, blanks removed but for one between
// Latin words. 2 to 64 characters (X.520 ub-organization-name). The * that
// stands on licences without a name is TRIVIAL: the operator's name goes there.
// OVERRIDE (private use characters) is a warning. req: B20 K15
func OrgName(s string) Verdict {
	if v, bad := unreadable(s); bad {
		return v
	}
	c := strings.TrimSpace(blankRuns.ReplaceAllString(spaced(norm.NFKC.String(s)), " "))
	c = orgBlanks(c)
	c = fullWidthParens.Replace(c)
	return verdict(s, c, orgNameCode(c)).softIf(CodeOverride)
}

var fullWidthParens = strings.NewReplacer("(", "（", ")", "）")

// orgBlanks removes the blanks that are not between Latin words.
func orgBlanks(c string) string {
	const keep = "\x00"
	c = strings.ReplaceAll(c, keep, "\x01") // stays a control character, refused later
	for prev := ""; prev != c; {
		prev, c = c, latinBlank.ReplaceAllString(c, "$1"+keep+"$2")
	}
	return strings.ReplaceAll(strings.ReplaceAll(c, " ", ""), keep, " ")
}

func orgNameCode(c string) Code {
	switch n := utf8.RuneCountInString(c); {
	case c == "":
		return CodeEmpty
	case strings.Trim(c, "*＊") == "":
		return CodeTrivial
	case n > maxOrg:
		return CodeLength
	case strings.ContainsFunc(c, func(r rune) bool { return !orgRune(r) }):
		return CodeCharset
	case strings.ContainsFunc(c, privateUse):
		return CodeOverride
	case n < minOrg || !strings.ContainsFunc(c, unicode.IsLetter):
		return CodeShort
	}
	return CodeOK
}

// orgRune tells whether r may stand in an organisation's name: a list of what
// may, so that controls, bidi overrides and zero-width characters may not.
func orgRune(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsNumber(r) ||
		privateUse(r) || strings.ContainsRune(" （）·•・、，。.,-—–&'’\"“”《》〈〉【】[]/:：+#@!", r)
}

var (
	emailLocal = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")
	emailHost  = regexp.MustCompile(`^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:[a-z]{2,63}|xn--[a-z0-9-]{1,59})$`)
)

// Email checks an address of the dot-atom form (RFC 5321 §4.1.2, at most 254
// octets, 64 before the @) under a public domain name. Blanks go, full-width
// forms and 。 become ASCII, the domain becomes lower-case. req: B25 K11
func Email(s string) Verdict {
	if v, bad := unreadable(s); bad {
		return v
	}
	c := strings.ReplaceAll(strings.Join(strings.Fields(norm.NFKC.String(s)), ""), "。", ".")
	at := strings.LastIndexByte(c, '@')
	if at >= 0 {
		c = c[:at] + strings.ToLower(c[at:])
	}
	v := verdict(s, c, CodeOK)
	switch {
	case c == "":
		v.Code = CodeEmpty
	case !printableASCII(c):
		v.Code = CodeCharset
	case len(c) > 254 || at > 64:
		v.Code = CodeLength
	case at < 0 || !emailLocal.MatchString(c[:at]) || !emailHost.MatchString(c[at+1:]):
		v.Code = CodeFormat
	}
	return v
}
