package pdf

import (
	"strings"
	"unicode"
)

// char is one rune in its style; its width, and the space set after it to stretch a line, are in points.
type char struct {
	r         rune
	bold      bool
	underline bool
	width     float64
	after     float64
}

// line is what stands on one line. Last is set when the text or a forced break ends here: such a line is not stretched.
type line struct {
	chars []char
	width float64
	last  bool
	next  int // where in the wrapped chars the next line begins
}

// The characters Chinese setting keeps off the beginning and the end of a line (行首、行尾禁则, GB/T 15834-2011 §5.1).
const (
	neverFirst = "，。、；：？！…—～·）》〉」』】〕〗］｝”’％‰℃,.;:?!)]}%°々ー"
	neverLast  = "（《〈「『【〔〖［｛“‘([{＄￥¥$＃#№"
)

// measure turns text into chars at a size in points. Tabs become spaces, carriage returns go.
func measure(f *typeface, text Text, size float64) []char {
	var out []char
	for _, span := range text {
		for _, r := range span.Text {
			switch r {
			case '\r':
				continue
			case '\t':
				r = ' '
			}
			c := char{r: r, bold: span.Bold, underline: span.Underline}
			if r != '\n' {
				c.width = f.width(r) * size / 1000
			}
			out = append(out, c)
		}
	}
	return out
}

// inWord tells whether r is part of a latin word, number, address or blank line that is not broken inside.
func inWord(r rune) bool {
	return r < 0x2000 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_@-+/&'=~*", r))
}

// glued tells whether no line may end between a and b.
func glued(a, b rune) bool {
	switch {
	case strings.ContainsRune(neverLast, a):
		return true
	case strings.ContainsRune(neverFirst, b): // but ".jpg" after a space or a full-width mark begins a word
		return b >= 0x80 || !strings.ContainsRune(" 　，。、；：", a)
	case a == '…' && b == '…', a == '—' && b == '—':
		return true
	case inWord(a) && inWord(b):
		return true
	default: // 3.14, a.b@example.cn: a full stop or colon inside a word
		return strings.ContainsRune(".:,", a) && inWord(b) && a != b
	}
}

// wrap breaks chars into lines no wider than width, the first one narrower by indent. What is glued together moves to
// the next line together; only a unit wider than a whole line is broken inside. Spaces at a break are dropped.
func wrap(chars []char, width, indent float64) []line {
	var lines []line
	var cur line
	room, whole := width-indent, len(chars)
	end := func(last bool) {
		if !last {
			for n := len(cur.chars); n > 0 && isSpace(cur.chars[n-1].r); n-- {
				cur.width -= cur.chars[n-1].width
				cur.chars = cur.chars[:n-1]
			}
		}
		cur.last, cur.next = last, whole-len(chars)
		lines = append(lines, cur)
		cur, room = line{}, width
	}
	for len(chars) > 0 {
		if chars[0].r == '\n' {
			chars = chars[1:]
			end(true)
			continue
		}
		n, unit := nextUnit(chars)
		if cur.width+unit > room && len(cur.chars) > 0 {
			if isSpace(chars[0].r) {
				chars = chars[1:]
				continue
			}
			end(false)
			continue
		}
		if unit > room { // wider than a line: fill it, break inside
			n, unit = 1, chars[0].width
			for n < len(chars) && chars[n].r != '\n' && unit+chars[n].width <= room {
				unit += chars[n].width
				n++
			}
		}
		cur.chars = append(cur.chars, chars[:n]...)
		cur.width += unit
		chars = chars[n:]
	}
	end(true)
	return lines
}

// stretch spreads slack over the gaps of a line, none of which are inside a word, unless it is more than an eye forgives.
func stretch(chars []char, slack float64) {
	gap := func(i int) bool { return !inWord(chars[i].r) || !inWord(chars[i+1].r) }
	gaps := 0
	for i := range len(chars) - 1 {
		if gap(i) {
			gaps++
		}
	}
	if gaps == 0 || slack/float64(gaps) > .35*bodySize {
		return
	}
	for i := range len(chars) - 1 {
		if gap(i) {
			chars[i].after = slack / float64(gaps)
		}
	}
}

// nextUnit is the number and width of the first chars that stay together.
func nextUnit(chars []char) (n int, width float64) {
	n, width = 1, chars[0].width
	for n < len(chars) && chars[n].r != '\n' && glued(chars[n-1].r, chars[n].r) {
		width += chars[n].width
		n++
	}
	return n, width
}

func isSpace(r rune) bool { return r == ' ' || r == 0x3000 }
