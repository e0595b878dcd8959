package pdf

import "strconv"

// lines prints wrapped lines at x, each size*leading high, and moves down. Full lines of justified text are stretched.
func (l *layout) lines(lines []line, x, width, indent, size float64, align Align) {
	for i, ln := range lines {
		l.need(size * leading)
		at, room := x, width
		if i == 0 {
			at, room = x+indent, width-indent
		}
		switch slack := room - ln.width; {
		case align == AlignCentre:
			at += slack / 2
		case align == AlignRight:
			at += slack
		case align == AlignJustified && !ln.last:
			stretch(ln.chars, slack)
		}
		l.page.text(at, l.y+baseline(size), size, ln.chars)
		l.y += size * leading
	}
}

// baseline is how far below a line's top its letters stand.
func baseline(size float64) float64 { return size * (leading/2 + .38) }

// flow wraps and prints text. Lines beside the code are set narrower, so text is wrapped anew below it.
func (l *layout) flow(text Text, x, width, indent, size float64, align Align) {
	chars := measure(l.face, text, size)
	for l.besideCode() && x+width > l.qrLeft {
		narrow := l.qrLeft - 3*mm - x
		lines := wrap(chars, narrow, indent)
		fit := int((l.qrFoot-l.y)/(size*leading)) + 1
		if len(lines) <= fit {
			l.lines(lines, x, narrow, indent, size, align)
			return
		}
		l.lines(lines[:fit], x, narrow, indent, size, align)
		chars = chars[lines[fit-1].next:]
		indent = 0
	}
	l.lines(wrap(chars, width, indent), x, width, indent, size, align)
}

// clearCode moves below the code: ruled blocks do not stand beside it.
func (l *layout) clearCode() {
	if l.besideCode() {
		l.y = l.qrFoot + 1*mm
	}
}

func bold(s string) Text { return Text{{Text: s, Bold: true}} }

func (b Title) texts() []Text { return []Text{Plain(b.Text), Plain(b.Sub)} }

func (b Title) place(l *layout) {
	x, width := float64(marginSide), float64(lineWidth)
	if l.besideCode() { // centred on the page, clear of the code on the right
		half := l.qrLeft - 2*mm - pageWidth/2
		x, width = pageWidth/2-half, 2*half
		l.y += 6 * mm
	}
	l.lines(wrap(measure(l.face, bold(b.Text), 18), width, 0), x, width, 0, 18, AlignCentre)
	if b.Sub != "" {
		l.lines(wrap(measure(l.face, Plain(b.Sub), 10), width, 0), x, width, 0, 10, AlignCentre)
	}
	l.y += 2 * mm
	l.clearCode()
}

func (b Heading) texts() []Text { return []Text{Plain(b.Text)} }

func (b Heading) place(l *layout) {
	size := 13.0
	if b.Level > 1 {
		size = 11.5
	}
	l.need(3*mm + size*leading + 2*bodySize*leading) // never alone at the foot
	if l.y > marginTop {
		l.y += 3 * mm
	}
	l.flow(bold(b.Text), marginSide, lineWidth, 0, size, AlignLeft)
	l.y += 1 * mm
}

func (b Paragraph) texts() []Text { return []Text{b.Text} }

func (b Paragraph) place(l *layout) {
	indent := 0.0
	if b.Indent {
		indent = 2 * bodySize
	}
	l.flow(b.Text, marginSide, lineWidth, indent, bodySize, b.Align)
	l.y += 1 * mm
}

const listMarks = "•（）.0123456789一二三四五六七八九十百"

func (b List) texts() []Text { return append([]Text{Plain(listMarks)}, b.Items...) }

func (b List) place(l *layout) {
	marks, hang := make([]string, len(b.Items)), 0.0
	for i := range b.Items {
		marks[i] = b.Style.mark(max(1, b.Start)+i, l.words.ListStop)
		hang = max(hang, total(measure(l.face, Plain(marks[i]), bodySize)))
	}
	if b.Style != NumberChinese {
		hang += .4 * bodySize
	}
	for i, item := range b.Items {
		l.need(bodySize * leading)
		l.page.text(marginSide, l.y+baseline(bodySize), bodySize, measure(l.face, Plain(marks[i]), bodySize))
		l.flow(item, marginSide+hang, lineWidth-hang, 0, bodySize, AlignJustified)
		l.y += .6 * mm
	}
	l.y += .6 * mm
}

// mark is what stands before item n, counted from 1.
func (s ListStyle) mark(n int, stop string) string {
	switch s {
	case NumberChinese:
		return chineseNumber(n) + stop
	case NumberParen:
		return "（" + strconv.Itoa(n) + "）"
	case NumberDot:
		return strconv.Itoa(n) + "."
	default:
		return "•"
	}
}

// chineseNumber counts 一 … 十 十一 … 九十九; beyond that in digits.
func chineseNumber(n int) string {
	digits := []rune("零一二三四五六七八九")
	switch {
	case n < 1 || n > 99:
		return strconv.Itoa(n)
	case n < 10:
		return string(digits[n])
	}
	out := "十"
	if n >= 20 {
		out = string(digits[n/10]) + out
	}
	if n%10 > 0 {
		out += string(digits[n%10])
	}
	return out
}

func (Rule) texts() []Text { return nil }

func (Rule) place(l *layout) {
	l.clearCode()
	l.need(4 * mm)
	l.page.line(marginSide, l.y+2*mm, pageWidth-marginSide, l.y+2*mm, .5, .4)
	l.y += 4 * mm
}

func (b Signature) texts() []Text {
	out := []Text{Plain(b.Date)}
	for _, p := range b.Parties {
		out = append(out, Plain(p.Label))
	}
	return out
}

func (b Signature) place(l *layout) {
	const seal = 42 * mm
	if len(b.Parties) == 0 {
		return
	}
	l.clearCode()
	height := 20.0 * mm
	for _, p := range b.Parties {
		if p.Seal {
			height = seal + 4*mm
		}
	}
	l.need(height + 2*bodySize*leading)
	l.y += 2 * mm
	column := float64(lineWidth) / float64(len(b.Parties))
	for i, p := range b.Parties {
		x := marginSide + float64(i)*column
		if p.Seal {
			cx, cy := x+min(column-seal/2, 62*mm), l.y+seal/2
			l.page.circle(cx, cy, seal/2)
			l.page.op("q")
			l.page.grey(.6)
			l.at(cx, cy+3, 9, AlignCentre, l.words.Seal)
			l.page.op("Q")
		}
		l.page.text(x, l.y+12*mm, bodySize, measure(l.face, bold(p.Label), bodySize))
		if !p.Seal {
			from := x + total(measure(l.face, bold(p.Label), bodySize)) + 2
			if to := x + column - 6*mm; to > from {
				l.page.line(from, l.y+12*mm+2, to, l.y+12*mm+2, .5, 0)
			}
		}
	}
	l.y += height
	if b.Date != "" {
		l.flow(Plain(b.Date), marginSide, lineWidth, 0, bodySize, AlignRight)
	}
	l.y += 2 * mm
}
