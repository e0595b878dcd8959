package pdf

// A ruled grid: what Fields and Table are set as.

const (
	cellPad  = 2 * mm
	cellSize = 10.5
	rule     = .5
	ruleGrey = .45
)

// grid is the geometry of a ruled table: the left edge of every column and, last, the right edge.
type grid struct{ edges []float64 }

func newGrid(shares []float64) grid {
	sum := 0.0
	for _, s := range shares {
		sum += s
	}
	g := grid{edges: []float64{marginSide}}
	at := float64(marginSide)
	for _, s := range shares {
		at += s / sum * lineWidth
		g.edges = append(g.edges, at)
	}
	return g
}

// cell is one cell's text and whether it is a label (bold on grey).
type cell struct {
	text  string
	label bool
}

// wrap breaks each cell's text to its column.
func (g grid) wrap(l *layout, cells []cell) (lines [][]line, rows int) {
	rows = 1
	for i, c := range cells {
		text := Plain(c.text)
		if c.label {
			text = bold(c.text)
		}
		wrapped := wrap(measure(l.face, text, cellSize), g.edges[i+1]-g.edges[i]-2*cellPad, 0)
		lines = append(lines, wrapped)
		rows = max(rows, len(wrapped))
	}
	return lines, rows
}

const (
	cellLead = cellSize * 1.45
	rowPad   = 1.4 * mm
)

// row prints one row. A row that does not fit moves to the next page whole; one taller than a page goes on there.
// repeat is called at the top of each new page, to print the head again.
func (g grid) row(l *layout, cells []cell, repeat func()) {
	lines, rows := g.wrap(l, cells)
	fits := func() int { return int((bottom - l.y - 2*rowPad) / cellLead) }
	for from := 0; from < rows; {
		if n := fits(); n < rows-from && l.y > marginTop && (n < 1 || float64(rows)*cellLead < (bottom-marginTop)/2) {
			l.newPage()
			if repeat != nil {
				repeat()
			}
		}
		n := max(1, min(rows-from, fits()))
		g.part(l, cells, lines, from, n)
		from += n
		if from < rows {
			l.newPage()
			if repeat != nil {
				repeat()
			}
		}
	}
}

// part prints lines from…from+n of a row with the rules around it.
func (g grid) part(l *layout, cells []cell, lines [][]line, from, n int) {
	top, height := l.y, float64(n)*cellLead+2*rowPad
	for i, c := range cells {
		if c.label {
			l.page.box(g.edges[i], top, g.edges[i+1]-g.edges[i], height, .95)
		}
		shown := lines[i][min(from, len(lines[i])):min(from+n, len(lines[i]))]
		y := top + rowPad
		if len(lines[i]) < n { // short cells stand in the middle
			y += float64(n-len(lines[i])) * cellLead / 2
		}
		for _, ln := range shown {
			l.page.text(g.edges[i]+cellPad, y+cellLead/2+cellSize*.38, cellSize, ln.chars)
			y += cellLead
		}
	}
	for _, y := range []float64{top, top + height} {
		l.page.line(g.edges[0], y, g.edges[len(g.edges)-1], y, rule, ruleGrey)
	}
	for _, x := range g.edges {
		l.page.line(x, top, x, top+height, rule, ruleGrey)
	}
	l.y = top + height
}

func (b Fields) texts() []Text {
	var out []Text
	for _, f := range b.Fields {
		out = append(out, Plain(f.Label), Plain(f.Value))
	}
	return out
}

func (b Fields) place(l *layout) {
	l.clearCode()
	l.y += 1 * mm
	columns := min(max(b.Columns, 1), 2)
	label := 0.0
	for _, f := range b.Fields {
		label = max(label, total(measure(l.face, Plain(f.Label), cellSize))+2*cellPad+1)
	}
	label = min(label, lineWidth*.36/float64(columns))
	var shares []float64
	for range columns {
		shares = append(shares, label, lineWidth/float64(columns)-label)
	}
	g := newGrid(shares)
	for i := 0; i < len(b.Fields); i += columns {
		var cells []cell
		for c := range columns {
			var f Field
			if i+c < len(b.Fields) {
				f = b.Fields[i+c]
			}
			cells = append(cells, cell{f.Label, true}, cell{f.Value, false})
		}
		g.row(l, cells, nil)
	}
	l.y += 2 * mm
}

func (b Table) texts() []Text {
	var out []Text
	for _, row := range append([][]string{b.Head}, b.Rows...) {
		for _, c := range row {
			out = append(out, Plain(c))
		}
	}
	return out
}

func (b Table) place(l *layout) {
	l.clearCode()
	columns := len(b.Head)
	for _, row := range b.Rows {
		columns = max(columns, len(row))
	}
	if columns == 0 {
		return
	}
	shares := make([]float64, columns)
	for i := range shares {
		shares[i] = 1
		if i < len(b.Widths) && b.Widths[i] > 0 {
			shares[i] = b.Widths[i]
		}
	}
	g := newGrid(shares)
	cells := func(row []string, label bool) []cell {
		out := make([]cell, columns)
		for i := range out {
			out[i].label = label
			if i < len(row) {
				out[i].text = row[i]
			}
		}
		return out
	}
	head := func() {
		if len(b.Head) > 0 {
			lines, rows := g.wrap(l, cells(b.Head, true))
			g.part(l, cells(b.Head, true), lines, 0, rows)
		}
	}
	l.need(4 * cellLead)
	head()
	for _, row := range b.Rows {
		g.row(l, cells(row, false), head)
	}
	l.y += 2 * mm
}
