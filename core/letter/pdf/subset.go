package pdf

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"unicode/utf16"
)

// subset collects the glyphs one document uses. A character's code in the page content is its glyph's place in the
// subset, so the embedded font needs no map (Identity-H).
type subset struct {
	face  *typeface
	codes map[rune]uint16
	runes []rune // runes[i] has code i+1; code 0 is .notdef
}

func newSubset(f *typeface) *subset { return &subset{face: f, codes: map[rune]uint16{}} }

// code gives r its code on first use; codes follow the document's order, so equal documents get equal fonts.
func (s *subset) code(r rune) uint16 {
	c, ok := s.codes[r]
	if !ok {
		s.runes = append(s.runes, r)
		c = uint16(len(s.runes))
		s.codes[r] = c
	}
	return c
}

func (s *subset) glyph(code int) uint16 {
	if code == 0 {
		return 0
	}
	return s.face.glyphs[s.runes[code-1]]
}

// tag is the six capital letters that mark a subset font (ISO 32000-1 §9.6.4), here a digest of what it holds.
func (s *subset) tag() string {
	sum := sha256.Sum256([]byte(string(s.runes)))
	tag := make([]byte, 6)
	for i := range tag {
		tag[i] = 'A' + sum[i]%26
	}
	return string(tag)
}

// outlines is the glyf data of every code and its loca, 4-byte aligned. The font has no composite glyphs, which
// TestFontHasNoCompositeGlyphs keeps so: outlines can be copied as they are.
func (s *subset) outlines() (glyf, loca []byte) {
	loca = binary.BigEndian.AppendUint32(nil, 0)
	for code := range len(s.runes) + 1 {
		g := s.glyph(code)
		glyf = append(glyf, s.face.glyf[s.face.loca[g]:s.face.loca[g+1]]...)
		for len(glyf)%4 != 0 {
			glyf = append(glyf, 0)
		}
		loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
	}
	return glyf, loca
}

// trueType writes the subset as a TrueType file with the tables a CIDFontType2 needs (ISO 32000-1 §9.9).
func (s *subset) trueType() []byte {
	count := uint16(len(s.runes) + 1)
	glyf, loca := s.outlines()
	var hmtx []byte
	for code := range int(count) {
		g := s.glyph(code)
		hmtx = binary.BigEndian.AppendUint16(hmtx, s.face.advance[g])
		hmtx = binary.BigEndian.AppendUint16(hmtx, uint16(s.face.bearing[g]))
	}
	head := bytes.Clone(s.face.head)
	binary.BigEndian.PutUint32(head[8:], 0)  // checkSumAdjustment, filled below
	binary.BigEndian.PutUint16(head[50:], 1) // long loca
	hhea := bytes.Clone(s.face.hhea)
	binary.BigEndian.PutUint16(hhea[34:], count)
	maxp := bytes.Clone(s.face.maxp)
	binary.BigEndian.PutUint16(maxp[4:], count)

	tables := []struct { // in the order of their tags
		tag  string
		data []byte
	}{{"glyf", glyf}, {"head", head}, {"hhea", hhea}, {"hmtx", hmtx}, {"loca", loca}, {"maxp", maxp}}
	out := binary.BigEndian.AppendUint32(nil, 0x00010000)
	for _, v := range []uint16{6, 64, 2, 32} { // numTables, searchRange, entrySelector, rangeShift
		out = binary.BigEndian.AppendUint16(out, v)
	}
	at, headAt := uint32(12+16*len(tables)), uint32(0)
	for _, t := range tables {
		if t.tag == "head" {
			headAt = at
		}
		out = append(out, t.tag...)
		for _, v := range []uint32{checksum(t.data), at, uint32(len(t.data))} {
			out = binary.BigEndian.AppendUint32(out, v)
		}
		at += (uint32(len(t.data)) + 3) &^ 3
	}
	for _, t := range tables {
		out = append(out, t.data...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
	}
	binary.BigEndian.PutUint32(out[headAt+8:], 0xB1B0AFBA-checksum(out))
	return out
}

// checksum is OpenType's: the sum of big-endian words, the last one padded with zeros.
func checksum(b []byte) (sum uint32) {
	for len(b) >= 4 {
		sum += binary.BigEndian.Uint32(b)
		b = b[4:]
	}
	if len(b) > 0 {
		var last [4]byte
		copy(last[:], b)
		sum += binary.BigEndian.Uint32(last[:])
	}
	return sum
}

// toUnicode is the CMap that lets a reader copy and search text. A rune above U+FFFF is two UTF-16 units, eight hex
// digits (ISO 32000-1 §9.10.3), so that 𠮷 in a name comes back as 𠮷.
func (s *subset) toUnicode() []byte {
	var b bytes.Buffer
	b.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n" +
		"/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def\n" +
		"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n")
	code := 0
	for part := range slices.Chunk(s.runes, 100) { // at most 100 a block
		fmt.Fprintf(&b, "%d beginbfchar\n", len(part))
		for _, r := range part {
			code++
			fmt.Fprintf(&b, "<%04X> <", code)
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, "%04X", unit)
			}
			b.WriteString(">\n")
		}
		b.WriteString("endbfchar\n")
	}
	b.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
	return b.Bytes()
}

// widths is the /W array: advances from code 1 on, in thousandths.
func (s *subset) widths() []byte {
	b := []byte("[1 [")
	for i, r := range s.runes {
		if i > 0 {
			b = append(b, ' ')
		}
		b = appendNumber(b, s.face.width(r))
	}
	return append(b, "]]"...)
}
